"""Ridge regressions in float64, by Cholesky factorisation: of rows, and of items on other items.

The systems of rows are ``(prior + sum w v v') x = pull + sum t v``, with the vectors v that a row
has cells for: those of matrix factorisation, and of rows that ALS cannot solve in float32.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.checks import Shapes, size_of
from shortlist.kernels.compile import inlined, kernel
from shortlist.kernels.linalg import solve_symmetric
from shortlist.kernels.selection import key_of, order_of, push, sort_keys
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import (
    Csr,
    DoubleMatrix,
    Doubles,
    DoubleVector,
    Integers,
    Matrix,
    OutDoubles,
    OutIndexMatrix,
    OutMatrix,
)

_ROWS: Final = 64  # for a thread at a time
_ITEMS: Final = 128
_LOST: Final = 1e-12  # a pivot that rounding dominates: a smaller share is left of its diagonal


def solve_ridge(cells: Csr, factors: Matrix, prior: DoubleMatrix, pull: DoubleVector) -> OutMatrix:
    """Return for every row (B, f) the x that minimises ``sum (x.v - t)^2 + x'prior x - 2 x.pull``.

    The targets t are the cells (B, n), and v the rows of ``factors`` (n, f). A row is NaN if its
    system is not positive definite.
    """
    shapes = Shapes().check("factors f32 n f, prior f64 f f, pull f64 f", factors, prior, pull)
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
    shapes = Shapes().check(
        "factors f32 n f, shared f64 f, regularization f64 B",
        factors, shared, regularization,
    )  # fmt: skip
    observed = shapes.csr("observed", observed, "B", "n")
    depth = shapes["f"]
    out = np.empty((shapes["B"], depth), np.float32)
    over_rows(
        _solve_ridge, len(out), _ROWS,
        observed, True, factors, np.diag(shared), regularization, np.zeros(depth), _LOST, out,
    )  # fmt: skip
    return out


def regressions(
    users: Csr, items: Csr, head: Matrix, ridge: float, k: int, first: int, count: int
) -> tuple[OutIndexMatrix, OutMatrix, OutDoubles]:
    """Regress some of N items on the ``k`` items before each that explain most of it alone.

    ``users`` (M, N) and its transpose ``items`` (N, M) are sorted, and every entry counts as 1.
    ``head`` (h, h) has how many users two of the first h items have in common. Items ``first`` to
    ``first + count - 1`` are regressed. Returns the items of each regression, ascending (count, k),
    padded with -1; their coefficients (count, k), padded with 0; and what is left of the diagonal,
    ``d_i + ridge - explained`` (count,).

    For binary columns x_i of users and ``A = X'X + ridge I`` these regressions make ``Z A Z' ~ D``
    with Z unit lower triangular and D diagonal, so that ``A^-1 ~ Z' D^-1 Z`` (Kolotilina & Yeremin,
    SIAM J. Matrix Anal. 1993).
    """
    shapes = Shapes().check("head f32 h h", head)
    users, items = shapes.product("users", users, "M", "items", items, "N", "M")
    n = len(items.indptr) - 1
    if len(head) > n:
        raise ValueError(f"head has {len(head)} rows, expected at most N={n}")
    first, shape = size_of("first", first), (size_of("count", count), size_of("k", k))
    if first + count > n:
        raise ValueError(f"first + count is {first + count}, expected at most N={n}")
    rows, coefficients = np.full(shape, -1, np.int32), np.zeros(shape, np.float32)
    left = np.diff(items.indptr[first : first + count + 1]) + float(ridge)
    if k:
        over_rows(
            _regressions, count, _ITEMS,
            users, items, head, float(ridge), first, rows, coefficients, left,
        )  # fmt: skip
    return rows, coefficients, left


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
        a[:], x[:] = prior, pull
        for r in range(depth):
            a[r, r] += regularization[row]
        for cell in range(indptr[row], indptr[row + 1]):
            source, target = factors[np.uint32(indices[cell])], np.float64(targets[cell])
            for p in range(depth):
                v[p] = source[p]
                x[p] += target * v[p]
            for r in range(depth):  # the lower triangle
                sums, factor = a[r], (target if weighted else 1.0) * v[r]
                for c in range(r + 1):
                    sums[c] += factor * v[c]
        for p in range(depth):
            diagonal[p] = a[p, p]
        solve_symmetric(a, x)
        for p in range(depth):
            if not a[p, p] * a[p, p] > lost * diagonal[p]:
                x[:] = np.nan
        for p in range(depth):
            out[row, p] = x[p]


@inlined
def _count_before(item: int, users: Csr, items: Csr, counts: Integers, touched: Integers) -> int:
    """Count the common users with each item before this one; return how many have any."""
    n_touched = 0
    for entry in range(items.indptr[item], items.indptr[item + 1]):
        user = items.indices[entry]
        for position in range(users.indptr[user], users.indptr[user + 1]):
            other = users.indices[position]
            if other >= item:
                break
            if counts[other] == 0:
                touched[n_touched] = other
                n_touched += 1
            counts[other] += 1
    return n_touched


@inlined
def _fill_system(
    chosen: Integers, users: Csr, items: Csr, head: Matrix, ridge: float, position_of: Integers,
    a: Doubles,
) -> None:  # fmt: skip
    """Write the lower triangle of ``A`` among the chosen items, whose positions are given."""
    for r in range(len(chosen)):
        item = chosen[r]
        for c in range(r):
            a[r, c] = head[item, chosen[c]] if item < len(head) else 0.0
        a[r, r] = ridge + (items.indptr[item + 1] - items.indptr[item])
        if item >= len(head):
            for entry in range(items.indptr[item], items.indptr[item + 1]):
                user = items.indices[entry]
                for position in range(users.indptr[user], users.indptr[user + 1]):
                    other = users.indices[position]
                    if other >= item:
                        break
                    if position_of[other] >= 0:
                        a[r, position_of[other]] += 1.0


@kernel
def _regressions(
    start: int, stop: int, users: Csr, items: Csr, head: Matrix, ridge: float, first: int,
    rows: OutIndexMatrix, coefficients: OutMatrix, left: OutDoubles,
) -> None:  # fmt: skip
    n, k = len(items.indptr) - 1, rows.shape[1]
    counts, position_of = np.zeros(n, np.int32), np.full(n, -1, np.int32)
    touched, heap = np.empty(n, np.int32), np.empty(k, np.int64)
    system, x = np.empty((k, k), np.float64), np.empty(k, np.float64)
    for row in range(start, stop):
        item, n_touched, size = first + row, 0, 0
        if item < len(head):
            for other in range(item):
                counts[other] = np.int32(head[item, other])
                touched[n_touched] = other
                n_touched += int(counts[other] > 0)
        else:
            n_touched = _count_before(item, users, items, counts, touched)
        for other in touched[:n_touched]:
            own = ridge + (items.indptr[other + 1] - items.indptr[other])
            size = push(heap, size, key_of(np.float32(counts[other] / np.sqrt(own)), other))
        chosen = rows[row, :size]
        for entry in range(size):
            chosen[entry] = order_of(heap[entry])
        sort_keys(chosen)
        for entry in range(size):
            position_of[chosen[entry]] = entry
            x[entry] = counts[chosen[entry]]
        _fill_system(chosen, users, items, head, ridge, position_of, system)
        solve_symmetric(system[:size, :size], x[:size])
        for entry in range(size):
            left[row] -= x[entry] * counts[chosen[entry]]
            coefficients[row, entry] = x[entry]
            position_of[chosen[entry]] = -1
        for other in touched[:n_touched]:
            counts[other] = 0
