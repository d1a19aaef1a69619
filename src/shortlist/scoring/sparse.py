"""Helpers for SciPy's sparse rows, in the dtypes that the kernels are compiled for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.interactions import pointers as pointers
from shortlist.kernels.types import Csr


def csr_arrays(matrix: csr_array) -> Csr:
    """Return indptr, indices and data in the dtypes of the kernels, copied only if they differ."""
    return Csr(
        np.ascontiguousarray(matrix.indptr, dtype=np.int64),
        np.ascontiguousarray(matrix.indices, dtype=np.int32),
        np.ascontiguousarray(matrix.data, dtype=np.float32),
    )


def empty(n_rows: int, n_columns: int) -> csr_array:
    """Return a matrix without entries."""
    no_entries = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int32)
    return csr_array((*no_entries, np.zeros(n_rows + 1, np.int32)), shape=(n_rows, n_columns))


def one_hot(columns: NDArray[np.int32], n_columns: int) -> csr_array:
    """Return rows with a single 1 each, in the given columns."""  # (len(columns), n_columns)
    count = len(columns)
    ones = np.ones(count, dtype=np.float32)
    indptr = np.arange(count + 1, dtype=np.int32)
    return csr_array((ones, columns, indptr), shape=(count, n_columns))


def binary(matrix: csr_array) -> csr_array:
    """Replace every stored weight by 1."""
    ones = np.ones_like(matrix.data)
    return csr_array((ones, matrix.indices, matrix.indptr), shape=matrix.shape)


def transposed(matrix: csr_array) -> csr_array:
    """Return the transpose in CSR format, with ascending columns in each row."""
    rows = csr_array(matrix.T.tocsr())
    indptr = pointers(np.diff(rows.indptr))
    return csr_array(
        (rows.data, rows.indices.astype(indptr.dtype, copy=False), indptr), shape=rows.shape
    )


def consecutive_rows(matrix: csr_array, rows: slice) -> csr_array:
    """Return rows ``start`` to ``stop - 1``; their entries are not copied, as SciPy would."""
    indptr = matrix.indptr[rows.start : rows.stop + 1]
    entries = slice(indptr[0], indptr[-1])
    parts = matrix.data[entries], matrix.indices[entries], indptr - indptr[0]
    return csr_array(parts, shape=(len(indptr) - 1, matrix.shape[1]))


def row_entries(
    indptr: NDArray[np.int64], rows: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Select rows: return their new indptr and the positions of their entries."""
    lengths = indptr[rows + 1] - indptr[rows]
    selected = np.concatenate([[0], np.cumsum(lengths)])
    positions = np.arange(selected[-1]) + np.repeat(indptr[rows] - selected[:-1], lengths)
    return selected, positions


def columns_in_rows(
    matrix: csr_array, rows: NDArray[np.integer], columns: NDArray[np.integer]
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32]]]:
    """Yield the entries of each column in the given rows: positions in ``rows``, and values."""
    selected = matrix[rows][:, columns].tocsc()
    for start, stop in pairwise(selected.indptr):
        yield selected.indices[start:stop], selected.data[start:stop]


def row_sums(matrix: csr_array) -> NDArray[np.float64]:
    """Return the sum of each row, accumulated in float64."""  # (n_rows,)
    sums: NDArray[np.float64] = matrix @ np.ones(matrix.shape[1])
    return sums


def row_norms(matrix: csr_array) -> NDArray[np.float64]:
    """Return the Euclidean length of each row."""  # (n_rows,)
    squares = (matrix.data.astype(np.float64) ** 2, matrix.indices, matrix.indptr)
    return np.sqrt(row_sums(csr_array(squares, shape=matrix.shape)))


def inverse(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1/x, and 0 where x is 0."""
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)


def common_users(choices: csr_array) -> csr_array:
    """Return the items as rows of length 1 over their users; products are cosines.

    Items without users are empty rows.
    """  # (n_items, n_users)
    rows = transposed(choices)
    return row_scaled(rows, inverse(row_norms(rows)))


def row_scaled(matrix: csr_array, factors: NDArray[np.float64]) -> csr_array:
    """Multiply each row by its factor."""
    data = matrix.data * np.repeat(factors, np.diff(matrix.indptr))
    return csr_array((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def row_means(weights: csr_array, rows: csr_array) -> csr_array:
    """Return ``weights @ rows`` with each row divided by the sum of its weights."""
    return row_scaled(csr_array(weights @ rows), inverse(row_sums(weights)))
