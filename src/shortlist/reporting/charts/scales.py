"""From values to places on an axis, and the round values that are written beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """An axis from ``low`` to ``high``, drawn from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def around(
        cls,
        values: Iterable[float],
        start: float,
        end: float,
        *,
        log: bool = False,
        zero: bool = False,
    ) -> Scale:
        """Make an axis with room for all values; ``zero``: from 0 on where none is below it."""
        known = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
        low, high = (min(known), max(known)) if known else (1.0, 1.0)
        if log:
            edge = max((high / low) ** 0.08, 1.25)
            return cls(low / edge, high * edge, start, end, log=True)
        if zero:
            low, high = min(low, 0.0), max(high, 0.0)
        edge = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
        return cls(low if zero and low == 0 else low - edge, high + edge, start, end)

    def __call__(self, value: float) -> float:
        """Give the place of a value; what is off the axis stands at its end."""
        low, high = self.low, self.high
        value = min(max(value, low), high)
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Give round values on the axis."""
        if self.log and len(found := _log_ticks(self.low, self.high, most)) > 2:
            return found  # too few of them where the axis is short: there even steps do
        step = _round_step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def _round_step(least: float) -> float:
    """Give the smallest of 1, 2, 2.5, 5 times a power of ten that is no smaller.

    Examples
    --------
    >>> _round_step(0.3), _round_step(21)
    (0.5, 25.0)
    """
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * lead for lead in (1, 2, 2.5, 5, 10) if power * lead >= least * (1 - 1e-9))


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for leads in ((1, 2, 5), (1, 3), (1,)):
        found = [lead * 10.0**power for power in powers for lead in leads]
        found = [value for value in found if low <= value <= high]
        if len(found) <= most:
            return found
    return found[:: math.ceil(len(found) / most)]


def written(value: float) -> str:
    """Write a tick.

    Examples
    --------
    >>> written(0.025), written(12000.0), written(-0.0)
    ('0.025', '12,000', '0')
    """
    if abs(value) < 1e-12:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
