"""The half-steps of implicit alternating least squares: given one side's factors, the other's.

For each row u with observed entries of weight w on the other side's factors v the minimiser x of

    sum_observed w (1 - x.v)^2 + unobserved * sum_all (x.v)^2 + regularization_u * |x|^2

solves ``A x = b`` with ``A = unobserved * gram + sum w v v^T + regularization_u * I`` and
``b = sum w v``. The Gram matrix ``sum_all v v^T`` is computed once for all rows, so the entries
nobody observed cost nothing (Hu, Koren and Volinsky 2008; the loss as in Rendle et al. 2021,
"Revisiting the performance of iALS"). A row without observations gets exactly zero factors.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.compile import (
    Indices,
    Matrix,
    OutMatrix,
    OutPartials,
    Pointers,
    Vector,
    inlined,
    kernel,
    reordering,
)
from shortlist.kernels.products import add_products, groups
from shortlist.kernels.threads import over_rows, share
from shortlist.kernels.tile import COLUMNS, ROWS

_ROWS: Final = 64  # rows a thread solves at a time
_PARTS: Final = 32  # the Gram matrix is the sum of this many parts, however many threads there are
_DEPTH: Final = 64  # observations added to a system at a time
_PIVOTS: Final = 4  # pivots eliminated at a time
_CONVERGED: Final = 1e-14  # squared residual over squared right-hand side: float32 can do no more

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


def gram(factors: Matrix) -> OutMatrix:
    """Return ``sum_n v_n v_n^T`` (f, f) of factors (n, f), float32, summed in a fixed order.

    Examples
    --------
    >>> from shortlist.kernels.als import gram
    >>> gram(np.array([[1, 2], [0, 1]], np.float32))
    array([[1., 2.],
           [2., 5.]], dtype=float32)
    """
    depth = factors.shape[1]
    partials = np.zeros((_PARTS, depth, depth), np.float64)
    over_rows(lambda start, stop: _gram(start, stop, factors, partials), _PARTS, 1)
    return partials.sum(axis=0).astype(np.float32)


def solve_cholesky(
    indptr: Pointers,
    indices: Indices,
    weights: Vector,
    factors: Matrix,
    gram: Matrix,
    unobserved: float,
    regularization: Vector,
) -> OutMatrix:
    """Return the exact minimiser of every row (B, f), by Cholesky factorisation.

    Parameters
    ----------
    indptr (B + 1,), indices, weights
        The observed entries as CSR (B, n).
    factors (n, f)
        The other side's factors.
    gram (f, f)
        ``gram(factors)``.
    unobserved
        The weight of all entries, 0 or more.
    regularization (B,)
        Greater than 0: it keeps the systems positive definite.

    Examples
    --------
    >>> from shortlist.kernels.als import gram, solve_cholesky
    >>> factors = np.array([[1], [1]], np.float32)
    >>> solve_cholesky(
    ...     np.array([0, 1]), np.array([0], np.int32), np.array([1], np.float32),
    ...     factors, gram(factors), 0.5, np.array([2], np.float32),
    ... )  # 1 / (0.5 * 2 + 1 + 2)
    array([[0.25]], dtype=float32)
    """
    n_rows = len(indptr) - 1
    out = np.zeros((n_rows, factors.shape[1]), np.float32)
    over_rows(
        lambda start, stop: _solve_cholesky(
            start, stop, indptr, indices, weights, factors, gram, unobserved, regularization, out
        ),
        n_rows,
        share(n_rows, _ROWS),
    )
    return out


def solve_cg(
    indptr: Pointers,
    indices: Indices,
    weights: Vector,
    factors: Matrix,
    gram: Matrix,
    unobserved: float,
    regularization: Vector,
    start: Matrix,
    steps: int,
) -> OutMatrix:
    """Return an approximate minimiser of every row (B, f), by conjugate gradients.

    Never forms a row's matrix: ``O(f)`` an observation instead of ``O(f^2)`` (Takacs, Pilaszy and
    Tikk 2011).

    Parameters
    ----------
    indptr, indices, weights, factors, gram, unobserved, regularization
        As in :func:`solve_cholesky`.
    start (B, f)
        Where to start: the factors of the step before.
    steps
        How many steps at most; a row stops when float32 can do no better.

    Examples
    --------
    >>> from shortlist.kernels.als import gram, solve_cg
    >>> factors = np.array([[1], [1]], np.float32)
    >>> solve_cg(
    ...     np.array([0, 1]), np.array([0], np.int32), np.array([1], np.float32),
    ...     factors, gram(factors), 0.5, np.array([2], np.float32),
    ...     start=np.zeros((1, 1), np.float32), steps=3,
    ... )
    array([[0.25]], dtype=float32)
    """
    n_rows = len(indptr) - 1
    out = np.zeros((n_rows, factors.shape[1]), np.float32)
    over_rows(
        lambda first, stop: _solve_cg(
            first, stop, indptr, indices, weights, factors, gram, unobserved, regularization,
            start, steps, out,
        ),
        n_rows,
        share(n_rows, _ROWS),
    )  # fmt: skip
    return out


@inlined
def _pack_observations(
    factors: Floats, indices: Integers, weights: Floats, left: Floats, right: Floats
) -> None:
    """Lay weighted factors out as rows of tiles and plain ones as columns, a step an observation.

    Both are filled up with zeros to whole tiles.
    """
    count, depth = len(indices), factors.shape[1]
    for step in range(count):
        v = factors[indices[step]]
        for at in range(groups(depth, ROWS) * ROWS):
            to = ((at // ROWS) * count + step) * ROWS + at % ROWS
            left[to] = weights[step] * v[at] if at < depth else np.float32(0.0)
        for at in range(groups(depth, COLUMNS) * COLUMNS):
            to = ((at // COLUMNS) * count + step) * COLUMNS + at % COLUMNS
            right[to] = v[at] if at < depth else np.float32(0.0)


@kernel
def _gram(start: int, stop: int, factors: Matrix, partials: OutPartials) -> None:
    n, depth = factors.shape
    n_left, n_right = groups(depth, ROWS) * ROWS, groups(depth, COLUMNS) * COLUMNS
    left, right = np.empty(n_left * _DEPTH, np.float32), np.empty(n_right * _DEPTH, np.float32)
    tile = np.empty((n_left, n_right), np.float32)
    ones = np.ones(_DEPTH, np.float32)
    for part in range(start, stop):
        for first in range(n * part // _PARTS, n * (part + 1) // _PARTS, _DEPTH):
            last = min(first + _DEPTH, n * (part + 1) // _PARTS)
            rows = np.arange(first, last).astype(np.int32)
            _pack_observations(factors, rows, ones, left, right)
            tile[:] = 0.0
            add_products(left, depth, right, depth, last - first, tile.reshape(-1), n_right)
            for r in range(depth):
                for c in range(depth):
                    partials[part, r, c] += np.float64(tile[r, c])


@inlined
def _factorize(a: Floats, depth: int) -> None:
    """Replace the upper triangle of ``a`` by U with ``U^T U = a``; the lower is not looked at."""
    for first in range(0, depth, _PIVOTS):
        last = min(first + _PIVOTS, depth)
        for p in range(first, last):
            for q in range(first, p):
                factor, above, own = a[q, p], a[q, p:depth], a[p, p:depth]
                for c in range(depth - p):
                    own[c] -= factor * above[c]
            scale = np.float32(1.0) / np.sqrt(a[p, p])
            own = a[p, p:depth]
            for c in range(depth - p):
                own[c] *= scale
        if last - first == _PIVOTS:
            for r in range(last, depth):
                own = a[r, r:depth]
                u0, u1 = a[first, r:depth], a[first + 1, r:depth]
                u2, u3 = a[first + 2, r:depth], a[first + 3, r:depth]
                f0, f1, f2, f3 = u0[0], u1[0], u2[0], u3[0]
                for c in range(depth - r):
                    own[c] = (((own[c] - f0 * u0[c]) - f1 * u1[c]) - f2 * u2[c]) - f3 * u3[c]


@inlined
def _substitute(u: Floats, depth: int, x: Floats) -> None:
    """Replace x by the solution of ``U^T U y = x``."""
    for p in range(depth):
        x[p] /= u[p, p]
        value, row = x[p], u[p]
        for c in range(p + 1, depth):
            x[c] -= value * row[c]
    for p in range(depth - 1, -1, -1):
        x[p] = (x[p] - _dot(u[p, p + 1 : depth], x[p + 1 : depth])) / u[p, p]


@kernel
def _solve_cholesky(
    start: int, stop: int, indptr: Pointers, indices: Indices, weights: Vector, factors: Matrix,
    gram: Matrix, unobserved: float, regularization: Vector, out: OutMatrix,
) -> None:  # fmt: skip
    depth = factors.shape[1]
    n_left, n_right = groups(depth, ROWS) * ROWS, groups(depth, COLUMNS) * COLUMNS
    left, right = np.empty(n_left * _DEPTH, np.float32), np.empty(n_right * _DEPTH, np.float32)
    a = np.zeros((n_left, n_right), np.float32)
    flat = a.reshape(-1)
    everywhere = np.float32(unobserved)
    for u in range(start, stop):
        if indptr[u] == indptr[u + 1]:
            continue
        x = out[u]
        for r in range(depth):
            for c in range(r, depth):
                a[r, c] = everywhere * gram[r, c]
        for first in range(indptr[u], indptr[u + 1], _DEPTH):
            last = min(first + _DEPTH, indptr[u + 1])
            _pack_observations(factors, indices[first:last], weights[first:last], left, right)
            _add_upper(left, right, depth, last - first, flat, n_right)
            for entry in range(first, last):
                weight, v = weights[entry], factors[indices[entry]]
                for c in range(depth):
                    x[c] += weight * v[c]
        for r in range(depth):
            a[r, r] += regularization[u]
        _factorize(a, depth)
        _substitute(a, depth, x)


@inlined
def _add_upper(
    left: Floats, right: Floats, depth: int, steps: int, out: Floats, stride: int
) -> None:
    """Add packed rows times packed columns where the product is on or above the diagonal."""
    for c in range(groups(depth, COLUMNS)):
        rows = min(depth, (c + 1) * COLUMNS)
        column = right[c * steps * COLUMNS : (c + 1) * steps * COLUMNS]
        add_products(left, rows, column, COLUMNS, steps, out[c * COLUMNS :], stride)


@reordering
def _dot(x: Floats, y: Floats) -> np.float32:
    """Return the dot product; its order depends on the length alone."""
    total = np.float32(0.0)
    for at in range(len(x)):
        total += x[at] * y[at]
    return total


@inlined
def _apply(
    gram: Floats, everywhere: np.float32, regularization: np.float32,
    observed: Floats, weights: Floats, x: Floats, out: Floats,
) -> None:  # fmt: skip
    """Set ``out`` to ``(everywhere * gram + sum w v v^T + regularization * I) x``."""
    depth = len(x)
    for c in range(depth):
        out[c] = regularization * x[c]
    for r in range(depth):
        factor, row = everywhere * x[r], gram[r]
        for c in range(depth):
            out[c] += factor * row[c]
    for step in range(len(weights)):
        v = observed[step]
        factor = weights[step] * _dot(v, x)
        for c in range(depth):
            out[c] += factor * v[c]


@kernel
def _solve_cg(
    first: int, stop: int, indptr: Pointers, indices: Indices, weights: Vector, factors: Matrix,
    gram: Matrix, unobserved: float, regularization: Vector, start: Matrix, steps: int,
    out: OutMatrix,
) -> None:  # fmt: skip
    depth = factors.shape[1]
    longest = 0
    for u in range(first, stop):
        longest = max(longest, indptr[u + 1] - indptr[u])
    gathered = np.empty((longest, depth), np.float32)
    residual, direction = np.empty(depth, np.float32), np.empty(depth, np.float32)
    image = np.empty(depth, np.float32)
    everywhere = np.float32(unobserved)
    for u in range(first, stop):
        if indptr[u] == indptr[u + 1]:
            continue
        x, w = out[u], weights[indptr[u] : indptr[u + 1]]
        observed = gathered[: len(w)]
        direction[:] = 0.0  # b, for now
        for step in range(len(w)):
            observed[step] = factors[indices[indptr[u] + step]]
            for c in range(depth):
                direction[c] += w[step] * observed[step, c]
        enough = np.float32(_CONVERGED) * _dot(direction, direction)
        x[:] = start[u]
        _apply(gram, everywhere, regularization[u], observed, w, x, image)
        for c in range(depth):
            residual[c] = direction[c] - image[c]
        direction[:] = residual
        size = _dot(residual, residual)
        for _ in range(steps):
            if size <= enough:
                break
            _apply(gram, everywhere, regularization[u], observed, w, direction, image)
            length = size / _dot(direction, image)
            for c in range(depth):
                x[c] += length * direction[c]
                residual[c] -= length * image[c]
            before, size = size, _dot(residual, residual)
            for c in range(depth):
                direction[c] = residual[c] + size / before * direction[c]
