"""Many interactions of one pair become one entry, and all entries are put in order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.data.coding.order import last_of_runs, sort_pairs
from shortlist.data.dataset import Repeats
from shortlist.data.vocabulary import Rows


class Entries(NamedTuple):
    """Interactions with their ids as rows, each array (n,)."""

    users: Rows
    items: Rows
    weights: NDArray[np.float32]
    times: NDArray[np.int64] | None


class Merged(NamedTuple):
    """One entry for each pair, sorted by user, then item, each array (n_pairs,)."""

    users: Rows
    items: Rows
    weights: NDArray[np.float32]
    times: NDArray[np.int64] | None
    positions: NDArray[np.int64]


def merged(entries: Entries, shape: tuple[int, int], repeats: Repeats) -> Merged:
    """Sort the entries, and make one of each run of them with the same pair.

    Parameters
    ----------
    entries
        In the order of the source.
    shape
        How many users and items there are.
    repeats
        How the weights of a run become one. Its time and position are those of the last entry: the
        latest, and among equal times the one furthest down.

    Examples
    --------
    >>> ones, stars = np.ones(3, dtype=np.int32), np.array([5, 1, 3], dtype=np.float32)
    >>> one = merged(Entries(ones, ones, stars, np.array([20, 30, 30])), (2, 2), "max")
    >>> one.weights, one.times, one.positions
    (array([5.], dtype=float32), array([30]), array([2]))
    """
    users, items, order = sort_pairs(entries.users, entries.items, shape)
    fresh = np.ones(len(users), dtype=bool)
    fresh[1:] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
    kept, weights = order, entries.weights
    if fresh.all():
        weights = weights[order]
    else:
        starts = np.flatnonzero(fresh)
        users, items = users[starts], items[starts]
        kept = order[_last(starts, order, entries.times)]
        weights = weights[kept] if repeats == "last" else _combined(weights[order], starts, repeats)
    times = None if entries.times is None else entries.times[kept]
    return Merged(users, items, weights, times, kept)


def _last(
    starts: NDArray[np.int64], order: NDArray[np.int64], times: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Find the last of each run of sorted entries, as a place among them."""
    last = np.append(starts[1:], len(order)) - 1
    if times is not None:
        several = np.flatnonzero(last > starts)
        lengths = last[several] - starts[several] + 1
        first = np.cumsum(lengths) - lengths  # where each begins among the entries of these runs
        members = np.arange(lengths.sum()) + np.repeat(starts[several] - first, lengths)
        keys = [times[order[members]], members]
        marked = last_of_runs(first, lengths, keys, np.ones(len(members), dtype=bool))
        last[several] = members[marked]
    return last


def _combined(
    weights: NDArray[np.float32], starts: NDArray[np.int64], repeats: Repeats
) -> NDArray[np.float32]:
    if repeats == "max":
        return np.maximum.reduceat(weights, starts)
    totals = np.add.reduceat(weights, starts, dtype=np.float64)
    if repeats == "mean":
        totals /= np.diff(starts, append=len(weights))
    return totals.astype(np.float32)
