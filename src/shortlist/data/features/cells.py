"""The cells of a column in one of seven families, whatever its Arrow type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.errors import InputError

Family: TypeAlias = Literal["whole", "number", "truth", "text", "date", "list", "vector", "nothing"]

# For each family, the content of a column in messages, and the Arrow type of its cells.
_FAMILIES: dict[Family, tuple[str, pa.DataType]] = {
    "whole": ("integers", pa.int64()),
    "number": ("numbers", pa.float64()),
    "truth": ("true and false", pa.bool_()),
    "text": ("text", pa.string()),
    "date": ("dates", pa.timestamp("us")),
    "list": ("lists of labels", pa.list_(pa.string())),
    "vector": ("lists of numbers", pa.list_(pa.float64())),
    "nothing": ("nothing", pa.null()),
}
_LISTS = (
    pa.ListType,
    pa.LargeListType,
    pa.FixedSizeListType,
    pa.ListViewType,
    pa.LargeListViewType,
)
LARGEST = 1e100  # the largest number accepted: its square is finite


@dataclass(frozen=True)
class Cells:
    """The cells of a column; blank text, empty lists and NaN are null."""

    family: Family
    values: pa.Array  # of the type of the family

    @property
    def content(self) -> str:
        """The content of the column, in words."""
        return _FAMILIES[self.family][0]

    def as_family(self, family: Family, column: str) -> pa.Array:
        """Return the cells as the family that the column had when the encoder was fitted.

        Integers are accepted as numbers, and numbers as integers, then as text: a fraction is a
        value that the column did not have. A column without values is accepted as any family.
        """
        if self.family == family:
            return self.values
        if self.values.null_count == len(self.values):
            return pa.nulls(len(self.values), _FAMILIES[family][1])
        if (self.family, family) == ("whole", "number"):
            return pc.cast(self.values, pa.float64(), safe=False)
        if (self.family, family) == ("number", "whole"):
            whole = pc.cast(self.values, pa.int64(), safe=False)
            is_whole = pc.equal(whole, self.values)
            texts = (pc.cast(values, pa.string()) for values in (whole, self.values))
            return pc.if_else(is_whole, *texts)
        raise changed_content(column, self.content, family)


def changed_content(column: str, content: str, family: Family) -> InputError:
    """Return the error for a column whose content differs from that at fitting time."""
    held, kind = _FAMILIES[family]
    return InputError(
        f"column {column!r} holds {content}; it held {held} when the encoder was fitted",
        where=f"column {column!r}",
        remedy=f"cast it to {kind}, or fit again",
    )


def family_of(kind: pa.DataType) -> Family | None:
    """Return the family of an Arrow type; None for types that cannot be encoded."""
    types = pa.types
    if types.is_dictionary(kind):
        return family_of(kind.value_type)
    families: dict[Family, bool] = {
        "nothing": types.is_null(kind),
        "truth": types.is_boolean(kind),
        "whole": types.is_integer(kind),
        "number": types.is_floating(kind) or types.is_decimal(kind),
        "text": any(
            t(kind) for t in (types.is_string, types.is_large_string, types.is_string_view)
        ),
        "date": types.is_date(kind) or types.is_timestamp(kind),
    }
    for family, matches in families.items():
        if matches:
            return family
    if isinstance(kind, _LISTS):
        element = family_of(kind.value_type)
        if element == "number":
            return "vector"
        if element in ("text", "whole", "truth", "nothing"):
            return "list"
    return None


def read_cells(column: pa.ChunkedArray | pa.Array, name: str) -> Cells:
    """Convert a column, of a type that :func:`family_of` knows, to its family.

    Text is trimmed and composed (Unicode NFC, which joins decomposed Hangul). Floating-point
    numbers without a fraction become integers: missing values had made them floating-point. Times
    are converted to UTC.
    """
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    family = family_of(values.type)
    assert family is not None, values.type
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if family == "whole":
        try:
            return Cells("whole", pc.cast(values, pa.int64()))
        except pa.ArrowInvalid:
            raise InputError(
                f"column {name!r} holds integers beyond {2**63 - 1}",
                where=f"column {name!r}",
                remedy="cast it to text",
            ) from None
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
        values = pc.cast(values, _FAMILIES[family][1])
        values = pc.if_else(pc.greater(pc.list_value_length(values), 0), values, None)
    return Cells(family, values)


def clean(texts: pa.Array) -> pa.Array:
    """Compose and trim texts; blank texts become null."""
    encoded = texts.dictionary_encode()  # processes each distinct text once
    trimmed = pc.utf8_trim_whitespace(pc.utf8_normalize(encoded.dictionary, form="NFC"))
    blank = pc.equal(pc.binary_length(trimmed), 0)
    return pc.if_else(blank, pa.scalar(None, pa.string()), trimmed).take(encoded.indices)


def finite(values: pa.Array, column: str) -> pa.Array:
    """Replace NaN by null; refuse infinite numbers and those beyond 1e100."""
    values = pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
    too_large = pc.fill_null(pc.greater(pc.abs(values), LARGEST), False)
    if pc.any(too_large, min_count=0).as_py():
        row = int(np.flatnonzero(too_large.to_numpy(zero_copy_only=False))[0])
        raise InputError(
            f"the number {values[row].as_py()} is out of range: at most {LARGEST:g} in magnitude",
            where=f"column {column!r}, row {row} (counted from 0)",
            remedy="correct it, or leave the cell empty",
        )
    return values
