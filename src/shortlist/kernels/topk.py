"""The k best items of every query, without ever holding a score for every query and item.

Scores come in three shapes, with one function for each. All take the eligible items of each query
(:class:`~shortlist.kernels.types.EligibleItems`) and k, and return ``rows`` (B, k) int32, padded
with -1, and ``scores`` (B, k) float32, padded with NaN, best first. Scores must be finite.

A thread holds the scores of a few queries for a chunk of items, or of one query for all items.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels import linalg
from shortlist.kernels.checks import F32, Shapes, size_of
from shortlist.kernels.compile import inlined, kernel
from shortlist.kernels.selection import ascending, forbid, forbid_ineligible, offer, write_best
from shortlist.kernels.threads import over_rows, share
from shortlist.kernels.types import (
    Csr,
    EligibleItems,
    Indices,
    Matrix,
    OutIndexMatrix,
    OutMatrix,
    OutVector,
    Vector,
)
from shortlist.kernels.vector import COLUMNS, ROWS

QUERIES: Final = 24 * ROWS
"""How many queries share one pass over the items."""

_PANEL_FLOATS: Final = 32_768  # packed items of a chunk: 128 KiB, a quarter of a usual L2 cache
_MOST_ITEMS: Final = 1_024  # and at most 384 KiB of scores beside them
_UNSORTED: Final = -1


def topk_factors(
    queries: Matrix, items_t: Matrix, bias: Vector, eligible: EligibleItems, k: int,
    packed: Vector | None = None,
) -> tuple[OutIndexMatrix, OutMatrix]:  # fmt: skip
    """Return the best items by ``score = bias + sum_p query[p] * item[p]``.

    Parameters
    ----------
    queries (B, f), items_t (f, N), bias (N,)
        float32; the items are the columns.
    eligible, k
        See the module.
    packed
        The result of :func:`packed_items` of ``items_t``; None: each call packs the items itself.

    Examples
    --------
    >>> eligible = EligibleItems(
    ...     excluded_indptr=np.array([0, 1]), excluded_indices=np.array([2], np.int32),
    ...     masks=np.ones((0, 3), bool), mask_of=np.array([-1], np.int32),
    ...     order=np.arange(3, dtype=np.int32),
    ... )
    >>> rows, scores = topk_factors(
    ...     np.array([[1, 2]], np.float32), np.array([[1, 0, 1], [0, 1, 1]], np.float32),
    ...     np.zeros(3, np.float32), eligible, k=3,
    ... )
    >>> rows, scores
    (array([[ 1,  0, -1]], dtype=int32), array([[ 2.,  1., nan]], dtype=float32))
    """
    shapes = Shapes()
    shapes.array("queries", queries, F32, "B", "f")
    shapes.array("items_t", items_t, F32, "f", "N")
    shapes.array("bias", bias, F32, "N")
    if packed is None:
        packed = np.empty(0, np.float32)
    else:
        Shapes(size=_packed_size(items_t)).array("packed", packed, F32, "size")
    eligible, row_of = shapes.eligible(eligible)
    rows, scores = _results(shapes, k)
    block = share(len(queries), QUERIES, ROWS)
    over_rows(
        _topk_factors, len(queries), block,
        queries, items_t, packed, bias, eligible, row_of, rows, scores,
    )  # fmt: skip
    return rows, scores


def packed_items(items_t: Matrix) -> Vector:
    """Return all items in the layout that :func:`topk_factors` multiplies with.

    It packs the items itself for each block of queries. If many small blocks follow each other,
    packing once is faster. The scores have the same bits.

    Parameters
    ----------
    items_t (f, N)
        float32; the items are the columns.

    Examples
    --------
    >>> packed_items(np.ones((2, 3), np.float32)).shape  # 3 items are filled up to 16
    (32,)
    """
    Shapes().array("items_t", items_t, F32, "f", "N")
    packed = np.empty(_packed_size(items_t), np.float32)
    _pack_items(items_t, packed)
    return packed


def topk_sparse(
    profiles: Csr, matrix: Csr, eligible: EligibleItems, k: int
) -> tuple[OutIndexMatrix, OutMatrix]:
    """Return the best items by ``score = sum_m profile[m] * matrix[m, item]``, both sparse.

    Every item is a candidate, also one that shares no entry with the profile and scores 0.

    Parameters
    ----------
    profiles (B, M), matrix (M, N)
        One profile for each query; the items are the columns of the matrix.
    eligible, k
        See the module.

    Examples
    --------
    >>> eligible = EligibleItems(
    ...     np.array([0, 0]), np.array([], np.int32), np.ones((0, 4), bool),
    ...     np.array([-1], np.int32), np.arange(4, dtype=np.int32),
    ... )
    >>> rows, scores = topk_sparse(
    ...     Csr(np.array([0, 2]), np.array([0, 1], np.int32), np.array([1, 2], np.float32)),
    ...     Csr(np.array([0, 1, 2]), np.array([1, 2], np.int32), np.array([3, 4], np.float32)),
    ...     eligible, k=3,
    ... )
    >>> rows, scores
    (array([[2, 1, 0]], dtype=int32), array([[8., 3., 0.]], dtype=float32))
    """
    shapes = Shapes()
    eligible, row_of = shapes.eligible(eligible)
    profiles, matrix = shapes.product("profiles", profiles, "B", "matrix", matrix, "M", "N")
    rows, scores = _results(shapes, k)
    block = share(len(rows), QUERIES)
    over_rows(_topk_sparse, len(rows), block, profiles, matrix, eligible, row_of, rows, scores)
    return rows, scores


def topk_dense(block: Matrix, eligible: EligibleItems, k: int) -> tuple[OutIndexMatrix, OutMatrix]:
    """Return the best items of a block of scores, which is left as it is.

    Parameters
    ----------
    block (B, N)
        float32 scores, one row for each query.
    eligible, k
        See the module.

    Examples
    --------
    >>> eligible = EligibleItems(
    ...     np.array([0, 0]), np.array([], np.int32), np.ones((0, 3), bool),
    ...     np.array([-1], np.int32), order=np.array([1, 2, 0], np.int32),
    ... )
    >>> topk_dense(np.array([[1, 5, 5]], np.float32), eligible, k=2)
    (array([[2, 1]], dtype=int32), array([[5., 5.]], dtype=float32))
    """
    shapes = Shapes()
    shapes.array("block", block, F32, "B", "N")
    eligible, row_of = shapes.eligible(eligible)
    rows, scores = _results(shapes, k)
    over_rows(
        _topk_dense, len(block), share(len(block), QUERIES), block, eligible, row_of, rows, scores
    )
    return rows, scores


def _packed_size(items_t: Matrix) -> int:
    depth, n_items = items_t.shape
    return int(-(-n_items // COLUMNS) * COLUMNS * depth)


def _results(shapes: Shapes, k: int) -> tuple[OutIndexMatrix, OutMatrix]:
    shape = shapes["B"], size_of("k", k)
    return np.full(shape, -1, np.int32), np.full(shape, np.nan, np.float32)


@inlined
def items_per_chunk(n_factors: int) -> int:
    """Return how many items to score at a time: whole tiles that stay in the cache."""
    fitting = _PANEL_FLOATS // max(n_factors, 1) // COLUMNS * COLUMNS
    return max(COLUMNS, min(_MOST_ITEMS, fitting))


@kernel
def _pack_items(items_t: Matrix, packed: OutVector) -> None:
    linalg.pack_columns(items_t, 0, items_t.shape[1], packed)


@kernel
def _topk_factors(
    start: int, stop: int, queries: Matrix, items_t: Matrix, packed: Vector, bias: Vector,
    eligible: EligibleItems, row_of: Indices, rows: OutIndexMatrix, scores: OutMatrix,
) -> None:  # fmt: skip
    """Write the best items of queries ``start`` to ``stop - 1``; ``packed`` may be empty."""
    excluded_indptr, excluded_indices, masks, mask_of, order = eligible
    depth, n_items = items_t.shape
    n_queries, held = stop - start, min(rows.shape[1], n_items)
    if held == 0:
        return
    chunk = items_per_chunk(depth)
    left = np.empty(linalg.round_up(n_queries, ROWS) * depth, np.float32)
    right = np.empty(chunk * depth, np.float32)
    tile = np.empty((linalg.round_up(n_queries, ROWS), chunk), np.float32)
    flat = tile.reshape(-1)
    heaps = np.empty((n_queries, held), np.int64)
    sizes = np.zeros(n_queries, np.int64)
    passed = np.zeros(n_queries, np.int64)  # how many exclusions of a sorted list lie behind
    linalg.pack_rows(queries, start, stop, left)
    for first in range(0, n_items, chunk):
        last = min(first + chunk, n_items)
        for r in range(len(tile)):
            linalg.copy_row(bias[first:last], tile[r])
        if len(packed):
            panels = packed[first * depth :]
            linalg.add_products(left, n_queries, panels, last - first, depth, flat, chunk)
        else:
            linalg.pack_columns(items_t, first, last, right)
            linalg.add_products(left, n_queries, right, last - first, depth, flat, chunk)
        for r in range(n_queries):
            b = start + r
            run = tile[r, : last - first]
            excluded = excluded_indices[excluded_indptr[b] : excluded_indptr[b + 1]]
            if first == 0:
                passed[r] = 0 if ascending(excluded) else _UNSORTED
            if passed[r] != _UNSORTED:
                behind = passed[r]
                while passed[r] < len(excluded) and excluded[passed[r]] < last:
                    passed[r] += 1
                excluded = excluded[behind : passed[r]]
            forbid(run, first, excluded, masks, mask_of[b])
            sizes[r] = offer(run, order[first:last], heaps[r], sizes[r])
    for r in range(n_queries):
        write_best(heaps[r], sizes[r], row_of, rows[start + r], scores[start + r])


@kernel
def _topk_sparse(
    start: int, stop: int, profiles: Csr, matrix: Csr, eligible: EligibleItems, row_of: Indices,
    rows: OutIndexMatrix, scores: OutMatrix,
) -> None:  # fmt: skip
    order = eligible.order
    n_items = len(order)
    held = min(rows.shape[1], n_items)
    if held == 0:
        return
    sums = np.zeros(n_items, np.float64)
    row = np.empty(n_items, np.float32)
    heap = np.empty(held, np.int64)
    for b in range(start, stop):
        linalg.add_sparse_product(profiles, b, matrix, sums)
        linalg.round_and_clear(sums, row)
        forbid_ineligible(row, eligible, b)
        write_best(heap, offer(row, order, heap, 0), row_of, rows[b], scores[b])


@kernel
def _topk_dense(
    start: int, stop: int, block: Matrix, eligible: EligibleItems, row_of: Indices,
    rows: OutIndexMatrix, scores: OutMatrix,
) -> None:  # fmt: skip
    order = eligible.order
    n_items = block.shape[1]
    held = min(rows.shape[1], n_items)
    if held == 0:
        return
    row = np.empty(n_items, np.float32)
    heap = np.empty(held, np.int64)
    for b in range(start, stop):
        linalg.copy_row(block[b], row)
        forbid_ineligible(row, eligible, b)
        write_best(heap, offer(row, order, heap, 0), row_of, rows[b], scores[b])
