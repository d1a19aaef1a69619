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

from shortlist.kernels.compile import (
    Indices,
    Matrix,
    OutMatrix,
    OutPartials,
    Pointers,
    Vector,
    kernel,
)
from shortlist.kernels.four_rows import LANES
from shortlist.kernels.products import copy_row, groups
from shortlist.kernels.systems import (
    FOUR,
    add_gathered,
    add_rows,
    apply,
    dot,
    factorize,
    gather,
    padded,
    substitute,
)
from shortlist.kernels.threads import over_rows, share
from shortlist.kernels.vector import ROWS

_ROWS: Final = 64  # rows a thread solves at a time
_PARTS: Final = 32  # the Gram matrix is the sum of this many parts, however many threads there are
_TOGETHER: Final = 32  # observations added to a system at a time: they stay in the nearest cache
_CONVERGED: Final = 1e-14  # squared residual over squared right-hand side: float32 can do no more


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


@kernel
def _gram(start: int, stop: int, factors: Matrix, partials: OutPartials) -> None:
    n, depth = factors.shape
    width = padded(depth)
    rows = np.zeros((_TOGETHER, width), np.float32)
    products = np.empty((groups(depth, ROWS) * ROWS, width), np.float32)
    for part in range(start, stop):
        end = n * (part + 1) // _PARTS
        for first in range(n * part // _PARTS, end, _TOGETHER):
            last = min(first + _TOGETHER, end)
            for at in range(last - first):
                copy_row(factors[first + at], rows[at])
            products[:] = 0.0
            add_gathered(rows, rows, depth, last - first, products)
            for r in range(depth):
                for c in range(depth):
                    partials[part, r, c] += np.float64(products[min(r, c), max(r, c)])


@kernel
def _solve_cholesky(
    start: int, stop: int, indptr: Pointers, indices: Indices, weights: Vector, factors: Matrix,
    gram: Matrix, unobserved: float, regularization: Vector, out: OutMatrix,
) -> None:  # fmt: skip
    depth = factors.shape[1]
    width = padded(depth)
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
            count = gather(factors, indices[first:last], weights[first:last], right, w)
            for at in range(count):
                negative, v, to = -w[at], right[at], left[at]
                for c in range(width):
                    to[c] = negative * v[c]
            add_gathered(left, right, depth, count, a)
            add_rows(right, count, w, one, x)  # b
        factorize(a, depth)
        substitute(a, depth, x)
        copy_row(x[:depth], out[u])


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
    observed = np.zeros((longest + FOUR, width), np.float32)
    w = np.empty(longest + FOUR, np.float32)
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
        count = gather(factors, indices[begin:end], weights[begin:end], observed, w)
        residual[:] = 0.0
        add_rows(observed, count, w, one, residual)  # b
        enough = np.float32(_CONVERGED) * dot(residual, residual)
        copy_row(start[u], x)
        apply(products, everywhere, regularization[u], observed, count, w, x, image)
        for c in range(width):
            residual[c] -= image[c]
            direction[c] = residual[c]
        size = dot(residual, residual)
        for _ in range(steps):
            if size <= enough:
                break
            apply(products, everywhere, regularization[u], observed, count, w, direction, image)
            length = size / dot(direction, image)
            for c in range(width):
                x[c] += length * direction[c]
                residual[c] -= length * image[c]
            before, size = size, dot(residual, residual)
            for c in range(width):
                direction[c] = residual[c] + size / before * direction[c]
        copy_row(x[:depth], out[u])
