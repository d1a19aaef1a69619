"""The tower of a collaborative filtering network: up with activations, down with gradients.

Activations of a layer are rows :func:`apart` floats apart, one after another the layers in one
flat array, with room for as many examples as a chunk may have.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.compile import inlined, reordering
from shortlist.kernels.ncf_types import Floats, Longs
from shortlist.kernels.tiles import COLUMNS, ROWS, add_product

CHUNK: Final = 96  # examples: their activations fit in the cache of a core

# Columns of the places of a layer: its width, where its weights are in the packed ones, the same
# transposed, its bias among the weights, and the gradients of both among the partial sums.
WIDTH, PACKED, TURNED, BIAS, D_WEIGHT, D_BIAS = range(6)


@inlined
def apart(width: int) -> int:
    """Return the distance of rows: :func:`shortlist.kernels.tiles.stride`."""
    return (width + COLUMNS - 1) // COLUMNS * COLUMNS + COLUMNS


@reordering
def dot(one: Floats, other: Floats) -> np.float32:
    """Return the dot product of two vectors."""
    total = np.float32(0.0)
    for k in range(len(one)):
        total += one[k] * other[k]
    return total


@reordering
def weighted_dot(head: Floats, one: Floats, other: Floats, size: int) -> np.float32:
    """Return ``sum over k < size of head[k] one[k] other[k]``."""
    total = np.float32(0.0)
    for k in range(size):
        total += head[k] * one[k] * other[k]
    return total


@inlined
def rectify(rows: Floats, at: int, count: int) -> None:
    """Replace what is negative by 0."""
    part = rows[at : at + count]
    for k in range(count):
        part[k] = part[k] if part[k] > 0 else np.float32(0.0)


@inlined
def spread(vector: Floats, out: Floats, at: int, count: int, row: int) -> None:
    """Write a vector into ``count`` rows, and zeros into what is left of each."""
    width = len(vector)
    for r in range(count):
        target = out[at + r * row : at + (r + 1) * row]
        for k in range(width):
            target[k] = vector[k]
        for k in range(width, row):
            target[k] = 0.0


@inlined
def climb(
    layers: Longs, weights: Floats, packed: Floats, rows: Floats, room: int, count: int
) -> int:
    """Fill the activations above the first layer; returns where those of the last one start.

    Layer l is ``relu(phi_(l-1) W_l + b_l)``.
    """
    at, full = 0, (count + ROWS - 1) // ROWS * ROWS
    for layer in range(1, len(layers)):
        width, lower = layers[layer, WIDTH], layers[layer - 1, WIDTH]
        row, lower_row = apart(width), apart(lower)
        above = at + lower_row * room
        spread(weights[layers[layer, BIAS] : layers[layer, BIAS] + width], rows, above, full, row)
        add_product(
            rows, at, lower_row, 1, count, packed, layers[layer, PACKED], row, width, lower,
            rows, above, row,
        )  # fmt: skip
        rectify(rows, above, full * row)
        at = above
    return at


@inlined
def step_down(
    layers: Longs, layer: int, packed: Floats, rows: Floats, under: int, delta: Floats,
    below: Floats, count: int,
) -> None:  # fmt: skip
    """Replace the gradients by the sums of a layer by those by the sums of the one below.

    ``under`` is where the activations of the lower layer start; ``below`` is scratch.
    """
    width, lower = layers[layer, WIDTH], layers[layer - 1, WIDTH]
    row, lower_row = apart(width), apart(lower)
    for k in range((count + ROWS - 1) // ROWS * ROWS * lower_row):
        below[k] = 0.0
    add_product(
        delta, 0, row, 1, count, packed, layers[layer, TURNED], lower_row, lower, width,
        below, 0, lower_row,
    )  # fmt: skip
    reached = rows[under : under + count * lower_row]
    for k in range(len(reached)):
        delta[k] = below[k] if reached[k] > 0 else np.float32(0.0)


@inlined
def room_of(layers: Longs, count: int) -> tuple[int, int, int]:
    """Return the rows to make room for, and the floats that activations and gradients need."""
    room, widest, total = count + ROWS, 0, 0
    for layer in range(len(layers)):
        widest = max(widest, apart(layers[layer, WIDTH]))
        total += apart(layers[layer, WIDTH])
    return room, total * room + COLUMNS, widest * room + COLUMNS
