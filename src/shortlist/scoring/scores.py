"""Scores of the catalogue for a block of queries, in one of three shapes.

No shape is ever built for all users at once: the top-k kernels take each of them block by block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.kernels.topk import packed_items

Floats: TypeAlias = NDArray[np.float32]


class ItemFactors:
    """Item vectors in the layout that the kernels read; a model builds them once and holds them.

    ``columns`` (f, n_items) has one column per item, float32, C-contiguous; ``packed`` are the
    tiles of the top-k kernel once :meth:`pack` was called.
    """

    def __init__(self, columns: Floats) -> None:
        self.columns = columns
        self.packed: Floats | None = None

    @classmethod
    def from_rows(cls, vectors: Floats) -> ItemFactors:
        """Lay out vectors that are stored one row per item."""  # (n_items, f)
        return cls(np.ascontiguousarray(vectors.T))

    def __len__(self) -> int:
        return int(self.columns.shape[1])

    def pack(self) -> None:
        """Compute the kernel's tiles once and keep them, for many queries or many small batches.

        It takes as much memory again as the vectors, and scores keep their bits. The vectors must
        not be written to afterwards, and become read-only.
        """
        if self.packed is None:
            self.columns.setflags(write=False)
            self.packed = packed_items(self.columns)

    @cached_property
    def longest(self) -> float:
        """The length of the longest vector; NaN if any is NaN."""
        squares = np.einsum("fn,fn->n", self.columns, self.columns, dtype=np.float64)
        return float(np.sqrt(squares.max(initial=0.0)))

    def take(self, rows: NDArray[np.int32]) -> ItemFactors:
        """Return the vectors of these items only."""
        return ItemFactors(np.ascontiguousarray(self.columns[:, rows]))


@dataclass(frozen=True)
class FactorScores:
    """score = queries · items: dot products of vectors."""

    queries: Floats  # (B, f)
    items: ItemFactors  # n_items vectors of length f


@dataclass(frozen=True)
class SparseScores:
    """score = profiles · matrix, both sparse."""

    profiles: csr_array  # (B, m)
    matrix: csr_array  # (m, n_items)


@dataclass(frozen=True)
class DenseScores:
    """A block with every score written out."""

    block: Floats  # (B, n_items)


Scores: TypeAlias = FactorScores | SparseScores | DenseScores
