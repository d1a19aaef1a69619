"""From tables with any ids to the coded arrays of a Dataset; DuckDB does the relational work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.columns import Supplied
from shortlist.data.dataset import Dataset, Repeats
from shortlist.data.moments import LAST_SECOND, LifeSpans
from shortlist.data.order import last_of_runs, sort_pairs
from shortlist.data.sql import connect, quoted
from shortlist.data.vocabulary import Rows, Vocabulary
from shortlist.errors import ConfigError, InputError, suggestion


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
        sides = (_Side.read("user", users, user_id, log), _Side.read("item", items, item_id, log))
        columns = {side.column: side.log_id for side in sides}
        if weight is not None:
            columns["weight"] = log.weights(weight)
        if time is not None:
            columns["time"] = log.moments(time)
        log.copy("log", ", ".join(f"{value} AS {name}" for name, value in columns.items()))
        _check_log(log, {"user_id": user_id, "item_id": item_id, "weight": weight, "time": time})
        (user_vocabulary, user_features), (item_vocabulary, item_features) = (
            side.number_ids(log) for side in sides
        )
        entries = _coded(db, list(columns)[2:])
    LifeSpans.of(item_features)  # a column of the wrong type is told now, not at the first query
    merged = _merged(_sorted(entries, (len(user_vocabulary), len(item_vocabulary))), repeats)
    return Dataset(user_vocabulary, item_vocabulary, *merged, user_features, item_features)


def _check_log(log: Supplied, columns: dict[str, str | None]) -> None:
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
    given = [(name, column) for name, column in columns.items() if column is not None]
    found = log.connection.execute(
        "SELECT "
        + ", ".join(
            f"[count(*), min(rowid)] FILTER ({condition})"
            for condition in (wrong[name][0] for name, _ in given)
        )
        + " FROM log"
    ).fetchall()[0]
    for (name, column), (count, first) in zip(given, found, strict=True):
        if count:
            _, what, remedy = wrong[name]
            raise InputError(what, where=log.where(column, first, count - 1), remedy=remedy)


@dataclass(frozen=True)
class _Side:
    """The ids of the users, or of the items: in the interactions, and in a table of their own."""

    kind: str
    key: str
    log_id: str
    listed_id: str
    listed: Supplied | None
