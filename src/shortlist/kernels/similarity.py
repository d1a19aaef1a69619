"""Cosine neighbours of sparse rows, the n best of each, without the full similarity matrix."""

from __future__ import annotations

from typing import Final

import numpy as np

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
_UNTOUCHED: Final = -0.0  # a sum nothing was added to: x + -0.0 is x, and never -0.0 for x > 0
_SPARSE: Final = 8  # base rows per product below which only the touched sums are looked at


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
    over_rows(
        lambda start, stop: _neighbors(
            start, stop, q_indptr, q_indices, q_data, t_indptr, t_indices, t_data,
            q_scale, b_scale, shrinkage, self_rows, identity, rows, values,
        ),
        n_queries,
        share(n_queries, _QUERIES),
    )  # fmt: skip
    return rows, values


@inlined
def _similarity(dot: float, q_scale: np.float32, b_scale: np.float32, shrinkage: float) -> float:
    scale = np.float64(q_scale) * np.float64(b_scale)
    return dot * scale if shrinkage == 0.0 else dot / (1.0 / scale + shrinkage)


@kernel
def _neighbors(
    start: int, stop: int, q_indptr: Pointers, q_indices: Indices, q_data: Vector,
    t_indptr: Pointers, t_indices: Indices, t_data: Vector, q_scale: Vector, b_scale: Vector,
    shrinkage: float, self_rows: Indices, identity: Indices, rows: OutIndices, values: OutMatrix,
) -> None:  # fmt: skip
    n_base = len(b_scale)
    held = min(rows.shape[1], n_base)
    if held == 0:
        return
    sums = np.full(n_base, _UNTOUCHED)
    untouched = sums.view(np.int64)  # compares bits: 0.0 == -0.0, but their bits differ
    mark = np.full(1, _UNTOUCHED).view(np.int64)[0]
    touched = np.empty(n_base // _SPARSE + 1, np.int32)
    row = np.empty(n_base, np.float32)
    heap = np.empty(held, np.int64)
    for b in range(start, stop):
        first, last = q_indptr[b], q_indptr[b + 1]
        products = 0
        for entry in range(first, last):
            products += t_indptr[q_indices[entry] + 1] - t_indptr[q_indices[entry]]
        size = 0
        if products * _SPARSE < n_base:
            n_touched = 0
            for entry in range(first, last):
                weight = np.float64(q_data[entry])
                for at in range(t_indptr[q_indices[entry]], t_indptr[q_indices[entry] + 1]):
                    other = t_indices[at]
                    if untouched[other] == mark:
                        touched[n_touched] = other
                        n_touched += 1
                    sums[other] += weight * np.float64(t_data[at])
            for other in touched[:n_touched]:
                value = np.float32(_similarity(sums[other], q_scale[b], b_scale[other], shrinkage))
                if other != self_rows[b]:
                    size = push(heap, size, key_of(value, other))
                sums[other] = _UNTOUCHED
        else:
            add_sparse_row(q_indices, q_data, first, last, t_indptr, t_indices, t_data, sums)
            for other in range(n_base):
                value = np.float32(_similarity(sums[other], q_scale[b], b_scale[other], shrinkage))
                row[other] = NEVER if untouched[other] == mark else value
                sums[other] = _UNTOUCHED
            if self_rows[b] >= 0:
                row[self_rows[b]] = NEVER
            size = offer(row, identity, heap, 0)
        write_best(heap, size, identity, rows[b], values[b])
