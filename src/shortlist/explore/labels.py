"""Labels of items for readers: titles, or ids with the values of a few features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.dataset import Dataset
from shortlist.explore.items import TITLE

TITLES = (TITLE, "name")  # item features that may hold the title, in order of preference
MOST_VALUES = 3
MOST_LETTERS = 60
FEW_ROWS = 10
_LIFE_SPAN = ("valid_from", "valid_to")


def title_column(data: Dataset) -> str | None:
    """Return the name of the item feature that holds the titles, or None."""
    names = [] if data.item_features is None else data.item_features.column_names
    return next((name for name in TITLES if name in names), None)


def labels(data: Dataset) -> list[str]:
    """Return each item's title; without titles, its id and its first feature values.

    Columns in which most items have the same value are left out, as they do not distinguish items.

    Examples
    --------
    >>> log = pa.table({"user_id": [1, 1], "item_id": ["R1", "R2"]})
    >>> items = pa.table({"item_id": ["R1", "R2"], "trade": ["welding", None], "degree": [3, 2]})
    >>> labels(Dataset.from_tables(log, items=items))
    ['R1 (trade welding, degree 3)', 'R2 (degree 2)']
    """  # (n_items,)
    ids = [str(item) for item in data.items.ids.to_pylist()]
    if data.item_features is None:
        return ids
    column = title_column(data)
    if column is not None:
        titles = data.item_features.column(column).to_pylist()
        return [
            item if title is None else str(title) for title, item in zip(titles, ids, strict=True)
        ]
    values = _first_values(data.item_features)
    return [f"{item} ({text})" if text else item for item, text in zip(ids, values, strict=True)]


def _first_values(features: pa.Table) -> list[str]:
    """Return the first few values of each row, with the names of their columns."""
    values: list[list[str]] = [[] for _ in range(features.num_rows)]
    names = [name for name in features.column_names if name not in _LIFE_SPAN]
    for name in [name for name in names if _distinguishes(features.column(name))] or names:
        column_label = name.replace("_", " ")
        for row, value in zip(values, features.column(name).to_pylist(), strict=True):
            if len(row) < MOST_VALUES and (text := _text(value)):
                row.append(f"{column_label} {text}")
        if all(len(row) == MOST_VALUES for row in values):
            break
    return [_shortened(", ".join(row)) for row in values]


def _distinguishes(column: pa.ChunkedArray) -> bool:
    """Return whether every value is in at most half of the filled rows."""
    if pa.types.is_nested(column.type):
        return True
    filled = column.drop_null()
    if len(filled) < FEW_ROWS:
        return True
    most = pc.max(pc.struct_field(pc.value_counts(filled), "counts")).as_py()
    return bool(most <= 0.5 * len(filled))


def _text(value: Any) -> str:
    """Format a value briefly; of a list, the first two elements."""
    match value:
        case None | dict() | bytes():
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case str():
            return " ".join(value.split())
        case Sequence():
            return " and ".join(text for element in value[:2] if (text := _text(element)))
        case _:
            return str(value)


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1].rstrip()}…"
