"""How lists spread over the catalogue (the long tail), and a two-dimensional map of its items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

from shortlist.data.dataset import Dataset
from shortlist.evaluation.comparison import Comparison
from shortlist.explore.items import first_values, item_factors, labels
from shortlist.reporting.summary import feature_columns
from shortlist.scoring.capabilities import HasVectors

TRAINING = "the training data"
_GROUP_SHARES = (0.01, 0.1, 0.5)  # cumulative shares of the chosen items, most popular first
_GROUPS = ("most popular 1%", "next 9%", "next 40%", "other half", "never chosen")

MOST_ITEMS = 1500  # on the map, the most popular ones; more points would only be clutter
LEAST_ITEMS = 30
MOST_COLOURS = 7  # groups that can be told apart by colour
OTHERS = "others"
PERPLEXITY = 30.0
LANDMARKS, NEIGHBORS = 8, 3  # rows and columns of the table of nearest items
_MOST_VALUES = 40  # distinct values of a column that can form groups
_LEAST_FILLED = 0.6
_LEAST_LIFT = 0.1  # with less, colours would look random


@dataclass(frozen=True)
class LongTail:
    """How interactions and recommendations are distributed over items by popularity."""

    sizes: Mapping[str, int]  # items in each group by popularity in training, most popular first
    shares: Mapping[str, tuple[float, ...]]  # of the groups, for the training data and each model
    half: Mapping[str, int]  # for the same: the least number of items that account for half of it


def long_tail(comparison: Comparison) -> LongTail:
    """Count the items of the evaluated lists."""
    k, train = comparison[comparison.best].main_k, comparison.train
    chosen = int((train.item_counts > 0).sum())
    edges = [int(np.ceil(share * chosen)) for share in _GROUP_SHARES]
    # Items that were never chosen come last in the order of popularity.
    group = np.searchsorted([*edges, chosen], train.popularity_order, side="right")  # (n_items,)
    times = {TRAINING: train.item_counts}
    times |= {name: report.listed[k] for name, report in comparison.reports.items()}
    sizes = np.bincount(group, minlength=len(_GROUPS))
    kept = np.flatnonzero(sizes)

    def shares(counts: NDArray[np.int64]) -> tuple[float, ...]:
        in_groups = np.bincount(group, counts, minlength=len(_GROUPS)) / max(counts.sum(), 1)
        return tuple(in_groups[kept].tolist())

    return LongTail(
        {_GROUPS[position]: int(sizes[position]) for position in kept},
        {name: shares(counts) for name, counts in times.items()},
        {name: items_for_half(counts) for name, counts in times.items()},
    )


def items_for_half(counts: NDArray[np.int64]) -> int:
    """Return the smallest number of items that account for at least half of the total.

    >>> items_for_half(np.array([1, 5, 2, 2]))
    1
    """
    running = np.cumsum(np.sort(counts)[::-1])
    return int(np.searchsorted(running, counts.sum() / 2)) + 1


@dataclass(frozen=True)
class ItemMap:
    """Items in two dimensions; items with similar vectors are close to each other."""

    model: str  # that the vectors come from
    titles: tuple[str, ...]  # (n,)
    counts: tuple[int, ...]  # training users of each item, (n,)
    groups: tuple[str, ...]  # (n,)
    points: NDArray[np.float64]  # each coordinate between 0 and 1, (n, 2)
    by: str | None  # the item column of the groups; None if no column forms visible groups
    coloured: tuple[str, ...]  # the groups that have a colour, largest first
    n_items: int  # in the catalogue
    dimensions: int  # of the vectors
    nearest: tuple[tuple[str, tuple[str, ...]], ...]  # popular items, and the items nearest to each


def item_map(comparison: Comparison) -> ItemMap | None:
    """Map the items of the best model with vectors; None without such a model, or few items."""
    with_vectors = (
        (name, model) for name, model in comparison.models.items() if isinstance(model, HasVectors)
    )
    name, model = next(with_vectors, ("", None))
    if model is None:
        return None
    data = comparison.train
    rows = np.argsort(data.popularity_order, kind="stable")[:MOST_ITEMS]
    rows = rows[data.item_counts[rows] > 0]
    vectors = item_factors(model)[rows].astype(np.float64)
    nonzero = vectors.any(axis=1)
    rows, vectors = rows[nonzero], vectors[nonzero]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    if len(rows) < LEAST_ITEMS or vectors.shape[1] < 2:
        return None
    points = _layout(vectors, comparison[comparison.best].seed)
    by, groups = _groups(data, rows, points)
    coloured = [group for group, _ in Counter(groups).most_common() if group != OTHERS]
    coloured = coloured[:MOST_COLOURS]
    titles = np.array(labels(data), dtype=object)[rows].tolist()
    return ItemMap(
        model=name,
        titles=tuple(titles),
        counts=tuple(data.item_counts[rows].tolist()),
        groups=tuple(group if group in coloured else OTHERS for group in groups),
        points=points,
        by=by,
        coloured=tuple(coloured) if by is not None else (),
        n_items=data.n_items,
        dimensions=vectors.shape[1],
        nearest=_nearest(titles, vectors),
    )


def _layout(vectors: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Lay unit vectors out by t-SNE; their distances order pairs as the cosine does."""  # (n, 2)
    from sklearn.manifold import TSNE  # type: ignore[import-untyped]

    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    layout = TSNE(perplexity=perplexity, init="pca", random_state=seed, max_iter=400, n_jobs=1)
    # One thread: the same bits on every machine, and no spinning threads on shared cores.
    with threadpool_limits(limits=1):
        points = layout.fit_transform(vectors).astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    return np.asarray((points - low) / np.maximum(high - low, np.finfo(np.float64).tiny))


def _groups(
    data: Dataset, rows: NDArray[np.intp], points: NDArray[np.float64]
) -> tuple[str | None, list[str]]:
    """Return the column whose values cluster most on the map, and each item's group by it.

    A column's lift is how often an item's nearest neighbour on the map has the same value, minus
    how often two random items have.
    """
    _, near = cKDTree(points).query(points, k=2)
    neighbor = np.asarray(near)[:, 1]
    highest, by, groups = _LEAST_LIFT, None, [OTHERS] * len(rows)
    for name, column in feature_columns(data.item_features):
        values = _group_names(column.take(pa.array(rows)))
        counts = Counter(value for value in values if value is not None)
        filled = sum(counts.values())
        if not 2 <= len(counts) <= _MOST_VALUES or filled < _LEAST_FILLED * len(rows):
            continue
        same = sum(
            value is not None and value == values[other]
            for value, other in zip(values, neighbor, strict=True)
        )
        chance = sum((count / len(rows)) ** 2 for count in counts.values())
        lift = same / len(rows) - chance
        if lift > highest:
            highest, by = lift, name
            groups = [OTHERS if value is None else value for value in values]
    return by, groups


def _group_names(column: pa.ChunkedArray) -> list[str | None]:
    """Return the first value of each cell as text; None for columns of other types."""
    values, types = first_values(column), pa.types
    if not any(test(values.type) for test in (types.is_string, types.is_integer, types.is_boolean)):
        return [None] * len(column)
    return [None if value is None else str(value) for value in values.to_pylist()]


def _nearest(
    titles: list[str], vectors: NDArray[np.float64]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the most popular items (the first rows) with the titles of their nearest items."""
    nearest = []
    for row in range(min(LANDMARKS, len(titles))):
        cosines = vectors @ vectors[row]
        cosines[row] = -np.inf
        order = np.argsort(-cosines, kind="stable")[:NEIGHBORS]
        nearest.append((titles[row], tuple(titles[other] for other in order)))
    return tuple(nearest)
