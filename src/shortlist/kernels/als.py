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

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels import linalg
from shortlist.kernels.checks import F32, Shapes, size_of
from shortlist.kernels.compile import inlined, kernel
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import (
    Csr,
    Floats,
    Integers,
    Matrix,
    OutDoubles,
    OutMatrix,
    Vector,
)
from shortlist.kernels.vector import (
    FOUR,
    LANES,
    ROWS,
    add_four_rows,
    conjugate_step,
    dot_of_vectors,
    four_dots,
    negated_product,
    scaled,
)

_ROWS: Final = 64  # rows for a thread at a time
_TOGETHER: Final = 32  # observations added to a system at a time: they stay in the L1 cache
_STEPS: Final = 60  # of conjugate gradients, between two residuals that are computed anew
_RESIDUALS: Final = 5  # computed anew
_EXACT: Final = 1e-11  # what the squared error may be, relative to the squared solution
ENOUGH: Final = 1e-14  # beyond this float32 can do no more
# A pivot that rounding dominates: a smaller share of its diagonal entry is left of it.
_LOST: Final = np.float32(1e-4)


def solve_cg(
    observed: Csr, factors: Matrix, shared: Vector, regularization: Vector, start: Matrix,
    steps: int, left: float = 0.0,
) -> tuple[OutMatrix, NDArray[np.float64]]:  # fmt: skip
    """Return rows (B, f) after ``steps`` conjugate-gradient steps from ``start``, and their losses.

    ``shared`` (f,) is ``unobserved * diag(V'V)``, and ``start`` (B, f) is in the basis of the
    factors. A row stops earlier where no more than a share ``left`` of its excess loss is left, by
    the residual. Without steps the losses (B,) are those of ``start``. Never forms a row's matrix:
    O(f) an observation and step (Takacs, Pilaszy and Tikk 2011).
    """
    shapes = Shapes()
    observed = _check_systems(shapes, observed, factors, shared, regularization)
    shapes.array("start", start, F32, "B", "f")
    return _solved(observed, factors, shared, regularization, start, size_of("steps", steps), left)


def solve_exact(
    observed: Csr, factors: Matrix, shared: Vector, regularization: Vector
) -> tuple[OutMatrix, NDArray[np.float64]]:
    """Return the minimiser of every row (B, f), and the losses of the rows (B,).

    By conjugate gradients from zero until the residual, computed anew, leaves an error of less
    than 1e-5 of the solution, in the norm of the loss. A row is NaN where it does not get there.
    """
    shapes = Shapes()
    observed = _check_systems(shapes, observed, factors, shared, regularization)
    nowhere = np.zeros((0, shapes["f"]), np.float32)
    return _solved(observed, factors, shared, regularization, nowhere, -1, 0.0)


def solve_cholesky(
    observed: Csr, factors: Matrix, shared: Vector, regularization: Vector
) -> OutMatrix:
    """Return the minimiser of every row (B, f), by Cholesky factorisation in float32.

    A row is NaN if its system is not positive definite in float32.
    """
    shapes = Shapes()
    observed = _check_systems(shapes, observed, factors, shared, regularization)
    out = np.zeros((shapes["B"], shapes["f"]), np.float32)
    over_rows(_solve_cholesky, len(out), _ROWS, observed, factors, shared, regularization, out)
    return out


def _check_systems(
    shapes: Shapes, observed: Csr, factors: Matrix, shared: Vector, regularization: Vector
) -> Csr:
    shapes.array("factors", factors, F32, "n", "f")
    shapes.array("shared", shared, F32, "f")
    shapes.array("regularization", regularization, F32, "B")
    return shapes.csr("observed", observed, "B", "n")


def _solved(
    observed: Csr, factors: Matrix, shared: Vector, regularization: Vector, start: Matrix,
    steps: int, left: float,
) -> tuple[OutMatrix, NDArray[np.float64]]:  # fmt: skip
    n_rows, depth = len(regularization), factors.shape[1]
    more = -depth % LANES  # columns of zeros
    if more:
        factors = np.pad(factors, ((0, 0), (0, more)))
        shared = np.pad(shared, (0, more))
    out = np.zeros((n_rows, depth), np.float32)
    losses = np.zeros(n_rows, np.float64)
    over_rows(
        _solve_cg, n_rows, _ROWS,
        observed, factors, shared, regularization, start, steps, left, out, losses,
    )  # fmt: skip
    return out, losses


@inlined
def add_errors(observed: Csr, u: int, flat: Floats, x: Floats, out: Floats, total: float) -> float:
    """Add ``sum w (1 - x.v) v`` to ``out``; return ``total + sum w (1 - x.v)^2``.

    Observations are added one after the other, so they may be added in several calls.
    """
    indptr, indices, weights = observed
    begin, end = indptr[u], indptr[u + 1]
    whole = begin + (end - begin) // FOUR * FOUR
    for e in range(begin, whole, FOUR):
        total = _add_four_errors(
            flat, x, out, indices[e], indices[e + 1], indices[e + 2], indices[e + 3],
            weights[e], weights[e + 1], weights[e + 2], weights[e + 3], total,
        )  # fmt: skip
    if whole < end:  # one to three are left: the last one again, with weight 0
        none, last = np.float32(0.0), indices[end - 1]
        two, three = whole + 1 < end, whole + 2 < end
        total = _add_four_errors(
            flat, x, out,
            indices[whole], indices[whole + 1] if two else last,
            indices[whole + 2] if three else last, last,
            weights[whole], weights[whole + 1] if two else none,
            weights[whole + 2] if three else none, none, total,
        )  # fmt: skip
    return total


@inlined
def _add_four_errors(
    flat: Floats, x: Floats, out: Floats, i: int, j: int, k: int, m: int,
    p: np.float32, q: np.float32, r: np.float32, s: np.float32, total: float,
) -> float:  # fmt: skip
    """Add four rows to ``out``, each times its weight and error, and the squares to ``total``."""
    width, one = len(x), np.float32(1.0)
    rows = np.int64(i) * width, np.int64(j) * width, np.int64(k) * width, np.int64(m) * width
    a, b, c, d = four_dots(x, 0, flat, *rows, width)
    a, b, c, d = one - a, one - b, one - c, one - d
    p, q, r, s = p * a, q * b, r * c, s * d
    add_four_rows(out, 0, flat, *rows, p, q, r, s, width)
    total += np.float64(p * a)
    total += np.float64(q * b)
    total += np.float64(r * c)
    return total + np.float64(s * d)


@inlined
def add_image(observed: Csr, u: int, flat: Floats, x: Floats, out: Floats) -> None:
    """Add ``-sum w (x.v) v`` to ``out``, one observation after the other."""
    indptr, indices, weights = observed
    begin, end = indptr[u], indptr[u + 1]
    whole = begin + (end - begin) // FOUR * FOUR
    for e in range(begin, whole, FOUR):
        _add_four_images(
            flat, x, out, indices[e], indices[e + 1], indices[e + 2], indices[e + 3],
            weights[e], weights[e + 1], weights[e + 2], weights[e + 3],
        )  # fmt: skip
    if whole < end:  # one to three are left: the last one again, with weight 0
        none, last = np.float32(0.0), indices[end - 1]
        two, three = whole + 1 < end, whole + 2 < end
        _add_four_images(
            flat, x, out,
            indices[whole], indices[whole + 1] if two else last,
            indices[whole + 2] if three else last, last,
            weights[whole], weights[whole + 1] if two else none,
            weights[whole + 2] if three else none, none,
        )  # fmt: skip


@inlined
def _add_four_images(
    flat: Floats, x: Floats, out: Floats, i: int, j: int, k: int, m: int,
    p: np.float32, q: np.float32, r: np.float32, s: np.float32,
) -> None:  # fmt: skip
    width = len(x)
    rows = np.int64(i) * width, np.int64(j) * width, np.int64(k) * width, np.int64(m) * width
    a, b, c, d = four_dots(x, 0, flat, *rows, width)
    add_four_rows(out, 0, flat, *rows, -p * a, -q * b, -r * c, -s * d, width)


@inlined
def next_direction(
    size: np.float32, x: Floats, direction: Floats, residual: Floats, image: Floats, scale: Floats
) -> tuple[np.float32, float]:
    """Go along a direction to its minimum, and set ``direction`` to the next one.

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
    return bool(size <= max(least, ENOUGH * loss))


@kernel
def _solve_cg(
    first: int, stop: int, observed: Csr, factors: Matrix, shared: Vector, regularization: Vector,
    start: Matrix, steps: int, left: float, out: OutMatrix, losses: OutDoubles,
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
            diagonal[p] = shared[p] + regularization[u]
            scale[p] = one / diagonal[p]
        x[:] = zero
        if not exact:
            linalg.copy_row(start[u], x)
        solved, gained = not exact, 0.0
        for _ in range(_RESIDUALS if exact else 1):
            loss = np.float64(negated_product(x, diagonal, residual, width))
            losses[u] = add_errors(observed, u, flat, x, residual, loss)
            size = scaled(residual, scale, direction, width)
            if exact and size <= _EXACT * gained:
                solved = True
                break
            most = left * np.float64(size)
            for _ in range(_STEPS if exact else steps):
                if is_small(size, most, gained if exact else losses[u]):
                    break
                negated_product(direction, diagonal, image, width)
                add_image(observed, u, flat, direction, image)
                size, gain = next_direction(size, x, direction, residual, image, scale)
                gained += gain
                losses[u] -= gain
        for p in range(depth):
            out[u, p] = x[p] if solved else np.float32(np.nan)


@kernel
def _solve_cholesky(
    start: int, stop: int, observed: Csr, factors: Matrix, shared: Vector, regularization: Vector,
    out: OutMatrix,
) -> None:  # fmt: skip
    indptr, indices, weights = observed
    depth = factors.shape[1]
    width = linalg.padded(depth)
    left = np.zeros((_TOGETHER, width), np.float32)
    right = np.zeros((_TOGETHER, width), np.float32)
    w = np.empty(_TOGETHER, np.float32)
    a = np.zeros((linalg.round_up(depth, ROWS), width), np.float32)  # -A: tiles can only add
    x = np.empty(width, np.float32)
    diagonal = np.empty(depth, np.float32)
    for u in range(start, stop):
        if indptr[u] == indptr[u + 1]:
            continue
        a[:] = 0.0
        x[:] = 0.0
        for p in range(depth):
            a[p, p] = -shared[p] - regularization[u]
        for first in range(indptr[u], indptr[u + 1], _TOGETHER):
            last = min(first + _TOGETHER, indptr[u + 1])
            count = _gather(factors, indices[first:last], weights[first:last], right, w)
            for i in range(count):
                negative, v, scaled = -w[i], right[i], left[i]
                for c in range(width):
                    scaled[c] = negative * v[c]
            linalg.add_gram(left, right, depth, count, a)
            linalg.add_rows(right, count, w, np.float32(1.0), x)  # b
        for p in range(depth):
            diagonal[p] = -a[p, p]
        linalg.cholesky_tiles(a, depth)
        linalg.solve_tiles(a, depth, x)
        for p in range(depth):
            if not a[p, p] * a[p, p] > _LOST * diagonal[p]:  # NaN too
                x[:depth] = np.nan
        linalg.copy_row(x[:depth], out[u])


@inlined
def _gather(factors: Floats, indices: Integers, weights: Floats, rows: Floats, w: Floats) -> int:
    """Copy the observed factors and their weights together; return the number of rows.

    It is a multiple of four: rows of zeros with weight 0 are added.
    """
    for entry in range(len(indices)):
        linalg.copy_row(factors[indices[entry]], rows[entry])
        w[entry] = weights[entry]
    count = linalg.round_up(len(indices), FOUR)
    for entry in range(len(indices), count):
        rows[entry] = 0.0
        w[entry] = 0.0
    return count
