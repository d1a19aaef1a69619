"""How far dot products are from 1 where an interaction was observed."""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.compile import Indices, Matrix, OutDoubles, Pointers, Vector, kernel
from shortlist.kernels.threads import over_rows, share

_ROWS: Final = 256  # rows a thread handles at a time


def observed_loss(
    indptr: Pointers, indices: Indices, weights: Vector, users: Matrix, items: Matrix
) -> float:
    """Return ``sum_observed w (1 - p.q)^2``, summed in a fixed order in float64.

    Parameters
    ----------
    indptr (n_users + 1,), indices, weights
        The observed entries as CSR (n_users, n_items).
    users (n_users, f), items (n_items, f)
        The factors.

    Examples
    --------
    >>> ones = np.ones((1, 1), np.float32)
    >>> observed_loss(np.array([0, 1]), np.array([0], np.int32), ones[0], ones * 2, ones)
    1.0
    """
    n_rows = len(indptr) - 1
    losses = np.zeros(n_rows, np.float64)
    over_rows(
        lambda start, stop: _observed_loss(
            start, stop, indptr, indices, weights, users, items, losses
        ),
        n_rows,
        share(n_rows, _ROWS),
    )
    return float(losses.sum())


@kernel
def _observed_loss(
    start: int, stop: int, indptr: Pointers, indices: Indices, weights: Vector,
    users: Matrix, items: Matrix, losses: OutDoubles,
) -> None:  # fmt: skip
    depth = users.shape[1]
    for row in range(start, stop):
        for at in range(indptr[row], indptr[row + 1]):
            product = 0.0
            for p in range(depth):
                product += np.float64(users[row, p]) * np.float64(items[indices[at], p])
            losses[row] += np.float64(weights[at]) * (1.0 - product) ** 2
