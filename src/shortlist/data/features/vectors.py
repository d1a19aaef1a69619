"""Blocks of vectors that were computed elsewhere: embeddings of texts or pictures."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from shortlist.data.features.block import (
    Block,
    Missing,
    NothingLearnedError,
    features,
    nulls,
    to_numpy,
)
from shortlist.data.features.cells import Cells, Family, finite
from shortlist.data.features.specs import Vector
from shortlist.data.features.weights import unit_rows
from shortlist.errors import InputError


class VectorBlock(Block):
    """One feature a component; the cosine of two rows is that of their vectors."""

    reads: ClassVar[tuple[Family, ...]] = ("vector",)

    @classmethod
    def learn(cls, spec: Vector, cells: Cells) -> pa.Table:
        """Give as many features as the vectors have components."""
        lengths = pc.unique(pc.list_value_length(pc.drop_null(cells.values))).to_pylist()
        if len(lengths) > 1:
            raise NothingLearnedError(
                f"its lists are {min(lengths)} to {max(lengths)} numbers long: not vectors"
            )
        return features("component", lengths[0])

    def names(self) -> list[str]:
        """Give ``embedding[0]``."""
        return [f"{self.column}[{place}]" for place in range(len(self))]

    def encode(self, values: pa.Array, missing: Missing) -> csr_array:
        """Scale the vectors to length 1.

        Raises
        ------
        InputError
            A vector has another number of components, or one that is empty or not finite.
        """
        rows = np.flatnonzero(~nulls(values))
        vectors = values.drop_null()
        wrong = np.flatnonzero(to_numpy(pc.list_value_length(vectors)) != len(self))
        where = f"column {self.column!r}, row "
        if len(wrong):
            raise InputError(
                f"a vector of {len(vectors[int(wrong[0])])} numbers; here they have {len(self)}",
                where=f"{where}{rows[wrong[0]]} (counted from 0)",
            )
        flat = finite(pc.list_flatten(vectors), self.column)
        if flat.null_count:
            row = rows[np.flatnonzero(nulls(flat))[0] // len(self)]
            raise InputError(
                "a vector with an empty component",
                where=f"{where}{row} (counted from 0)",
                remedy="fill it, or leave the whole cell empty",
            )
        indptr = np.zeros(len(values) + 1, dtype=np.int64)
        indptr[rows + 1] = len(self)
        columns = np.tile(np.arange(len(self)), len(rows))
        shape = (len(values), len(self))
        return unit_rows(csr_array((to_numpy(flat), columns, np.cumsum(indptr)), shape=shape))
