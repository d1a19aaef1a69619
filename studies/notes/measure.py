"""Figures with intervals: means over several splits of the metrics of each user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import shortlist as sl
from shortlist.evaluation.protocol import scores_of
from shortlist.evaluation.truth import Truth
from shortlist.kernels.topk import topk_dense
from shortlist.metrics.bootstrap import Measure, bootstrap, interval
from shortlist.metrics.paired import PairedTest, paired_tests
from shortlist.metrics.ranking import FloatArray, rank_metrics
from shortlist.models.base import Model
from shortlist.scoring.scores import DenseScores
from shortlist.scoring.selection import midranks

Scores: TypeAlias = NDArray[np.float32]
HIT, RECALL, NDCG = "hit_rate@10", "capped_recall@5", "ndcg@10"
NAMES = {HIT: "HR@10", RECALL: "Recall@5", NDCG: "NDCG@10", "hit_rate@5": "HR@5"}
LENGTHS = (5, 10)


def rounded(value: float) -> str:
    """Format a share with three decimals.

    Examples
    --------
    >>> rounded(0.0825)
    '.083'
    """
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def percent(share: float) -> str:
    """Format a share as a percentage."""
    return f"{100 * share:.1f}%"


def signed(value: float) -> str:
    """Format a difference with its sign."""
    return ("+" if value >= 0 else "-") + rounded(abs(value))


@dataclass(frozen=True)
class Figure:
    """A mean and its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{rounded(self.value)} [{rounded(self.low)}, {rounded(self.high)}]"

    def holds(self, other: float) -> bool:
        """Whether another figure, rounded to three decimals, lies in the interval."""
        return round(self.low, 3) <= other <= round(self.high, 3)


@dataclass(frozen=True)
class Measured:
    """The metrics of each user, as means over the splits.

    Attributes
    ----------
    values
        By metric, float64.  # (n_users,)
    history
        Training interactions of each user.  # (n_users,)
    of_lists
        Metrics of all lists together, by name.
    first
        By metric, the values of each user in the first split.  # (n_users,)
    """

    values: Mapping[str, FloatArray]
    history: NDArray[np.int64]
    of_lists: Mapping[str, float] = field(default_factory=dict)
    first: Mapping[str, FloatArray] = field(default_factory=dict)

    def __getitem__(self, metric: str) -> Figure:
        """Return a metric with its bootstrap interval over users."""
        measure = Measure(self.values[metric])
        return Figure(measure.mean(), *interval(bootstrap([measure])[:, 0]))

    def mean(self, metric: str) -> float:
        """Return a metric without its interval."""
        return float(self.values[metric].mean())

    def where(self, chosen: NDArray[np.bool_]) -> Measured:
        """Keep some of the users."""
        return Measured(
            {name: values[chosen] for name, values in self.values.items()}, self.history[chosen]
        )


def gap(first: Measured, second: Measured, metric: str = HIT) -> PairedTest:
    """Compare two models on the same users: ``first - second``."""
    return tests({"first": first, "second": second}, metric)[0]


def tests(models: Mapping[str, Measured], metric: str) -> tuple[PairedTest, ...]:
    """Compare every pair of models; p values are corrected over the pairs (Holm)."""
    measures = {name: Measure(result.values[metric]) for name, result in models.items()}
    return paired_tests(measures, bootstrap(list(measures.values())))


def delta(test: PairedTest) -> str:
    """Format the difference of two models with its interval."""
    return f"{signed(test.difference)} [{signed(test.low)}, {signed(test.high)}]"


def verdict(test: PairedTest) -> str:
    """Return the part of a sentence that says whether the first of two models is better.

    It uses the interval of the difference only: for a single, planned comparison.
    """
    if test.low > 0:
        return f"is better ({delta(test)})"
    if test.high < 0:
        return f"is worse ({delta(test)})"
    return f"is not significantly different ({delta(test)})"


def of_seeds(
    runs: Sequence[Mapping[str, FloatArray]],
    history: NDArray[np.int64],
    of_lists: Mapping[str, float] | None = None,
) -> Measured:
    """Average the metrics of each user over the splits."""
    values = {name: np.mean([run[name] for run in runs], axis=0) for name in runs[0]}
    return Measured(values, history, of_lists or {}, runs[0])


@dataclass(frozen=True, eq=False)
class Fold:
    """A split; scores are arrays with one row per test user."""

    train: sl.Dataset
    test: sl.Dataset
    truth: Truth

    @classmethod
    def of(cls, train: sl.Dataset, test: sl.Dataset) -> Fold:
        """Make a fold of a split."""
        return cls(train, test, Truth.of(train, test))

    @property
    def users(self) -> NDArray[np.int32]:
        """The rows of the test users."""
        return self.truth.user_rows

    @property
    def history(self) -> NDArray[np.int64]:
        """The number of training interactions of each test user."""
        counts: NDArray[np.int64] = self.train.user_counts[self.users]
        return counts

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Which items each test user has in training."""
        dense: NDArray[np.bool_] = self.train.matrix[self.users].toarray() > 0
        return dense

    def scores(self, model: Model[Any, Any]) -> Scores:
        """Score the catalogue for every test user."""  # (n_users, n_items)
        return scores_of(model, self.users)

    def measured(self, scores: Scores) -> dict[str, FloatArray]:
        """Compute every ranking metric for each user."""
        block = DenseScores(np.ascontiguousarray(scores, dtype=np.float32))
        ranks = midranks(block, self.truth.unseen, self.truth.indptr, self.truth.item_rows)
        return rank_metrics(ranks, self.truth.indptr, LENGTHS)

    def best(self, scores: Scores, k: int = 10) -> NDArray[np.int32]:
        """Return the ``k`` best unseen items of each user; ties go to the more popular."""
        block = np.ascontiguousarray(scores, dtype=np.float32)
        rows, _ = topk_dense(block, self.truth.unseen, k)
        return rows


def compare_with_reference(ours: Mapping[str, tuple[Figure, float]]) -> str:
    """Return a sentence about the figures of the reference that lie outside our intervals.

    Parameters
    ----------
    ours
        By name, our figure and that of the reference.
    """
    outside = [
        f"{name} (ours {ours_figure}, reference {rounded(reference_figure)})"
        for name, (ours_figure, reference_figure) in ours.items()
        if not ours_figure.holds(reference_figure)
    ]
    total = len(ours)
    if not outside:
        return f"Figures of the reference, {total}: all lie inside our intervals."
    inside = f"{total - len(outside)} of {total} figures of the reference lie inside our intervals"
    return f"{inside}; outside: {'; '.join(outside)}."
