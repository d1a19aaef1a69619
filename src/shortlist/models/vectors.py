"""Item vectors that a model has learned: laid out for scoring, and compared by cosine."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from shortlist.data.vocabulary import Rows
from shortlist.scoring.scores import FactorScores, Floats, ItemFactors
from shortlist.scoring.sparse import inverse


class LearnedVectors:
    """Base of learned dataclasses that hold the vectors of all items in a field ``items``."""

    items: Floats  # (n_items, f)

    @property
    def compared(self) -> Floats:
        """The vectors that similarity compares; a subclass leaves bias columns out."""
        return self.items  # (n_items, f)

    @cached_property
    def factors(self) -> ItemFactors:
        """The vectors as the kernels read them."""
        return ItemFactors.from_rows(self.items)

    @cached_property
    def unit(self) -> Floats:
        """The compared vectors, scaled to length 1; a zero vector stays zero."""  # (n_items, f)
        return unit_length(self.compared)

    @cached_property
    def unit_factors(self) -> ItemFactors:
        """The unit vectors as the kernels read them."""
        return ItemFactors.from_rows(self.unit)

    def cosine_scores(self, items: Rows) -> FactorScores:
        """Score the catalogue by cosine similarity to each of these items."""  # (B, n_items)
        return FactorScores(self.unit[items], self.unit_factors)


def unit_length(vectors: Floats) -> Floats:
    """Scale each row to length 1; a zero row stays zero."""  # (n, f)
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    return (wide * inverse(lengths)[:, np.newaxis]).astype(np.float32)
