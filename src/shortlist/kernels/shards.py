"""Rows in a fixed number of shards, and sums over the shards in an order that only the rows fix.

Sums of single shards are added as in a knockout: 0 and 1, 2 and 3, then the sums of two pairs. Who
holds some consecutive shards adds what can be added there; the rest is added where those sums
meet. So the bits of a sum do not depend on who holds which shards.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from shortlist.kernels.types import Doubles

_MOST: Final = 256  # shards
_WHOLE: Final = 1024  # a shard is a multiple of this many rows: with less, adding would take long


class ShardSum(NamedTuple):
    """The sum of the shards ``place * 2**level`` to ``(place + 1) * 2**level - 1``."""

    level: int
    place: int
    sum: Doubles


def shard_rows(n_rows: int) -> int:
    """Return how many rows each shard has; the last one may have fewer."""
    return max(-(-n_rows // (_MOST * _WHOLE)), 1) * _WHOLE


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
            if left.level != right.level or left.place % 2 or left.place + 1 != right.place:
                break
            both = left.sum
            both += right.sum
            met[-2:] = [ShardSum(left.level + 1, left.place // 2, both)]
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
