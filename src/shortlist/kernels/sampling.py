"""Items drawn for examples: the negatives of training.

Every draw is a hash of its seed, its example, its number and its attempt, and of nothing else (a
counter-based generator, as Salmon et al., SC 2011, call it). So it does not matter which thread
draws it, in which order, or together with which others. The hash is SplitMix64's (Steele, Lea and
Flood, OOPSLA 2014). A draw takes 32 of its bits to choose a column of the alias table: no column's
probability is off by more than ``n_items / 2**32``.
"""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.checks import Shapes, in_range, size_of
from shortlist.kernels.compile import inlined, kernel
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import (
    Bits,
    Doubles,
    DoubleVector,
    Indices,
    Integers,
    OutBits,
    OutIndexMatrix,
    Pointers,
    Words,
)

_EXAMPLES: Final = 4096  # in a block of work: some hundred microseconds
_MOST_ATTEMPTS: Final = 64  # then the draw is made among the remaining items, one by one

Hash = TypeVar("Hash", np.uint64, NDArray[np.uint64])


def splitmix(bits: Hash) -> Hash:
    """Return 64 bits that look random, a function of ``bits``: the finaliser of SplitMix64."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


_mixed = inlined(splitmix)


def alias_table(weights: DoubleVector) -> tuple[Words, Indices]:
    """Return a table to draw from in constant time, with probabilities as the weights (Vose, 1991).

    Column ``c`` of the table is drawn uniformly. If 32 random bits are less than ``keep[c]``, the
    draw is item ``c``, otherwise item ``other[c]``.
    """
    Shapes().check("weights f64 n_items", weights)
    n_items = len(weights)
    shares = weights * (n_items / weights.sum())
    other = np.arange(n_items, dtype=np.int32)
    low = [c for c in range(n_items) if shares[c] < 1]
    high = [c for c in range(n_items) if shares[c] >= 1]
    while low and high:
        short, long = low.pop(), high[-1]
        other[short] = long
        shares[long] -= 1 - shares[short]
        if shares[long] < 1:
            low.append(high.pop())
    for c in (*low, *high):  # 1 but for rounding
        shares[c] = 1.0
    keep = np.minimum(np.floor(shares * 2.0**32), 2.0**32 - 1).astype(np.uint32)
    return keep, other


def bitmap(indptr: Pointers, indices: Indices, n_items: int) -> OutBits:
    """Return the pairs of sparse rows as bits, uint8 (n_rows, n_items / 8, rounded up)."""
    shapes = Shapes(n_items=n_items)
    shapes.lists("indptr", indptr, "indices", indices, "n_rows", "n_items")
    bits = np.zeros((shapes["n_rows"], -(-n_items // 8)), np.uint8)
    over_rows(_bitmap, len(bits), _EXAMPLES, indptr, indices, bits)
    return bits


def draw(
    examples: Pointers, rows: Indices, count: int, seed: int, weights: DoubleVector,
    table: tuple[Words, Indices] | None = None, known: tuple[Pointers, Indices] | None = None,
    bits: Bits | None = None,
) -> OutIndexMatrix:  # fmt: skip
    """Return ``count`` items for each example, int32 (n, count), with repeats.

    ``examples`` are numbers that are hashed; ``weights`` (n_items,) are the probabilities up to a
    factor, and ``table`` is their :func:`alias_table` (None: they are all equal). Example n never
    gets the items of row ``rows[n]`` of the sorted sparse rows ``known``; no row may hold every
    item that has a weight. ``bits`` is the :func:`bitmap` of ``known``, which is faster than
    searching it.
    """
    shapes = Shapes()
    shapes.check("examples i64 n, rows i32 n, weights f64 n_items", examples, rows, weights)
    out = np.empty((len(examples), size_of("count", count)), np.int32)
    if out.size and not len(weights):
        raise ValueError("weights has shape (0,), expected at least one item to draw")
    keep, other = table or (np.empty(0, np.uint32), np.empty(0, np.int32))
    if table is not None:
        shapes.check("table[0] u32 n_items, table[1] i32 n_items", keep, other)
        in_range("table[1]", other, len(weights))
    indptr, indices = known or (np.zeros(1, np.int64), np.empty(0, np.int32))
    marked = np.empty((0, 0), np.uint8)
    if known is not None:
        shapes.check("known[0] i64 len(known[0]), known[1] i32 len(known[1])", indptr, indices)
        n_rows = max(len(indptr) - 1, 0)
        in_range("rows", rows, n_rows)
        if bits is not None:
            sizes = Shapes(n_rows=n_rows, n_bytes=-(-len(weights) // 8))
            sizes.check("bits u8 n_rows n_bytes", bits)
            marked = bits
    over_rows(
        _draw, len(examples), _EXAMPLES,
        examples, rows, seed, weights, keep, other, indptr, indices, marked, out,
    )  # fmt: skip
    return out


@inlined
def _hash(key: np.uint64, counter: int) -> np.uint64:
    """Return the ``counter``-th 64 bits of the stream ``key``."""
    return _mixed(key + np.uint64(counter + 1) * np.uint64(0x9E3779B97F4A7C15))


@inlined
def _below(bits: np.uint64, bound: int) -> int:
    """Return a number from 0 to ``bound - 1`` from the upper 32 of 64 random bits."""
    upper = (bits >> np.uint64(32)) * np.uint64(bound)
    return np.int64(upper >> np.uint64(32))  # type: ignore[return-value]


@inlined
def _contains(indices: Integers, start: int, stop: int, item: int) -> bool:
    """Return whether the sorted row ``indices[start:stop]`` holds an item."""
    low, high = start, stop
    while low < high:
        middle = (low + high) // 2
        if indices[middle] < item:
            low = middle + 1
        else:
            high = middle
    return low < stop and indices[low] == item


@inlined
def _draw_remaining(bits: np.uint64, weights: Doubles, row: Integers) -> int:
    """Draw from the items that a sorted row does not hold, by adding up their weights."""
    total, entry = 0.0, 0
    for item in range(len(weights)):
        if entry < len(row) and row[entry] == item:
            entry += 1
        else:
            total += weights[item]
    left, entry, last = total * (np.float64(bits >> np.uint64(11)) * 2.0**-53), 0, -1
    for item in range(len(weights)):
        if entry < len(row) and row[entry] == item:
            entry += 1
        elif weights[item] > 0:
            last = item
            left -= weights[item]
            if left < 0:
                break
    return last


@kernel
def _bitmap(start: int, stop: int, indptr: Pointers, indices: Indices, bits: OutBits) -> None:
    for row in range(start, stop):
        for entry in range(indptr[row], indptr[row + 1]):
            item = indices[entry]
            bits[row, item >> 3] |= np.uint8(1 << (item & 7))


@kernel
def _draw(
    start: int, stop: int, examples: Pointers, rows: Indices, seed: int, weights: DoubleVector,
    keep: Words, other: Indices, indptr: Pointers, indices: Indices, bits: Bits,
    out: OutIndexMatrix,
) -> None:  # fmt: skip
    """Draw for examples ``start`` to ``stop - 1``; empty arrays for no table, no rows, no bits."""
    n_items, rejects = len(weights), len(indptr) > 1
    first, last = 0, 0
    for n in range(start, stop):
        row = rows[n]
        if rejects:
            first, last = indptr[row], indptr[row + 1]
            if first < 0 or last < first or last > len(indices):
                raise ValueError("known[0] is not ascending from 0 to len(known[1])")
        example = _mixed(np.uint64(seed) ^ _mixed(np.uint64(examples[n])))
        for number in range(out.shape[1]):
            # Attempts and numbers count in one sequence: no two draws share a hash.
            for attempt in range(_MOST_ATTEMPTS):
                random = _hash(example, number * _MOST_ATTEMPTS + attempt)
                item = _below(random, n_items)
                if len(keep) and np.uint32(random & np.uint64(0xFFFFFFFF)) >= keep[item]:
                    item = np.int64(other[item])  # type: ignore[assignment]
                if not rejects:
                    break
                if len(bits):
                    rejected = (bits[row, item >> 3] >> np.uint8(item & 7)) & np.uint8(1) != 0
                else:
                    rejected = _contains(indices, first, last, item)
                if not rejected:
                    break
                if attempt == _MOST_ATTEMPTS - 1:
                    item = _draw_remaining(_mixed(random), weights, indices[first:last])
            out[n, number] = item
