"""The k best items of every query, without ever holding a score for every query and item.

Scores come in three shapes, with one function for each. All take the eligible items of each query
(:class:`~shortlist.kernels.types.EligibleItems`) and k, and return ``rows`` (B, k) int32, padded
with -1, and ``scores`` (B, k) float32, padded with NaN, best first. Scores must be finite.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from shortlist.kernels import linalg
from shortlist.kernels.checks import Shapes, size_of
from shortlist.kernels.compile import inlined, kernel
from shortlist.kernels.selection import (
    NEVER,
    add_to_ranks,
    ascending,
    emptied,
    forbid,
    forbid_ineligible,
    key_of,
    offer,
    push,
    rank_given,
    rank_increment,
    score_of,
    write_best,
)
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import (
    Csr,
    Doubles,
    EligibleItems,
    Floats,
    Given,
    Indices,
    Integers,
    Longs,
    Matrix,
    OutIndexMatrix,
    OutIndices,
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
_SPARSE_QUERIES: Final = 1_024  # for a thread at a time: clearing its sums takes as long as a few


def topk_factors(
    queries: Matrix, items_t: Matrix, eligible: EligibleItems, k: int,
    packed: Vector | None = None, given: Given | None = None,
) -> tuple[OutIndexMatrix, OutMatrix]:  # fmt: skip
    """Return the best items by ``score = sum_p query[p] * item[p]``.

    The items are the columns of ``items_t``. ``packed`` is their :func:`packed_items`, which saves
    packing them for each block of queries; the bits are the same.
    """
    shapes = Shapes().check("queries f32 B f, items_t f32 f N", queries, items_t)
    if packed is None:
        packed = np.empty(0, np.float32)
    else:
        Shapes(size=_packed_size(items_t)).check("packed f32 size", packed)
    selection = shapes.eligible(eligible)
    return _best(
        _topk_factors, len(queries), k, selection, shapes.given(given), queries, items_t, packed,
        multiple=ROWS,
    )  # fmt: skip


def packed_items(items_t: Matrix) -> Vector:
    """Return all items in the layout that :func:`topk_factors` multiplies with."""
    Shapes().check("items_t f32 f N", items_t)
    packed = np.empty(_packed_size(items_t), np.float32)
    _pack_items(items_t, packed)
    return packed


def topk_sparse(
    profiles: Csr, matrix: Csr, eligible: EligibleItems, k: int, given: Given | None = None
) -> tuple[OutIndexMatrix, OutMatrix]:
    """Return the best items by ``score = sum_m profile[m] * matrix[m, item]``, both sparse.

    Every item is a candidate, also one that shares no entry with the profile and scores 0.
    """
    shapes = Shapes()
    selection = shapes.eligible(eligible)
    profiles, matrix = shapes.product("profiles", profiles, "B", "matrix", matrix, "M", "N")
    return _best(
        _topk_sparse, shapes["B"], k, selection, shapes.given(given), profiles, matrix,
        most=_SPARSE_QUERIES,
    )  # fmt: skip


def topk_dense(
    block: Matrix, eligible: EligibleItems, k: int, given: Given | None = None
) -> tuple[OutIndexMatrix, OutMatrix]:
    """Return the best items of a block of scores (B, N), which is left as it is."""
    shapes = Shapes().check("block f32 B N", block)
    selection = shapes.eligible(eligible)
    return _best(_topk_dense, len(block), k, selection, shapes.given(given), block)


def topk_order(eligible: EligibleItems, k: int) -> OutIndexMatrix:
    """Return the first items in ``order`` that each query may get, padded with -1."""  # (B, k)
    shapes = Shapes()
    selection = shapes.eligible(eligible)
    rows = np.full((shapes["B"], size_of("k", k)), -1, np.int32)
    if rows.size:
        over_rows(_topk_order, len(rows), _SPARSE_QUERIES, *selection, rows)
    return rows


def _packed_size(items_t: Matrix) -> int:
    depth, n_items = items_t.shape
    return int(-(-n_items // COLUMNS) * COLUMNS * depth)


def _best(
    work: Any, n_queries: int, k: int, selection: tuple[EligibleItems, OutIndices], given: Given,
    *scored: Any, most: int = QUERIES, multiple: int = 1,
) -> tuple[OutIndexMatrix, OutMatrix]:  # fmt: skip
    """Run a kernel over blocks of queries; ``selection`` is the result of ``Shapes.eligible``."""
    shape = n_queries, size_of("k", k)
    rows, scores = np.full(shape, -1, np.int32), np.full(shape, np.nan, np.float32)
    if (rows.size or len(given.items)) and len(selection[0].order):
        over_rows(
            work, n_queries, most, *scored, *selection, given, rows, scores, multiple=multiple
        )
    return rows, scores


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
    start: int, stop: int, queries: Matrix, items_t: Matrix, packed: Vector,
    eligible: EligibleItems, row_of: Indices, given: Given, rows: OutIndexMatrix, scores: OutMatrix,
) -> None:  # fmt: skip
    """Write the best items of queries ``start`` to ``stop - 1``; ``packed`` may be empty."""
    excluded_indptr, excluded_indices, masks, mask_of, order = eligible
    depth, n_items = items_t.shape
    n_queries, held = stop - start, min(rows.shape[1], n_items)
    chunk = items_per_chunk(depth)
    left = np.empty(linalg.round_up(n_queries, ROWS) * depth, np.float32)
    right = np.empty(chunk * depth, np.float32)
    tile = np.empty((linalg.round_up(n_queries, ROWS), chunk), np.float32)
    bias = np.empty(0, np.float32)  # none
    heaps = np.empty((n_queries, held), np.int64)
    sizes = np.zeros(n_queries, np.int64)
    passed = np.zeros(n_queries, np.int64)  # how many exclusions of a sorted list lie behind
    linalg.pack_rows(queries, start, stop, left)
    own, own_start = np.empty(0, np.float32), 0  # the scores of the given items
    if len(given.items):
        own_start = given.indptr[start]
        own = np.empty(given.indptr[stop] - own_start, np.float32)
        for b in range(start, stop):
            for entry in range(given.indptr[b], given.indptr[b + 1]):
                score = linalg.score_of_pair(queries, b, items_t, given.items[entry])
                own[entry - own_start], given.ranks[entry] = score, 0.5
    for first in range(0, n_items, chunk):
        last = min(first + chunk, n_items)
        linalg.score_chunk(left, n_queries, items_t, packed, bias, first, last, right, tile)
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
            if len(given.items):
                add_to_ranks(run, first, given, b, own[given.indptr[b] - own_start :])
            sizes[r] = offer(run, order[first:last], heaps[r], sizes[r])
    for r in range(n_queries):
        write_best(heaps[r], sizes[r], row_of, rows[start + r], scores[start + r])


@kernel
def _topk_sparse(
    start: int, stop: int, profiles: Csr, matrix: Csr, eligible: EligibleItems, row_of: Indices,
    given: Given, rows: OutIndexMatrix, scores: OutMatrix,
) -> None:  # fmt: skip
    n_items = len(eligible.order)
    sums = np.full(n_items, linalg.UNTOUCHED)
    touched = np.empty(n_items + 1, np.int32)
    row = np.empty(n_items, np.float32)
    heap = np.empty(min(rows.shape[1], n_items), np.int64)
    for b in range(start, stop):
        if linalg.touches_few(profiles, b, matrix, n_items):
            size = _offer_touched(
                profiles, b, matrix, eligible, row_of, given, sums, touched, row, heap
            )
        else:
            linalg.add_sparse_product(profiles, b, matrix, sums)
            linalg.round_and_clear(sums, row)
            forbid_ineligible(row, eligible, b)
            if len(given.items):
                rank_given(row, given, b)
            size = offer(row, eligible.order, heap, emptied(heap))
        write_best(heap, size, row_of, rows[b], scores[b])


@inlined
def _offer_touched(
    profiles: Csr, b: int, matrix: Csr, eligible: EligibleItems, row_of: Integers, given: Given,
    sums: Doubles, touched: Integers, row: Floats, heap: Longs,
) -> int:  # fmt: skip
    """Offer the items of a sparse product, reading only those that it touches.

    All others score 0, and are offered in their order for as long as one of them gets in.
    """
    indptr, indices, masks, mask_of, order = eligible
    excluded, mask, bits = indices[indptr[b] : indptr[b + 1]], mask_of[b], sums.view(np.int64)
    candidates = len(order)
    if mask >= 0 and len(given.items):
        for is_allowed in masks[mask]:
            candidates -= not is_allowed
    for item in excluded:
        is_first = bits[item] == linalg.UNTOUCHED_BITS
        candidates -= is_first and (mask < 0 or masks[mask, item])
        sums[item] = NEVER  # and remains so, whatever is added
    count = linalg.add_touched(profiles, b, matrix, sums, touched)
    if len(given.items):  # for now their scores
        for entry in range(given.indptr[b], given.indptr[b + 1]):
            given.ranks[entry] = np.float32(sums[given.items[entry]])
    for position in range(count):
        item = np.uint32(touched[position])
        row[position] = np.float32(sums[item])
        sums[item] = linalg.UNTOUCHED
    if mask >= 0:
        for position in range(count):
            if not masks[mask, touched[position]]:
                row[position] = NEVER
    if len(given.items):
        _rank_touched(b, eligible, given, row[:count], candidates)
    size = offer(row[:count], order, heap, emptied(heap), touched)
    if size < len(heap) or (size and score_of(heap[0]) <= 0):
        for item in touched[:count]:
            sums[item] = 0.0
        for position in range(len(order)):
            key, item = key_of(np.float32(0.0), position), row_of[position]
            if size == len(heap) and key < heap[0]:
                break
            if bits[item] == linalg.UNTOUCHED_BITS and (mask < 0 or masks[mask, item]):
                size = push(heap, size, key)
        for item in touched[:count]:
            sums[item] = linalg.UNTOUCHED
    for item in excluded:
        sums[item] = linalg.UNTOUCHED
    return size


@inlined
def _rank_touched(
    b: int, eligible: EligibleItems, given: Given, row: Floats, candidates: int
) -> None:
    """Replace the scores of a query's given items by their ranks among its candidates.

    ``row`` has the scores of the touched items; all other candidates score 0.
    """
    masks, mask, untouched = eligible.masks, eligible.mask_of[b], candidates
    for score in row:
        untouched -= score != NEVER
    for entry in range(given.indptr[b], given.indptr[b + 1]):
        own = np.float32(given.ranks[entry])
        if own == NEVER or (mask >= 0 and not masks[mask, given.items[entry]]):
            given.ranks[entry] = np.inf
        else:
            others = 1.0 if own < 0 else 0.5 if own == 0 else 0.0
            given.ranks[entry] = 0.5 + rank_increment(row, own) + others * untouched


@kernel
def _topk_order(
    start: int, stop: int, eligible: EligibleItems, row_of: Indices, rows: OutIndexMatrix
) -> None:
    indptr, indices, masks, mask_of, order = eligible
    is_excluded = np.zeros(len(order), np.bool_)
    for b in range(start, stop):
        excluded, mask, size = indices[indptr[b] : indptr[b + 1]], mask_of[b], 0
        for item in excluded:
            is_excluded[item] = True
        for item in row_of:
            if size == rows.shape[1]:
                break
            if not is_excluded[item] and (mask < 0 or masks[mask, item]):
                rows[b, size] = item
                size += 1
        for item in excluded:
            is_excluded[item] = False


@kernel
def _topk_dense(
    start: int, stop: int, block: Matrix, eligible: EligibleItems, row_of: Indices, given: Given,
    rows: OutIndexMatrix, scores: OutMatrix,
) -> None:  # fmt: skip
    order = eligible.order
    row = np.empty(len(order), np.float32)
    heap = np.empty(min(rows.shape[1], len(order)), np.int64)
    for b in range(start, stop):
        linalg.copy_row(block[b], row)
        forbid_ineligible(row, eligible, b)
        if len(given.items):
            rank_given(row, given, b)
        size = offer(row, order, heap, emptied(heap))
        write_best(heap, size, row_of, rows[b], scores[b])
