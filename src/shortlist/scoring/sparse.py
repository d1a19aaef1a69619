"""Small helpers around SciPy's sparse rows, in the dtypes the kernels are compiled for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.kernels.types import Csr


def parts(matrix: csr_array) -> Csr:
    """Give indptr, indices and data as int64, int32 and float32; a copy only where they differ."""
    return Csr(
        np.ascontiguousarray(matrix.indptr, dtype=np.int64),
        np.ascontiguousarray(matrix.indices, dtype=np.int32),
        np.ascontiguousarray(matrix.data, dtype=np.float32),
    )


def empty(n_rows: int, n_columns: int) -> csr_array:
    """Give a matrix without entries."""
    no_entries = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int32)
    return csr_array((*no_entries, np.zeros(n_rows + 1, np.int64)), shape=(n_rows, n_columns))


def transposed(matrix: csr_array) -> csr_array:
    """Give the transpose, again in rows, with each row in ascending order."""
    return csr_array(matrix.T.tocsr())


def row_sums(matrix: csr_array) -> NDArray[np.float64]:
    """Give the sum of each row, added up in float64."""  # (n_rows,)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    sums = np.bincount(rows, weights=matrix.data, minlength=matrix.shape[0])
    return sums.astype(np.float64)  # of no rows at all, bincount gives whole numbers


def row_norms(matrix: csr_array) -> NDArray[np.float64]:
    """Give the Euclidean length of each row."""  # (n_rows,)
    squares = (matrix.data.astype(np.float64) ** 2, matrix.indices, matrix.indptr)
    return np.sqrt(row_sums(csr_array(squares, shape=matrix.shape)))


def inverse(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give 1/x, and 0 where x is 0."""
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)


def row_scaled(matrix: csr_array, factors: NDArray[np.float64]) -> csr_array:
    """Multiply each row by its factor."""
    data = matrix.data * np.repeat(factors, np.diff(matrix.indptr))
    return csr_array((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
