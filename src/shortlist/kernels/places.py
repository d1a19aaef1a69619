"""What a list says of items: their scores in a block, and the places they take in its best lists.

The place of an item is 1 plus how many items of the list are better, so an item that is not listed
has the place it would take if it were.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.compile import (
    Indices,
    Matrix,
    OutIndices,
    OutMatrix,
    Pointers,
    kernel,
)
from shortlist.kernels.selection import key_of
from shortlist.kernels.threads import over_rows, share

_QUERIES: Final = 64  # rows a thread takes at a time


def places(
    block: Matrix,
    best_rows: OutIndices,
    indptr: Pointers,
    items: Indices,
    order: Indices,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return the score of every asked item, and its place in the best list of its query.

    Parameters
    ----------
    block (B, N)
        float32 finite scores, a row a query.
    best_rows (B, k)
        int32, the best items of each query as :mod:`shortlist.kernels.topk` gives them, best first,
        padded with -1.
    indptr (B + 1,), items
        The asked items of each query; they may or may not be in its list.
    order (N,)
        Which of two equal scores comes first, as for the list.

    Returns
    -------
    scores (len(items),) float32
    places (len(items),) int32
        From 1, to one more than the list is long.

    Examples
    --------
    >>> from shortlist.kernels.places import places
    >>> places(
    ...     np.array([[4, 9, 3, 1]], np.float32), best_rows=np.array([[0, 2]], np.int32),
    ...     indptr=np.array([0, 4]), items=np.array([0, 1, 2, 3], np.int32),
    ...     order=np.arange(4, dtype=np.int32),
    ... )
    (array([4., 9., 3., 1.], dtype=float32), array([1, 1, 2, 3], dtype=int32))
    """
    scores = np.empty((1, len(items)), np.float32)
    found = np.empty((1, len(items)), np.int32)
    over_rows(
        lambda start, stop: _places(
            start, stop, block, best_rows, indptr, items, order, scores, found
        ),
        len(block),
        share(len(block), _QUERIES),
    )
    return scores[0], found[0]


@kernel
def _places(
    start: int, stop: int, block: Matrix, best_rows: OutIndices, indptr: Pointers, items: Indices,
    order: Indices, scores: OutMatrix, found: OutIndices,
) -> None:  # fmt: skip
    width = best_rows.shape[1]
    keys = np.empty(width, np.int64)  # falling
    for b in range(start, stop):
        listed = 0
        while listed < width and best_rows[b, listed] >= 0:
            item = best_rows[b, listed]
            keys[listed] = key_of(block[b, item], order[item])
            listed += 1
        for entry in range(indptr[b], indptr[b + 1]):
            item = items[entry]
            own = key_of(block[b, item], order[item])
            low, high = 0, listed
            while low < high:
                middle = (low + high) // 2
                if keys[middle] > own:
                    low = middle + 1
                else:
                    high = middle
            scores[0, entry] = block[b, item]
            found[0, entry] = low + 1
