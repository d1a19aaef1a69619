"""Hyper-parameter search: suggest settings, measure them, record the trial, repeat."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from shortlist import engine as engines
from shortlist import extras
from shortlist.data.dataset import Dataset
from shortlist.data.split import Split
from shortlist.errors import ConfigError, InputError, ShortlistError
from shortlist.evaluation.truth import require_count
from shortlist.models.base import Model
from shortlist.progress import track
from shortlist.text import figure
from shortlist.tuning.budget import TimeBudget
from shortlist.tuning.folds import SettingsCheck, check_settings, on_unseen_fold, validation_folds
from shortlist.tuning.objective import Medians, Objective, Trial, run_trial
from shortlist.tuning.result import Tuning
from shortlist.tuning.space import Space, class_and_settings
from shortlist.tuning.study import Study, open_study, study_header

_MAX_KILLS = 2  # of the process during a trial, before the trial counts as failed
_MAX_REPEATS = 50  # trials in a row without new settings, before the search ends
_RANDOM_TRIALS = 10  # before the estimator has enough trials to learn from
_ROUND = 5  # of these, which know nothing of each other, so that they can run side by side
_OPTUNA_STATES = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}


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
    engine: engines.Engine | str | None = None,
) -> Tuning:
    """Search for the settings of a model that are best on a validation fold of the data.

    The last interaction of each user (by time; without times, a random one) is held out. Settings
    are drawn from the model's search ranges, fitted on the rest and measured on the held-out
    interactions. The first trial is the defaults, so on the fold the result is never worse. Keep a
    test set out of ``data``.

    Parameters
    ----------
    model
        A model's name or class; or a model, whose given settings stay fixed.
    data
        The training data.
    trials
        The total number of trials, including those in the study file. None: no limit but the time.
    seconds
        No trial starts after this many seconds. A running trial is not interrupted.
    metric
        The metric to maximise (``"rmse"`` and ``"mae"`` are minimised), by its name in a report:
        ``"ndcg@10"``, ``"recall@20"``, ``"mrr"``, ...
    folds
        The number of folds that each trial is measured on, see
        :func:`~shortlist.tuning.folds.validation_folds`.
    study
        A file that keeps the trials. If it exists, the search resumes from it; with the same number
        of trials, the result is that of an uninterrupted search.
    seed
        Seeds the folds and the search. Same seed and number of trials, same result; with
        ``seconds``, the number of trials depends on the machine.
    check
        Whether to compare the best settings with the defaults at the end, on one more fold (an
        earlier interaction of each user) that the search has not used.
    engine
        Where trials are fitted and measured: ``"local"``, ``"ray"``, ``"ray://host:port"`` or an
        engine; the result is the same. None: the one in use. On a cluster the first ten trials,
        which are random, run five at a time, and the folds of each later one side by side.

    Raises
    ------
    ConfigError
        There is no such model or metric, a number is out of its range, the model has nothing to
        tune, or the extra ``tune`` (or the model's own) is not installed.
    InputError
        The data is too small or lacks what the model needs; or the study file belongs to another
        search or is damaged.
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
    kind, given = class_and_settings(model)
    objective = Objective.named(metric)
    if trials is None and seconds is None:
        raise ConfigError("the search has no limit", remedy="give trials or seconds")
    if trials is not None:
        require_count("trials", trials)
    budget = TimeBudget(seconds)
    objective.require_for(kind(**given), data)
    space = Space(kind, given)
    splits = validation_folds(data, folds, seed)
    header = {} if study is None else study_header(space, data, objective, folds, seed)
    with engines.use(engine), open_study(study, header) as opened:
        for trial in opened.trials:
            if not space.allows(trial.settings):
                raise InputError(
                    f"the study is damaged: trial {trial.number} has settings out of their ranges",
                    where=f"{study}",
                    remedy="name another file",
                )
        measure = Measurement(space, splits, objective, budget)
        sampler = Sampler(space, objective, seed)

        def progress() -> str:
            ranked = objective.ranked(opened.trials)
            best = f": best {objective.metric} {figure(ranked[0][0])}" if ranked else ""
            return f"tuning {kind.__name__}{best}"

        total = None if trials is None else max(trials, len(opened.trials))
        for _ in track(_run(opened, sampler, measure, trials), progress, total):
            pass
        finished = tuple(opened.trials)
    if not objective.ranked(finished):
        raise ShortlistError(
            f"all {len(finished)} trials of {kind.__name__} failed; the first: "
            f"{finished[0].reason}",
            remedy="choose another model, or fix the setting that causes the failure",
        )
    tuning = Tuning(kind, given, objective, finished, data, folds, seed, budget.elapsed())
    if not check:
        return tuning
    if tuning.best.number == 0:
        return replace(tuning, check="nothing to check: the defaults are the best settings")
    best = tuning.best.settings
    with engines.use(engine):
        outcome: SettingsCheck | str = on_unseen_fold(
            data, folds, seed, "settings", lambda fold: check_settings(space, best, fold, objective)
        )
    return replace(tuning, check=outcome)


@dataclass(frozen=True)
class Measurement:
    """What the trials of a round share, wherever they run."""

    space: Space
    folds: Sequence[Split]
    objective: Objective
    budget: TimeBudget
    medians: Medians | None = None  # of the rounds before

    def __call__(self, asked: tuple[int, dict[str, Any]]) -> Trial | None:
        """Run a trial; None: the time is up."""
        number, settings = asked
        # The defaults are always measured: without them there is no result.
        if self.budget.left() <= 0 and number:
            return None
        return run_trial(number, self.space, settings, self.folds, self.objective, self.medians)

    @property
    def memory(self) -> int:
        """What a trial with the defaults takes beside the data; other settings may need more."""
        return self.space.make({}).memory_to_fit(self.folds[0][0])


def _run(study: Study, sampler: Sampler, measure: Measurement, limit: int | None) -> Iterator[None]:
    """Run trials; yield once per trial, including those that the study already has."""
    for _ in study.trials:
        yield
    while limit is None or len(study.trials) < limit:
        if _exhausted(study.trials):
            return
        done = len(study.trials)
        start, size = (done // _ROUND * _ROUND, _ROUND) if done < _RANDOM_TRIALS else (done, 1)
        numbers = range(done, min(start + size, limit or start + size))
        sampler.learn(study.trials[:start])
        medians = Medians.of(study.trials[:start], measure.objective)
        for trial in _round(study, sampler, replace(measure, medians=medians), numbers):
            if trial is None:
                return
            study.end(trial)
            yield


def _round(
    study: Study, sampler: Sampler, measure: Measurement, numbers: range
) -> Iterator[Trial | None]:
    """Yield the trials of these numbers, which are drawn now and may run side by side."""
    asked = {number: sampler.ask(number) for number in numbers}
    fresh = {
        number: settings
        for number, settings in asked.items()
        if study.kills(number) < _MAX_KILLS
        and settings not in [trial.settings for trial in study.trials]
        and settings not in [asked[earlier] for earlier in range(numbers.start, number)]
    }
    text = f"tuning {measure.space.model.__name__}, trials {', '.join(map(str, fresh))}"
    trials = engines.current().map(measure, list(fresh.items()), measure.memory, text)
    for number, settings in asked.items():
        if number not in fresh:
            yield _known_trial(study, number, settings)
            continue
        study.start(number)
        trial = None
        try:
            trial = next(trials)
        finally:
            if trial is None:  # stopped, failed for another reason, or out of time
                study.stop(number)
        yield trial


def _known_trial(study: Study, number: int, settings: dict[str, Any]) -> Trial:
    """Return the result of a trial that need not run: it repeats another, or kills the process."""
    if study.kills(number) >= _MAX_KILLS:
        reason = f"the process was killed {_MAX_KILLS} times during this trial"
        return Trial(number=number, settings=settings, state="failed", reason=reason)
    same = next(trial for trial in study.trials if trial.settings == settings)
    failure = f": {same.reason}" if same.state == "failed" else ""
    reason = f"same as trial {same.number}{failure}"
    return Trial(
        number=number, settings=settings, state=same.state, value=same.value, reason=reason
    )


def _exhausted(trials: Sequence[Trial]) -> bool:
    """Whether the last trials had no new settings."""
    tried = [trial.settings for trial in trials]
    earlier, recent = tried[:-_MAX_REPEATS], tried[-_MAX_REPEATS:]
    return bool(earlier) and all(settings in earlier for settings in recent)


class Sampler:
    """Suggests settings by Optuna's tree-structured Parzen estimator.

    The estimator is that of Bergstra et al. (NIPS 2011). Every trial has its own random generator,
    seeded by the search's seed and the trial's number, so a suggestion depends only on the trials
    that it has learned from: not on the time or the process in which they ran.
    """

    def __init__(self, space: Space, objective: Objective, seed: int) -> None:
        extras.require("tune", "tuning")
        import optuna

        self._space, self._seed = space, seed
        self._known = 0  # trials
        with _quiet_optuna():
            self._study = optuna.create_study(
                direction="maximize" if objective.larger_is_better else "minimize"
            )

    def ask(self, number: int) -> dict[str, Any]:
        """Return the settings of a trial; those of trial 0 are the defaults."""
        import optuna

        if number == 0:
            return self._space.defaults()
        seed = np.random.SeedSequence([self._seed, number]).generate_state(1)
        with _quiet_optuna():
            self._study.sampler = optuna.samplers.TPESampler(
                n_startup_trials=_RANDOM_TRIALS, multivariate=True, seed=int(seed[0])
            )
            asked = self._study.ask()
            settings = self._space.suggest(asked)
            self._study.tell(asked, state=optuna.trial.TrialState.FAIL)  # it is only suggested
        return settings

    def learn(self, trials: Sequence[Trial]) -> None:
        """Learn from the trials so far, in their order; those that it knows come first."""
        from optuna.trial import TrialState, create_trial

        for trial in trials[self._known :]:
            self._study.add_trial(
                create_trial(
                    state=TrialState[_OPTUNA_STATES[trial.state]],
                    value=trial.value if trial.state == "complete" else None,
                    intermediate_values=dict(trial.steps),
                    **self._space.as_optuna(trial.settings),
                )
            )
        self._known = max(self._known, len(trials))


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Silence Optuna's log lines and its warnings about experimental features."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
