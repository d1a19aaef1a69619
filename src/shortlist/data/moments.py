"""Points in time, the life spans of items, and how much an interaction still counts.

A moment is the number of microseconds since 1970 (UTC) as a 64-bit integer.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from numbers import Real
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.errors import InputError

When: TypeAlias = dt.datetime | dt.date | str | int | float | np.datetime64

DAY = 86_400_000_000  # microseconds
_SMALLEST = float(np.finfo(np.float32).tiny)  # so that no interaction gets the weight 0
LIFE_SPAN = ("valid_from", "valid_to")  # the item columns
ALWAYS_BEFORE = np.iinfo(np.int64).min
ALWAYS_AFTER = np.iinfo(np.int64).max
FIRST_SECOND = -62_135_596_800  # 0001-01-01 00:00:00, the first that Python can represent
LAST_SECOND = 253_402_300_799  # 9999-12-31 23:59:59, the last one
# How a number may write a time; no two forms have as many digits.
WRITTEN = {
    "yyyymm": "%Y%m", "yyyymmdd": "%Y%m%d", "yyyymmddhhmm": "%Y%m%d%H%M",
    "yyyymmddhhmmss": "%Y%m%d%H%M%S",
}  # fmt: skip
_BY_DIGITS = {len(unit): form for unit, form in WRITTEN.items()}

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_YEAR_FIRST = re.compile(
    r"\s*(?P<year>\d{4})(?:[./]\s*|년\s*)(?P<month>\d{1,2})(?:[./]\s*|월\s*)(?P<day>\d{1,2})[.일]?(?!\d)"
)
_DAY_FIRST = re.compile(r"\s*(?P<day>\d{1,2})\.\s*(?P<month>\d{1,2})\.\s*(?P<year>\d{4})(?!\d)")


def moment(when: When) -> int:
    """Convert a date, a time, ISO text or a number to a moment.

    The text may also begin like 2024.5.31, 2024/5/31, 2024년 5월 31일 or 31.05.2024.
    Times without a time zone are taken as UTC; ``"now"`` is the current time. An integer is a year
    (1900 to 2100), a date written as yyyymmdd, or a number of seconds, milliseconds, microseconds
    or nanoseconds since 1970, whichever its size allows. A date may also be yyyymm, yyyymmddhhmm or
    yyyymmddhhmmss.

    >>> moment("1970-01-02") == moment(86400) == 86_400_000_000
    True
    >>> moment(20240531) == moment("2024-05-31") == moment(1_717_113_600_000)
    True
    """
    if isinstance(when, str):
        if when == "now":
            return moment(dt.datetime.now(dt.UTC))
        try:
            when = dt.datetime.fromisoformat(_iso(when))
        except ValueError:
            raise InputError(
                f"{when!r} is not a date or time",
                remedy="use the form 2024-05-31 or 2024-05-31T18:00",
            ) from None
    if not isinstance(when, dt.date | np.datetime64 | int | float | np.number):
        raise InputError(
            f"{when!r} is not a point in time",
            remedy="pass a date, a time, ISO text or seconds since 1970",
        )
    if when != when:  # only NaT and NaN differ from themselves
        raise InputError("the time is missing (NaT or NaN)", remedy="pass a time, or omit it")
    if isinstance(when, np.datetime64):
        return int(when.astype("datetime64[us]").astype(np.int64))
    if isinstance(when, dt.datetime):
        when = when if when.tzinfo is not None else when.replace(tzinfo=dt.UTC)
        return (when - _EPOCH) // dt.timedelta(microseconds=1)
    if isinstance(when, dt.date):
        return moment(dt.datetime(when.year, when.month, when.day))
    whole = isinstance(when, int | np.integer)
    if whole and 1900 <= when <= 2100:
        return moment(dt.date(int(when), 1, 1))
    if whole and (written := _written_time(int(when))) is not None:
        return moment(written)
    if not abs(when) <= LAST_SECOND:
        for scale in (1_000, 1_000_000, 1_000_000_000):
            if whole and abs(when) <= LAST_SECOND * scale and abs(when) < 2**63:
                return int(when) * 1_000_000 // scale
        raise InputError(
            f"{when} seconds since 1970 is beyond the year 9999",
            remedy="divide milliseconds by 1,000, microseconds by 1,000,000",
        )
    if whole:
        return int(when) * 1_000_000
    return round(float(when) * 1_000_000)


def as_datetime(microseconds: int) -> dt.datetime:
    """Convert a moment to a datetime in UTC."""
    return _EPOCH + dt.timedelta(microseconds=microseconds)


def _iso(text: str) -> str:
    """Return a text with its date in the ISO form, where that is sure: 2024.5.31, 31.05.2024."""
    match = _YEAR_FIRST.match(text)
    if match is None:
        match = _DAY_FIRST.match(text)
    if match is None:
        return text
    parts = {name: int(part) for name, part in match.groupdict().items()}
    date = "{year:04}-{month:02}-{day:02}".format(**parts)
    return f"{date}{text[match.end() :]}".strip()


def _written_time(number: int) -> dt.datetime | None:
    """Return the date (1900 to 2100) that an integer is written as, perhaps with hours."""
    form = _BY_DIGITS.get(len(text := str(number)))
    if form is None or not "1900" <= text[:4] <= "2100":
        return None
    try:
        return dt.datetime.strptime(text, form)
    except ValueError:
        return None


@dataclass(frozen=True, eq=False)
class LifeSpans:
    """When each item may be recommended: from ``valid_from`` to just before ``valid_to``."""

    starts: NDArray[np.int64]  # moments  # (n_items,)
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, items: pa.Table | None) -> LifeSpans | None:
        """Read the life spans from an item table; return None if it has neither column.

        A missing value means no limit at that end.
        """
        if items is None or not set(LIFE_SPAN) & set(items.column_names):
            return None
        return cls(
            _moments(items, "valid_from", ALWAYS_BEFORE), _moments(items, "valid_to", ALWAYS_AFTER)
        )

    @property
    def open(self) -> bool:
        """Whether every item is live at every moment."""
        return bool((self.starts == ALWAYS_BEFORE).all() and (self.ends == ALWAYS_AFTER).all())

    def live(self, when: int) -> NDArray[np.bool_]:
        """Return which items are live at a moment."""  # (n_items,)
        return (self.starts <= when) & (when < self.ends)


def _moments(items: pa.Table, name: str, default: int) -> NDArray[np.int64]:
    if name not in items.column_names:
        return np.full(items.num_rows, default, dtype=np.int64)
    column = items.column(name)
    accepted = (pa.types.is_timestamp, pa.types.is_date, pa.types.is_null)
    if not any(is_type(column.type) for is_type in accepted):
        raise InputError(
            f"life spans must be dates or times, not {column.type}",
            where=f"items, column '{name}'",
            remedy="cast the column to a timestamp",
        )
    moments = pc.cast(pc.cast(column, pa.timestamp("us"), safe=False), pa.int64())
    filled: NDArray[np.int64] = pc.fill_null(moments, default).to_numpy()
    return filled


def decay(times: NDArray[np.int64] | None, half_life: float) -> NDArray[np.float32]:
    """Return ``0.5 ** (age in days / half_life)`` of each time, aged from the last one."""  # (n,)
    given: object = half_life  # whatever the caller passed
    is_number = isinstance(given, Real) and not isinstance(given, bool)
    if not is_number or not math.isfinite(half_life) or half_life <= 0:
        raise InputError(
            f"half_life={half_life!r} is not a number of days above 0",
            remedy="give the days after which an interaction counts half, such as half_life=90",
        )
    if times is None:
        raise InputError(
            f"half_life={half_life!r}, and the interactions have no times",
            remedy="name the time column (time=...), or leave half_life out",
        )
    ages: NDArray[np.float64] = (
        times.max(initial=np.iinfo(np.int64).min) - times.astype(np.float64)
    ) / DAY
    weights: NDArray[np.float32] = np.maximum(0.5 ** (ages / half_life), _SMALLEST).astype("f4")
    return weights
