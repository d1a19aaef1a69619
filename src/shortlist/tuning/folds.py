"""Validation folds of the training data, and checks on a fold that no decision has used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from shortlist import engine as engines
from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.data.split import Order, Split
from shortlist.errors import InputError
from shortlist.evaluation.truth import require_count
from shortlist.metrics.bootstrap import bootstrap
from shortlist.metrics.paired import paired_tests
from shortlist.models.base import Model
from shortlist.text import counted, figure, span
from shortlist.tuning.objective import FAILURES, Objective, failure_reason
from shortlist.tuning.space import Space, unfitted

C = TypeVar("C")


def validation_folds(data: Dataset, folds: int = 1, seed: int = 0) -> list[Split]:
    """Hold one interaction of each user out, once or several times.

    The first fold holds out the last interaction of every user with more than one; without times,
    a random one. The second fold holds out one more of them and trains on neither, and so on: no
    interaction is held out twice.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 1], "item_id": [5, 6, 7], "at": [10, 20, 30]})
    >>> data = Dataset.from_tables(log, time="at")
    >>> [held.to_arrow()["item_id"].to_pylist() for _, held in validation_folds(data, 2)]
    [[7], [6]]
    """
    require_count("folds", folds)
    order: Order = "random" if data.times is None else "time"
    splits: list[Split] = []
    rest = data
    for fold in range(folds):
        if int(rest.user_counts.max(initial=0)) < 2:
            raise InputError(
                f"the data is too small for {counted(folds, 'validation fold')}: "
                f"no user has {fold + 2} interactions",
                where=f"{data}",
                remedy="ask for fewer folds, or gather more interactions"
                if fold
                else "use the defaults, or gather more interactions",
            )
        splits.append(split.leave_last_out(rest, order=order, seed=seed + fold))
        rest = splits[-1][0]
    return splits


@dataclass(frozen=True)
class SettingsCheck:
    """Tuned settings against the defaults, on a fold that the search has not used.

    On the search's own folds, the best of many trials is the best partly by luck. ``difference`` is
    ``value - default_value``, with its paired bootstrap interval (95%); ``real``: whether it is
    significant by a paired t-test.
    """

    value: float
    default_value: float
    difference: float
    low: float
    high: float
    real: bool

    def __str__(self) -> str:
        return (
            f"{self.value:.4f}, and {self.default_value:.4f} with the defaults: "
            f"{self.difference:+.4f} {span(self.low, self.high)}, "
            f"{'' if self.real else 'not '}significant"
        )


def check_settings(
    space: Space, settings: Mapping[str, Any], fold: Split, objective: Objective
) -> SettingsCheck:
    """Fit tuned settings and the defaults on an unseen fold, and compare them user by user."""
    models = [space.make(values) for values in (settings, space.defaults())]
    memory = max(model.memory_to_fit(fold[0]) for model in models)
    work = partial(objective.report, fold=fold)
    tuned, defaults = engines.current().map(work, models, memory, "checking the settings")
    metric = objective.metric
    measures = {"tuned": tuned.measures[metric], "defaults": defaults.measures[metric]}
    [test] = paired_tests(measures, bootstrap(list(measures.values())))
    figures = test.difference, test.low, test.high, test.real
    return SettingsCheck(tuned[metric], defaults[metric], *figures)


@dataclass(frozen=True)
class ModelCheck:
    """A selected model's metric, with its bootstrap interval (95%), on a fold that took no part."""

    value: float
    low: float
    high: float
    n_users: int

    def __str__(self) -> str:
        return f"{figure(self.value)} {span(self.low, self.high)}"


def check_model(model: Model[Any, Any], fold: Split, objective: Objective) -> ModelCheck:
    """Fit a copy of a model on an unseen fold, and measure it there."""
    report, metric = objective.report(unfitted(model), fold), objective.metric
    return ModelCheck(report[metric], *report.interval(metric), report.n_users)


def on_unseen_fold(
    data: Dataset, used: int, seed: int, what: str, check: Callable[[Split], C]
) -> C | str:
    """Check something on the fold behind those used, or return why that is not possible."""
    try:
        fold = validation_folds(data, used + 1, seed)[-1]
    except InputError:
        return f"too little data to check the {what} on an unseen fold"
    try:
        return check(fold)
    except FAILURES as error:
        return f"the check failed: {failure_reason(error)}"
