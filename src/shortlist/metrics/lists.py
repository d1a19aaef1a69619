"""Metrics of the lists themselves: what they hold, their variety and surprise, and their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.metrics.ranking import BoolArray, FloatArray, Int64Array

Rows = NDArray[np.int32]


def values_of_items(counts: Int64Array, n_train_users: int) -> dict[str, FloatArray]:
    """Return the values of items whose means over lists are metrics, (n_items,), by metric.

    Popularity: the number of training users. Novelty: the self-information in bits,
    ``-log2(item users / n_users)`` (Zhou et al., PNAS 2010), where an item without training users
    counts as if it had one.
    """
    return {
        "novelty": -np.log2(np.maximum(counts, 1) / n_train_users),
        "popularity": counts.astype(np.float64),
    }


def means(
    values: Mapping[str, FloatArray], lists: Rows, ks: Sequence[int]
) -> dict[str, FloatArray]:
    """Mean values of the first k items, per list; 0 for an empty list.

    ``lists`` (n_lists, width) holds rows of items, padded with -1.

    >>> values = values_of_items(np.array([8, 2]), n_train_users=8)
    >>> means(values, np.array([[1, 0]], dtype=np.int32), [1])
    {'novelty@1': array([2.]), 'popularity@1': array([2.])}
    """
    found = {}
    for name, of_item in values.items():
        for k in ks:
            first = lists[:, :k]
            filled = first >= 0
            lengths = np.maximum(filled.sum(axis=1), 1)
            found[f"{name}@{k}"] = np.where(filled, of_item[first], 0.0).sum(axis=1) / lengths
    return found


def diversity(
    similarities: FloatArray, lengths: Int64Array, ks: Sequence[int]
) -> dict[str, FloatArray]:
    """Mean distance of two items of a list: ``1 - mean over pairs i < j of cos(i, j)``.

    Ziegler et al. (WWW 2005). The cosine is that of the sets of training users who chose the
    items, the same for every model; an item without users is similar to none. Lists of fewer than
    two items have diversity 0. ``similarities`` holds the sum over all pairs among the first n
    items of each list in column n - 1, (n_lists, width); ``lengths`` their items, (n_lists,).

    >>> sums, lengths = np.array([[0.0, 0.5, 0.5]]), np.array([3])
    >>> diversity(sums, lengths, [2, 3])
    {'diversity@2': array([0.5]), 'diversity@3': array([0.83333333])}
    """
    values = {}
    for k in ks:
        counts = np.minimum(lengths, min(k, similarities.shape[1]))
        pairs = counts * (counts - 1) / 2
        sums = similarities[np.arange(len(counts)), np.maximum(counts - 1, 0)]
        means = np.divide(sums, pairs, out=np.ones(len(counts)), where=pairs > 0)
        values[f"diversity@{k}"] = 1 - means
    return values


def serendipity(
    lists: Rows, hits: BoolArray, popular: Rows, order: Rows, ks: Sequence[int]
) -> dict[str, FloatArray]:
    """Share of the first k that is relevant and unexpected, per list.

    ``|{i in list@k : relevant, not in popular@k}| / k`` after Ge, Delgado-Battenfeld & Jannach
    (RecSys 2010), where ``popular@k`` are the k most popular items that the user may get: what a
    list without a model would hold. ``lists``, ``hits`` (whether an item is relevant) and
    ``popular`` have the shape (n_lists, width); rows of items are padded with -1. ``order``
    (n_items,) is the place of each item by popularity.
    """
    rows, places = np.nonzero(hits)
    order_of_hit = order[lists[rows, places]]
    values = {}
    for k in ks:
        last = popular[:, min(k, popular.shape[1]) - 1]
        # An item that the user may get is among popular@k if it is not behind the last of these.
        until = np.where(last >= 0, order[last], len(order))[rows]
        surprising = rows[(places < k) & (order_of_hit > until)]
        values[f"serendipity@{k}"] = np.bincount(surprising, minlength=len(lists)) / k
    return values


def coverage(listed: Int64Array) -> float:
    """Share of the catalogue that is in at least one list, of how often each item is listed."""
    return float((listed > 0).mean())


def gini(listed: Int64Array) -> float:
    """Gini coefficient of how often items are listed: 0 equally often, near 1 only a few items.

    ``sum over i of (2 i - n - 1) x_i / (n sum x)`` for the n counts x in ascending order, of all
    items of the catalogue; 0 if nothing is listed.

    >>> gini(np.array([3, 3, 3])), gini(np.array([0, 0, 4]))
    (0.0, 0.6666666666666666)
    """
    counts, n = np.sort(listed).astype(np.float64), len(listed)
    total = counts.sum()
    if not total:
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ counts / (n * total))
