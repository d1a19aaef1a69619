"""Checks of the arguments of public kernels.

Compiled loops trust their arguments: they would read a matrix of the wrong width beyond its end. So
every public kernel first describes its arguments to a :class:`Shapes`. A wrong type raises
TypeError, everything else ValueError, and the message names the argument.

Checks look at every index only where the kernel uses every index, so their cost is negligible. Of a
matrix in which a kernel looks rows up, each row is checked when it is used
(:func:`shortlist.kernels.linalg.row_bounds`).
"""

from __future__ import annotations

import operator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.types import Csr, Eligible, Integers, Longs

F32: Final = np.dtype(np.float32)
F64: Final = np.dtype(np.float64)
I32: Final = np.dtype(np.int32)
I64: Final = np.dtype(np.int64)
U32: Final = np.dtype(np.uint32)
U8: Final = np.dtype(np.uint8)
BOOL: Final = np.dtype(np.bool_)


class Shapes:
    """The shapes of a kernel's arguments, in letters: the same letter is the same size.

    The first argument with a letter fixes its size for all later arguments.

    Parameters
    ----------
    sizes
        Letters whose sizes are given as numbers.

    Examples
    --------
    >>> shapes = Shapes()
    >>> shapes.array("queries", np.zeros((2, 8), np.float32), F32, "B", "f")
    >>> shapes.array("items_t", np.zeros((9, 100), np.float32), F32, "f", "N")
    Traceback (most recent call last):
    ValueError: items_t has shape (9, 100), expected (f, N) with f=8 as in queries
    """

    def __init__(self, **sizes: int) -> None:
        self._sizes = {letter: (size_of(letter, size), letter) for letter, size in sizes.items()}

    def __getitem__(self, letter: str) -> int:
        """Return the size of a letter."""
        return self._sizes[letter][0]

    def array(self, name: str, value: Any, dtype: np.dtype[Any], *letters: str) -> None:
        """Check an array: its dtype, its shape, and that it is C-contiguous.

        Parameters
        ----------
        name, value
            The argument.
        dtype
            What it must hold.
        letters
            One for each dimension.
        """
        if not isinstance(value, np.ndarray):
            raise TypeError(f"{name} is a {type(value).__name__}, expected an array of {dtype}")
        if value.dtype != dtype:
            raise TypeError(f"{name} has dtype {value.dtype}, expected {dtype}")
        if value.ndim != len(letters):
            raise self._wrong_shape(name, value.shape, letters)
        for letter, size in zip(letters, value.shape, strict=True):
            if self._sizes.setdefault(letter, (size, name))[0] != size:
                raise self._wrong_shape(name, value.shape, letters)
        flags = value.flags
        if not (flags.c_contiguous and flags.aligned):
            raise ValueError(f"{name} is not C-contiguous: pass numpy.ascontiguousarray({name})")

    def csr(self, name: str, matrix: Csr, rows: str, columns: str) -> Csr:
        """Check a sparse matrix all of whose rows are used; return it with read-only arrays.

        Parameters
        ----------
        name, matrix
            The argument: ``indptr``, ``indices`` and ``data``.
        rows, columns
            The letters of its shape; the size of ``columns`` must be known.
        """
        matrix = self.looked_up(name, matrix, rows, columns)
        _check_pointers(f"{name}.indptr", matrix.indptr, f"{name}.indices", len(matrix.indices))
        in_range(f"{name}.indices", matrix.indices, self[columns])
        return matrix

    def looked_up(self, name: str, matrix: Csr, rows: str, columns: str) -> Csr:
        """Check a sparse matrix as :meth:`csr` does, except the numbers in its indptr and indices.

        The kernel checks each row that it uses with :func:`shortlist.kernels.linalg.row_bounds`.
        """
        if not (isinstance(matrix, tuple) and len(matrix) == 3):
            raise TypeError(f"{name} is a {type(matrix).__name__}, expected a Csr")
        indptr, indices, data = matrix
        self._pointers(f"{name}.indptr", indptr, rows)
        stored = f"len({name}.indices)"
        self.array(f"{name}.indices", indices, I32, stored)
        self.array(f"{name}.data", data, F32, stored)
        return Csr(_read_only(indptr), _read_only(indices), _read_only(data))

    def lists(
        self, indptr_name: str, indptr: Longs, name: str, items: Integers, rows: str, bound: str
    ) -> None:
        """Check a list of item rows for each query: those of b are items[indptr[b]:indptr[b + 1]].

        Parameters
        ----------
        indptr_name, indptr, name, items
            Two arguments.
        rows, bound
            The letters of the number of lists, and of the items, which are below ``bound``.
        """
        self._pointers(indptr_name, indptr, rows)
        self.array(name, items, I32, f"len({name})")
        _check_pointers(indptr_name, indptr, name, len(items))
        in_range(name, items, self[bound])

    def eligible(self, eligible: Eligible) -> Eligible:
        """Check which of N items each of B queries may get; return it with read-only arrays.

        The kernels that use ``order`` check that it is a permutation.
        """
        if not isinstance(eligible, Eligible):
            raise TypeError(f"eligible is a {type(eligible).__name__}, expected an Eligible")
        excluded_indptr, excluded_indices, masks, mask_of, order = eligible
        self.array("eligible.order", order, I32, "N")
        self.array("eligible.masks", masks, BOOL, "G", "N")
        self.array("eligible.mask_of", mask_of, I32, "B")
        in_range("eligible.mask_of", mask_of, self["G"], least=-1)
        self.lists(
            "eligible.excluded_indptr", excluded_indptr,
            "eligible.excluded_indices", excluded_indices, "B", "N",
        )  # fmt: skip
        return Eligible(*map(_read_only, eligible))

    def _pointers(self, name: str, indptr: Longs, rows: str) -> None:
        self.array(name, indptr, I64, f"len({name})")
        n_rows = len(indptr) - 1
        if n_rows < 0:
            raise ValueError(f"{name} has shape (0,), expected ({rows} + 1,)")
        if self._sizes.setdefault(rows, (n_rows, name))[0] != n_rows:
            raise self._wrong_shape(name, indptr.shape, (rows,), " + 1")

    def _wrong_shape(
        self, name: str, shape: tuple[int, ...], letters: tuple[str, ...], more: str = ""
    ) -> ValueError:
        expected = ", ".join(f"{letter}{more}" for letter in letters) + "," * (len(letters) == 1)
        known = {letter: self._sizes[letter] for letter in letters if letter in self._sizes}
        sizes = ", ".join(
            f"{letter}={size}" + (f" as in {source}" if source not in (name, letter) else "")
            for letter, (size, source) in known.items()
            if source != name
        )
        given = f" with {sizes}" if sizes else ""
        return ValueError(f"{name} has shape {shape}, expected ({expected}){given}")


def size_of(name: str, value: int) -> int:
    """Check that an argument is a whole number, 0 or more, and return it.

    Examples
    --------
    >>> size_of("k", -1)
    Traceback (most recent call last):
    ValueError: k is -1, expected 0 or more
    """
    try:
        size = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is a {type(value).__name__}, expected a whole number") from None
    if size < 0:
        raise ValueError(f"{name} is {size}, expected 0 or more")
    return size


def in_range(name: str, indices: Integers, bound: int, least: int = 0) -> None:
    """Check that all of some indices are at least ``least`` (0 or -1) and below ``bound``.

    Examples
    --------
    >>> in_range("rows", np.array([2, 7], np.int32), 5)
    Traceback (most recent call last):
    ValueError: rows holds 7, expected at least 0 and less than 5
    """
    if not len(indices):
        return
    if least == 0:  # one pass instead of two: as unsigned numbers, negative ones are too large
        if int(indices.view(np.uint32).max()) < bound:
            return
    elif indices.min() >= least and indices.max() < bound:
        return
    wrong = int(indices[np.argmax((indices < least) | (indices >= bound))])
    raise ValueError(f"{name} holds {wrong}, expected at least {least} and less than {bound}")


def _check_pointers(name: str, indptr: Longs, of_name: str, total: int) -> None:
    if indptr[0] != 0:
        raise ValueError(f"{name} starts at {indptr[0]}, expected 0")
    if indptr[-1] != total:
        raise ValueError(f"{name} ends at {indptr[-1]}, expected {total}, the length of {of_name}")
    falls = indptr[1:] < indptr[:-1]
    if falls.any():
        raise ValueError(f"{name} falls after row {falls.argmax()}, expected no number below the last")


def _read_only(array: NDArray[Any]) -> Any:
    """Return a read-only view, so that the arrays of a tuple always have the same Numba type."""
    if array.flags.writeable:
        array = array.view(np.ndarray)
        array.flags.writeable = False
    return array
