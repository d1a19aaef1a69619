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

from shortlist.kernels.checks import Shapes, in_range
from shortlist.kernels.compile import kernel
from shortlist.kernels.linalg import dot
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import (
    IndexMatrix,
    Indices,
    Integers,
    Matrix,
    OutCounts,
    OutDoubles,
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
    values: OutMatrix, bias: OutVector, users: Indices, items: IndexMatrix, biased: bool,
    rate: float, penalty: float, scratch: tuple[OutMatrix, OutCounts],
) -> tuple[float, float]:  # fmt: skip
    """Take a step of plain gradient descent on dot products, against the log loss of a batch.

    A score is ``b + p.q``, and with ``biased``, where the last column of a row is its bias,
    ``b + b_u + b_i + p.q``; ``values`` (n, C) has the rows of users and items, ``bias`` (1,) is b.
    Of the items (G, N) of each of ``users`` (G,) the first was chosen. The loss of a sample is its
    log loss and ``penalty / 2`` times the squares of both rows; the step is along the gradient of
    the mean. One thread takes it: with a few hundred samples a step, others would wait longer than
    they work. ``scratch``, float32 (n, C) and int64 (n,), has zeros before and afterwards.

    Returns the mean log loss, and the mean of the squares of both rows, before the step.
    """
    shapes = Shapes(**{"1": 1})
    shapes.check(
        "values f32 n C, bias f32 1, users i32 G, items i32 G N", values, bias, users, items
    )
    shapes.check("scratch[0] f32 n C, scratch[1] i64 n", *scratch)
    in_range("users", users, len(values))
    in_range("items", items.ravel(), len(values))
    if biased and not shapes["C"]:
        raise ValueError(f"values has shape {values.shape}, expected a column of biases")
    totals = np.zeros(2)
    _descend(values, bias, users, items, biased, rate, penalty, *scratch, totals)
    return float(totals[0]), float(totals[1])


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
    values: OutMatrix, bias: OutVector, users: Indices, items: IndexMatrix, biased: bool,
    rate: float, penalty: float, gradients: OutMatrix, uses: OutCounts, totals: OutDoubles,
) -> None:  # fmt: skip
    size = values.shape[1] - biased
    share, to_bias = 1 / max(items.size, 1), 0.0
    for group in range(len(users)):
        user = users[group]
        p, to_p = values[user, :size], gradients[user, :size]
        uses[user] += items.shape[1]
        for n in range(items.shape[1]):
            item = items[group, n]
            q, to_q = values[item, :size], gradients[item, :size]
            uses[item] += 1
            score = np.float64(bias[0]) + dot(p, q)
            if biased:
                score += values[user, size] + values[item, size]
            label = 1.0 if n == 0 else 0.0
            totals[0] += share * (max(score, 0) - label * score + np.log1p(np.exp(-abs(score))))
            error = share * (1 / (1 + np.exp(-score)) - label)
            to_bias += error
            slope = np.float32(error)
            for k in range(size):
                to_p[k] += slope * q[k]
                to_q[k] += slope * p[k]
            if biased:
                gradients[user, size] += slope
                gradients[item, size] += slope
    bias[0] -= np.float32(rate * to_bias)
    for group in range(len(users)):
        for n in range(-1, items.shape[1]):
            row = users[group] if n < 0 else items[group, n]
            if uses[row] == 0:  # done
                continue
            own, gradient = values[row], gradients[row]
            totals[1] += share * uses[row] * dot(own, own)
            step, shrink = np.float32(rate), np.float32(rate * penalty * share * uses[row])
            uses[row] = 0
            for k in range(len(own)):
                own[k] -= step * gradient[k] + shrink * own[k]
                gradient[k] = 0.0
