"""Features by name, as a query gives them, into a table of the fitted columns."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from shortlist.data.features.block import Block
from shortlist.data.features.cells import LARGEST, TYPES
from shortlist.data.moments import moment
from shortlist.errors import InputError, suggestion

# What one value of a family is, for messages.
EXPECTED = {
    "whole": "a whole number",
    "number": "a number",
    "truth": "true or false",
    "text": "a text",
    "date": "a date or time",
    "list": "a list of texts or whole numbers",
    "vector": "a list of {n} numbers",
}


class _WrongType(Exception):  # noqa: N818 - never leaves this file
    """The value is not of the family."""


def table_of(
    mappings: Sequence[Mapping[str, Any]], blocks: Sequence[Block], ignored: Collection[str]
) -> pa.Table:
    """Make one row for each mapping; what it does not name is null.

    Parameters
    ----------
    mappings
        Feature name to value. Dates may be ISO text.
    blocks
        Which columns to make.
    ignored
        Names that may occur and are not used.

    Raises
    ------
    InputError
        A name is unknown, or a value is not what its column held when the encoder was fitted.
    """
    columns: dict[str, list[Any]] = {block.column: [None] * len(mappings) for block in blocks}
    block_of = {block.column: block for block in blocks}
    for row, mapping in enumerate(mappings):
        for name, value in mapping.items():
            if name in block_of:
                columns[name][row] = _plain(value, block_of[name], row)
            elif name not in ignored:
                raise InputError(
                    f"there is no feature {name!r}",
                    where=f"query {row}",
                    remedy=suggestion(str(name), [*block_of, *ignored]),
                )
    return pa.Table.from_arrays(
        [pa.array(columns[block.column], TYPES[block.family]) for block in blocks],
        names=[block.column for block in blocks],
    )


def _plain(value: Any, block: Block, row: int) -> Any:
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64):
        value = value.item()
    if _is_missing(value):
        return None
    try:
        if block.family == "text" and block.spec.kind == "labels" and not isinstance(value, str):
            return (block.spec.separator or ";").join(_labels(value))
        plain = _PLAIN[block.family](value)
        if block.family == "vector" and len(plain) != len(block):
            raise _WrongType
    except _WrongType:
        expected = EXPECTED[block.family].format(n=len(block))
        remedy = None
        if block.family == "list" and isinstance(value, str):
            remedy = f"pass [{value!r}] for one label"
        elif block.family == "text" and isinstance(value, int):
            remedy = f"pass {str(value)!r}"
        raise InputError(
            f"{value!r} is not {expected}",
            where=f"query {row}, feature {block.column!r}",
            remedy=remedy,
        ) from None
    return plain


def _is_missing(value: Any) -> bool:
    if isinstance(value, float | np.datetime64 | dt.datetime):
        return bool(value != value)  # NaN and NaT
    return value is None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _WrongType
    number = float(value)
    if not abs(number) <= LARGEST:
        raise _WrongType
    return number


def _whole(value: Any) -> int:
    number = _number(value)
    if not number.is_integer() or not -(2**63) <= int(value) < 2**63:
        raise _WrongType
    return int(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _WrongType
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _WrongType
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise _WrongType from None
    return value


def _date(value: Any) -> int:
    if not isinstance(value, str | dt.date | np.datetime64):
        raise _WrongType
    try:
        return moment(value)
    except InputError:
        raise _WrongType from None


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__"):
        raise _WrongType
    items = value.to_pylist() if hasattr(value, "to_pylist") else list(value)
    return [one.item() if isinstance(one, np.generic) else one for one in items]


def _labels(value: Any) -> list[str]:
    items = [one for one in _listed(value) if not _is_missing(one)]
    return [_text(one) if isinstance(one, str) else str(_whole(one)) for one in items]


def _vector(value: Any) -> list[float]:
    numbers = [_number(one) for one in _listed(value)]
    if any(map(math.isnan, numbers)):
        raise _WrongType
    return numbers


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "whole": _whole,
    "number": _number,
    "truth": _truth,
    "text": _text,
    "date": _date,
    "list": _labels,
    "vector": _vector,
}
