"""Scores as dense blocks (B, N), bit for bit those that :mod:`shortlist.kernels.topk` ranks.

For callers that need every score of a few queries (evaluation, blending, explanation), or the
scores of given items only.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels import linalg
from shortlist.kernels.checks import Shapes, in_range
from shortlist.kernels.compile import kernel
from shortlist.kernels.selection import key_of
from shortlist.kernels.threads import over_rows, thread_count
from shortlist.kernels.topk import QUERIES, items_per_chunk
from shortlist.kernels.types import (
    Csr,
    IndexMatrix,
    Indices,
    Matrix,
    OutIndices,
    OutMatrix,
    OutVector,
    Pointers,
    Vector,
)
from shortlist.kernels.vector import ROWS

_FEW_QUERIES: Final = 16  # for a thread at a time, where a query takes long
_STRIPE: Final = 512  # columns of a dense matrix worked on together: 4 KiB of float64 sums
_TALL: Final = 4096  # profiles for a thread at a time, where they are many


def dense_factors(queries: Matrix, items_t: Matrix, bias: Vector | None = None) -> OutMatrix:
    """Return ``out[b, n] = bias[n] + sum_p queries[b, p] * items_t[p, n]``, float32."""
    shapes = Shapes().check("queries f32 B f, items_t f32 f N", queries, items_t)
    if bias is None:
        bias = np.empty(0, np.float32)
    else:
        shapes.check("bias f32 N", bias)
    out = np.empty((len(queries), shapes["N"]), np.float32)
    over_rows(_dense_factors, len(out), QUERIES, queries, items_t, bias, out, multiple=ROWS)
    return out


def dense_sparse(profiles: Csr, matrix: Csr, n_items: int) -> OutMatrix:
    """Return the product of sparse profiles and a sparse matrix, as float32 (B, n_items)."""
    shapes = Shapes(n_items=n_items)
    profiles, matrix = shapes.product("profiles", profiles, "B", "matrix", matrix, "M", "n_items")
    out = np.empty((shapes["B"], n_items), np.float32)
    over_rows(_dense_sparse, len(out), QUERIES, profiles, matrix, out)
    return out


def dense_profile(profiles: Csr, matrix: Matrix) -> OutMatrix:
    """Return the product of sparse profiles and a dense matrix, as float32 (B, N)."""
    shapes = Shapes().check("matrix f32 M N", matrix)
    profiles = shapes.csr("profiles", profiles, "B", "M")
    out = np.empty((shapes["B"], shapes["N"]), np.float32)
    # Stripes of columns, not blocks of queries: a stripe of the matrix is read from memory once and
    # stays in the cache for all queries. Tall products have few stripes, so rows are divided too.
    parts = -(-len(out) // _TALL)
    width = _STRIPE if parts > 1 else min(_STRIPE, -(-shapes["N"] // thread_count()))
    units = parts * -(-shapes["N"] // max(width, 1))
    over_rows(_dense_profile, units, 1, profiles, matrix, width, parts, out)
    return out


def dense_max(indptr: Pointers, indices: Indices, rows: Csr, columns: Csr) -> OutMatrix:
    """Return ``out[b, i] = max over j in p_b of r_j . r_i``, float32 (B, N); 0 for an empty p_b.

    The rows p_b of query b are ``indices[indptr[b] : indptr[b + 1]]``, and ``columns`` is ``rows``
    transposed. It is the similarity of every item to the most similar of a query's items.
    """
    shapes = Shapes()
    rows, columns = shapes.product("rows", rows, "N", "columns", columns, "d", "N")
    shapes.lists("indptr", indptr, "indices", indices, "B", "N")
    out = np.zeros((shapes["B"], shapes["N"]), np.float32)
    over_rows(_dense_max, len(out), _FEW_QUERIES, indptr, indices, rows, columns, out)
    return out


def pair_scores(queries: Matrix, items: Matrix, indptr: Pointers, indices: Indices) -> OutVector:
    """Return ``sum_p queries[b, p] * items[i, p]`` for some items i of each query b.

    The sums run in the order of p, as in :mod:`shortlist.kernels.topk`; the result lies as
    ``indices``.
    """
    shapes = Shapes().check("queries f32 B f, items f32 N f", queries, items)
    shapes.lists("indptr", indptr, "indices", indices, "B", "N")
    out = np.empty(len(indices), np.float32)
    over_rows(_pair_scores, len(queries), _FEW_QUERIES, queries, items, indptr, indices, out)
    return out


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
        _list_ranks, len(block), QUERIES, block, best_rows, indptr, items, order, scores, ranks
    )
    return scores, ranks


@kernel
def _dense_factors(
    start: int, stop: int, queries: Matrix, items_t: Matrix, bias: Vector, out: OutMatrix
) -> None:
    depth, n_items = items_t.shape
    n_queries = stop - start
    chunk = items_per_chunk(depth)
    left = np.empty(linalg.round_up(n_queries, ROWS) * depth, np.float32)
    right, packed = np.empty(chunk * depth, np.float32), np.empty(0, np.float32)
    tile = np.empty((linalg.round_up(n_queries, ROWS), chunk), np.float32)
    linalg.pack_rows(queries, start, stop, left)
    for first in range(0, n_items, chunk):
        last = min(first + chunk, n_items)
        linalg.score_chunk(left, n_queries, items_t, packed, bias, first, last, right, tile)
        for r in range(n_queries):
            linalg.copy_row(tile[r, : last - first], out[start + r, first:last])


@kernel
def _dense_sparse(start: int, stop: int, profiles: Csr, matrix: Csr, out: OutMatrix) -> None:
    sums = np.zeros(out.shape[1], np.float64)
    for b in range(start, stop):
        linalg.add_sparse_product(profiles, b, matrix, sums)
        linalg.round_and_clear(sums, out[b])


@kernel
def _dense_profile(
    start: int, stop: int, profiles: Csr, matrix: Matrix, width: int, parts: int, out: OutMatrix
) -> None:
    """A unit is one of ``parts`` blocks of rows in a stripe of ``width`` columns."""
    indptr, indices, data = profiles
    for unit in range(start, stop):
        part, first = unit % parts, unit // parts * width
        last = min(first + width, out.shape[1])
        sums = np.zeros(last - first, np.float64)
        for b in range(part * _TALL, min(part * _TALL + _TALL, len(out))):
            for entry in range(indptr[b], indptr[b + 1]):
                weight = np.float64(data[entry])
                row = matrix[indices[entry], first:last]
                for column in range(len(sums)):
                    sums[column] += weight * np.float64(row[column])
            linalg.round_and_clear(sums, out[b, first:last])


@kernel
def _dense_max(
    start: int, stop: int, indptr: Pointers, indices: Indices, rows: Csr, columns: Csr,
    out: OutMatrix,
) -> None:  # fmt: skip
    n_items = out.shape[1]
    sums = np.zeros(n_items, np.float64)
    for b in range(start, stop):
        for entry in range(indptr[b], indptr[b + 1]):
            linalg.add_sparse_product(rows, indices[entry], columns, sums)
            for i in range(n_items):
                similarity = np.float32(sums[i])
                if entry == indptr[b] or similarity > out[b, i]:
                    out[b, i] = similarity
                sums[i] = 0.0


@kernel
def _pair_scores(
    start: int, stop: int, queries: Matrix, items: Matrix, indptr: Pointers, indices: Indices,
    out: OutVector,
) -> None:  # fmt: skip
    depth = queries.shape[1]
    for b in range(start, stop):
        for entry in range(indptr[b], indptr[b + 1]):
            item = indices[entry]
            total = np.float32(0.0)
            for p in range(depth):
                total += queries[b, p] * items[item, p]
            out[entry] = total


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
