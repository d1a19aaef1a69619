"""What to try next: Optuna's tree-structured Parzen estimator, and its median pruner."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from shortlist import extras
from shortlist.tuning.goal import Goal
from shortlist.tuning.space import Space
from shortlist.tuning.trials import Trial

_STARTUP = 10  # trials drawn at random before there is something to learn from
_PATIENCE = 5  # trials that are never given up, so that there is a median


class Sampler:
    """Suggests settings after those of the trials that have ended (Bergstra et al., NIPS 2011).

    Every trial has a random generator of its own, seeded by the study's seed and the trial's
    number, so a suggestion depends on the trials before it and on nothing else: not on when, or in
    which process, they ran.

    Raises
    ------
    ConfigError
        The extra ``tune`` is not installed.
    """

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        extras.require("tune", "tuning")
        import optuna

        self._space, self._seed = space, seed
        with _quiet():
            self._study = optuna.create_study(
                direction="maximize" if goal.larger_is_better else "minimize",
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_PATIENCE),
            )
        self._running: optuna.trial.Trial | None = None

    def ask(self, number: int) -> dict[str, Any]:
        """Suggest the settings of a trial; those of trial 0 are the defaults."""
        import optuna

        if number == 0:
            return self._space.defaults()
        drawn = np.random.SeedSequence([self._seed, number]).generate_state(1)
        with _quiet():
            self._study.sampler = optuna.samplers.TPESampler(
                n_startup_trials=_STARTUP,
                multivariate=True,
                seed=int(drawn[0]),
            )
            self._running = self._study.ask()
            return self._space.suggested(self._running)

    def report(self, step: int, value: float) -> bool:
        """Take in how the running trial is doing; say whether to give it up."""
        if self._running is None:
            return False
        self._running.report(value, step)
        return self._running.should_prune()

    def tell(self, trial: Trial) -> None:
        """Learn from a trial: the one that was asked for last, or one from the disk."""
        from optuna.trial import TrialState, create_trial

        state = {
            "complete": TrialState.COMPLETE,
            "pruned": TrialState.PRUNED,
            "failed": TrialState.FAIL,
        }[trial.state]
        value = trial.value if trial.state == "complete" else None
        if self._running is not None:
            with _quiet():
                self._study.tell(self._running, value, state)
            self._running = None
            return
        self._study.add_trial(
            create_trial(
                state=state,
                value=value,
                intermediate_values=dict(trial.steps),
                **self._space.optuna(trial.settings),
            )
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from logging each trial, and from calling parts of itself experimental."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
