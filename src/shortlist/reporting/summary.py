"""What the data is: sizes, how the split was cut, and the columns."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.dataset import Dataset

if TYPE_CHECKING:
    from shortlist.evaluation.comparison import Comparison


@dataclass(frozen=True)
class Side:
    """One side of the split.

    Attributes
    ----------
    name
        Training or test.
    interactions, users, items
        How many, those with interactions only.
    first, last
        The days of the first and the last interaction; None without times.
    weights
        The smallest, the median and the largest weight.
    """

    name: str
    interactions: int
    users: int
    items: int
    first: str | None
    last: str | None
    weights: tuple[float, float, float]


@dataclass(frozen=True)
class Column:
    """One column of features."""

    of: str
    name: str
    kind: str
    filled: float
    distinct: int | None


@dataclass(frozen=True)
class Summary:
    """The data of a comparison.

    Attributes
    ----------
    users, items
        Sizes of the vocabularies, those without interactions included.
    density
        Share of all pairs of a user and an item that are in training.
    per_user, per_item
        Median and largest number of training interactions.
    sides
        Training and test.
    held_out
        The least and the most test interactions of a test user.
    latest
        Share of test interactions no earlier than everything the user has in training; None
        without times, or where no test user has any.
    columns
        Of users and items.
    """

    users: int
    items: int
    density: float
    per_user: tuple[float, int]
    per_item: tuple[float, int]
    sides: tuple[Side, Side]
    held_out: tuple[int, int]
    latest: float | None
    columns: tuple[Column, ...]


def summary(comparison: Comparison) -> Summary:
    """Count what both sides hold."""
    train, test = comparison.train, comparison.test
    held = test.user_counts[test.user_counts > 0]
    return Summary(
        users=train.n_users,
        items=train.n_items,
        density=train.n_interactions / (train.n_users * train.n_items),
        per_user=(float(np.median(train.user_counts)), int(train.user_counts.max())),
        per_item=(float(np.median(train.item_counts)), int(train.item_counts.max())),
        sides=(_side("training", train), _side("test", test)),
        held_out=(int(held.min()), int(held.max())),
        latest=latest_share(train, test),
        columns=(
            *_columns("users", train.user_features),
            *_columns("items", train.item_features),
        ),
    )


def latest_share(train: Dataset, test: Dataset) -> float | None:
    """Give the share of test interactions no earlier than the user's training interactions."""
    if train.times is None or test.times is None:
        return None
    last = np.full(train.n_users, np.iinfo(np.int64).min)
    np.maximum.at(last, train.user_rows, train.times)
    known = train.user_counts[test.user_rows] > 0
    if not known.any():
        return None
    return float((test.times >= last[test.user_rows])[known].mean())


def day(moment: int) -> str:
    """Write microseconds since 1970 as a day.

    Examples
    --------
    >>> day(1_717_113_600_000_000)
    '2024-05-31'
    """
    return (dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=int(moment))).strftime("%Y-%m-%d")


def _side(name: str, data: Dataset) -> Side:
    weights = np.quantile(data.weights, [0, 0.5, 1], method="nearest")
    return Side(
        name,
        data.n_interactions,
        int((data.user_counts > 0).sum()),
        int((data.item_counts > 0).sum()),
        None if data.times is None else day(data.times.min()),
        None if data.times is None else day(data.times.max()),
        (float(weights[0]), float(weights[1]), float(weights[2])),
    )


def _columns(of: str, table: pa.Table | None) -> list[Column]:
    return [
        Column(of, name, str(cells.type), _filled(cells), distinct(cells))
        for name, cells in columns(table)
    ]


def _filled(column: pa.ChunkedArray) -> float:
    return float(1 - column.null_count / max(len(column), 1))


def columns(table: pa.Table | None) -> list[tuple[str, pa.ChunkedArray]]:
    """Give the columns of a table of features by name; none where there is no table."""
    if table is None:
        return []
    return list(zip(table.column_names, table.itercolumns(), strict=True))


def distinct(column: pa.ChunkedArray) -> int | None:
    """Count the values of a column, missing ones left out; None where Arrow cannot (lists)."""
    if pa.types.is_nested(column.type) or pa.types.is_null(column.type):
        return None
    return int(pc.count_distinct(column, mode="only_valid").as_py())
