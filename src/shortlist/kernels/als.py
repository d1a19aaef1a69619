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
from shortlist.kernels.four_rows import LANES, add_four_rows, four_dots
from shortlist.kernels.products import copy_row, groups
from shortlist.kernels.threads import over_rows, share
from shortlist.kernels.vector import COLUMNS, ROWS, add_tile

_ROWS: Final = 64  # rows a thread solves at a time
_PARTS: Final = 32  # the Gram matrix is the sum of this many parts, however many threads there are
_TOGETHER: Final = 32  # observations added to a system at a time: they stay in the nearest cache
_FOUR: Final = 4  # rows that go into a sum together
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
    total: OutMatrix = partials.sum(axis=0).astype(np.float32)
    return total


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
def _add_gathered(left: Floats, right: Floats, depth: int, count: int, out: Floats) -> None:
    """Add ``left^T right`` (depth, depth) of gathered rows to the upper triangle of ``out``.

    All three are padded matrices of one width, so tiles may hang over; what they do there and
    below the diagonal is not looked at.
    """
    width = left.shape[1]
    flat_left, flat_right, flat = left.reshape(-1), right.reshape(-1), out.reshape(-1)
    for c in range(0, depth, COLUMNS):
        for r in range(0, min(depth, c + COLUMNS), ROWS):
            add_tile(flat_left, r, width, flat_right, c, width, count, flat, r * width + c, width)


@inlined
def _width(depth: int) -> int:
    """Return how wide padded matrices are: a tile may start at any of ``depth`` columns."""
    return groups(depth, COLUMNS) * COLUMNS + COLUMNS


@kernel
def _gram(start: int, stop: int, factors: Matrix, partials: OutPartials) -> None:
    n, depth = factors.shape
    width = _width(depth)
    rows = np.zeros((_TOGETHER, width), np.float32)
    products = np.empty((groups(depth, ROWS) * ROWS, width), np.float32)
    for part in range(start, stop):
        end = n * (part + 1) // _PARTS
        for first in range(n * part // _PARTS, end, _TOGETHER):
            last = min(first + _TOGETHER, end)
            for at in range(last - first):
                copy_row(factors[first + at], rows[at])
            products[:] = 0.0
            _add_gathered(rows, rows, depth, last - first, products)
            for r in range(depth):
                for c in range(depth):
                    partials[part, r, c] += np.float64(products[min(r, c), max(r, c)])


@inlined
def _factorize(a: Floats, depth: int) -> None:
    """Replace the upper triangle of ``-A`` by U with ``U^T U = A``.

    Row-blocks of 6: first everything the finished rows contribute, in tiles, then the block itself.
    """
    width = a.shape[1]
    flat = a.reshape(-1)
    for first in range(0, depth, ROWS):
        for c in range(first, depth, COLUMNS):
            add_tile(flat, first, width, flat, c, width, first, flat, first * width + c, width)
        for p in range(first, min(first + ROWS, depth)):
            own = a[p, p:depth]
            for q in range(first, p):
                factor, above = a[q, p], a[q, p:depth]
                for c in range(len(own)):
                    own[c] += factor * above[c]
            scale = np.float32(-1.0) / np.sqrt(-own[0])
            for c in range(len(own)):
                own[c] *= scale


@inlined
def _substitute(u: Floats, depth: int, x: Floats) -> None:
    """Replace ``x`` by the solution y of ``U^T U y = x``; what pads U and x must be zero.

    Eight unknowns at a time: among themselves one by one, against the others in whole vectors.
    """
    width, flat, end = u.shape[1], u.reshape(-1), groups(depth, LANES) * LANES
    for first in range(0, depth, LANES):
        last = min(first + LANES, depth)
        for p in range(first, last):
            for q in range(first, p):
                x[p] -= u[q, p] * x[q]
            x[p] /= u[p, p]
        if last < depth:
            for p in range(first, last, _FOUR):
                at = p * width + last
                add_four_rows(
                    x, last, flat, at, at + width, at + 2 * width, at + 3 * width,
                    -x[p], -x[p + 1], -x[p + 2], -x[p + 3], end - last,
                )  # fmt: skip
    for first in range(end - LANES, -1, -LANES):
        last = min(first + LANES, depth)
        if last < depth:
            for p in range(first, last, _FOUR):
                at = p * width + last
                a, b, c, d = four_dots(
                    x, last, flat, at, at + width, at + 2 * width, at + 3 * width, end - last
                )
                x[p], x[p + 1], x[p + 2], x[p + 3] = (
                    x[p] - a,
                    x[p + 1] - b,
                    x[p + 2] - c,
                    x[p + 3] - d,
                )
        for p in range(last - 1, first - 1, -1):
            for q in range(p + 1, last):
                x[p] -= u[p, q] * x[q]
            x[p] /= u[p, p]


@inlined
def _gather(factors: Floats, indices: Integers, weights: Floats, rows: Floats, w: Floats) -> int:
    """Copy the observed factors and their weights together; return how many rows that makes.

    It makes a multiple of four: rows of zeros with weight 0 are added.
    """
    for at in range(len(indices)):
        copy_row(factors[indices[at]], rows[at])
        w[at] = weights[at]
    count = groups(len(indices), _FOUR) * _FOUR
    for at in range(len(indices), count):
        rows[at] = 0.0
        w[at] = 0.0
    return count


@inlined
def _add_rows(rows: Floats, count: int, factors: Floats, scale: np.float32, out: Floats) -> None:
    """Add ``scale * factors[i] * rows[i]`` to ``out`` for i below ``count``, a multiple of four."""
    width, flat = rows.shape[1], rows.reshape(-1)
    for i in range(0, count, _FOUR):
        a, b, c, d = factors[i], factors[i + 1], factors[i + 2], factors[i + 3]
        at = i * width
        add_four_rows(
            out, 0, flat, at, at + width, at + 2 * width, at + 3 * width,
            scale * a, scale * b, scale * c, scale * d, len(out),
        )  # fmt: skip


@kernel
def _solve_cholesky(
    start: int, stop: int, indptr: Pointers, indices: Indices, weights: Vector, factors: Matrix,
    gram: Matrix, unobserved: float, regularization: Vector, out: OutMatrix,
) -> None:  # fmt: skip
    depth = factors.shape[1]
    width = _width(depth)
    left = np.zeros((_TOGETHER, width), np.float32)
    right = np.zeros((_TOGETHER, width), np.float32)
    w = np.empty(_TOGETHER, np.float32)
    a = np.zeros((groups(depth, ROWS) * ROWS, width), np.float32)
    x = np.empty(width, np.float32)
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
            for at in range(count):
                negative, v, to = -w[at], right[at], left[at]
                for c in range(width):
                    to[c] = negative * v[c]
            _add_gathered(left, right, depth, count, a)
            _add_rows(right, count, w, one, x)  # b
        _factorize(a, depth)
        _substitute(a, depth, x)
        copy_row(x[:depth], out[u])


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
    observed: Floats, count: int, w: Floats, x: Floats, out: Floats,
) -> None:  # fmt: skip
    """Set ``out`` to ``(everywhere * gram + sum w v v^T + regularization * I) x``."""
    width, flat = len(x), observed.reshape(-1)
    for at in range(width):
        out[at] = regularization * x[at]
    _add_rows(gram, width, x, everywhere, out)
    for i in range(0, count, _FOUR):
        at = i * width
        rows = at, at + width, at + 2 * width, at + 3 * width
        a, b, c, d = four_dots(x, 0, flat, *rows, width)
        add_four_rows(
            out, 0, flat, *rows, w[i] * a, w[i + 1] * b, w[i + 2] * c, w[i + 3] * d, width
        )


@kernel
def _solve_cg(
    first: int, stop: int, indptr: Pointers, indices: Indices, weights: Vector, factors: Matrix,
    gram: Matrix, unobserved: float, regularization: Vector, start: Matrix, steps: int,
    out: OutMatrix,
) -> None:  # fmt: skip
    depth = factors.shape[1]
    width = groups(depth, LANES) * LANES
    longest = 0
    for u in range(first, stop):
        longest = max(longest, indptr[u + 1] - indptr[u])
    observed = np.zeros((longest + _FOUR, width), np.float32)
    w = np.empty(longest + _FOUR, np.float32)
    products = np.zeros((width, width), np.float32)
    for r in range(depth):
        copy_row(gram[r], products[r])
    everywhere, one = np.float32(unobserved), np.float32(1.0)
    x, residual = np.zeros(width, np.float32), np.empty(width, np.float32)
    direction, image = np.empty(width, np.float32), np.empty(width, np.float32)
    for u in range(first, stop):
        if indptr[u] == indptr[u + 1]:
            continue
        begin, end = indptr[u], indptr[u + 1]
        count = _gather(factors, indices[begin:end], weights[begin:end], observed, w)
        residual[:] = 0.0
        _add_rows(observed, count, w, one, residual)  # b
        enough = np.float32(_CONVERGED) * _dot(residual, residual)
        copy_row(start[u], x)
        _apply(products, everywhere, regularization[u], observed, count, w, x, image)
        for c in range(width):
            residual[c] -= image[c]
            direction[c] = residual[c]
        size = _dot(residual, residual)
        for _ in range(steps):
            if size <= enough:
                break
            _apply(products, everywhere, regularization[u], observed, count, w, direction, image)
            length = size / _dot(direction, image)
            for c in range(width):
                x[c] += length * direction[c]
                residual[c] -= length * image[c]
            before, size = size, _dot(residual, residual)
            for c in range(width):
                direction[c] = residual[c] + size / before * direction[c]
        copy_row(x[:depth], out[u])
