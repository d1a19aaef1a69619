"""Cosine neighbours of sparse rows, the n best of each, without the full similarity matrix."""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.checks import Shapes, in_range, size_of
from shortlist.kernels.compile import inlined, kernel
from shortlist.kernels.linalg import (
    UNTOUCHED,
    UNTOUCHED_BITS,
    add_sparse_product,
    add_touched,
    touches_few,
)
from shortlist.kernels.selection import NEVER, emptied, offer, write_best
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import (
    Csr,
    Doubles,
    Floats,
    Indices,
    Integers,
    OutIndexMatrix,
    OutMatrix,
    Pointers,
    Vector,
)

_QUERIES: Final = 256  # queries for a thread at a time
_BLOCK: Final = 1024  # sums that are finished and offered together, while they are in the L1 cache


def neighbors(
    queries: Csr, columns: Csr, query_scale: Vector, base_scale: Vector, shrinkage: float,
    self_rows: Indices, n: int,
) -> tuple[OutIndexMatrix, OutMatrix]:  # fmt: skip
    """Return the ``n`` base rows most similar to each query row: rows (B, n), and similarities.

    ``similarity = dot(q, b) / (|q| |b| + shrinkage)``, dot products in float64; the scales are ``1
    / |row|`` (ones: no normalisation; zero for an empty row). ``columns`` are the base rows
    transposed. Only rows that share a column with the query are neighbours, and not its own row in
    ``self_rows`` (-1: none). Of equal similarities the smaller row comes first; rows are padded
    with -1 and similarities with 0.
    """
    shapes = Shapes().check("query_scale f32 B, base_scale f32 N", query_scale, base_scale)
    queries, columns = shapes.product("queries", queries, "B", "columns", columns, "M", "N")
    shapes.check("self_rows i32 B", self_rows)
    in_range("self_rows", self_rows, shapes["N"], least=-1)
    shape = len(self_rows), size_of("n", n)
    rows, values = np.full(shape, -1, np.int32), np.zeros(shape, np.float32)
    identity = np.arange(shapes["N"], dtype=np.int32)
    binary = bool((columns.data == 1).all())  # the usual case, and a third faster
    if rows.size and len(identity):
        over_rows(
            _neighbors, len(rows), _QUERIES, queries, columns, query_scale, base_scale, shrinkage,
            self_rows, identity, binary, rows, values,
        )  # fmt: skip
    return rows, values


@inlined
def _similarity(product: float, scale: float, shrinkage: float) -> np.float32:
    return np.float32(product * scale if shrinkage == 0.0 else product / (1.0 / scale + shrinkage))


@inlined
def _finish_touched(
    sums: Doubles, touched: Integers, query_scale: float, base_scale: Floats, shrinkage: float,
    row: Floats,
) -> None:  # fmt: skip
    """Turn the sums of touched base rows into similarities, and clear them."""
    for position in range(len(touched)):
        other = np.uint32(touched[position])
        scale = query_scale * np.float64(base_scale[other])
        row[position] = _similarity(sums[other], scale, shrinkage)
        sums[other] = UNTOUCHED


@inlined
def _finish(
    sums: Doubles, query_scale: float, base_scale: Floats, shrinkage: float, row: Floats
) -> None:
    """Turn finished sums into similarities, and clear them for the next query."""
    bits = sums.view(np.int64)
    for other in range(len(row)):
        value = _similarity(sums[other], query_scale * np.float64(base_scale[other]), shrinkage)
        row[other] = NEVER if bits[other] == UNTOUCHED_BITS else value
        sums[other] = UNTOUCHED


@kernel
def _neighbors(
    start: int, stop: int, queries: Csr, columns: Csr, query_scale: Vector, base_scale: Vector,
    shrinkage: float, self_rows: Indices, identity: Indices, binary: bool,
    rows: OutIndexMatrix, values: OutMatrix,
) -> None:  # fmt: skip
    q_indptr, q_indices, q_data = queries
    c_indptr, c_indices, _ = columns
    n_base = len(base_scale)
    sums = np.full(n_base, UNTOUCHED)
    touched = np.empty(n_base + 1, np.int32)
    row = np.empty(min(_BLOCK, n_base), np.float32)
    heap = np.empty(min(rows.shape[1], n_base), np.int64)
    for b in range(start, stop):
        own, scale, size = self_rows[b], np.float64(query_scale[b]), emptied(heap)
        if touches_few(queries, b, columns, n_base):
            count = add_touched(queries, b, columns, sums, touched)
            for first in range(0, count, _BLOCK):
                some = touched[first : min(first + _BLOCK, count)]
                _finish_touched(sums, some, scale, base_scale, shrinkage, row)
                if own >= 0:
                    for position in range(len(some)):
                        row[position] = NEVER if some[position] == own else row[position]
                size = offer(row[: len(some)], identity, heap, size, some)
        else:
            if binary:
                for entry in range(q_indptr[b], q_indptr[b + 1]):
                    weight, column = np.float64(q_data[entry]), q_indices[entry]
                    for other in c_indices[c_indptr[column] : c_indptr[column + 1]]:
                        sums[np.uint32(other)] += weight
            else:
                add_sparse_product(queries, b, columns, sums)
            for lowest in range(0, n_base, _BLOCK):
                end = min(lowest + _BLOCK, n_base)
                run = row[: end - lowest]
                _finish(sums[lowest:end], scale, base_scale[lowest:end], shrinkage, run)
                if lowest <= own < end:
                    run[own - lowest] = NEVER
                size = offer(run, identity[lowest:end], heap, size)
        write_best(heap, size, identity, rows[b], values[b])


def common_choices(
    histories: Csr, indptr: Pointers, items: Indices, nearest: Csr, lengths: Vector
) -> OutMatrix:
    """Return how each item of a list relates to the query's history, by the users in common.

    Query b has the items ``items[indptr[b] : indptr[b + 1]]``. ``nearest`` (N, N) holds the cosines
    of each item and its neighbours, ``|i & j| / (lengths[i] lengths[j])``, where ``|i & j|`` counts
    the users in common, and a length is the root of the number of users. The four columns, over
    the neighbours of the item in the history: the sum of the cosines, the largest one, the sum of
    the users in common, and the largest share that these are of the neighbour's users.
    """
    shapes = Shapes().check("lengths f32 N", lengths)
    histories = shapes.csr("histories", histories, "B", "N")
    nearest = shapes.csr("nearest", nearest, "N", "N")
    shapes.lists("indptr", indptr, "items", items, "B", "N")
    out = np.zeros((len(items), 4), np.float32)
    over_rows(
        _common_choices,
        shapes["B"],
        _QUERIES,
        histories,
        indptr,
        items,
        nearest,
        lengths,
        out,
    )
    return out


@kernel
def _common_choices(
    start: int, stop: int, histories: Csr, indptr: Pointers, items: Indices, nearest: Csr,
    lengths: Vector, out: OutMatrix,
) -> None:  # fmt: skip
    in_history = np.zeros(len(lengths), np.bool_)
    for b in range(start, stop):
        history = histories.indices[histories.indptr[b] : histories.indptr[b + 1]]
        for item in history:
            in_history[item] = True
        for position in range(indptr[b], indptr[b + 1]):
            item = items[position]
            total, largest, shared, share = 0.0, 0.0, 0.0, 0.0
            for entry in range(nearest.indptr[item], nearest.indptr[item + 1]):
                other = nearest.indices[entry]
                if in_history[other]:
                    cosine, length = np.float64(nearest.data[entry]), np.float64(lengths[other])
                    total += cosine
                    largest = max(largest, cosine)
                    shared += cosine * length
                    share = max(share, cosine / length)
            out[position, 0] = total
            out[position, 1] = largest
            out[position, 2] = shared * lengths[item]
            out[position, 3] = share * lengths[item]
        for item in history:
            in_history[item] = False
