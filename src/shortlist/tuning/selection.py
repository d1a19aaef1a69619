"""Automatic model selection: compare all models on a fold, tune the best, take the simplest."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shortlist import engine as engines
from shortlist import extras
from shortlist.data.dataset import Dataset, require_dataset
from shortlist.data.split import Split
from shortlist.errors import InputError, ShortlistError
from shortlist.evaluation import Report
from shortlist.evaluation.truth import require_count
from shortlist.metrics.bootstrap import bootstrap, interval
from shortlist.models.base import Model
from shortlist.models.config import search_range
from shortlist.models.registry import MODULES
from shortlist.models.training.model import TrainedModel
from shortlist.progress import track
from shortlist.text import figure
from shortlist.tuning.budget import MIN_USERS, TimeBudget, predicted_seconds
from shortlist.tuning.folds import ModelCheck, check_model, on_unseen_fold, validation_folds
from shortlist.tuning.objective import FAILURES, Objective, failure_reason
from shortlist.tuning.result import NOT_CHECKED, CandidateResult, Choice
from shortlist.tuning.search import tune
from shortlist.tuning.space import class_and_settings, unfitted

TOLERANCE = 0.02  # a model within 2% of the best value is preferred if it is simpler

_SKIPPED = ("Indexed",)  # it approximates the lists of another model, so it is not a candidate
_TUNING_SHARE = 0.4  # of the time; comparing the defaults leaves that much
# It chooses its stages and its ranker itself: before others are tuned, and is not tuned.
_CHOOSES_ITSELF = ("Cascade",)
_TUNED = 2  # models, the best ones with their defaults
_USED_FOLDS = 2  # by the selection: one decides, and the search uses the next
_MIN_TRIALS = 5  # a search is not started if the time is too short for them


def auto(
    data: Dataset,
    seconds: float | None = None,
    metric: str = "ndcg@10",
    *,
    models: Sequence[str | type[Model[Any, Any]] | Model[Any, Any]] | None = None,
    trials: int = 20,
    seed: int = 0,
    check: bool = True,
    engine: engines.Engine | str | None = None,
) -> Choice:
    """Select a model on a validation fold, and fit it on all of the data.

    One interaction of each user is held out (the last, if there are times). Every model is fitted
    on the rest with its defaults; then the two best are tuned on a fold of that rest, so the search
    does not use the fold that decides. (A ``Cascade`` chooses by itself, and is not tuned.) Of the
    models within 2% of the best and not significantly worse (paired 95% interval), the simplest is
    selected. Since the decision makes the best value slightly optimistic, the selected model is
    measured once more, on a fold that took no part.

    Parameters
    ----------
    data
        The training data; keep a test set out of it.
    seconds
        About how long it may take. A model is left out if its time, predicted from small samples of
        the users, exceeds what is left; no fit is interrupted. Two fifths are reserved for tuning.
        None: unlimited.
    metric
        As for :func:`shortlist.tune`.
    models
        The candidates, the simplest first. None: all models of the library that can be fitted here,
        in the order of the registry, except ``Indexed``, which approximates another model.
    trials
        The number of trials for each of the two best models; 0: no tuning.
    seed
        Seeds the folds and the search. Without ``seconds``, same seed, same result.
    check
        Whether to measure the selected model on one more fold (an earlier interaction of each
        user); it is skipped if there is no time for it.
    engine
        As for :func:`shortlist.tune`.

    Raises
    ------
    ConfigError
        There is no such model or metric, or a number is out of its range.
    InputError
        The data is too small to hold anything out.
    ShortlistError
        No model could be fitted.

    Examples
    --------
    >>> from shortlist.testing import checkerboard
    >>> choice = auto(checkerboard().data, models=["Popularity", "ItemCosine"], trials=0)
    >>> choice.model
    ItemCosine()
    """
    objective = Objective.named(metric)
    budget = TimeBudget(seconds)
    require_count("trials", trials, 0)
    require_dataset(data)
    selection = Selection(data, objective, budget, seed)
    named = [name for name in MODULES if name not in _SKIPPED] if models is None else models
    given = [class_and_settings(model) for model in named]
    with engines.use(engine):
        selection.add([kind(**settings) for kind, settings in given], skip_unusable=models is None)
        selection.compare(reserved=_TUNING_SHARE if trials else 0.0)
        selection.tune_best(trials)
        return selection.finish(check)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model that was fitted and measured on the validation fold."""

    name: str  # that of the model, followed by "(tuned)" if its settings were searched
    model: Model[Any, Any]
    report: Report
    seconds: float


class Selection:
    """A running selection; its methods are called in their order."""

    def __init__(self, data: Dataset, objective: Objective, budget: TimeBudget, seed: int) -> None:
        self.data, self.objective, self.budget, self.seed = data, objective, budget, seed
        self.fold: Split = validation_folds(data, 1, seed)[0]
        self.models: list[Model[Any, Any]] = []
        self.candidates: list[Candidate] = []
        self.left_out: list[CandidateResult] = []
        self.notes: list[str] = []

    def add(self, models: Sequence[Model[Any, Any]], skip_unusable: bool) -> None:
        """Add models; those that cannot be fitted are left out, or raise an error.

        What needs too much memory is left out in any case.
        """
        for model in models:
            try:
                self.objective.require_for(model, self.data)
            except ShortlistError as error:
                if isinstance(error, InputError) and not skip_unusable:
                    raise
                self.leave_out(model.name, error.what)
            else:
                self.models.append(model)

    def leave_out(self, name: str, reason: str, seconds: float | None = None) -> None:
        """Record that a model is not a candidate."""
        outcome = f"left out: {reason}"
        self.left_out.append(CandidateResult(model=name, seconds=seconds, outcome=outcome))

    def compare(self, reserved: float) -> None:
        """Measure the models with their defaults, in order, as far as memory and time allow.

        ``reserved`` is the share of the time that is kept for tuning.
        """
        for model in track(self.models, "comparing models", alike=False):
            share = 0.0 if model.name in _CHOOSES_ITSELF else reserved
            try:
                predicted = self._predicted_seconds(model, self.budget.left(share))
            except FAILURES as error:
                self.leave_out(model.name, failure_reason(error))
                continue
            left = self.budget.left(share)
            # Twice: the selected model is fitted again on all of the data.
            if not self.candidates or 2 * predicted < left:
                self.measure(model.name, model)
            else:
                needed = f"about {predicted:.0f} s to fit, {max(left, 0):.0f} s left"
                self.leave_out(model.name, needed if predicted else "no time left")
        if not self.candidates:
            reasons = "; ".join(f"{each.model}: {each.outcome}" for each in self.left_out)
            raise ShortlistError(
                f"no model could be fitted: {reasons or 'no model was named'}",
                remedy="fix one of these reasons",
            )

    def _predicted_seconds(self, model: Model[Any, Any], left: float) -> float:
        """Predict the time that a model needs; 0 if a prediction does not pay."""
        users = len(np.unique(self.fold[1].user_rows))
        first = not self.candidates  # it is measured in any case
        if first or self.budget.seconds is None or left <= 0:
            return 0.0
        # Many models, or many epochs, take long on few users too.
        slow = model.name in _CHOOSES_ITSELF or isinstance(model, TrainedModel)
        if users < MIN_USERS and not slow:
            return 0.0
        try:
            return predicted_seconds(model, self.fold, self.objective, self.seed, left)
        except FAILURES:
            if users >= MIN_USERS:
                raise
            return 0.0  # a sample of few users is too little to fit it on

    def measure(self, name: str, model: Model[Any, Any]) -> None:
        """Fit a model and measure it; if that fails, leave it out."""
        started = time.perf_counter()
        try:
            report = self.objective.report(model, self.fold)
        except FAILURES as error:
            self.leave_out(name, failure_reason(error), time.perf_counter() - started)
            return
        seconds = time.perf_counter() - started
        self.candidates.append(Candidate(name, model, replace(report, model=name), seconds))

    def tune_best(self, trials: int) -> None:
        """Tune the models that are best with their defaults."""
        sign, metric = self.objective.sign, self.objective.metric
        tunable = [
            candidate
            for candidate in sorted(self.candidates, key=lambda each: -sign * each.report[metric])
            if candidate.name not in _CHOOSES_ITSELF
            and any(map(search_range, type(candidate.model).Config.model_fields.values()))
        ]
        if trials == 0 or not tunable:
            return
        if not extras.installed("tune"):
            self.notes.append(f"nothing is tuned: {extras.install_command('tune')}")
            return
        if int(self.fold[0].user_counts.max(initial=0)) < 2:
            self.notes.append("nothing is tuned: the data is too small for another fold")
            return
        best = tunable[:_TUNED]
        for position, candidate in enumerate(best):
            self._tune(candidate, trials, len(best) - position)

    def _tune(self, candidate: Candidate, trials: int, remaining: int) -> None:
        """Tune one of ``remaining`` candidates, and add the result behind it."""
        name = f"{candidate.name} (tuned)"
        # Half of the time is kept for measuring, for the last trial, and for the final fit.
        left = self.budget.left()
        allowed = left / (2 * remaining)
        if allowed < _MIN_TRIALS * candidate.seconds:
            self.leave_out(name, f"{candidate.seconds:.1f} s per trial, {max(left, 0):.0f} s left")
            return
        tuning = tune(
            candidate.model,
            self.fold[0],
            trials,
            None if self.budget.seconds is None else allowed,
            self.objective.metric,
            seed=self.seed + 1,
            check=False,  # the fold that decides is unseen by the search
        )
        count = len(tuning.trials)
        if tuning.best.number == 0:
            self.leave_out(name, f"nothing better than the defaults in {count} trials")
            return
        if count < trials:
            self.notes.append(f"{name}: {count} of {trials} trials, then the time was up")
        self.measure(name, tuning.best_model())
        if self.candidates[-1].name == name:  # settings of the same model stand together
            self.candidates.insert(self.candidates.index(candidate) + 1, self.candidates.pop())

    def finish(self, check: bool) -> Choice:
        """Select a candidate, check it, and fit it on all of the data."""
        selected, reason, results = select(self.candidates, self.objective)
        checked = self._check(selected) if check else NOT_CHECKED
        return Choice(
            unfitted(selected.model).fit(self.data),
            reason,
            (*results, *self.left_out),
            self.objective.metric,
            self.data,
            selected.report.n_users,
            tuple(self.notes),
            self.budget.elapsed(),
            checked,
        )

    def _check(self, selected: Candidate) -> ModelCheck | str:
        """Measure the selected model on an unseen fold, or return why that is not possible."""
        if self.budget.left() < 2 * selected.seconds:  # it is fitted once more, on all of the data
            return f"{NOT_CHECKED}: no time left"
        return on_unseen_fold(
            self.data,
            _USED_FOLDS,
            self.seed,
            "model",
            lambda fold: check_model(selected.model, fold, self.objective),
        )


def select(
    candidates: Sequence[Candidate], objective: Objective
) -> tuple[Candidate, str, tuple[CandidateResult, ...]]:
    """Select one of the candidates, which are ordered from the simplest.

    A candidate is as good as the best if its value is within 2% of it and the paired bootstrap
    interval (95%) of the difference contains 0. The simplest model of these is selected, with the
    best of its settings. (The interval alone is not enough: on little data it contains 0 for nearly
    every candidate.) Returned are the candidate, the reason, and the result of each, best first.
    """
    sign, metric = objective.sign, objective.metric
    rows = range(len(candidates))
    scores = [sign * candidate.report[metric] for candidate in candidates]  # larger is better
    order = sorted(rows, key=lambda row: -scores[row])
    best = order[0]
    resampled = sign * bootstrap([candidate.report.measures[metric] for candidate in candidates])
    intervals = [interval(resampled[:, row] - resampled[:, best]) for row in rows]
    worse = [row for row in order[1:] if intervals[row][1] < 0]
    threshold = scores[best] - TOLERANCE * abs(scores[best])
    tied = [row for row in rows if scores[row] >= threshold and row not in worse]
    simplest = type(candidates[tied[0]].model)
    selected = next(row for row in order if type(candidates[row].model) is simplest)

    outcomes = dict.fromkeys(order, "not significantly worse")
    outcomes |= dict.fromkeys(worse, "worse") | dict.fromkeys(tied, "as good as the best")
    outcomes |= {best: "best"} | {selected: "chosen"}

    results = []
    for row in order:
        candidate, (low, high) = candidates[row], sorted(sign * bound for bound in intervals[row])
        gap = {"difference": sign * (scores[row] - scores[best]), "low": low, "high": high}
        results.append(
            CandidateResult(
                model=candidate.name,
                value=candidate.report[metric],
                seconds=candidate.seconds,
                outcome=outcomes[row],
                **({} if row == best else gap),
            )
        )
    uncertain = len(order) - 1 - len(worse)
    reason = _reason(candidates[selected], candidates[best], len(tied), uncertain, metric)
    return candidates[selected], reason, tuple(results)


def _reason(
    selected: Candidate, best: Candidate, n_tied: int, n_uncertain: int, metric: str
) -> str:
    value = figure(best.report[metric])
    if selected is not best:
        return (
            f"{selected.name} is chosen: the best, {best.name} with {metric} {value}, is ahead by "
            f"less than {TOLERANCE:.0%}, and not significantly (the paired 95% interval of the "
            f"difference contains 0); {selected.name} is the simplest of the {n_tied} that are as "
            "good."
        )
    if n_uncertain == 0:
        why = "is significantly the best"
    elif n_tied == 1:
        others = "1 other" if n_uncertain == 1 else f"{n_uncertain} others"
        why = f"is the best by more than {TOLERANCE:.0%}, but not significantly against {others}"
    else:
        why = "is the best, and no simpler model is as good"
    return f"{selected.name} is chosen: its {metric} of {value} {why}."
