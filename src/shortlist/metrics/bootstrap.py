"""A metric as one value per user, and how certain its mean is.

Intervals are percentile bootstraps over users (Efron and Tibshirani 1993, chapter 13): draw as many
users as there are, with replacement, many times; the interval spans the middle 95% of the resampled
means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shortlist.machine import one_blas_thread
from shortlist.metrics.ranking import BoolArray, FloatArray, Int64Array

RESAMPLES = 1000
LEVEL = 0.95
LEAST_USERS = 30  # resampling fewer values says little about other users

_DRAWS_AT_ONCE = 1 << 19  # resample entries in memory at a time: 4 MiB of counts, in the cache


@dataclass(frozen=True, eq=False)
class Measure:
    """One metric of one model: a value per user, and how users combine into the reported figure."""

    values: FloatArray  # (n_users,)
    weights: FloatArray | None = None  # (n_users,), in the mean; None: all equal
    root: bool = False  # whether the square root of the mean is reported (RMSE)

    def mean(self) -> float:
        """Return the reported figure: sum(weight * value) / sum(weight), or its square root."""
        mean = float(np.average(self.values, weights=self.weights))
        return float(np.sqrt(mean)) if self.root else mean

    def take(self, rows: BoolArray | Int64Array) -> Measure:
        """Return the same metric for some of the users."""
        weights = None if self.weights is None else self.weights[rows]
        return Measure(self.values[rows], weights, self.root)


def bootstrap(
    measures: Sequence[Measure], *, resamples: int = RESAMPLES, seed: int = 0
) -> FloatArray:
    """Compute the figure of each measure in each of many resamples of the users.

    Every measure gets the same resamples, so columns can be subtracted for a paired comparison.
    Returns float64 (resamples, n_measures).
    """
    n_users, n_measures = len(measures[0].values), len(measures)
    # Numerators of all measures, then the denominators that differ from the number of users.
    columns = [m.values if m.weights is None else m.values * m.weights for m in measures]
    weighted = [position for position, m in enumerate(measures) if m.weights is not None]
    columns += [w for m in measures if (w := m.weights) is not None]
    table = np.stack(columns, axis=1)  # (n_users, n_measures + n_weighted)

    rng = np.random.default_rng(seed)
    step = max(1, _DRAWS_AT_ONCE // n_users)
    sums = np.empty((resamples, table.shape[1]))
    with one_blas_thread():
        for start in range(0, resamples, step):
            size = min(step, resamples - start)
            drawn = rng.integers(0, n_users, size=(size, n_users))
            drawn += n_users * np.arange(size)[:, None]
            times = np.bincount(drawn.ravel(), minlength=size * n_users).reshape(size, n_users)
            sums[start : start + size] = times.astype(np.float64) @ table
    totals = np.full((resamples, n_measures), float(n_users))
    totals[:, weighted] = sums[:, n_measures:]
    figures: FloatArray = sums[:, :n_measures] / totals
    rooted = [position for position, m in enumerate(measures) if m.root]
    figures[:, rooted] = np.sqrt(figures[:, rooted])
    return figures


def interval(figures: FloatArray, level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile interval: the middle ``level`` of bootstrap figures."""
    low, high = np.quantile(figures, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
