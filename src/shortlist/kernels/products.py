"""Gram matrices of factors (n, f), and products of factors with small matrices, in a fixed order.

A BLAS changes the order of its sums with the number of threads and with the shape. Here every
element is summed in one order: from first to last in float32, in chunks of 256.

A Gram matrix is a sum over shards of rows, whose number depends on n alone. The sums of shards are
added pairwise, as in a binary tree: 0 and 1, 2 and 3, then these sums. A process that holds some
consecutive shards adds what can be added there; the rest is added where those sums meet. So the
bits do not depend on which process holds which shards.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels import linalg
from shortlist.kernels.checks import Shapes
from shortlist.kernels.compile import kernel
from shortlist.kernels.threads import over_rows
from shortlist.kernels.topk import packed_items
from shortlist.kernels.types import Doubles, Matrix, OutMatrix, OutPartials, Vector
from shortlist.kernels.vector import COLUMNS, ROWS, add_tile

_CHUNK: Final = 256  # products summed in float32 at a time: packed, they stay in the L1 cache
_BAND: Final = 256  # columns of a Gram matrix for a thread at a time
_ROWS: Final = 96  # rows of a product for a thread at a time: a multiple of 6
_CELLS: Final = 4096  # about this over f Gram matrices of f columns are computed at a time
_MOST_SHARDS: Final = 256
_WHOLE: Final = 1024  # a shard is a multiple of this many rows: with less, adding would take long


class ShardSum(NamedTuple):
    """The sum of the shards ``position * 2**level`` to ``(position + 1) * 2**level - 1``."""

    level: int
    position: int
    sum: Doubles


def gram(factors: Matrix) -> NDArray[np.float64]:
    """Return ``V'V`` (f, f) of factors V (n, f); the sums of its chunks are added in float64."""
    return total_gram(shard_grams(factors, shard_rows(len(factors)), 0), factors.shape[1])


def shard_grams(factors: Matrix, rows: int, first: int) -> list[ShardSum]:
    """Return the upper triangles of ``V'V`` of shards, added up as far as they can be.

    ``factors`` (n, f) are those of the shards from ``first`` on, of ``rows`` rows each.
    """
    Shapes(rows=rows, first=first).check("factors f32 n f", factors)
    depth, count = factors.shape[1], -(-len(factors) // max(rows, 1))
    parts = min(max(_CELLS // max(depth, 1), 2), 16)
    sums: list[ShardSum] = []
    for begin in range(0, count, parts):
        partials = np.zeros((min(parts, count - begin), depth, depth))
        part = factors[begin * rows : (begin + parts) * rows]
        over_rows(_gram, len(partials) * -(-depth // _BAND), 1, part, rows, partials)
        sums = added([*sums, *(ShardSum(0, first + begin + p, s) for p, s in enumerate(partials))])
    return sums


def shard_rows(n_rows: int) -> int:
    """Return how many rows each shard has; the last one may have fewer."""
    return max(-(-n_rows // (_MOST_SHARDS * _WHOLE)), 1) * _WHOLE


def shard_count(n_rows: int) -> int:
    """Return the number of shards."""
    return -(-n_rows // shard_rows(n_rows))


def added(sums: Iterable[ShardSum]) -> list[ShardSum]:
    """Add up what can be added of the sums of consecutive shards, in their order.

    The arrays of the sums are overwritten.
    """
    met: list[ShardSum] = []
    for following in sums:
        met.append(following)
        while len(met) > 1:
            left, right = met[-2:]
            if (
                left.level != right.level
                or left.position % 2
                or left.position + 1 != right.position
            ):
                break
            both = left.sum
            both += right.sum
            met[-2:] = [ShardSum(left.level + 1, left.position // 2, both)]
    return met


def total_gram(sums: Iterable[ShardSum], depth: int) -> Doubles:
    """Return a Gram matrix (depth, depth), by the upper triangles of all shards in their order.

    Zeros without a shard. The arrays of the sums are overwritten.
    """
    met = added(sums) or [ShardSum(0, 0, np.zeros((depth, depth)))]
    while len(met) > 1:  # their number is no power of two: the last ones first
        left, right = met[-2].sum, met.pop().sum
        left += right
    upper = np.triu(met[0].sum)
    whole: Doubles = upper + np.triu(upper, 1).T
    return whole


def multiply(factors: Matrix, square: Matrix) -> OutMatrix:
    """Return the product (n, f) of factors (n, f) and a square matrix (f, f)."""
    shapes = Shapes().check("factors f32 n f, square f32 f f", factors, square)
    depth = shapes["f"]
    starts = range(0, max(depth, 1), _CHUNK)
    packed = np.concatenate([packed_items(square[first : first + _CHUNK]) for first in starts])
    out = np.empty(factors.shape, np.float32)
    over_rows(_multiply, len(out), _ROWS, factors, packed, out, multiple=ROWS)
    return out


@kernel
def _gram(start: int, stop: int, factors: Matrix, size: int, partials: OutPartials) -> None:
    """Add up the Gram matrices of parts of ``size`` rows; a unit is a part and a band of it."""
    n, depth = factors.shape
    parts = len(partials)
    left = np.empty(_CHUNK * ROWS, np.float32)
    right = np.empty(_CHUNK * _BAND, np.float32)
    tile = np.empty(ROWS * COLUMNS, np.float32)
    for unit in range(start, stop):
        part, band = unit % parts, unit // parts
        begin, end = band * _BAND, min(band * _BAND + _BAND, depth)
        last = min(n, (part + 1) * size)
        for first in range(part * size, last, _CHUNK):
            rows = factors[first : min(first + _CHUNK, last)]
            count = len(rows)
            linalg.pack_columns(rows, begin, end, right)
            for r in range(0, end, ROWS):
                for p in range(count):
                    for i in range(ROWS):
                        left[p * ROWS + i] = rows[p, r + i] if r + i < depth else np.float32(0.0)
                for c in range(max(begin, r // COLUMNS * COLUMNS), end, COLUMNS):
                    tile[:] = 0.0
                    add_tile(
                        left, 0, ROWS, right, (c - begin) * count, COLUMNS, count, tile, 0, COLUMNS
                    )
                    for i in range(min(ROWS, depth - r)):
                        for j in range(min(COLUMNS, depth - c)):
                            partials[part, r + i, c + j] += np.float64(tile[i * COLUMNS + j])


@kernel
def _multiply(start: int, stop: int, factors: Matrix, packed: Vector, out: OutMatrix) -> None:
    depth = factors.shape[1]
    width = linalg.round_up(depth, COLUMNS)
    n_rows = linalg.round_up(stop - start, ROWS)
    left = np.zeros(n_rows * min(depth, _CHUNK), np.float32)
    sums = np.zeros(n_rows * width, np.float32)
    for first in range(0, depth, _CHUNK):
        count = min(_CHUNK, depth - first)
        linalg.pack_rows(factors[:, first : first + count], start, stop, left)
        for c in range(0, depth, COLUMNS):
            for r in range(0, n_rows, ROWS):
                add_tile(
                    left, r * count, ROWS, packed, first * width + c * count, COLUMNS, count,
                    sums, r * width + c, width,
                )  # fmt: skip
    for r in range(stop - start):
        linalg.copy_row(sums[r * width : r * width + depth], out[start + r])
