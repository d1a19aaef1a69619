"""The k best of a row of scores: who is a candidate, who is better, in what order.

A score and its tie-breaker make one 64-bit key: the score's bits, mapped so that integers compare
as the floats do, above the reversed ``order``. Keys are distinct and totally ordered, so the k
best do not depend on the order in which scores are offered. Items that a query must not get are
marked with minus infinity before they are offered.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.compile import inlined
from shortlist.kernels.vector import STRIP, at_least, lowest_bit

NEVER: Final = np.float32(-np.inf)
"""The score of an item that is not a candidate."""

_LOWEST: Final = np.finfo(np.float32).min  # of a candidate
_LOW: Final = 0x7FFF_FFFF

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
Longs = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@inlined
def key_of(score: np.float32, order: int) -> int:
    """Return a key that is greater for a better score and, at equal scores, a smaller order."""
    bits = int(np.float32(score + np.float32(0.0)).view(np.int32))  # + 0: minus zero is zero
    if bits < 0:
        bits ^= _LOW
    return (bits << 32) | (_LOW - order)


@inlined
def score_of(key: int) -> np.float32:
    """Return the score a key was made of."""
    bits = key >> 32
    if bits < 0:
        bits ^= _LOW
    return np.int32(bits).view(np.float32)


@inlined
def order_of(key: int) -> int:
    """Return the order a key was made of."""
    return _LOW - (key & _LOW)


@inlined
def sift_down(heap: Longs, size: int, key: int) -> None:
    """Put ``key`` in the place of the least of ``heap[:size]``, a binary heap, least first."""
    at = 0
    while True:
        child = 2 * at + 1
        if child + 1 >= size:
            break
        child += int(heap[child + 1] < heap[child])  # no branch: it could not be predicted
        if heap[child] >= key:
            break
        heap[at] = heap[child]
        at = child
    child = 2 * at + 1
    if child == size - 1 and heap[child] < key:
        heap[at] = heap[child]
        at = child
    heap[at] = key


@inlined
def push(heap: Longs, size: int, key: int) -> int:
    """Offer one key to a heap of the ``len(heap)`` greatest; return how many it holds then."""
    if size == len(heap):
        if key > heap[0]:
            sift_down(heap, size, key)
        return size
    at = size
    while at > 0 and heap[(at - 1) // 2] > key:
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = key
    return size + 1


@inlined
def offer(scores: Floats, order: Integers, heap: Longs, size: int) -> int:
    """Offer a run of scores, the orders of its items beside it; return how many are held then."""
    least = score_of(heap[0]) if size == len(heap) else _LOWEST
    for start in range(0, len(scores), STRIP):
        if start + STRIP <= len(scores):
            hits = at_least(scores, start, least)
        else:
            hits = 0
            for at in range(start, len(scores)):
                hits |= int(scores[at] >= least) << (at - start)
        while hits:
            at = start + lowest_bit(hits)
            hits &= hits - 1
            if scores[at] >= least:
                size = push(heap, size, key_of(scores[at], order[at]))
                if size == len(heap):
                    least = score_of(heap[0])
    return size


@inlined
def ascending(items: Integers) -> bool:
    """Whether items are listed in ascending order, as the rows of a CSR matrix usually are."""
    falls = 0
    for at in range(1, len(items)):
        falls += items[at] < items[at - 1]
    return falls == 0


@inlined
def forbid(scores: Floats, first: int, excluded: Integers, masks: Booleans, mask: int) -> None:
    """Mark, in a run of scores that starts at item ``first``, what the query must not get."""
    if mask >= 0:
        allowed = masks[mask, first : first + len(scores)]
        for at in range(len(scores)):
            scores[at] = scores[at] if allowed[at] else NEVER
    for item in excluded:
        if first <= item < first + len(scores):
            scores[item - first] = NEVER


@inlined
def write_best(heap: Longs, size: int, row_of: Integers, rows: Integers, scores: Floats) -> None:
    """Empty the heap into a row of results, best first; the rest of the row stays as it is."""
    for last in range(size - 1, -1, -1):
        key = heap[0]
        sift_down(heap, last, heap[last])
        rows[last] = row_of[order_of(key)]
        scores[last] = score_of(key)
