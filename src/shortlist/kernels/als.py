"""The half-steps of implicit alternating least squares: given one side's factors, the other's.

For each row u with observed entries of weight w on the other side's factors v the minimiser x of

    sum_observed w (1 - x.v)^2 + unobserved * sum_all (x.v)^2 + regularization_u * |x|^2

solves ``A x = b`` with ``A = unobserved * gram + sum w v v^T + regularization_u * I`` and
``b = sum w v``. The Gram matrix ``sum_all v v^T`` is computed once for all rows, so unobserved
entries cost nothing (Hu, Koren and Volinsky 2008; the loss as in Rendle et al. 2021, "Revisiting
the performance of iALS"). A row without observations gets exactly zero factors.

The solvers work in float32. Where weights are large or regularization is weak, rounding can turn a
system into one that is not positive definite. Such a row becomes NaN, and ``ridge.solve_double``
solves it in float64.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels import linalg
from shortlist.kernels.checks import F32, Shapes, size_of
from shortlist.kernels.compile import inlined, kernel
from shortlist.kernels.ridge import PARTS
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import (
    Csr,
    Floats,
    Integers,
    Matrix,
    OutDoubles,
    OutMatrix,
    OutPartials,
    Vector,
)
from shortlist.kernels.vector import FOUR, LANES, ROWS, add_four_rows, four_dots

_ROWS: Final = 64  # rows for a thread at a time
_TOGETHER: Final = 32  # observations added to a system at a time: they stay in the L1 cache
_CONVERGED: Final = 1e-14  # squared residual over squared right-hand side: float32 can do no more
# A pivot that rounding dominates: a smaller share of its diagonal entry is left of it.
_LOST: Final = np.float32(1e-4)


def gram(factors: Matrix) -> OutMatrix:
    """Return ``sum_n v_n v_n^T`` (f, f) of factors (n, f), float32, summed in a fixed order."""
    Shapes().array("factors", factors, F32, "n", "f")
    depth = factors.shape[1]
    partials = np.zeros((PARTS, depth, depth), np.float64)
    over_rows(_gram, PARTS, 1, factors, partials)
    total: OutMatrix = partials.sum(axis=0).astype(np.float32)
    return total


def solve_cholesky(
    observed: Csr, factors: Matrix, gram: Matrix, unobserved: float, regularization: Vector
) -> OutMatrix:
    """Return the exact minimiser of every row (B, f), by Cholesky factorisation in float32.

    ``gram`` is that of the factors, and regularization (B,) is greater than 0. A row is NaN if its
    system is not positive definite in float32.
    """
    shapes = Shapes()
    observed = _check_systems(shapes, observed, factors, gram, regularization)
    out = np.zeros((shapes["B"], shapes["f"]), np.float32)
    over_rows(
        _solve_cholesky, len(out), _ROWS, observed, factors, gram, unobserved, regularization, out
    )
    return out


def solve_cg(
    observed: Csr, factors: Matrix, gram: Matrix, unobserved: float, regularization: Vector,
    start: Matrix, steps: int,
) -> OutMatrix:  # fmt: skip
    """Return an approximate minimiser of every row (B, f), by conjugate gradients from ``start``.

    Never forms a row's matrix: ``O(f)`` an observation instead of ``O(f^2)`` (Takacs, Pilaszy and
    Tikk 2011). A row stops after ``steps`` steps, or when float32 can do no better; it is not
    finite if its numbers overflow float32.
    """
    shapes = Shapes()
    observed = _check_systems(shapes, observed, factors, gram, regularization)
    shapes.array("start", start, F32, "B", "f")
    out = np.zeros((shapes["B"], shapes["f"]), np.float32)
    over_rows(
        _solve_cg, len(out), _ROWS,
        observed, factors, gram, unobserved, regularization, start, size_of("steps", steps), out,
    )  # fmt: skip
    return out


def observed_loss(observed: Csr, users: Matrix, items: Matrix) -> float:
    """Return ``sum_observed w (1 - p.q)^2``, summed in a fixed order in float64."""
    shapes = Shapes()
    shapes.array("users", users, F32, "n_users", "f")
    shapes.array("items", items, F32, "n_items", "f")
    observed = shapes.csr("observed", observed, "n_users", "n_items")
    losses = np.zeros(len(users), np.float64)
    over_rows(_observed_loss, len(users), _ROWS, observed, users, items, losses)
    return float(losses.sum())


def _check_systems(
    shapes: Shapes, observed: Csr, factors: Matrix, gram: Matrix, regularization: Vector
) -> Csr:
    shapes.array("factors", factors, F32, "n", "f")
    shapes.array("gram", gram, F32, "f", "f")
    shapes.array("regularization", regularization, F32, "B")
    return shapes.csr("observed", observed, "B", "n")


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


@inlined
def _multiply(
    gram: Floats, unobserved: np.float32, regularization: np.float32,
    observed: Floats, count: int, w: Floats, x: Floats, out: Floats,
) -> None:  # fmt: skip
    """Set ``out`` to ``(unobserved * gram + sum w v v^T + regularization * I) x``."""
    width, flat = len(x), observed.reshape(-1)
    for p in range(width):
        out[p] = regularization * x[p]
    linalg.add_rows(gram, width, x, unobserved, out)
    for i in range(0, count, FOUR):
        start = i * width
        rows = start, start + width, start + 2 * width, start + 3 * width
        a, b, c, d = four_dots(x, 0, flat, *rows, width)
        add_four_rows(
            out, 0, flat, *rows, w[i] * a, w[i + 1] * b, w[i + 2] * c, w[i + 3] * d, width
        )


@kernel
def _gram(start: int, stop: int, factors: Matrix, partials: OutPartials) -> None:
    n, depth = factors.shape
    width = linalg.padded(depth)
    rows = np.zeros((_TOGETHER, width), np.float32)
    products = np.empty((linalg.round_up(depth, ROWS), width), np.float32)
    for part in range(start, stop):
        end = n * (part + 1) // PARTS
        for first in range(n * part // PARTS, end, _TOGETHER):
            last = min(first + _TOGETHER, end)
            for row in range(first, last):
                linalg.copy_row(factors[row], rows[row - first])
            products[:] = 0.0
            linalg.add_gram(rows, rows, depth, last - first, products)
            for r in range(depth):
                for c in range(depth):
                    partials[part, r, c] += np.float64(products[min(r, c), max(r, c)])


@kernel
def _solve_cholesky(
    start: int, stop: int, observed: Csr, factors: Matrix, gram: Matrix, unobserved: float,
    regularization: Vector, out: OutMatrix,
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
    everywhere, one = np.float32(-unobserved), np.float32(1.0)
    for u in range(start, stop):
        if indptr[u] == indptr[u + 1]:
            continue
        a[:] = 0.0
        x[:] = 0.0
        for r in range(depth):
            for c in range(depth):
                a[r, c] = everywhere * gram[r, c]
            a[r, r] -= regularization[u]
        for first in range(indptr[u], indptr[u + 1], _TOGETHER):
            last = min(first + _TOGETHER, indptr[u + 1])
            count = _gather(factors, indices[first:last], weights[first:last], right, w)
            for i in range(count):
                negative, v, scaled = -w[i], right[i], left[i]
                for c in range(width):
                    scaled[c] = negative * v[c]
            linalg.add_gram(left, right, depth, count, a)
            linalg.add_rows(right, count, w, one, x)  # b
        for p in range(depth):
            diagonal[p] = -a[p, p]
        linalg.cholesky_tiles(a, depth)
        linalg.solve_tiles(a, depth, x)
        for p in range(depth):
            if not a[p, p] * a[p, p] > _LOST * diagonal[p]:  # NaN too
                x[:depth] = np.nan
        linalg.copy_row(x[:depth], out[u])


@kernel
def _solve_cg(
    first: int, stop: int, observed: Csr, factors: Matrix, gram: Matrix, unobserved: float,
    regularization: Vector, start: Matrix, steps: int, out: OutMatrix,
) -> None:  # fmt: skip
    indptr, indices, weights = observed
    depth = factors.shape[1]
    width = linalg.round_up(depth, LANES)
    longest = 0
    for u in range(first, stop):
        longest = max(longest, indptr[u + 1] - indptr[u])
    gathered = np.zeros((longest + FOUR, width), np.float32)
    w = np.empty(longest + FOUR, np.float32)
    products = np.zeros((width, width), np.float32)
    for r in range(depth):
        linalg.copy_row(gram[r], products[r])
    everywhere, one = np.float32(unobserved), np.float32(1.0)
    x, residual = np.zeros(width, np.float32), np.empty(width, np.float32)
    direction, image = np.empty(width, np.float32), np.empty(width, np.float32)
    for u in range(first, stop):
        if indptr[u] == indptr[u + 1]:
            continue
        begin, end = indptr[u], indptr[u + 1]
        count = _gather(factors, indices[begin:end], weights[begin:end], gathered, w)
        residual[:] = 0.0
        linalg.add_rows(gathered, count, w, one, residual)  # b
        enough = np.float32(_CONVERGED) * linalg.dot(residual, residual)
        linalg.copy_row(start[u], x)
        _multiply(products, everywhere, regularization[u], gathered, count, w, x, image)
        for c in range(width):
            residual[c] -= image[c]
            direction[c] = residual[c]
        size = linalg.dot(residual, residual)
        for _ in range(steps):
            if size <= enough:
                break
            _multiply(products, everywhere, regularization[u], gathered, count, w, direction, image)
            length = size / linalg.dot(direction, image)
            for c in range(width):
                x[c] += length * direction[c]
                residual[c] -= length * image[c]
            before, size = size, linalg.dot(residual, residual)
            for c in range(width):
                direction[c] = residual[c] + size / before * direction[c]
        linalg.copy_row(x[:depth], out[u])


@kernel
def _observed_loss(
    start: int, stop: int, observed: Csr, users: Matrix, items: Matrix, losses: OutDoubles
) -> None:
    indptr, indices, weights = observed
    depth = users.shape[1]
    for row in range(start, stop):
        for entry in range(indptr[row], indptr[row + 1]):
            product = 0.0
            for p in range(depth):
                product += np.float64(users[row, p]) * np.float64(items[indices[entry], p])
            losses[row] += np.float64(weights[entry]) * (1.0 - product) ** 2
