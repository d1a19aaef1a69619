"""Cosine neighbourhoods: people like you chose this, or this goes with what you chose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows, Vocabulary
from shortlist.models.base import Fitted, Model
from shortlist.models.config import ModelConfig, Search, hyper
from shortlist.models.neighborhood import Neighborhood, inverse_lengths
from shortlist.models.weighting import Weighting, binary, column_importance, weighted
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Scores, SparseScores
from shortlist.scoring.sparse import inverse, row_scaled, row_sums, transposed


def _weighting(default: Weighting) -> Any:
    return hyper(
        default,
        "What similarity is computed on: binary, the weights as given (weighted), tfidf, or bm25.",
        search=Search(choices=("binary", "tfidf", "bm25")),
    )


def _shrinkage(default: float) -> Any:
    return hyper(
        default,
        "Added to the product of the lengths: pulls similarities that rest on little to 0.",
        ge=0,
        search=Search(1, 1000, "log"),
    )


class CosineConfig(ModelConfig):
    """Settings that both cosine models share."""

    neighbors: int | None = hyper(
        50,
        "How many of the most similar rows count; None: all of them.",
        ge=1,
        search=Search(5, 500, "log"),
    )
    weighting: Weighting = _weighting("binary")
    shrinkage: float = _shrinkage(0.0)
    self_similarity: bool = hyper(False, "Keep a row as its own neighbour (a diagonal of ones).")
    normalized: bool = hyper(False, "Divide by the sum of the similarities that were added up.")


class UserCosineConfig(CosineConfig):
    """Settings of :class:`UserCosine`."""


class ItemCosineConfig(CosineConfig):
    """Settings of :class:`ItemCosine`."""

    weighting: Weighting = _weighting("tfidf")
    shrinkage: float = _shrinkage(10.0)


@dataclass(frozen=True)
class UserCosineLearned:
    """The weighted history of every training user."""

    rows: csr_array  # (n_users, n_items)
    importance: NDArray[np.float64]  # (n_items,)
    average_length: float
    shrinkage: float

    @cached_property
    def neighborhood(self) -> Neighborhood:
        """The users, to find neighbours among."""
        return Neighborhood.by_cosine(self.rows, self.shrinkage)


class UserCosine(Model[UserCosineConfig, UserCosineLearned]):
    """Score an item by the similarity of the users who chose it.

    ``score(u, i) = sum over the neighbours v of u of sim(u, v) R_vi``, with
    ``sim(u, v) = u . v / (|u| |v| + shrinkage)``; R holds 1 for each interaction, or its weight
    with ``weighting="weighted"``. With ``neighbors=None, self_similarity=True, normalized=True``
    these are the numbers of scikit-learn's ``cosine_similarity(R) @ R / |S|.sum(axis=1)``. The
    normaliser depends on the user only, so it never changes an order.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> UserCosine().fit(Dataset.from_tables(log)).recommend([3], k=1).column("item_id")
    ['b']
    """

    def learn(self, data: Dataset) -> Fitted[UserCosineLearned]:
        """Weight the histories; neighbours are found when they are asked for."""
        importance = column_importance(data.matrix, self.config.weighting)
        average = data.n_interactions / max(data.n_users, 1)
        rows = weighted(data.matrix, self.config.weighting, importance, average)
        return Fitted(UserCosineLearned(rows, importance, average, self.config.shrinkage))

    def score(self, profiles: Profiles) -> Scores:
        """Add up what the neighbours of each query chose."""
        return SparseScores(self._neighborhood(profiles), self._chosen())

    def parts(self, profiles: Profiles, item: int) -> list[Parts]:
        """Give what each neighbour who chose the item adds."""
        near = self._neighborhood(profiles)
        amounts = near.data * self._chosen()[near.indices][:, [item]].toarray()[:, 0]
        return _nonzero("similar user", self.data.users, near.indices, amounts)

    def similar_scores(self, items: Rows) -> Scores:
        """Score for people whose only choice is each of these items."""
        return self.score(Profiles.new(_one_item_each(items, self.data.n_items)))

    @property
    def bytes_per_query(self) -> int:
        """Add the neighbours to what everybody needs."""
        width = self.config.neighbors or self.data.n_users
        return super().bytes_per_query + 32 * min(width, self.data.n_users)

    def _neighborhood(self, profiles: Profiles) -> csr_array:
        """Give the neighbours of each query, by likeness."""  # (B, n_users)
        learned, config = self.learned, self.config
        rows = weighted(
            profiles.history, config.weighting, learned.importance, learned.average_length
        )
        near = learned.neighborhood.nearest(
            rows,
            inverse_lengths(rows),
            None if config.self_similarity else profiles.users,
            config.neighbors,
        )
        if config.normalized:
            near = row_scaled(near, inverse(row_sums(near)))
        return near

    def _chosen(self) -> csr_array:
        """Give what a neighbour's choice counts."""  # (n_users, n_items)
        weighted_choice = self.config.weighting == "weighted"
        return self.data.matrix if weighted_choice else self.data.choices


@dataclass(frozen=True)
class ItemCosineLearned:
    """How much a chosen item (row) speaks for another (column)."""

    similarity: csr_array  # (n_items, n_items)

    @cached_property
    def neighbors(self) -> csr_array:
        """The neighbours of each item (row), by likeness."""  # (n_items, n_items)
        return transposed(self.similarity)


class ItemCosine(Model[ItemCosineConfig, ItemCosineLearned]):
    """Score an item by its similarity to what the user chose.

    ``score(u, i) = sum over j in u's history and among the neighbours of i of R_uj sim(i, j)``,
    with ``sim(i, j) = i . j / (|i| |j| + shrinkage)`` over the users who chose them (Deshpande &
    Karypis, TOIS 2004). ``normalized`` divides each item's list of neighbours by its sum, as they
    do.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> ItemCosine().fit(Dataset.from_tables(log)).recommend([3], k=1).column("item_id")
    ['b']
    """

    def learn(self, data: Dataset) -> Fitted[ItemCosineLearned]:
        """Find the neighbours of every item, block by block."""
        config = self.config
        by_item = transposed(data.matrix)
        importance = column_importance(by_item, config.weighting)
        average = data.n_interactions / max(data.n_items, 1)
        rows = weighted(by_item, config.weighting, importance, average)
        nearest = Neighborhood.by_cosine(rows, config.shrinkage).nearest_in_blocks(
            rows,
            inverse_lengths(rows),
            None if config.self_similarity else np.arange(data.n_items, dtype=np.int32),
            config.neighbors,
        )
        if config.normalized:
            nearest = row_scaled(nearest, inverse(row_sums(nearest)))
        return Fitted(ItemCosineLearned(transposed(nearest)))

    def score(self, profiles: Profiles) -> Scores:
        """Add up the similarities from the items of each history."""
        return SparseScores(self._history(profiles), self.learned.similarity)

    def parts(self, profiles: Profiles, item: int) -> list[Parts]:
        """Give what each item of the history adds."""
        history = self._history(profiles)
        amounts = history.data * self.learned.similarity[history.indices][:, [item]].toarray()[:, 0]
        return _nonzero("chosen item", self.data.items, history.indices, amounts)

    def _history(self, profiles: Profiles) -> csr_array:
        weighted_choice = self.config.weighting == "weighted"
        return profiles.history if weighted_choice else binary(profiles.history)

    def similar_scores(self, items: Rows) -> Scores:
        """Give the neighbours of each item."""
        return SparseScores(_one_item_each(items, self.data.n_items), self.learned.neighbors)


def _nonzero(
    kind: str, vocabulary: Vocabulary, rows: Rows, amounts: NDArray[np.floating]
) -> list[Parts]:
    kept = amounts != 0
    return [Parts(kind, vocabulary.take(rows[kept]), amounts[kept].astype(np.float64))]


def _one_item_each(items: Rows, n_items: int) -> csr_array:
    """Describe one person for each item, who chose only that."""  # (len(items), n_items)
    count = len(items)
    ones = np.ones(count, dtype=np.float32)
    return csr_array((ones, items, np.arange(count + 1)), shape=(count, n_items))
