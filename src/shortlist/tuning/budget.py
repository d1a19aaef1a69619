"""The time budget of a search: how much is left, and how long fitting a model would take."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from shortlist.data.split import Split
from shortlist.errors import ConfigError
from shortlist.models.base import Model
from shortlist.tuning.objective import FAILURES, Objective

MIN_USERS = 1600  # with fewer, predicting the time takes as long as fitting
_FRACTIONS = (64, 16, 8)  # the samples: 1/64, 1/16 and 1/8 of the users
_MAX_POWER = 2.0  # no model's time grows faster than with the square of the users
_JUMP = 1.5 * 2**_MAX_POWER  # a larger ratio is not growth: another algorithm took over
_WARM = 0.8  # a larger sample below this ratio: loading and compiling dominated the smaller one
_MIN_SECONDS = 1e-6  # shorter times count as this
_SAFETY = 6  # a larger sample is taken only if the time left is this many times that of the last


class TimeBudget:
    """A limit on the time, counted from now; None: unlimited."""

    def __init__(self, seconds: float | None) -> None:
        if seconds is not None and not seconds > 0:
            raise ConfigError(f"seconds={seconds} is out of range", remedy="give more than 0")
        self.seconds, self._started = seconds, time.monotonic()

    def __getstate__(self) -> dict[str, float | None]:
        """Store the start as wall-clock time: the monotonic clock differs between machines."""
        return {"seconds": self.seconds, "began": time.time() - self.elapsed()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.seconds = state["seconds"]
        self._started = time.monotonic() - (time.time() - state["began"])

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._started

    def left(self, reserved: float = 0.0) -> float:
        """Return the seconds left, without a reserved share of the limit; inf if unlimited."""
        if self.seconds is None:
            return math.inf
        return self.seconds * (1 - reserved) - self.elapsed()


def predicted_seconds(
    model: Model[Any, Any], fold: Split, objective: Objective, seed: int, left: float
) -> float:
    """Predict the time to fit and measure a model on a fold, from samples of the users.

    With ``t(n)`` the seconds for n of N users: ``t(N) = t(N/8) 8^p``, where
    ``p = log2(t(N/8) / t(N/16))``, clipped to [0, 2]: 0 if the time depends on the items only. If
    the smaller sample took longer (something happened once, such as compiling), p is 1. If the
    larger sample took many times as long (another algorithm took over at that size), it is compared
    with a sample of N/4 instead.

    No sample larger than one that takes much of the time ``left`` is measured. A quarter of that
    one, measured after it, then gives p; work that happens once makes p larger, so the prediction
    is cautious. If not even the quarter fits into the time, the prediction is a lower bound: the
    time of the sample.
    """
    train, held = fold
    users = np.random.default_rng(seed).permutation(np.unique(held.user_rows))

    def measured_seconds(fraction: int) -> float:
        sampled = np.zeros(train.n_users, dtype=bool)
        sampled[users[: len(users) // fraction]] = True
        sample = train.select(sampled[train.user_rows]), held.select(sampled[held.user_rows])
        started = time.perf_counter()
        objective.report(model, sample)
        return time.perf_counter() - started

    times: list[float] = []
    for fraction in _FRACTIONS:
        times.append(measured_seconds(fraction))
        left -= times[-1]
        if 2 * times[-1] > left:
            return times[-1]
        if _SAFETY * times[-1] > left:
            try:
                return _extrapolated(measured_seconds(4 * fraction), times[-1], 4, fraction)
            except FAILURES:  # a quarter of the sample is too little to fit the model on
                return fraction * times[-1]
    small, large = times[-2:]
    if large > _JUMP * small and _SAFETY * large < left:
        fraction //= 2
        small, large = large, measured_seconds(fraction)
    if large < _WARM * small:
        return fraction * large
    return _extrapolated(small, large, 2, fraction)


def _extrapolated(small: float, large: float, ratio: int, fraction: int) -> float:
    """Extrapolate the times of two samples, the larger one with one in ``fraction`` users.

    ``ratio`` is the number of users in the larger sample over that in the smaller one.
    """
    power = math.log(max(large, _MIN_SECONDS) / max(small, _MIN_SECONDS), ratio)
    return float(large * fraction ** min(max(power, 0.0), _MAX_POWER))
