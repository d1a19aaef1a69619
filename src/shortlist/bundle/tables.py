"""The training data of a model as tables, and back."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Vocabulary

_ID, _NO_FEATURES = "id", b"shortlist.no_features"
_COLUMNS = {
    "user_row": pa.int32(),
    "item_row": pa.int32(),
    "weight": pa.float32(),
    "position": pa.int64(),
    "time": pa.int64(),
}


def side_table(vocabulary: Vocabulary, features: pa.Table | None) -> pa.Table:
    """Return a column ``id``, then the features, in the order of the rows."""
    if features is None:
        return pa.table({_ID: vocabulary.ids}).replace_schema_metadata({_NO_FEATURES: b"1"})
    table = features.rename_columns([f"feature.{name}" for name in features.column_names])
    # The metadata names the column of the titles; renaming columns drops it.
    return table.add_column(0, _ID, vocabulary.ids).replace_schema_metadata(
        features.schema.metadata
    )


def _vocabulary(table: pa.Table, kind: str) -> tuple[Vocabulary, pa.Table | None]:
    vocabulary = Vocabulary(table.column(_ID), kind=kind)
    ids = vocabulary.ids
    if ids.null_count or pc.any(pc.greater_equal(ids[:-1], ids[1:])).as_py():
        raise ValueError(f"the ids of the {kind}s are not unique and sorted, or one is null")
    if _NO_FEATURES in (table.schema.metadata or {}):
        return vocabulary, None
    features = table.drop_columns([_ID])
    names = [name.removeprefix("feature.") for name in features.column_names]
    features = features.rename_columns(names)
    return vocabulary, features.replace_schema_metadata(table.schema.metadata)


def interactions_table(data: Dataset) -> pa.Table:
    """Return the interactions, coded as rows."""
    columns = {
        "user_row": data.user_rows,
        "item_row": data.item_rows,
        "weight": data.weights,
        "position": data.positions,
    }
    if data.times is not None:
        columns["time"] = data.times
    return pa.table(columns)


def dataset_of(
    users: pa.Table, items: pa.Table, interactions: pa.Table, dislikes: pa.Table | None = None
) -> Dataset:
    """Build the data set from its tables; a KeyError or ValueError if they are damaged."""
    user_vocabulary, user_features = _vocabulary(users, "user")
    item_vocabulary, item_features = _vocabulary(items, "item")
    bare = partial(_bare, user_vocabulary, item_vocabulary)
    data = replace(
        bare(interactions),
        user_features=user_features,
        item_features=item_features,
        dislikes=None if dislikes is None else bare(dislikes),
    )
    _ = data.life_spans  # reads the features valid_from and valid_to, and checks them
    return data


def _bare(
    user_vocabulary: Vocabulary, item_vocabulary: Vocabulary, interactions: pa.Table
) -> Dataset:
    """Build a data set without features; a KeyError or ValueError if the table is damaged."""
    column = {
        name: _column(interactions, name, kind)
        for name, kind in _COLUMNS.items()
        if name != "time" or name in interactions.column_names
    }
    for name, vocabulary in (("user_row", user_vocabulary), ("item_row", item_vocabulary)):
        rows = column[name]
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(vocabulary)):
            raise ValueError(f"{name} runs to {rows.max()}, and there are {len(vocabulary)} ids")
    cells = column["user_row"].astype(np.int64) * len(item_vocabulary) + column["item_row"]
    if not (cells[1:] > cells[:-1]).all():
        raise ValueError("the interactions are not sorted by user_row and item_row")
    weights = column["weight"]
    if not (np.isfinite(weights).all() and weights.min(initial=0) >= 0):
        raise ValueError("weight holds numbers that are not finite, or less than 0")
    if column["position"].min(initial=0) < 0:
        raise ValueError("position holds a number less than 0")
    return Dataset(
        user_vocabulary,
        item_vocabulary,
        column["user_row"],
        column["item_row"],
        column["weight"],
        column.get("time"),
        column["position"],
    )


def _column(interactions: pa.Table, name: str, kind: pa.DataType) -> NDArray[Any]:
    """Return a column of the interactions, of exactly this type and without nulls."""
    column = interactions.column(name)
    if column.type != kind or column.null_count:
        raise ValueError(f"{name} has type {column.type} or nulls, expected {kind} without nulls")
    values: NDArray[Any] = column.to_numpy()
    return values
