"""What a model answers: scores of the catalogue for a block of queries, in one of three shapes.

None of them is ever built for all users at once: the top-k kernels take each shape block by block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class FactorScores:
    """score = queries · items + bias: dot products of vectors."""

    queries: Floats  # (B, f)
    items: Floats  # (f, n_items), one column an item
    bias: Floats | None = None  # (n_items,)


@dataclass(frozen=True)
class SparseScores:
    """score = profiles · matrix, both sparse."""

    profiles: csr_array  # (B, m)
    matrix: csr_array  # (m, n_items)


@dataclass(frozen=True)
class DenseScores:
    """Every score of the block, written out."""

    block: Floats  # (B, n_items)


Scores: TypeAlias = FactorScores | SparseScores | DenseScores
