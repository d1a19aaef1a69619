"""From tables with any ids to the coded arrays of a Dataset; DuckDB does the relational work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset, Repeats
from shortlist.data.moments import LAST_SECOND, LifeSpans
from shortlist.data.order import last_of_runs, stable_order
from shortlist.data.sources import relation
from shortlist.data.sql import connect, quoted
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import ConfigError, InputError, suggestion

_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_NUMBER = _WHOLE | {"UBIGINT", "HUGEINT", "FLOAT", "DOUBLE", "BOOLEAN"}


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
        log = _Source.read(db, interactions, "interactions", (user_id, item_id))
        columns = {
            "user_id": log.ids(user_id),
            "item_id": log.ids(item_id),
            "weight": "1::FLOAT" if weight is None else f"{log.number(weight)}::FLOAT",
            "time": "NULL::BIGINT" if time is None else log.microseconds(time),
            "position": "row_number() OVER () - 1",
        }
        chosen = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
        db.execute(f"CREATE TEMP TABLE log AS SELECT {chosen} FROM {log.view}")
        _check_log(
            db, log, {"user_id": user_id, "item_id": item_id, "weight": weight, "time": time}
        )
        user_vocabulary, user_features = _side(db, "user", users, user_id, log)
        item_vocabulary, item_features = _side(db, "item", items, item_id, log)
        coded = db.sql(
            """
            SELECT u.row::INTEGER AS user_row, i.row::INTEGER AS item_row, weight, time, position
            FROM log JOIN user_rows AS u ON u.id = log.user_id
                     JOIN item_rows AS i ON i.id = log.item_id
            """
        ).fetchnumpy()
    LifeSpans.of(item_features)  # a column of the wrong type is told now, not at the first query
    entries = _Entries(
        coded["user_row"],
        coded["item_row"],
        coded["weight"],
        None if time is None else coded["time"],
        coded["position"],
    )
    sizes = len(user_vocabulary), len(item_vocabulary)
    merged = _merged(entries.sorted(*sizes), repeats)
    return Dataset(user_vocabulary, item_vocabulary, *merged, user_features, item_features)


@dataclass(frozen=True)
class _Source:
    """A caller's table as a DuckDB view, with what messages and casts need to know of it."""

    label: str
    view: str
    types: dict[str, str]

    @classmethod
    def read(
        cls, db: duckdb.DuckDBPyConnection, table: Any, name: str, ids: Sequence[str]
    ) -> _Source:
        rows = relation(db, table, label=name, ids=ids)
        rows.create_view(f"source_{name}")
        types = dict(zip(rows.columns, map(str, rows.types), strict=True))
        return cls(f"{name} {table}" if isinstance(table, str) else name, f"source_{name}", types)

    def column(self, name: str) -> str:
        """Quote a column that must exist."""
        if name not in self.types:
            raise InputError(
                f"there is no column {name!r}",
                where=self.label,
                remedy=suggestion(name, self.types),
            )
        return quoted(name)

    def ids(self, name: str) -> str:
        """Cast an id column to the one type its ids are kept in, exactly."""
        column, kind = self.column(name), self.types[name]
        if kind in _WHOLE:
            return f"{column}::BIGINT"
        if kind == "UBIGINT":
            return column
        if kind in ("VARCHAR", "UUID") or kind.startswith("ENUM"):
            return f"{column}::VARCHAR"
        raise InputError(
            f"ids of type {kind} cannot be kept exactly",
            where=f"{self.label}, column {name!r}",
            remedy="cast the column to 64-bit integers or to text",
        )

    def number(self, name: str) -> str:
        column, kind = self.column(name), self.types[name]
        if kind in _NUMBER or kind.startswith("DECIMAL"):
            return column
        raise InputError(
            f"weights of type {kind} are no numbers",
            where=f"{self.label}, column {name!r}",
            remedy="cast the column to a number, or pass weight=None",
        )

    def microseconds(self, name: str) -> str:
        column, kind = self.column(name), self.types[name]
        if kind.startswith(("TIMESTAMP", "DATE")):
            return f"epoch_us({column}::TIMESTAMP)"
        if kind in _NUMBER:
            seconds = f"CASE WHEN abs({column}) <= {LAST_SECOND} THEN {column} END"
            factor = "1000000::BIGINT" if kind in _WHOLE else "1e6"
            return f"({seconds} * {factor})::BIGINT"
        raise InputError(
            f"times of type {kind} are neither timestamps nor seconds since 1970",
            where=f"{self.label}, column {name!r}",
            remedy="cast the column to a timestamp",
        )


def _check_log(db: duckdb.DuckDBPyConnection, log: _Source, columns: dict[str, str | None]) -> None:
    """Refuse missing ids, weights and times, naming the first row that has one."""
    wrong = {
        "user_id": ("user_id IS NULL", "a user id is missing", "drop the row, or fill it in"),
        "item_id": ("item_id IS NULL", "an item id is missing", "drop the row, or fill it in"),
        "weight": (
            "weight IS NULL OR NOT isfinite(weight) OR weight < 0",
            "a weight must be a finite number, 0 or more",
            "drop the row, or mend its weight",
        ),
        "time": (
            "time IS NULL",
            f"a time is missing, or more than {LAST_SECOND} seconds from 1970",
            "drop the row; divide milliseconds by 1,000",
        ),
    }
    for name, (condition, what, remedy) in wrong.items():
        given = columns[name]
        if given is None:
            continue
        found = db.execute(
            f"SELECT min(position) + 1, count(*) FROM log WHERE {condition}"
        ).fetchone()
        if found is not None and found[1]:
            row = f"row {found[0]}" + (f" and {found[1] - 1} more" if found[1] > 1 else "")
            raise InputError(what, where=f"{log.label}, {row}, column {given!r}", remedy=remedy)


def _side(
    db: duckdb.DuckDBPyConnection, kind: str, table: Any, key: str, log: _Source
) -> tuple[Vocabulary, pa.Table | None]:
    """Number the ids of one side in ascending order; line its feature table up with them."""
    if table is None:
        db.execute(f"CREATE TEMP TABLE {kind}_listed AS SELECT DISTINCT {kind}_id AS id FROM log")
    else:
        source = _Source.read(db, table, f"{kind}s", (key,))
        if (source.ids(key) == quoted(key)) != (log.ids(key) == quoted(key)) or (
            source.ids(key).endswith("VARCHAR") != log.ids(key).endswith("VARCHAR")
        ):
            raise InputError(
                f"{key!r} is {source.types[key]} here and {log.types[key]} in the interactions",
                where=source.label,
                remedy="cast one to the type of the other",
            )
        listed = f"SELECT {source.ids(key)} AS id, * FROM {source.view}"
        db.execute(f"CREATE TEMP TABLE {kind}_listed AS {listed}")
        _check_listed(db, kind, key, source, log)
    db.execute(
        f"""
        CREATE TEMP TABLE {kind}_rows AS
        SELECT id, row_number() OVER (ORDER BY id) - 1 AS row FROM {kind}_listed
        """
    )
    ids = db.sql(f"SELECT id FROM {kind}_rows ORDER BY row").to_arrow_table().column("id")
    if table is None:
        return Vocabulary(ids, kind=kind), None
    features = db.sql(f"FROM {kind}_listed ORDER BY id").to_arrow_table()
    return Vocabulary(ids, kind=kind), features.drop_columns(["id", key])


def _check_listed(
    db: duckdb.DuckDBPyConnection, kind: str, key: str, source: _Source, log: _Source
) -> None:
    """Refuse a missing key, a key listed twice, and an interaction with an id not listed."""
    where = f"{source.label}, column {key!r}"
    if db.execute(f"SELECT 1 FROM {kind}_listed WHERE id IS NULL").fetchone():
        raise InputError(f"a {kind} has no id", where=where, remedy="drop the row, or fill it in")
    twice = db.execute(
        f"SELECT id, count(*) AS n FROM {kind}_listed GROUP BY id HAVING n > 1 ORDER BY id LIMIT 1"
    ).fetchone()
    if twice:
        raise InputError(
            f"{kind} {twice[0]!r} is listed {twice[1]} times; once is the bound",
            where=where,
            remedy="keep one row for each id",
        )
    dangling = db.execute(
        f"""
        SELECT {kind}_id, min(position) + 1, count(DISTINCT {kind}_id) OVER () FROM log
        WHERE {kind}_id NOT IN (SELECT id FROM {kind}_listed) GROUP BY {kind}_id ORDER BY 2 LIMIT 1
        """
    ).fetchone()
    if dangling:
        raise InputError(
            f"{kind} {dangling[0]!r} has interactions but is not listed in {source.label} "
            f"({dangling[2]} such {kind}s)",
            where=f"{log.label}, row {dangling[1]}, column {key!r}",
            remedy=f"add the missing {kind}s, or leave their interactions out",
        )


class _Entries(NamedTuple):
    """The coded interactions, before and after repeated pairs are merged."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    weights: NDArray[np.float32]
    times: NDArray[np.int64] | None
    positions: NDArray[np.int64]

    def take(self, order: NDArray[np.integer]) -> _Entries:
        times = None if self.times is None else self.times[order]
        return _Entries(
            self.users[order],
            self.items[order],
            self.weights[order],
            times,
            self.positions[order],
        )

    def sorted(self, n_users: int, n_items: int) -> _Entries:
        """Sort by user, then item, then position: a stable counting sort each, last key first."""
        order = np.empty(len(self.positions), dtype=np.int64)
        order[self.positions] = np.arange(len(self.positions))  # a join keeps no order
        order = order[stable_order(self.items[order], n_items)]
        return self.take(order[stable_order(self.users[order], n_users)])


def _merged(entries: _Entries, repeats: Repeats) -> _Entries:
    """Make one entry of each run of entries with the same pair."""
    users, items, weights, times, positions = entries
    fresh = np.ones(len(users), dtype=bool)
    fresh[1:] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
    if fresh.all():
        return entries
    starts = np.flatnonzero(fresh)
    lengths = np.diff(np.append(starts, len(users)))
    keys = [positions] if times is None else [times, positions]
    kept = entries.take(
        np.flatnonzero(last_of_runs(starts, lengths, keys, np.ones(len(users), dtype=bool)))
    )
    if repeats == "last":
        return kept
    if repeats == "max":
        return kept._replace(weights=np.maximum.reduceat(weights, starts))
    sums = np.add.reduceat(weights, starts, dtype=np.float64)
    totals = sums / lengths if repeats == "mean" else sums
    return kept._replace(weights=totals.astype(np.float32))
