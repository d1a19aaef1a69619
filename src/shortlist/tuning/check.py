"""What was found, measured where nobody has looked yet: on a fold that took no part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from shortlist.data.split import Split
from shortlist.metrics.bootstrap import bootstrap
from shortlist.metrics.paired import paired_tests
from shortlist.models.base import Model
from shortlist.text import figure, span
from shortlist.tuning.goal import Goal
from shortlist.tuning.space import Space
from shortlist.tuning.subject import subject_of


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


@dataclass(frozen=True)
class Unseen:
    """A chosen model on a fold that neither the choice nor the search has seen.

    Attributes
    ----------
    value, low, high
        The metric, and its bootstrap interval over users (95%).
    n_users
        Over how many users.
    """

    value: float
    low: float
    high: float
    n_users: int

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{figure(self.value)} {span(self.low, self.high)}"


def unseen(model: Model[Any, Any], fold: Split, goal: Goal) -> Unseen:
    """Fit a model on a fold, and measure it there; the model itself stays as it was."""
    train, held = fold
    report = goal.report(again(model).fit(train), train, held)
    return Unseen(report[goal.metric], *report.interval(goal.metric), report.n_users)


def again(model: Model[Any, Any]) -> Model[Any, Any]:
    """Make a model with the same settings, not fitted."""
    kind, given = subject_of(model)
    return kind(**given)
