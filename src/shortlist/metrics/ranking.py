"""Metrics as pure functions: from the ranks of the true items, and from ratings.

**Ranks.** A user's true items are those they chose in the test data. The rank of a true item is its
place, from 1, among everything the user could have been shown; where scores are equal it is the
middle of the places the tie takes up (mid-rank: half of the equal others stand before it), so a
model that scores everything alike gains nothing from the order of the table. Ranks come grouped by
user: those of user ``u`` are ``ranks[indptr[u] : indptr[u + 1]]``, and every user has at least one.
A true item that could not be shown has rank infinity.

Several true items of one user may share one tie, and then one mid-rank; taken literally, a hundred
of them would all stand at place 50.5 and a list of 60 would hold 100 hits. :func:`settle_ties`
stands them side by side around their mid-rank. A single true item keeps its mid-rank exactly, and
every metric stays within its bounds.

**Notation**, for one user: ``n`` true items with settled ranks ``r_1 < r_2 < ... < r_n``, and
``hits@k`` = how many ``r_j <= k``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Measure:
    """One metric of one model: a value a user, and how users combine into the figure reported.

    Parameters
    ----------
    values
        float64 (n_users,).
    weights
        float64 (n_users,): how much each user counts. ``None``: all alike.
    root
        Whether the square root of the mean is reported (RMSE).

    Examples
    --------
    >>> Measure(np.array([0.0, 1.0, 0.5])).mean()
    0.5
    """

    values: FloatArray
    weights: FloatArray | None = None
    root: bool = False

    def mean(self) -> float:
        """The figure reported: sum(weight * value) / sum(weight), rooted where asked."""
        mean = float(np.average(self.values, weights=self.weights))
        return float(np.sqrt(mean)) if self.root else mean

    def take(self, rows: BoolArray | Int64Array) -> Measure:
        """The same metric for some of the users."""
        weights = None if self.weights is None else self.weights[rows]
        return Measure(self.values[rows], weights, self.root)


def settle_ties(ranks: FloatArray, indptr: Int64Array) -> FloatArray:
    """Sort each user's ranks and stand true items that tie with each other side by side.

    ``t`` true items of one user at one mid-rank ``m`` get the places ``m - (t - 1) / 2, ...,
    m + (t - 1) / 2``. Their tie takes up at least ``t`` places centred on ``m``, so these are
    among them.

    Parameters
    ----------
    ranks
        float64 (n_true,): mid-ranks, in any order within a user.
    indptr
        int64 (n_users + 1,).

    Returns
    -------
    float64 (n_true,): ascending within each user, at least 1 apart; infinity stays.

    Examples
    --------
    >>> settle_ties(np.array([4.5, 2.0, 4.5, 3.5]), np.array([0, 3, 4])).tolist()
    [2.0, 4.0, 5.0, 3.5]
    """
    owner = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))  # (n_true,)
    ordered = ranks[np.lexsort((ranks, owner))]
    if len(ordered) == 0:
        return ordered
    first_of_run = np.ones(len(ordered), dtype=bool)
    first_of_run[1:] = (owner[1:] != owner[:-1]) | (ordered[1:] != ordered[:-1])
    starts = np.flatnonzero(first_of_run)
    lengths = np.diff(starts, append=len(ordered))
    place = np.arange(len(ordered)) - np.repeat(starts, lengths)  # 0, 1, ... within a tie
    return np.asarray(ordered + place - np.repeat((lengths - 1) / 2, lengths))


def _per_user(terms: NDArray[np.generic], indptr: Int64Array) -> FloatArray:
    """Sum the terms of each user's true items; every user has at least one."""
    return np.add.reduceat(terms.astype(np.float64), indptr[:-1])


def recall(ranks: FloatArray, indptr: Int64Array, k: int) -> FloatArray:
    """Share of all true items that are in the first k: ``hits@k / n``.

    Examples
    --------
    >>> recall(np.array([1.0, 2.0, 9.0]), np.array([0, 3]), 1).round(3).tolist()
    [0.333]
    """
    return _per_user(ranks <= k, indptr) / np.diff(indptr)


def capped_recall(ranks: FloatArray, indptr: Int64Array, k: int) -> FloatArray:
    """Share of the true items k places have room for: ``hits@k / min(n, k)``.

    This is the "Recall@k" of the job-posting competition (DACON 236170).

    Examples
    --------
    >>> capped_recall(np.array([1.0, 2.0, 9.0]), np.array([0, 3]), 1).tolist()
    [1.0]
    """
    return _per_user(ranks <= k, indptr) / np.minimum(np.diff(indptr), k)


def precision(ranks: FloatArray, indptr: Int64Array, k: int) -> FloatArray:
    """Share of the k places that hold a true item: ``hits@k / k``, also if fewer could be shown.

    Examples
    --------
    >>> precision(np.array([1.0, 2.0, 9.0]), np.array([0, 3]), 4).tolist()
    [0.5]
    """
    return _per_user(ranks <= k, indptr) / k


def hit_rate(ranks: FloatArray, indptr: Int64Array, k: int) -> FloatArray:
    """Whether any true item is in the first k: ``1 if r_1 <= k else 0``.

    Examples
    --------
    >>> hit_rate(np.array([1.0, 2.0, 9.0, 7.5]), np.array([0, 3, 4]), 5).tolist()
    [1.0, 0.0]
    """
    return (ranks[indptr[:-1]] <= k).astype(np.float64)


def ndcg(ranks: FloatArray, indptr: Int64Array, k: int) -> FloatArray:
    """Normalised discounted cumulative gain with gain 1 for a true item (Jarvelin 2002).

    ``DCG / IDCG`` with ``DCG = sum over r_j <= k of 1 / log2(1 + r_j)`` and ``IDCG = sum over
    j = 1 .. min(n, k) of 1 / log2(1 + j)``, what a perfect order would get.

    Examples
    --------
    >>> ndcg(np.array([1.0, 3.0]), np.array([0, 1, 2]), 5).tolist()
    [1.0, 0.5]
    """
    gains = np.where(ranks <= k, 1 / np.log2(1 + ranks), 0.0)
    counts = np.minimum(np.diff(indptr), k)
    ideal = np.cumsum(1 / np.log2(1 + np.arange(1, counts.max(initial=1) + 1)))
    return np.asarray(_per_user(gains, indptr) / ideal[counts - 1])


def mean_average_precision(ranks: FloatArray, indptr: Int64Array, k: int) -> FloatArray:
    """Average precision of a user: ``sum over r_j <= k of j / r_j``, over ``min(n, k)``.

    Dividing by min(n, k) makes a perfect list score 1 whatever k and n.

    Examples
    --------
    >>> mean_average_precision(np.array([1.0, 4.0]), np.array([0, 2]), 5).tolist()
    [0.75]
    """
    place = np.arange(len(ranks)) - np.repeat(indptr[:-1], np.diff(indptr)) + 1  # j
    gains = np.where(ranks <= k, place / ranks, 0.0)
    return _per_user(gains, indptr) / np.minimum(np.diff(indptr), k)


def mrr(ranks: FloatArray, indptr: Int64Array) -> FloatArray:
    """Reciprocal rank of a user's best true item, without a cut-off: ``1 / r_1``.

    Examples
    --------
    >>> mrr(np.array([2.0, 9.0, np.inf]), np.array([0, 2, 3])).tolist()
    [0.5, 0.0]
    """
    return np.asarray(1 / ranks[indptr[:-1]])


#: What is measured in the first k places of a user's ranking, by the name it is printed under.
AT_K: Mapping[str, Callable[[FloatArray, Int64Array, int], FloatArray]] = {
    "hit_rate": hit_rate,
    "recall": recall,
    "capped_recall": capped_recall,
    "precision": precision,
    "ndcg": ndcg,
    "map": mean_average_precision,
}


def rank_metrics(ranks: FloatArray, indptr: Int64Array, ks: Sequence[int]) -> dict[str, FloatArray]:
    """Every metric of ranks, per user, by name: ``"recall@10"``, ..., ``"mrr"``.

    Parameters
    ----------
    ranks
        float64 (n_true,): mid-ranks as ``kernels.ranking.midranks`` gives them.
    indptr
        int64 (n_users + 1,): every user has at least one true item.
    ks
        The lengths of list to measure at.

    Returns
    -------
    float64 (n_users,) by metric.

    Examples
    --------
    >>> values = rank_metrics(np.array([1.0, 6.0]), np.array([0, 1, 2]), ks=[5])
    >>> values["hit_rate@5"].tolist(), values["mrr"].round(3).tolist()
    ([1.0, 0.0], [1.0, 0.167])
    """
    settled = settle_ties(ranks, indptr)
    values = {f"{name}@{k}": of(settled, indptr, k) for name, of in AT_K.items() for k in ks}
    values["mrr"] = mrr(settled, indptr)
    return values


def rating_errors(
    predicted: FloatArray, actual: FloatArray, indptr: Int64Array
) -> dict[str, Measure]:
    """RMSE and MAE over all test ratings (a user counts as often as they rated).

    ``rmse = sqrt(mean (predicted - actual)^2)``, ``mae = mean |predicted - actual|``. Per user the
    first keeps the mean squared error and the second the mean absolute error, weighted by the
    number of ratings.

    Parameters
    ----------
    predicted, actual
        float64 (n_true,), grouped by user.
    indptr
        int64 (n_users + 1,).

    Examples
    --------
    >>> errors = rating_errors(np.array([4.0, 2.0]), np.array([3.0, 2.0]), np.array([0, 1, 2]))
    >>> errors["mae"].mean(), round(errors["rmse"].mean(), 4)
    (0.5, 0.7071)
    """
    counts = np.diff(indptr).astype(np.float64)
    difference = predicted - actual
    squared = _per_user(difference**2, indptr) / counts
    absolute = _per_user(np.abs(difference), indptr) / counts
    return {
        "rmse": Measure(squared, weights=counts, root=True),
        "mae": Measure(absolute, weights=counts),
    }
