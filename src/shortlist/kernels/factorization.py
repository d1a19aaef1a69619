"""What factorising a sparse matrix spends its time on: the gradient over the stored cells.

For n cells (u, i, x) and factors p_u, q_i the error ``(1/n) sum (p_u.q_i - x)^2`` has the gradients
``(2/n) sum_i (p_u.q_i - x) q_i`` and ``(2/n) sum_u (p_u.q_i - x) p_u``. The cells are stored twice,
by user and by item, so each row of either gradient is a sum over its own cells: no two threads
write to one place, and no list of predictions goes through memory. It costs a second dot product a
cell.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.compile import (
    Indices,
    Matrix,
    OutDoubles,
    OutMatrix,
    Pointers,
    Vector,
    inlined,
    kernel,
)
from shortlist.kernels.four_rows import LANES, add_four_errors, add_four_rows, four_dots
from shortlist.kernels.threads import over_rows, share, thread_count

_PARTS: Final = 4  # parts of equal work a side and thread: a long row does not hold up the others
_ROWS: Final = 64  # rows a thread solves at a time

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Cells = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]
"""Sparse rows: indptr (n + 1,), indices and values."""


def squared_error(
    by_user: Cells, by_item: Cells, users: Matrix, items: Matrix
) -> tuple[float, OutMatrix, OutMatrix]:
    """Return the mean of ``(p.q - x)^2`` over the stored cells, and its gradients.

    Fastest for lengths f that are a multiple of 8. Every sum is in the order of the cells, whatever
    the threads.

    Parameters
    ----------
    by_user, by_item
        The cells as CSR (N, M), and the same ones transposed, as CSR (M, N).
    users (N, f), items (M, f)
        The factors, float32.

    Returns
    -------
    The mean, added up in float64, and its gradients by the users (N, f) and the items (M, f).

    Examples
    --------
    >>> cell = np.array([0, 1]), np.array([0], np.int32), np.array([5], np.float32)
    >>> squared_error(cell, cell, np.array([[1]], np.float32), np.array([[3]], np.float32))
    (4.0, array([[-12.]], dtype=float32), array([[-4.]], dtype=float32))
    """
    depth = users.shape[1]
    users, items = _whole_vectors(users), _whole_vectors(items)
    to_users, to_items = np.empty_like(users), np.empty_like(items)
    errors = np.empty(len(users)), np.empty(len(items))
    count = max(len(by_user[1]), 1)
    sides = (
        (*by_user, users, items, 2 / count, to_users, errors[0]),
        (*by_item, items, users, 2 / count, to_items, errors[1]),
    )
    each = _PARTS * thread_count()
    cuts = [_equal_work(indptr, each) for indptr in (by_user[0], by_item[0])]

    def work(start: int, stop: int) -> None:
        for part in range(start, stop):
            side, at = divmod(part, each)
            _squared_error(cuts[side][at], cuts[side][at + 1], *sides[side])

    over_rows(work, 2 * each, 1)
    return float(errors[0].sum()) / count, _cut(to_users, depth), _cut(to_items, depth)


def _whole_vectors(rows: Matrix) -> Matrix:
    """Return the rows, lengthened with zeros to a multiple of the vector's length."""
    missing = -rows.shape[1] % LANES
    return np.pad(rows, ((0, 0), (0, missing))) if missing else rows


def _cut(rows: OutMatrix, depth: int) -> OutMatrix:
    return np.ascontiguousarray(rows[:, :depth])


def _equal_work(indptr: Pointers, parts: int) -> list[int]:
    """Return where to cut the rows so that each part has about as many cells."""
    total = int(indptr[-1])
    cuts = np.searchsorted(indptr, [total * part // parts for part in range(1, parts)])
    return [0, *cuts.tolist(), len(indptr) - 1]


def solve_ridge(
    indptr: Pointers,
    indices: Indices,
    targets: Vector,
    factors: Matrix,
    prior: Matrix,
    pull: Vector,
) -> OutMatrix:
    """Return for every row the x that minimises ``sum (x.v - t)^2 + x'prior x - 2 x.pull``.

    That is the solution of ``(prior + sum v v') x = pull + sum t v``, by Cholesky factorisation in
    float64.

    Parameters
    ----------
    indptr (B + 1,), indices, targets
        The cells of each row as CSR (B, n).
    factors (n, f)
        The other side's factors.
    prior (f, f)
        Symmetric and positive definite.
    pull (f,)
        What the solution is drawn to besides the cells.

    Examples
    --------
    >>> solve_ridge(
    ...     np.array([0, 1]), np.array([0], np.int32), np.array([5], np.float32),
    ...     np.array([[2]], np.float32), np.array([[1]], np.float32), np.array([0], np.float32),
    ... )  # 2 * 5 / (2 * 2 + 1)
    array([[2.]], dtype=float32)
    """
    n_rows = len(indptr) - 1
    out = np.empty((n_rows, factors.shape[1]), np.float32)
    over_rows(
        lambda start, stop: _solve_ridge(
            start, stop, indptr, indices, targets, factors, prior, pull, out
        ),
        n_rows,
        share(n_rows, _ROWS),
    )
    return out


@kernel
def _squared_error(
    start: int, stop: int, indptr: Pointers, indices: Indices, values: Vector,
    own: Matrix, other: Matrix, scale: float, gradient: OutMatrix, errors: OutDoubles,
) -> None:  # fmt: skip
    depth = own.shape[1]
    nothing, factor = np.float32(0.0), np.float32(scale)
    x, y, into = own.reshape(-1), other.reshape(-1), gradient.reshape(-1)
    for row in range(start, stop):
        mine = row * depth
        for at in range(mine, mine + depth):
            into[at] = 0.0
        error = 0.0
        end = indptr[row + 1]
        fours = end - (end - indptr[row]) % 4
        for cell in range(indptr[row], fours, 4):
            i, j = indices[cell] * depth, indices[cell + 1] * depth
            k, m = indices[cell + 2] * depth, indices[cell + 3] * depth
            error += np.float64(
                add_four_errors(into, mine, factor, x, mine, y, i, j, k, m, values, cell, depth)
            )
        if fours < end:  # three cells, with those beyond the end counting nothing
            second, third = fours + 1 < end, fours + 2 < end
            i = indices[fours] * depth
            j = indices[fours + 1] * depth if second else i
            k = indices[fours + 2] * depth if third else i
            a, b, c, _ = four_dots(x, mine, y, i, j, k, i, depth)
            a -= values[fours]
            b = b - values[fours + 1] if second else nothing
            c = c - values[fours + 2] if third else nothing
            error += np.float64((a * a + b * b) + c * c)
            a, b, c = factor * a, factor * b, factor * c
            add_four_rows(into, mine, y, i, j, k, i, a, b, c, nothing, depth)
        errors[row] = error


@inlined
def _factorize(a: Doubles) -> None:
    """Replace the lower triangle of A by L with ``L L' = A``."""
    for r in range(len(a)):
        for c in range(r + 1):
            total = a[r, c]
            for at in range(c):
                total -= a[r, at] * a[c, at]
            a[r, c] = np.sqrt(total) if r == c else total / a[c, c]


@inlined
def _substitute(lower: Doubles, x: Doubles) -> None:
    """Replace x by the solution y of ``L L' y = x``."""
    for r in range(len(x)):
        for at in range(r):
            x[r] -= lower[r, at] * x[at]
        x[r] /= lower[r, r]
    for r in range(len(x) - 1, -1, -1):
        for at in range(r + 1, len(x)):
            x[r] -= lower[at, r] * x[at]
        x[r] /= lower[r, r]


@kernel
def _solve_ridge(
    start: int, stop: int, indptr: Pointers, indices: Indices, targets: Vector,
    factors: Matrix, prior: Matrix, pull: Vector, out: OutMatrix,
) -> None:  # fmt: skip
    depth = factors.shape[1]
    a, x = np.empty((depth, depth), np.float64), np.empty(depth, np.float64)
    v = np.empty(depth, np.float64)
    for row in range(start, stop):
        for r in range(depth):
            x[r] = pull[r]
            for c in range(r + 1):
                a[r, c] = prior[r, c]
        for cell in range(indptr[row], indptr[row + 1]):
            source, target = factors[np.uint32(indices[cell])], np.float64(targets[cell])
            for r in range(depth):
                v[r] = source[r]
                x[r] += target * v[r]
            for r in range(depth):
                into, factor = a[r], v[r]
                for c in range(r + 1):
                    into[c] += factor * v[c]
        _factorize(a)
        _substitute(a, x)
        for r in range(depth):
            out[row, r] = x[r]
