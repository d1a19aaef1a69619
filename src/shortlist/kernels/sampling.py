"""Items drawn for examples: negatives to train against.

Every draw is a hash of its seed, its example, its number and its attempt, and of nothing else (a
counter-based generator, as Salmon et al., SC 2011, call it): it does not matter which thread draws
it, in which order, or together with what. The hash is SplitMix64's (Steele, Lea and Flood, OOPSLA
2014). A draw takes 32 of its bits to a column: no column is off by more than ``n_items / 2**32``.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import numpy as np
from numba.core import types
from numpy.typing import NDArray

from shortlist.kernels.compile import Indices, OutIndices, Pointers, inlined, kernel
from shortlist.kernels.threads import over_rows, share


def _read(scalar: Any, dimensions: int) -> Any:
    return types.Array(scalar, dimensions, "C", readonly=True)


Words = Annotated[NDArray[np.uint32], _read(types.uint32, 1)]
Bits = Annotated[NDArray[np.uint8], _read(types.uint8, 2)]
OutBits = Annotated[NDArray[np.uint8], types.uint8[:, ::1]]
Weights = Annotated[NDArray[np.float64], _read(types.float64, 1)]

_EXAMPLES: Final = 4096  # of a block of work: some hundred microseconds
_MOST_ATTEMPTS: Final = 64  # then the draw is made among what is left, one by one


def alias_table(weights: NDArray[np.float64]) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
    """Return a table to draw from in constant time, with probabilities as the weights (Vose, 1991).

    Column ``c`` of the table is drawn uniformly; it stands for itself if 32 random bits are less
    than ``keep[c]``, and for ``other[c]`` if not.

    Parameters
    ----------
    weights (n,)
        Not negative, and not all 0.

    Examples
    --------
    >>> keep, other = alias_table(np.array([1.0, 3.0]))
    >>> (keep / 2**32).round(2).tolist(), other.tolist()
    ([0.5, 1.0], [1, 1])
    """
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
    for c in (*low, *high):  # rounding is all that keeps them from 1
        shares[c] = 1.0
    keep = np.minimum(np.floor(shares * 2.0**32), 2.0**32 - 1).astype(np.uint32)
    return keep, other


def bitmap(indptr: Pointers, indices: Indices, n_items: int) -> NDArray[np.uint8]:
    """Return the pairs of sparse rows as bits, uint8 (n_rows, n_items / 8, rounded up).

    Examples
    --------
    >>> bitmap(np.array([0, 2]), np.array([0, 9], np.int32), 12)
    array([[1, 2]], dtype=uint8)
    """
    bits = np.zeros((len(indptr) - 1, -(-n_items // 8)), np.uint8)
    over_rows(
        lambda start, stop: _bitmap(start, stop, indptr, indices, bits),
        len(bits),
        share(len(bits), _EXAMPLES),
    )
    return bits


def draw(
    examples: Pointers,
    rows: Indices,
    count: int,
    seed: int,
    weights: Weights,
    table: tuple[NDArray[np.uint32], NDArray[np.int32]] | None = None,
    known: tuple[NDArray[np.int64], NDArray[np.int32]] | None = None,
    bits: NDArray[np.uint8] | None = None,
) -> OutIndices:
    """Return ``count`` items for each example, int32 (n, count), with repeats.

    Parameters
    ----------
    examples (n,)
        What is drawn for: the number is hashed.
    rows (n,)
        The row of ``known`` that each belongs to.
    count, seed
        How many to draw for each, and from which stream.
    weights (n_items,)
        How probable each item is, not negative.
    table
        Their :func:`alias_table`; None: they are all equal.
    known
        Sorted sparse rows (indptr, indices) of what must not be drawn; None: everything may be. No
        row may hold every item with a weight.
    bits
        The same as a :func:`bitmap`; None: the rows are searched instead.

    Examples
    --------
    >>> known = np.array([0, 2]), np.array([0, 2], np.int32)
    >>> draw(np.arange(2), np.zeros(2, np.int32), 3, 0, np.ones(3), known=known)
    array([[1, 1, 1],
           [1, 1, 1]], dtype=int32)
    """
    out = np.empty((len(examples), count), np.int32)
    keep, other = table if table is not None else (np.empty(0, np.uint32), np.empty(0, np.int32))
    nothing = np.zeros(1, np.int64), np.empty(0, np.int32)
    indptr, indices = nothing if known is None else known
    marked = np.empty((0, 0), np.uint8) if bits is None else bits
    over_rows(
        lambda start, stop: _draw(
            start, stop, examples, rows, seed, weights, keep, other, indptr, indices, marked, out
        ),
        len(examples),
        share(len(examples), _EXAMPLES),
    )
    return out


@inlined
def mixed(bits: np.uint64) -> np.uint64:
    """Return bits that look nothing like these: the finaliser of SplitMix64."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@inlined
def hashed(key: np.uint64, counter: int) -> np.uint64:
    """Return the ``counter``-th 64 bits of the stream ``key``."""
    return mixed(key + np.uint64(counter + 1) * np.uint64(0x9E3779B97F4A7C15))


@inlined
def below(bits: np.uint64, bound: int) -> int:
    """Return a number from 0 to ``bound - 1`` out of the upper 32 of 64 random bits."""
    upper = (bits >> np.uint64(32)) * np.uint64(bound)
    return np.int64(upper >> np.uint64(32))  # type: ignore[return-value]


@inlined
def _has(indices: NDArray[np.int32], start: int, stop: int, item: int) -> bool:
    """Tell whether a sorted row holds an item."""
    while start < stop:
        middle = (start + stop) // 2
        if indices[middle] < item:
            start = middle + 1
        else:
            stop = middle
    return start < len(indices) and indices[start] == item


@inlined
def _among_the_rest(
    bits: np.uint64, weights: NDArray[np.float64], indices: NDArray[np.int32], start: int, stop: int
) -> int:
    """Draw from what a row does not hold, by adding up the weights."""
    total, at = 0.0, start
    for item in range(len(weights)):
        if at < stop and indices[at] == item:
            at += 1
        else:
            total += weights[item]
    left, at, last = total * (np.float64(bits >> np.uint64(11)) * 2.0**-53), start, -1
    for item in range(len(weights)):
        if at < stop and indices[at] == item:
            at += 1
        elif weights[item] > 0:
            last = item
            left -= weights[item]
            if left < 0:
                break
    return last


@kernel
def _bitmap(start: int, stop: int, indptr: Pointers, indices: Indices, bits: OutBits) -> None:
    for row in range(start, stop):
        for at in range(indptr[row], indptr[row + 1]):
            item = indices[at]
            bits[row, item >> 3] |= np.uint8(1 << (item & 7))


@kernel
def _draw(
    start: int, stop: int, examples: Pointers, rows: Indices, seed: int, weights: Weights,
    keep: Words, other: Indices, indptr: Pointers, indices: Indices, bits: Bits, out: OutIndices,
) -> None:  # fmt: skip
    n_items, rejects = len(weights), len(indptr) > 1
    for n in range(start, stop):
        row = rows[n]
        first, last = (indptr[row], indptr[row + 1]) if rejects else (0, 0)
        example = mixed(np.uint64(seed) ^ mixed(np.uint64(examples[n])))
        for number in range(out.shape[1]):
            # Attempts and numbers count in one sequence: no two draws share a hash.
            for attempt in range(_MOST_ATTEMPTS):
                random = hashed(example, number * _MOST_ATTEMPTS + attempt)
                item = below(random, n_items)
                if len(keep) and np.uint32(random & np.uint64(0xFFFFFFFF)) >= keep[item]:
                    item = np.int64(other[item])  # type: ignore[assignment]
                if not rejects:
                    break
                if len(bits):
                    known = (bits[row, item >> 3] >> np.uint8(item & 7)) & np.uint8(1) != 0
                else:
                    known = _has(indices, first, last, item)
                if not known:
                    break
                if attempt == _MOST_ATTEMPTS - 1:
                    item = _among_the_rest(mixed(random), weights, indices, first, last)
            out[n, number] = item
