"""Recency as a weight: how much an interaction still counts."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from shortlist.errors import InputError

_DAY = 86_400e6  # microseconds
_SMALLEST = float(np.finfo(np.float32).tiny)  # so that no interaction gets the weight 0


def decay(times: NDArray[np.int64] | None, half_life: float) -> NDArray[np.float32]:
    """Return ``0.5 ** (age in days / half_life)`` of each time, aged from the last one."""  # (n,)
    given: object = half_life  # whatever the caller passed
    is_number = isinstance(given, Real) and not isinstance(given, bool)
    if not is_number or not math.isfinite(half_life) or half_life <= 0:
        raise InputError(
            f"half_life={half_life!r} is no number of days above 0",
            remedy="give the days after which an interaction counts half, such as half_life=90",
        )
    if times is None:
        raise InputError(
            f"half_life={half_life!r}, and the interactions have no times",
            remedy="name the time column (time=...), or leave half_life out",
        )
    ages: NDArray[np.float64] = (
        times.max(initial=np.iinfo(np.int64).min) - times.astype(np.float64)
    ) / _DAY
    weights: NDArray[np.float32] = np.maximum(0.5 ** (ages / half_life), _SMALLEST).astype("f4")
    return weights
