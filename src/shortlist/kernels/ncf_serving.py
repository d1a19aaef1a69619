"""A trained collaborative filtering network at work: scores, and rows for people not seen yet."""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.compile import Indices, Matrix, OutMatrix, Pointers, Vector, kernel
from shortlist.kernels.ncf_tower import (
    CHUNK,
    WIDTH,
    apart,
    climb,
    dot,
    room_of,
    step_down,
    weighted_dot,
)
from shortlist.kernels.ncf_types import Drawn, Places

_ADAM_EPSILON: Final = 1e-8
_MOST_POSITIVES: Final = 64  # of a refitting step: a long history is gone through window by window


@kernel
def catalogue_scores(
    start: int, stop: int, users: Matrix, user_halves: Matrix, items: Matrix, item_halves: Matrix,
    size: int, biased: bool, head: Vector, layers: Places, tower_head: int, weights: Vector,
    packed: Vector, out: OutMatrix,
) -> None:  # fmt: skip
    """Score all items for users ``start`` to ``stop - 1``: ``out`` (n_users, n_items).

    What depends on one side alone, the halves of the first layer, is given. Each score goes through
    the same chain of operations whatever it is computed together with.
    """
    n_items, depth = out.shape[1], len(layers)
    top = layers[depth - 1, WIDTH]
    width, row, top_row = layers[0, WIDTH], apart(layers[0, WIDTH]), apart(top)
    room, n_rows, _ = room_of(layers, CHUNK)
    rows = np.zeros(n_rows, np.float32)
    upper_head = weights[tower_head : tower_head + top]
    for user in range(start, stop):
        p, one, scores = users[user], user_halves[user], out[user]
        for first in range(0, n_items, CHUNK):
            count = min(CHUNK, n_items - first)
            for n in range(count):
                mine = rows[n * row : n * row + width]
                other = item_halves[first + n]
                for k in range(width):
                    total = one[k] + other[k]
                    mine[k] = total if total > 0 else np.float32(0.0)
            at = climb(layers, weights, packed, rows, room, count)
            for n in range(count):
                q = items[first + n]
                score = weights[0] + weighted_dot(head, p, q, size)
                if biased:
                    score += p[size] + q[size]
                ends = rows[at + n * top_row : at + n * top_row + top]
                scores[first + n] = score + dot(ends, upper_head)


@kernel
def refit(
    start: int, stop: int, indptr: Pointers, history: Indices, negatives: Drawn, group: int,
    items: Matrix, item_halves: Matrix, size: int, biased: bool, head: Vector, layers: Places,
    tower_head: int, weights: Vector, packed: Vector, tower_at: int, depth: int, straight: int,
    bias_at: int, mean: Vector, spread: Vector, steps: int, rate: float, out: OutMatrix,
) -> None:  # fmt: skip
    """Find the rows of queries ``start`` to ``stop - 1``, with everything else as it is.

    Minimises ``log loss of the samples + 1/2 sum_k ((p_k - mean_k) / spread_k)^2`` over a row p:
    the most probable row of somebody from the population that training found. By ``steps`` of Adam
    in ``(p - mean) / spread``, from the mean, with a rate that falls to 0. Every query for itself.

    Parameters
    ----------
    indptr, history
        What each has chosen, CSR (B, n_items).
    negatives (nnz, sets * (group - 1))
        Items against each choice; the sets take turns.
    """
    columns, n_layers = len(mean), len(layers)
    width = layers[0, WIDTH] if n_layers else 0
    top = layers[n_layers - 1, WIDTH] if n_layers else 0
    row, top_row = apart(width), apart(top)
    most = _MOST_POSITIVES * group
    room, n_rows, n_deltas = room_of(layers, most)
    rows = np.zeros(n_rows, np.float32)
    delta, below = np.zeros(n_deltas, np.float32), np.zeros(n_deltas, np.float32)
    p, gradient = np.zeros(columns, np.float32), np.zeros(columns, np.float32)
    half, sums = np.zeros(width, np.float32), np.zeros(width, np.float32)
    chosen = np.zeros(most, np.int32)
    upper_head = weights[tower_head : tower_head + top]
    n_sets = negatives.shape[1] // (group - 1)
    for query in range(start, stop):
        low, length = indptr[query], indptr[query + 1] - indptr[query]
        z, m, v = np.zeros(columns), np.zeros(columns), np.zeros(columns)
        positives = min(length, _MOST_POSITIVES)
        scale = np.float32(length / max(positives, 1))
        for step in range(1, steps + 1):
            for k in range(columns):
                p[k] = np.float32(mean[k] + spread[k] * z[k])
                gradient[k] = 0.0
            for k in range(width):
                half[k] = weights[bias_at + k]
                sums[k] = 0.0
            for j in range(depth):
                own = packed[straight + j * row : straight + j * row + width]
                for k in range(width):
                    half[k] += p[tower_at + j] * own[k]
            count = positives * group
            turn = (step % n_sets) * (group - 1)
            for n in range(positives):
                entry = low + (step * positives + n) % length
                chosen[n * group] = history[entry]
                for other in range(group - 1):
                    chosen[n * group + 1 + other] = negatives[entry, turn + other]
            for n in range(count):
                mine, other_half = rows[n * row : n * row + width], item_halves[chosen[n]]
                for k in range(width):
                    total = half[k] + other_half[k]
                    mine[k] = total if total > 0 else np.float32(0.0)
            at = climb(layers, weights, packed, rows, room, count)
            for n in range(count):
                q = items[chosen[n]]
                score = weights[0] + weighted_dot(head, p, q, size)
                if biased:
                    score += p[size] + q[size]
                ends = rows[at + n * top_row : at + n * top_row + top]
                x = np.float64(score + dot(ends, upper_head))
                small = np.exp(-abs(x))
                probability = 1.0 / (1.0 + small) if x >= 0 else small / (1.0 + small)
                error = scale * np.float32(probability - 1.0 if n % group == 0 else probability)
                for k in range(size):
                    gradient[k] += error * head[k] * q[k]
                if biased:
                    gradient[size] += error
                slopes = delta[n * top_row : n * top_row + top]
                for k in range(top):
                    slopes[k] = error * upper_head[k] if ends[k] > 0 else np.float32(0.0)
            for layer in range(n_layers - 1, 0, -1):
                at -= apart(layers[layer - 1, WIDTH]) * room
                step_down(layers, layer, packed, rows, at, delta, below, count)
            for n in range(count if width else 0):
                mine = delta[n * row : n * row + width]
                for k in range(width):
                    sums[k] += mine[k]
            for j in range(depth):
                own = packed[straight + j * row : straight + j * row + width]
                gradient[tower_at + j] = dot(own, sums)
            fading = rate * (1.0 - (step - 1.0) / steps)
            for k in range(columns):
                g = np.float64(gradient[k]) * spread[k] + z[k]
                m[k] = 0.9 * m[k] + 0.1 * g
                v[k] = 0.99 * v[k] + 0.01 * g * g
                size_of_g = np.sqrt(v[k] / (1.0 - 0.99**step)) + _ADAM_EPSILON
                z[k] -= fading * m[k] / (1.0 - 0.9**step) / size_of_g
        for k in range(columns):
            out[query, k] = np.float32(mean[k] + spread[k] * z[k])
