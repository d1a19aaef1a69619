"""How long a model will take on all users, guessed from samples of them."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from shortlist.data.split import Split
from shortlist.models.base import Model
from shortlist.tuning.goal import Goal
from shortlist.tuning.objective import FAILURES

LEAST = 1600  # users below which a guess costs as much as the answer
_PARTS = (64, 16, 8)  # one in so many users
_STEEPEST = 2.0  # nothing here grows faster than with the square of the users
_JUMP = 1.5 * 2**_STEEPEST  # more is no growth: from some size on another algorithm is at work
_COLD = 0.8  # of the time on fewer users: then that was spent on loading and compiling
_TICK = 1e-6  # seconds: what is less is nothing
_DEAR = 6  # samples that must fit into the time left, for a larger one to be worth it


def predicted_seconds(
    model: Model[Any, Any], fold: Split, goal: Goal, seed: int, left: float
) -> float:
    """Guess the time to fit and measure a model on a fold.

    With ``t(n)`` the seconds on n of N users: ``t(N) = t(N/8) 8^p``, where
    ``p = log2(t(N/8) / t(N/16))``, between 0 (the items are what costs) and 2. Where the smaller
    sample took longer, for things that happen once, p is 1; where the larger took many times as
    long, for another algorithm from some size on, one of N/4 is compared with it instead.

    A sample that takes much of the time ``left`` is the largest. Whether it is the users that cost
    is then seen on a quarter of it, measured after it: what happens once makes p larger, so the
    guess errs to the careful side. Where not even that fits in, the guess is the least that it can
    be: what the sample took.
    """
    train, held = fold
    users = np.random.default_rng(seed).permutation(np.unique(held.user_rows))

    def seconds(part: int) -> float:
        chosen = np.zeros(train.n_users, dtype=bool)
        chosen[users[: len(users) // part]] = True
        some, some_held = (one.select(chosen[one.user_rows]) for one in (train, held))
        started = time.perf_counter()
        goal.report(model.fit(some), some, some_held)
        return time.perf_counter() - started

    taken: list[float] = []
    for part in _PARTS:
        taken.append(seconds(part))
        left -= taken[-1]
        if 2 * taken[-1] > left:
            return taken[-1]
        if _DEAR * taken[-1] > left:
            try:
                return _grown(seconds(4 * part), taken[-1], 4, part)
            except FAILURES:  # a quarter is too little to fit anything on
                return part * taken[-1]
    small, large = taken[-2:]
    if large > _JUMP * small and _DEAR * large < left:
        part //= 2
        small, large = large, seconds(part)
    if large < _COLD * small:
        return part * large
    return _grown(small, large, 2, part)


def _grown(small: float, large: float, times: int, part: int) -> float:
    """Go on from a sample of so many ``times`` the users to ``part`` times those of the larger."""
    power = math.log(max(large, _TICK) / max(small, _TICK), times)
    return float(large * part ** min(max(power, 0.0), _STEEPEST))
