"""Values that people give in queries and rules: missing, or in the type of a column."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.arrow_types import is_number, is_text, is_time
from shortlist.data.moments import moment
from shortlist.data.written_numbers import given_number
from shortlist.errors import InputError

_MARKS = ";|,"  # between the labels of a text
_PANDAS = ("NAType", "NaTType")  # pandas.NA does not differ from itself; pandas is not imported


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, NaT or pandas.NA."""
    if isinstance(value, float | Decimal | np.floating | np.datetime64 | dt.datetime):
        return bool(value != value)
    return value is None or type(value).__name__ in _PANDAS


def given_value(value: Any, column: pa.Array | pa.ChunkedArray) -> Any:
    """Return a value in the form of a column, as far as it can be read so; else unchanged.

    Text becomes a number or a time, and a list of labels becomes a text.

    >>> given_value("$85k", pa.array([1])), given_value(["sql", "r"], pa.array(["r; java"]))
    (85000, 'sql; r')
    """
    kind = column.type
    if isinstance(value, str) and is_number(kind):
        number = given_number(value)
        return value if number is None else number
    if isinstance(value, str) and is_time(kind):
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
