"""Sorting in linear time, for keys that are row numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


def stable_order(keys: NDArray[np.int32], size: int) -> NDArray[np.integer]:
    """Give the order that sorts keys between 0 and ``size - 1``; equal keys keep theirs.

    A counting sort: turning rows of one entry each into columns is exactly that.

    Examples
    --------
    >>> stable_order(np.array([2, 0, 2, 1], dtype=np.int32), 3).tolist()
    [1, 3, 0, 2]
    """
    count = len(keys)
    entries = (np.ones(count, dtype=np.int8), keys, np.arange(count + 1))
    order: NDArray[np.integer] = csr_array(entries, shape=(count, size)).tocsc().indices
    return order


def last_of_runs(
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    keys: Sequence[NDArray[np.int64]],
    free: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Mark, in each run of entries, the free one with the largest keys.

    Parameters
    ----------
    starts, lengths
        Where each run begins, and how many entries it has; together they cover all.  # (n_runs,)
    keys
        The first decides; each further one decides between those that were equal so far.
    free
        Entries that may be marked.  # (n,)

    Examples
    --------
    >>> times, rows = np.array([5, 9, 9, 7]), np.array([0, 1, 2, 3])
    >>> last_of_runs(np.array([0, 3]), np.array([3, 1]), [times, rows], np.ones(4, dtype=bool))
    array([False, False,  True,  True])
    """
    for key in keys:
        largest = np.maximum.reduceat(np.where(free, key, np.iinfo(np.int64).min), starts)
        free = free & (key == np.repeat(largest, lengths))
    return free
