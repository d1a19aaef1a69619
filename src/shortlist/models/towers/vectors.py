"""What models of two towers that score by a product of vectors have in common."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shortlist.data.vocabulary import Rows
from shortlist.models.towers.config import TowersConfig
from shortlist.models.towers.explanations import score_parts
from shortlist.models.towers.learned import TowersLearned
from shortlist.models.training.model import TrainedModel
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import FactorScores, Floats, ItemFactors, Scores

C = TypeVar("C", bound=TowersConfig)
L = TypeVar("L", bound=TowersLearned)


class TowerVectors(TrainedModel[C, L]):
    """Lists by products of vectors, and what follows from them."""

    @property
    def uses_features(self) -> bool:  # type: ignore[override]
        """Whether features can stand in for a history."""
        return self.config.features

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Say of whom an id, a history or a feature tells something."""
        return self.learned.can_score(profiles)

    def score(self, profiles: Profiles) -> Scores:
        """Multiply the vectors of queries and items."""
        return FactorScores(query_vectors(self.learned, profiles), self.learned.factors)

    def parts(self, profiles: Profiles, item: int) -> list[Parts]:
        """Give what the id, each feature and each chosen item add to a score."""
        return score_parts(self.learned, profiles, self.data, item)

    def similar_scores(self, items: Rows) -> Scores:
        """Score by the cosine of the item vectors, biases left out."""
        directions = self.learned.directions
        return FactorScores(directions[items], ItemFactors.from_rows(directions))

    def user_vectors(self) -> Floats:
        """Give the vector of every user in the training data."""  # (n_users, w)
        return query_vectors(self.learned, self.learned.profiles(self.data))

    def item_vectors(self) -> Floats:
        """Give the vector of every item: ``embedding_size`` numbers, then its bias if any."""
        return self.learned.items  # (n_items, w)


def query_vectors(learned: TowersLearned, profiles: Profiles) -> Floats:
    """Give the vectors of queries whose products with item vectors are scores."""  # (B, w)
    vectors = learned.users(profiles)
    if learned.biases:
        vectors[:, -1] = 1  # an item's bias stands for itself, and a user's changes no order
    return vectors
