"""Scores of a few items of each query, from vectors: what an index of vectors proposes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.compile import Indices, Matrix, OutMatrix, Pointers, Vector, kernel
from shortlist.kernels.threads import over_rows, share

_QUERIES: Final = 16  # rows a thread takes at a time


def dots(
    queries: Matrix, items: Matrix, bias: Vector, indptr: Pointers, asked: Indices
) -> NDArray[np.float32]:
    """Return ``bias[i] + sum_p queries[b, p] * items[i, p]`` of the asked items of each query.

    Summed in the order of p, as :mod:`shortlist.kernels.topk` does.

    Parameters
    ----------
    queries (B, f), items (N, f), bias (N,)
        float32; the items are the rows.
    indptr (B + 1,), asked
        The items of each query.

    Returns
    -------
    float32 (len(asked),).

    Examples
    --------
    >>> from shortlist.kernels.dots import dots
    >>> dots(
    ...     np.array([[1, 2]], np.float32), np.array([[1, 0], [0, 1], [1, 1]], np.float32),
    ...     np.zeros(3, np.float32), np.array([0, 2]), np.array([2, 0], np.int32),
    ... )
    array([3., 1.], dtype=float32)
    """
    out = np.empty((1, len(asked)), np.float32)
    over_rows(
        lambda start, stop: _dots(start, stop, queries, items, bias, indptr, asked, out),
        len(queries),
        share(len(queries), _QUERIES),
    )
    scores: NDArray[np.float32] = out[0]
    return scores


@kernel
def _dots(
    start: int, stop: int, queries: Matrix, items: Matrix, bias: Vector, indptr: Pointers,
    asked: Indices, out: OutMatrix,
) -> None:  # fmt: skip
    depth = queries.shape[1]
    for b in range(start, stop):
        for entry in range(indptr[b], indptr[b + 1]):
            item = asked[entry]
            total = bias[item]
            for p in range(depth):
                total += queries[b, p] * items[item, p]
            out[0, entry] = total
