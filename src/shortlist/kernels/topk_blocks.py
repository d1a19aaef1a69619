"""What one thread does for :mod:`shortlist.kernels.topk`: score a block of queries, keep the best.

A thread holds the scores of a few queries for a chunk of items, or of one query for all items, at
a time. All kernels share the arguments of that module; ``row_of`` is the item row of each order,
and ``rows`` and ``scores`` are the results, already padded.
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
from shortlist.kernels.vector import ROWS

_UNSORTED: Final = -1


@kernel
def invert(order: Indices, row_of: OutIndices) -> None:
    """Write into ``row_of`` (1, N) the place of each number in the permutation ``order`` (N,)."""
    for row in range(len(order)):
        row_of[0, order[row]] = row


@kernel
def pack_items(items_t: Matrix, packed: OutMatrix) -> None:
    """Lay all items (f, N) out in ``packed`` (1, N filled up to a multiple of 16, times f)."""
    pack_columns(items_t, 0, items_t.shape[1], packed[0])


@kernel
def best_by_factors(
    start: int, stop: int, queries: Matrix, items_t: Matrix, packed: Vector, bias: Vector,
    excluded_indptr: Pointers, excluded_indices: Indices, masks: Mask, mask_of: Indices,
    order: Indices, row_of: Indices, rows: OutIndices, scores: OutMatrix,
) -> None:  # fmt: skip
    """Write the best items of queries ``start`` to ``stop - 1``: products of factors.

    ``packed`` holds all items as :func:`pack_items` lays them out, or nothing.
    """
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
        for r in range(len(tile)):
            copy_row(bias[first:last], tile[r])
        if len(packed):
            panels = packed[first * depth :]
            add_products(left, n_queries, panels, last - first, depth, flat, chunk)
        else:
            pack_columns(items_t, first, last, right)
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
def best_by_sparse(
    start: int, stop: int, p_indptr: Pointers, p_indices: Indices, p_data: Vector,
    m_indptr: Pointers, m_indices: Indices, m_data: Vector, n_items: int,
    excluded_indptr: Pointers, excluded_indices: Indices, masks: Mask, mask_of: Indices,
    order: Indices, row_of: Indices, rows: OutIndices, scores: OutMatrix,
) -> None:  # fmt: skip
    """Write the best items of queries ``start`` to ``stop - 1``: sparse times sparse."""
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
def best_of_dense(
    start: int, stop: int, block: Matrix,
    excluded_indptr: Pointers, excluded_indices: Indices, masks: Mask, mask_of: Indices,
    order: Indices, row_of: Indices, rows: OutIndices, scores: OutMatrix,
) -> None:  # fmt: skip
    """Write the best items of queries ``start`` to ``stop - 1`` of a dense block."""
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
