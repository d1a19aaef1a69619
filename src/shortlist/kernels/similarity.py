"""Cosine neighbours of sparse rows, the n best of each, without the full similarity matrix."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.compile import (
    Indices,
    OutIndices,
    OutMatrix,
    Pointers,
    Vector,
    inlined,
    kernel,
)
from shortlist.kernels.products import add_sparse_row
from shortlist.kernels.selection import NEVER, key_of, offer, push, write_best
from shortlist.kernels.threads import over_rows, share

_QUERIES: Final = 32  # rows a thread takes at a time
_BLOCK: Final = 1024  # sums that are finished and offered together: what is between stays in L1
_SPARSE: Final = 8  # with fewer products than this part of the base, only those are looked at

# A sum to which nothing was added is told by the sign of its zero: -0.0 + x is x, and x - x is 0.0.
_UNTOUCHED: Final = -0.0
_UNTOUCHED_BITS: Final = -(2**63)

Doubles = NDArray[np.float64]
Longs = NDArray[np.int64]


def neighbors(
    q_indptr: Pointers,
    q_indices: Indices,
    q_data: Vector,
    t_indptr: Pointers,
    t_indices: Indices,
    t_data: Vector,
    q_scale: Vector,
    b_scale: Vector,
    shrinkage: float,
    self_rows: Indices,
    n: int,
) -> tuple[OutIndices, OutMatrix]:
    """Return the ``n`` base rows most similar to each query row.

    ``similarity = dot(q, b) / (|q| |b| + shrinkage)``, dot products in float64. Only rows that
    share a column with the query are neighbours. Of equal similarities the smaller row comes first.

    Parameters
    ----------
    q_indptr (B + 1,), q_indices, q_data
        The query rows as CSR (B, M).
    t_indptr (M + 1,), t_indices, t_data
        The base matrix transposed, as CSR (M, rows of the base).
    q_scale (B,), b_scale (rows of the base,)
        float32 ``1 / |row|`` (ones: no normalisation; zero for an empty row).
    shrinkage
        0 or more.
    self_rows (B,)
        The base row that is the query itself and is left out; -1: none.
    n
        How many neighbours, at most; the number of base rows for all of them.

    Returns
    -------
    rows (B, n) int32
        Padded with -1.
    values (B, n) float32
        The similarities, best first, padded with 0.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from shortlist.kernels.similarity import neighbors
    >>> base = csr_array(np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], np.float32))
    >>> turned = base.T.tocsr()
    >>> scale = np.array([0.5**0.5, 0.5**0.5, 1], np.float32)
    >>> rows, values = neighbors(
    ...     base.indptr.astype(np.int64), base.indices, base.data,
    ...     turned.indptr.astype(np.int64), turned.indices, turned.data,
    ...     scale, scale, 0.0, np.arange(3, dtype=np.int32), 1,
    ... )
    >>> rows.ravel().tolist(), values.ravel().round(4).tolist()
    ([1, 0, -1], [1.0, 1.0, 0.0])
    """
    n_queries = len(q_indptr) - 1
    rows = np.full((n_queries, n), -1, np.int32)
    values = np.zeros((n_queries, n), np.float32)
    identity = np.arange(len(b_scale), dtype=np.int32)
    binary = bool((t_data == 1).all())  # the usual case, and a third faster
    over_rows(
        lambda start, stop: _neighbors(
            start, stop, q_indptr, q_indices, q_data, t_indptr, t_indices, t_data,
            q_scale, b_scale, shrinkage, self_rows, identity, binary, rows, values,
        ),
        n_queries,
        share(n_queries, _QUERIES),
    )  # fmt: skip
    return rows, values


@inlined
def _similarity(dot: float, scale: float, shrinkage: float) -> np.float32:
    return np.float32(dot * scale if shrinkage == 0.0 else dot / (1.0 / scale + shrinkage))


@inlined
def _push_touched(
    indices: Indices, data: Vector, t_indptr: Pointers, t_indices: Indices, t_data: Vector,
    q_scale: float, b_scale: Vector, shrinkage: float, own: int,
    sums: Doubles, touched: Indices, heap: Longs,
) -> int:  # fmt: skip
    """Offer the base rows that a short query touches, without a look at the others."""
    bits, n_touched, size = sums.view(np.int64), 0, 0
    for entry in range(len(indices)):
        weight, column = np.float64(data[entry]), indices[entry]
        for at in range(t_indptr[column], t_indptr[column + 1]):
            other = t_indices[at]
            if bits[other] == _UNTOUCHED_BITS:
                touched[n_touched] = other
                n_touched += 1
            sums[other] += weight * np.float64(t_data[at])
    for other in touched[:n_touched]:
        if other != own:
            value = _similarity(sums[other], q_scale * np.float64(b_scale[other]), shrinkage)
            size = push(heap, size, key_of(value, other))
        sums[other] = _UNTOUCHED
    return size


@inlined
def _finish(sums: Doubles, q_scale: float, b_scale: Vector, shrinkage: float, row: Vector) -> None:
    """Turn finished sums into similarities, and clear them for the next query."""
    bits = sums.view(np.int64)
    for at in range(len(row)):
        value = _similarity(sums[at], q_scale * np.float64(b_scale[at]), shrinkage)
        row[at] = NEVER if bits[at] == _UNTOUCHED_BITS else value
        sums[at] = _UNTOUCHED


@kernel
def _neighbors(
    start: int, stop: int, q_indptr: Pointers, q_indices: Indices, q_data: Vector,
    t_indptr: Pointers, t_indices: Indices, t_data: Vector, q_scale: Vector, b_scale: Vector,
    shrinkage: float, self_rows: Indices, identity: Indices, binary: bool,
    rows: OutIndices, values: OutMatrix,
) -> None:  # fmt: skip
    n_base = len(b_scale)
    held = min(rows.shape[1], n_base)
    if held == 0:
        return
    sums = np.full(n_base, _UNTOUCHED)
    touched = np.empty(n_base // _SPARSE + 1, np.int32)
    row = np.empty(min(_BLOCK, n_base), np.float32)
    heap = np.empty(held, np.int64)
    for b in range(start, stop):
        first, last = q_indptr[b], q_indptr[b + 1]
        own, scale, size, products = self_rows[b], np.float64(q_scale[b]), 0, 0
        for column in q_indices[first:last]:
            products += t_indptr[column + 1] - t_indptr[column]
        if products * _SPARSE < n_base:
            size = _push_touched(
                q_indices[first:last], q_data[first:last], t_indptr, t_indices, t_data,
                scale, b_scale, shrinkage, own, sums, touched, heap,
            )  # fmt: skip
        else:
            if binary:
                for entry in range(first, last):
                    weight, column = np.float64(q_data[entry]), q_indices[entry]
                    for other in t_indices[t_indptr[column] : t_indptr[column + 1]]:
                        sums[np.uint32(other)] += weight
            else:
                add_sparse_row(q_indices, q_data, first, last, t_indptr, t_indices, t_data, sums)
            for lowest in range(0, n_base, _BLOCK):
                end = min(lowest + _BLOCK, n_base)
                run = row[: end - lowest]
                _finish(sums[lowest:end], scale, b_scale[lowest:end], shrinkage, run)
                if lowest <= own < end:
                    run[own - lowest] = NEVER
                size = offer(run, identity[lowest:end], heap, size)
        write_best(heap, size, identity, rows[b], values[b])
