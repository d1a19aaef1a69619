"""The search itself: suggest, measure, note, until there were enough trials or enough time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from shortlist.data.dataset import Dataset
from shortlist.data.split import Split
from shortlist.errors import ConfigError, InputError, ShortlistError
from shortlist.models.base import Model
from shortlist.progress import track
from shortlist.text import figure
from shortlist.tuning.check import Check, checked
from shortlist.tuning.folds import validation_folds
from shortlist.tuning.goal import Goal
from shortlist.tuning.journal import Journal
from shortlist.tuning.objective import FAILURES, measured, reason_of
from shortlist.tuning.result import Tuning
from shortlist.tuning.sampler import Sampler
from shortlist.tuning.space import Space
from shortlist.tuning.subject import described, require_fittable, subject_of
from shortlist.tuning.trials import Trial, completed

_KILLS = 2  # after which a trial counts as what kills the process
_REPEATS = 50  # in a row, after which there is nothing new to find


def tune(
    model: str | type[Model[Any, Any]] | Model[Any, Any],
    data: Dataset,
    trials: int | None = 50,
    seconds: float | None = None,
    metric: str = "ndcg@10",
    *,
    folds: int = 1,
    study: str | Path | None = None,
    seed: int = 0,
    check: bool = True,
) -> Tuning:
    """Search for the settings that are best on a validation fold of the data.

    Each user's last choice (by time; without times, a drawn one) is held out, and settings from
    each setting's own search range are fitted on the rest and measured on it. The first trial is
    the defaults: on the fold, the result is never worse. What is not to be tuned on (a test) must
    not be in ``data``.

    Parameters
    ----------
    model
        A model's name or class; or a model, whose given settings stay as they are.
    data
        What to tune on.
    trials
        How many trials the study shall have, those in the study's file included. None: as many as
        the time allows.
    seconds
        No trial starts after so many seconds. One that runs is not cut short.
    metric
        What to make as large as possible (``"rmse"`` and ``"mae"``: as small), as a report names
        it: ``"ndcg@10"``, ``"recall@20"``, ``"mrr"``, ...
    folds
        Over how many folds each trial is measured, see
        :func:`~shortlist.tuning.folds.validation_folds`.
    study
        A file that keeps the trials. If it exists, the study goes on from it: with the same number
        of trials the outcome is what it would have been without the interruption.
    seed
        Seeds the folds and the search. Same seed and number of trials, same outcome; with
        ``seconds``, the number depends on the machine.
    check
        Whether to fit the best settings and the defaults once more at the end, on one more fold
        (a choice further back) that the search has not seen, to tell whether they are really
        better.

    Raises
    ------
    ConfigError
        There is no such model or metric, a number is out of its range, the model has nothing to
        tune, or the extra ``tune`` (or the model's own) is not installed.
    InputError
        The data is too small or lacks what the model needs; the study's file is of another model,
        data, metric, ..., or is damaged.
    ShortlistError
        Every trial failed.

    Examples
    --------
    >>> from shortlist.testing import small_world
    >>> tuning = tune("EASE", small_world().data, trials=3)
    >>> tuning.value >= tuning.default_value
    True
    >>> fitted = tuning.best_model().fit(small_world().data)
    """
    kind, given = subject_of(model)
    goal = Goal.named(metric)
    _require_bounds(trials, seconds)
    goal.require_for(kind)
    require_fittable(kind(**given), data)
    space = Space(kind, given)
    cuts = validation_folds(data, folds, seed)
    started = time.monotonic()
    subject = {} if study is None else described(space, data, goal, folds, seed)
    with Journal(study, subject) as journal:
        sampler = Sampler(space, goal, seed)
        for trial in journal.trials:
            _require_within(trial, space, study)
            sampler.tell(trial)
        search = _Search(space, goal, cuts, journal, sampler)
        deadline = None if seconds is None else started + seconds
        for _ in track(search.run(trials, deadline), search.told, trials):
            pass
        done = tuple(journal.trials)
    if not completed(done):
        raise ShortlistError(
            f"all {len(done)} trials of {kind.__name__} failed; the first: {done[0].reason}",
            remedy="choose another model, or give the setting that is at fault",
        )
    tuning = Tuning(kind, given, goal, done, data, folds, seed, time.monotonic() - started)
    return replace(tuning, check=_checked(tuning, space)) if check else tuning


class _Search:
    """A study that is going on."""

    def __init__(
        self, space: Space, goal: Goal, folds: Sequence[Split], journal: Journal, sampler: Sampler
    ) -> None:
        self.space, self.goal, self.folds = space, goal, folds
        self.journal, self.sampler = journal, sampler

    def run(self, trials: int | None, deadline: float | None) -> Iterator[None]:
        """Run trials; yield after each, those that are on the disk included."""
        for _ in self.journal.trials:
            yield
        while trials is None or len(self.journal.trials) < trials:
            late = deadline is not None and time.monotonic() >= deadline
            # The defaults are always measured: without them there is nothing to give.
            if (late and self.journal.trials) or self._exhausted():
                return
            self._run_next()
            yield

    def told(self) -> str:
        """Say for the progress bar what is going on."""
        values = sorted(value for value, _ in completed(self.journal.trials))
        best = values[-1 if self.goal.larger_is_better else 0] if values else None
        found = "" if best is None else f": best {self.goal.metric} {figure(best)}"
        return f"tuning {self.space.model.__name__}{found}"

    def _run_next(self) -> None:
        journal, sampler = self.journal, self.sampler
        number = len(journal.trials)
        settings = sampler.ask(number)
        if journal.deaths(number) >= _KILLS:
            reason = f"the process was killed {_KILLS} times during this trial"
            trial = Trial(number=number, settings=settings, state="failed", reason=reason)
        elif (same := self._same(settings)) is not None:
            reason = f": {same.reason}" if same.state == "failed" else ""
            trial = Trial(
                number=number,
                settings=settings,
                state=same.state,
                value=same.value,
                reason=f"same as trial {same.number}{reason}",
            )
        else:
            journal.start(number)
            try:
                trial = measured(
                    self.space, settings, self.folds, self.goal, number, sampler.report
                )
            except BaseException:  # stopped by the user, or by an error that is not the trial's
                journal.stop(number)
                raise
        journal.end(trial)
        sampler.tell(trial)

    def _same(self, settings: Mapping[str, Any]) -> Trial | None:
        return next((one for one in self.journal.trials if one.settings == settings), None)

    def _exhausted(self) -> bool:
        trials = self.journal.trials
        known = [one.settings for one in trials[:-_REPEATS]]
        return bool(known) and all(one.settings in known for one in trials[-_REPEATS:])


def _checked(tuning: Tuning, space: Space) -> Check | str:
    """Check the best settings, or say why that cannot be done."""
    if tuning.best.number == 0:
        return "there is nothing to check: the defaults are the best"
    try:
        fold = validation_folds(tuning.data, tuning.folds + 1, tuning.seed)[-1]
    except InputError:
        return "too little data to check the settings on one more fold"
    try:
        return checked(space, tuning.best.settings, fold, tuning.goal)
    except FAILURES as error:
        return f"the check failed: {reason_of(error)}"


def _require_bounds(trials: int | None, seconds: float | None) -> None:
    if trials is None and seconds is None:
        raise ConfigError("neither trials nor seconds bound the search", remedy="give one of them")
    if trials is not None and (isinstance(trials, bool) or not isinstance(trials, int)):
        raise ConfigError(f"trials={trials!r} is no whole number", remedy="try 1 or more")
    if trials is not None and trials < 1:
        raise ConfigError(f"trials={trials} is out of range", remedy="try 1 or more")
    if seconds is not None and not seconds > 0:
        raise ConfigError(f"seconds={seconds} is out of range", remedy="give more than 0")


def _require_within(trial: Trial, space: Space, study: str | Path | None) -> None:
    if not space.holds(trial.settings):
        raise InputError(
            f"the study is damaged: trial {trial.number} has settings outside of their ranges",
            where=f"{study}",
            remedy="name another file",
        )
