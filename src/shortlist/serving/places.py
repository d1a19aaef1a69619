"""A map of the catalogue: the most chosen items in two dimensions, alike ones near each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.explore.items import item_factors
from shortlist.explore.labels import TITLES
from shortlist.models.base import Model
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.plain import json_bytes, plain_value

MOST_POINTS = 5_000
MOST_GROUPS = 50


def principal_places(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Project vectors on their two principal components; the larger range is -1 to 1.

    The rows at length 1 are centred and multiplied with their first two right singular vectors,
    whose entry of largest size is made positive, so that a map is never mirrored by chance.

    Examples
    --------
    >>> principal_places(np.array([[1.0, 0.0], [0.0, 1.0]])).round(6).tolist()
    [[1.0, 0.0], [-1.0, 0.0]]
    """  # (n, 2)
    rows = vectors.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(lengths > 0, lengths, 1.0)
    rows -= rows.mean(axis=0)
    # The covariance is small (f x f), whatever the number of items.
    _, directions = np.linalg.eigh(rows.T @ rows)  # ascending
    best = directions[:, ::-1][:, :2]  # (f, <= 2)
    largest = np.argmax(np.abs(best), axis=0)
    best = best * np.where(best[largest, np.arange(best.shape[1])] < 0, -1.0, 1.0)
    places = np.zeros((len(rows), 2))
    places[:, : best.shape[1]] = rows @ best
    extent = np.abs(places).max(initial=0.0)
    return places / extent if extent > 0 else places


def map_json(model: Model[Any, Any], catalogue: Catalogue) -> bytes:
    """Give the reply of ``GET /map`` for a model with vectors."""
    data = model.data
    rows = np.sort(np.argsort(data.popularity_order)[:MOST_POINTS])
    places = principal_places(item_factors(model)[rows])
    groups = _groups(data, rows)
    ids = data.items.take(rows).to_pylist()
    points = [
        {
            "item_id": ids[n],
            "title": catalogue.titles[row],
            "x": round(float(places[n, 0]), 5),
            "y": round(float(places[n, 1]), 5),
            "interactions": int(data.item_counts[row]),
            "group": groups[n],
        }
        for n, row in enumerate(rows)
    ]
    return json_bytes({"points": points})


def _groups(data: Dataset, rows: NDArray[np.intp]) -> list[str | None]:
    """Give each item a group: the first value of the first field that has few different ones."""
    if data.item_features is not None:
        table, most = data.item_features.take(pa.array(rows)), min(MOST_GROUPS, len(rows) // 2)
        for name in [one for one in table.column_names if one not in TITLES]:
            column = table.column(name)
            if pa.types.is_list(column.type):
                has_one = pc.greater(pc.list_value_length(column), 0)
                column = pc.list_element(pc.if_else(has_one, column, None), 0)
            if pa.types.is_string(column.type) and 1 < len(column.unique()) <= most:
                return [plain_value(one) for one in column.to_pylist()]
    return [None] * len(rows)
