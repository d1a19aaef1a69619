"""Where the true items of each query land in its ranking of the full catalogue."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.compile import (
    Indices,
    Mask,
    Matrix,
    OutCounts,
    OutDoubles,
    Pointers,
    kernel,
)
from shortlist.kernels.products import copy_row
from shortlist.kernels.selection import NEVER, forbid
from shortlist.kernels.threads import over_rows, share

_QUERIES: Final = 32  # rows a thread takes at a time


def midranks(
    block: Matrix,
    true_indptr: Pointers,
    true_indices: Indices,
    excluded_indptr: Pointers,
    excluded_indices: Indices,
    masks: Mask,
    mask_of: Indices,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the rank of every true item among the candidates of its query, from 1.

    Equal scores share the mean of the places they take: the rank of a true item is
    ``1 + #(candidates with a greater score) + #(other candidates with an equal score) / 2``.
    So a model that scores everything alike ranks everything in the middle.

    Parameters
    ----------
    block (B, N)
        float32 finite scores, a row a query; left as they are.
    true_indptr (B + 1,), true_indices
        The true items of each query.
    excluded_indptr, excluded_indices, masks, mask_of
        Who is a candidate, as in :mod:`shortlist.kernels.topk`.

    Returns
    -------
    ranks (len(true_indices),) float64
        inf for a true item that is not a candidate.
    candidates (B,) int64
        How many candidates each query has.

    Examples
    --------
    >>> from shortlist.kernels.ranking import midranks
    >>> midranks(
    ...     np.array([[4, 3, 3, 1]], np.float32),
    ...     true_indptr=np.array([0, 2]), true_indices=np.array([1, 3], np.int32),
    ...     excluded_indptr=np.array([0, 1]), excluded_indices=np.array([0], np.int32),
    ...     masks=np.ones((0, 4), np.bool_), mask_of=np.array([-1], np.int32),
    ... )
    (array([1.5, 3. ]), array([3]))
    """
    ranks = np.empty(len(true_indices), np.float64)
    candidates = np.empty(len(block), np.int64)
    over_rows(
        lambda start, stop: _midranks(
            start, stop, block, true_indptr, true_indices,
            excluded_indptr, excluded_indices, masks, mask_of, ranks, candidates,
        ),
        len(block),
        share(len(block), _QUERIES),
    )  # fmt: skip
    return ranks, candidates


@kernel
def _midranks(
    start: int, stop: int, block: Matrix, true_indptr: Pointers, true_indices: Indices,
    excluded_indptr: Pointers, excluded_indices: Indices, masks: Mask, mask_of: Indices,
    ranks: OutDoubles, candidates: OutCounts,
) -> None:  # fmt: skip
    row = np.empty(block.shape[1], np.float32)
    for b in range(start, stop):
        copy_row(block[b], row)
        excluded = excluded_indices[excluded_indptr[b] : excluded_indptr[b + 1]]
        forbid(row, 0, excluded, masks, mask_of[b])
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
