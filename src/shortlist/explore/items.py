"""The vectors of items, and what to call items: titles, or ids with a few features."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.arrow_types import is_list
from shortlist.data.columns import titles as item_titles
from shortlist.data.columns.labels import column_label, labels_of
from shortlist.data.dataset import Dataset
from shortlist.data.moments import LIFE_SPAN
from shortlist.data.vocabulary import Rows
from shortlist.models.base import Model
from shortlist.scoring.capabilities import HasVectors, cannot
from shortlist.scoring.scores import Floats

TITLE = "title"
MOST_VALUES = 3  # of features in a label
MOST_LETTERS = 60
FEW_ROWS = 10
FIRST = 1_000  # values that are looked at
_WORD = re.compile(r"[^\W\d_]{2}")


def item_factors(model: Model[Any, Any]) -> Floats:
    """Return the vector of every item, without any biases appended to it.

    Raises
    ------
    CapabilityError
        The model has no vectors.
    """  # (n_items, f)
    if not isinstance(model, HasVectors):
        raise cannot(model, HasVectors)
    vectors = model.item_vectors()
    return vectors[:, : getattr(model.used, "embedding_size", vectors.shape[1])]


def principal_coordinates(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Project vectors on their two principal components; the larger range is -1 to 1, around 0.

    The rows are scaled to length 1, centred, and multiplied with their first two right singular
    vectors. The largest entry of each singular vector is made positive, so that the sign is fixed.
    """  # (n, 2)
    rows = vectors.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(lengths > 0, lengths, 1.0)
    rows -= rows.mean(axis=0)
    # The covariance is small (f x f), however many items there are.
    _, directions = np.linalg.eigh(rows.T @ rows)  # ascending
    axes = directions[:, ::-1][:, :2]  # (f, <= 2)
    largest = np.argmax(np.abs(axes), axis=0)
    axes = axes * np.where(axes[largest, np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    points = np.zeros((len(rows), 2))
    points[:, : axes.shape[1]] = rows @ axes
    points -= (points.max(axis=0, initial=0.0) + points.min(axis=0, initial=0.0)) / 2
    extent = np.abs(points).max(initial=0.0)
    return points / extent if extent > 0 else points


def item_table(data: Dataset, rows: Rows, **columns: Any) -> pa.Table:
    """Return a table of these items: ``item_id``, ``title`` (if items have one), more columns."""
    table = {"item_id": data.items.take(rows)}
    if item_titles.titles(data.item_features) is not None:
        table[TITLE] = titles(data).take(pa.array(rows))
    return pa.table(table | {name: pa.array(values) for name, values in columns.items()})


def titles(data: Dataset) -> pa.Array:
    """Return the title of every item, or the id if it is missing."""
    ids = pa.array([str(item) for item in data.items.ids.to_pylist()], pa.string())
    named = item_titles.titles(data.item_features)
    return ids if named is None else pc.coalesce(named, ids)


def labels(data: Dataset) -> list[str]:
    """Return each item's title; without titles, its id and its first feature values.

    Columns in which most items have the same value are left out, as they do not distinguish items.

    >>> log = pa.table({"user_id": [1, 1], "item_id": ["R1", "R2"]})
    >>> items = pa.table({"item_id": ["R1", "R2"], "trade": ["welding", None], "degree": [3, 2]})
    >>> labels(Dataset.from_tables(log, items=items))
    ['R1 (trade welding, degree 3)', 'R2 (degree 2)']
    """  # (n_items,)
    ids = [str(item) for item in data.items.ids.to_pylist()]
    if data.item_features is None:
        return ids
    if item_titles.titles(data.item_features) is not None:
        return [title or item for title, item in zip(titles(data).to_pylist(), ids, strict=True)]
    values = _descriptions(data.item_features)
    return [f"{item} ({text})" if text else item for item, text in zip(ids, values, strict=True)]


def _descriptions(features: pa.Table) -> list[str]:
    """Return the first few values of each row, words before codes, with the names of columns."""
    named = labels_of(features)
    values: list[list[str]] = [[] for _ in range(features.num_rows)]
    names = [name for name in features.column_names if name not in LIFE_SPAN]
    names = [name for name in names if _distinguishes(features.column(name))] or names
    in_words = {name: _in_words(features.column(name), named.get(name, {})) for name in names}
    for name in sorted(names, key=lambda name: not in_words[name]):
        label = column_label(named, name)
        for row, value in zip(values, features.column(name).to_pylist(), strict=True):
            if len(row) < MOST_VALUES and (text := _text(value, named.get(name, {}))):
                row.append(f"{label} {text}")
        if all(len(row) == MOST_VALUES for row in values):
            break
    return [_shortened(", ".join(row)) for row in values]


def first_values(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the first element of each list, null if it is empty; other cells as they are."""
    if not (is_list(column.type) or pa.types.is_fixed_size_list(column.type)):
        return column
    filled = pc.greater(pc.list_value_length(column), 0)
    return pc.list_element(pc.if_else(filled, column, None), 0)


def _distinguishes(column: pa.ChunkedArray) -> bool:
    """Return whether every value is in at most half of the filled rows."""
    if pa.types.is_nested(column.type):
        return True
    filled = column.drop_null()
    if len(filled) < FEW_ROWS:
        return True
    most = pc.max(pc.struct_field(pc.value_counts(filled), "counts")).as_py()
    return bool(most <= 0.5 * len(filled))


def _in_words(column: pa.ChunkedArray, labels: Mapping[str, str]) -> bool:
    """Return whether most of the first values have words in them."""
    texts = [_text(value, labels) for value in column.slice(0, FIRST).to_pylist()]
    filled = [text for text in texts if text]
    worded = [text for text in filled if _WORD.search(text.replace(" and ", " "))]
    return 2 * len(worded) > len(filled)


def _text(value: Any, labels: Mapping[str, str]) -> str:
    """Format a value briefly, by its label if it has one; of a list, the first two elements."""
    if not isinstance(value, list | dict | bytes | None) and str(value) in labels:
        return labels[str(value)]
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
            return " and ".join(text for element in value[:2] if (text := _text(element, labels)))
        case _:
            return str(value)


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1].rstrip()}…"
