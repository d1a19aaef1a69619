"""From tables with any ids to the coded arrays of a Dataset; DuckDB does the relational work.

The interactions are copied once, with the columns that count, into the table ``log``: there the row
number of the source is ``rowid``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, get_args

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.coding.columns import Supplied
from shortlist.data.coding.repeats import Entries, merged
from shortlist.data.dataset import Dataset, Repeats
from shortlist.data.moments import LAST_SECOND, LifeSpans
from shortlist.data.sql import connect, quoted
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import ConfigError, InputError, suggestion

_BATCH = 1_000_000  # rows that are handed over at a time


def code_tables(
    interactions: Any,
    users: Any,
    items: Any,
    *,
    user_id: str,
    item_id: str,
    weight: str | None,
    time: str | None,
    repeats: Repeats,
) -> Dataset:
    """Do the work of :meth:`Dataset.from_tables`, which documents it."""
    if repeats not in get_args(Repeats):
        raise ConfigError(
            f"repeats={repeats!r} is no rule", remedy=suggestion(str(repeats), get_args(Repeats))
        )
    with connect() as db:
        log = Supplied.read(db, interactions, "interactions", (user_id, item_id))
        user_side = _Side.read("user", users, user_id, log)
        item_side = _Side.read("item", items, item_id, log)
        columns = {"user_id": user_side.in_log, "item_id": item_side.in_log}
        if weight is not None:
            columns["weight"] = log.weights(weight)
        if time is not None:
            columns["time"] = log.moments(time)
        log.copy("log", ", ".join(f"{value} AS {name}" for name, value in columns.items()))
        _check_log(log, {"user_id": user_id, "item_id": item_id, "weight": weight, "time": time})
        user_vocabulary, user_features = user_side.number_ids(log)
        item_vocabulary, item_features = item_side.number_ids(log)
        entries = _coded(db, columns)
    LifeSpans.of(item_features)  # a column of the wrong type is told now, not at the first query
    arrays = merged(entries, (len(user_vocabulary), len(item_vocabulary)), repeats)
    return Dataset(user_vocabulary, item_vocabulary, *arrays, user_features, item_features)


def _check_log(log: Supplied, names: dict[str, str | None]) -> None:
    """Refuse missing ids, weights and times, naming the first row that has one."""
    rules = {
        "user_id": ("user_id IS NULL", "the user id is missing", "drop the row, or fill it in"),
        "item_id": ("item_id IS NULL", "the item id is missing", "drop the row, or fill it in"),
        "weight": (
            "weight IS NULL OR NOT isfinite(weight) OR weight < 0",
            "a weight must be a finite number, 0 or more",
            "drop the row, or mend its weight",
        ),
        "time": (
            f"time IS NULL OR time NOT BETWEEN -{LAST_SECOND}000000 AND {LAST_SECOND}999999",
            f"a time is missing, or more than {LAST_SECOND} seconds from 1970 (the year 9999)",
            "drop the row, or mend its time; divide milliseconds by 1,000",
        ),
    }
    asked = {name: rules[name] for name, column in names.items() if column is not None}
    results = log.connection.execute(
        "SELECT "
        + ", ".join(
            f"count(*) FILTER ({broken}), min(rowid) FILTER ({broken})"
            for broken, _, _ in asked.values()
        )
        + " FROM log"
    ).fetchall()[0]
    for (name, (_, what, remedy)), count, first in zip(
        asked.items(), results[::2], results[1::2], strict=True
    ):
        if count:
            where = log.where(str(names[name]), first, count - 1)
            raise InputError(what, where=where, remedy=remedy)


@dataclass(frozen=True)
class _Side:
    """The ids of the users or of the items, in the interactions and in a table of their own.

    Attributes
    ----------
    in_log, in_list
        SQL that gives the id, in the one type that keeps it exactly.
    listed
        The table that lists every id, if there is one.
    """

    kind: str
    key: str
    in_log: str
    in_list: str
    listed: Supplied | None

    @classmethod
    def read(cls, kind: str, table: Any, key: str, log: Supplied) -> _Side:
        """Find the type that both tables can keep the ids in.

        Whole numbers of a text file are text where the other table has text; signed and unsigned
        ones can be compared.
        """
        log_type = list_type = log.id_type(key)
        listed = None
        if table is not None:
            listed = Supplied.read(log.connection, table, f"{kind}s", (key,))
            list_type = listed.id_type(key)
        if listed is not None and (log_type == "VARCHAR") != (list_type == "VARCHAR"):
            if not (log if list_type == "VARCHAR" else listed).is_text:
                raise InputError(
                    f"'{key}' is {listed.types[key]} here and {log.types[key]} in the interactions",
                    where=listed.where(key),
                    remedy="cast one to the type of the other",
                )
            log_type = list_type = "VARCHAR"
        in_log, in_list = (f"CAST({quoted(key)} AS {one})" for one in (log_type, list_type))
        return cls(kind, key, in_log, in_list, listed)

    def number_ids(self, log: Supplied) -> tuple[Vocabulary, pa.Table | None]:
        """Make the table of ids and their rows, in ascending order, and line the features up."""
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

    def _check_list(self, listed: Supplied, log: Supplied) -> None:
        """Refuse a missing id, an id listed twice, and an interaction with an id not listed."""
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
        twice = db.execute(
            f"SELECT id, list(rowid ORDER BY rowid) AS records FROM {kind}_list "
            "GROUP BY id HAVING count(*) > 1 ORDER BY records[2] LIMIT 1"
        ).fetchone()
        if twice is not None:
            one, records = twice
            raise InputError(
                f"{kind} {one!r} is listed {len(records)} times; once is the bound",
                where=listed.where(self.key, records[1]),
                remedy="keep one row for each id",
            )
        dangling = db.execute(
            f"SELECT {kind}_id, min(rowid) AS record, count(*) OVER () "
            f"FROM log ANTI JOIN {kind}_list ON id = {kind}_id "
            f"GROUP BY {kind}_id ORDER BY record LIMIT 1"
        ).fetchone()
        if dangling is not None:
            one, record, count = dangling
            others = f" ({count:,} such {kind}s)" if count > 1 else ""
            raise InputError(
                f"{kind} {one!r} has interactions but is not listed in {listed.label}{others}",
                where=log.where(self.key, record),
                remedy=f"add the missing {kind}s, or leave their interactions out",
            )


def _coded(db: duckdb.DuckDBPyConnection, columns: Collection[str]) -> Entries:
    """Look every id up; the entries are in the order of the source."""
    count = db.execute("SELECT count(*) FROM log").fetchall()[0][0]
    users, items = np.empty((2, count), dtype=np.int32)
    arrays: dict[str, NDArray[Any]] = {"u.row": users, "i.row": items}
    weights, times = np.ones(count, dtype=np.float32), None
    if "weight" in columns:
        arrays["weight"] = weights
    if "time" in columns:
        arrays["time"] = times = np.empty(count, dtype=np.int64)
    coded = db.sql(
        f"""
        SELECT log.rowid, {", ".join(arrays)}
        FROM log JOIN user_rows AS u ON u.id = user_id JOIN item_rows AS i ON i.id = item_id
        """
    )
    for batch in coded.to_arrow_reader(_BATCH):
        record, *values = (column.to_numpy() for column in batch.columns)
        for array, value in zip(arrays.values(), values, strict=True):
            array[record] = value  # a join keeps no order
    return Entries(users, items, weights, times)
