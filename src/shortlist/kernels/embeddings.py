"""Optimiser steps on the rows of an embedding table that a batch uses, and on no others.

Under SGD and Adagrad a row without a gradient does not move. Under Adam it keeps moving by its
momentum while both moments decay. A row that was last brought up to date at step L has moved, by
step L + n, by the learning rate times ``m / sqrt(v)`` times

``sum over k = 1..n of r^k c(L + k)``,  ``r = beta1 / sqrt(beta2)``,
``c(j) = sqrt(1 - beta2^j) / (1 - beta1^j)``,

so :func:`catch_up` takes all missed steps at once when a batch uses the row again. Two
approximations: epsilon counts as at step L + 1, and steps after the first 160 are left out, where
``r^160 < 1e-7``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

from shortlist.kernels.checks import Shapes, in_range, size_of
from shortlist.kernels.compile import inlined, kernel
from shortlist.kernels.linalg import dot
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import (
    Floats,
    IndexMatrix,
    Indices,
    Integers,
    Matrix,
    OutCounts,
    OutDoubleMatrix,
    OutMatrix,
    OutVector,
    Pointers,
)

BETA1: Final = 0.9
BETA2: Final = 0.999
ADAM_EPSILON: Final = 1e-8
ADAGRAD_EPSILON: Final = 1e-10
_RATIO: Final = BETA1 / BETA2**0.5
_MOST_STEPS: Final = 160
_ROWS: Final = 512
_FEWEST: Final = 256  # rows a thread: a hundred microseconds, more than it takes to wake it up

Optimizer = Literal["sgd", "adagrad", "adam"]
_SGD, _ADAGRAD, _ADAM = 0, 1, 2  # also the number of moments
_CODES: dict[Optimizer, int] = {"sgd": _SGD, "adagrad": _ADAGRAD, "adam": _ADAM}


class Table(NamedTuple):
    """An embedding table and the state of its optimiser; all of it is updated in place.

    ``moments`` are nothing for SGD, the sums of squares for Adagrad, the first and second moments
    for Adam. ``last_step`` (n,) is the step at which Adam last brought each row up to date.
    """

    values: OutMatrix
    moments: Sequence[OutMatrix]
    last_step: OutCounts


class Batch(NamedTuple):
    """The distinct rows (U,) of a table that a batch uses, ascending, with their positions in it.

    Row ``rows[r]`` is used at ``order[indptr[r] : indptr[r + 1]]``, ascending.
    """

    rows: Indices
    indptr: Pointers
    order: Indices

    @classmethod
    def of(cls, rows: Integers) -> Batch:
        """Group the positions of a batch by their row."""
        # One number for row and position: sorting numbers is much faster than an argsort.
        keys = np.sort((rows.astype(np.int64) << 32) | np.arange(len(rows)))
        owners, order = (keys >> 32).astype(np.int32), keys.astype(np.int32)
        starts = np.flatnonzero(np.concatenate([[True], owners[1:] != owners[:-1]])[: len(rows)])
        return cls(owners[starts], np.append(starts, len(rows)), order)


def catch_up(table: Table, rows: Indices, step: int, rate: float) -> None:
    """Take Adam's steps that distinct rows have missed, up to and including ``step``."""
    _checked(table, "rows", rows, _ADAM)
    first, second = table.moments
    over_rows(
        _catch_up, len(rows), _ROWS,
        table.values, first, second, table.last_step, rows, step, rate, least=_FEWEST,
    )  # fmt: skip


def take_step(
    table: Table, batch: Batch, gradients: Matrix, optimizer: Optimizer, step: int, rate: float
) -> None:
    """Add up the gradients (S, C) of each row and take the optimiser's step with the sum.

    Sums run over the batch in its order, so the result does not depend on threads. Rows must be up
    to date at ``step - 1`` under Adam. The steps are those of ``torch.optim``.
    """
    code = _CODES[optimizer]
    shapes = _checked(table, "batch.rows", batch.rows, code)
    shapes.check("gradients f32 S C", gradients)
    shapes.lists("batch.indptr", batch.indptr, "batch.order", batch.order, "U", "S")
    first, second = ((table.values, table.values), tuple(table.moments) * 2, table.moments)[code]
    over_rows(
        _take_step, len(batch.rows), _ROWS,
        table.values, first, second, table.last_step, *batch, gradients, code, step, rate,
        least=_FEWEST,
    )  # fmt: skip


def descend(
    user_rows: OutMatrix, item_rows: OutMatrix, bias: OutVector, users: Indices,
    items: IndexMatrix, size: int, biased: bool, rate: float, penalty: float,
) -> OutDoubleMatrix:  # fmt: skip
    """Take steps of plain gradient descent on dot products, against the log losses of batches.

    A score is ``b + p.q``, and with ``biased``, where the last column of a row is its bias,
    ``b + b_u + b_i + p.q``; ``bias`` (1,) is b. Of the items (G, N) of each of ``users`` (G,) the
    first was chosen. A batch has ``size`` users, the last one those that are left. The loss of a
    sample is its log loss and ``penalty / 2`` times the squares of both rows; a step is along the
    gradient of the mean. One thread takes them: with a few hundred samples a step, others would
    wait longer than they work.

    Returns for each step the mean log loss and the mean of the squares of both rows before it,
    (n_steps, 2).
    """
    shapes = Shapes(**{"1": 1}).check(
        "user_rows f32 M C, item_rows f32 K C, bias f32 1, users i32 G, items i32 G N",
        user_rows, item_rows, bias, users, items,
    )  # fmt: skip
    in_range("users", users, len(user_rows))
    in_range("items", items.ravel(), len(item_rows))
    if biased and not shapes["C"]:
        raise ValueError(f"user_rows has shape {user_rows.shape}, expected a column of biases")
    size = max(size_of("size", size), 1)
    means = np.zeros((-(-len(users) // size), 2))
    _descend(user_rows, item_rows, bias, users, items, size, biased, rate, penalty, means)
    return means


def _checked(table: Table, name: str, rows: Integers, n_moments: int) -> Shapes:
    shapes = Shapes().check(
        f"table.values f32 n C, table.last_step i64 n, {name} i32 U",
        table.values, table.last_step, rows,
    )  # fmt: skip
    for moment in table.moments:
        shapes.check("table.moments f32 n C", moment)
    if len(table.moments) != n_moments:
        raise ValueError(f"table has {len(table.moments)} moments, expected {n_moments}")
    in_range(name, rows, shapes["n"])
    return shapes


@kernel
def _catch_up(
    start: int, stop: int, values: OutMatrix, first: OutMatrix, second: OutMatrix,
    last_step: OutCounts, rows: Indices, step: int, rate: float,
) -> None:  # fmt: skip
    for n in range(start, stop):
        row = rows[n]
        last = last_step[row]
        missed = step - last
        last_step[row] = step
        if missed <= 0:
            continue
        power1, power2, decay, distance = BETA1**last, BETA2**last, 1.0, 0.0
        for _ in range(min(missed, _MOST_STEPS)):
            power1, power2, decay = power1 * BETA1, power2 * BETA2, decay * _RATIO
            distance += decay * np.sqrt(1 - power2) / (1 - power1)
        scale = np.float32(rate * distance)
        # sqrt(v) stands for sqrt(v) / sqrt(1 - beta2^(L + 1)), so epsilon is scaled inversely.
        epsilon = np.float32(ADAM_EPSILON * np.sqrt((1 - BETA2 ** (last + 1)) / BETA2))
        decay1, decay2 = np.float32(BETA1**missed), np.float32(BETA2**missed)
        p, m, v = values[row], first[row], second[row]
        for k in range(len(p)):
            p[k] -= scale * m[k] / (np.sqrt(v[k]) + epsilon)
            m[k] *= decay1
            v[k] *= decay2


@kernel
def _take_step(
    start: int, stop: int, values: OutMatrix, first: OutMatrix, second: OutMatrix,
    last_step: OutCounts, rows: Indices, indptr: Pointers, order: Indices, gradients: Matrix,
    optimizer: int, step: int, rate: float,
) -> None:  # fmt: skip
    gradient = np.empty(values.shape[1], np.float32)
    for n in range(start, stop):
        row = rows[n]
        last_step[row] = step
        gradient[:] = 0.0
        for entry in range(indptr[n], indptr[n + 1]):
            own = gradients[order[entry]]
            for k in range(len(gradient)):
                gradient[k] += own[k]
        p = values[row]
        if optimizer == _SGD:
            fixed = np.float32(rate)
            for k in range(len(p)):
                p[k] -= fixed * gradient[k]
        elif optimizer == _ADAGRAD:
            fixed, epsilon, v = np.float32(rate), np.float32(ADAGRAD_EPSILON), second[row]
            for k in range(len(p)):
                v[k] += gradient[k] * gradient[k]
                p[k] -= fixed * gradient[k] / (np.sqrt(v[k]) + epsilon)
        else:
            m, v = first[row], second[row]
            fixed, epsilon = np.float32(rate / (1 - BETA1**step)), np.float32(ADAM_EPSILON)
            scale = np.float32(1 / np.sqrt(1 - BETA2**step))
            keep1, keep2 = np.float32(BETA1), np.float32(BETA2)
            take1, take2 = np.float32(1 - BETA1), np.float32(1 - BETA2)
            for k in range(len(p)):
                m[k] = keep1 * m[k] + take1 * gradient[k]
                v[k] = keep2 * v[k] + take2 * gradient[k] * gradient[k]
                p[k] -= fixed * m[k] / (np.sqrt(v[k]) * scale + epsilon)


@kernel
def _descend(
    user_rows: OutMatrix, item_rows: OutMatrix, bias: OutVector, users: Indices,
    items: IndexMatrix, size: int, biased: bool, rate: float, penalty: float,
    means: OutDoubleMatrix,
) -> None:  # fmt: skip
    """Take all steps.

    A user's gradient is added up sample by sample. That of an item waits until the end of the
    batch, when its samples are known: they are a list, in their order.
    """
    n_items, width = items.shape[1], user_rows.shape[1]
    depth, n_groups = width - biased, min(size, len(users))
    n_samples, n_distinct = n_groups * n_items, min(n_groups, len(user_rows))
    slot_of, members = np.full(len(user_rows), -1), np.empty(n_distinct, np.int64)  # of users
    uses, of_users = np.empty(n_distinct, np.int64), np.empty(n_distinct, np.float32)
    gradients, gradient = np.empty((n_distinct, width), np.float32), np.empty(width, np.float32)
    first_of, last_of = np.full(len(item_rows), -1), np.empty(len(item_rows), np.int64)
    following, slopes = np.empty(n_samples, np.int64), np.empty(n_samples, np.float32)
    squares, step = np.empty(n_samples, np.float32), np.float32(rate)
    for number in range(len(means)):
        start = number * size
        count = min(size, len(users) - start)
        share, to_bias, used = 1 / max(count * n_items, 1), 0.0, 0
        for group in range(count):
            user = users[start + group]
            own, slot = user_rows[user], slot_of[user]
            if slot < 0:
                slot = slot_of[user] = used
                members[slot], uses[slot], of_users[slot] = user, 0, dot(own, own)
                gradients[slot] = 0.0
                used += 1
            uses[slot] += n_items
            for n in range(n_items):
                item, sample = items[start + group, n], group * n_items + n
                other = item_rows[item]
                if first_of[item] < 0:
                    first_of[item], squares[sample] = sample, dot(other, other)
                else:
                    following[last_of[item]] = sample
                last_of[item], following[sample] = sample, -1
                score = np.float64(bias[0]) + dot(own[:depth], other[:depth])
                if biased:
                    score += own[depth] + other[depth]
                label = 1.0 if n == 0 else 0.0
                loss = max(score, 0) - label * score + np.log1p(np.exp(-abs(score)))
                means[number, 0] += share * loss
                error = share * (1 / (1 + np.exp(-score)) - label)
                to_bias += error
                slopes[sample] = error
                if biased:
                    gradients[slot, depth] += slopes[sample]
            of_group = slopes[group * n_items :]
            _add_products(item_rows, items[start + group], of_group, gradients[slot, :depth])
        bias[0] -= np.float32(rate * to_bias)
        slot = 0
        for group in range(count):
            if slot < used and members[slot] == users[start + group]:
                means[number, 1] += share * uses[slot] * of_users[slot]
                slot += 1
            for first in range(group * n_items, (group + 1) * n_items):
                item = items[start + group, first - group * n_items]
                if first_of[item] != first:
                    continue
                first_of[item], sample, n_uses = -1, first, 0
                gradient[:] = 0.0
                while sample >= 0:
                    slope, p = slopes[sample], user_rows[users[start + sample // n_items]]
                    for k in range(depth):
                        gradient[k] += slope * p[k]
                    if biased:
                        gradient[depth] += slope
                    sample, n_uses = following[sample], n_uses + 1
                means[number, 1] += share * n_uses * squares[first]
                _descend_row(item_rows[item], gradient, step, rate * penalty * share * n_uses)
        for slot in range(used):
            shrink = rate * penalty * share * uses[slot]
            _descend_row(user_rows[members[slot]], gradients[slot], step, shrink)
            slot_of[members[slot]] = -1


@inlined
def _add_products(rows: Floats, chosen: Integers, factors: Floats, out: Floats) -> None:
    """Add some rows, each times its factor, to ``out``; three at a time, which is faster."""
    threes = len(chosen) // 3 * 3
    for n in range(0, threes, 3):
        a, b, c = factors[n], factors[n + 1], factors[n + 2]
        x, y, z = rows[chosen[n]], rows[chosen[n + 1]], rows[chosen[n + 2]]
        for k in range(len(out)):
            out[k] = ((out[k] + a * x[k]) + b * y[k]) + c * z[k]
    for n in range(threes, len(chosen)):
        factor, row = factors[n], rows[chosen[n]]
        for k in range(len(out)):
            out[k] += factor * row[k]


@inlined
def _descend_row(own: Floats, gradient: Floats, step: np.float32, shrink: float) -> None:
    factor = np.float32(shrink)
    for k in range(len(own)):
        own[k] -= step * gradient[k] + factor * own[k]
