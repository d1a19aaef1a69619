"""Ranks of given items: in the ranking of the full catalogue, and in lists of the best items."""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.checks import Shapes, in_range
from shortlist.kernels.compile import kernel
from shortlist.kernels.linalg import copy_row
from shortlist.kernels.selection import NEVER, forbid_ineligible, key_of, rank_given
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import (
    EligibleItems,
    Given,
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
    """Return the rank of every true item among its query's candidates, and their number (B,).

    Ranks are float64, as in :class:`~shortlist.kernels.types.Given`: a model with equal scores for
    all items ranks every item in the middle. Scores must be finite; the block is left as it is.
    """
    shapes = Shapes().check("block f32 B N", block)
    shapes.lists("true_indptr", true_indptr, "true_indices", true_indices, "B", "N")
    eligible, _ = shapes.eligible(eligible)
    given = shapes.given(Given(true_indptr, true_indices, np.empty(len(true_indices), np.float64)))
    candidates = np.empty(len(block), np.int64)
    over_rows(_midranks, len(block), _QUERIES, block, eligible, given, candidates)
    return given.ranks, candidates


def list_ranks(
    block: Matrix, best_rows: IndexMatrix, indptr: Pointers, items: Indices, order: Indices
) -> tuple[OutVector, OutIndices]:
    """Return the score of given items, and their ranks in the list of best items of their query.

    The rank is 1 plus the number of better items in the list (``best_rows`` and ``order`` as in
    :mod:`shortlist.kernels.topk`), so an item that is not in it has the rank it would have there.
    """
    shapes = Shapes().check("block f32 B N, best_rows i32 B k", block, best_rows)
    in_range("best_rows", best_rows.reshape(-1), shapes["N"], least=-1)
    shapes.lists("indptr", indptr, "items", items, "B", "N")
    shapes.check("order i32 N", order)
    scores, ranks = np.empty(len(items), np.float32), np.empty(len(items), np.int32)
    over_rows(
        _list_ranks, len(block), _QUERIES, block, best_rows, indptr, items, order, scores, ranks
    )
    return scores, ranks


@kernel
def _midranks(
    start: int, stop: int, block: Matrix, eligible: EligibleItems, given: Given,
    candidates: OutCounts,
) -> None:  # fmt: skip
    row = np.empty(block.shape[1], np.float32)
    for b in range(start, stop):
        copy_row(block[b], row)
        forbid_ineligible(row, eligible, b)
        count = 0
        for score in row:
            count += score != NEVER
        candidates[b] = count
        rank_given(row, given, b)


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
