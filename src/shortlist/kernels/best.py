"""The likeness of every item to the most like of several."""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.compile import Indices, OutMatrix, Pointers, Vector, kernel
from shortlist.kernels.products import add_sparse_row
from shortlist.kernels.threads import over_rows, share

_QUERIES: Final = 16  # queries a thread takes at a time


def dense_best(
    p_indptr: Pointers,
    p_indices: Indices,
    r_indptr: Pointers,
    r_indices: Indices,
    r_data: Vector,
    t_indptr: Pointers,
    t_indices: Indices,
    t_data: Vector,
    n_items: int,
) -> OutMatrix:
    """Return ``out[b, i] = max over j in p_b of r_j . r_i`` (B, N), float32; 0 for an empty p_b.

    Parameters
    ----------
    p_indptr (B + 1,), p_indices
        The chosen rows of each query.
    r_indptr, r_indices, r_data
        The rows to compare as CSR (N, d).
    t_indptr, t_indices, t_data
        The same, transposed (d, N).
    n_items
        N.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> rows = csr_array(np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32))
    >>> parts = [(m.indptr.astype(np.int64), m.indices, m.data) for m in (rows, rows.T.tocsr())]
    >>> dense_best(np.array([0, 2]), np.array([0, 1], np.int32), *parts[0], *parts[1], 3)
    array([[1. , 1. , 0.8]], dtype=float32)
    """
    n_queries = len(p_indptr) - 1
    out = np.zeros((n_queries, n_items), np.float32)
    over_rows(
        lambda start, stop: _dense_best(
            start, stop, p_indptr, p_indices, r_indptr, r_indices, r_data,
            t_indptr, t_indices, t_data, out,
        ),
        n_queries,
        share(n_queries, _QUERIES),
    )  # fmt: skip
    return out


@kernel
def _dense_best(
    start: int, stop: int, p_indptr: Pointers, p_indices: Indices,
    r_indptr: Pointers, r_indices: Indices, r_data: Vector,
    t_indptr: Pointers, t_indices: Indices, t_data: Vector, out: OutMatrix,
) -> None:  # fmt: skip
    n_items = out.shape[1]
    sums = np.zeros(n_items, np.float64)
    for b in range(start, stop):
        for entry in range(p_indptr[b], p_indptr[b + 1]):
            j = p_indices[entry]
            add_sparse_row(
                r_indices, r_data, r_indptr[j], r_indptr[j + 1], t_indptr, t_indices, t_data, sums
            )
            for i in range(n_items):
                likeness = np.float32(sums[i])
                if entry == p_indptr[b] or likeness > out[b, i]:
                    out[b, i] = likeness
                sums[i] = 0.0
