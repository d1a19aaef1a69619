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
best first. Arrays are C-contiguous; scores must be finite. What a thread does with its queries is
in :mod:`shortlist.kernels.topk_blocks`.
"""

from __future__ import annotations

import numpy as np

from shortlist.kernels.compile import Indices, Mask, Matrix, OutIndices, OutMatrix, Pointers, Vector
from shortlist.kernels.products import QUERIES, groups
from shortlist.kernels.threads import over_rows, share
from shortlist.kernels.topk_blocks import (
    best_by_factors,
    best_by_sparse,
    best_of_dense,
    invert,
    pack_items,
)
from shortlist.kernels.vector import COLUMNS, ROWS


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
    packed: Vector | None = None,
) -> tuple[OutIndices, OutMatrix]:
    """Return the best items by ``score = bias + sum_p query[p] * item[p]``.

    Parameters
    ----------
    queries (B, f), items_t (f, N), bias (N,)
        float32; the items are the columns.
    excluded_indptr, excluded_indices, masks, mask_of, order, k
        The selection, see the module.
    packed
        What :func:`packed_items` made of ``items_t``; None: the items are packed on the way.

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
    kept = np.empty(0, np.float32) if packed is None else packed
    over_rows(
        lambda start, stop: best_by_factors(
            start, stop, queries, items_t, kept, bias,
            excluded_indptr, excluded_indices, masks, mask_of, order, row_of, rows, scores,
        ),
        len(queries),
        share(len(queries), QUERIES, ROWS),
    )  # fmt: skip
    return rows, scores


def packed_items(items_t: Matrix) -> Vector:
    """Lay all items out as :func:`topk_factors` multiplies with them.

    It does so itself, for each block of queries; where many small blocks are asked for, once is
    faster. The scores have the same bits.

    Parameters
    ----------
    items_t (f, N)
        float32; the items are the columns.

    Examples
    --------
    >>> from shortlist.kernels.topk import packed_items
    >>> packed_items(np.ones((2, 3), np.float32)).shape  # 3 items are filled up to 16
    (32,)
    """
    depth, n_items = items_t.shape
    packed = np.empty(groups(n_items, COLUMNS) * COLUMNS * depth, np.float32)
    pack_items(items_t, packed[np.newaxis])
    return packed


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
        lambda start, stop: best_by_sparse(
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
        lambda start, stop: best_of_dense(
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
    invert(order, row_of[np.newaxis])
    return (
        np.full((n_queries, k), -1, np.int32),
        np.full((n_queries, k), np.nan, np.float32),
        row_of,
    )
