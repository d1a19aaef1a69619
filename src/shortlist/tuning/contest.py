"""A comparison of models that is going on, and the time it has left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from shortlist import extras
from shortlist.data.dataset import Dataset
from shortlist.data.split import Split
from shortlist.errors import InputError, ShortlistError
from shortlist.models.base import Model
from shortlist.models.config import search_range
from shortlist.progress import track
from shortlist.tuning.check import Unseen, again, unseen
from shortlist.tuning.choice import Candidate, Choice, Standing, ranked
from shortlist.tuning.cost import LEAST, predicted_seconds
from shortlist.tuning.folds import validation_folds
from shortlist.tuning.goal import Goal
from shortlist.tuning.objective import FAILURES, reason_of
from shortlist.tuning.study import tune
from shortlist.tuning.subject import require_fittable

_LEADERS = 2  # models that are tuned, the best ones with their defaults
_SEEN = 2  # folds: that which decides, and that which is searched on
_WORTHWHILE = 5  # trials below which a search is not begun


class Contest:
    """A comparison that is going on: call its methods in their order."""

    def __init__(self, data: Dataset, goal: Goal, seconds: float | None, seed: int) -> None:
        self.started, self.seconds = time.monotonic(), seconds
        self.data, self.goal, self.seed = data, goal, seed
        self.fold: Split = validation_folds(data, 1, seed)[0]
        self.entered: list[Model[Any, Any]] = []
        self.candidates: list[Candidate] = []
        self.left_out: list[Standing] = []
        self.notes: list[str] = []

    @property
    def left(self) -> float:
        """How many seconds are left."""
        if self.seconds is None:
            return float("inf")
        return self.seconds - (time.monotonic() - self.started)

    def enter(self, models: Sequence[Model[Any, Any]], every: bool) -> None:
        """Take in the models that can be fitted on the data here; tell of the others."""
        for model in models:
            try:
                self.goal.require_for(type(model))
                require_fittable(model, self.data)
            except InputError as error:
                if not every:
                    raise
                self.leave_out(model.name, error.what)
            else:
                self.entered.append(model)

    def leave_out(self, name: str, why: str, seconds: float | None = None) -> None:
        """Note that a model is not in the running."""
        self.left_out.append(Standing(name, None, None, None, None, seconds, f"left out: {why}"))

    def measure(self, reserved: float) -> None:
        """Fit and measure what memory and time allow, in order; keep a share of the time."""
        for model in track(self.entered, "comparing models"):
            try:
                predicted = self._predicted(model, self._left_beside(reserved))
            except FAILURES as error:
                self.leave_out(model.name, reason_of(error))
                continue
            # Whoever is chosen is fitted once more, on all of the data.
            left = self._left_beside(reserved)
            if not self.candidates or 2 * predicted < left:
                self.measure_one(model.name, model)
            else:
                needed = f"about {predicted:.0f} s to fit, {max(left, 0):.0f} s left"
                self.leave_out(model.name, needed if predicted else "no time left")
        if not self.candidates:
            reasons = "; ".join(f"{one.model}: {one.outcome}" for one in self.left_out)
            raise ShortlistError(
                f"no model could be fitted: {reasons or 'none was named'}",
                remedy="see the reasons, and mend one",
            )

    def _left_beside(self, reserved: float) -> float:
        """Give the seconds left, if a share of them all is kept."""
        return self.left if self.seconds is None else self.left - reserved * self.seconds

    def _predicted(self, model: Model[Any, Any], left: float) -> float:
        """Guess how many seconds a model will take; 0 where a guess is not worth it."""
        users = len(np.unique(self.fold[1].user_rows))
        if not self.candidates or self.seconds is None or left <= 0 or users < LEAST:
            return 0.0  # the first is measured whatever it takes
        return predicted_seconds(model, self.fold, self.goal, self.seed, left)

    def measure_one(self, name: str, model: Model[Any, Any]) -> None:
        """Fit a model and measure it; if that fails it is left out."""
        started = time.perf_counter()
        train, held = self.fold
        try:
            report = self.goal.report(model.fit(train), train, held)
        except FAILURES as error:
            self.leave_out(name, reason_of(error), time.perf_counter() - started)
            return
        seconds = time.perf_counter() - started
        self.candidates.append(Candidate(name, model, replace(report, model=name), seconds))

    def tune_leaders(self, trials: int) -> None:
        """Search for better settings of the models that lead with their defaults."""
        sign = -1 if self.goal.larger_is_better else 1
        tunable = [
            one
            for one in sorted(self.candidates, key=lambda one: sign * one.report[self.goal.metric])
            if any(map(search_range, type(one.model).Config.model_fields.values()))
        ]
        if trials == 0 or not tunable:
            return
        if not extras.installed("tune"):
            self.notes.append(f"nothing is tuned: {extras.install_command('tune')}")
            return
        if int(self.fold[0].user_counts.max(initial=0)) < 2:
            self.notes.append("nothing is tuned: too little is left to hold out once more")
            return
        leaders = tunable[:_LEADERS]
        for place, leader in enumerate(leaders):
            self._tune_one(leader, trials, len(leaders) - place)

    def _tune_one(self, leader: Candidate, trials: int, waiting: int) -> None:
        name = f"{leader.name} (tuned)"
        # Half of what is left stays for measuring, the final fit, and what a trial may overrun.
        allowed = self.left / (2 * waiting)
        if allowed < _WORTHWHILE * leader.seconds:
            self.leave_out(name, f"{leader.seconds:.1f} s a trial, {self.left:.0f} s left")
            return
        bound = None if self.seconds is None else allowed
        tuning = tune(
            leader.model,
            self.fold[0],
            trials,
            bound,
            self.goal.metric,
            seed=self.seed + 1,
            check=False,  # the fold that decides is the check
        )
        if tuning.best.number == 0:
            self.leave_out(name, f"nothing better than the defaults in {len(tuning.trials)} trials")
            return
        if len(tuning.trials) < trials:
            self.notes.append(f"{name}: {len(tuning.trials)} of {trials} trials, for want of time")
        self.measure_one(name, tuning.best_model())
        order = [one for one in self.candidates if one.name != name]
        tuned = [one for one in self.candidates if one.name == name]
        after = order.index(leader) + 1  # settings of a model stand beside each other
        self.candidates = [*order[:after], *tuned, *order[after:]]

    def decided(self, check: bool) -> Choice:
        """Choose, check, and fit the chosen model on everything."""
        chosen, reason, standings = ranked(self.candidates, self.goal)
        checks = {"check": self._checked(chosen)} if check else {}
        return Choice(
            again(chosen.model).fit(self.data),
            reason,
            (*standings, *self.left_out),
            self.goal.metric,
            self.data,
            chosen.report.n_users,
            tuple(self.notes),
            time.monotonic() - self.started,
            **checks,
        )

    def _checked(self, chosen: Candidate) -> Unseen | str:
        """Measure the chosen one behind the folds that chose and that were searched on."""
        if self.left < 2 * chosen.seconds:  # it is fitted once more, on everything
            return "not checked on another fold, for want of time"
        try:
            fold = validation_folds(self.data, _SEEN + 1, self.seed)[-1]
        except InputError:
            return "too little data to check the choice on one more fold"
        try:
            return unseen(chosen.model, fold, self.goal)
        except FAILURES as error:
            return f"the check failed: {reason_of(error)}"
