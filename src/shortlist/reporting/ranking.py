"""Who is best, by how much, and which differences are real."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shortlist.metrics.significance import PairedTest

if TYPE_CHECKING:
    from shortlist.evaluation.comparison import Comparison
    from shortlist.evaluation.report import Report

MEANINGS = {
    "ndcg": "how near the top what was held out stands (1: at the top)",
    "hit_rate": "users with a held-out item on their list",
    "recall": "held-out items that are on the list",
    "capped_recall": "the same, of as many as the list has room for",
    "precision": "places of the list that hold a held-out item",
    "map": "precision, averaged over the places of the held-out items",
    "mrr": "one over the place of the first held-out item",
    "coverage": "items of the catalogue on anybody's list",
    "novelty": "surprise of what is listed, in bits (10: one user in a thousand has it)",
    "popularity": "users who have what is listed, on average",
    "rmse": "error of predicted ratings, large ones count more",
    "mae": "error of predicted ratings, on average",
}
"""What a reader who meets a metric for the first time must know."""


@dataclass(frozen=True)
class Figure:
    """A figure and its interval; no bounds where there is none over users."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Standing:
    """One model among the others.

    Attributes
    ----------
    model
        Its name.
    figures
        By metric.
    against_best
        The test of the main metric against the best model; None for the best one.
    verdict
        What follows, in words.
    """

    model: str
    figures: Mapping[str, Figure]
    against_best: PairedTest | None
    verdict: str


@dataclass(frozen=True)
class Ranking:
    """Every model, best first.

    Attributes
    ----------
    main, main_k, level
        The metric they are ranked by, its length of list, and the level of all intervals.
    standings
        Best first.
    metrics
        Those at the main length of list (and those without a length), as they are printed.
    all_metrics
        Every metric that any of the models has.
    meanings
        What each metric says.
    pairs
        The test of each pair on the main metric, by both names in either order.
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
    """Take the figures and tests of a comparison."""
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
            Standing(name, figures(report), against.get(name), _verdict(against.get(name)))
            for name, report in comparison.reports.items()
        ),
        metrics=tuple(
            sorted(
                (name for name in names if _length(name) in (None, best.main_k)),
                key=lambda name: name != best.main,  # the main one first, the others as they are
            )
        ),
        all_metrics=tuple(names),
        meanings={
            name: MEANINGS.get(name.partition("@")[0].partition(" ")[0], "") for name in names
        },
        pairs=pairs,
        headline=_headline(comparison, against),
    )


def figures(report: Report) -> dict[str, Figure]:
    """Give every metric of a report with its interval."""
    return {
        name: Figure(
            report[name], *(report.interval(name) if name in report.measures else (None, None))
        )
        for name in report.names
    }


def _verdict(test: PairedTest | None) -> str:
    if test is None:
        return "best"
    return "really behind" if test.real else "may be chance"


def _length(metric: str) -> int | None:
    """Give the length of list of a metric, as in ``recall@10 (99 sampled)``."""
    _, at, rest = metric.partition("@")
    return int(rest.split(" ")[0]) if at else None


def _headline(comparison: Comparison, against: Mapping[str, PairedTest]) -> tuple[str, ...]:
    best = comparison[comparison.best]
    low, high = best.interval(comparison.main)
    said = [
        f"{comparison.best} has the highest {comparison.main}: {best[comparison.main]:.4f} "
        f"({best.level:.0%} interval {low:.4f} to {high:.4f}, {best.n_users:,} users)."
    ]
    behind = [name for name, test in against.items() if test.real]
    unsure = [name for name, test in against.items() if not test.real]
    if behind:
        said.append(f"It is really ahead of {_listed(behind)}.")
    if unsure:
        said.append(
            f"Its lead over {_listed(unsure)} may be chance: these users are too few to tell."
        )
    return tuple(said)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
