"""Caller's ids on one side, row numbers on the other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.errors import ErrorCode, InputError, UnknownIdError

Id: TypeAlias = int | str
Rows: TypeAlias = NDArray[np.int32]

UNKNOWN = -1  # the row of an id that is not in the vocabulary

# Text that reads back the same once it is a number: '007' is no whole number.
_WHOLE = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)


class Vocabulary:
    """An immutable, sorted set of ids; the position of an id is its row.

    Parameters
    ----------
    ids
        Unique ids in ascending order: 64-bit integers (signed or unsigned) or strings. They are
        kept exactly as given, as int64, uint64 or string. Sorted (text by its code points), so
        that rows do not depend on the order of the source.
    kind
        What the ids stand for (``"user"`` or ``"item"``), for messages.

    Examples
    --------
    >>> films = Vocabulary(pa.array(["Alien", "Brazil"]), kind="item")
    >>> films.rows(["Brazil", "Cube"])
    array([ 1, -1], dtype=int32)
    >>> films.take([1]).to_pylist()
    ['Brazil']
    """

    def __init__(self, ids: pa.Array, *, kind: str) -> None:
        if isinstance(ids, pa.ChunkedArray):
            ids = ids.combine_chunks()
        self.ids = ids.cast(_exact_type(ids.type, kind))
        self.kind = kind

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} {self.kind} ids, {self.ids.type})"

    @cached_property
    def _row_of(self) -> dict[Id, int]:
        return dict(zip(self.ids.to_pylist(), range(len(self.ids)), strict=True))

    def __contains__(self, one: object) -> bool:
        return one in self._row_of

    def rows(self, ids: Iterable[Id]) -> Rows:
        """Give the row of each id, -1 where it is unknown."""  # (n,)
        row_of, ids = self._row_of, plain(ids)
        try:
            return np.fromiter((row_of.get(one, UNKNOWN) for one in ids), dtype=np.int32)
        except TypeError:
            raise _no_id(ids) from None

    def require(self, ids: Iterable[Id]) -> Rows:
        """Give the row of each id.

        Raises
        ------
        UnknownIdError
            At least one id is unknown; the message lists the first of them.
        """
        ids = plain(ids)
        rows = self.rows(ids)
        if (rows == UNKNOWN).any():
            raise self.unknown([one for one, row in zip(ids, rows, strict=True) if row == UNKNOWN])
        return rows

    def unknown(self, ids: Sequence[Id]) -> UnknownIdError:
        """Make the error that says these ids are not known here."""
        shown = ", ".join(repr(one) for one in ids[:3]) + (", ..." if len(ids) > 3 else "")
        plural = "s" if len(ids) > 1 else ""
        what = f"{len(ids)} unknown {self.kind} id{plural}: {shown}"
        if len(self):
            first, last = self.ids[0].as_py(), self.ids[-1].as_py()
            what += f" ({len(self)} {self.kind}s are known, {first!r} to {last!r})"
        code = ErrorCode.UNKNOWN_ID
        remedy = "check the spelling, or pass on_unknown='skip' or 'fallback'"
        wants_text = pa.types.is_string(self.ids.type)
        if ids and isinstance(ids[0], str) != wants_text:
            wanted = "strings" if wants_text else "integers"
            code = ErrorCode.WRONG_ID_TYPE
            remedy = f"the ids here are {wanted}: convert yours"
        return UnknownIdError(what, remedy=remedy, code=code)

    def take(self, rows: Sequence[int] | NDArray[np.integer]) -> pa.Array:
        """Give the ids at these rows, as an Arrow array of the vocabulary's type."""
        return self.ids.take(pa.array(np.asarray(rows, dtype=np.int64)))

    def parse(self, texts: Iterable[str]) -> list[Id]:
        """Turn text (a command line, a file of ids) into ids of this vocabulary's type.

        Text that is no integer, or that reads ``007`` or ``1.0``, stays text and is then an unknown
        id.

        Examples
        --------
        >>> Vocabulary(pa.array([7, 8]), kind="user").parse(["7", "007", "x"])
        [7, '007', 'x']
        """
        if pa.types.is_string(self.ids.type):
            return list(texts)
        return [int(text) if _WHOLE.fullmatch(text) else text for text in map(str.strip, texts)]

    def equals(self, other: Vocabulary) -> bool:
        """Whether both hold the same ids."""
        return self is other or bool(self.ids.equals(other.ids))


def _exact_type(kind_of_id: pa.DataType, kind: str) -> pa.DataType:
    """Give the one type of a vocabulary that holds ids of this type unchanged."""
    if pa.types.is_unsigned_integer(kind_of_id) and kind_of_id.bit_width == 64:
        return pa.uint64()
    if pa.types.is_integer(kind_of_id):
        return pa.int64()
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if any(is_text(kind_of_id) for is_text in text):
        return pa.string()
    raise InputError(
        f"{kind} ids of type {kind_of_id} cannot be kept exactly",
        remedy="use 64-bit integers or strings",
    )


def distinct(ids: Iterable[Id]) -> list[Id]:
    """Give each id once, in the order of their first appearance."""
    ids = plain(ids)
    try:
        return list(dict.fromkeys(ids))
    except TypeError:
        raise _no_id(ids) from None


def _no_id(ids: Sequence[Any]) -> InputError:
    """Make the error that one of these is nothing an id can be (a list, a mapping)."""
    first = next(one for one in ids if getattr(one, "__hash__", None) is None)
    return InputError(
        f"{first!r} is no id; an id is a text or a whole number",
        remedy="pass one flat list of ids",
    )


def plain(ids: Any) -> Sequence[Id]:
    """Give the Python values of any iterable of ids (list, NumPy, Arrow, pandas, polars).

    Raises
    ------
    InputError
        It is one text or one number, not a list.

    Examples
    --------
    >>> plain(np.array([7, 8])), plain(pa.array(["ann"]))
    ([7, 8], ['ann'])
    """
    if isinstance(ids, str):
        raise InputError(
            f"ids must be a list, not the text {ids!r}", remedy=f"pass [{ids!r}] for one id"
        )
    for method in ("to_pylist", "tolist", "to_list"):  # Arrow; NumPy and pandas; polars
        if hasattr(ids, method):
            ids = getattr(ids, method)()
            break
    if not isinstance(ids, Iterable):
        raise InputError(f"ids must be a list, not {ids!r}", remedy=f"pass [{ids!r}] for one id")
    return ids if isinstance(ids, list | tuple) else list(ids)
