"""Metrics of the lists themselves: popularity, novelty, and coverage of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.metrics.ranking import FloatArray, Int64Array


class ListMetrics:
    """List metrics that accumulate block by block, without keeping the lists.

    Popularity: the mean number of training users of the items in a list. Novelty: their mean
    self-information in bits, ``-log2(item users / n_users)`` (Zhou et al., PNAS 2010), where an
    item without training users counts as if it had one. Coverage: the share of the catalogue that
    is in at least one list. An empty list has popularity and novelty 0.

    Examples
    --------
    >>> metrics = ListMetrics(np.array([8, 2]), n_train_users=8, ks=[1], n_lists=1)
    >>> metrics.add(slice(0, 1), np.array([[1, 0]], dtype=np.int32))
    >>> metrics.per_list["novelty@1"].tolist(), metrics.coverage()
    ([2.0], {'coverage@1': 0.5})
    """

    def __init__(
        self, counts: Int64Array, n_train_users: int, ks: Sequence[int], n_lists: int
    ) -> None:
        self._of_item: dict[str, FloatArray] = {
            "novelty": -np.log2(np.maximum(counts, 1) / n_train_users),
            "popularity": counts.astype(np.float64),
        }
        self.per_list: dict[str, FloatArray] = {  # (n_lists,) each
            f"{name}@{k}": np.empty(n_lists) for name in self._of_item for k in ks
        }
        # The number of lists that hold each item, (n_items,), by list length.
        self.listed: dict[int, Int64Array] = {k: np.zeros_like(counts, np.int64) for k in ks}

    def add(self, block: slice, lists: NDArray[np.int32]) -> None:
        """Add some consecutive lists of rows, (n_block, max(ks) or n_items), padded with -1."""
        for k, listed in self.listed.items():
            first = lists[:, :k]
            filled = first >= 0
            lengths = np.maximum(filled.sum(axis=1), 1)
            listed += np.bincount(first[filled], minlength=len(listed))
            for name, of_item in self._of_item.items():
                values = np.where(filled, of_item[first], 0.0)
                self.per_list[f"{name}@{k}"][block] = values.sum(axis=1) / lengths

    def coverage(self) -> dict[str, float]:
        """Return the coverage of all lists together, by name."""
        return {f"coverage@{k}": float((listed > 0).mean()) for k, listed in self.listed.items()}
