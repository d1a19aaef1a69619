"""Models of user and item vectors: scores are dot products, similarities are cosines."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.vocabulary import Rows
from shortlist.models.base import Model
from shortlist.models.config import ModelConfig
from shortlist.scoring.profiles import Profiles
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


class LearnedUserVectors(LearnedVectors):
    """Base class for learned dataclasses that also have vectors of all users, ``users``."""

    users: Floats  # (n_users, f)


C = TypeVar("C", bound=ModelConfig)
V = TypeVar("V", bound=LearnedUserVectors)


class VectorModel(Model[C, V]):
    """A model with a vector for every user and every item. Write :meth:`fold_in` and ``learn``."""

    @abstractmethod
    def fold_in(self, history: csr_array) -> Floats:
        """Compute the vectors of users with these histories, for fixed items."""  # (B, f)

    def score(self, profiles: Profiles) -> FactorScores:
        """Score by the vectors of known users, and fold in histories that training did not see."""
        vectors = self.learned.users[profiles.users]  # (B, f)
        changed = profiles.changed
        if changed.any():
            vectors[changed] = self.fold_in(profiles.history[changed])
        return FactorScores(vectors, self.learned.factors)

    def similar_scores(self, items: Rows) -> FactorScores:
        """Score by the cosine of the item vectors, without biases."""  # (B, n_items)
        return self.learned.cosine_scores(items)

    def user_vectors(self) -> Floats:
        """Return the vector of every user of the training data."""  # (n_users, f)
        return self.learned.users

    def item_vectors(self) -> Floats:
        """Return the vector of every item, biases last."""  # (n_items, f)
        return self.learned.items


def unit_length(vectors: Floats) -> Floats:
    """Scale each row to length 1; a zero row stays zero."""  # (n, f)
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    return (wide * inverse(lengths)[:, np.newaxis]).astype(np.float32)
