"""How accurate the models are: the ranking, by history length, and for users without a history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shortlist.data import split
from shortlist.evaluation.comparison import Comparison
from shortlist.evaluation.report import HISTORY, Report
from shortlist.metrics.paired import PairedTest
from shortlist.models.popularity import Popularity
from shortlist.reporting.summary import feature_columns
from shortlist.text import counted

MEANINGS = {
    "ndcg": "how close to the top the held-out items are ranked (1: at the top)",
    "hit_rate": "share of users with a held-out item in their list",
    "recall": "share of the held-out items that are in the list",
    "capped_recall": "recall, relative to the number of items that the list can hold",
    "precision": "share of the list that consists of held-out items",
    "map": "precision, averaged over the ranks of the held-out items",
    "mrr": "reciprocal rank of the first held-out item",
    "coverage": "share of the catalogue that is in at least one user's list",
    "gini": "how unevenly items are listed (0: all equally often, 1: very few)",
    "diversity": "mean distance of two listed items, by the users who chose them (1: none shared)",
    "serendipity": "share of the list that is held out and not among the most popular items",
    "graded_ndcg": "NDCG with the weight of a held-out item as its gain",
    "novelty": "self-information of the listed items, in bits (10: one user in a thousand has it)",
    "popularity": "mean number of training users of the listed items",
    "rmse": "root mean squared error of predicted ratings",
    "mae": "mean absolute error of predicted ratings",
}
"""Each metric explained for readers who meet it for the first time."""

COLD_SHARE = 0.1  # of the users are held out for the evaluation of new users
COLD_METRICS = ("ndcg", "hit_rate", "recall", "coverage")
LEAST_COLD_USERS = 20  # with fewer held-out users, figures are too uncertain to show


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval; no bounds for metrics that have no interval."""

    value: float
    low: float | None = None
    high: float | None = None


Estimates = Mapping[str, Estimate]  # of one model, by metric


def _estimates(report: Report) -> dict[str, Estimate]:
    return {
        name: Estimate(report[name], *(report.interval(name) if name in report.measures else ()))
        for name in report.names
    }


EQUAL = 0.05  # of the best model's figure: a difference that is practically none
MOST_PAIRS = 3  # that are named where the correction changes a verdict
MUCH_SOONER = 3.0  # times as fast to fit, to be recommended in place of the best model


@dataclass(frozen=True)
class Ranking:
    """All models, best first; mappings by model have this order."""

    main: str  # the metric that models are ranked by
    main_k: int
    level: float  # of all intervals
    estimates: Mapping[str, Estimates]  # by model
    verdicts: Mapping[str, str]  # by model, against the best one
    against_best: Mapping[str, PairedTest]  # on the main metric; without the best model
    pairs: Mapping[tuple[str, str], PairedTest]  # by both names in either order
    metrics: tuple[str, ...]  # at the main list length, and those without a list length
    all_metrics: tuple[str, ...]  # those that at least one model has
    meanings: Mapping[str, str]  # by metric
    headline: tuple[str, ...]  # what to use, and the result in two or three sentences
    corrected: str  # which differences look significant and are not, and why; "" if there are none
    rows: tuple[tuple[str, ...], ...]  # the metrics, those with equal figures together
    all_rows: tuple[tuple[str, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The models."""
        return tuple(self.estimates)

    @property
    def best(self) -> str:
        """The best model."""
        return self.names[0]


def ranking(comparison: Comparison) -> Ranking:
    """Collect the figures and tests of a comparison."""
    best = comparison[comparison.best]
    names = dict.fromkeys(name for report in comparison.reports.values() for name in report.names)
    shown = [name for name in names if name.partition("@")[2] in ("", str(best.main_k))]
    tests = comparison.tests()
    both = [*tests, *(test.reversed() for test in tests)]
    estimates = {name: _estimates(report) for name, report in comparison.reports.items()}
    metrics = tuple(sorted(shown, key=lambda name: name != best.main))  # the main one first
    return Ranking(
        main=comparison.main,
        main_k=best.main_k,
        level=best.level,
        estimates=estimates,
        verdicts=_verdicts(comparison),
        against_best=comparison.against_best(),
        pairs={(test.first, test.second): test for test in both},
        metrics=metrics,
        all_metrics=tuple(names),
        meanings={name: MEANINGS.get(name.partition("@")[0], "") for name in names},
        headline=_headline(comparison),
        corrected=explain_correction(tests, best.level),
        rows=folded(metrics, estimates),
        all_rows=folded(names, estimates),
    )


def folded(names: Iterable[str], estimates: Mapping[str, Estimates]) -> tuple[tuple[str, ...], ...]:
    """Put metrics together that have the same figures for every model.

    With one held-out item a user, recall is the hit rate, for example.
    """
    rows: dict[tuple[Estimate | None, ...], list[str]] = {}
    for name in names:
        rows.setdefault(tuple(of.get(name) for of in estimates.values()), []).append(name)
    return tuple(tuple(row) for row in rows.values())


def explain_correction(tests: Sequence[PairedTest], level: float) -> str:
    """Explain differences that are significant by themselves and not after the correction."""
    changed = [test for test in tests if not test.real and test.p_value < 1 - level]
    if not changed:
        return ""
    pairs = [
        f"{test.first} and {test.second} (p {test.p_value:.2g}, corrected {test.corrected:.2g})"
        for test in changed[:MOST_PAIRS]
    ]
    if rest := len(changed) - len(pairs):
        pairs.append(counted(rest, "other pair"))
    return (
        f"Alone, the difference between {_joined(pairs)} would be significant. But of "
        f"{len(tests)} tests, one may well look significant by chance. Holm's correction allows "
        "for that, so these are not marked as significant, even where an interval leaves out 0."
    )


def _verdicts(comparison: Comparison) -> dict[str, str]:
    """Return the result of each model's test against the best one, in words."""
    equal = _practically_equal(comparison)
    return {comparison.best: "best"} | {
        name: "significantly worse"
        if test.real
        else "practically equal"
        if name in equal
        else "not significant"
        for name, test in comparison.against_best().items()
    }


def _headline(comparison: Comparison) -> tuple[str, ...]:
    best, against = comparison[comparison.best], comparison.against_best()
    low, high = best.interval(comparison.main)
    equal = _practically_equal(comparison)
    sentences = [
        _decision(comparison, equal),
        f"{comparison.best} has the highest {comparison.main}: {best[comparison.main]:.4f} "
        f"({best.level:.0%} interval {low:.4f} to {high:.4f}, {best.n_users:,} users).",
    ]
    if worse := [name for name, test in against.items() if test.real]:
        sentences.append(f"It is significantly better than {_joined(worse)}.")
    if equal:
        are = "is" if len(equal) == 1 else "are"
        sentences.append(
            f"{_joined(equal)} {are} practically equal: with {best.level:.0%} confidence at most "
            f"{EQUAL:.0%} below it."
        )
    unclear = [name for name, test in against.items() if not test.real and name not in equal]
    if unclear:
        sentences.append(
            f"Its lead over {_joined(unclear)} is not significant and may be due to chance."
        )
    return tuple(sentences)


def _practically_equal(comparison: Comparison) -> list[str]:
    """Return the models whose whole interval is close to the best one."""
    best = comparison[comparison.best][comparison.main]
    tests = comparison.against_best().items()
    return [name for name, test in tests if not test.real and -test.low <= EQUAL * best]


def _decision(comparison: Comparison, equal: Sequence[str]) -> str:
    """Return which model to use: the best, or an equal one that is fitted much sooner."""
    seconds = {
        name: taken
        for name in (comparison.best, *equal)
        if (taken := comparison.fit_seconds[name]) is not None
    }
    quickest = min(seconds, key=lambda name: seconds[name], default=comparison.best)
    slowest = seconds.get(comparison.best)
    if slowest is None or slowest < MUCH_SOONER * seconds[quickest] or slowest < 1:
        return f"Use {comparison.best}."
    times = slowest / max(seconds[quickest], 1e-3)
    reason = f"practically as good as {comparison.best}, and fitted {times:,.0f} times as fast"
    return f"Use {quickest}: {reason}."


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


@dataclass(frozen=True)
class ByHistory:
    """The main metric of every model in each group of users; groups without users are left out."""

    users: Mapping[str, int]  # the number in each group, by its range of training interactions
    estimates: Mapping[str, Sequence[Estimate]]  # by model: one per group


def by_history(comparison: Comparison) -> ByHistory:
    """Collect the main metric by history length."""
    users: dict[str, int] = {}
    by_model: dict[str, list[Estimate]] = {}
    for name, report in comparison.reports.items():
        rows = [
            row
            for row in report.to_arrow().to_pylist()
            if row["metric"] == comparison.main and row["history"] in HISTORY
        ]
        users = {row["history"]: row["users"] for row in rows}
        by_model[name] = [Estimate(row["value"], row["low"], row["high"]) for row in rows]
    return ByHistory(users, by_model)


def cold_start(comparison: Comparison) -> dict[str, Any] | str:
    """Refit the models that use user features without some users, and evaluate them on those users.

    The users are taken from the training side, so the test side stays unseen. Popularity is
    evaluated too: all other models recommend popular items to users they know nothing about. If
    there are no figures, the reason is returned, in words.
    """
    train, report = comparison.train, comparison[comparison.best]
    if not report.history.any():
        return "All test users of the comparison above are new, so its figures answer this."
    features = feature_columns(train.user_features)
    if all(column.null_count == len(column) for _, column in features):
        return (
            "The users have no features that are filled in. Without features, models recommend "
            "popular items to new users."
        )
    compared = comparison.models.values()
    models = [model.__sklearn_clone__() for model in compared if model.uses_features]
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
    return {
        "users": cold[cold.best].n_users,
        "share": COLD_SHARE,
        "metrics": [f"{name}@{report.main_k}" for name in COLD_METRICS],
        "estimates": {name: _estimates(report) for name, report in cold.reports.items()},
        "verdicts": _verdicts(cold),
    }
