"""The two sides of a collaborative filtering network: the rows of a batch, before and after.

A batch names a user and an item several times. What depends on one of them alone is done once for
each: bringing its row up to date, its half of the first layer, the sum of the gradients of its
examples, their way back through the first layer, and the step. Sums run over a row's examples in
the order of the batch, so that no two threads write to one place and none decides about an order.

A row holds ``size`` factors of the product, a bias if there is one, and the factors of the tower.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.compile import (
    Indices,
    Matrix,
    OutCounts,
    OutDoubles,
    OutMatrix,
    Pointers,
    Vector,
    kernel,
)
from shortlist.kernels.ncf_tower import apart
from shortlist.kernels.ncf_types import Doubles, OutFloats, OutIntegers, cut
from shortlist.kernels.tiles import ROWS, add_product
from shortlist.kernels.updates import ADAM, catch_up, descend

BLOCK: Final = 96  # rows worked on together: whole tiles


@kernel
def grouped(
    keys: Indices, places: OutIntegers, rows: OutIntegers, slots: OutIntegers,
    pointers: OutCounts, order: OutIntegers,
) -> int:  # fmt: skip
    """Group the examples of a batch by a key; returns how many keys there are.

    Parameters
    ----------
    keys (S,)
        The row that each example names.
    places (n_rows,)
        Scratch, -1 everywhere before and after.
    rows, slots, pointers, order
        Results, with room for S (pointers: S + 1): the rows named, by first appearance; the place
        among them of each example's; and of each row the examples that name it, in their order:
        those of ``rows[r]`` are ``order[pointers[r] : pointers[r + 1]]``.
    """
    count = 0
    for n in range(len(keys)):
        key = keys[n]
        if places[key] < 0:
            places[key] = count
            rows[count] = key
            pointers[count + 1] = 0
            count += 1
        slots[n] = places[key]
        pointers[slots[n] + 1] += 1
    pointers[0] = 0
    for r in range(count):
        pointers[r + 1] += pointers[r]
        places[rows[r]] = -1
    for n in range(len(keys)):  # pointers[r] runs from the start of r to its end
        order[pointers[slots[n]]] = n
        pointers[slots[n]] += 1
    for r in range(count, 0, -1):
        pointers[r] = pointers[r - 1]
    pointers[0] = 0
    return count


@kernel
def first_half(
    start: int, stop: int, n_rows: int, rows: Indices, table: OutMatrix, first: OutMatrix,
    second: OutMatrix, touched: OutCounts, kind: int, step: int, begun: int, to_come: Doubles,
    rate: float, gathered: OutMatrix, tower_at: int, depth: int, width: int, packed: Vector,
    packed_at: int, weights: Vector, bias_at: int, halves: OutMatrix,
) -> None:  # fmt: skip
    """Copy the rows of blocks ``start`` to ``stop - 1`` and compute their half of the first layer.

    ``bias_at`` is where its bias starts, or -1: one side adds it, the other does not.
    """
    left, out = gathered.reshape(-1), halves.reshape(-1)
    own, row = gathered.shape[1], apart(width)
    for block in range(start, stop):
        low, high = block * BLOCK, min((block + 1) * BLOCK, n_rows)
        for r in range(low, high):
            place = rows[r]
            if kind == ADAM:
                missed = step - 1 - touched[place]
                if missed > 0:
                    last = touched[place]
                    catch_up(table, first, second, place, missed, last, begun, to_come, rate)
                touched[place] = step
            source, target = table[place], gathered[r]
            for k in range(len(source)):
                target[k] = source[k]
        if width:
            full = (high - low + ROWS - 1) // ROWS * ROWS
            for r in range(low, low + full):
                target = halves[r]
                for k in range(row):
                    target[k] = 0.0
                if bias_at >= 0:
                    bias = weights[bias_at : bias_at + width]
                    for k in range(width):
                        target[k] = bias[k]
            add_product(
                left, low * own + tower_at, own, 1, high - low, packed, packed_at, row, width,
                depth, out, low * row, row,
            )  # fmt: skip


@kernel
def second_half(
    start: int, stop: int, tasks: int, n_rows: int, rows: Indices, pointers: Pointers,
    order: Indices, others: Indices, gathered: Matrix, opposite: Matrix, errors: Vector,
    deltas: Matrix, size: int, biased: bool, head: Vector, tower_at: int, depth: int, width: int,
    packed: Vector, turned_at: int, penalty: float, kind: int, step: int, rate: float,
    table: OutMatrix, first: OutMatrix, second: OutMatrix, partial: OutMatrix, squares: OutDoubles,
) -> None:  # fmt: skip
    """Sum up the gradients of the rows of tasks ``start`` to ``stop - 1``, and take the step.

    ``others`` names the other side of each example, a row of ``opposite``. The partial sums of a
    task are the gradient of the first layer's bias, and that of this side's weights.
    """
    row, own = apart(width), gathered.shape[1]
    room = BLOCK + ROWS
    sums = np.zeros((room, row), np.float32)
    gradients = np.zeros((room, own), np.float32)
    left, right, out = gathered.reshape(-1), sums.reshape(-1), gradients.reshape(-1)
    keeps = np.float32(penalty)
    stateful = kind != 0
    for task in range(start, stop):
        totals = partial[task]
        for k in range(len(totals)):
            totals[k] = 0.0
        squared = 0.0
        low, end = cut(n_rows, tasks, task), cut(n_rows, tasks, task + 1)
        while low < end:
            high = min(low + BLOCK, end)
            for k in range((high - low + ROWS) * own):
                out[k] = 0.0
            for r in range(low, high):
                mine, total = gradients[r - low], sums[r - low]
                for k in range(width):
                    total[k] = 0.0
                for at in range(pointers[r], pointers[r + 1]):
                    n = order[at]
                    error, theirs, delta = errors[n], opposite[others[n]], deltas[n]
                    for k in range(size):
                        mine[k] += error * head[k] * theirs[k]
                    if biased:
                        mine[size] += error
                    for k in range(width):
                        total[k] += delta[k]
                for k in range(width):
                    totals[k] += total[k]
            if width:
                add_product(
                    right, 0, row, 1, high - low, packed, turned_at, apart(depth), depth, width,
                    out, tower_at, own,
                )  # fmt: skip
                add_product(
                    left, low * own + tower_at, 1, own, depth, right, 0, row, width, high - low,
                    totals, row, row,
                )  # fmt: skip
            for r in range(low, high):
                mine, value, place = gradients[r - low], gathered[r], rows[r]
                if penalty > 0:
                    count = np.float32(pointers[r + 1] - pointers[r])
                    length = np.float32(0.0)
                    for k in range(table.shape[1]):
                        mine[k] += keeps * count * value[k]
                        length += value[k] * value[k]
                    squared += np.float64(count * length)
                at = place if stateful else 0
                descend(kind, table[place], first[at], second[at], mine, rate, step)
            low = high
        squares[task] = squared


@kernel
def sum_up(
    start: int, stop: int, segments: OutCounts, columns: int, examples: Matrix, users: Matrix,
    items: Matrix, weights: OutFloats, first: OutFloats, second: OutFloats, penalty: float,
    kind: int, step: int, rate: float, packed: OutFloats,
) -> None:  # fmt: skip
    """Take the step of the rows ``start`` to ``stop - 1`` of all weights.

    A row is described by ``columns`` numbers of ``segments``: its length, its place among the
    weights, whose partial sums hold its gradient (0: of the examples, 1: users, 2: items; 3: two
    sides at once), its place there, its place among the packed weights or -1, among those
    transposed the place of its first element and how far apart its elements are, and whether
    ``penalty`` draws it to ones (1) or not (0).
    """
    gradient = np.zeros(1, np.float32)
    for row in range(start, stop):
        at = row * columns
        length, place, source, there = (
            segments[at],
            segments[at + 1],
            segments[at + 2],
            segments[at + 3],
        )
        straight, turned, distance = segments[at + 4], segments[at + 5], segments[at + 6]
        if len(gradient) < length:
            gradient = np.zeros(length, np.float32)
        sums = examples if source == 0 else users if source == 1 else items
        for k in range(length):
            gradient[k] = 0.0
        for part in range(len(sums)):
            mine = sums[part, there : there + length]
            for k in range(length):
                gradient[k] += mine[k]
        own = weights[place : place + length]
        draws = np.float32(penalty * segments[at + 7])
        for k in range(length):
            gradient[k] += draws * (own[k] - np.float32(1.0))
        held = place if kind != 0 else 0
        descend(
            kind, own, first[held : held + length], second[held : held + length], gradient,
            rate, step,
        )  # fmt: skip
        if straight >= 0:
            for k in range(length):
                packed[straight + k] = own[k]
                packed[turned + k * distance] = own[k]
