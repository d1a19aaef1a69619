"""What to call items for people who read: their titles, or their ids and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.dataset import Dataset
from shortlist.explore.items import TITLE

TITLES = (TITLE, "name")  # item features that may hold the title, the first there is
MOST_VALUES = 3
MOST_LETTERS = 60
FEW_ROWS = 10
_LIFE_SPAN = ("valid_from", "valid_to")


def title_column(data: Dataset) -> str | None:
    """Name the feature that holds the titles of the items; None where there is none."""
    names = [] if data.item_features is None else data.item_features.column_names
    return next((name for name in TITLES if name in names), None)


def labels(data: Dataset) -> list[str]:
    """Give each item's title; where no feature holds titles, its id and its first feature values.

    Columns in which most items have the same value are left out: they tell nothing apart.

    Examples
    --------
    >>> log = pa.table({"user_id": [1, 1], "item_id": ["R1", "R2"]})
    >>> items = pa.table({"item_id": ["R1", "R2"], "trade": ["welding", None], "degree": [3, 2]})
    >>> labels(Dataset.from_tables(log, items=items))
    ['R1 (trade welding, degree 3)', 'R2 (degree 2)']
    """  # (n_items,)
    ids = [str(one) for one in data.items.ids.to_pylist()]
    title = title_column(data)
    if data.item_features is None:
        return ids
    if title is not None:
        given = data.item_features.column(title).to_pylist()
        return [own if one is None else str(one) for one, own in zip(given, ids, strict=True)]
    known = _first_values(data.item_features)
    return [f"{own} ({said})" if said else own for own, said in zip(ids, known, strict=True)]


def _first_values(features: pa.Table) -> list[str]:
    """Give the first few values of each row with the names of their columns."""
    said: list[list[str]] = [[] for _ in range(features.num_rows)]
    names = [name for name in features.column_names if name not in _LIFE_SPAN]
    for name in [one for one in names if _tells_apart(features.column(one))] or names:
        called = name.replace("_", " ")
        for own, value in zip(said, features.column(name).to_pylist(), strict=True):
            if len(own) < MOST_VALUES and (text := _text(value)):
                own.append(f"{called} {text}")
        if all(len(own) == MOST_VALUES for own in said):
            break
    return [_cut(", ".join(own)) for own in said]


def _tells_apart(column: pa.ChunkedArray) -> bool:
    """Say whether no value stands in more than half of the rows that have one."""
    if pa.types.is_nested(column.type):
        return True
    filled = column.drop_null()
    if len(filled) < FEW_ROWS:
        return True
    most = pc.max(pc.struct_field(pc.value_counts(filled), "counts")).as_py()
    return bool(most <= 0.5 * len(filled))


def _text(value: Any) -> str:
    """Write a value in a few letters; of a list the first two elements."""
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
            return " and ".join(text for one in value[:2] if (text := _text(one)))
        case _:
            return str(value)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1].rstrip()}…"
