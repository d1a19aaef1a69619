"""The steps of PyTorch's optimisers, on the rows of a table that a batch touches and on no others.

A row without a gradient stays where it is under SGD and Adagrad. Under Adam it moves on by its
momentum, and what is stored of it decays. With ``r = beta1 / sqrt(beta2)`` a row last touched at
step L has moved, by step L + n, by the rate times ``m / sqrt(v)`` times

``sum over k = 1..n of r^k c(L + k) = G(L) - r^n G(L + n)``,
``c(j) = sqrt(1 - beta2^j) / (1 - beta1^j)``, ``G(L) = r (c(L + 1) + G(L + 1))``,

so it is brought up to date in one go when it is next looked at. The only approximation: Adam's
epsilon counts as much as at step L + 1 in all of these steps.
"""

from __future__ import annotations

from typing import Annotated, Final

import numpy as np
from numba.core import types
from numpy.typing import NDArray

from shortlist.kernels.compile import OutCounts, OutMatrix, inlined, kernel
from shortlist.kernels.threads import over_rows, share

SGD: Final = 0
ADAGRAD: Final = 1
ADAM: Final = 2

BETA1: Final = 0.9
BETA2: Final = 0.999
ADAM_EPSILON: Final = 1e-8
ADAGRAD_EPSILON: Final = 1e-10
_RATIO: Final = BETA1 / BETA2**0.5
_AHEAD: Final = 400  # r^400 < 1e-18: what comes later counts nothing
_ROWS: Final = 256

Floats = NDArray[np.float32]
Doubles = Annotated[NDArray[np.float64], types.Array(types.float64, 1, "C", readonly=True)]


def drift(first: int, last: int) -> NDArray[np.float64]:
    """Return G(L), the drift still to come of a row that Adam last touched at step L.

    Parameters
    ----------
    first, last
        For these L, ascending.  # (last - first + 1,)

    Examples
    --------
    >>> drift(100_000, 100_000).round(3)  # about r / (1 - r)
    array([9.045])
    """
    steps = np.arange(first + 1, last + _AHEAD + 1, dtype=np.float64)
    corrections = np.sqrt(1 - BETA2**steps) / (1 - BETA1**steps)
    to_come, found = 0.0, np.empty(len(steps))
    for at in range(len(steps) - 1, -1, -1):
        to_come = _RATIO * (corrections[at] + to_come)
        found[at] = to_come
    return found[: last - first + 1]


def bring_up_to_date(
    table: OutMatrix, first: OutMatrix, second: OutMatrix, touched: OutCounts,
    step: int, begun: int, to_come: Doubles, rate: float,
) -> None:  # fmt: skip
    """Let every row of a table drift until it is where Adam has it after ``step``.

    Parameters
    ----------
    table, first, second (n, C)
        The parameters and their two moments; changed in place.
    touched (n,)
        The step at which each row was last brought up to date; becomes ``step``.
    step, begun, to_come, rate
        The step, and :func:`drift` from step ``begun`` on, and the learning rate.
    """
    over_rows(
        lambda start, stop: _bring_up_to_date(
            start, stop, table, first, second, touched, step, begun, to_come, rate
        ),
        len(table),
        share(len(table), _ROWS),
    )


@inlined
def catch_up(
    table: Floats, first: Floats, second: Floats, row: int, missed: int, last: int, begun: int,
    to_come: NDArray[np.float64], rate: float,
) -> None:  # fmt: skip
    """Let one row drift for the steps it missed after step ``last``."""
    power = _RATIO**missed
    moved = to_come[last - begun] - power * to_come[last + missed - begun]
    factor = np.float32(rate * moved)
    # sqrt(v) stands for sqrt(v) / sqrt(1 - beta2^(L + 1)), so epsilon is scaled the other way.
    epsilon = np.float32(ADAM_EPSILON * np.sqrt((1 - BETA2 ** (last + 1)) / BETA2))
    keeps_first, keeps_second = np.float32(BETA1**missed), np.float32(BETA2**missed)
    p, m, v = table[row], first[row], second[row]
    for at in range(len(p)):
        p[at] -= factor * m[at] / (np.sqrt(v[at]) + epsilon)
        m[at] *= keeps_first
        v[at] *= keeps_second


@inlined
def descend(
    kind: int, p: Floats, m: Floats, v: Floats, gradient: Floats, rate: float, step: int
) -> None:
    """Take a step with the gradient of a row: ``m`` and ``v`` are what the optimiser remembers."""
    if kind == SGD:
        fixed = np.float32(rate)
        for at in range(len(p)):
            p[at] -= fixed * gradient[at]
    elif kind == ADAGRAD:
        fixed, epsilon = np.float32(rate), np.float32(ADAGRAD_EPSILON)
        for at in range(len(p)):
            g = gradient[at]
            v[at] += g * g
            p[at] -= fixed * g / (np.sqrt(v[at]) + epsilon)
    else:
        fixed = np.float32(rate / (1 - BETA1**step))
        scale, epsilon = np.float32(1 / np.sqrt(1 - BETA2**step)), np.float32(ADAM_EPSILON)
        keeps_m, keeps_v = np.float32(BETA1), np.float32(BETA2)
        takes_m, takes_v = np.float32(1 - BETA1), np.float32(1 - BETA2)
        for at in range(len(p)):
            g = gradient[at]
            m[at] = keeps_m * m[at] + takes_m * g
            v[at] = keeps_v * v[at] + takes_v * g * g
            p[at] -= fixed * m[at] / (np.sqrt(v[at]) * scale + epsilon)


@kernel
def _bring_up_to_date(
    start: int, stop: int, table: OutMatrix, first: OutMatrix, second: OutMatrix,
    touched: OutCounts, step: int, begun: int, to_come: Doubles, rate: float,
) -> None:  # fmt: skip
    for row in range(start, stop):
        missed = step - touched[row]
        if missed > 0:
            catch_up(table, first, second, row, missed, touched[row], begun, to_come, rate)
        touched[row] = step
