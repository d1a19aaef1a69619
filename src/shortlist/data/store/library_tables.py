"""The tables that every store has besides those of its schema, and two of them: runs and marks.

A *run* is one set of recommendations. A *mark* is how far the interactions behind a run were read.
The third, recorded interactions, has its own file: ``recorded.py``.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from shortlist.data.formats.layout import same
from shortlist.data.sources import read
from shortlist.data.sql import Connection
from shortlist.data.store.checks import check
from shortlist.data.store.database import Database
from shortlist.data.store.load import write
from shortlist.data.store.schema import INFO, Table
from shortlist.data.store.staging import StagedRows, stage_frame, temporary_names
from shortlist.errors import InputError, require_known

RUNS, LISTS, MARKS = "recommendation_runs", "recommendations", "recommendation_marks"
RECORDED = "recorded_interactions"
LIBRARY_TABLES = frozenset({INFO, RUNS, LISTS, MARKS, RECORDED})

_SMALL = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_ID_TYPES = {**dict.fromkeys(_SMALL, "BIGINT"), "UBIGINT": "UBIGINT", "VARCHAR": "VARCHAR"}
_NO_RUN = {"run_id": "0::BIGINT"}  # the number is set within the transaction


class Mark(NamedTuple):
    """How far interactions were read; the next incremental pull starts there."""

    source: str  # the tables and columns that were read, and the rule for repeated pairs, as JSON
    last_seen: str  # the greatest value in the column that grows, as the database writes it
    row_count: int  # rows read in all pulls together
    fingerprint: str  # of the dataset made from them

    def to_json(self) -> dict[str, str | int]:
        """Return the mark as a JSON object."""
        return self._asdict()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Mark:
        """Return the mark that :meth:`to_json` wrote; other keys are ignored."""
        for name in cls._fields:
            kind = int if name == "row_count" else str
            if type(value.get(name)) is not kind:
                raise InputError(
                    f"the mark of an incremental pull has no {name!r} of type {kind.__name__}",
                    remedy="fit the bundle again, without --since",
                )
        return cls(*(value[name] for name in cls._fields))


def last_mark(database: Database, source: str) -> Mark | None:
    """Return the mark of the latest run over the same tables and columns, if there is one."""
    tables = {} if database.info() is None else database.tables()
    if MARKS not in tables:  # a store of version 1, opened read-only
        return None
    database.copy_to_staging(tables[MARKS], tables[MARKS].types)
    marks = database.staging.execute(
        f"SELECT {', '.join(Mark._fields)} FROM {MARKS} WHERE source = ? "
        "ORDER BY run_id DESC LIMIT 1",
        [source],
    ).fetchall()
    return Mark(*marks[0]) if marks else None


def write_run(
    database: Database,
    recommendations: Any,
    model: str,
    config: Mapping[str, Any],
    k: int | None,
    run_id: int | None,
    mark: Mark | None,
) -> int:
    """Write a run of recommendations; see :meth:`shortlist.Store.write`."""
    if run_id is not None and not 1 <= run_id < 2**63:
        raise InputError(
            f"run_id is {run_id}; runs are numbered from 1",
            remedy="leave it out: the next number is used",
        )
    db, tables = database.staging, database.tables()
    with temporary_names(db) as names:
        lists, run = _stage_lists(db, tables[LISTS], next(names), recommendations)
        if k is None:
            [(k,)] = db.execute(f"SELECT max(rank) FROM {lists.name}").fetchall()
        run |= {"model": model, "config": json.dumps(dict(config), sort_keys=True), "k": k}
        records = {RUNS: run} | ({} if mark is None else {MARKS: mark.to_json()})
        staged = []
        for name, values in records.items():
            row = pa.Table.from_pylist([values])
            columns = _NO_RUN | same(*values)
            staged.append(stage_frame(db, row, "run", tables[name], next(names), columns))
        staged.append(lists)
        with database.transaction():
            database.copy_to_staging(tables[RUNS], ["run_id", "model"])
            [(last,)] = db.execute(f"SELECT coalesce(max(run_id), 0) FROM {RUNS}").fetchall()
            number = int(last) + 1 if run_id is None else run_id
            for rows in staged:
                db.execute(f"UPDATE {rows.name} SET run_id = {number}")
                if rows.table.name != RUNS:
                    database.copy_to_staging(rows.table, rows.table.types, f"run_id = {number}")
            if run_id is None or not _is_stored(db, run_id, model, lists):
                check(db, staged)
                write(database, staged)
    return number


def _stage_lists(
    db: Connection, table: Table, name: str, recommendations: Any
) -> tuple[StagedRows, dict[str, Any]]:
    """Stage the lists, whose ``run_id`` is set later; return them and the columns of the run."""
    given = read(db, recommendations, label="recommendations").rows
    types = dict(zip(given.columns, map(str, given.types), strict=True))
    asked_by = "query" if "query" in types else "user_id"
    for column in (asked_by, "item_id", "rank", "score", "source"):
        require_known(column, types, f"the recommendations have no column '{column}'")
    columns = _NO_RUN | {"user_id": asked_by} | same("item_id", "rank", "score", "source")
    rows = given.to_arrow_table()
    return stage_frame(db, rows, "recommendations", table, name, columns), {
        "created_at": dt.datetime.now(dt.UTC),
        "asked_by": asked_by,
        "user_id_type": _id_type(asked_by, types),
        "item_id_type": _id_type("item_id", types),
    }


def _id_type(column: str, types: Mapping[str, str]) -> str:
    if types[column] not in _ID_TYPES:
        raise InputError(
            f"ids of type {types[column]} cannot be kept exactly",
            where=f"recommendations, column '{column}'",
            remedy="give 64-bit integers or text",
        )
    return _ID_TYPES[types[column]]


def _is_stored(db: Connection, run_id: int, model: str, lists: StagedRows) -> bool:
    """Return whether a run has been written before; refuse a different run of that number."""
    models = db.execute(f"SELECT model FROM {RUNS} WHERE run_id = {run_id}").fetchall()
    if not models:
        return False
    columns = "user_id, rank, item_id, score, source"
    [(different,)] = db.execute(
        f"""
        WITH given AS (SELECT {columns} FROM {lists.name}),
             stored AS (SELECT {columns} FROM {LISTS} WHERE run_id = {run_id})
        SELECT count(*) FROM (
            (FROM given EXCEPT ALL FROM stored) UNION ALL (FROM stored EXCEPT ALL FROM given)
        )
        """
    ).fetchall()
    if different or models != [(model,)]:
        raise InputError(
            f"run {run_id} exists already, with other lists",
            remedy="give another run_id, or none: the next number is used",
        )
    return True
