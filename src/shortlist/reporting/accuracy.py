"""How accurate the models are: the ranking, by history length, and for users without a history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.evaluation.comparison import Comparison
from shortlist.evaluation.report import HISTORY, Report
from shortlist.metrics.paired import PairedTest
from shortlist.models.base import Model
from shortlist.models.popularity import Popularity

MEANINGS = {
    "ndcg": "how close to the top the held-out items are ranked (1: at the top)",
    "hit_rate": "share of users with a held-out item in their list",
    "recall": "share of the held-out items that are in the list",
    "capped_recall": "recall, relative to the number of items that the list can hold",
    "precision": "share of the list that consists of held-out items",
    "map": "precision, averaged over the ranks of the held-out items",
    "mrr": "reciprocal rank of the first held-out item",
    "coverage": "share of the catalogue that is in at least one user's list",
    "novelty": "self-information of the listed items, in bits (10: one user in a thousand has it)",
    "popularity": "mean number of training users of the listed items",
    "rmse": "root mean squared error of predicted ratings",
    "mae": "mean absolute error of predicted ratings",
}
"""Each metric explained for readers who meet it for the first time."""

COLD_SHARE = 0.1  # of the users are held out for the evaluation of new users
LEAST_COLD_USERS = 20  # with fewer held-out users, figures are too uncertain to show


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval; no bounds for metrics that have no interval."""

    value: float
    low: float | None = None
    high: float | None = None


def estimates(report: Report) -> dict[str, Estimate]:
    """Return every metric of a report with its interval."""
    return {
        name: Estimate(
            report[name], *(report.interval(name) if name in report.measures else (None, None))
        )
        for name in report.names
    }


@dataclass(frozen=True)
class Standing:
    """One model in the ranking.

    Attributes
    ----------
    model
        Its name.
    estimates
        The figures, by metric.
    against_best
        The test of the main metric against the best model; None for the best model itself.
    verdict
        The result of that test, in words.
    """

    model: str
    estimates: Mapping[str, Estimate]
    against_best: PairedTest | None
    verdict: str


@dataclass(frozen=True)
class Ranking:
    """All models, best first.

    Attributes
    ----------
    main, main_k, level
        The metric that models are ranked by, its list length, and the level of all intervals.
    standings
        Best model first.
    metrics
        The metrics at the main list length, and those without a list length.
    all_metrics
        Every metric that at least one model has.
    meanings
        The explanation of each metric.
    pairs
        The test of each pair of models on the main metric, by both names in either order.
    headline
        The result in two or three sentences.
    """

    main: str
    main_k: int
    level: float
    standings: tuple[Standing, ...]
    metrics: tuple[str, ...]
    all_metrics: tuple[str, ...]
    meanings: Mapping[str, str]
    pairs: Mapping[tuple[str, str], PairedTest]
    headline: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The models, best first."""
        return tuple(standing.model for standing in self.standings)


def ranking(comparison: Comparison) -> Ranking:
    """Collect the figures and tests of a comparison."""
    best = comparison[comparison.best]
    against = comparison.against_best()
    names = dict.fromkeys(name for report in comparison.reports.values() for name in report.names)
    tests = comparison.tests()
    pairs = {(test.first, test.second): test for test in tests}
    pairs |= {(test.second, test.first): test.reversed() for test in tests}
    return Ranking(
        main=comparison.main,
        main_k=best.main_k,
        level=best.level,
        standings=tuple(
            Standing(name, estimates(report), against.get(name), verdict(against.get(name)))
            for name, report in comparison.reports.items()
        ),
        metrics=tuple(
            sorted(
                (name for name in names if _list_length(name) in (None, best.main_k)),
                key=lambda name: name != best.main,  # the main metric first, the rest in order
            )
        ),
        all_metrics=tuple(names),
        meanings={
            name: MEANINGS.get(name.partition("@")[0].partition(" ")[0], "") for name in names
        },
        pairs=pairs,
        headline=_headline(comparison, against),
    )


def verdict(test: PairedTest | None) -> str:
    """Return the result of a test against the best model, in words; None is the best model.

    Examples
    --------
    >>> verdict(None)
    'best'
    """
    if test is None:
        return "best"
    return "significantly worse" if test.real else "not significant"


def _list_length(metric: str) -> int | None:
    """Return the list length of a metric, as in ``recall@10 (99 sampled)``."""
    _, at_sign, rest = metric.partition("@")
    return int(rest.split(" ")[0]) if at_sign else None


def _headline(comparison: Comparison, against: Mapping[str, PairedTest]) -> tuple[str, ...]:
    best = comparison[comparison.best]
    low, high = best.interval(comparison.main)
    sentences = [
        f"{comparison.best} has the highest {comparison.main}: {best[comparison.main]:.4f} "
        f"({best.level:.0%} interval {low:.4f} to {high:.4f}, {best.n_users:,} users)."
    ]
    worse = [name for name, test in against.items() if test.real]
    unclear = [name for name, test in against.items() if not test.real]
    if worse:
        sentences.append(f"It is significantly better than {_joined(worse)}.")
    if unclear:
        sentences.append(
            f"Its lead over {_joined(unclear)} is not significant and may be due to chance."
        )
    return tuple(sentences)


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


@dataclass(frozen=True)
class ByHistory:
    """The main metric of every model in each group of users.

    Attributes
    ----------
    groups
        Ranges of training interactions; groups without users are left out.
    users
        The number of users in each group.
    estimates
        By model: one per group.
    """

    groups: tuple[str, ...]
    users: tuple[int, ...]
    estimates: Mapping[str, tuple[Estimate, ...]]


def by_history(comparison: Comparison) -> ByHistory:
    """Collect the main metric by history length."""
    by_model: dict[str, dict[str, Estimate]] = {}
    sizes: dict[str, int] = {}
    for name, report in comparison.reports.items():
        rows = [row for row in report.to_arrow().to_pylist() if row["metric"] == comparison.main]
        sizes |= {row["history"]: row["users"] for row in rows}
        by_model[name] = {
            row["history"]: Estimate(row["value"], row["low"], row["high"]) for row in rows
        }
    groups = tuple(group for group in HISTORY if group in sizes)
    return ByHistory(
        groups,
        tuple(sizes[group] for group in groups),
        {name: tuple(by_group[group] for group in groups) for name, by_group in by_model.items()},
    )


@dataclass(frozen=True)
class ColdStart:
    """How accurate models that use user features are for users without a history.

    Attributes
    ----------
    users
        The number of held-out users.
    share
        The same as a fraction of all users.
    metrics
        The metrics shown.
    estimates
        By model, best first; then by metric.
    verdicts
        By model, against the best one.
    """

    users: int
    share: float
    metrics: tuple[str, ...]
    estimates: Mapping[str, Mapping[str, Estimate]]
    verdicts: Mapping[str, str]


def cold_start(comparison: Comparison) -> ColdStart | str:
    """Refit the models that use user features without some users, and evaluate them on those users.

    The users are taken from the training side, so the test side stays unseen. Popularity is
    evaluated too: all other models recommend popular items to users they know nothing about.

    Returns
    -------
    The figures, or the reason why there are none, in words.
    """
    train, report = comparison.train, comparison[comparison.best]
    if not report.history.any():
        return "All test users of the comparison above are new, so its figures answer this."
    if not _has_user_features(train):
        return (
            "The users have no features that are filled in. Without features, models recommend "
            "popular items to new users."
        )
    models = [unfitted(model) for model in comparison.models.values() if model.uses_features]
    if not models:
        return (
            "None of the compared models uses user features, so each recommends popular items to "
            "new users. Hybrid and ContentBased use them."
        )
    active = int((train.user_counts > 0).sum())
    if COLD_SHARE * active < LEAST_COLD_USERS:
        return f"{active:,} users are too few to hold out a tenth of them."
    inner, held_out = split.cold_users(train, COLD_SHARE, seed=report.seed)
    cold = Comparison.of([Popularity(), *models], inner, held_out, report.k, seed=report.seed)
    k = report.main_k
    return ColdStart(
        cold[cold.best].n_users,
        COLD_SHARE,
        (f"ndcg@{k}", f"hit_rate@{k}", f"recall@{k}", f"coverage@{k}"),
        {name: estimates(report) for name, report in cold.reports.items()},
        {cold.best: verdict(None)}
        | {name: verdict(test) for name, test in cold.against_best().items()},
    )


def unfitted(model: Model[Any, Any]) -> Model[Any, Any]:
    """Return a model with the same settings that is not fitted."""
    return type(model)(**model.config.model_dump())


def _has_user_features(data: Dataset) -> bool:
    table = data.user_features
    return table is not None and any(
        column.null_count < len(column) for column in table.itercolumns()
    )
