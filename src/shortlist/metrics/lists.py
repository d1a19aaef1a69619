"""What the lists themselves look like: how popular, how surprising, how much of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.metrics.ranking import BoolArray, FloatArray, Int64Array


def popularity_of_lists(lists: Rows, counts: Int64Array) -> FloatArray:
    """Mean number of training users who have the items in each list.

    Parameters
    ----------
    lists
        int32 (n_users, k): recommended item rows, -1 where a list is shorter; no list is empty.
    counts
        int64 (n_items,): training users of each item.

    Examples
    --------
    >>> popularity_of_lists(np.array([[0, 1], [1, -1]], dtype=np.int32), np.array([8, 2])).tolist()
    [5.0, 2.0]
    """
    return _list_means(lists, counts.astype(np.float64))


def novelty_of_lists(lists: Rows, counts: Int64Array, n_users: int) -> FloatArray:
    """Mean surprise, in bits, of the items in each list: ``-log2(users of the item / n_users)``.

    The self-information of Zhou et al. (PNAS 2010), the share taken over the ``n_users`` users of
    the training data. An item no training user has counts as if one had: the value stays finite.

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
    """Share of the catalogue that stands in at least one of the lists.

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


class ListMeasures:
    """Gathers the list metrics block by block, keeping no list.

    Parameters
    ----------
    train
        Says how popular each item is.
    ks
        The lengths of list to measure at.
    n_users
        How many lists there will be.
    """

    def __init__(self, train: Dataset, ks: Sequence[int], n_users: int) -> None:
        self._train, self._ks = train, ks
        self._listed = np.zeros((len(ks), train.n_items), dtype=np.int64)
        self._novelty, self._popularity = np.empty((2, len(ks), n_users))

    def add(self, users: slice, lists: Rows) -> None:
        """Take in the lists of some users, int32 (n_block, at least the longest k or n_items)."""
        counts, n_users = self._train.item_counts, self._train.n_users
        for position, k in enumerate(self._ks):
            first = lists[:, :k]
            self._listed[position] += np.bincount(first[first >= 0], minlength=self._train.n_items)
            self._novelty[position, users] = novelty_of_lists(first, counts, n_users)
            self._popularity[position, users] = popularity_of_lists(first, counts)

    def per_user(self) -> dict[str, FloatArray]:
        """Novelty and popularity of each user's list, float64 (n_users,), by name."""
        values = {"novelty": self._novelty, "popularity": self._popularity}
        return {
            f"{name}@{k}": of_ks[position]
            for name, of_ks in values.items()
            for position, k in enumerate(self._ks)
        }

    def of_all(self) -> dict[str, float]:
        """Coverage of all lists together, by name."""
        return {
            f"coverage@{k}": coverage(self._listed[position] > 0)
            for position, k in enumerate(self._ks)
        }

    def listed(self) -> dict[int, Int64Array]:
        """How many of the lists hold each item, int64 (n_items,), by length of list."""
        return dict(zip(self._ks, self._listed, strict=True))
