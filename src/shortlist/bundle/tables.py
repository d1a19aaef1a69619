"""The training data of a model as tables, and back."""

from __future__ import annotations

import pyarrow as pa

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Vocabulary

_ID, _NO_FEATURES = "id", b"shortlist.no_features"


def side_table(vocabulary: Vocabulary, features: pa.Table | None) -> pa.Table:
    """Return a column ``id``, then the features, in the order of the rows."""
    if features is None:
        return pa.table({_ID: vocabulary.ids}).replace_schema_metadata({_NO_FEATURES: b"1"})
    return features.rename_columns(
        [f"feature.{name}" for name in features.column_names]
    ).add_column(0, _ID, vocabulary.ids)


def _vocabulary(table: pa.Table, kind: str) -> tuple[Vocabulary, pa.Table | None]:
    vocabulary = Vocabulary(table.column(_ID), kind=kind)
    if _NO_FEATURES in (table.schema.metadata or {}):
        return vocabulary, None
    features = table.drop_columns([_ID])
    names = [name.removeprefix("feature.") for name in features.column_names]
    return vocabulary, features.rename_columns(names)


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


def dataset_of(users: pa.Table, items: pa.Table, interactions: pa.Table) -> Dataset:
    """Build the data set from its tables.

    Raises
    ------
    ValueError
        A row number is beyond the vocabulary.
    """
    user_vocabulary, user_features = _vocabulary(users, "user")
    item_vocabulary, item_features = _vocabulary(items, "item")
    column = {name: interactions.column(name).to_numpy() for name in interactions.column_names}
    for name, vocabulary in (("user_row", user_vocabulary), ("item_row", item_vocabulary)):
        rows = column[name]
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(vocabulary)):
            raise ValueError(f"{name} runs to {rows.max()}, and there are {len(vocabulary)} ids")
    return Dataset(
        user_vocabulary,
        item_vocabulary,
        column["user_row"],
        column["item_row"],
        column["weight"],
        column.get("time"),
        column["position"],
        user_features,
        item_features,
    )
