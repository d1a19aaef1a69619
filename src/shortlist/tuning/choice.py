"""Which model was chosen, and why: every candidate, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from shortlist.data.dataset import Dataset
from shortlist.evaluation import Report
from shortlist.frames import Tabular
from shortlist.metrics.bootstrap import bootstrap, interval
from shortlist.models.base import Model
from shortlist.text import figure, span, text_table
from shortlist.tuning.check import Unseen
from shortlist.tuning.goal import Goal

MARGIN = 0.02  # of the best figure: a difference that nobody would pay for


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model that was measured.

    Attributes
    ----------
    name
        Its name, with ``(tuned)`` where its settings were searched for.
    model
        With its settings; fitted on the training side of the fold.
    report
        Its figures on the validation side.
    seconds
        How long fitting and measuring took.
    """

    name: str
    model: Model[Any, Any]
    report: Report
    seconds: float


@dataclass(frozen=True)
class Standing:
    """What became of a candidate.

    Attributes
    ----------
    model
        Its name.
    value
        The metric on the validation fold; None where it was not measured.
    difference, low, high
        Its value minus that of the best, and the paired interval of that; None for the best.
    seconds
        How long fitting and measuring took.
    outcome
        ``"chosen"``, ``"best"``, ``"as good as the best"``, ``"not really worse"`` (the interval of
        the difference holds 0), ``"worse"``, or why it was left out.
    """

    model: str
    value: float | None
    difference: float | None
    low: float | None
    high: float | None
    seconds: float | None
    outcome: str


SCHEMA = pa.schema(
    [
        ("model", pa.string()),
        ("value", pa.float64()),
        ("difference", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("seconds", pa.float64()),
        ("outcome", pa.string()),
    ]
)


def ranked(
    candidates: Sequence[Candidate], goal: Goal
) -> tuple[Candidate, str, tuple[Standing, ...]]:
    """Choose among candidates, which stand in order from the simplest.

    A candidate is as good as the best where it is within 2% of it and the paired bootstrap interval
    (95%) of the difference holds 0. Of those the simplest is chosen; of the settings of one model,
    the better. (The interval alone would not do: on little data it holds 0 for nearly everything.)

    Returns
    -------
    The chosen one, the reason in a sentence, and where each stands, best first.
    """
    sign = 1 if goal.larger_is_better else -1
    values = [sign * one.report[goal.metric] for one in candidates]
    order = sorted(range(len(candidates)), key=lambda place: (-values[place], place))
    best = order[0]
    figures = sign * bootstrap([one.report.measures[goal.metric] for one in candidates])
    spans = [interval(figures[:, place] - figures[:, best]) for place in range(len(candidates))]
    behind = [place for place in order[1:] if spans[place][1] < 0]
    near = values[best] - MARGIN * abs(values[best])
    equal = [place for place in sorted(order) if values[place] >= near and place not in behind]
    simplest = type(candidates[equal[0]].model)
    chosen = next(place for place in order if type(candidates[place].model) is simplest)
    outcomes = dict.fromkeys(order, "not really worse")
    outcomes |= dict.fromkeys(behind, "worse") | dict.fromkeys(equal, "as good as the best")
    outcomes |= {best: "best"} | {chosen: "chosen"}
    standings = []
    for place in order:
        one = candidates[place]
        standing = Standing(
            one.name, one.report[goal.metric], None, None, None, one.seconds, outcomes[place]
        )
        if place != best:
            low, high = sorted(sign * bound for bound in spans[place])
            gap = sign * (values[place] - values[best])
            standing = replace(standing, difference=gap, low=low, high=high)
        standings.append(standing)
    reason = _reason(candidates, best, chosen, len(equal), len(order) - 1 - len(behind), goal)
    return candidates[chosen], reason, tuple(standings)


def _reason(
    candidates: Sequence[Candidate], best: int, chosen: int, equal: int, unsure: int, goal: Goal
) -> str:
    winner, first = candidates[chosen], candidates[best]
    value = figure(first.report[goal.metric])
    if chosen == best:
        why = "is really the best" if unsure == 0 else "is the best, and nothing simpler is as good"
        if equal == 1 and unsure:
            others = "1 other" if unsure == 1 else f"{unsure} others"
            why = f"is the best by more than {MARGIN:.0%}, which beside {others} may be chance"
        return f"{winner.name} is chosen: its {goal.metric} of {value} {why}."
    return (
        f"{winner.name} is chosen: the best, {first.name} with {goal.metric} {value}, is ahead by "
        f"less than {MARGIN:.0%}, and not really (the paired 95% interval of the difference holds "
        f"0); {winner.name} is the simplest of the {equal} that are as good."
    )


@dataclass(frozen=True, eq=False)
class Choice(Tabular):
    """The outcome of :func:`shortlist.auto`; ``str(choice)`` is the table and the reason.

    Attributes
    ----------
    model
        The chosen model, fitted on all of the data.
    reason
        Why it was chosen.
    standings
        Every candidate: the measured ones best first, then those that were left out.
    metric
        What decided.
    data, n_users
        What there was to learn from, and how many users the candidates were measured on.
    notes
        What else a reader must know.
    seconds
        How long it took in all.
    check
        How the chosen model does on one more fold, which took no part; or why that is not known.
    """

    model: Model[Any, Any]
    reason: str
    standings: tuple[Standing, ...]
    metric: str
    data: Dataset
    n_users: int
    notes: tuple[str, ...]
    seconds: float
    check: Unseen | str = "not checked on another fold"

    @cached_property
    def _table(self) -> pa.Table:
        return pa.Table.from_pylist([asdict(one) for one in self.standings], schema=SCHEMA)

    def to_arrow(self) -> pa.Table:
        """One row a candidate: model, value, difference, low, high, seconds, outcome."""
        return self._table

    def to_dict(self) -> dict[str, Any]:
        """Everything but the model, ready for JSON: what a bundle notes."""
        return {
            "chosen_by": "auto",
            "metric": self.metric,
            "users": self.n_users,
            "reason": self.reason,
            "candidates": [asdict(one) for one in self.standings],
            "notes": list(self.notes),
            "check": self.check if isinstance(self.check, str) else self.check.to_dict(),
        }

    def __str__(self) -> str:
        rows = [
            [
                one.model,
                "" if one.value is None else figure(one.value),
                "" if one.difference is None else f"{one.difference:+.4f}",
                "" if one.low is None or one.high is None else span(one.low, one.high),
                "" if one.seconds is None else f"{one.seconds:.1f}",
                one.outcome,
            ]
            for one in self.standings
        ]
        header = ["model", self.metric, "against best", "95% interval", "seconds", "outcome"]
        return "\n".join(
            [
                f"{self.data}: one choice of each of {self.n_users:,} users held out to choose by",
                *self.notes,
                "",
                text_table(header, rows),
                "These figures chose, so the best of them is a little too good.",
                self.check
                if isinstance(self.check, str)
                else f"On one more fold, which took no part: {self.metric} {self.check} for "
                "the chosen one.",
                self.reason,
            ]
        )

    def __repr__(self) -> str:
        return f"Choice({self.model!r}; by {self.metric} of {len(self.standings)})"
