"""Encoding tables with any ids as the arrays of a Dataset; DuckDB does the relational work.

The interactions are copied once, with the columns that are needed, to the table ``log``. Its
``rowid`` is the row number of the source.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.coding.columns import InputTable
from shortlist.data.coding.pairs import Repeats, merge_repeats
from shortlist.data.moments import LAST_SECOND, LifeSpans
from shortlist.data.sql import connect, quoted
from shortlist.data.vocabulary import Rows, Vocabulary
from shortlist.errors import ConfigError, InputError, suggestion

_BATCH = 1_000_000  # rows that DuckDB hands over at a time


class EncodedTables(NamedTuple):
    """The fields of a Dataset, in its order."""

    users: Vocabulary
    items: Vocabulary
    user_rows: Rows
    item_rows: Rows
    weights: NDArray[np.float32]
    times: NDArray[np.int64] | None
    positions: NDArray[np.int64]
    user_features: pa.Table | None
    item_features: pa.Table | None


def encode_tables(
    interactions: Any,
    users: Any,
    items: Any,
    *,
    user_id: str,
    item_id: str,
    weight: str | None,
    time: str | None,
    repeats: Repeats,
) -> EncodedTables:
    """Encode the tables; :meth:`Dataset.from_tables` documents parameters and errors."""
    if repeats not in get_args(Repeats):
        raise ConfigError(
            f"repeats={repeats!r} is not a known rule",
            remedy=suggestion(str(repeats), get_args(Repeats)),
        )
    with connect() as db:
        log = InputTable.read(db, interactions, "interactions", (user_id, item_id))
        user_ids = _Ids.read("user", users, user_id, log)
        item_ids = _Ids.read("item", items, item_id, log)
        columns = {"user_id": user_ids.in_log, "item_id": item_ids.in_log}
        if weight is not None:
            columns["weight"] = log.weights(weight)
        if time is not None:
            columns["time"] = log.times(time)
        log.copy("log", ", ".join(f"{value} AS {name}" for name, value in columns.items()))
        _check_log(log, {"user_id": user_id, "item_id": item_id, "weight": weight, "time": time})
        user_vocabulary, user_features = user_ids.number(log)
        item_vocabulary, item_features = item_ids.number(log)
        encoded_log = _encode_log(db, columns)
    LifeSpans.of(item_features)  # raises an error now, not at the first query
    shape = (len(user_vocabulary), len(item_vocabulary))
    entries = merge_repeats(*encoded_log, shape, repeats)
    return EncodedTables(user_vocabulary, item_vocabulary, *entries, user_features, item_features)


def _check_log(log: InputTable, names: dict[str, str | None]) -> None:
    """Raise an error if an id, weight or time is missing or out of range, with its first row."""
    rules = {
        "user_id": ("user_id IS NULL", "the user id is missing", "drop the row, or fill it in"),
        "item_id": ("item_id IS NULL", "the item id is missing", "drop the row, or fill it in"),
        "weight": (
            "weight IS NULL OR NOT isfinite(weight) OR weight < 0",
            "a weight must be a finite number, 0 or more",
            "drop the row, or correct its weight",
        ),
        "time": (
            f"time IS NULL OR time NOT BETWEEN -{LAST_SECOND}000000 AND {LAST_SECOND}999999",
            f"a time is missing, or more than {LAST_SECOND} seconds from 1970 (the year 9999)",
            "drop the row, or correct its time; divide milliseconds by 1,000",
        ),
    }
    used = {name: rules[name] for name, column in names.items() if column is not None}
    counts = ", ".join(
        f"count(*) FILTER ({broken}), min(rowid) FILTER ({broken})"
        for broken, _, _ in used.values()
    )
    results = log.connection.execute(f"SELECT {counts} FROM log").fetchall()[0]
    for (name, (_, what, remedy)), count, first in zip(
        used.items(), results[::2], results[1::2], strict=True
    ):
        if count:
            where = log.where(str(names[name]), first, count - 1)
            raise InputError(what, where=where, remedy=remedy)


@dataclass(frozen=True)
class _Ids:
    """The ids of the users or of the items: those of the interactions and those of a list.

    Attributes
    ----------
    kind
        ``"user"`` or ``"item"``.
    key
        The id column, with the same name in both tables.
    in_log, in_list
        SQL that casts the id to a type that holds it unchanged.
    listed
        The table that lists all ids, if there is one.
    """

    kind: str
    key: str
    in_log: str
    in_list: str
    listed: InputTable | None

    @classmethod
    def read(cls, kind: str, table: Any, key: str, log: InputTable) -> _Ids:
        """Read the list of ids, and choose a type for the ids of both tables.

        Integers of a text file become text if the other table has text. Signed and unsigned
        integers are compared as they are.
        """
        log_type = list_type = log.id_type(key)
        listed = None
        if table is not None:
            listed = InputTable.read(log.connection, table, f"{kind}s", (key,))
            list_type = listed.id_type(key)
        if listed is not None and (log_type == "VARCHAR") != (list_type == "VARCHAR"):
            if not (log if list_type == "VARCHAR" else listed).is_text:
                raise InputError(
                    f"'{key}' is {listed.types[key]} here and {log.types[key]} in the interactions",
                    where=listed.where(key),
                    remedy="cast one of them to the type of the other",
                )
            log_type = list_type = "VARCHAR"
        in_log, in_list = (
            f"CAST({quoted(key)} AS {sql_type})" for sql_type in (log_type, list_type)
        )
        return cls(kind, key, in_log, in_list, listed)

    def number(self, log: InputTable) -> tuple[Vocabulary, pa.Table | None]:
        """Create the table of ids and row numbers; return the vocabulary and its features."""
        db, kind, listed = log.connection, self.kind, self.listed
        if listed is None:
            ids = f"SELECT DISTINCT {kind}_id AS id FROM log"
        else:
            listed.copy(f"{kind}_list", f"{self.in_list} AS id")
            self._check_list(listed, log)
            ids = f"FROM {kind}_list"
        db.execute(
            f"CREATE TEMP TABLE {kind}_rows AS "
            f"SELECT id, CAST(row_number() OVER (ORDER BY id) - 1 AS INTEGER) AS row FROM ({ids})"
        )
        column = db.sql(f"SELECT id FROM {kind}_rows ORDER BY row").to_arrow_table().column("id")
        vocabulary = Vocabulary(column, kind=kind)
        if listed is None or len(listed.types) == 1:
            return vocabulary, None
        features = (
            f"SELECT * EXCLUDE ({quoted(self.key)}) FROM {listed.view} ORDER BY {self.in_list}"
        )
        return vocabulary, db.sql(features).to_arrow_table()

    def _check_list(self, listed: InputTable, log: InputTable) -> None:
        """Raise an error for a missing or repeated id in the list, or an unlisted id in the log."""
        db, kind = log.connection, self.kind
        [(missing, first)] = db.execute(
            f"SELECT count(*), min(rowid) FROM {kind}_list WHERE id IS NULL"
        ).fetchall()
        if missing:
            raise InputError(
                f"the {kind} id is missing",
                where=listed.where(self.key, first, missing - 1),
                remedy="drop the row, or fill it in",
            )
        repeated = db.execute(
            f"SELECT id, list(rowid ORDER BY rowid) AS records FROM {kind}_list "
            "GROUP BY id HAVING count(*) > 1 ORDER BY records[2] LIMIT 1"
        ).fetchone()
        if repeated is not None:
            key, records = repeated
            raise InputError(
                f"{kind} {key!r} is listed {len(records)} times instead of once",
                where=listed.where(self.key, records[1]),
                remedy="keep one row for each id",
            )
        unlisted = db.execute(
            f"SELECT {kind}_id, min(rowid) AS record, count(*) OVER () "
            f"FROM log ANTI JOIN {kind}_list ON id = {kind}_id "
            f"GROUP BY {kind}_id ORDER BY record LIMIT 1"
        ).fetchone()
        if unlisted is not None:
            key, record, count = unlisted
            others = f" ({count:,} such {kind}s)" if count > 1 else ""
            raise InputError(
                f"{kind} {key!r} has interactions but is not listed in {listed.label}{others}",
                where=log.where(self.key, record),
                remedy=f"add the missing {kind}s, or leave their interactions out",
            )


def _encode_log(
    db: duckdb.DuckDBPyConnection, columns: Collection[str]
) -> tuple[Rows, Rows, NDArray[np.float32], NDArray[np.int64] | None]:
    """Return user rows, item rows, weights and times, in the order of the source."""
    count = db.execute("SELECT count(*) FROM log").fetchall()[0][0]
    users, items = np.empty((2, count), dtype=np.int32)
    arrays: dict[str, NDArray[Any]] = {"u.row": users, "i.row": items}
    weights, times = np.ones(count, dtype=np.float32), None
    if "weight" in columns:
        arrays["weight"] = weights
    if "time" in columns:
        arrays["time"] = times = np.empty(count, dtype=np.int64)
    joined = db.sql(
        f"""
        SELECT log.rowid, {", ".join(arrays)}
        FROM log JOIN user_rows AS u ON u.id = user_id JOIN item_rows AS i ON i.id = item_id
        """
    )
    for batch in joined.to_arrow_reader(_BATCH):
        record, *values = (column.to_numpy() for column in batch.columns)
        for array, value in zip(arrays.values(), values, strict=True):
            array[record] = value  # a join keeps no order
    return users, items, weights, times
