"""Sorting (user, item) pairs in linear time, and merging repeated pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

Int32s: TypeAlias = NDArray[np.int32]
Int64s: TypeAlias = NDArray[np.int64]
Weights: TypeAlias = NDArray[np.float32]
Repeats = Literal["last", "sum", "max", "mean"]


class Entries(NamedTuple):
    """Distinct pairs, sorted by user row, then item row; each array (n_pairs,).

    ``positions`` holds the source row of each pair.
    """

    users: Int32s
    items: Int32s
    weights: Weights
    times: Int64s | None
    positions: Int64s


def merge_repeats(
    users: Int32s,
    items: Int32s,
    weights: Weights,
    times: Int64s | None,
    shape: tuple[int, int],
    repeats: Repeats,
) -> Entries:
    """Sort interactions by user and item, and merge the repetitions of each pair.

    ``repeats`` says how the weights of a repeated pair are combined. Its time and position are
    those of the latest interaction; of equal times, the one that is last in the source.
    """
    users, items, order = sort_pairs(users, items, shape)
    is_new = np.ones(len(users), dtype=bool)
    is_new[1:] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
    positions = order
    if is_new.all():
        weights = weights[order]
    else:
        starts = np.flatnonzero(is_new)
        users, items = users[starts], items[starts]
        positions = order[_latest(starts, order, times)]
        if repeats == "last":
            weights = weights[positions]
        else:
            weights = _combine(weights[order], starts, repeats)
    return Entries(users, items, weights, None if times is None else times[positions], positions)


def sort_pairs(
    rows: Int32s, columns: Int32s, shape: tuple[int, int]
) -> tuple[Int32s, Int32s, Int64s]:
    """Sort pairs by row, then by column; return them and the previous position of each.

    Equal pairs keep their order. Converting a sparse matrix to the other orientation is a stable
    counting sort, so two conversions sort by two keys, the less significant key first.
    """
    matrix = coo_array((np.arange(len(rows)), (rows, columns)), shape=shape)
    matrix.has_canonical_format = True  # otherwise SciPy would add up equal pairs
    sorted_pairs = matrix.tocsc().tocsr()
    counts = np.diff(sorted_pairs.indptr)
    return (
        np.repeat(np.arange(shape[0], dtype=np.int32), counts),
        sorted_pairs.indices.astype(np.int32, copy=False),
        sorted_pairs.data,
    )


def last_of_runs(
    starts: Int64s, lengths: Int64s, keys: Sequence[Int64s], free: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Mark the free entry with the largest keys in each run of entries; runs cover all entries.

    Each further key breaks the ties of those before it.

    >>> times, rows = np.array([5, 9, 9, 7]), np.array([0, 1, 2, 3])
    >>> last_of_runs(np.array([0, 3]), np.array([3, 1]), [times, rows], np.ones(4, dtype=bool))
    array([False, False,  True,  True])
    """  # starts, lengths (n_runs,); keys, free, result (n,)
    for key in keys:
        largest = np.maximum.reduceat(np.where(free, key, np.iinfo(np.int64).min), starts)
        free = free & (key == np.repeat(largest, lengths))
    return free


def _latest(starts: Int64s, order: Int64s, times: Int64s | None) -> Int64s:
    """Return the index of the latest entry of each run of sorted entries."""  # (n_runs,)
    latest = np.append(starts[1:], len(order)) - 1
    if times is not None:
        repeated = np.flatnonzero(latest > starts)  # runs of more than one entry
        lengths = latest[repeated] - starts[repeated] + 1
        first = np.cumsum(lengths) - lengths  # start of each of these runs in `members`
        members = np.arange(lengths.sum()) + np.repeat(starts[repeated] - first, lengths)
        keys = [times[order[members]], members]
        marked = last_of_runs(first, lengths, keys, np.ones(len(members), dtype=bool))
        latest[repeated] = members[marked]
    return latest


def _combine(weights: Weights, starts: Int64s, repeats: Repeats) -> Weights:
    """Return the largest, total or mean weight of each run of sorted entries."""  # (n_runs,)
    if repeats == "max":
        return np.maximum.reduceat(weights, starts)
    totals = np.add.reduceat(weights, starts, dtype=np.float64)
    if repeats == "mean":
        totals /= np.diff(starts, append=len(weights))
    return totals.astype(np.float32)
