"""The half-steps of implicit alternating least squares: given one side's factors, the other's.

For each row u with observed entries of weight w on the other side's factors v the minimiser x of

    sum_observed w (1 - x.v)^2 + unobserved * sum_all (x.v)^2 + regularization_u * |x|^2

solves ``A x = b`` with ``A = unobserved * V'V + regularization_u * I + sum w v v'`` and
``b = sum w v`` (Hu, Koren and Volinsky 2008; the loss as in Rendle et al. 2022, "Revisiting the
performance of iALS"). A row without observations gets exactly zero factors.

The factors are given in the eigenbasis of their Gram matrix V'V. There the part of A that all rows
share is diagonal: unobserved entries cost O(f) a row instead of O(f^2), and preconditioned with
that diagonal, conjugate gradients need few steps, because only the observed entries are left.

The solvers work in float32. A row that they cannot solve becomes NaN, and ``ridge.solve_double``
solves it in float64.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels import linalg
from shortlist.kernels.checks import Shapes, size_of
from shortlist.kernels.compile import inlined, kernel
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import Csr, Floats, Matrix, OutDoubles, OutMatrix, Vector
from shortlist.kernels.vector import (
    FOUR,
    add_four_rows,
    conjugate_step,
    dot_of_vectors,
    four_dots,
    scaled,
)

_ROWS: Final = 64  # rows for a thread at a time
_STEPS: Final = 60  # of conjugate gradients, between two residuals that are computed anew
_RESIDUALS: Final = 5  # computed anew
_EXACT: Final = 1e-11  # what the squared error may be, relative to the squared solution
FLOAT32_LIMIT: Final = 1e-14  # of the loss: a smaller residual is noise


def solve_cg(
    observed: Csr, factors: Matrix, shared: Vector, regularization: Vector, start: Matrix,
    steps: int, tolerance: float = 0.0,
) -> tuple[OutMatrix, NDArray[np.float64]]:  # fmt: skip
    """Return rows (B, f) after ``steps`` conjugate-gradient steps from ``start``, and their losses.

    ``shared`` (f,) is ``unobserved * diag(V'V)``, and ``start`` (B, f) is in the basis of the
    factors. A row stops earlier where no more than a share ``tolerance`` of its excess loss is
    left, by the residual. Without steps the losses (B,) are those of ``start``. Never forms a row's
    matrix: O(f) an observation and step (Takacs, Pilaszy and Tikk 2011).
    """
    shapes, observed = _checked(observed, factors, shared, regularization)
    shapes.check("start f32 B f", start)
    steps = size_of("steps", steps)
    return _solved(observed, factors, shared, regularization, start, steps, tolerance)


def solve_exact(
    observed: Csr, factors: Matrix, shared: Vector, regularization: Vector
) -> tuple[OutMatrix, NDArray[np.float64]]:
    """Return the minimiser of every row (B, f), and the losses of the rows (B,).

    By conjugate gradients from zero until the residual, computed anew, leaves an error of less
    than 1e-5 of the solution, in the norm of the loss. A row is NaN where it does not get there.
    """
    _, observed = _checked(observed, factors, shared, regularization)
    return _solved(observed, factors, shared, regularization, factors[:0], -1, 0.0)


def _checked(
    observed: Csr, factors: Matrix, shared: Vector, regularization: Vector
) -> tuple[Shapes, Csr]:
    table = "factors f32 n f, shared f32 f, regularization f32 B"
    shapes = Shapes().check(table, factors, shared, regularization)
    return shapes, shapes.csr("observed", observed, "B", "n")


def _solved(
    observed: Csr, factors: Matrix, shared: Vector, regularization: Vector, start: Matrix,
    steps: int, tolerance: float,
) -> tuple[OutMatrix, NDArray[np.float64]]:  # fmt: skip
    n_rows, depth = len(regularization), factors.shape[1]
    out, losses = np.zeros((n_rows, depth), np.float32), np.zeros(n_rows)
    over_rows(
        _solve_cg, n_rows, _ROWS, observed, linalg.whole_vectors(factors),
        linalg.whole_vectors(shared), regularization, start, steps, tolerance, out, losses,
    )  # fmt: skip
    return out, losses


@inlined
def _four_of(values: Any, entry: int, end: int, none: Any) -> Any:
    """Return four values from an entry on, ``none`` for those from ``end`` on."""
    return (
        values[entry],
        values[entry + 1] if entry + 1 < end else none,
        values[entry + 2] if entry + 2 < end else none,
        values[entry + 3] if entry + 3 < end else none,
    )


@inlined
def add_errors(
    observed: Csr, u: int, flat: Floats, x: Floats, out: Floats, target: np.float32, total: float
) -> float:
    """Add ``sum w (target - x.v) v`` to ``out``; return ``total + sum w (target - x.v)^2``.

    Observations are added one after the other, so they may be added in several calls.
    """
    indptr, indices, weights = observed
    width, end = len(x), indptr[u + 1]
    for entry in range(indptr[u], end, FOUR):
        # Beyond the end the last one again, with weight 0.
        i, j, k, m = _four_of(indices, entry, end, indices[end - 1])
        p, q, r, s = _four_of(weights, entry, end, np.float32(0.0))
        rows = np.int64(i) * width, np.int64(j) * width, np.int64(k) * width, np.int64(m) * width
        a, b, c, d = four_dots(x, 0, flat, *rows, width)
        a, b, c, d = target - a, target - b, target - c, target - d
        p, q, r, s = p * a, q * b, r * c, s * d
        add_four_rows(out, 0, flat, *rows, p, q, r, s, width)
        for square in (p * a, q * b, r * c, s * d):
            total += np.float64(square)
    return total


@inlined
def add_image(observed: Csr, u: int, flat: Floats, x: Floats, out: Floats) -> None:
    """Add ``-sum w (x.v) v`` to ``out``, one observation after the other."""
    add_errors(observed, u, flat, x, out, np.float32(-0.0), 0.0)


@inlined
def next_direction(
    size: np.float32, x: Floats, direction: Floats, residual: Floats, image: Floats, scale: Floats
) -> tuple[np.float32, float]:
    """Take the step that minimises along a direction, and set ``direction`` to the next one.

    ``size`` is the squared size of the residual, and ``image`` is ``-A direction``, which is
    overwritten. Return the next size, and by how much the loss falls.
    """
    width = len(x)
    length = -size / dot_of_vectors(direction, image, width)
    gain = np.float64(length) * np.float64(size)
    following = conjugate_step(length, x, direction, residual, image, scale, width)
    ratio = following / size
    for p in range(width):
        direction[p] = image[p] + ratio * direction[p]
    return following, gain


@inlined
def is_small(size: np.float32, least: float, loss: float) -> bool:
    """Return whether a residual is below the least size or the precision; not if it is NaN."""
    return bool(size <= max(least, FLOAT32_LIMIT * loss))


@kernel
def _solve_cg(
    first: int, stop: int, observed: Csr, factors: Matrix, shared: Vector, regularization: Vector,
    start: Matrix, steps: int, tolerance: float, out: OutMatrix, losses: OutDoubles,
) -> None:  # fmt: skip
    """Solve rows ``first`` to ``stop - 1``; exactly and from zero if ``steps`` is negative."""
    indptr = observed.indptr
    depth, width = out.shape[1], factors.shape[1]
    flat = factors.reshape(-1)
    one, zero = np.float32(1.0), np.float32(0.0)
    diagonal, scale = np.empty(width, np.float32), np.empty(width, np.float32)
    x, residual = np.empty(width, np.float32), np.empty(width, np.float32)
    direction, image = np.empty(width, np.float32), np.empty(width, np.float32)
    exact = steps < 0
    for u in range(first, stop):
        if indptr[u] == indptr[u + 1]:
            continue
        for p in range(width):
            diagonal[p] = -shared[p] - regularization[u]
            scale[p] = one / -diagonal[p]
        x[:] = zero
        if not exact:
            linalg.copy_row(start[u], x)
        solved, gained = not exact, 0.0
        for _ in range(_RESIDUALS if exact else 1):
            loss = 0.0 - np.float64(scaled(x, diagonal, residual, width))
            losses[u] = add_errors(observed, u, flat, x, residual, one, loss)
            size = scaled(residual, scale, direction, width)
            if exact and size <= _EXACT * gained:
                solved = True
                break
            most = tolerance * np.float64(size)
            for _ in range(_STEPS if exact else steps):
                if is_small(size, most, gained if exact else losses[u]):
                    break
                scaled(direction, diagonal, image, width)
                add_image(observed, u, flat, direction, image)
                size, gain = next_direction(size, x, direction, residual, image, scale)
                gained += gain
                losses[u] -= gain
        for p in range(depth):
            out[u, p] = x[p] if solved else np.float32(np.nan)
