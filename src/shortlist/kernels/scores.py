"""Dense blocks of scores (B, N), bit for bit those that :mod:`shortlist.kernels.topk` ranks.

For callers that need every score of a few queries: evaluation, blending, explanation. The caller
keeps B small; arrays are C-contiguous.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.compile import Indices, Matrix, OutMatrix, Pointers, Vector, kernel
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
from shortlist.kernels.threads import over_rows, share
from shortlist.kernels.vector import ROWS

_STRIPE: Final = 512  # columns of a dense matrix worked on together: 4 KiB of float64 sums


def dense_factors(queries: Matrix, items_t: Matrix, bias: Vector) -> OutMatrix:
    """Return ``out[b, n] = bias[n] + sum_p queries[b, p] * items_t[p, n]``, float32.

    Parameters
    ----------
    queries (B, f), items_t (f, N), bias (N,)
        float32.

    Examples
    --------
    >>> from shortlist.kernels.scores import dense_factors
    >>> dense_factors(
    ...     np.array([[1, 2]], np.float32),
    ...     np.array([[1, 0, 1], [0, 1, 1]], np.float32),
    ...     np.array([0, 0, 1], np.float32),
    ... )
    array([[1., 2., 4.]], dtype=float32)
    """
    out = np.empty((len(queries), items_t.shape[1]), np.float32)
    over_rows(
        lambda start, stop: _dense_factors(start, stop, queries, items_t, bias, out),
        len(queries),
        share(len(queries), QUERIES, ROWS),
    )
    return out


def dense_sparse(
    p_indptr: Pointers,
    p_indices: Indices,
    p_data: Vector,
    m_indptr: Pointers,
    m_indices: Indices,
    m_data: Vector,
    n_items: int,
) -> OutMatrix:
    """Return the product of sparse profiles (B, M) and a sparse matrix (M, N), as dense float32.

    Parameters
    ----------
    p_indptr, p_indices, p_data
        The profiles as CSR (B, M).
    m_indptr, m_indices, m_data
        The matrix as CSR (M, n_items).
    n_items
        N.

    Examples
    --------
    >>> from shortlist.kernels.scores import dense_sparse
    >>> dense_sparse(
    ...     np.array([0, 2]), np.array([0, 1], np.int32), np.array([1, 2], np.float32),
    ...     np.array([0, 1, 2]), np.array([1, 2], np.int32), np.array([3, 4], np.float32), 4,
    ... )
    array([[0., 3., 8., 0.]], dtype=float32)
    """
    n_queries = len(p_indptr) - 1
    out = np.empty((n_queries, n_items), np.float32)
    over_rows(
        lambda start, stop: _dense_sparse(
            start, stop, p_indptr, p_indices, p_data, m_indptr, m_indices, m_data, out
        ),
        n_queries,
        share(n_queries, QUERIES),
    )
    return out


def dense_profile(
    p_indptr: Pointers, p_indices: Indices, p_data: Vector, matrix: Matrix
) -> OutMatrix:
    """Return the product of sparse profiles (B, M) and a dense matrix (M, N), as dense float32.

    Parameters
    ----------
    p_indptr, p_indices, p_data
        The profiles as CSR (B, M).
    matrix (M, N)
        float32.

    Examples
    --------
    >>> from shortlist.kernels.scores import dense_profile
    >>> dense_profile(
    ...     np.array([0, 2]), np.array([0, 1], np.int32), np.array([1, 2], np.float32),
    ...     np.array([[0, 3, 0], [1, 0, 4]], np.float32),
    ... )
    array([[2., 3., 8.]], dtype=float32)
    """
    n_queries = len(p_indptr) - 1
    out = np.empty((n_queries, matrix.shape[1]), np.float32)
    # Blocks of columns, not of queries: a stripe of the matrix is read from memory once and stays
    # in the cache for all queries.
    over_rows(
        lambda start, stop: _dense_profile(start, stop, p_indptr, p_indices, p_data, matrix, out),
        matrix.shape[1],
        _STRIPE,
    )
    return out


@kernel
def _dense_factors(
    start: int, stop: int, queries: Matrix, items_t: Matrix, bias: Vector, out: OutMatrix
) -> None:
    depth, n_items = items_t.shape
    n_queries = stop - start
    chunk = items_per_chunk(depth)
    left = np.empty(groups(n_queries, ROWS) * ROWS * depth, np.float32)
    right = np.empty(chunk * depth, np.float32)
    tile = np.empty((groups(n_queries, ROWS) * ROWS, chunk), np.float32)
    flat = tile.reshape(-1)
    pack_rows(queries, start, stop, left)
    for first in range(0, n_items, chunk):
        last = min(first + chunk, n_items)
        pack_columns(items_t, first, last, right)
        for r in range(len(tile)):
            copy_row(bias[first:last], tile[r])
        add_products(left, n_queries, right, last - first, depth, flat, chunk)
        for r in range(n_queries):
            copy_row(tile[r, : last - first], out[start + r, first:last])


@kernel
def _dense_sparse(
    start: int, stop: int, p_indptr: Pointers, p_indices: Indices, p_data: Vector,
    m_indptr: Pointers, m_indices: Indices, m_data: Vector, out: OutMatrix,
) -> None:  # fmt: skip
    sums = np.zeros(out.shape[1], np.float64)
    for b in range(start, stop):
        add_sparse_row(
            p_indices, p_data, p_indptr[b], p_indptr[b + 1], m_indptr, m_indices, m_data, sums
        )
        round_and_clear(sums, out[b])


@kernel
def _dense_profile(
    start: int, stop: int, p_indptr: Pointers, p_indices: Indices, p_data: Vector,
    matrix: Matrix, out: OutMatrix,
) -> None:  # fmt: skip
    sums = np.zeros(stop - start, np.float64)
    for b in range(len(out)):
        for entry in range(p_indptr[b], p_indptr[b + 1]):
            weight = np.float64(p_data[entry])
            row = matrix[p_indices[entry], start:stop]
            for column in range(len(sums)):
                sums[column] += weight * np.float64(row[column])
        round_and_clear(sums, out[b, start:stop])
