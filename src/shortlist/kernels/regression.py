"""Ridge regressions of every item on some items before it: a sparse factor of an inverse.

For binary columns x_i of users and ``A = X'X + ridge I``, the regressions of x_i on items before it
make ``Z A Z' ~ D`` with Z unit lower triangular and D diagonal, so that ``A^-1 ~ Z' D^-1 Z``
(Kolotilina & Yeremin, SIAM J. Matrix Anal. 1993).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.checks import F32, Shapes, size_of
from shortlist.kernels.compile import inlined, kernel
from shortlist.kernels.linalg import solve_symmetric
from shortlist.kernels.selection import key_of, order_of, push
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import (
    Csr,
    Doubles,
    Integers,
    Matrix,
    OutDoubles,
    OutIndexMatrix,
    OutMatrix,
)

_ITEMS: Final = 128  # items for a thread at a time


def regressions(
    users: Csr, items: Csr, head: Matrix, ridge: float, k: int, first: int, count: int
) -> tuple[OutIndexMatrix, OutMatrix, OutDoubles]:
    """Regress some of N items on the ``k`` items before each that explain most of it alone.

    Parameters
    ----------
    users, items
        The items of each user (M, N), ascending, and the users of each item (N, M), transposed from
        it. Every entry counts as 1.
    head
        How many users two of the first items have in common (h, h); any h from 0 to N.
    ridge, k
        The penalty, which is added to the diagonal, and the most items of a regression.
    first, count
        The items ``first`` to ``first + count - 1`` are regressed.

    Returns
    -------
        The items of each regression in ascending order (count, k), padded with -1; their
        coefficients (count, k), padded with 0; and what is left of the diagonal, ``d_i + ridge -
        explained`` (count,).
    """
    shapes = Shapes()
    shapes.array("head", head, F32, "h", "h")
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
    chosen: Integers, users: Csr, items: Csr, head: Matrix, ridge: float, place: Integers,
    a: Doubles,
) -> None:  # fmt: skip
    """Write the lower triangle of ``A`` among the chosen items; ``place`` has their positions."""
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
                    if place[other] >= 0:
                        a[r, place[other]] += 1.0


@kernel
def _regressions(
    start: int, stop: int, users: Csr, items: Csr, head: Matrix, ridge: float, first: int,
    rows: OutIndexMatrix, coefficients: OutMatrix, left: OutDoubles,
) -> None:  # fmt: skip
    n, k = len(items.indptr) - 1, rows.shape[1]
    counts, place = np.zeros(n, np.int32), np.full(n, -1, np.int32)
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
        for entry in range(size):  # sorted by insertion
            other, position = order_of(heap[entry]), entry
            while position > 0 and chosen[position - 1] > other:
                chosen[position] = chosen[position - 1]
                position -= 1
            chosen[position] = other
        for entry in range(size):
            place[chosen[entry]] = entry
            x[entry] = counts[chosen[entry]]
        _fill_system(chosen, users, items, head, ridge, place, system)
        solve_symmetric(system[:size, :size], x[:size])
        for entry in range(size):
            left[row] -= x[entry] * counts[chosen[entry]]
            coefficients[row, entry] = x[entry]
            place[chosen[entry]] = -1
        for other in touched[:n_touched]:
            counts[other] = 0
