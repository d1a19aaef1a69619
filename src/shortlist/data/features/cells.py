"""The cells of a column in one of seven plain forms, whatever Arrow type it came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.errors import InputError

Family: TypeAlias = Literal["whole", "number", "truth", "text", "date", "list", "vector", "nothing"]

# What a column of the family holds, and what one cell of it is.
HOLDS: dict[str, str] = {
    "whole": "whole numbers",
    "number": "numbers",
    "truth": "true and false",
    "text": "text",
    "date": "dates",
    "list": "lists of labels",
    "vector": "lists of numbers",
    "nothing": "nothing",
}
TYPES: dict[str, Any] = {
    "whole": pa.int64(),
    "number": pa.float64(),
    "truth": pa.bool_(),
    "text": pa.string(),
    "date": pa.timestamp("us"),
    "list": pa.list_(pa.string()),
    "vector": pa.list_(pa.float64()),
    "nothing": pa.null(),
}
LARGEST = 1e100  # of a number: its square is still one


@dataclass(frozen=True)
class Cells:
    """The cells of a column.

    Attributes
    ----------
    family
        What they hold.
    values
        One cell a row, of type ``TYPES[family]``. Null: blank text, empty lists, NaN, null.
    """

    family: Family
    values: pa.Array

    def as_family(self, family: Family, column: str) -> pa.Array:
        """Give the cells as what they were when the encoder was fitted.

        Whole numbers pass as numbers; a column without a value passes as anything.

        Raises
        ------
        InputError
            The column holds something else now.
        """
        if self.family == family:
            return self.values
        if self.values.null_count == len(self.values):
            return pa.nulls(len(self.values), TYPES[family])
        if (self.family, family) == ("whole", "number"):
            return pc.cast(self.values, pa.float64(), safe=False)
        raise changed(column, HOLDS[self.family], family)


def changed(column: str, now: str, family: Family) -> InputError:
    """Make the error that says a column is not what it was."""
    return InputError(
        f"column {column!r} holds {now}; it held {HOLDS[family]} when the encoder was fitted",
        where=f"column {column!r}",
        remedy=f"cast it to {TYPES[family]}, or fit again",
    )


def family_of(kind: pa.DataType) -> Family | None:
    """Say what cells of an Arrow type hold; None for types that have no encoding."""
    types = pa.types
    if types.is_dictionary(kind):
        return family_of(kind.value_type)
    families: tuple[tuple[Family, bool], ...] = (
        ("nothing", types.is_null(kind)),
        ("truth", types.is_boolean(kind)),
        ("whole", types.is_integer(kind)),
        ("number", types.is_floating(kind) or types.is_decimal(kind)),
        ("text", types.is_string(kind) or types.is_large_string(kind) or _is_view(kind)),
        ("date", types.is_date(kind) or types.is_timestamp(kind)),
    )
    found: Family | None = next((family for family, so in families if so), None)
    if found is None and _is_list(kind):
        inner = family_of(kind.value_type)
        if inner == "number":
            return "vector"
        return "list" if inner in ("text", "whole", "truth", "nothing") else None
    return found


def read_cells(column: pa.ChunkedArray | pa.Array, name: str) -> Cells:
    """Bring a column of a type that :func:`family_of` knows into its plain form.

    Text is trimmed and composed (Unicode NFC: Hangul that a file system took apart fits together
    again). Numbers without a fraction become whole numbers: a missing value is what turned them
    into floats. Times are taken to UTC.

    Raises
    ------
    InputError
        A number is infinite or beyond 1e100, or a whole number does not fit 64 bits.

    Examples
    --------
    >>> read_cells(pa.chunked_array([[4.0, None]]), "degree").values.to_pylist()
    [4, None]
    """
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    family = family_of(values.type)
    assert family is not None, values.type
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if family == "whole":
        return Cells("whole", _whole(values, name))
    if family == "number":
        values = finite(pc.cast(values, pa.float64()), name)
        rounded = pc.all(pc.equal(values, pc.floor(values)), min_count=1).as_py()
        if rounded and pc.all(pc.less(pc.abs(values), 2.0**53)).as_py():
            return Cells("whole", pc.cast(values, pa.int64()))
    elif family == "text":
        values = clean(pc.cast(values, pa.string()))
    elif family == "date":
        values = pc.cast(pc.cast(values, pa.timestamp("us"), safe=False), pa.timestamp("us"))
    elif family in ("list", "vector"):
        values = pc.cast(values, TYPES[family])
        values = pc.if_else(pc.greater(pc.list_value_length(values), 0), values, None)
    return Cells(family, values)


def clean(texts: pa.Array) -> pa.Array:
    """Compose and trim texts; blank ones become null."""
    coded = texts.dictionary_encode()  # work on each distinct text once
    trimmed = pc.utf8_trim_whitespace(pc.utf8_normalize(coded.dictionary, form="NFC"))
    blank = pc.equal(pc.binary_length(trimmed), 0)
    return pc.if_else(blank, pa.scalar(None, pa.string()), trimmed).take(coded.indices)


def finite(values: pa.Array, column: str) -> pa.Array:
    """Turn NaN to null.

    Raises
    ------
    InputError
        A number is infinite or beyond 1e100.
    """
    values = pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
    wrong = pc.fill_null(pc.greater(pc.abs(values), LARGEST), False)
    if pc.any(wrong, min_count=0).as_py():
        row = int(np.flatnonzero(wrong.to_numpy(zero_copy_only=False))[0])
        raise InputError(
            f"{values[row].as_py()} is no usable number: they lie within {LARGEST:g} of 0",
            where=f"column {column!r}, row {row} (counted from 0)",
            remedy="correct it, or leave the cell empty",
        )
    return values


def _whole(values: pa.Array, column: str) -> pa.Array:
    try:
        return pc.cast(values, pa.int64())
    except pa.ArrowInvalid:
        raise InputError(
            f"column {column!r} holds whole numbers beyond {2**63 - 1}",
            where=f"column {column!r}",
            remedy="cast it to text",
        ) from None


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind))
