"""Stochastic gradient descent for logistic dot products, a step for every sample, on all cores.

A sample of user u and item i with score ``x = b + b_u + b_i + p_u . q_i`` moves its own two rows
only. So users and items are dealt into blocks at random, and what belongs to different blocks of
both runs side by side (Gemulla et al., KDD 2011): in round r, the samples of user block w and item
block w + r. It is plain descent in some order of the samples; the order is drawn, it depends on the
number of blocks, which is fixed, and not on the threads. Only the one global bias is shared by all:
every block moves its own copy, and after a round they are averaged.
"""

from __future__ import annotations

from typing import Annotated, Final

import numpy as np
from numba.core import types
from numpy.typing import NDArray

from shortlist.kernels.compile import (
    Indices,
    OutCounts,
    OutDoubles,
    OutMatrix,
    Pointers,
    inlined,
    kernel,
    reordering,
)
from shortlist.kernels.threads import over_rows

BLOCKS: Final = 16
"""Blocks of users, and of items: with 200 factors, two blocks of 400 rows fit in a core's cache."""

_LOGS: Final = 16  # probabilities are multiplied, and one logarithm is taken of so many

Floats = NDArray[np.float32]
OutLongs = Annotated[NDArray[np.int64], types.int64[:, ::1]]
OutIntegers = Annotated[NDArray[np.int32], types.int32[::1]]


def descend_samples(
    users: NDArray[np.int32],
    items: NDArray[np.int32],
    group: int,
    user_block: NDArray[np.int32],
    item_block: NDArray[np.int32],
    user_rows: Floats,
    item_rows: Floats,
    bias: float,
    biased: bool,
    rate: float,
    penalty: float,
) -> tuple[float, float]:
    """Take a step for every sample; rows change in place.

    The step is ``rate`` times the gradient of
    ``log(1 + exp(-+x)) + penalty / 2 (|p|^2 + |q|^2 + b_u^2 + b_i^2)``.

    Parameters
    ----------
    users (n,)
        The user of each positive.
    items (n * group,)
        Its item, and those of its negatives.
    group
        How many that are.
    user_block (n_users,), item_block (n_items,)
        The block of each row, from 0 to :data:`BLOCKS` - 1.
    user_rows (n_users, C), item_rows (n_items, C)
        Factors; the last column is the bias of the row, if ``biased``.
    bias, biased, rate, penalty
        The global bias; whether there are any; the learning rate; the weight of the squares.

    Returns
    -------
    The sum of the log losses, each before its own step, and the global bias.
    """
    dealt = np.empty(len(users), np.int32)
    bounds = np.zeros(BLOCKS + 1, np.int64)
    _deal(users, user_block, bounds, dealt)
    of_sample = np.empty(len(items), np.int32)
    item_of = np.empty(len(items), np.int32)
    starts = np.zeros((BLOCKS, BLOCKS + 1), np.int64)
    over_rows(
        lambda start, stop: _sort(
            start, stop, users, items, group, item_block, bounds, dealt, starts, of_sample, item_of
        ),
        BLOCKS,
        1,
    )
    found, loss = np.zeros((BLOCKS, 2)), 0.0
    for turn in range(BLOCKS):
        found[:, 1] = bias
        over_rows(
            lambda start, stop, turn=turn: _descend(  # type: ignore[misc]
                start, stop, turn, starts, of_sample, item_of, user_rows, item_rows, biased, rate,
                penalty, found.reshape(-1),
            ),
            BLOCKS,
            1,
        )  # fmt: skip
        bias = float(found[:, 1].mean())
        loss += float(found[:, 0].sum())
    return loss, bias


@inlined
def _step(
    p: Floats, q: Floats, depth: int, biased: bool, error: np.float32, rate: np.float32,
    keeps: np.float32,
) -> None:  # fmt: skip
    step = rate * error
    for k in range(depth):
        one, other = p[k], q[k]
        p[k] = keeps * one - step * other
        q[k] = keeps * other - step * one
    if biased:
        p[depth] = keeps * p[depth] - step
        q[depth] = keeps * q[depth] - step


@reordering
def _dot(p: Floats, q: Floats, depth: int) -> np.float32:
    total = np.float32(0.0)
    for k in range(depth):
        total += p[k] * q[k]
    return total


@kernel
def _deal(users: Indices, user_block: Indices, bounds: OutCounts, dealt: OutIntegers) -> None:
    """Sort the positives by the block of their user, stable."""
    for n in range(len(users)):
        bounds[user_block[users[n]] + 1] += 1
    for block in range(1, len(bounds)):
        bounds[block] += bounds[block - 1]
    place = bounds.copy()
    for n in range(len(users)):
        block = user_block[users[n]]
        dealt[place[block]] = n
        place[block] += 1


@kernel
def _sort(
    start: int, stop: int, users: Indices, items: Indices, group: int, item_block: Indices,
    bounds: Pointers, dealt: Indices, starts: OutLongs, of_sample: OutIntegers,
    item_of: OutIntegers,
) -> None:  # fmt: skip
    """Sort the samples of a block of users by the block of their item, stable."""
    for block in range(start, stop):
        own = starts[block]
        own[:] = 0
        for at in range(bounds[block], bounds[block + 1]):
            first = np.int64(dealt[at]) * group
            for n in range(first, first + group):
                own[item_block[items[n]] + 1] += 1
        own[0] = bounds[block] * group
        for other in range(1, len(own)):
            own[other] += own[other - 1]
        place = own.copy()
        for at in range(bounds[block], bounds[block + 1]):
            first = np.int64(dealt[at]) * group
            for n in range(first, first + group):
                other = item_block[items[n]]
                of_sample[place[other]] = users[dealt[at]]
                item_of[place[other]] = 2 * items[n] + (1 if n == first else 0)
                place[other] += 1


@kernel
def _descend(
    start: int, stop: int, turn: int, starts: OutLongs, of_sample: Indices, item_of: Indices,
    user_rows: OutMatrix, item_rows: OutMatrix, biased: bool, rate: float, penalty: float,
    found: OutDoubles,
) -> None:  # fmt: skip
    """Go down the samples of a round; ``found`` holds the loss and the bias of each block."""
    depth = user_rows.shape[1] - (1 if biased else 0)
    speed, keeps = np.float32(rate), np.float32(1.0 - rate * penalty)
    for block in range(start, stop):
        other = (block + turn) % (starts.shape[1] - 1)
        bias = found[2 * block + 1]
        loss, product, factors = 0.0, 1.0, 0
        for at in range(starts[block, other], starts[block, other + 1]):
            item = item_of[at]
            positive = item & 1
            p, q = user_rows[of_sample[at]], item_rows[item >> 1]
            x = bias + np.float64(_dot(p, q, depth))
            if biased:
                x += np.float64(p[depth] + q[depth])
            probability = 1.0 / (1.0 + np.exp(-x))
            error = np.float32(probability - positive)
            product *= max(probability if positive else 1.0 - probability, 1e-18)
            factors += 1
            if factors == _LOGS:
                loss -= np.log(product)
                product, factors = 1.0, 0
            _step(p, q, depth, biased, error, speed, keeps)
            if biased:
                bias -= rate * np.float64(error)
        found[2 * block] = loss - np.log(product)
        found[2 * block + 1] = bias
