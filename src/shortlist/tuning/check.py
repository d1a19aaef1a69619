"""Whether found settings are better than the defaults where the search has not looked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from shortlist.data.split import Split
from shortlist.evaluation.significance import bootstrap, paired_tests
from shortlist.text import span
from shortlist.tuning.goal import Goal
from shortlist.tuning.space import Space


@dataclass(frozen=True)
class Check:
    """The best settings and the defaults on a fold that took no part in the search.

    On its own folds, the best of many trials is good partly by luck. Here it is not.

    Attributes
    ----------
    value, default_value
        The metric of either.
    difference, low, high
        ``value - default_value``, and its paired bootstrap interval (95%).
    real
        Whether a paired t-test tells them apart.
    """

    value: float
    default_value: float
    difference: float
    low: float
    high: float
    real: bool

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        real = "a real difference" if self.real else "which may be chance"
        return (
            f"{self.value:.4f} against {self.default_value:.4f} of the defaults: "
            f"{self.difference:+.4f} {span(self.low, self.high)}, {real}"
        )


def checked(space: Space, settings: Mapping[str, Any], fold: Split, goal: Goal) -> Check:
    """Fit the settings and the defaults on a fold, and compare them user by user."""
    train, held = fold
    reports = {
        name: goal.report(space.make(chosen).fit(train), train, held)
        for name, chosen in {"best": settings, "defaults": space.defaults()}.items()
    }
    measures = {name: report.measures[goal.metric] for name, report in reports.items()}
    [test] = paired_tests(measures, bootstrap(list(measures.values())))
    best, defaults = (report[goal.metric] for report in reports.values())
    return Check(best, defaults, test.difference, test.low, test.high, test.real)
