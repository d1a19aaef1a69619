"""Item vectors that a model has learned: prepared for scoring, and compared by cosine."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shortlist.data.vocabulary import Rows
from shortlist.scoring.scores import FactorScores, Floats, ItemFactors
from shortlist.scoring.sparse import inverse


class LearnedVectors:
    """Base class for learned dataclasses with the vectors of all items in a field ``items``.

    Its properties are cached with the learned state, so a new fit starts without them.
    """

    items: Floats  # (n_items, f)

    @property
    def compared(self) -> Floats:
        """The vectors that are compared for similarity; a subclass leaves out bias columns."""
        return self.items  # (n_items, f)

    @cached_property
    def gram(self) -> NDArray[np.float64]:
        """The Gram matrix ``Q'Q`` of the item vectors."""  # (f, f)
        items = self.items.astype(np.float64)
        return items.T @ items

    @cached_property
    def factors(self) -> ItemFactors:
        """The item vectors in the layout of the kernels."""
        return ItemFactors.from_rows(self.items)

    @cached_property
    def unit(self) -> Floats:
        """The compared vectors, scaled to length 1; a zero vector stays zero."""  # (n_items, f)
        return unit_length(self.compared)

    @cached_property
    def unit_factors(self) -> ItemFactors:
        """The unit vectors in the layout of the kernels."""
        return ItemFactors.from_rows(self.unit)

    def cosine_scores(self, items: Rows) -> FactorScores:
        """Score the catalogue by cosine similarity to each of these items."""  # (B, n_items)
        return FactorScores(self.unit[items], self.unit_factors)


def unit_length(vectors: Floats) -> Floats:
    """Scale each row to length 1; a zero row stays zero."""  # (n, f)
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    return (wide * inverse(lengths)[:, np.newaxis]).astype(np.float32)
