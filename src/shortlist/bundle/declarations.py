"""Declarations of learned values: each field of a ``Learned`` dataclass states what it may hold.

A declaration stands beside its field, documents it, and is checked when a bundle is loaded, before
compiled code reads the value::

    users: Annotated[Floats, Array("n_users", "embedding_size + biases")]

A dimension is a sum of names and numbers, or several of them separated by ``|``. A name is a size
of the data set (``n_users``, ``n_items``), an integer setting of the model, or a symbol: the first
field that uses a symbol fixes its size, and the other fields must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Annotated, Any, Protocol, get_args, get_type_hints, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.text import shown

LARGEST = 1e17  # of a learned number: products of 2,048 such pairs are finite in float32


class Dimensions:
    """The sizes that names of dimensions have in one ``Learned`` object.

    >>> sizes = Dimensions({"n_items": 30})
    >>> sizes.fits("f", 8), sizes.fits("f + 1", 9), sizes.fits("0 | n_items", 31)
    (True, True, False)
    >>> sizes.describe("n_items"), sizes.describe("0 | f + 1"), sizes.describe("g")
    ('n_items = 30', '0 | f + 1 = 9', 'g')
    """

    def __init__(self, known: Mapping[str, int]) -> None:
        self._known = dict(known)

    @classmethod
    def of(cls, data: Dataset, config: Any) -> Dimensions:
        """Return the sizes of the data set and the integer settings (a truth value is 0 or 1)."""
        settings = {name: getattr(config, name) for name in type(config).model_fields}
        known = {name: int(value) for name, value in settings.items() if isinstance(value, int)}
        return cls(known | {"n_users": data.n_users, "n_items": data.n_items})

    def fits(self, dimension: str, size: int) -> bool:
        """Return whether a size is what the dimension says; fix the size of a new symbol."""
        sums = [self._split(alternative) for alternative in dimension.split("|")]
        if any(not unknown and total == size for total, unknown in sums):
            return True
        for total, unknown in sums:
            if len(unknown) == 1 and size >= total:
                self._known[unknown[0]] = size - total
                return True
        return False

    def describe(self, dimension: str) -> str:
        """Return the dimension with its size, for messages."""
        alternatives = []
        for alternative in dimension.split("|"):
            text = alternative.strip()
            total, unknown = self._split(alternative)
            known = unknown or text.isdecimal()
            alternatives.append(text if known else f"{text} = {total}")
        return " | ".join(alternatives)

    def _split(self, dimension: str) -> tuple[int, list[str]]:
        """Return the sum of the known terms, and the unknown terms."""
        total, unknown = 0, []
        for term in map(str.strip, dimension.split("+")):
            if term.isdecimal():
                total += int(term)
            elif term in self._known:
                total += self._known[term]
            else:
                unknown.append(term)
        return total, unknown


@dataclass(frozen=True)
class Context:
    """What a declaration may refer to."""

    dimensions: Dimensions
    data: Dataset
    config: Any
    values: Mapping[str, Any]  # the fields before this one


@runtime_checkable
class Declaration(Protocol):
    """A statement of what a learned field holds."""

    def check(self, value: Any, context: Context) -> None:
        """Raise ValueError with the bound unless the value is as declared."""
        ...


class Array:
    """A dense array with one dimension per axis; its elements lie between two bounds, inclusive."""

    def __init__(
        self,
        *dimensions: str,
        dtype: DTypeLike = np.float32,
        low: float = -LARGEST,
        high: float = LARGEST,
    ) -> None:
        self.dimensions, self.dtype = dimensions, np.dtype(dtype)
        self.low, self.high = low, high

    def __repr__(self) -> str:
        return f"{self.dtype} array of ({', '.join(self.dimensions)})"

    def check(self, value: Any, context: Context) -> None:
        """Check type, shape and elements."""
        if not isinstance(value, np.ndarray):
            raise ValueError(f"is a {type(value).__name__}, expected a {self!r}")
        if value.dtype != self.dtype:
            raise ValueError(f"has dtype {value.dtype}, expected {self.dtype}")
        check_shape(value.shape, self.dimensions, context.dimensions)
        check_range(value, self.low, self.high)


@dataclass(frozen=True, repr=False)
class Csr:
    """A sparse float32 matrix in compressed rows, whose entries lie between two bounds, inclusive.

    The columns within each row are ``ascending``, or in any order; ``optional``: it may be None.
    """

    rows: str
    columns: str
    low: float = -LARGEST
    high: float = LARGEST
    ascending: bool = True
    optional: bool = False

    def __repr__(self) -> str:
        return f"sparse float32 matrix of ({self.rows}, {self.columns})"

    def check(self, value: Any, context: Context) -> None:
        """Check type, shape, row pointers, columns and entries."""
        if value is None and self.optional:
            return
        if not isinstance(value, csr_array):
            raise ValueError(f"is a {type(value).__name__}, expected a {self!r}")
        check_shape(value.shape, (self.rows, self.columns), context.dimensions)
        if value.data.dtype != np.float32:
            raise ValueError(f"has entries of {value.data.dtype}, expected float32")
        _check_rows(value, self.ascending)
        check_range(value.data, self.low, self.high)


class Value:
    """A JSON value: a number, a truth value, a text, or a list of them.

    A whole number is a valid float, and nothing else is converted. The bounds are those of
    pydantic: ``ge``, ``gt``, ``le``, ``lt``.
    """

    def __init__(self, kind: Any, **bounds: Any) -> None:
        self.kind = kind
        self._adapter: TypeAdapter[Any] = TypeAdapter(
            Annotated[kind, Field(**bounds)], config=ConfigDict(strict=True, allow_inf_nan=False)
        )

    def __repr__(self) -> str:
        return f"value of type {getattr(self.kind, '__name__', self.kind)}"

    def check(self, value: Any, context: Context) -> None:
        """Check type and bounds."""
        try:
            self._adapter.validate_python(value)
        except ValidationError as error:
            raise ValueError(f"is {shown(value, 80)}: {error.errors()[0]['msg']}") from None


class Record:
    """A mapping with these names, to values of these types, which state the bounds."""

    def __init__(self, hints: Mapping[str, Any]) -> None:
        self.values = {name: Value(hint) for name, hint in hints.items()}

    def __repr__(self) -> str:
        return f"mapping with {', '.join(self.values)}"

    def check(self, value: Any, context: Context) -> None:
        """Check the names and each value."""
        if not isinstance(value, Mapping) or value.keys() != self.values.keys():
            raise ValueError(f"is {shown(value, 80)}, expected a {self!r}")
        for name, declaration in self.values.items():
            try:
                declaration.check(value[name], context)
            except ValueError as error:
                raise ValueError(f"{name} {error}") from None


@dataclass(frozen=True, repr=False)
class FeatureTable:
    """A table from which ``read`` restores a feature encoder with ``n_features``.

    If it is ``optional`` and None, the dimension ``n_features`` is 0.
    """

    n_features: str
    read: Callable[[pa.Table], Any]
    optional: bool = False

    def __repr__(self) -> str:
        return f"table of {self.n_features} features"

    def check(self, value: Any, context: Context) -> None:
        """Restore the encoder, and compare its number of features."""
        if value is None and self.optional:
            check_shape((0,), (self.n_features,), context.dimensions)
            return
        if not isinstance(value, pa.Table):
            raise ValueError(f"is a {type(value).__name__}, expected a {self!r}")
        check_shape((self.read(value).n_features,), (self.n_features,), context.dimensions)


@dataclass(frozen=True, repr=False)
class Fitted:
    """The fitted model, or models, that a setting of the outer model names.

    If the setting is neither an unfitted model nor several, the field is None.
    """

    setting: str

    def __repr__(self) -> str:
        return f"fitted model of the setting {self.setting!r}"

    def check(self, value: Any, context: Context) -> None:
        """Compare names and settings."""
        given = getattr(context.config, self.setting)
        several = isinstance(given, tuple)
        specs = given if several else (given,) if hasattr(given, "config") else ()
        models = value if isinstance(value, tuple) else () if value is None else (value,)
        expected = [(spec.model, spec.config) for spec in specs]
        if (
            several != isinstance(value, tuple)
            or not all(hasattr(model, "settings") for model in models)
            or [(model.name, model.settings) for model in models] != expected
        ):
            raise ValueError(f"is not the {self!r}")


@dataclass(frozen=True, repr=False)
class Setting:
    """A copy of a setting of the model, or ``default`` for models without this setting."""

    name: str
    default: Any = None

    def __repr__(self) -> str:
        return f"copy of the setting {self.name!r}"

    def check(self, value: Any, context: Context) -> None:
        """Compare with the setting."""
        expected = getattr(context.config, self.name, self.default)
        if type(value) not in (type(expected), int) or value != expected:
            raise ValueError(f"is {shown(value, 80)}, expected the {self!r}, {expected!r}")


@dataclass(frozen=True, repr=False)
class Widths:
    """The widths of dense layers, which are flat in an earlier field: each a weight and a bias.

    ``widths`` returns those that a configuration describes; the setting ``times`` says how often
    the layers are there (None: once).
    """

    field: str
    widths: Callable[[Any], list[int]]
    times: str | None = None

    def __repr__(self) -> str:
        return f"widths of the layers in {self.field}"

    def check(self, value: Any, context: Context) -> None:
        """Compare with the settings, and with the length of the layers."""
        expected = self.widths(context.config)
        if value != expected:
            raise ValueError(f"is {shown(value, 80)}, expected the {self!r}, {expected}")
        times = 1 if self.times is None else getattr(context.config, self.times)
        length = times * sum((n_in + 1) * n_out for n_in, n_out in pairwise(expected))
        stored = len(context.values[self.field])
        if stored != length:
            raise ValueError(f"needs {length} numbers in {self.field}, which has {stored}")


@dataclass(frozen=True, repr=False)
class Checked:
    """A value that a function checks, for structures that have no simpler declaration."""

    what: str
    check: Callable[[Any, Context], None]

    def __repr__(self) -> str:
        return self.what


def declarations(learned_class: type[Any]) -> dict[str, Declaration]:
    """Return the declaration of each field of a dataclass; a TypeError where one is missing."""
    hints = get_type_hints(learned_class, include_extras=True)
    declared: dict[str, Declaration] = {}
    for field in fields(learned_class):
        stated = [part for part in get_args(hints[field.name]) if isinstance(part, Declaration)]
        if not stated:
            raise TypeError(
                f"{learned_class.__name__}.{field.name} has no declaration: annotate it, as in "
                f'Annotated[Floats, Array("n_items")]'
            )
        declared[field.name] = stated[0]
    return declared


def check_shape(shape: tuple[int, ...], expected: tuple[str, ...], sizes: Dimensions) -> None:
    """Raise ValueError unless a shape has the expected dimensions."""
    if len(shape) == len(expected) and all(map(sizes.fits, expected, shape)):
        return
    described = ", ".join(map(sizes.describe, expected))
    raise ValueError(f"has shape {shape}, expected ({described})")


def check_range(values: NDArray[Any], low: float, high: float) -> None:
    """Raise ValueError unless all values lie between the bounds, which NaN does not."""
    if values.size == 0:
        return
    least, most = values.min(), values.max()  # both are NaN if a value is
    if not (least >= low and most <= high):
        wrong = least if not least >= low else most
        raise ValueError(f"holds {wrong}, expected finite numbers from {low:g} to {high:g}")


def _check_rows(matrix: csr_array, ascending: bool) -> None:
    """Check row pointers and columns; SciPy's own check misses differences that overflow."""
    indptr, indices = matrix.indptr.astype(np.int64), matrix.indices
    if len(indptr) != matrix.shape[0] + 1 or indptr[0] != 0 or indptr[-1] != len(indices):
        raise ValueError(f"has row pointers that do not lead from 0 to {len(indices)}")
    if not (indptr[1:] >= indptr[:-1]).all() or len(indices) != len(matrix.data):
        raise ValueError("has row pointers that fall, or fewer entries than columns")
    if len(indices) and not (indices.min() >= 0 and indices.max() < matrix.shape[1]):
        raise ValueError(
            f"has columns from {indices.min()} to {indices.max()}, expected 0 to "
            f"{matrix.shape[1] - 1}"
        )
    if ascending and len(indices) > 1:
        falls = indices[1:] <= indices[:-1]
        starts = indptr[1:-1]
        falls[starts[(starts > 0) & (starts < len(indices))] - 1] = False  # where a row begins
        if falls.any():
            raise ValueError("has columns that do not ascend within a row")
