"""The k best items of every query, without ever holding a score for every query and item.

Scores come in three shapes, one function each. All take the same selection:

excluded_indptr (B + 1,) int64, excluded_indices int32
    Query b never gets items ``excluded_indices[excluded_indptr[b] : excluded_indptr[b + 1]]``
    (seen, denied), in any order, repeats allowed.
masks (G, N) bool, mask_of (B,) int32
    Query b may only get items where ``masks[mask_of[b]]`` is true; -1: no mask.
order (N,) int32
    A permutation of 0..N-1. Of equal scores the item with the smaller order comes first.
k
    How many items to return.

All return ``rows`` (B, k) int32, padded with -1, and ``scores`` (B, k) float32, padded with NaN,
best first. Arrays are C-contiguous; scores must be finite. A thread holds the scores of a few
queries for a chunk of items, or of one query for all items, at a time.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.compile import (
    Indices,
    Mask,
    Matrix,
    OutIndices,
    OutMatrix,
    Pointers,
    Vector,
    kernel,
)
from shortlist.kernels.products import (
    QUERIES,
    add_products,
    add_sparse_row,
    copy_row,
    groups,
    items_per_chunk,
    pack_columns,
    pack_rows,
    round_and_clear,
)
from shortlist.kernels.selection import ascending, forbid, offer, write_best
from shortlist.kernels.threads import over_rows, share
from shortlist.kernels.vector import ROWS

_UNSORTED: Final = -1


def topk_factors(
    queries: Matrix,
    items_t: Matrix,
    bias: Vector,
    excluded_indptr: Pointers,
    excluded_indices: Indices,
    masks: Mask,
    mask_of: Indices,
    order: Indices,
    k: int,
) -> tuple[OutIndices, OutMatrix]:
    """Return the best items by ``score = bias + sum_p query[p] * item[p]``.

    Parameters
    ----------
    queries (B, f), items_t (f, N), bias (N,)
        float32; the items are the columns.
    excluded_indptr, excluded_indices, masks, mask_of, order, k
        The selection, see the module.

    Examples
    --------
    >>> from shortlist.kernels.topk import topk_factors
    >>> rows, scores = topk_factors(
    ...     queries=np.array([[1, 2]], np.float32),
    ...     items_t=np.array([[1, 0, 1], [0, 1, 1]], np.float32),
    ...     bias=np.zeros(3, np.float32),
    ...     excluded_indptr=np.array([0, 1]), excluded_indices=np.array([2], np.int32),
    ...     masks=np.ones((0, 3), np.bool_), mask_of=np.array([-1], np.int32),
    ...     order=np.arange(3, dtype=np.int32), k=3,
    ... )
    >>> rows
    array([[ 1,  0, -1]], dtype=int32)
    >>> scores
    array([[ 2.,  1., nan]], dtype=float32)
    """
    rows, scores, row_of = _results(len(queries), order, k)
    over_rows(
        lambda start, stop: _best_by_factors(
            start, stop, queries, items_t, bias,
            excluded_indptr, excluded_indices, masks, mask_of, order, row_of, rows, scores,
        ),
        len(queries),
        share(len(queries), QUERIES, ROWS),
    )  # fmt: skip
    return rows, scores


def topk_sparse(
    p_indptr: Pointers,
    p_indices: Indices,
    p_data: Vector,
    m_indptr: Pointers,
    m_indices: Indices,
    m_data: Vector,
    n_items: int,
    excluded_indptr: Pointers,
    excluded_indices: Indices,
    masks: Mask,
    mask_of: Indices,
    order: Indices,
    k: int,
) -> tuple[OutIndices, OutMatrix]:
    """Return the best items by ``score = sum_m profile[m] * matrix[m, item]``, both sparse.

    Every item is a candidate, also one that shares no entry with the profile and scores 0.

    Parameters
    ----------
    p_indptr (B + 1,), p_indices, p_data
        The profiles, one a query, as CSR (B, M).
    m_indptr (M + 1,), m_indices, m_data
        The matrix, as CSR (M, n_items).
    n_items
        N.
    excluded_indptr, excluded_indices, masks, mask_of, order, k
        The selection, see the module.

    Examples
    --------
    >>> from shortlist.kernels.topk import topk_sparse
    >>> rows, scores = topk_sparse(
    ...     p_indptr=np.array([0, 2]), p_indices=np.array([0, 1], np.int32),
    ...     p_data=np.array([1, 2], np.float32),
    ...     m_indptr=np.array([0, 1, 2]), m_indices=np.array([1, 2], np.int32),
    ...     m_data=np.array([3, 4], np.float32), n_items=4,
    ...     excluded_indptr=np.zeros(2, np.int64), excluded_indices=np.array([], np.int32),
    ...     masks=np.ones((0, 4), np.bool_), mask_of=np.array([-1], np.int32),
    ...     order=np.arange(4, dtype=np.int32), k=3,
    ... )
    >>> rows, scores
    (array([[2, 1, 0]], dtype=int32), array([[8., 3., 0.]], dtype=float32))
    """
    n_queries = len(p_indptr) - 1
    rows, scores, row_of = _results(n_queries, order, k)
    over_rows(
        lambda start, stop: _best_by_sparse(
            start, stop, p_indptr, p_indices, p_data, m_indptr, m_indices, m_data, n_items,
            excluded_indptr, excluded_indices, masks, mask_of, order, row_of, rows, scores,
        ),
        n_queries,
        share(n_queries, QUERIES),
    )  # fmt: skip
    return rows, scores


def topk_dense(
    block: Matrix,
    excluded_indptr: Pointers,
    excluded_indices: Indices,
    masks: Mask,
    mask_of: Indices,
    order: Indices,
    k: int,
) -> tuple[OutIndices, OutMatrix]:
    """Return the best items of a block of scores (B, N), which is left as it is.

    Parameters
    ----------
    block
        float32 scores, a row a query.
    excluded_indptr, excluded_indices, masks, mask_of, order, k
        The selection, see the module.

    Examples
    --------
    >>> from shortlist.kernels.topk import topk_dense
    >>> rows, scores = topk_dense(
    ...     np.array([[1, 5, 5]], np.float32),
    ...     excluded_indptr=np.zeros(2, np.int64), excluded_indices=np.array([], np.int32),
    ...     masks=np.array([[True, True, False]]), mask_of=np.array([-1], np.int32),
    ...     order=np.array([1, 2, 0], np.int32), k=2,
    ... )
    >>> rows, scores
    (array([[2, 1]], dtype=int32), array([[5., 5.]], dtype=float32))
    """
    rows, scores, row_of = _results(len(block), order, k)
    over_rows(
        lambda start, stop: _best_of_dense(
            start, stop, block,
            excluded_indptr, excluded_indices, masks, mask_of, order, row_of, rows, scores,
        ),
        len(block),
        share(len(block), QUERIES),
    )  # fmt: skip
    return rows, scores


def _results(n_queries: int, order: Indices, k: int) -> tuple[OutIndices, OutMatrix, Indices]:
    """Return padded results and the item row that has each order."""
    row_of = np.empty_like(order)
    row_of[order] = np.arange(len(order), dtype=np.int32)
    return (
        np.full((n_queries, k), -1, np.int32),
        np.full((n_queries, k), np.nan, np.float32),
        row_of,
    )


@kernel
def _best_by_factors(
    start: int, stop: int, queries: Matrix, items_t: Matrix, bias: Vector,
    excluded_indptr: Pointers, excluded_indices: Indices, masks: Mask, mask_of: Indices,
    order: Indices, row_of: Indices, rows: OutIndices, scores: OutMatrix,
) -> None:  # fmt: skip
    depth, n_items = items_t.shape
    n_queries, held = stop - start, min(rows.shape[1], n_items)
    if held == 0:
        return
    chunk = items_per_chunk(depth)
    left = np.empty(groups(n_queries, ROWS) * ROWS * depth, np.float32)
    right = np.empty(chunk * depth, np.float32)
    tile = np.empty((groups(n_queries, ROWS) * ROWS, chunk), np.float32)
    flat = tile.reshape(-1)
    heaps = np.empty((n_queries, held), np.int64)
    sizes = np.zeros(n_queries, np.int64)
    cursors = np.zeros(n_queries, np.int64)  # how much of a sorted list of exclusions is behind us
    pack_rows(queries, start, stop, left)
    for first in range(0, n_items, chunk):
        last = min(first + chunk, n_items)
        pack_columns(items_t, first, last, right)
        for r in range(len(tile)):
            copy_row(bias[first:last], tile[r])
        add_products(left, n_queries, right, last - first, depth, flat, chunk)
        for r in range(n_queries):
            b = start + r
            run = tile[r, : last - first]
            excluded = excluded_indices[excluded_indptr[b] : excluded_indptr[b + 1]]
            if first == 0:
                cursors[r] = 0 if ascending(excluded) else _UNSORTED
            if cursors[r] != _UNSORTED:
                behind = cursors[r]
                while cursors[r] < len(excluded) and excluded[cursors[r]] < last:
                    cursors[r] += 1
                excluded = excluded[behind : cursors[r]]
            forbid(run, first, excluded, masks, mask_of[b])
            sizes[r] = offer(run, order[first:last], heaps[r], sizes[r])
    for r in range(n_queries):
        write_best(heaps[r], sizes[r], row_of, rows[start + r], scores[start + r])


@kernel
def _best_by_sparse(
    start: int, stop: int, p_indptr: Pointers, p_indices: Indices, p_data: Vector,
    m_indptr: Pointers, m_indices: Indices, m_data: Vector, n_items: int,
    excluded_indptr: Pointers, excluded_indices: Indices, masks: Mask, mask_of: Indices,
    order: Indices, row_of: Indices, rows: OutIndices, scores: OutMatrix,
) -> None:  # fmt: skip
    held = min(rows.shape[1], n_items)
    if held == 0:
        return
    sums = np.zeros(n_items, np.float64)
    row = np.empty(n_items, np.float32)
    heap = np.empty(held, np.int64)
    for b in range(start, stop):
        add_sparse_row(
            p_indices, p_data, p_indptr[b], p_indptr[b + 1], m_indptr, m_indices, m_data, sums
        )
        round_and_clear(sums, row)
        excluded = excluded_indices[excluded_indptr[b] : excluded_indptr[b + 1]]
        forbid(row, 0, excluded, masks, mask_of[b])
        write_best(heap, offer(row, order, heap, 0), row_of, rows[b], scores[b])


@kernel
def _best_of_dense(
    start: int, stop: int, block: Matrix,
    excluded_indptr: Pointers, excluded_indices: Indices, masks: Mask, mask_of: Indices,
    order: Indices, row_of: Indices, rows: OutIndices, scores: OutMatrix,
) -> None:  # fmt: skip
    n_items = block.shape[1]
    held = min(rows.shape[1], n_items)
    if held == 0:
        return
    row = np.empty(n_items, np.float32)
    heap = np.empty(held, np.int64)
    for b in range(start, stop):
        copy_row(block[b], row)
        excluded = excluded_indices[excluded_indptr[b] : excluded_indptr[b + 1]]
        forbid(row, 0, excluded, masks, mask_of[b])
        write_best(heap, offer(row, order, heap, 0), row_of, rows[b], scores[b])
