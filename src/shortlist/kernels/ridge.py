"""Ridge regressions of rows in float64: of matrix factorisation, and the hard rows of ALS.

The systems are ``(prior + sum w v v') x = pull + sum t v``, with the vectors v that a row has cells
for, solved by Cholesky factorisation.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.checks import F32, F64, Shapes
from shortlist.kernels.compile import inlined, kernel
from shortlist.kernels.linalg import solve_symmetric
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import (
    Csr,
    DoubleMatrix,
    Doubles,
    DoubleVector,
    Matrix,
    OutMatrix,
)

_ROWS: Final = 64  # rows for a thread at a time
_LOST: Final = 1e-12  # a pivot that rounding dominates: a smaller share is left of its diagonal


def solve_ridge(cells: Csr, factors: Matrix, prior: DoubleMatrix, pull: DoubleVector) -> OutMatrix:
    """Return for every row (B, f) the x that minimises ``sum (x.v - t)^2 + x'prior x - 2 x.pull``.

    The targets t are the cells (B, n), and v the rows of ``factors`` (n, f). A row is NaN if its
    system is not positive definite.
    """
    shapes = Shapes()
    shapes.array("factors", factors, F32, "n", "f")
    shapes.array("prior", prior, F64, "f", "f")
    shapes.array("pull", pull, F64, "f")
    cells = shapes.csr("cells", cells, "B", "n")
    out = np.empty((shapes["B"], shapes["f"]), np.float32)
    diagonal = np.zeros(len(out))
    over_rows(_solve_ridge, len(out), _ROWS, cells, False, factors, prior, diagonal, pull, 0.0, out)
    return out


def solve_double(
    observed: Csr, factors: Matrix, shared: DoubleVector, regularization: DoubleVector
) -> OutMatrix:
    """Return the exact minimiser of every row (B, f) of :mod:`shortlist.kernels.als`, in float64.

    For the few rows that its solvers cannot solve; far slower. A row is NaN if its system is not
    positive definite in float64 either.
    """
    shapes = Shapes()
    shapes.array("factors", factors, F32, "n", "f")
    shapes.array("shared", shared, F64, "f")
    shapes.array("regularization", regularization, F64, "B")
    observed = shapes.csr("observed", observed, "B", "n")
    depth = shapes["f"]
    out = np.empty((shapes["B"], depth), np.float32)
    over_rows(
        _solve_ridge, len(out), _ROWS,
        observed, True, factors, np.diag(shared), regularization, np.zeros(depth), _LOST, out,
    )  # fmt: skip
    return out


@inlined
def _add_square(sums: Doubles, v: Doubles, weight: float) -> None:
    """Add ``weight * v v^T`` to the lower triangle."""
    for r in range(len(v)):
        row, factor = sums[r], weight * v[r]
        for c in range(r + 1):
            row[c] += factor * v[c]


@kernel
def _solve_ridge(
    start: int, stop: int, cells: Csr, weighted: bool, factors: Matrix, prior: DoubleMatrix,
    regularization: DoubleVector, pull: DoubleVector, lost: float, out: OutMatrix,
) -> None:  # fmt: skip
    """Solve rows ``start`` to ``stop - 1``; cells are targets, and weights if ``weighted``."""
    indptr, indices, targets = cells
    depth = factors.shape[1]
    a, x = np.empty((depth, depth), np.float64), np.empty(depth, np.float64)
    v, diagonal = np.empty(depth, np.float64), np.empty(depth, np.float64)
    for row in range(start, stop):
        for r in range(depth):
            x[r] = pull[r]
            for c in range(r + 1):
                a[r, c] = prior[r, c]
            a[r, r] += regularization[row]
        for cell in range(indptr[row], indptr[row + 1]):
            source, target = factors[np.uint32(indices[cell])], np.float64(targets[cell])
            for p in range(depth):
                v[p] = source[p]
                x[p] += target * v[p]
            _add_square(a, v, target if weighted else 1.0)
        for p in range(depth):
            diagonal[p] = a[p, p]
        solve_symmetric(a, x)
        for p in range(depth):
            if not a[p, p] * a[p, p] > lost * diagonal[p]:
                x[:] = np.nan
        for p in range(depth):
            out[row, p] = x[p]
