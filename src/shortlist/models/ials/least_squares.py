"""The half-steps of implicit ALS: vectors of rows, with those of the columns fixed."""

from __future__ import annotations

from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist import engine
from shortlist.errors import NumericalError
from shortlist.kernels.als import solve_cg, solve_exact
from shortlist.kernels.products import gram, multiply
from shortlist.kernels.ridge import solve_double
from shortlist.machine import one_blas_thread
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import consecutive_rows, csr_arrays

_ROWS: Final = 8_192  # at a time: rotating in place takes no second array
_MAX_STEPS: Final = 4  # of conjugate gradients per row and epoch; a row takes fewer
_TOLERANCE: Final = 0.02  # of the excess loss of a row: as good as exact solutions


class Basis(NamedTuple):
    """The eigenvalues of a Gram matrix V'V, from large to small, and its eigenvectors."""

    values: NDArray[np.float64]  # (f,)
    vectors: Floats  # (f, f), one a column

    @classmethod
    def of(cls, vectors: Floats) -> Basis | None:
        """Return that of V'V; None if it is not finite in float64."""
        return cls.of_gram(gram(vectors))

    @classmethod
    def of_gram(cls, products: NDArray[np.float64]) -> Basis | None:
        """Return that of a Gram matrix; None if it is not finite."""
        if not np.isfinite(products).all():
            return None
        with one_blas_thread():
            values, directions = np.linalg.eigh(products)
        ordered = np.ascontiguousarray(directions[:, ::-1], dtype=np.float32)
        return cls(np.maximum(values[::-1], 0), ordered)


def distinct(numbers: NDArray[np.int32], bound: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the distinct numbers below a bound, ascending, and the position of each there."""
    occurs = np.zeros(bound, bool)
    occurs[numbers] = True
    values = np.flatnonzero(occurs).astype(np.int32)
    positions = np.empty(bound, np.int32)
    positions[values] = np.arange(len(values), dtype=np.int32)
    return values, positions[numbers]


def rotate(vectors: Floats, basis: Basis, *, back: bool = False) -> Floats:
    """Rotate vectors (n, f) into a basis, or back from it, in place; return them."""
    directions = np.ascontiguousarray(basis.vectors.T) if back else basis.vectors
    for start in range(0, len(vectors), _ROWS):
        rows = vectors[start : start + _ROWS]
        rows[:] = multiply(rows, directions)
    return vectors


def finite_rows(vectors: Floats) -> NDArray[np.bool_]:
    """Return which vectors (n, f) have no NaN and nothing infinite."""  # (n,)
    finite = np.empty(len(vectors), bool)
    for start in range(0, len(vectors), _ROWS):
        rows = slice(start, start + _ROWS)
        finite[rows] = np.isfinite(vectors[rows]).all(axis=1)
    return finite


class Solver(NamedTuple):
    """The settings of the half-steps; rows of a matrix are solved for, in blocks by the engine."""

    name: str  # of the model, for errors
    embedding_size: int
    regularization: float
    unobserved_weight: float
    frequency_exponent: float
    steps: int | None  # of conjugate gradients; None: as many as a row needs

    @property
    def max_steps(self) -> int:
        """The conjugate-gradient steps after which a row stops."""
        return _MAX_STEPS if self.steps is None else self.steps

    @property
    def tolerance(self) -> float:
        """The share of its excess loss at which a row stops earlier."""
        return _TOLERANCE if self.steps is None else 0.0

    def shared(self, basis: Basis) -> NDArray[np.float64]:
        """Return the diagonal that unobserved pairs add to the system of every row."""  # (f,)
        return self.unobserved_weight * basis.values

    def penalties(self, counts: NDArray[np.integer], n_columns: int) -> NDArray[np.float64]:
        """Return the regularization of rows with n interactions: lambda (n + alpha columns)^nu."""
        frequencies = counts.astype(np.float64) + self.unobserved_weight * n_columns
        penalties: NDArray[np.float64] = self.regularization * frequencies**self.frequency_exponent
        return penalties

    def improve(
        self, matrix: csr_array, start: Floats | None, fixed: Floats, basis: Basis
    ) -> tuple[Floats, NDArray[np.float64]]:
        """Improve vectors of rows, in the basis; return them, and their losses with penalties.

        ``start`` is overwritten with them. Without it they are solved for exactly.
        """
        out = np.empty((matrix.shape[0], fixed.shape[1]), np.float32) if start is None else start
        return out, self._over_rows(matrix, fixed, basis, start, out)

    def exactly(
        self, matrix: csr_array, columns: Floats, basis: Basis | None, out: Floats | None = None
    ) -> Floats:
        """Solve exactly for the vectors (B, f) of rows, such as users with these histories.

        They are written to ``out``, if it is given.
        """
        basis = self.checked(basis, matrix)
        n_columns = matrix.shape[1]
        if matrix.nnz < n_columns:  # only the columns that occur are rotated
            chosen, known = distinct(matrix.indices, n_columns)
            matrix = csr_array((matrix.data, known, matrix.indptr), (matrix.shape[0], len(chosen)))
            columns = columns[chosen]
        rotated = multiply(columns, basis.vectors)
        if out is None:
            out = np.empty((matrix.shape[0], columns.shape[1]), np.float32)
        self._over_rows(matrix, rotated, basis, None, out, n_columns)
        return rotate(out, basis, back=True)

    def _over_rows(
        self,
        matrix: csr_array,
        fixed: Floats,
        basis: Basis,
        start: Floats | None,
        out: Floats,
        n_columns: int | None = None,
    ) -> NDArray[np.float64]:
        """Solve for the vectors of the rows, in float64 where float32 fails; return the losses.

        The vectors are written to ``out``, which may be ``start``: no row needs that of another.
        """
        n_rows, width = matrix.shape[0], fixed.shape[1]
        penalties = self.penalties(np.diff(matrix.indptr), n_columns or matrix.shape[1])
        task = partial(
            _solve_block,
            matrix=matrix,
            penalties=penalties,
            fixed=fixed,
            shared=self.shared(basis).astype(np.float32),
            start=start,
            solver=self,
        )
        row_bytes = 4 * width + 12 * matrix.nnz // max(n_rows, 1)
        losses, done = np.empty(n_rows), 0
        for block in engine.current().map_rows(task, n_rows, row_bytes, "IALS rows"):
            rows = slice(done, done + len(block[0]))
            out[rows], losses[rows] = block
            done = rows.stop
            del block  # before the next one is worked on
        failed = np.flatnonzero(~finite_rows(out))
        if len(failed):
            rest = csr_array(matrix[failed])
            out[failed], losses[failed] = self.solve_failed(rest, penalties[failed], fixed, basis)
            if not np.isfinite(out[failed]).all():
                raise self.unsolvable(matrix)
        return losses

    def solve_failed(
        self, matrix: csr_array, penalties: NDArray[np.float64], fixed: Floats, basis: Basis
    ) -> tuple[Floats, NDArray[np.float64]]:
        """Solve rows in float64; return their vectors, NaN where that fails too, and losses."""
        rows, shared = csr_arrays(matrix), self.shared(basis)
        solved = solve_double(rows, fixed, shared, penalties)
        common = rows, fixed, shared.astype(np.float32), penalties.astype(np.float32)
        return solved, solve_cg(*common, solved, 0)[1]

    def checked(self, basis: Basis | None, matrix: csr_array) -> Basis:
        """Return the basis, unless it is None."""
        if basis is None:
            raise self.unsolvable(matrix)
        return basis

    def unsolvable(self, matrix: csr_array) -> NumericalError:
        """Return the error of a matrix with a row that cannot be solved."""
        largest = float(matrix.data.max(initial=0))
        return NumericalError(
            f"{self.name}: a system of equations is not positive definite, not even in float64, "
            f"because regularization={self.regularization:g} is too weak for "
            f"embedding_size={self.embedding_size} and a largest weight of {largest:g}",
            remedy="choose a larger regularization or a smaller embedding_size, scale the weights "
            "down, or use weighting='binary'",
        )


def _solve_block(
    block: range,
    *,
    matrix: csr_array,
    penalties: NDArray[np.float64],
    fixed: Floats,
    shared: Floats,
    start: Floats | None,
    solver: Solver,
) -> tuple[Floats, NDArray[np.float64]]:
    """Solve a block of rows, exactly if there is no ``start``; also return the losses."""
    span = slice(block.start, block.stop)
    rows = csr_arrays(consecutive_rows(matrix, span))
    common = rows, fixed, shared, penalties[span].astype(np.float32)
    if start is None:
        return solve_exact(*common)
    return solve_cg(*common, start[span], solver.max_steps, solver.tolerance)
