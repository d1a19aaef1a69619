"""The k best of a row of scores: which items are candidates, and which of two is better.

A score and its tie-breaker make one 64-bit key: the bits of the score, mapped so that integers
compare as the floats do, above the reversed ``order``. Keys are distinct and totally ordered, so
the k best do not depend on the order in which scores are offered. Items that a query must not get
are set to minus infinity before they are offered.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.compile import inlined
from shortlist.kernels.types import Booleans, EligibleItems, Floats, Given, Integers, Longs
from shortlist.kernels.vector import STRIP, at_least, count_at_least, lowest_bit

NEVER: Final = np.float32(-np.inf)
"""The score of an item that is not a candidate."""

SHORT: Final = 64
"""The most keys of a heap that is in ascending order."""

_GROUPS: Final = 2 * STRIP  # of scores, whose maxima bound the scores of a heap
_MANY: Final = 2 * _GROUPS  # scores from which that pays
_HALVINGS: Final = 8  # of the range that the bound is searched in

_FEW: Final = 24  # keys that are sorted by insertion
_DEEPEST: Final = 64  # parts that wait to be sorted: each is at most half as long as the one before

_LOWEST: Final = np.finfo(np.float32).min  # score of a candidate
_LOW_BITS: Final = 0x7FFF_FFFF


@inlined
def key_of(score: np.float32, order: int) -> int:
    """Return a key that is greater for a better score and, at equal scores, for a smaller order."""
    bits = int(np.float32(score + np.float32(0.0)).view(np.int32))  # + 0: minus zero becomes zero
    if bits < 0:
        bits ^= _LOW_BITS
    return (bits << 32) | (_LOW_BITS - order)


@inlined
def score_of(key: int) -> np.float32:
    """Return the score in a key."""
    bits = key >> 32
    if bits < 0:
        bits ^= _LOW_BITS
    return np.int32(bits).view(np.float32)


@inlined
def order_of(key: int) -> int:
    """Return the order in a key."""
    return _LOW_BITS - (key & _LOW_BITS)


@inlined
def sift_down(heap: Longs, size: int, key: int) -> None:
    """Replace the least key of ``heap[:size]``, a binary heap with the least on top, by ``key``."""
    parent = 0
    while True:
        child = 2 * parent + 1
        if child + 1 >= size:
            break
        child += int(heap[child + 1] < heap[child])  # no branch: it could not be predicted
        if heap[child] >= key:
            break
        heap[parent] = heap[child]
        parent = child
    child = 2 * parent + 1
    if child == size - 1 and heap[child] < key:
        heap[parent] = heap[child]
        parent = child
    heap[parent] = key


@inlined
def push(heap: Longs, size: int, key: int) -> int:
    """Offer a key to a heap of the ``len(heap)`` greatest; return the number of keys it holds.

    A short heap is kept in ascending order, which costs less than sifting.
    """
    if size == len(heap):
        if key > heap[0]:
            if size > SHORT:
                sift_down(heap, size, key)
            else:
                for position in range(size - 1):  # in vector instructions, without a branch
                    heap[position] = max(heap[position], min(heap[position + 1], key))
                heap[size - 1] = max(heap[size - 1], key)
        return size
    position = size
    while position > 0:
        before = position - 1 if len(heap) <= SHORT else (position - 1) // 2
        if heap[before] <= key:
            break
        heap[position] = heap[before]
        position = before
    heap[position] = key
    return size + 1


@inlined
def emptied(heap: Longs) -> int:
    """Return the size of a heap without keys.

    For a literal 0, Numba would compile the functions that take the size once more.
    """
    return int(np.int64(0))


@inlined
def offer(
    scores: Floats, order: Integers, heap: Longs, size: int, items: Integers | None = None
) -> int:
    """Offer a run of scores; return the number of keys in the heap.

    ``order`` is that of the run, or with ``items``, whose scores they are, that of all items.
    """
    if len(heap) == 0:
        return 0
    least = _least(scores, heap, size)
    for start in range(0, len(scores), STRIP):
        hits = _hits(scores, start, least)
        while hits:
            position = start + lowest_bit(hits)
            hits &= hits - 1
            if scores[position] >= least:
                item = position if items is None else items[position]
                size = push(heap, size, key_of(scores[position], order[item]))
                if size == len(heap):
                    least = score_of(heap[0])
    return size


@inlined
def _least(scores: Floats, heap: Longs, size: int) -> np.float32:
    """Return a score below which none of a run can stay in the heap.

    Most keys that an empty heap takes would not stay. So scores are compared with a bound first:
    the maxima of as many groups of them as the heap holds keys are not below it.
    """
    if size == len(heap):
        return score_of(heap[0])
    if size > 0 or len(heap) > _GROUPS or len(scores) < _MANY:
        return _LOWEST
    maxima = np.full(_GROUPS, NEVER)
    for start in range(0, len(scores) - _GROUPS + 1, _GROUPS):
        run = scores[start : start + _GROUPS]  # a score for each group
        for group in range(_GROUPS):
            maxima[group] = run[group] if run[group] > maxima[group] else maxima[group]
    low: np.float32 = maxima[0]
    high, half = low, np.float32(0.5)
    for group in range(1, _GROUPS):
        low, high = min(low, maxima[group]), max(high, maxima[group])
    low = max(low, _LOWEST)
    if _count_groups(maxima, low) < len(heap):
        return _LOWEST
    for _ in range(_HALVINGS):
        middle = half * low + half * high
        if _count_groups(maxima, middle) >= len(heap):
            low = middle
        else:
            high = middle
    return low


@inlined
def _count_groups(maxima: Floats, least: np.float32) -> int:
    """Return how many of the groups have a maximum that is ``least`` or more."""
    count: int = count_at_least(maxima, 0, least) + count_at_least(maxima, STRIP, least)
    return count


@inlined
def _hits(scores: Floats, start: int, least: np.float32) -> int:
    """Return a bit for each of the next scores, one where it is not below ``least``."""
    hits = 0
    if start + STRIP <= len(scores):
        hits = at_least(scores, start, least)
    else:
        for item in range(start, len(scores)):
            hits |= int(scores[item] >= least) << (item - start)
    return hits


@inlined
def sort_keys(keys: Longs | Integers) -> None:
    """Sort distinct keys: quicksort without branches, parts of a few keys by insertion."""
    firsts, lasts = np.empty(_DEEPEST, np.int64), np.empty(_DEEPEST, np.int64)
    firsts[0], lasts[0], depth = 0, len(keys), 1
    while depth:
        depth -= 1
        first, last = firsts[depth], lasts[depth]
        while last - first > _FEW:
            a, b, c = keys[first], keys[(first + last) // 2], keys[last - 1]
            pivot = max(min(a, b), min(max(a, b), c))
            middle = first  # keys[first:middle] are less than the pivot
            for position in range(first, last):
                key = keys[position]
                keys[position] = keys[middle]
                keys[middle] = key
                middle += key < pivot
            shorter = middle - first < last - middle  # comes first: the rest fits into _DEEPEST
            firsts[depth], lasts[depth] = (middle, last) if shorter else (first, middle)
            first, last = (first, middle) if shorter else (middle, last)
            depth += 1
        for position in range(first + 1, last):
            key, into = keys[position], position
            while into > first and keys[into - 1] > key:
                keys[into] = keys[into - 1]
                into -= 1
            keys[into] = key


@inlined
def ascending(items: Integers) -> bool:
    """Return whether items are in ascending order, as the rows of a CSR matrix usually are."""
    falls = 0
    for entry in range(1, len(items)):
        falls += items[entry] < items[entry - 1]
    return falls == 0


@inlined
def forbid(scores: Floats, first: int, excluded: Integers, masks: Booleans, mask: int) -> None:
    """Set to minus infinity, in the scores from item ``first`` on, those the query must not get."""
    if mask >= 0:
        allowed = masks[mask, first : first + len(scores)]
        for item in range(len(scores)):
            scores[item] = scores[item] if allowed[item] else NEVER
    for item in excluded:
        if first <= item < first + len(scores):
            scores[item - first] = NEVER


@inlined
def forbid_ineligible(scores: Floats, eligible: EligibleItems, query: int) -> None:
    """Set to minus infinity, in a query's scores of all items, those it must not get."""
    indptr, indices, masks, mask_of, _ = eligible
    forbid(scores, 0, indices[indptr[query] : indptr[query + 1]], masks, mask_of[query])


@inlined
def rank_increment(scores: Floats, own: np.float32) -> float:
    """Return what scores add to the rank of a score: 1 for a greater, 1/2 for an equal one."""
    above = np.nextafter(own, np.float32(np.inf))
    whole, twice = len(scores) // STRIP * STRIP, 0
    for start in range(0, whole, STRIP):
        twice += count_at_least(scores, start, own) + count_at_least(scores, start, above)
    for position in range(whole, len(scores)):
        twice += int(scores[position] >= own) + int(scores[position] >= above)
    return twice / 2


@inlined
def rank_given(row: Floats, given: Given, query: int) -> None:
    """Write the ranks of a query's given items among all its scores."""
    for entry in range(given.indptr[query], given.indptr[query + 1]):
        own = row[given.items[entry]]
        given.ranks[entry] = np.inf if own == NEVER else rank_increment(row, own) + 0.5


@inlined
def add_to_ranks(run: Floats, first: int, given: Given, query: int, own: Floats) -> None:
    """Add what a run of scores, from item ``first`` on, counts in the ranks of given items.

    ``own`` are the scores of the query's given items. Ranks begin at 1/2: each is equal to itself.
    """
    start = given.indptr[query]
    for entry in range(start, given.indptr[query + 1]):
        column = given.items[entry] - first
        if 0 <= column < len(run) and run[column] == NEVER:
            given.ranks[entry] = np.inf  # and remains so, whatever is added
        given.ranks[entry] += rank_increment(run, own[entry - start])


@inlined
def write_best(heap: Longs, size: int, row_of: Integers, rows: Integers, scores: Floats) -> None:
    """Write the heap to a row of results, best first; the rest of the row stays as it is.

    ``row_of`` is the item row that has each order. The heap is sorted afterwards.
    """
    if len(heap) > SHORT:
        sort_keys(heap[:size])
    for position in range(size):
        key = heap[size - 1 - position]
        rows[position] = row_of[order_of(key)]
        scores[position] = score_of(key)
