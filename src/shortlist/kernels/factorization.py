"""Matrix factorisation over stored cells: the gradient of the squared error, and ridge regression.

For n cells (u, i, x) and factors p_u, q_i the error ``(1/n) sum (p_u.q_i - x)^2`` has the gradients
``(2/n) sum_i (p_u.q_i - x) q_i`` and ``(2/n) sum_u (p_u.q_i - x) p_u``. The cells are stored twice,
by user and by item, so each row of either gradient is a sum over its own cells: no two threads
write to the same row, and no list of predictions goes through memory. This costs a second dot
product for each cell.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.checks import F32, Shapes
from shortlist.kernels.compile import kernel
from shortlist.kernels.linalg import solve_symmetric
from shortlist.kernels.threads import over_rows, share, thread_count
from shortlist.kernels.types import Csr, Matrix, OutDoubles, OutMatrix, Pointers, Vector
from shortlist.kernels.vector import LANES, add_four_errors, add_four_rows, four_dots

_PARTS: Final = (
    4  # parts of equal work for each side and thread: a long row does not delay the rest
)
_ROWS: Final = 64  # rows for a thread at a time


def squared_error(
    by_user: Csr, by_item: Csr, users: Matrix, items: Matrix
) -> tuple[float, OutMatrix, OutMatrix]:
    """Return the mean of ``(p.q - x)^2`` over the stored cells, and its gradients.

    Fastest for lengths f that are a multiple of 8. Every sum is in the order of the cells, whatever
    the number of threads.

    Parameters
    ----------
    by_user (N, M), by_item (M, N)
        The cells, and the same cells transposed.
    users (N, f), items (M, f)
        The factors, float32.

    Returns
    -------
    The mean, summed in float64, and its gradients by the users (N, f) and the items (M, f).

    Examples
    --------
    >>> cell = Csr(np.array([0, 1]), np.array([0], np.int32), np.array([5], np.float32))
    >>> squared_error(cell, cell, np.array([[1]], np.float32), np.array([[3]], np.float32))
    (4.0, array([[-12.]], dtype=float32), array([[-4.]], dtype=float32))
    """
    shapes = Shapes()
    shapes.array("users", users, F32, "N", "f")
    shapes.array("items", items, F32, "M", "f")
    by_user = shapes.csr("by_user", by_user, "N", "M")
    by_item = shapes.csr("by_item", by_item, "M", "N")
    depth = users.shape[1]
    users, items = _whole_vectors(users), _whole_vectors(items)
    to_users, to_items = np.empty_like(users), np.empty_like(items)
    errors = np.empty(len(users)), np.empty(len(items))
    scale = 2 / max(len(by_user.indices), 1)
    sides = (
        (by_user, users, items, scale, to_users, errors[0]),
        (by_item, items, users, scale, to_items, errors[1]),
    )
    n_parts = _PARTS * thread_count()
    cuts = [_equal_work(indptr, n_parts) for indptr in (by_user.indptr, by_item.indptr)]

    def work(start: int, stop: int) -> None:
        for task in range(start, stop):
            side, part = divmod(task, n_parts)
            _squared_error(cuts[side][part], cuts[side][part + 1], *sides[side])

    over_rows(work, 2 * n_parts, 1)
    error = float(errors[0].sum()) / max(len(by_user.indices), 1)
    to_users, to_items = (np.ascontiguousarray(rows[:, :depth]) for rows in (to_users, to_items))
    return error, to_users, to_items


def solve_ridge(cells: Csr, factors: Matrix, prior: Matrix, pull: Vector) -> OutMatrix:
    """Return for every row the x that minimises ``sum (x.v - t)^2 + x'prior x - 2 x.pull``.

    That is the solution of ``(prior + sum v v') x = pull + sum t v``, by Cholesky factorisation in
    float64.

    Parameters
    ----------
    cells (B, n)
        The targets t of each row.
    factors (n, f)
        The other side's factors v.
    prior (f, f)
        Symmetric and positive definite.
    pull (f,)
        The linear term that all rows share.

    Examples
    --------
    >>> solve_ridge(
    ...     Csr(np.array([0, 1]), np.array([0], np.int32), np.array([5], np.float32)),
    ...     np.array([[2]], np.float32), np.array([[1]], np.float32), np.array([0], np.float32),
    ... )  # 2 * 5 / (2 * 2 + 1)
    array([[2.]], dtype=float32)
    """
    shapes = Shapes()
    shapes.array("factors", factors, F32, "n", "f")
    shapes.array("prior", prior, F32, "f", "f")
    shapes.array("pull", pull, F32, "f")
    cells = shapes.csr("cells", cells, "B", "n")
    out = np.empty((shapes["B"], shapes["f"]), np.float32)
    over_rows(_solve_ridge, len(out), share(len(out), _ROWS), cells, factors, prior, pull, out)
    return out


def _whole_vectors(rows: Matrix) -> Matrix:
    """Return the rows, lengthened with zeros to a multiple of the length of a vector."""
    missing = -rows.shape[1] % LANES
    return np.pad(rows, ((0, 0), (0, missing))) if missing else rows


def _equal_work(indptr: Pointers, parts: int) -> list[int]:
    """Return where to cut the rows so that each part has about as many cells."""
    total = int(indptr[-1])
    cuts = np.searchsorted(indptr, [total * part // parts for part in range(1, parts)])
    return [0, *cuts.tolist(), len(indptr) - 1]


@kernel
def _squared_error(
    start: int, stop: int, cells: Csr, own: Matrix, other: Matrix, scale: float,
    gradient: OutMatrix, errors: OutDoubles,
) -> None:  # fmt: skip
    indptr, indices, values = cells
    depth = own.shape[1]
    zero, factor = np.float32(0.0), np.float32(scale)
    x, y, out = own.reshape(-1), other.reshape(-1), gradient.reshape(-1)
    for row in range(start, stop):
        begin = row * depth
        for position in range(begin, begin + depth):
            out[position] = 0.0
        error = 0.0
        end = indptr[row + 1]
        fours = end - (end - indptr[row]) % 4
        for cell in range(indptr[row], fours, 4):
            i, j = indices[cell] * depth, indices[cell + 1] * depth
            k, m = indices[cell + 2] * depth, indices[cell + 3] * depth
            error += np.float64(
                add_four_errors(out, begin, factor, x, begin, y, i, j, k, m, values, cell, depth)
            )
        if fours < end:  # three more cells, of which those beyond the end count as zero
            second, third = fours + 1 < end, fours + 2 < end
            i = indices[fours] * depth
            j = indices[fours + 1] * depth if second else i
            k = indices[fours + 2] * depth if third else i
            a, b, c, _ = four_dots(x, begin, y, i, j, k, i, depth)
            a -= values[fours]
            b = b - values[fours + 1] if second else zero
            c = c - values[fours + 2] if third else zero
            error += np.float64((a * a + b * b) + c * c)
            a, b, c = factor * a, factor * b, factor * c
            add_four_rows(out, begin, y, i, j, k, i, a, b, c, zero, depth)
        errors[row] = error


@kernel
def _solve_ridge(
    start: int, stop: int, cells: Csr, factors: Matrix, prior: Matrix, pull: Vector, out: OutMatrix
) -> None:
    indptr, indices, targets = cells
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
                sums, factor = a[r], v[r]
                for c in range(r + 1):
                    sums[c] += factor * v[c]
        solve_symmetric(a, x)
        for r in range(depth):
            out[row, r] = x[r]
