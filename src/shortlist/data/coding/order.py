"""Sorting in linear time, for keys that are row numbers, and the last of equals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]


def sort_pairs(
    rows: Int32s, columns: Int32s, shape: tuple[int, int]
) -> tuple[Int32s, Int32s, Int64s]:
    """Sort pairs by row, then by column; equal pairs keep their order.

    A sparse matrix that changes from one orientation to the other does a stable counting sort, so
    two such changes sort by two keys: the least one first.

    Parameters
    ----------
    rows, columns
        The pairs.  # (n,)
    shape
        Greater than all rows, and than all columns.

    Returns
    -------
    (rows, columns, order)
        The sorted pairs, and where each of them was before.  # (n,)

    Examples
    --------
    >>> rows, columns = np.array([1, 0, 1], dtype=np.int32), np.array([4, 3, 2], dtype=np.int32)
    >>> [array.tolist() for array in sort_pairs(rows, columns, (2, 5))]
    [[0, 1, 1], [3, 2, 4], [1, 2, 0]]
    """
    entries = coo_array((np.arange(len(rows)), (rows, columns)), shape=shape)
    entries.has_canonical_format = True  # or it would add up the entries of equal pairs
    sorted_pairs = entries.tocsc().tocsr()
    counts = np.diff(sorted_pairs.indptr)
    return (
        np.repeat(np.arange(shape[0], dtype=np.int32), counts),
        sorted_pairs.indices.astype(np.int32, copy=False),
        sorted_pairs.data,
    )


def last_of_runs(
    starts: Int64s, lengths: Int64s, keys: Sequence[Int64s], free: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Mark, in each run of entries, the free one with the largest keys.

    Parameters
    ----------
    starts, lengths
        Where each run begins, and how many entries it has; together they cover all.  # (n_runs,)
    keys
        The first decides; each further one decides between those that were equal so far.  # (n,)
    free
        Entries that may be marked.  # (n,)

    Returns
    -------
    NDArray[np.bool_]
        At most one mark in a run, if no two entries of it are equal in all keys.  # (n,)

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
