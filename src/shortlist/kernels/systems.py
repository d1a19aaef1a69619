"""Small linear systems, one a row: how they are put together, multiplied and solved.

Vectors and matrices are padded with zeros to whole vectors, or to whole tiles, so that no piece has
a second code path for what is left over. What pads them stays zero throughout.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.compile import inlined, reordering
from shortlist.kernels.four_rows import LANES, add_four_rows, four_dots
from shortlist.kernels.products import copy_row, groups
from shortlist.kernels.vector import COLUMNS, ROWS, add_tile

FOUR: Final = 4
"""How many observations go into a sum together."""

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


@inlined
def padded(depth: int) -> int:
    """Return how wide padded matrices are: a tile may start at any of ``depth`` columns."""
    return groups(depth, COLUMNS) * COLUMNS + COLUMNS


@inlined
def gather(factors: Floats, indices: Integers, weights: Floats, rows: Floats, w: Floats) -> int:
    """Copy the observed factors and their weights together; return how many rows that makes.

    It makes a multiple of four: rows of zeros with weight 0 are added.
    """
    for at in range(len(indices)):
        copy_row(factors[indices[at]], rows[at])
        w[at] = weights[at]
    count = groups(len(indices), FOUR) * FOUR
    for at in range(len(indices), count):
        rows[at] = 0.0
        w[at] = 0.0
    return count


@inlined
def add_rows(rows: Floats, count: int, factors: Floats, scale: np.float32, out: Floats) -> None:
    """Add ``scale * factors[i] * rows[i]`` to ``out`` for i below ``count``, a multiple of four."""
    width, flat = rows.shape[1], rows.reshape(-1)
    for i in range(0, count, FOUR):
        a, b, c, d = factors[i], factors[i + 1], factors[i + 2], factors[i + 3]
        at = i * width
        add_four_rows(
            out, 0, flat, at, at + width, at + 2 * width, at + 3 * width,
            scale * a, scale * b, scale * c, scale * d, len(out),
        )  # fmt: skip


@inlined
def add_gathered(left: Floats, right: Floats, depth: int, count: int, out: Floats) -> None:
    """Add ``left^T right`` (depth, depth) of gathered rows to the upper triangle of ``out``.

    All three are padded matrices of one width, so tiles may hang over; what they do there and
    below the diagonal is not looked at.
    """
    width = left.shape[1]
    flat_left, flat_right, flat = left.reshape(-1), right.reshape(-1), out.reshape(-1)
    for c in range(0, depth, COLUMNS):
        for r in range(0, min(depth, c + COLUMNS), ROWS):
            add_tile(flat_left, r, width, flat_right, c, width, count, flat, r * width + c, width)


@inlined
def factorize(a: Floats, depth: int) -> None:
    """Replace the upper triangle of ``-A`` by U with ``U^T U = A``.

    Row-blocks of 6: first everything the finished rows contribute, in tiles, then the block itself.
    """
    width = a.shape[1]
    flat = a.reshape(-1)
    for first in range(0, depth, ROWS):
        for c in range(first, depth, COLUMNS):
            add_tile(flat, first, width, flat, c, width, first, flat, first * width + c, width)
        for p in range(first, min(first + ROWS, depth)):
            own = a[p, p:depth]
            for q in range(first, p):
                factor, above = a[q, p], a[q, p:depth]
                for c in range(len(own)):
                    own[c] += factor * above[c]
            scale = np.float32(-1.0) / np.sqrt(-own[0])
            for c in range(len(own)):
                own[c] *= scale


@inlined
def substitute(u: Floats, depth: int, x: Floats) -> None:
    """Replace ``x`` by the solution y of ``U^T U y = x``; what pads U and x must be zero.

    Eight unknowns at a time: among themselves one by one, against the others in whole vectors.
    """
    width, flat, end = u.shape[1], u.reshape(-1), groups(depth, LANES) * LANES
    for first in range(0, depth, LANES):
        last = min(first + LANES, depth)
        for p in range(first, last):
            for q in range(first, p):
                x[p] -= u[q, p] * x[q]
            x[p] /= u[p, p]
        if last < depth:
            for p in range(first, last, FOUR):
                at = p * width + last
                add_four_rows(
                    x, last, flat, at, at + width, at + 2 * width, at + 3 * width,
                    -x[p], -x[p + 1], -x[p + 2], -x[p + 3], end - last,
                )  # fmt: skip
    for first in range(end - LANES, -1, -LANES):
        last = min(first + LANES, depth)
        if last < depth:
            for p in range(first, last, FOUR):
                at = p * width + last
                a, b, c, d = four_dots(
                    x, last, flat, at, at + width, at + 2 * width, at + 3 * width, end - last
                )
                x[p] -= a
                x[p + 1] -= b
                x[p + 2] -= c
                x[p + 3] -= d
        for p in range(last - 1, first - 1, -1):
            for q in range(p + 1, last):
                x[p] -= u[p, q] * x[q]
            x[p] /= u[p, p]


@reordering
def dot(x: Floats, y: Floats) -> np.float32:
    """Return the dot product; its order depends on the length alone."""
    total = np.float32(0.0)
    for at in range(len(x)):
        total += x[at] * y[at]
    return total


@inlined
def apply(
    gram: Floats, everywhere: np.float32, regularization: np.float32,
    observed: Floats, count: int, w: Floats, x: Floats, out: Floats,
) -> None:  # fmt: skip
    """Set ``out`` to ``(everywhere * gram + sum w v v^T + regularization * I) x``."""
    width, flat = len(x), observed.reshape(-1)
    for at in range(width):
        out[at] = regularization * x[at]
    add_rows(gram, width, x, everywhere, out)
    for i in range(0, count, FOUR):
        at = i * width
        rows = at, at + width, at + 2 * width, at + 3 * width
        a, b, c, d = four_dots(x, 0, flat, *rows, width)
        add_four_rows(
            out, 0, flat, *rows, w[i] * a, w[i + 1] * b, w[i + 2] * c, w[i + 3] * d, width
        )
