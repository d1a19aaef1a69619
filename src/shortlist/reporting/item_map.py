"""The catalogue in two dimensions: items that the same people choose lie side by side."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from shortlist.data.dataset import Dataset
from shortlist.explore.items import item_factors
from shortlist.explore.labels import labels
from shortlist.models.base import Model
from shortlist.reporting.summary import columns
from shortlist.scoring.capabilities import HasVectors

if TYPE_CHECKING:
    from shortlist.evaluation.comparison import Comparison

MOST_ITEMS = 1500  # on the map, the most chosen ones: what more points would add is grey
LEAST_ITEMS = 30
MOST_GROUPS = 7  # that colours tell apart
OTHERS = "others"
PERPLEXITY = 30.0
LANDMARKS, NEIGHBORS = 8, 3  # rows and columns of the table of neighbours
_MOST_VALUES = 40  # distinct values of a column that can be groups
_LEAST_FILLED = 0.6
_LEAST_LIFT = 0.1  # below it, colours would show nothing


@dataclass(frozen=True)
class ItemMap:
    """Places of items.

    Attributes
    ----------
    model
        Whose vectors they are.
    titles, counts, groups
        Of each item: its title, how many users chose it in training, and its group.  # (n,)
    places
        float64, each coordinate between 0 and 1.  # (n, 2)
    by
        The item column the groups come from; None where none shows on the map.
    group_names
        The groups that have a colour, largest first.
    n_items
        Size of the catalogue.
    dimensions
        Of the vectors.
    nearest
        The most chosen items, and for each the titles of those nearest by the cosine of the
        vectors: the map as a table.
    """

    model: str
    titles: tuple[str, ...]
    counts: tuple[int, ...]
    groups: tuple[str, ...]
    places: NDArray[np.float64]
    by: str | None
    group_names: tuple[str, ...]
    n_items: int
    dimensions: int
    nearest: tuple[tuple[str, tuple[str, ...]], ...]


def item_map(comparison: Comparison) -> ItemMap | None:
    """Draw the best model that has vectors; None where no model has any, or items are too few."""
    model = next((one for one in comparison.models.values() if isinstance(one, HasVectors)), None)
    if model is None:
        return None
    data = comparison.train
    rows = np.argsort(data.popularity_order, kind="stable")[:MOST_ITEMS]
    rows = rows[data.item_counts[rows] > 0]
    vectors = _unit(item_factors(model)[rows].astype(np.float64))
    some = vectors.any(axis=1)
    rows, vectors = rows[some], vectors[some]
    if len(rows) < LEAST_ITEMS or vectors.shape[1] < 2:
        return None
    places = _layout(vectors, comparison[comparison.best].seed)
    by, groups = _groups(data, rows, places)
    largest = [name for name, _ in Counter(groups).most_common() if name != OTHERS][:MOST_GROUPS]
    called = labels(data)
    names = [called[row] for row in rows]
    return ItemMap(
        model=_name(comparison, model),
        titles=tuple(names),
        counts=tuple(data.item_counts[rows].tolist()),
        groups=tuple(group if group in largest else OTHERS for group in groups),
        places=places,
        by=by,
        group_names=tuple(largest) if by is not None else (),
        n_items=data.n_items,
        dimensions=vectors.shape[1],
        nearest=_nearest(names, vectors),
    )


def _name(comparison: Comparison, model: Model[Any, Any]) -> str:
    return next(name for name, one in comparison.models.items() if one is model)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0))


def _layout(vectors: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Place unit vectors by t-SNE: their distances order pairs as the cosine does."""  # (n, 2)
    from sklearn.manifold import TSNE  # type: ignore[import-untyped]

    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    layout = TSNE(perplexity=perplexity, init="pca", random_state=seed, max_iter=400, n_jobs=1)
    # One thread: the same bits on every machine, and no threads that spin where cores are shared.
    with threadpool_limits(limits=1):
        places = layout.fit_transform(vectors).astype(np.float64)
    low, high = places.min(axis=0), places.max(axis=0)
    return np.asarray((places - low) / np.maximum(high - low, np.finfo(np.float64).tiny))


def _groups(
    data: Dataset, rows: NDArray[np.intp], places: NDArray[np.float64]
) -> tuple[str | None, list[str]]:
    """Choose the column whose values lie together most, against chance; of lists the first value.

    For each column: how often the nearest neighbour on the map has the same value, less how often
    two random items have.
    """
    from scipy.spatial import cKDTree

    _, near = cKDTree(places).query(places, k=2)
    best, by, kept = _LEAST_LIFT, None, [OTHERS] * len(rows)
    neighbor = np.asarray(near)[:, 1]
    for name, column in columns(data.item_features):
        values = _first(column.take(pa.array(rows)))
        counts = Counter(value for value in values if value is not None)
        filled = sum(counts.values())
        if not 2 <= len(counts) <= _MOST_VALUES or filled < _LEAST_FILLED * len(rows):
            continue
        same = np.mean(
            [
                value is not None and value == values[other]
                for value, other in zip(values, neighbor, strict=True)
            ]
        )
        lift = float(same) - sum((count / len(rows)) ** 2 for count in counts.values())
        if lift > best:
            best, by = lift, name
            kept = [OTHERS if value is None else value for value in values]
    return by, kept


def _first(column: pa.ChunkedArray) -> list[str | None]:
    """Give the value of each cell as text, of a list the first; None for columns of other kinds."""
    kind = column.type
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    inner = kind.value_type if listed else kind
    if not (pa.types.is_string(inner) or pa.types.is_integer(inner) or pa.types.is_boolean(inner)):
        return [None] * len(column)
    cells = column.to_pylist()
    if listed:
        cells = [cell[0] if cell else None for cell in cells]
    return [None if cell is None else str(cell) for cell in cells]


def _nearest(
    names: list[str], vectors: NDArray[np.float64]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Name the nearest of the most chosen items (the first ones)."""
    found = []
    for row in range(min(LANDMARKS, len(names))):
        alike = vectors @ vectors[row]
        alike[row] = -np.inf
        order = np.argsort(-alike, kind="stable")[:NEIGHBORS]
        found.append((names[row], tuple(names[other] for other in order)))
    return tuple(found)
