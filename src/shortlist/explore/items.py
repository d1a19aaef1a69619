"""The vectors and the titles of items."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data import titles as item_titles
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.models.base import Model
from shortlist.scoring.capabilities import HasVectors, cannot
from shortlist.scoring.scores import Floats

TITLE = "title"


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


def item_table(data: Dataset, rows: Rows, **columns: Any) -> pa.Table:
    """Return a table of these items: ``item_id``, ``title`` (if items have one), more columns."""
    table = {"item_id": data.items.take(rows)}
    if has_titles(data):
        table[TITLE] = titles(data).take(pa.array(rows))
    return pa.table(table | {name: pa.array(values) for name, values in columns.items()})


def has_titles(data: Dataset) -> bool:
    """Return whether a feature of the items holds their titles."""
    return item_titles.titles(data.item_features) is not None


def titles(data: Dataset) -> pa.Array:
    """Return the title of every item, or the id if it is missing."""
    ids = pa.array([str(item) for item in data.items.ids.to_pylist()], pa.string())
    named = item_titles.titles(data.item_features)
    return ids if named is None else pc.coalesce(named, ids)
