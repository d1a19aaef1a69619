"""Missing values as Python libraries write them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np

_PANDAS = ("NAType", "NaTType")  # pandas.NA does not differ from itself; pandas is not imported


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, NaT or pandas.NA."""
    if isinstance(value, float | Decimal | np.floating | np.datetime64 | dt.datetime):
        return bool(value != value)
    return value is None or type(value).__name__ in _PANDAS
