"""Features by name, as in a query, as a table with the columns of an encoder."""

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
from shortlist.data.missing import is_missing
from shortlist.data.moments import moment
from shortlist.errors import InputError, suggestion


class _WrongType(Exception):  # noqa: N818 - never leaves this file
    """The value does not belong to the family."""


def table_of(
    mappings: Sequence[Mapping[str, Any]], blocks: Sequence[Block], ignored: Collection[str]
) -> pa.Table:
    """Return a table with one row per mapping; features that a mapping does not have are null.

    Parameters
    ----------
    mappings
        Values by feature name. Dates may be ISO text.
    blocks
        The columns of the table.
    ignored
        Further names that may occur, without effect.

    Raises
    ------
    InputError
        A name is unknown, or a value has another type than its column had when it was fitted.
    """
    columns: dict[str, list[Any]] = {block.column: [None] * len(mappings) for block in blocks}
    block_of = {block.column: block for block in blocks}
    for row, mapping in enumerate(mappings):
        for name, value in mapping.items():
            if name in block_of:
                columns[name][row] = _convert(value, block_of[name], row)
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


def _convert(value: Any, block: Block, row: int) -> Any:
    """Convert a value to the family of a block."""
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64):
        value = value.item()
    if is_missing(value):
        return None
    expected, convert = _CONVERTERS[block.family]
    try:
        if block.family == "text" and block.spec.kind == "labels" and not isinstance(value, str):
            return (block.spec.separator or ";").join(_labels(value))
        converted = convert(value)
        if block.family == "vector" and len(converted) != len(block):
            raise _WrongType
    except _WrongType:
        remedy = None
        if block.family == "list" and isinstance(value, str):
            remedy = f"pass [{value!r}] for a single label"
        elif block.family == "text" and isinstance(value, int):
            remedy = f"pass {str(value)!r}"
        raise InputError(
            f"{value!r} is not {expected.format(n=len(block))}",
            where=f"query {row}, feature {block.column!r}",
            remedy=remedy,
        ) from None
    return converted


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _WrongType
    number = float(value)
    if not abs(number) <= LARGEST:
        raise _WrongType
    return number


def _integer(value: Any) -> int:
    number = _number(value)
    if not number.is_integer() or not -(2**63) <= int(value) < 2**63:
        raise _WrongType
    return int(value)


def _boolean(value: Any) -> bool:
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


def _list(value: Any) -> list[Any]:
    if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__"):
        raise _WrongType
    elements = value.to_pylist() if hasattr(value, "to_pylist") else list(value)
    return [element.item() if isinstance(element, np.generic) else element for element in elements]


def _labels(value: Any) -> list[str]:
    labels = [label for label in _list(value) if not is_missing(label)]
    return [_text(label) if isinstance(label, str) else str(_integer(label)) for label in labels]


def _vector(value: Any) -> list[float]:
    numbers = [_number(component) for component in _list(value)]
    if any(map(math.isnan, numbers)):
        raise _WrongType
    return numbers


# For each family, what a value must be, for messages, and its conversion.
_CONVERTERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "whole": ("an integer", _integer),
    "number": ("a number", _number),
    "truth": ("true or false", _boolean),
    "text": ("a text", _text),
    "date": ("a date or time", _date),
    "list": ("a list of texts or integers", _labels),
    "vector": ("a list of {n} numbers", _vector),
}
