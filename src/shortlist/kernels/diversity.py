"""The variety of lists: picking by maximal marginal relevance, and similarities within lists."""

from __future__ import annotations

from typing import Final

import numpy as np

from shortlist.kernels.checks import Shapes, in_range, size_of
from shortlist.kernels.compile import kernel, reordering
from shortlist.kernels.threads import over_rows
from shortlist.kernels.types import (
    Csr,
    DoubleMatrix,
    Doubles,
    IndexMatrix,
    Indices,
    Integers,
    OutDoubleMatrix,
    OutIndexMatrix,
    Pointers,
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


def pair_similarities(
    lists: IndexMatrix, indptr: Pointers, indices: Indices, width: int
) -> OutDoubleMatrix:
    """Sum the cosines of all pairs among the first 1, 2, ... items of each list.

    ``lists`` (B, k) are items, padded with -1 at the end. Item i is the set of numbers below
    ``width`` in ``indices[indptr[i] : indptr[i + 1]]``: the cosine of two items is the size of what
    they share by the root of the product of their sizes, and 0 for an empty set. Sums (B, k) are in
    float64.
    """
    shapes = Shapes(width=width)
    shapes.check("lists i32 B k", lists)
    shapes.lists("indptr", indptr, "indices", indices, "N", "width")
    in_range("lists", lists.ravel(), shapes["N"], least=-1)
    sums = np.zeros(lists.shape, np.float64)
    if sums.size:
        over_rows(_pair_similarities, len(sums), _QUERIES, lists, indptr, indices, width, sums)
    return sums


@kernel
def _pair_similarities(
    start: int, stop: int, lists: IndexMatrix, indptr: Pointers, indices: Indices, width: int,
    sums: OutDoubleMatrix,
) -> None:  # fmt: skip
    total = np.zeros(width, np.float64)  # of the items before, each as a vector of length 1
    last = lists.shape[1] - 1
    for b in range(start, stop):
        so_far = 0.0
        for n in range(lists.shape[1]):
            item = lists[b, n]
            if item >= 0:
                members = indices[indptr[item] : indptr[item + 1]]
                # in float32, as in the vectors that lists are picked by
                weight = np.float64(np.float32(1.0 / np.sqrt(max(len(members), 1))))
                if n:
                    so_far += weight * _sum_at(total, members)
                if n < last:
                    for p in range(len(members)):
                        total[np.uint32(members[p])] += weight
            sums[b, n] = so_far
        for n in range(last):
            item = lists[b, n]
            if item >= 0:
                for p in range(indptr[item], indptr[item + 1]):
                    total[np.uint32(indices[p])] = 0.0


@reordering
def _sum_at(values: Doubles, indices: Integers) -> float:
    total = 0.0
    for p in range(len(indices)):
        total += values[np.uint32(indices[p])]
    return total
