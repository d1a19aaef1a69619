"""Values that people give in queries and rules: missing, or in the type of a column."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.arrow_types import is_list, is_number, is_text, is_time
from shortlist.data.moments import moment
from shortlist.data.written.number_units import unit_and_currency
from shortlist.data.written.numbers import given_number
from shortlist.errors import InputError

_MARKS = ";|,"  # between the labels of a text
_PANDAS = ("NAType", "NaTType")  # pandas.NA does not differ from itself; pandas is not imported


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, NaT or pandas.NA."""
    if isinstance(value, float | Decimal | np.floating | np.datetime64 | dt.datetime):
        return bool(value != value)
    return value is None or type(value).__name__ in _PANDAS


def given_value(value: Any, features: pa.Table, name: str) -> Any:
    """Return a value in the form of a column, as far as it can be read so; else unchanged.

    Text becomes a number, in the unit of the column, or a list of one text; what says a moment
    becomes a time, and a list of labels a text.

    >>> features = pa.table({"pay": [1], "skills": ["r; java"]})
    >>> given_value("$85k", features, "pay"), given_value(["sql", "r"], features, "skills")
    (85000, 'sql; r')
    """
    column = features.column(name)
    kind = column.type
    if isinstance(value, str) and is_number(kind):
        number = given_number(value, *unit_and_currency(features, name))
        return value if number is None else number
    if is_list(kind) and isinstance(value, str):
        return [value]  # Arrow would make a list of letters
    if is_time(kind) and not isinstance(value, bool) and not is_missing(value):
        try:
            return pa.scalar(moment(value), pa.timestamp("us")).as_py()
        except (InputError, ValueError, OverflowError):
            return value
    if _is_texts(value) and is_text(kind):
        counts = {mark: pc.sum(pc.match_substring(column, mark)).as_py() or 0 for mark in _MARKS}
        return f"{max(_MARKS, key=counts.__getitem__)} ".join(value)
    return value


def _is_texts(value: Any) -> bool:
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return is_list and bool(value) and all(isinstance(part, str) for part in value)
