"""The variety of lists: picking by maximal marginal relevance, and similarities within lists."""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.checks import Shapes, in_range, size_of
from shortlist.kernels.compile import kernel
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import (
    Csr,
    DoubleMatrix,
    IndexMatrix,
    OutDoubleMatrix,
    OutIndexMatrix,
)

_QUERIES: Final = 64  # queries for a thread at a time


def most_varied(
    candidates: IndexMatrix, relevance: DoubleMatrix, vectors: Csr, width: int, diversity: float,
    k: int,
) -> OutIndexMatrix:  # fmt: skip
    """Return the positions of ``k`` candidates of each query, the first pick first.

    Each pick maximises ``(1 - diversity) relevance - diversity * max similarity to earlier picks``;
    of equal values the first candidate is taken. ``candidates`` (B, C) are rows of ``vectors``
    (N, width), padded with -1; a similarity is the dot product of two rows, in float64, and at
    least 0. Positions (B, k) are padded with -1.
    """
    shapes = Shapes(width=width)
    shapes.check("candidates i32 B C, relevance f64 B C", candidates, relevance)
    vectors = shapes.csr("vectors", vectors, "N", "width")
    in_range("candidates", candidates.ravel(), shapes["N"], least=-1)
    picks = np.full((len(candidates), size_of("k", k)), -1, np.int32)
    if picks.size and candidates.size:
        over_rows(
            _most_varied, len(picks), _QUERIES, candidates, relevance, vectors, width,
            float(diversity), picks,
        )  # fmt: skip
    return picks


@kernel
def _most_varied(
    start: int, stop: int, candidates: IndexMatrix, relevance: DoubleMatrix, vectors: Csr,
    width: int, diversity: float, picks: OutIndexMatrix,
) -> None:  # fmt: skip
    indptr, indices, data = vectors
    count, n_picks = candidates.shape[1], picks.shape[1]
    picked = np.zeros(width, np.float64)  # the vector of the last pick
    nearest = np.empty(count, np.float64)
    is_open = np.empty(count, np.bool_)
    for b in range(start, stop):
        for c in range(count):
            nearest[c] = 0.0
            is_open[c] = candidates[b, c] >= 0
        for n in range(n_picks):
            best = -1
            best_value = 0.0
            for c in range(count):
                if is_open[c]:
                    value = (1.0 - diversity) * relevance[b, c] - diversity * nearest[c]
                    if best < 0 or value > best_value:
                        best, best_value = c, value
            if best < 0:
                break
            picks[b, n] = best
            is_open[best] = False
            if n + 1 == n_picks:
                break
            row = candidates[b, best]
            for p in range(indptr[row], indptr[row + 1]):
                picked[indices[p]] = data[p]
            for c in range(count):
                if is_open[c]:
                    other = candidates[b, c]
                    similarity = 0.0
                    for p in range(indptr[other], indptr[other + 1]):
                        similarity += picked[indices[p]] * data[p]
                    nearest[c] = max(nearest[c], similarity)
            for p in range(indptr[row], indptr[row + 1]):
                picked[indices[p]] = 0.0


def pair_similarities(lists: IndexMatrix, vectors: Csr, width: int) -> OutDoubleMatrix:
    """Sum the dot products of all pairs among the first 1, 2, ... items of each list.

    ``lists`` (B, k) are rows of ``vectors`` (N, width), padded with -1 at the end. Sums (B, k) are
    in float64.
    """
    shapes = Shapes(width=width)
    shapes.check("lists i32 B k", lists)
    vectors = shapes.csr("vectors", vectors, "N", "width")
    in_range("lists", lists.ravel(), shapes["N"], least=-1)
    sums = np.zeros(lists.shape, np.float64)
    if sums.size:
        over_rows(_pair_similarities, len(sums), _QUERIES, lists, vectors, width, sums)
    return sums


@kernel
def _pair_similarities(
    start: int, stop: int, lists: IndexMatrix, vectors: Csr, width: int, sums: OutDoubleMatrix
) -> None:
    indptr, indices, data = vectors
    total = np.zeros(width, np.float64)  # of the vectors before
    for b in range(start, stop):
        so_far = 0.0
        for n in range(lists.shape[1]):
            row = lists[b, n]
            if row >= 0:
                for p in range(indptr[row], indptr[row + 1]):
                    so_far += total[indices[p]] * data[p]
                    total[indices[p]] += data[p]
            sums[b, n] = so_far
        for n in range(lists.shape[1]):
            row = lists[b, n]
            if row >= 0:
                for p in range(indptr[row], indptr[row + 1]):
                    total[indices[p]] = 0.0
