"""Paired significance tests between models.

Models are compared by the paired t-test on the per-user values, which Urbano, Lima and Hanjalic
(SIGIR 2019, "Statistical significance testing in information retrieval") found to keep its error
rate best on ranking metrics. The p values of all pairs are corrected together by Holm's method
(1979): the chance of calling even one equal pair different stays below 1 - level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats

from shortlist.metrics.bootstrap import LEVEL, Measure, interval
from shortlist.metrics.ranking import FloatArray


def paired_p_value(first: Measure, second: Measure) -> float:
    """Compute the two-sided p value of the paired t-test that two models are equally good.

    ``t = mean(d) / (sd(d) / sqrt(n))`` on n - 1 degrees of freedom, where ``d_u`` is the difference
    of user ``u``'s values (times the user's weight, if there are weights; for RMSE the difference
    of squared errors). If all differences are equal, ``sd(d)`` is 0: p is then 1 if they are zero,
    else 0. With a single user p is 1.
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
    """Correct p values for multiple comparisons by Holm's step-down method.

    With the m values sorted ascending, the i-th becomes ``max over j <= i of
    min(1, (m - j + 1) * p_j)``.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.minimum(1.0, values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.maximum.accumulate(stepped)
    return corrected


@dataclass(frozen=True)
class PairedTest:
    """The test of one pair of models on one metric.

    Attributes
    ----------
    first, second
        The names of the models.
    difference, low, high
        ``first - second`` and its bootstrap interval.
    p_value, corrected
        The p value of the paired t-test, before and after Holm's correction over all pairs.
    real
        Whether the difference is significant: ``corrected`` is below 1 - level.
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
        """Return the same test with the models swapped."""
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
    """Test every pair of models on one metric, in the order of ``measures``.

    ``figures`` is :func:`bootstrap` of the same measures, (resamples, n_models). ``level`` is that
    of the intervals; ``1 - level`` is the error rate of the tests, corrected over all pairs.
    """
    names, ordered = list(measures), list(measures.values())
    pairs = list(combinations(range(len(names)), 2))
    p_values = [paired_p_value(ordered[i], ordered[j]) for i, j in pairs]
    tests = []
    for (i, j), p_value, corrected in zip(pairs, p_values, holm(p_values), strict=True):
        low, high = interval(figures[:, i] - figures[:, j], level)
        difference = ordered[i].mean() - ordered[j].mean()
        real = bool(corrected < 1 - level)
        tests.append(
            PairedTest(names[i], names[j], difference, low, high, p_value, float(corrected), real)
        )
    return tuple(tests)
