"""Metrics of the lists themselves: popularity, novelty, and coverage of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.metrics.ranking import BoolArray, FloatArray, Int64Array

Rows = NDArray[np.int32]


def popularity_of_lists(lists: Rows, counts: Int64Array) -> FloatArray:
    """Mean number of training users of the items in each list.

    Parameters
    ----------
    lists
        int32 (n_users, k): recommended item rows, padded with -1; no list is empty.
    counts
        int64 (n_items,): training users of each item.

    Examples
    --------
    >>> popularity_of_lists(np.array([[0, 1], [1, -1]], dtype=np.int32), np.array([8, 2])).tolist()
    [5.0, 2.0]
    """
    return _list_means(lists, counts.astype(np.float64))


def novelty_of_lists(lists: Rows, counts: Int64Array, n_users: int) -> FloatArray:
    """Mean self-information, in bits, of the items in each list: ``-log2(item users / n_users)``.

    After Zhou et al. (PNAS 2010), over the ``n_users`` users of the training data. An item without
    training users counts as if it had one, so the value stays finite.

    Examples
    --------
    >>> novelty_of_lists(np.array([[0, 1]], dtype=np.int32), np.array([8, 2]), 8).tolist()
    [1.0]
    """
    return _list_means(lists, -np.log2(np.maximum(counts, 1) / n_users))


def _list_means(lists: Rows, of_item: FloatArray) -> FloatArray:
    filled = lists >= 0
    values = np.where(filled, of_item[np.maximum(lists, 0)], 0.0)
    return np.asarray(values.sum(axis=1) / filled.sum(axis=1))


def coverage(recommended: BoolArray) -> float:
    """Share of the catalogue that is in at least one list.

    Parameters
    ----------
    recommended
        bool (n_items,): whether the item is in any list.

    Examples
    --------
    >>> coverage(np.array([True, False, False, True]))
    0.5
    """
    return float(recommended.mean())


class ListMetrics:
    """Accumulates the list metrics block by block, without keeping the lists.

    Parameters
    ----------
    counts
        int64 (n_items,): training users of each item.
    n_train_users
        Users in the training data.
    ks
        The list lengths to measure at.
    n_lists
        The number of lists there will be.

    Examples
    --------
    >>> metrics = ListMetrics(np.array([8, 2]), n_train_users=8, ks=[1], n_lists=1)
    >>> metrics.add(slice(0, 1), np.array([[1, 0]], dtype=np.int32))
    >>> metrics.per_list()["novelty@1"].tolist(), metrics.overall()
    ([2.0], {'coverage@1': 0.5})
    """

    def __init__(
        self, counts: Int64Array, n_train_users: int, ks: Sequence[int], n_lists: int
    ) -> None:
        self._counts, self._n_train_users, self._ks = counts, n_train_users, ks
        self._listed = np.zeros((len(ks), len(counts)), dtype=np.int64)
        self._novelty, self._popularity = np.empty((2, len(ks), n_lists))

    def add(self, block: slice, lists: Rows) -> None:
        """Add some consecutive lists, int32 (n_block, max(ks) or n_items), padded with -1."""
        counts, n_users = self._counts, self._n_train_users
        for position, k in enumerate(self._ks):
            first = lists[:, :k]
            self._listed[position] += np.bincount(first[first >= 0], minlength=len(counts))
            self._novelty[position, block] = novelty_of_lists(first, counts, n_users)
            self._popularity[position, block] = popularity_of_lists(first, counts)

    def per_list(self) -> dict[str, FloatArray]:
        """Return the novelty and popularity of each list, float64 (n_lists,), by name."""
        values = {"novelty": self._novelty, "popularity": self._popularity}
        return {
            f"{name}@{k}": at_ks[position]
            for name, at_ks in values.items()
            for position, k in enumerate(self._ks)
        }

    def overall(self) -> dict[str, float]:
        """Return the coverage of all lists together, by name."""
        return {
            f"coverage@{k}": coverage(listed > 0)
            for k, listed in zip(self._ks, self._listed, strict=True)
        }

    def listed(self) -> dict[int, Int64Array]:
        """Return how many lists hold each item, int64 (n_items,), by list length."""
        return dict(zip(self._ks, self._listed, strict=True))
