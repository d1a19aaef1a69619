"""The inverse and leading vectors of large matrices, with the same bits on any number of cores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_lapack_funcs
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from shortlist.kernels.scores import dense_profile
from shortlist.kernels.threads import over_rows
from shortlist.progress import track
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import csr_arrays, transposed

_BLOCK = 256  # rows and columns of a block: after each, the bar moves and Ctrl-C is noticed
_STRIP = 512  # rows or columns of one product

_OVERSAMPLING = 32  # vectors beyond those wanted, which make these accurate
_ITERATIONS = 8  # each multiplies by A'A once
_DEPENDENT = 1e-9  # a direction of this share of the largest square is near float32's noise
_ROWS = 65_536  # for a thread at a time; the last bits depend on it


def invert(matrix: NDArray[Any], ridge: float, label: str) -> bool:
    """Replace a symmetric matrix A by ``(A + ridge I)^-1``; return whether that was possible.

    Block by block: ``A + ridge I = LL'``, then ``L^-1``, then ``L^-1' L^-1``, all below the
    diagonal of the same array. Threads share the products of a block. A product has the same shape
    whatever their number and runs on one thread of BLAS, so the bits are the same.
    """
    matrix[np.diag_indices_from(matrix)] += matrix.dtype.type(ridge)
    blocks = pieces(0, len(matrix), _BLOCK)
    with threadpool_limits(1, user_api="blas"):
        if not _replace_by_inverse_factor(matrix, blocks, label):
            return False
        for k in track(blocks, f"{label}: inverse", alike=False):
            panel = np.ascontiguousarray(matrix[k.start :, k].T)
            strips = pieces(0, k.stop, _STRIP)
            in_parallel(_multiply, strips, matrix, k, panel)
        in_parallel(_mirror, blocks, matrix)
    return True


def pieces(start: int, stop: int, size: int) -> list[slice]:
    """Cut a range into slices of one size; the last may be shorter."""
    return [slice(first, min(first + size, stop)) for first in range(start, stop, size)]


def in_parallel(work: Callable[..., None], slices: list[slice], *arguments: Any) -> None:
    """Call ``work(slice, *arguments)`` for each slice, several at a time."""

    def some(start: int, stop: int) -> None:
        for piece in slices[start:stop]:
            work(piece, *arguments)

    over_rows(some, len(slices), 1)


def _replace_by_inverse_factor(matrix: NDArray[Any], blocks: list[slice], label: str) -> bool:
    """Replace A by ``L^-1`` of ``A = LL'``, below the diagonal; return whether A is positive."""
    lapack: Any = get_lapack_funcs(("potrf", "trtri"), (matrix,))
    cholesky, invert_triangle = lapack
    for k in track(blocks, f"{label}: Cholesky factor", work=_work(len(blocks))):
        in_parallel(_subtract, pieces(k.start, len(matrix), _STRIP), matrix, k)
        factor, failed = cholesky(matrix[k, k], lower=True)
        if failed:
            return False
        matrix[k, k], _ = invert_triangle(factor, lower=True)
        in_parallel(_solve, pieces(k.stop, len(matrix), _STRIP), matrix, k)
    for row, k in enumerate(track(blocks, f"{label}: inverse factor", alike=False)):
        panel = matrix[k, : k.start].copy()
        in_parallel(_invert_block, blocks[:row], matrix, k, panel)
    return True


def _work(count: int) -> list[float]:
    """Return the products of blocks in the steps of the factor, and then of the inverse."""
    steps = range(count)
    factor = [(count - k) * (k + 1) for k in steps]
    return [*factor, *((k + 1) * (k + 2) / 2 for k in steps), *factor]


def _subtract(rows: slice, matrix: NDArray[Any], k: slice) -> None:
    """Subtract what the finished columns of the factor contribute to a block of columns."""
    matrix[rows, k] -= matrix[rows, : k.start] @ matrix[k, : k.start].T


def _solve(rows: slice, matrix: NDArray[Any], k: slice) -> None:
    """Divide rows of a block of columns by the factor's block on the diagonal, already inverted."""
    matrix[rows, k] = matrix[rows, k] @ matrix[k, k].T


def _invert_block(j: slice, matrix: NDArray[Any], k: slice, panel: NDArray[Any]) -> None:
    """Compute block (k, j) of the inverse factor from the rows k of the factor, in ``panel``."""
    products = panel[:, j.start :] @ matrix[j.start : k.start, j]
    matrix[k, j] = -(matrix[k, k] @ products)


def _multiply(columns: slice, matrix: NDArray[Any], k: slice, panel: NDArray[Any]) -> None:
    """Compute rows k of ``L^-1' L^-1``; ``panel`` has the columns k of ``L^-1``, transposed."""
    matrix[k, columns] = panel @ matrix[k.start :, columns]


def _mirror(k: slice, matrix: NDArray[Any]) -> None:
    """Copy the lower triangle to the upper one, for a block of rows."""
    matrix[k, k.stop :] = matrix[k.stop :, k].T
    matrix[k, k] = np.tril(matrix[k, k]) + np.tril(matrix[k, k], -1).T


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
    width = min(count + _OVERSAMPLING, *matrix.shape)
    rng = np.random.default_rng(seed)
    basis = rng.normal(size=(matrix.shape[1], width)).astype(np.float32)
    for _ in track(range(_ITERATIONS), "singular vectors"):
        basis = _orthonormal(dense_profile(columns, dense_profile(rows, basis)))
    _, vectors = np.linalg.eigh(_gram(dense_profile(rows, basis)))  # ascending
    return _product(basis, vectors[:, ::-1][:, :count].astype(np.float32))


def _orthonormal(vectors: Floats) -> Floats:
    """Return an orthonormal basis of the columns; twice, for float32."""
    for _ in range(2):
        values, directions = np.linalg.eigh(_gram(vectors))
        kept = values > _DEPENDENT * values.max(initial=0)  # none of a matrix of zeros
        vectors = _product(
            vectors, (directions[:, kept] / np.sqrt(values[kept])).astype(np.float32)
        )
    return vectors


def _gram(vectors: Floats) -> NDArray[np.float64]:
    """Return V'V, in float64."""  # (count, count)
    grams = {}

    def work(block: slice) -> None:
        rows = vectors[block].astype(np.float64)
        grams[block.start] = rows.T @ rows

    in_parallel(work, pieces(0, len(vectors), _ROWS))
    total = np.zeros((vectors.shape[1],) * 2)
    for start in sorted(grams):
        total += grams[start]
    return total


def _product(vectors: Floats, square: Floats) -> Floats:
    """Return vectors (n, f) times a matrix (f, k)."""
    out = np.empty((len(vectors), square.shape[1]), np.float32)

    def work(block: slice) -> None:
        np.matmul(vectors[block], square, out=out[block])

    in_parallel(work, pieces(0, len(vectors), _ROWS))
    return out
