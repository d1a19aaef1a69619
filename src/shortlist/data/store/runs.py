"""Recommendations into the run tables of a store."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import pyarrow as pa

from shortlist.data.formats.layout import Fill, same
from shortlist.data.sources import relation
from shortlist.data.store.checks import check
from shortlist.data.store.load import scratch
from shortlist.data.store.staging import Source, Staged, stage
from shortlist.errors import InputError, suggestion

if TYPE_CHECKING:
    from shortlist.data.store.database import Database

RUNS, LISTS, MARKS = "recommendation_runs", "recommendations", "recommendation_marks"

_ID_TYPES = {
    **dict.fromkeys(["TINYINT", "SMALLINT", "INTEGER", "BIGINT"], "BIGINT"),
    **dict.fromkeys(["UTINYINT", "USMALLINT", "UINTEGER"], "BIGINT"),
    "UBIGINT": "UBIGINT",
    "VARCHAR": "VARCHAR",
}


class Mark(NamedTuple):
    """How far interactions were read: what the next pull starts from.

    Attributes
    ----------
    source
        Which tables and columns were read and how repeated pairs become one, as JSON.
    last_seen
        The greatest value of the column that rows are followed along, as the database writes it.
    row_count
        How many rows were read up to there, in all pulls together.
    fingerprint
        That of the dataset they became.
    """

    source: str
    last_seen: str
    row_count: int
    fingerprint: str


def write_run(
    database: Database,
    recommendations: Any,
    *,
    model: str,
    config: dict[str, Any],
    k: int | None,
    run_id: int | None = None,
    mark: Mark | None = None,
) -> int:
    """Do the work of :meth:`shortlist.Store.write`, which documents it."""
    db, known = database.bench, database.catalogue()
    given = relation(db, recommendations, label="recommendations").to_arrow_table()
    asked_by = "query" if "query" in given.column_names else "user_id"
    with scratch(db) as names, database.exclusive():
        lists = names.frame()
        db.register(lists, given)
        described = db.execute(f"DESCRIBE FROM {lists}").fetchall()
        types = {name: kind for name, kind, *_ in described}
        for column in (asked_by, "item_id", "rank", "score", "source"):
            if column not in types:
                raise InputError(
                    f"the recommendations have no column '{column}'",
                    remedy=suggestion(column, types),
                )
        database.bring(known[RUNS], ["run_id", "model"])
        number = _next_number(db) if run_id is None else _number(run_id)
        [(deepest,)] = db.execute(f"SELECT max(TRY_CAST(rank AS INTEGER)) FROM {lists}").fetchall()
        about = {
            "run_id": number,
            "created_at": dt.datetime.now(dt.UTC),
            "model": model,
            "config": json.dumps(config, sort_keys=True),
            "k": deepest if k is None else k,
            "asked_by": asked_by,
            "user_id_type": _id_type(asked_by, types),
            "item_id_type": _id_type("item_id", types),
        }
        columns = same("item_id", "rank", "score", "source")
        columns |= {"run_id": f"{number}::BIGINT", "user_id": asked_by}
        rows = stage(
            db,
            Source("recommendations", lists),
            Fill(LISTS, columns),
            known[LISTS],
            names.table(),
        )
        database.bring(known[LISTS], known[LISTS].types, {"run_id": number})
        if run_id is not None and _there(db, number, model, rows):
            return number
        staged = []
        tables = {RUNS: about}
        if mark is not None:
            tables[MARKS] = {"run_id": number, **mark._asdict()}
            database.bring(known[MARKS], ["run_id"], {"run_id": number})
        for table, values in tables.items():
            frame = names.frame()
            db.register(frame, pa.table({name: [value] for name, value in values.items()}))
            fill = Fill(table, same(*values))
            staged.append(stage(db, Source("run", frame), fill, known[table], names.table()))
        staged.append(rows)
        check(db, staged)
        database.keep(staged)
    return number


def last_mark(database: Database, source: str) -> Mark | None:
    """Give the mark that the latest run over the same tables and columns has left."""
    catalogue = database.catalogue() if database.origin() is not None else {}
    if MARKS not in catalogue:
        return None
    database.bring(catalogue[MARKS], catalogue[MARKS].types)
    found = database.bench.execute(
        f"SELECT {', '.join(Mark._fields)} FROM {MARKS} WHERE source = ? "
        "ORDER BY run_id DESC LIMIT 1",
        [source],
    ).fetchall()
    return Mark(*found[0]) if found else None


def _next_number(db: duckdb.DuckDBPyConnection) -> int:
    [(number,)] = db.execute(f"SELECT coalesce(max(run_id), 0) + 1 FROM {RUNS}").fetchall()
    return int(number)


def _number(run_id: int) -> int:
    if not 1 <= run_id < 2**63:
        raise InputError(
            f"run_id is {run_id}; runs are numbered from 1",
            remedy="leave it out: the next is taken",
        )
    return run_id


def _there(db: duckdb.DuckDBPyConnection, number: int, model: str, rows: Staged) -> bool:
    """Say whether the run has been written already, and refuse if that is another one."""
    found = db.execute(f"SELECT model FROM {RUNS} WHERE run_id = {number}").fetchall()
    if not found:
        return False
    columns = "user_id, rank, item_id, score, source"
    [(different,)] = db.execute(
        f"""
        WITH ours AS (SELECT {columns} FROM {rows.name}),
             theirs AS (SELECT {columns} FROM {LISTS} WHERE run_id = {number})
        SELECT count(*) FROM (
            (FROM ours EXCEPT ALL FROM theirs) UNION ALL (FROM theirs EXCEPT ALL FROM ours)
        )
        """
    ).fetchall()
    if different or found[0][0] != model:
        raise InputError(
            f"run {number} is there already, with other lists",
            remedy="give another run_id, or none: the next is taken",
        )
    return True


def _id_type(column: str, types: Mapping[str, str]) -> str:
    if types[column] not in _ID_TYPES:
        raise InputError(
            f"ids of type {types[column]} cannot be kept exactly",
            where=f"recommendations, column '{column}'",
            remedy="give 64-bit integers or text",
        )
    return _ID_TYPES[types[column]]
