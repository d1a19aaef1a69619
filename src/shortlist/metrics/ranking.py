"""Ranking metrics, from the ranks of each user's relevant items.

A user's relevant items are the items of their test data. The rank of an item is its position, from
1, among all candidates of the user. Tied items share the mean of the positions that the tie
occupies (mid-rank), so a model that gives every item the same score gains nothing from the order of
the table. A relevant item that is not a candidate has rank infinity.

Ranks are grouped by user: user ``u`` has ``ranks[indptr[u] : indptr[u + 1]]``, and every user has
at least one.

Several relevant items of one user may share one tie, and then all have the same mid-rank. Taken
literally, 100 of them at mid-rank 50.5 would put 100 hits into a list of 60. :func:`settle_ties`
therefore spreads them over consecutive positions around their mid-rank. A single relevant item
keeps its mid-rank exactly, and every metric stays within its bounds.

**Notation**, for one user: ``n`` relevant items with settled ranks ``r_1 < r_2 < ... < r_n``, and
``hits@k`` is the number of ``r_j <= k``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def settle_ties(ranks: FloatArray, indptr: Int64Array) -> FloatArray:
    """Sort each user's ranks and spread relevant items that tie over consecutive positions.

    ``t`` relevant items of one user at one mid-rank ``m`` get the positions ``m - (t - 1) / 2, ...,
    m + (t - 1) / 2``. Their tie occupies at least ``t`` positions centred on ``m``, so these are
    among them. Infinity stays infinity.

    >>> settle_ties(np.array([4.5, 2.0, 4.5, 3.5]), np.array([0, 3, 4])).tolist()
    [2.0, 4.0, 5.0, 3.5]
    """
    owner = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))  # (n_relevant,)
    ordered = ranks[np.lexsort((ranks, owner))]
    if len(ordered) == 0:
        return ordered
    starts_run = np.ones(len(ordered), dtype=bool)
    starts_run[1:] = (owner[1:] != owner[:-1]) | (ordered[1:] != ordered[:-1])
    starts = np.flatnonzero(starts_run)
    lengths = np.diff(starts, append=len(ordered))
    offset = np.arange(len(ordered)) - np.repeat(starts, lengths)  # 0, 1, ... within a tie
    return np.asarray(ordered + offset - np.repeat((lengths - 1) / 2, lengths))


def sum_by_user(terms: NDArray[np.generic], indptr: Int64Array) -> FloatArray:
    """Sum the terms of each user's entries; every user has at least one."""
    return np.add.reduceat(terms.astype(np.float64), indptr[:-1])


def recall(ranks: FloatArray, indptr: Int64Array, k: int) -> FloatArray:
    """Share of the relevant items in the first k: ``hits@k / n``."""
    return sum_by_user(ranks <= k, indptr) / np.diff(indptr)


def capped_recall(ranks: FloatArray, indptr: Int64Array, k: int) -> FloatArray:
    """Recall relative to what a list of k can hold: ``hits@k / min(n, k)``.

    This is the "Recall@k" of the job-posting competition (DACON 236170).
    """
    return sum_by_user(ranks <= k, indptr) / np.minimum(np.diff(indptr), k)


def precision(ranks: FloatArray, indptr: Int64Array, k: int) -> FloatArray:
    """Share of the first k that is relevant: ``hits@k / k``, even with fewer than k candidates."""
    return sum_by_user(ranks <= k, indptr) / k


def hit_rate(ranks: FloatArray, indptr: Int64Array, k: int) -> FloatArray:
    """Whether any relevant item is in the first k: ``1 if r_1 <= k else 0``."""
    return (ranks[indptr[:-1]] <= k).astype(np.float64)


def discounted_gain(ranks: NDArray[Any], k: int) -> FloatArray:
    """Discounted gain of each relevant item: ``1 / log2(1 + rank)`` if ``rank <= k``, else 0.

    For a user with one relevant item this is NDCG@k.
    """
    return np.asarray(np.where(ranks <= k, 1 / np.log2(1.0 + ranks), 0.0))


def ideal_gain(counts: NDArray[np.int64], k: int) -> FloatArray:
    """Highest possible DCG@k: ``sum over j = 1 .. min(n, k) of 1 / log2(1 + j)``."""
    counts = np.minimum(counts, k)
    gains = discounted_gain(np.arange(1, counts.max(initial=1) + 1), k)
    return np.asarray(np.cumsum(gains)[counts - 1])


def ndcg(ranks: FloatArray, indptr: Int64Array, k: int) -> FloatArray:
    """Normalised discounted cumulative gain with gain 1 for a relevant item (Jarvelin 2002).

    ``DCG / IDCG`` with ``DCG = sum over r_j <= k of 1 / log2(1 + r_j)`` and ``IDCG`` the DCG of a
    perfect order (:func:`ideal_gain`).
    """
    return sum_by_user(discounted_gain(ranks, k), indptr) / ideal_gain(np.diff(indptr), k)


Gain = Literal["linear", "exponential"]


def graded_ndcg(
    ranks: FloatArray, indptr: Int64Array, weights: FloatArray, ks: Sequence[int], gain: Gain
) -> dict[str, FloatArray]:
    """NDCG whose gain is the weight of a relevant item, or ``2^weight - 1`` (exponential).

    ``DCG@k = sum over r_j <= k of g_j / log2(1 + r_j)``, over that of the best order (Jarvelin &
    Kekalainen 2002; Burges et al. 2005 for the exponential gain); 0 if no item of a user has a
    gain. ``ranks`` are mid-ranks, in any order within a user, ``weights`` those of the items.
    Relevant items of one user in one tie share their mean gain.

    >>> ranks, indptr = np.array([1.0, 2.0]), np.array([0, 2])
    >>> graded_ndcg(ranks, indptr, np.array([1.0, 3.0]), [2], "linear")["graded_ndcg@2"].round(4)
    array([0.7967])
    """
    gains = weights.astype(np.float64) if gain == "linear" else np.exp2(weights) - 1
    counts = np.diff(indptr)
    owner = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((ranks, owner))
    starts = np.ones(len(order), dtype=bool)
    by_rank = ranks[order]
    starts[1:] = (owner[1:] != owner[:-1]) | (by_rank[1:] != by_rank[:-1])
    run = np.cumsum(starts) - 1
    lengths = np.bincount(run)
    shared = (np.bincount(run, weights=gains[order]) / np.maximum(lengths, 1))[run]
    settled = settle_ties(ranks, indptr)
    best = gains[np.lexsort((-gains, owner))]
    position = np.arange(len(owner)) - np.repeat(indptr[:-1], counts) + 1
    values = {}
    for k in ks:
        found = sum_by_user(shared * discounted_gain(settled, k), indptr)
        ideal = sum_by_user(best * discounted_gain(position, k), indptr)
        empty = np.zeros(len(found))
        values[f"graded_ndcg@{k}"] = np.divide(found, ideal, out=empty, where=ideal > 0)
    return values


def mean_average_precision(ranks: FloatArray, indptr: Int64Array, k: int) -> FloatArray:
    """Average precision of a user: ``sum over r_j <= k of j / r_j``, over ``min(n, k)``.

    Dividing by min(n, k) makes a perfect list score 1 whatever k and n are.
    """
    number = np.arange(len(ranks)) - np.repeat(indptr[:-1], np.diff(indptr)) + 1  # j
    gains = np.where(ranks <= k, number / ranks, 0.0)
    return sum_by_user(gains, indptr) / np.minimum(np.diff(indptr), k)


def mrr(ranks: FloatArray, indptr: Int64Array) -> FloatArray:
    """Reciprocal rank of a user's best relevant item, without a cut-off: ``1 / r_1``."""
    return np.asarray(1 / ranks[indptr[:-1]])


AT_K: Mapping[str, Callable[[FloatArray, Int64Array, int], FloatArray]] = {
    "hit_rate": hit_rate,
    "recall": recall,
    "capped_recall": capped_recall,
    "precision": precision,
    "ndcg": ndcg,
    "map": mean_average_precision,
}
"""The metrics with a cut-off, by the name in reports. Add a new ranking metric here."""


def rank_metrics(ranks: FloatArray, indptr: Int64Array, ks: Sequence[int]) -> dict[str, FloatArray]:
    """Every ranking metric, per user, by name: ``"recall@10"``, ..., ``"mrr"``.

    ``ranks`` are mid-ranks, as from ``scoring.selection.midranks``, in any order within a user.
    """
    settled = settle_ties(ranks, indptr)
    values = {f"{name}@{k}": of(settled, indptr, k) for name, of in AT_K.items() for k in ks}
    values["mrr"] = mrr(settled, indptr)
    return values
