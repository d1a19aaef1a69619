"""The metric that a search optimises, and the trials that measure settings by it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from shortlist import engine as engines
from shortlist.data.dataset import Dataset
from shortlist.data.split import Split
from shortlist.errors import CapabilityError, ConfigError, InputError, ShortlistError, suggestion
from shortlist.evaluation import Report, evaluate
from shortlist.metrics.ranking import AT_K
from shortlist.models.base import Model
from shortlist.models.training.model import TrainedModel
from shortlist.scoring.capabilities import PredictsRatings
from shortlist.tuning.space import Space, given_settings

_ERRORS = ("rmse", "mae")
_DEFAULT_K = 10  # length of the evaluated lists for metrics without a cutoff
_UNPRUNED_TRIALS = 5  # before there is a meaningful median
_FIRST_CHECKPOINT = 10  # epochs; the epochs double from one checkpoint to the next

FAILURES = (ShortlistError, MemoryError, RuntimeError, np.linalg.LinAlgError)
"""What a failing fit may raise. PyTorch raises RuntimeError when a device is out of memory."""


@dataclass(frozen=True)
class Objective:
    """A metric to optimise, by its name in a report; ``k`` is the length of the evaluated lists.

    >>> Objective.named("recall@20")
    Objective(metric='recall@20', k=20, larger_is_better=True)
    """

    metric: str
    k: int
    larger_is_better: bool

    @classmethod
    def named(cls, metric: str) -> Objective:
        """Parse the name of a metric of quality: ``"ndcg@10"``, ``"mrr"``, ``"rmse"``, ..."""
        if metric == "mrr" or metric in _ERRORS:
            return cls(metric, _DEFAULT_K, larger_is_better=metric not in _ERRORS)
        name, _, length = metric.partition("@")
        if name not in AT_K or not length.isdecimal() or int(length) < 1:
            known = [*(f"{name}@{_DEFAULT_K}" for name in AT_K), "mrr", *_ERRORS]
            raise ConfigError(
                f"metric={metric!r} cannot be optimised", remedy=suggestion(metric, known)
            )
        return cls(f"{name}@{int(length)}", int(length), larger_is_better=True)

    @property
    def sign(self) -> int:
        """1 where larger values are better, -1 where smaller values are."""
        return 1 if self.larger_is_better else -1

    def require_for(self, model: Model[Any, Any], data: Dataset) -> None:
        """Raise a ShortlistError now if every fit of a model, or every measurement, would fail."""
        if self.metric in _ERRORS and not isinstance(model, PredictsRatings):
            raise CapabilityError(
                f"{model.name} does not predict ratings, so it has no {self.metric}",
                remedy="choose a ranking metric such as ndcg@10",
            )
        model.require_fittable(data)
        if self.metric in _ERRORS and not data.weights_differ:
            raise InputError(
                f"all weights are {data.weights[0]:g}, so there is no {self.metric}",
                remedy="name the column of ratings: weight=; or choose a metric such as ndcg@10",
            )

    def report(self, model: Model[Any, Any], fold: Split) -> Report:
        """Fit a model on a fold and evaluate it there."""
        return evaluate(model.fit(fold[0]), *fold, self.k)

    def ranked(self, trials: Iterable[Trial]) -> list[tuple[float, Trial]]:
        """Return the values and trials that completed, best first; ties in the order of trials."""
        return sorted(completed(trials), key=lambda pair: -self.sign * pair[0])


class Trial(BaseModel):
    """A finished trial of settings. Its fields are a line of the study file.

    ``value`` is the mean of the metric over the folds, or at the last step of a pruned trial; None
    if the trial failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    number: int  # from 0; trial 0 has the default settings
    settings: dict[str, Any]  # the tuned settings that had an effect
    state: Literal["complete", "pruned", "failed"]  # pruned: stopped early
    value: float | None = None
    seconds: float = 0.0
    steps: tuple[tuple[int, float], ...] = ()  # finished epochs, or folds, and the metric then
    reason: str | None = None  # why it failed, was stopped early, or took no time


def completed(trials: Iterable[Trial]) -> list[tuple[float, Trial]]:
    """Return the values and trials that completed, in the order of the trials."""
    return [
        (trial.value, trial)
        for trial in trials
        if trial.state == "complete" and trial.value is not None
    ]


@dataclass(frozen=True)
class Medians:
    """The median of the metric at each step of earlier trials, below which a trial is stopped."""

    at: Mapping[int, float]  # times the sign of the objective: larger is better
    sign: int

    @classmethod
    def of(cls, trials: Iterable[Trial], objective: Objective) -> Medians | None:
        """Return the medians of the trials that completed; None while these are too few."""
        steps = [trial.steps for _, trial in completed(trials)]
        if len(steps) < _UNPRUNED_TRIALS:
            return None
        values: dict[int, list[float]] = {}
        for step, value in chain.from_iterable(steps):
            values.setdefault(step, []).append(objective.sign * value)
        return cls({step: float(np.median(at)) for step, at in values.items()}, objective.sign)

    def exceed(self, steps: Sequence[tuple[int, float]]) -> bool:
        """Return whether no value of a trial so far reaches the median at its last step."""
        best = max(self.sign * value for _, value in steps)
        return best < self.at.get(steps[-1][0], -np.inf)


def tuned_names(trials: Iterable[Trial]) -> tuple[str, ...]:
    """Return the names of all settings in the trials, in the order of their first use."""
    return tuple(dict.fromkeys(name for trial in trials for name in trial.settings))


def run_trial(
    number: int,
    space: Space,
    settings: Mapping[str, Any],
    folds: Sequence[Split],
    objective: Objective,
    medians: Medians | None = None,
) -> Trial:
    """Fit a model with some settings and measure it; a fit that fails is a failed trial.

    On one fold, a model that trains by epochs is measured after 10, 20, 40, ... epochs; training
    then resumes exactly where it stopped. On several folds, any model is measured after each fold.
    The trial is pruned at the first of these steps where the medians exceed it. Defaults (trial 0)
    that cannot be fitted because of the caller's input raise the InputError.
    """
    started, steps = time.perf_counter(), []
    outcome: dict[str, Any] = {"state": "complete"}
    try:
        for step, value, last in _steps(space.make(settings), folds, objective):
            steps.append((step, value))
            outcome["value"] = value
            if not last and medians is not None and medians.exceed(steps):
                outcome |= {"state": "pruned", "reason": "worse than the median at this step"}
                break
    except FAILURES as error:
        if number == 0 and isinstance(error, InputError):
            raise
        outcome = {"state": "failed", "reason": failure_reason(error)}
    outcome |= {"seconds": time.perf_counter() - started, "steps": tuple(steps)}
    return Trial(number=number, settings=dict(settings), **outcome)


def failure_reason(error: BaseException) -> str:
    """Return the message of an error in one line."""
    if isinstance(error, ShortlistError):
        return error.what
    return str(error) or type(error).__name__


def _steps(
    model: Model[Any, Any], folds: Sequence[Split], objective: Objective
) -> Iterator[tuple[int, float, bool]]:
    """Yield the finished epochs or folds, the metric so far, and whether this step is the last."""
    if len(folds) == 1 and isinstance(model, TrainedModel) and model.config.validation == 0:
        total: int = model.config.epochs
        epochs = min(_FIRST_CHECKPOINT, total)
        trained = type(model)(**given_settings(model) | {"epochs": epochs}).fit(folds[0][0])
        while True:
            report = evaluate(trained, *folds[0], objective.k)
            yield epochs, report[objective.metric], epochs == total
            if epochs == total:
                return
            more = min(epochs, total - epochs)
            trained.resume(more)
            epochs += more
    work = partial(_value, model, folds, objective)
    memory = max(model.memory_to_fit(train) for train, _ in folds)
    values: list[float] = []
    for value in engines.current().map(work, range(len(folds)), memory, "measuring on folds"):
        values.append(value)
        yield len(values), float(np.mean(values)), len(values) == len(folds)


def _value(
    model: Model[Any, Any], folds: Sequence[Split], objective: Objective, fold: int
) -> float:
    """Return the metric of a model on a fold."""
    return objective.report(model, folds[fold])[objective.metric]
