"""The leading singular vectors of a large sparse matrix, by seeded subspace iteration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from shortlist.kernels.scores import dense_profile
from shortlist.kernels.threads import over_rows
from shortlist.progress import track
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import csr_arrays, transposed

_MORE = 32  # vectors beyond those wanted, which make these accurate
_ROUNDS = 8  # each multiplies by A'A once
_DEPENDENT = 1e-9  # a direction of this share of the largest square is near float32's noise
_BLOCK = 65_536  # rows for a thread at a time; the last bits depend on it


def leading_vectors(matrix: csr_array, count: int, seed: int) -> Floats:
    """Return the right singular vectors of the ``count`` largest singular values, one a column.

    There are fewer if the rank is lower. Halko, Martinsson & Tropp (SIAM Review 2011), algorithm
    4.4, on the smaller side of the matrix: time and memory grow with (rows + columns) x count.
    """  # (n_columns, <= count)
    # One BLAS thread: with more, the last bits depend on their number.
    with threadpool_limits(1, user_api="blas"):
        if matrix.shape[0] >= matrix.shape[1]:
            return _leading(matrix, count, seed)
        columns = transposed(matrix)
        right = dense_profile(csr_arrays(columns), _leading(columns, count, seed))
        lengths: Floats = np.sqrt(np.diag(_gram(right))).astype(np.float32)
        return right / lengths


def _leading(matrix: csr_array, count: int, seed: int) -> Floats:
    """Iterate on the columns of the matrix, then sort by singular value."""
    rows, columns = csr_arrays(matrix), csr_arrays(transposed(matrix))
    width = min(count + _MORE, *matrix.shape)
    rng = np.random.default_rng(seed)
    basis = rng.normal(size=(matrix.shape[1], width)).astype(np.float32)
    for _ in track(range(_ROUNDS), "singular vectors"):
        basis = _orthonormal(dense_profile(columns, dense_profile(rows, basis)))
    _, vectors = np.linalg.eigh(_gram(dense_profile(rows, basis)))  # ascending
    return _product(basis, vectors[:, ::-1][:, :count].astype(np.float32))


def _orthonormal(vectors: Floats) -> Floats:
    """Return an orthonormal basis of the columns; twice, for float32."""
    for _ in range(2):
        values, directions = np.linalg.eigh(_gram(vectors))
        kept = values > _DEPENDENT * values[-1]
        vectors = _product(
            vectors, (directions[:, kept] / np.sqrt(values[kept])).astype(np.float32)
        )
    return vectors


def _gram(vectors: Floats) -> NDArray[np.float64]:
    """Return V'V, in float64."""  # (count, count)
    grams = {}

    def work(start: int, stop: int) -> None:
        rows = vectors[start:stop].astype(np.float64)
        grams[start] = rows.T @ rows

    _over_blocks(work, len(vectors))
    total = np.zeros((vectors.shape[1],) * 2)
    for start in sorted(grams):
        total += grams[start]
    return total


def _product(vectors: Floats, square: Floats) -> Floats:
    """Return vectors (n, f) times a matrix (f, k)."""
    out = np.empty((len(vectors), square.shape[1]), np.float32)

    def work(start: int, stop: int) -> None:
        np.matmul(vectors[start:stop], square, out=out[start:stop])

    _over_blocks(work, len(vectors))
    return out


def _over_blocks(work: Callable[[int, int], None], count: int) -> None:
    """Work on blocks of rows that are the same for any number of threads."""

    def blocks(first: int, last: int) -> None:
        for block in range(first, last):
            work(block * _BLOCK, min(block * _BLOCK + _BLOCK, count))

    over_rows(blocks, -(-count // _BLOCK), 1)
