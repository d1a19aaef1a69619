"""The gradient of the squared error of matrix factorisation over stored cells.

For n cells (u, i, x) and factors p_u, q_i the error ``(1/n) sum (p_u.q_i - x)^2`` has the gradients
``(2/n) sum_i (p_u.q_i - x) q_i`` and ``(2/n) sum_u (p_u.q_i - x) p_u``. The cells are stored twice,
by user and by item, so each row of either gradient is a sum over its own cells: no two threads
write to the same row, and no list of predictions goes through memory. This costs a second dot
product for each cell.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.checks import Shapes
from shortlist.kernels.compile import kernel
from shortlist.kernels.linalg import whole_vectors
from shortlist.kernels.threads import over_rows, thread_count
from shortlist.kernels.types import Csr, Matrix, OutDoubles, OutMatrix, Pointers
from shortlist.kernels.vector import add_four_errors, add_four_rows, four_dots

# Parts of equal work for each side and thread: a long row does not delay the rest.
_PARTS: Final = 4


def squared_error(
    by_user: Csr, by_item: Csr, users: Matrix, items: Matrix
) -> tuple[float, OutMatrix, OutMatrix]:
    """Return the mean of ``(p.q - x)^2`` over the cells, and its gradients by users and items.

    ``by_item`` holds the cells of ``by_user`` transposed. Fastest for lengths f that are a multiple
    of 8. Every sum is in the order of the cells, whatever the number of threads.
    """
    shapes = Shapes().check("users f32 N f, items f32 M f", users, items)
    by_user = shapes.csr("by_user", by_user, "N", "M")
    by_item = shapes.csr("by_item", by_item, "M", "N")
    depth = users.shape[1]
    users, items = whole_vectors(users), whole_vectors(items)
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
