"""Ranks of given items: in the ranking of the full catalogue, and in lists of the best items."""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.checks import F32, I32, Shapes, in_range
from shortlist.kernels.compile import kernel
from shortlist.kernels.linalg import copy_row
from shortlist.kernels.selection import NEVER, forbid_ineligible, key_of
from shortlist.kernels.threads import over_rows, share
from shortlist.kernels.types import (
    EligibleItems,
    IndexMatrix,
    Indices,
    Matrix,
    OutCounts,
    OutDoubles,
    OutIndices,
    OutVector,
    Pointers,
)

_QUERIES: Final = 32  # queries for a thread at a time


def midranks(
    block: Matrix, true_indptr: Pointers, true_indices: Indices, eligible: EligibleItems
) -> tuple[OutDoubles, OutCounts]:
    """Return the rank of every true item among the candidates of its query, from 1.

    Equal scores share the mean of their ranks: the rank of a true item is
    ``1 + #(candidates with a greater score) + #(other candidates with an equal score) / 2``.
    So a model with equal scores for all items ranks every item in the middle.

    Parameters
    ----------
    block (B, N)
        float32 finite scores, one row for each query; left as they are.
    true_indptr (B + 1,), true_indices
        The true items of each query.
    eligible
        The candidates, as in :mod:`shortlist.kernels.topk`; ``order`` is not used.

    Returns
    -------
    ranks (len(true_indices),) float64
        inf for a true item that is not a candidate.
    candidates (B,) int64
        The number of candidates of each query.

    Examples
    --------
    >>> eligible = EligibleItems(
    ...     np.array([0, 1]), np.array([0], np.int32), np.ones((0, 4), bool),
    ...     np.array([-1], np.int32), np.arange(4, dtype=np.int32),
    ... )
    >>> midranks(
    ...     np.array([[4, 3, 3, 1]], np.float32), np.array([0, 2]), np.array([1, 3], np.int32),
    ...     eligible,
    ... )
    (array([1.5, 3. ]), array([3]))
    """
    shapes = Shapes()
    shapes.array("block", block, F32, "B", "N")
    shapes.lists("true_indptr", true_indptr, "true_indices", true_indices, "B", "N")
    eligible, _ = shapes.eligible(eligible)
    ranks = np.empty(len(true_indices), np.float64)
    candidates = np.empty(len(block), np.int64)
    over_rows(
        _midranks, len(block), share(len(block), _QUERIES),
        block, true_indptr, true_indices, eligible, ranks, candidates,
    )  # fmt: skip
    return ranks, candidates


def list_ranks(
    block: Matrix, best_rows: IndexMatrix, indptr: Pointers, items: Indices, order: Indices
) -> tuple[OutVector, OutIndices]:
    """Return the score of given items, and their ranks in the list of best items of their query.

    The rank is 1 plus the number of better items in the list, so an item that is not in the list
    has the rank it would have there.

    Parameters
    ----------
    block (B, N)
        float32 finite scores, one row for each query.
    best_rows (B, k)
        int32, the best items of each query as :mod:`shortlist.kernels.topk` returns them, best
        first, padded with -1.
    indptr (B + 1,), items
        The given items of each query.
    order (N,)
        Which of two equal scores comes first, as for the list.

    Returns
    -------
    scores (len(items),) float32
    ranks (len(items),) int32
        From 1 to the length of the list plus 1.

    Examples
    --------
    >>> list_ranks(
    ...     np.array([[4, 9, 3, 1]], np.float32), best_rows=np.array([[0, 2]], np.int32),
    ...     indptr=np.array([0, 4]), items=np.array([0, 1, 2, 3], np.int32),
    ...     order=np.arange(4, dtype=np.int32),
    ... )
    (array([4., 9., 3., 1.], dtype=float32), array([1, 1, 2, 3], dtype=int32))
    """
    shapes = Shapes()
    shapes.array("block", block, F32, "B", "N")
    shapes.array("best_rows", best_rows, I32, "B", "k")
    in_range("best_rows", best_rows.reshape(-1), shapes["N"], least=-1)
    shapes.lists("indptr", indptr, "items", items, "B", "N")
    shapes.array("order", order, I32, "N")
    scores, ranks = np.empty(len(items), np.float32), np.empty(len(items), np.int32)
    over_rows(
        _list_ranks, len(block), share(len(block), _QUERIES),
        block, best_rows, indptr, items, order, scores, ranks,
    )  # fmt: skip
    return scores, ranks


@kernel
def _midranks(
    start: int, stop: int, block: Matrix, true_indptr: Pointers, true_indices: Indices,
    eligible: EligibleItems, ranks: OutDoubles, candidates: OutCounts,
) -> None:  # fmt: skip
    row = np.empty(block.shape[1], np.float32)
    for b in range(start, stop):
        copy_row(block[b], row)
        forbid_ineligible(row, eligible, b)
        count = 0
        for score in row:
            count += score != NEVER
        candidates[b] = count
        for entry in range(true_indptr[b], true_indptr[b + 1]):
            own = row[true_indices[entry]]
            if own == NEVER:
                ranks[entry] = np.inf
                continue
            greater, equal = 0, 0
            for score in row:
                greater += score > own
                equal += score == own
            ranks[entry] = 1 + greater + (equal - 1) / 2


@kernel
def _list_ranks(
    start: int, stop: int, block: Matrix, best_rows: IndexMatrix, indptr: Pointers, items: Indices,
    order: Indices, scores: OutVector, ranks: OutIndices,
) -> None:  # fmt: skip
    width = best_rows.shape[1]
    keys = np.empty(width, np.int64)  # of the list, best first
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
            scores[entry] = block[b, item]
            ranks[entry] = low + 1
