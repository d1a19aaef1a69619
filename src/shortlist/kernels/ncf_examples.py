"""A batch of a collaborative filtering network, from the first layer to the loss and back.

The score of a user and an item is ``b + b_u + b_i + h . [p o q ; phi]``, with ``phi`` the end of a
tower: ``phi_1 = relu(W_p p + W_q q + b_1)``, ``phi_l = relu(phi_(l-1) W_l + b_l)``. The first layer
is the sum of a part of the user and a part of the item; both are computed once for each row in the
batch (:mod:`shortlist.kernels.ncf_rows`), and here they are only added up. A chunk of examples goes
through the tower and back while it is in the cache.
"""

from __future__ import annotations

import numpy as np

from shortlist.kernels.compile import Indices, Matrix, OutDoubles, OutMatrix, Vector, kernel
from shortlist.kernels.ncf_tower import (
    CHUNK,
    D_BIAS,
    D_WEIGHT,
    WIDTH,
    apart,
    climb,
    dot,
    room_of,
    step_down,
    weighted_dot,
)
from shortlist.kernels.ncf_types import OutFloats, Places, cut
from shortlist.kernels.tiles import add_product


@kernel
def examples_step(
    start: int, stop: int, tasks: int, n_examples: int, group: int,
    user_slots: Indices, item_slots: Indices, users: Matrix, items: Matrix,
    user_halves: Matrix, item_halves: Matrix, size: int, biased: bool, head: Vector,
    places: Places, tower_head: int, weights: Vector, packed: Vector,
    errors: OutFloats, deltas: OutMatrix, partial: OutMatrix, losses: OutDoubles,
) -> None:  # fmt: skip
    """Work on tasks ``start`` to ``stop - 1`` of a batch; each has its own partial sums."""
    layers = len(places)
    top = places[layers - 1, WIDTH] if layers else 0
    room, n_rows, n_deltas = room_of(places, max(CHUNK, group))
    rows = np.zeros(n_rows, np.float32)
    delta, below = np.zeros(n_deltas, np.float32), np.zeros(n_deltas, np.float32)
    scores = np.zeros(room, np.float32)
    scale = np.float32(1.0 / n_examples)
    upper_head = weights[tower_head : tower_head + top]
    groups = n_examples // group
    for task in range(start, stop):
        sums = partial[task]
        for at in range(len(sums)):
            sums[at] = 0.0
        head_sums, tower_sums = sums[1 : 1 + size], sums[1 + size : 1 + size + top]
        loss, end = 0.0, cut(groups, tasks, task + 1) * group
        first = cut(groups, tasks, task) * group
        while first < end:
            count = min(max(CHUNK // group, 1) * group, end - first)
            # --- forward
            for n in range(count):
                u, i = user_slots[first + n], item_slots[first + n]
                p, q = users[u], items[i]
                score = weights[0] + weighted_dot(head, p, q, size)
                if biased:
                    score += p[size] + q[size]
                scores[n] = score
                if layers:
                    one, other = user_halves[u], item_halves[i]
                    row = apart(places[0, WIDTH])
                    mine = rows[n * row : n * row + places[0, WIDTH]]
                    for k in range(len(mine)):
                        sum_of_halves = one[k] + other[k]
                        mine[k] = sum_of_halves if sum_of_halves > 0 else np.float32(0.0)
            at = climb(places, weights, packed, rows, room, count)
            top_row = apart(top)
            for n in range(count):
                end_of_tower = rows[at + n * top_row : at + n * top_row + top]
                score = scores[n] + dot(end_of_tower, upper_head)
                # --- the loss, and the first step back
                x = np.float64(score)
                positive = (first + n) % group == 0
                signed = x if positive else -x
                small = np.exp(-abs(x))
                loss += np.log1p(small) + max(-signed, 0.0)
                probability = 1.0 / (1.0 + small) if x >= 0 else small / (1.0 + small)
                error = np.float32(probability - 1.0 if positive else probability) * scale
                errors[first + n] = error
                sums[0] += error
                p, q = users[user_slots[first + n]], items[item_slots[first + n]]
                for k in range(size):
                    head_sums[k] += error * p[k] * q[k]
                slopes = delta[n * top_row : n * top_row + top]
                for k in range(top):
                    tower_sums[k] += error * end_of_tower[k]
                    slope = error * upper_head[k]
                    slopes[k] = slope if end_of_tower[k] > 0 else np.float32(0.0)
            # --- backward
            for layer in range(layers - 1, 0, -1):
                width, lower = places[layer, WIDTH], places[layer - 1, WIDTH]
                row, lower_row = apart(width), apart(lower)
                under = at - lower_row * room
                into = places[layer, D_BIAS]
                bias_sums = sums[into : into + width]
                for n in range(count):
                    of_example = delta[n * row : n * row + width]
                    for k in range(width):
                        bias_sums[k] += of_example[k]
                add_product(
                    rows, under, 1, lower_row, lower, delta, 0, row, width, count,
                    sums, places[layer, D_WEIGHT], row,
                )  # fmt: skip
                step_down(places, layer, packed, rows, under, delta, below, count)
                at = under
            if layers:
                row = apart(places[0, WIDTH])
                for n in range(count):
                    mine = deltas[first + n]
                    for k in range(places[0, WIDTH]):
                        mine[k] = delta[n * row + k]
            first += count
        losses[task] = loss
