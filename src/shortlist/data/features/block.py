"""Blocks: how a column is encoded, its features, and the encoding of its cells."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.sparse import csr_array

from shortlist.data.features.cells import Cells, Family

Kind: TypeAlias = Literal["number", "category", "labels", "text", "vector"]
"""``number``: a number or a date on a scale: the closer two values, the more similar the rows.
``category``: one value of a set: a code, a name, true or false. ``labels``: any number of values: a
list, or a text with separators. ``text``: free text or lists of texts, by words and by letters.
``vector``: a precomputed vector, such as an embedding: lists of equally many numbers."""


class Spec(BaseModel):
    """The kind of a column; ``separator`` stands between the labels of a text (None: ';' and '|').

    Saved encoders may have further settings, which had a single value each.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    separator: str | None = None


# All that a block has learned, one row per feature. Each class uses some of the columns.
_NUMBERS = ("weight", "centre", "scale")
FEATURES = pa.schema(
    [
        pa.field("role", pa.string(), nullable=False),
        pa.field("term", pa.string()),
        *(pa.field(name, pa.float64()) for name in _NUMBERS),
    ]
)


class NothingLearnedError(Exception):
    """A column has no useful content; the message is the reason."""


class Role(NamedTuple):
    """A role of features: how its features are named, and the columns that they must have."""

    name: str
    pattern: str  # with column, index, term
    required: tuple[str, ...] = ()


LARGE_TABLE = 100  # rows from which on values that occur only once are rare


def least_rows(n_rows: int) -> int:
    """Return the number of rows in which a value must occur to get a feature of its own."""
    return 2 if n_rows >= LARGE_TABLE else 1


@dataclass(frozen=True, eq=False)
class Block(ABC):
    """The learned encoding of one column; ``features`` (schema ``FEATURES``) is its whole state."""

    column: str
    spec: Spec
    family: Family
    features: pa.Table

    accepts: ClassVar[tuple[Family, ...]]  # the families that the block can encode
    roles: ClassVar[tuple[Role, ...]]
    layout: ClassVar[str]  # the roles of the features in their order, each with a blank after it

    def check(self) -> None:
        """Raise a ValueError if the features are incomplete; they may come from a damaged file."""
        roles = self.features["role"].to_pylist()
        if self.family not in self.accepts:
            raise ValueError(f"column {self.column!r}: {self.spec.kind} of {self.family}")
        if not re.fullmatch(self.layout, "".join(f"{role} " for role in roles)):
            raise ValueError(f"column {self.column!r}: the roles are not those of {self.spec.kind}")
        for name in _NUMBERS:
            numbers = self.features[name].drop_null().to_numpy()
            if not np.isfinite(numbers).all() or np.abs(numbers).max(initial=0) > 1e300:
                raise ValueError(f"column {self.column!r}: {name} is not finite")
        for role in self.roles:
            rows = self.features.filter(pc.equal(self.features["role"], role.name))
            for name in role.required:
                if rows[name].null_count:
                    raise ValueError(f"column {self.column!r}: a {role.name} has no {name}")

    @classmethod
    def fit(cls, column: str, spec: Spec, cells: Cells) -> Self:
        """Learn the features of a column; NothingLearnedError if its cells have no use."""
        return cls(column, spec, cells.family, pa.concat_tables(cls.learn(spec, cells)))

    @classmethod
    @abstractmethod
    def learn(cls, spec: Spec, cells: Cells) -> list[pa.Table]:
        """Return the features of the cells in tables with the schema ``FEATURES``."""

    @abstractmethod
    def encode(self, values: pa.Array) -> csr_array:
        """Encode each cell as a row of length 1, an empty one as zeros; float64."""
        # (n_rows, n_features)

    def names(self) -> list[str]:
        """Return a readable name for each feature."""
        patterns = {role.name: role.pattern for role in self.roles}
        features = self.features.select(["role", "term"]).to_pylist()
        return [
            patterns[feature["role"]].format(column=self.column, index=index, term=feature["term"])
            for index, feature in enumerate(features)
        ]

    def unseen(self, values: pa.Array) -> pa.Array:
        """Return all values without a feature of their own, as text, with repetitions."""
        return pa.array([], pa.string())

    def __len__(self) -> int:
        return int(self.features.num_rows)


def feature_table(role: str, n: int | None = None, /, **columns: Any) -> pa.Table:
    """Return ``n`` features of a role (None: as many as the columns have entries)."""
    n = len(next(iter(columns.values()))) if n is None else n
    columns["role"] = pa.array([role] * n, pa.string())
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.nulls(n, field.type)
        for field in FEATURES
    ]
    return pa.Table.from_arrays(arrays, schema=FEATURES)


def is_null(values: pa.Array) -> NDArray[np.bool_]:
    """Return which cells are empty."""  # (n_rows,)
    return to_numpy(pc.is_null(values))


def to_numpy(column: pa.ChunkedArray | pa.Array) -> NDArray[Any]:
    """Convert a column without nulls to NumPy."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    array: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return array


def unit_rows(matrix: csr_array) -> csr_array:
    """Scale every row to length 1 (L2), in a copy; rows of zeros are kept."""  # (n, d)
    squares = csr_array(
        (matrix.data.astype(np.float64) ** 2, matrix.indices, matrix.indptr), shape=matrix.shape
    )
    length = np.sqrt(squares.sum(axis=1))
    length[length == 0] = 1
    data = (matrix.data / np.repeat(length, np.diff(matrix.indptr))).astype(matrix.dtype)
    return csr_array((data, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)
