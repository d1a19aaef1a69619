"""How sure a figure is, and whether one model is really better than another.

Intervals are percentile bootstraps over users (Efron and Tibshirani 1993, chapter 13): draw as many
users as there are, with replacement, many times; the interval holds the middle 95% of the figures.
Models are compared by the paired t-test on the per-user values, which Urbano, Lima and Hanjalic
(SIGIR 2019, "Statistical significance testing in information retrieval") found to keep its error
rate best on ranking metrics, and the p values of all pairs are corrected together by Holm's method
(1979): the chance of calling even one equal pair different stays below 1 - level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_limits

from shortlist.metrics.ranking import FloatArray, Measure

RESAMPLES = 1000
LEVEL = 0.95

_DRAWS_AT_ONCE = 1 << 22  # resample entries in memory together: 32 MiB of counts


def bootstrap(
    measures: Sequence[Measure], *, resamples: int = RESAMPLES, seed: int = 0
) -> FloatArray:
    """The figure of each measure in each of many resamples of the users.

    Every measure sees the same resamples, so columns can be subtracted for a paired comparison.

    Parameters
    ----------
    measures
        At least one; all over the same users, in the same order.
    resamples
        How many times the users are drawn anew.
    seed
        Same seed, same resamples.

    Returns
    -------
    float64 (resamples, n_measures).

    Examples
    --------
    >>> figures = bootstrap([Measure(np.array([0.0, 1.0, 1.0, 0.0]))], resamples=500)
    >>> figures.shape, bool(abs(figures.mean() - 0.5) < 0.05)
    ((500, 1), True)
    """
    n_users, n_measures = len(measures[0].values), len(measures)
    # Numerators of all, then the denominators that differ from the number of users.
    columns = [m.values if m.weights is None else m.values * m.weights for m in measures]
    weighted = [position for position, m in enumerate(measures) if m.weights is not None]
    columns += [w for m in measures if (w := m.weights) is not None]
    table = np.stack(columns, axis=1)  # (n_users, n_measures + n_weighted)

    rng = np.random.default_rng(seed)
    step = max(1, _DRAWS_AT_ONCE // n_users)
    sums = np.empty((resamples, table.shape[1]))
    with threadpool_limits(limits=1, user_api="blas"):  # the same bits whatever the thread count
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
    """The percentile interval: the bounds of the middle ``level`` of bootstrap figures.

    Examples
    --------
    >>> interval(np.arange(101.0), level=0.5)
    (25.0, 75.0)
    """
    low, high = np.quantile(figures, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_p_value(first: Measure, second: Measure) -> float:
    """Two-sided p value of the paired t-test that two models are equally good.

    With ``d_u`` the difference of user ``u``'s values (times their weight, where users count
    differently; of squared errors for RMSE): ``t = mean(d) / (sd(d) / sqrt(n))`` on n - 1 degrees
    of freedom. If every difference is the same the test has no spread to go by: p is 1 where they
    are all zero and 0 where they are not. With a single user nothing can be concluded: p is 1.

    Examples
    --------
    >>> one, other = Measure(np.array([1.0, 2.0, 3.0])), Measure(np.array([0.0, 2.0, 1.0]))
    >>> round(paired_p_value(one, other), 4)
    0.2254
    """
    difference = first.values - second.values
    if first.weights is not None:
        difference = difference * first.weights
    n = len(difference)
    mean = difference.mean()
    if n < 2 or not difference.any():
        return 1.0
    error = difference.std(ddof=1) / np.sqrt(n)
    if error == 0:
        return 0.0
    return float(2 * stats.t.sf(abs(mean / error), n - 1))


def holm(p_values: Sequence[float]) -> FloatArray:
    """Holm's step-down correction: p values that can be held against one level together.

    With the m values sorted ascending, the i-th becomes ``max over j <= i of
    min(1, (m - j + 1) * p_j)``.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.minimum(1.0, values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.maximum.accumulate(stepped)
    return corrected


@dataclass(frozen=True)
class PairedTest:
    """One pair of models on one metric.

    Attributes
    ----------
    first, second
        The models' names.
    difference, low, high
        ``first - second`` and its bootstrap interval.
    p_value, corrected
        The paired t-test's p value, alone and after Holm's correction over all pairs.
    real
        Whether ``corrected`` is below 1 - level.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p_value: float
    corrected: float
    real: bool

    def reversed(self) -> PairedTest:
        """The same test with the models in the other order."""
        return replace(
            self,
            first=self.second,
            second=self.first,
            difference=-self.difference,
            low=-self.high,
            high=-self.low,
        )


def paired_tests(
    measures: Mapping[str, Measure], figures: FloatArray, *, level: float = LEVEL
) -> tuple[PairedTest, ...]:
    """Compare every pair of models on one metric, corrected over all of the pairs.

    Parameters
    ----------
    measures
        The metric of each model by the model's name, all over the same users in the same order.
    figures
        float64 (resamples, n_models): :func:`bootstrap` of the same measures.
    level
        Of the intervals; ``1 - level`` is the error rate of calling a difference real.

    Returns
    -------
    One test a pair, in the order of ``measures``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> good, poor = Measure(rng.random(200) + 0.5), Measure(rng.random(200))
    >>> [test] = paired_tests({"good": good, "poor": poor}, bootstrap([good, poor]))
    >>> test.real, test.low < test.difference < test.high
    (True, True)
    """
    names = list(measures)
    pairs = list(combinations(range(len(names)), 2))
    ordered = list(measures.values())
    p_values = [paired_p_value(ordered[i], ordered[j]) for i, j in pairs]
    tests = []
    for (i, j), p_value, corrected in zip(pairs, p_values, holm(p_values), strict=True):
        low, high = interval(figures[:, i] - figures[:, j], level)
        difference = ordered[i].mean() - ordered[j].mean()
        tests.append(
            PairedTest(
                names[i],
                names[j],
                difference,
                low,
                high,
                p_value,
                float(corrected),
                bool(corrected < 1 - level),
            )
        )
    return tuple(tests)
