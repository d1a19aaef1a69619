"""Negatives: items that a user did not choose, drawn anew in every epoch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.kernels.sampling import alias_table, bitmap, draw

MAX_BITMAP_BYTES = 2**28  # 256 MiB: 46,000 users by 46,000 items


def bitmap_bytes(data: Dataset) -> int:
    """Return the bytes of the bitmap of all pairs; 0 if it is too large to be made."""
    size = data.n_users * -(-data.n_items // 8)
    return size if size <= MAX_BITMAP_BYTES else 0


class Negatives:
    """Draws negatives for the interactions of a data set, ``count`` for each.

    A draw is a hash of the seed, the interaction and its number: the same whatever the threads, the
    batch or the order. An item is drawn in proportion to its interactions to the power of
    ``exponent``. With rejection, an item that the user chose is drawn again until it is an item
    that the user did not choose; known pairs are looked up in a bitmap of all pairs if it fits into
    256 MiB, and else in the sorted interactions of the user.

    ``examples`` holds the positions of the interactions that have negatives: all, except those of
    users who chose every item that can be drawn. If that is all users, nothing is rejected.
    """

    def __init__(
        self, data: Dataset, count: int, *, exponent: float = 0.0, rejection: bool = True
    ) -> None:
        self.count = count
        self._user_rows = data.user_rows
        self._weights = np.ones(data.n_items)
        self._table = None
        if exponent:
            self._weights = data.item_counts.astype(np.float64) ** exponent
            self._table = alias_table(self._weights)
        self._known, self._bits, self.bytes = None, None, 0
        self.examples = np.arange(len(data))
        if rejection:
            indptr = np.concatenate([[0], np.cumsum(data.user_counts)])
            self._known = (indptr, data.item_rows)
            if bitmap_bytes(data):
                self._bits = bitmap(indptr, data.item_rows, data.n_items)
                self.bytes = self._bits.nbytes
            drawable = self._weights > 0
            chosen = np.bincount(data.user_rows, drawable[data.item_rows], minlength=data.n_users)
            remaining = drawable.sum() - chosen  # (n_users,)
            self.examples = np.flatnonzero(remaining[data.user_rows] > 0)
        if not len(self.examples):
            self._known, self._bits, self.bytes = None, None, 0
            self.examples = np.arange(len(data))

    def draw(self, seed: list[int], examples: NDArray[np.int64]) -> Rows:
        """Draw items for interactions at these positions, int32; ``seed``: of an epoch, say."""
        # (n, count)
        state = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> np.uint64(1))
        rows = self._user_rows[examples]
        return draw(
            examples, rows, self.count, state, self._weights, self._table, self._known, self._bits
        )
