"""How good settings are on the validation folds, and giving up early on those that are not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from shortlist.data.split import Split
from shortlist.errors import InputError, ShortlistError
from shortlist.models.base import Model
from shortlist.models.training.model import TrainedModel
from shortlist.tuning.goal import Goal
from shortlist.tuning.space import Space
from shortlist.tuning.trials import Trial

_FIRST_LOOK = 10  # epochs; every further look is at twice as many

Report = Callable[[int, float], bool]
"""Told how many steps are done and the metric there; says whether to give up."""

FAILURES = (ShortlistError, MemoryError, RuntimeError, np.linalg.LinAlgError)
"""What a fit that fails raises. RuntimeError: PyTorch, where memory runs out on whatever device."""


def measured(
    space: Space,
    settings: Mapping[str, Any],
    folds: Sequence[Split],
    goal: Goal,
    number: int,
    report: Report,
) -> Trial:
    """Fit and measure settings; a fit that fails is a failed trial.

    With one fold, a model that trains by epochs is looked at after 10, 20, 40, ... epochs (training
    goes on where it stopped, to the bit); with several folds, any model after each. Whoever is
    behind at a look can be given up.

    Raises
    ------
    InputError
        The defaults (trial 0) cannot be fitted, because of what the caller gave.
    """
    started, steps = time.perf_counter(), []
    outcome: dict[str, Any] = {"state": "complete"}
    try:
        for step, value, last in _looks(space.make(settings), folds, goal):
            steps.append((step, value))
            outcome["value"] = value
            if not last and report(step, value):
                outcome |= {
                    "state": "pruned",
                    "reason": "behind half of those that went on to the end",
                }
                break
    except FAILURES as error:
        if number == 0 and isinstance(error, InputError):
            raise
        outcome = {"state": "failed", "reason": reason_of(error)}
    seconds = time.perf_counter() - started
    return Trial(
        number=number, settings=dict(settings), seconds=seconds, steps=tuple(steps), **outcome
    )


def reason_of(error: BaseException) -> str:
    """Give what an error says, in a line."""
    if isinstance(error, ShortlistError):
        return error.what
    return str(error) or type(error).__name__


def _looks(
    model: Model[Any, Any], folds: Sequence[Split], goal: Goal
) -> Iterator[tuple[int, float, bool]]:
    """Yield how far it is, the metric there, and whether this is the end."""
    if len(folds) == 1 and isinstance(model, TrainedModel) and model.config.validation == 0:
        train, held = folds[0]
        done = 0
        for epochs in _epochs(model.config.epochs):
            if done == 0:
                begun = type(model)(**_given(model) | {"epochs": epochs}).fit(train)
            else:
                begun.resume(epochs - done)
            done = epochs
            value = goal.report(begun, train, held)[goal.metric]
            yield epochs, value, epochs == model.config.epochs
        return
    values: list[float] = []
    for train, held in folds:
        values.append(goal.report(model.fit(train), train, held)[goal.metric])
        yield len(values), float(np.mean(values)), len(values) == len(folds)


def _given(model: Model[Any, Any]) -> dict[str, Any]:
    return {name: getattr(model.config, name) for name in model.config.model_fields_set}


def _epochs(total: int) -> Iterator[int]:
    """Yield after how many epochs to look.

    Examples
    --------
    >>> list(_epochs(60))
    [10, 20, 40, 60]
    """
    look = _FIRST_LOOK
    while look < total:
        yield look
        look *= 2
    yield total
