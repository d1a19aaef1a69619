"""Recommendations into the run tables of a store."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

from shortlist.data.formats.layout import Fill, same
from shortlist.data.loading.catalogue import tables
from shortlist.data.loading.checks import check
from shortlist.data.loading.load import scratch, write
from shortlist.data.loading.staging import Source, stage
from shortlist.data.sources import relation
from shortlist.data.sql import transaction
from shortlist.errors import InputError, suggestion

_ID_TYPES = {
    **dict.fromkeys(["TINYINT", "SMALLINT", "INTEGER", "BIGINT"], "BIGINT"),
    **dict.fromkeys(["UTINYINT", "USMALLINT", "UINTEGER"], "BIGINT"),
    "UBIGINT": "UBIGINT",
    "VARCHAR": "VARCHAR",
}


def write_run(
    db: duckdb.DuckDBPyConnection,
    recommendations: Any,
    *,
    model: str,
    config: dict[str, Any],
    k: int | None,
) -> int:
    """Do the work of :meth:`shortlist.Store.write`, which documents it."""
    known = tables(db)
    given = relation(db, recommendations, label="recommendations").to_arrow_table()
    asked_by = "query" if "query" in given.column_names else "user_id"
    with scratch(db) as names:
        lists, run = names.frame(), names.frame()
        db.register(lists, given)
        described = db.execute(f"DESCRIBE FROM {lists}").fetchall()
        types = {name: kind for name, kind, *_ in described}
        for column in (asked_by, "item_id", "rank", "score", "source"):
            if column not in types:
                raise InputError(
                    f"the recommendations have no column '{column}'",
                    remedy=suggestion(column, types),
                )
        run_id, deepest = db.execute(
            f"""
            SELECT (SELECT coalesce(max(run_id), 0) + 1 FROM recommendation_runs),
                   (SELECT max(TRY_CAST(rank AS INTEGER)) FROM {lists})
            """
        ).fetchall()[0]
        about = {
            "run_id": run_id,
            "created_at": dt.datetime.now(dt.UTC),
            "model": model,
            "config": json.dumps(config, sort_keys=True),
            "k": deepest if k is None else k,
            "asked_by": asked_by,
            "user_id_type": _id_type(asked_by, types),
            "item_id_type": _id_type("item_id", types),
        }
        db.register(run, pa.table({name: [value] for name, value in about.items()}))
        columns = same("item_id", "rank", "score", "source")
        columns |= {"run_id": f"{run_id}::BIGINT", "user_id": asked_by}
        staged = [
            stage(db, Source(label, frame), fill, known[fill.table], names.table())
            for label, frame, fill in (
                ("run", run, Fill("recommendation_runs", same(*about))),
                ("recommendations", lists, Fill("recommendations", columns)),
            )
        ]
        check(db, staged)
        with transaction(db):
            write(db, staged)
    return int(run_id)


def _id_type(column: str, types: Mapping[str, str]) -> str:
    if types[column] not in _ID_TYPES:
        raise InputError(
            f"ids of type {types[column]} cannot be kept exactly",
            where=f"recommendations, column '{column}'",
            remedy="give 64-bit integers or text",
        )
    return _ID_TYPES[types[column]]
