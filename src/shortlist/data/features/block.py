"""The contract of a block: the features of one column, and how its cells become rows of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.features.cells import Cells, Family

Missing: TypeAlias = Literal["flag", "ignore"]

# Everything a block has learned, one row a feature. Which columns a role uses, its class says.
FEATURES = pa.schema(
    [
        pa.field("role", pa.string(), nullable=False),
        pa.field("term", pa.string()),
        pa.field("weight", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("centre", pa.float64()),
        pa.field("scale", pa.float64()),
    ]
)


class NothingLearnedError(Exception):
    """The column carries nothing; the message is the reason."""


@dataclass(frozen=True, eq=False)
class Block(ABC):
    """What was learned of one column.

    Attributes
    ----------
    column
        Its name.
    spec
        How it is encoded.
    family
        What its cells hold.
    features
        The features, one row each, as ``FEATURES`` says: all that the block knows.
    """

    column: str
    spec: Any
    family: Family
    features: pa.Table

    reads: ClassVar[tuple[Family, ...]]  # what cells it can encode

    @classmethod
    def fit(cls, column: str, spec: Any, cells: Cells) -> Self:
        """Learn the features of a column from its cells.

        Raises
        ------
        NothingLearnedError
            They carry nothing.
        """
        return cls(column, spec, cells.family, cls.learn(spec, cells))

    @classmethod
    @abstractmethod
    def learn(cls, spec: Any, cells: Cells) -> pa.Table:
        """Give the features that the cells call for."""

    @abstractmethod
    def encode(self, values: pa.Array, missing: Missing) -> csr_array:
        """Give a row of length 1, or of zeros, for each cell.

        ``"flag"``: an empty cell has the feature "is missing", if the column had empty cells when
        it was fitted; ``"ignore"``: its row is zeros. Float64.
        """  # (n_rows, n_features)

    @abstractmethod
    def names(self) -> list[str]:
        """Give a readable name for each feature."""

    def unseen(self, values: pa.Array) -> pa.Array:
        """Give every value that has no feature of its own, as text, as often as it occurs."""
        return pa.array([], pa.string())

    def missing(self, values: pa.Array) -> int:
        """Count the cells without a value."""
        return int(values.null_count)

    def __len__(self) -> int:
        return int(self.features.num_rows)

    def place(self, role: str) -> int | None:
        """Find the feature of a role that at most one feature has."""
        place: int = pc.index(self.features["role"], role).as_py()
        return None if place < 0 else place

    def one_hot(self, places: NDArray[np.integer], values: pa.Array, missing: Missing) -> csr_array:
        """Encode cells that have one feature each.

        Parameters
        ----------
        places
            The feature of each cell, -1 for none.  # (n_rows,)
        values, missing
            As for :meth:`encode`.
        """
        flag = self.place("missing")
        if flag is not None and missing == "flag":
            places = np.where(nulls(values), flag, places)
        has = places >= 0
        indptr = np.concatenate([[0], np.cumsum(has)])
        return csr_array(
            (np.ones(indptr[-1]), places[has].astype(np.int32), indptr.astype(np.int32)),
            shape=(len(values), len(self)),
        )


def features(role: str, n: int | None = None, /, **columns: Any) -> pa.Table:
    """Make ``n`` features of a role (None: as many as ``columns`` say)."""
    n = len(next(iter(columns.values()))) if n is None else n
    given = {"role": pa.array([role] * n, pa.string()), **columns}
    return pa.Table.from_arrays(
        [
            pa.array(given[field.name], field.type)
            if field.name in given
            else pa.nulls(n, field.type)
            for field in FEATURES
        ],
        schema=FEATURES,
    )


def nulls(values: pa.Array) -> NDArray[np.bool_]:
    """Say which cells are empty."""  # (n_rows,)
    found: NDArray[np.bool_] = pc.is_null(values).to_numpy(zero_copy_only=False)
    return found


def to_numpy(column: pa.ChunkedArray | pa.Array) -> NDArray[Any]:
    """Give a column without nulls as an array."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    array: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return array
