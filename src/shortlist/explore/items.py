"""The vectors of items, and their names beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.models.base import Model
from shortlist.scoring.capabilities import HasVectors, cannot
from shortlist.scoring.scores import Floats

TITLE = "title"


def item_factors(model: Model[Any, Any]) -> Floats:
    """Give the vector of every item, without the biases that may follow it.

    Raises
    ------
    CapabilityError
        The model has no vectors.
    """  # (n_items, f)
    if not isinstance(model, HasVectors):
        raise cannot(model, HasVectors)
    vectors = model.item_vectors()
    return vectors[:, : getattr(model.config, "embedding_size", vectors.shape[1])]


def described(data: Dataset, rows: Rows, **columns: Any) -> pa.Table:
    """Give ``item_id``, ``title`` (where items have one) and columns of ours for these rows."""
    named = {"item_id": data.items.take(rows)}
    if has_titles(data):
        named[TITLE] = titles(data).take(pa.array(rows))
    return pa.table(named | {name: pa.array(values) for name, values in columns.items()})


def has_titles(data: Dataset) -> bool:
    """Say whether the items have a feature ``title``."""
    return data.item_features is not None and TITLE in data.item_features.column_names


def titles(data: Dataset) -> pa.Array:
    """Give the title of every item: the feature ``title``, or the id where there is none."""
    ids = pa.array([str(one) for one in data.items.ids.to_pylist()])
    if data.item_features is None or not has_titles(data):
        return ids
    column = data.item_features.column(TITLE).combine_chunks().cast(pa.string())
    missing = np.asarray(column.is_null())
    return pa.array(np.where(missing, ids.to_pylist(), column.to_pylist()), pa.string())
