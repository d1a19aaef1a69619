"""Checks of the arguments of public kernels.

Compiled loops trust their arguments: they would read a matrix of the wrong width beyond its end. So
every public kernel first describes its arguments to a :class:`Shapes`. A wrong type raises
TypeError, everything else ValueError, and the message names the argument.

A check costs half a microsecond for each array, and a compiled loop for the numbers in an array of
indices.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np

from shortlist.kernels.compile import inlined, kernel
from shortlist.kernels.types import (
    Csr,
    EligibleItems,
    Given,
    Indices,
    Integers,
    Longs,
    OutIndices,
    Pointers,
)

_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "f32": np.dtype(np.float32), "f64": np.dtype(np.float64), "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64), "u32": np.dtype(np.uint32), "u8": np.dtype(np.uint8),
    "bool": np.dtype(np.bool_),
}  # fmt: skip


@cache
def _parsed(table: str) -> list[tuple[str, np.dtype[Any], tuple[str, ...]]]:
    rows = [row.split() for row in table.split(",")]
    return [(name, _DTYPES[dtype], tuple(letters)) for name, dtype, *letters in rows]


class Shapes:
    """The shapes of a kernel's arguments, in letters: the same letter is the same size.

    The first argument with a letter fixes its size for all later arguments; the constructor takes
    sizes that are given as numbers. ``Shapes().check("queries f32 B f, items_t f32 f N", q, i)``
    refuses i of shape (9, 100) after q of shape (2, 8): "items_t has shape (9, 100), expected
    (f=8, N)".
    """

    def __init__(self, **sizes: int) -> None:
        self._sizes = {letter: size_of(letter, size) for letter, size in sizes.items()}

    def __getitem__(self, letter: str) -> int:
        """Return the size of a letter."""
        return self._sizes[letter]

    def check(self, table: str, *arrays: Any) -> Shapes:
        """Check C-contiguous arrays against a table: name, dtype, and a letter per dimension."""
        for (name, dtype, letters), value in zip(_parsed(table), arrays, strict=True):
            if not isinstance(value, np.ndarray):
                raise TypeError(f"{name} is a {type(value).__name__}, expected an array of {dtype}")
            if value.dtype != dtype:
                raise TypeError(f"{name} has dtype {value.dtype}, expected {dtype}")
            fits = len(value.shape) == len(letters) and all(
                self._sizes.setdefault(letter, size) == size
                for letter, size in zip(letters, value.shape, strict=True)
            )
            if not fits:
                raise self._wrong_shape(name, value.shape, letters)
            if not value.flags.c_contiguous:
                raise ValueError(
                    f"{name} is not C-contiguous: pass numpy.ascontiguousarray({name})"
                )
        return self

    def csr(self, name: str, matrix: Csr, rows: str, columns: str) -> Csr:
        """Check a sparse matrix; return it with read-only arrays. ``columns`` must be known."""
        matrix = self._parts(name, matrix, rows)
        self._rows(f"{name}.indptr", f"{name}.indices", *matrix[:2], columns)
        return matrix

    def rows_of_csr(
        self, name: str, matrix: Csr, columns: str, rows_name: str, rows: Integers, count: str
    ) -> Csr:
        """Check some rows of a sparse matrix, and their numbers; return it as :meth:`csr` does."""
        matrix = self._parts(name, matrix, f"rows of {name}")
        self.check(f"{rows_name} i32 {count}", rows)
        in_range(rows_name, rows, self[f"rows of {name}"])
        if not _used_rows_are_valid(rows, *matrix[:2], self[columns]):
            self._rows(f"{name}.indptr", f"{name}.indices", *matrix[:2], columns)
        return matrix

    def product(
        self, name: str, left: Csr, rows: str, right_name: str, right: Csr, inner: str, columns: str
    ) -> tuple[Csr, Csr]:
        """Check two sparse matrices to be multiplied, (rows, inner) and (inner, columns).

        Of the right one, only the rows that the left one uses are checked if that is less work.
        """
        right = self._parts(right_name, right, inner)
        left = self.csr(name, left, rows, inner)
        if not _used_rows_are_valid(left.indices, *right[:2], self[columns]):
            self._rows(f"{right_name}.indptr", f"{right_name}.indices", *right[:2], columns)
        return left, right

    def lists(
        self, indptr_name: str, indptr: Longs, name: str, items: Integers, rows: str, bound: str
    ) -> None:
        """Check the items of each row b, items[indptr[b] : indptr[b + 1]]; all below a bound."""
        self._pointers(indptr_name, indptr, rows)
        self.check(f"{name} i32 len({name})", items)
        self._rows(indptr_name, name, indptr, items, bound)

    def eligible(self, eligible: EligibleItems) -> tuple[EligibleItems, OutIndices]:
        """Check which of N items each of B queries may get.

        Returns the same with read-only arrays, and the item that has each order (N,).
        """
        if not isinstance(eligible, EligibleItems):
            raise TypeError(f"eligible is a {type(eligible).__name__}, expected an EligibleItems")
        excluded_indptr, excluded_indices, masks, mask_of, order = eligible
        self.check(
            "eligible.order i32 N, eligible.masks bool G N, eligible.mask_of i32 B",
            order, masks, mask_of,
        )  # fmt: skip
        self.lists(
            "eligible.excluded_indptr", excluded_indptr,
            "eligible.excluded_indices", excluded_indices, "B", "N",
        )  # fmt: skip
        in_range("eligible.mask_of", mask_of, len(masks), least=-1)
        row_of = np.empty(len(order), np.int32)
        if not _invert(order, row_of):
            raise ValueError("eligible.order is not a permutation of the numbers from 0 to N - 1")
        return EligibleItems(*map(_read_only, eligible)), row_of

    def given(self, given: Given | None) -> Given:
        """Check given items of B queries, of N; return them with read-only inputs. None: none."""
        if given is None:
            return _NOTHING
        if not isinstance(given, Given):
            raise TypeError(f"given is a {type(given).__name__}, expected a Given")
        self.lists("given.indptr", given.indptr, "given.items", given.items, "B", "N")
        self.check("given.ranks f64 len(given.items)", given.ranks)
        return Given(_read_only(given.indptr), _read_only(given.items), given.ranks)

    def _parts(self, name: str, matrix: Csr, rows: str) -> Csr:
        if not (isinstance(matrix, tuple) and len(matrix) == 3):
            raise TypeError(f"{name} is a {type(matrix).__name__}, expected a Csr")
        indptr, indices, data = matrix
        self._pointers(f"{name}.indptr", indptr, rows)
        stored = f"len({name}.indices)"
        self.check(f"{name}.indices i32 {stored}, {name}.data f32 {stored}", indices, data)
        return Csr(_read_only(indptr), _read_only(indices), _read_only(data))

    def _pointers(self, name: str, indptr: Longs, rows: str) -> None:
        self.check(f"{name} i64 len({name})", indptr)
        n_rows = len(indptr) - 1
        if n_rows < 0 or self._sizes.setdefault(rows, n_rows) != n_rows:
            raise self._wrong_shape(name, indptr.shape, (rows,), " + 1")

    def _rows(
        self, indptr_name: str, name: str, indptr: Longs, indices: Integers, bound: str
    ) -> None:
        """Check the pointers and the indices of sparse rows."""
        if _rows_are_valid(indptr, indices, self[bound]):
            return
        falls = np.flatnonzero(indptr[1:] < indptr[:-1])
        if indptr[0] != 0:
            raise ValueError(f"{indptr_name} starts at {indptr[0]}, expected 0")
        if len(falls):
            before, after = indptr[falls[0]], indptr[falls[0] + 1]
            raise ValueError(f"{indptr_name} falls from {before} to {after}, expected no fall")
        if indptr[-1] != len(indices):
            expected = f"expected the length of {name}, {len(indices)}"
            raise ValueError(f"{indptr_name} ends at {indptr[-1]}, {expected}")
        in_range(name, indices, self[bound])

    def _wrong_shape(
        self, name: str, shape: tuple[int, ...], letters: tuple[str, ...], more: str = ""
    ) -> ValueError:
        known = {letter: f"{letter}={size}" for letter, size in self._sizes.items()}
        sizes = ", ".join(known.get(letter, letter) + more for letter in letters)
        return ValueError(f"{name} has shape {shape}, expected ({sizes})")


def size_of(name: str, value: int) -> int:
    """Check that an argument is a whole number, 0 or more, and return it."""
    if not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is a {type(value).__name__}, expected a whole number")
    if value < 0:
        raise ValueError(f"{name} is {value}, expected 0 or more")
    return int(value)


def in_range(name: str, indices: Integers, bound: int, least: int = 0) -> None:
    """Check that all of some indices are at least ``least`` (0 or -1) and below ``bound``."""
    if not _are_below(indices, bound, least):
        wrong = indices[np.argmax((indices < least) | (indices >= bound))]
        raise ValueError(f"{name} holds {wrong}, expected at least {least} and less than {bound}")


def _read_only(array: Any) -> Any:
    """Return a read-only view, so that the arrays of a tuple always have the same Numba type."""
    view = array.view()
    view.setflags(write=False)
    return view


_NOTHING: Final = Given(
    _read_only(np.empty(0, np.int64)), _read_only(np.empty(0, np.int32)), np.empty(0, np.float64)
)


@inlined
def _below(indices: Integers, bound: int, least: int) -> bool:
    highest = np.uint32(0)
    for position in range(len(indices)):
        index = np.uint32(indices[position] - least)  # a negative number becomes a high one
        highest = index if index > highest else highest
    return len(indices) == 0 or int(highest) < bound - least


@kernel
def _rows_are_valid(indptr: Pointers, indices: Indices, n_columns: int) -> bool:
    if indptr[0] != 0 or indptr[len(indptr) - 1] != len(indices):
        return False
    falls = 0
    for row in range(1, len(indptr)):
        falls += indptr[row] < indptr[row - 1]
    return falls == 0 and _below(indices, n_columns, 0)


@kernel
def _are_below(indices: Indices, bound: int, least: int) -> bool:
    return _below(indices, bound, least)


@kernel
def _used_rows_are_valid(used: Indices, indptr: Pointers, indices: Indices, n_columns: int) -> bool:
    """Return whether all used rows are valid; false if they hold more entries than all rows."""
    entries = 0
    for row in used:
        start, stop = indptr[row], indptr[row + 1]
        if start < 0 or stop < start or stop > len(indices):
            return False
        entries += stop - start
        if entries > len(indices) or not _below(indices[start:stop], n_columns, 0):
            return False
    return True


@kernel
def _invert(order: Indices, row_of: OutIndices) -> bool:
    """Write the inverse of the permutation ``order`` into ``row_of``, unless it is none."""
    if not _below(order, len(order), 0):
        return False
    row_of[:] = -1
    for row in range(len(order)):
        row_of[np.uint32(order[row])] = row
    return _below(row_of, len(order), 0)  # -1 is left where another number is missing
