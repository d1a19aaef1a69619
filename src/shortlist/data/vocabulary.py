"""The vocabulary: which ids exist, and the row number of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.errors import ErrorCode, InputError, UnknownIdError
from shortlist.text import counted, first_few

Id: TypeAlias = int | str
Rows: TypeAlias = NDArray[np.int32]

UNKNOWN = -1  # the row of an id that is not in the vocabulary

# Integers that convert to a number and back without a change: '007' does not. Python refuses to
# convert thousands of digits; no id of 64 bits has more than 20.
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,999}", re.ASCII)


class Vocabulary:
    """An immutable, sorted set of ids; the row of an id is its position.

    ``ids`` are unique and in ascending order (strings by code point): 64-bit integers, signed or
    unsigned, or strings, which are stored unchanged as int64, uint64 or string. Because they are
    sorted, rows do not depend on the order of the source. ``kind`` is "user" or "item".

    >>> films = Vocabulary(pa.array(["Alien", "Brazil"]), kind="item")
    >>> films.rows(["Brazil", "Cube"])
    array([ 1, -1], dtype=int32)
    >>> list(films)
    ['Alien', 'Brazil']
    >>> films.take([1]).to_pylist()
    ['Brazil']
    """

    def __init__(self, ids: pa.Array, *, kind: str) -> None:
        if isinstance(ids, pa.ChunkedArray):
            ids = ids.combine_chunks()
        self.ids = ids.cast(_stored_type(ids.type, kind))
        self.kind = kind

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} {self.kind} ids, {self.ids.type})"

    @cached_property
    def _row_of(self) -> dict[Id, int]:
        return dict(zip(self.ids.to_pylist(), range(len(self.ids)), strict=True))

    def __iter__(self) -> Iterator[Id]:
        """Yield the ids, in the order of the rows."""
        yield from self.ids.to_pylist()

    def __contains__(self, key: object) -> bool:
        return key in self._row_of

    def union(self, other: Vocabulary) -> Vocabulary:
        """Return the ids of both, which have one type, in ascending order."""
        ids = pa.concat_arrays([self.ids, other.ids]).unique()
        return Vocabulary(ids.take(pc.array_sort_indices(ids)), kind=self.kind)

    def rows(self, ids: Iterable[Id]) -> Rows:
        """Return the row of each id, -1 for unknown ids."""  # (n,)
        row_of, ids = self._row_of, plain(ids)
        try:
            return np.fromiter((row_of.get(key, UNKNOWN) for key in ids), dtype=np.int32)
        except TypeError:
            raise _not_an_id(ids) from None

    def require(self, ids: Iterable[Id]) -> Rows:
        """Return the row of each id; all ids must be known."""  # (n,)
        ids = plain(ids)
        rows = self.rows(ids)
        if (rows == UNKNOWN).any():
            raise self.unknown([key for key, row in zip(ids, rows, strict=True) if row == UNKNOWN])
        return rows

    def unknown(self, ids: Sequence[Id]) -> UnknownIdError:
        """Return the error for ids that are not in the vocabulary."""
        what = f"{counted(len(ids), f'unknown {self.kind} id')}: {first_few([*map(repr, ids)])}"
        if len(self):
            first, last = self.ids[0].as_py(), self.ids[-1].as_py()
            what += f" ({len(self)} {self.kind}s are known, {first!r} to {last!r})"
        code = ErrorCode.UNKNOWN_ID
        remedy = "check the spelling, or pass on_unknown='skip' or 'fallback'"
        stored_as_text = pa.types.is_string(self.ids.type)
        if ids and isinstance(ids[0], str) != stored_as_text:
            expected = "strings" if stored_as_text else "integers"
            code = ErrorCode.WRONG_ID_TYPE
            remedy = f"the {self.kind} ids of this data are {expected}: convert your ids"
        return UnknownIdError(what, remedy=remedy, code=code)

    def take(self, rows: Sequence[int] | NDArray[np.integer]) -> pa.Array:
        """Return the ids of these rows as an Arrow array."""
        return self.ids.take(pa.array(np.asarray(rows, dtype=np.int64)))

    def parse(self, texts: Iterable[str]) -> list[Id]:
        """Convert text (from a command line or a file) to the id type of this vocabulary.

        Text that is not written like an integer, such as ``007`` or ``1.0``, stays text, and is
        therefore unknown to a vocabulary of integers.
        """
        if pa.types.is_string(self.ids.type):
            return list(texts)
        return [int(text) if _INTEGER.fullmatch(text) else text for text in map(str.strip, texts)]

    def equals(self, other: Vocabulary) -> bool:
        """Return whether both vocabularies hold the same ids."""
        return self is other or bool(self.ids.equals(other.ids))


def _stored_type(given: pa.DataType, kind: str) -> pa.DataType:
    """Return int64, uint64 or string, whichever holds ids of this type unchanged."""
    types = pa.types
    if types.is_unsigned_integer(given) and given.bit_width == 64:
        return pa.uint64()
    if types.is_integer(given):
        return pa.int64()
    if types.is_string(given) or types.is_large_string(given) or types.is_string_view(given):
        return pa.string()
    raise InputError(
        f"{kind} ids of type {given} cannot be kept exactly",
        remedy="use 64-bit integers or strings",
    )


def distinct(ids: Iterable[Id]) -> list[Id]:
    """Return the distinct ids, in order of first appearance."""
    ids = plain(ids)
    try:
        return list(dict.fromkeys(ids))
    except TypeError:
        raise _not_an_id(ids) from None


def _not_an_id(ids: Sequence[Any]) -> InputError:
    """Return the error for a list that holds an unhashable element, such as another list."""
    first = next(element for element in ids if getattr(element, "__hash__", None) is None)
    return InputError(
        f"{first!r} is not an id; an id is a string or an integer",
        remedy="pass one flat list of ids",
    )


def plain(ids: Any) -> Sequence[Id]:
    """Convert any iterable of ids (list, NumPy, Arrow, pandas, polars) to Python values.

    >>> plain(np.array([7, 8])), plain(pa.array(["ann"]))
    ([7, 8], ['ann'])
    """
    if isinstance(ids, str):
        raise InputError(
            f"ids must be a list, not the string {ids!r}", remedy=f"pass [{ids!r}] for a single id"
        )
    for method in ("to_pylist", "tolist", "to_list"):  # Arrow; NumPy and pandas; polars
        if hasattr(ids, method):
            ids = getattr(ids, method)()
            break
    if not isinstance(ids, Iterable):
        raise InputError(
            f"ids must be a list, not {ids!r}", remedy=f"pass [{ids!r}] for a single id"
        )
    return ids if isinstance(ids, list | tuple) else list(ids)
