"""Cosine neighbourhoods: items that similar users chose, or items similar to the history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from shortlist.bundle.declarations import Array, Csr, Value
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import UNKNOWN, Rows
from shortlist.models.automatic import Step
from shortlist.models.base import Fitted, Model
from shortlist.models.config import Auto, ModelConfig, Search, chosen_settings, hyper
from shortlist.models.linear import NearestItems, SharedSearch
from shortlist.models.neighborhood import (
    Neighborhood,
    Weighting,
    column_importance,
    mean_length,
    product_parts,
    weighted,
    weighted_rows,
)
from shortlist.models.signals import DislikeWeight, choose_signals, dislikes_setting, histories
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Scores, SparseScores
from shortlist.scoring.sparse import inverse, one_hot, row_scaled, row_sums, transposed

_LARGEST = float(np.finfo(np.float32).max)  # the weights of interactions may be any finite numbers


USER_STEPS: tuple[Step, ...] = (
    ("neighbors", (50, 20, 100, 200, 500, 1000)),
    ("weighting", ("tfidf", "binary")),
    ("shrinkage", (0.0,)),
)
ITEM_STEPS: tuple[Step, ...] = (
    ("neighbors", (50,)),
    ("shrinkage", (50.0,)),
    ("weighting", ("tfidf", "binary")),
    ("shrinkage", (0.0, 10.0, 50.0, 200.0)),
    ("neighbors", (20, 50, 100, 200, 500, 1000)),
    ("weighting", ("tfidf", "binary")),
    ("shrinkage", (0.0, 10.0, 50.0, 200.0)),
)


class CosineConfig(ModelConfig):
    """Settings of :class:`UserCosine`."""

    neighbors: Annotated[int, Field(ge=1)] | Auto | None = hyper(
        "auto",
        "Number of nearest neighbours; None: all; auto: chosen on a validation fold.",
        search=Search(5, 1000, "log"),
    )
    weighting: Weighting | Auto = hyper(
        "auto",
        "Weights of interactions in the similarity: binary, as given (weighted), tfidf, or bm25; "
        "auto: chosen on a validation fold: binary, tfidf or, where weights differ, weighted.",
        search=Search(choices=("binary", "tfidf", "bm25")),
    )
    shrinkage: Annotated[float, Field(ge=0)] | Auto = hyper(
        "auto",
        "Added to the product of the lengths; pulls similarities with little evidence towards 0; "
        "auto: chosen on a validation fold.",
        search=Search(1, 1000, "log"),
    )
    self_similarity: bool = hyper(False, "Count a row as its own neighbour (a diagonal of ones).")
    normalized: bool = hyper(False, "Divide the scores by the sum of the neighbours' similarities.")


class ItemCosineConfig(CosineConfig):
    """Settings of :class:`ItemCosine`."""

    conditional: ClassVar = frozenset({"dislikes"})

    dislikes: DislikeWeight | Auto = dislikes_setting()


@dataclass(frozen=True)
class UserCosineLearned:
    """The weighted history of every training user."""

    rows: Annotated[csr_array, Csr("n_users", "n_items", low=0, high=_LARGEST)]
    importance: Annotated[
        NDArray[np.float64], Array("n_items", dtype=np.float64, low=0, high=_LARGEST)
    ]
    average_length: Annotated[float, Value(float, ge=0)]
    settings: Annotated[Mapping[str, Any], chosen_settings(CosineConfig)]

    @cached_property
    def neighborhood(self) -> Neighborhood:
        """The users as candidates for neighbours."""
        return Neighborhood.by_cosine(self.rows, self.settings["shrinkage"])


class UserCosine(Model[CosineConfig, UserCosineLearned]):
    """Score an item by the similarity of the users who chose it.

    ``score(u, i) = sum over the neighbours v of u of sim(u, v) R_vi``, with
    ``sim(u, v) = u . v / (|u| |v| + shrinkage)``; R holds 1 for each interaction, or its weight
    with ``weighting="weighted"``. With ``neighbors=None, self_similarity=True, normalized=True``
    these are the numbers of scikit-learn's ``cosine_similarity(R) @ R / |S|.sum(axis=1)``. The
    normaliser depends on the user only, so it never changes an order. Unless ``self_similarity`` is
    set, a user is not their own neighbour, and neither is a query with the user's whole history.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> UserCosine().fit(Dataset.from_tables(log)).recommend([3], k=1).column("item_id")
    ['b']
    """

    learns_quickly = True
    dense_scores = False

    def learn(self, data: Dataset) -> Fitted[UserCosineLearned]:
        """Weight the histories; neighbours are found when queries are scored."""
        settings = choose_signals(self, data, USER_STEPS)
        importance = column_importance(data.matrix, settings["weighting"])
        average = mean_length(data.matrix)
        rows = weighted(data.matrix, settings["weighting"], importance, average)
        return Fitted(UserCosineLearned(rows, importance, average, settings))

    def score(self, profiles: Profiles) -> Scores:
        """Sum the interactions of each query's neighbours, weighted by similarity."""
        return SparseScores(self._neighbors(profiles), self._interactions())

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Yield the contribution of each neighbour who chose the item, for each of these items."""
        near, users = self._neighbors(profiles), self.data.users
        for part in product_parts("similar user", near, self._interactions(), users, items):
            yield [part]

    def similar_scores(self, items: Rows) -> Scores:
        """Score for new users whose history is one of these items."""
        return self.score(Profiles.new(one_hot(items, self.data.n_items)))

    @property
    def bytes_per_query(self) -> int:
        """The memory for one query: the default, and the neighbours."""
        width = self.used.neighbors or self.data.n_users
        return super().bytes_per_query + 32 * min(width, self.data.n_users)

    def _neighbors(self, profiles: Profiles) -> csr_array:
        """Return the similarity of each query to its neighbours."""  # (B, n_users)
        learned, config = self.learned, self.used
        rows = weighted(
            profiles.history, config.weighting, learned.importance, learned.average_length
        )
        if config.self_similarity:
            near = learned.neighborhood.nearest(rows, None, config.neighbors)
        elif (profiles.users != UNKNOWN).all():
            near = learned.neighborhood.nearest(rows, profiles.users, config.neighbors)
        else:
            near = self._without_themselves(rows, profiles.users)
        if config.normalized:
            near = row_scaled(near, inverse(row_sums(near)))
        return near

    def _without_themselves(self, rows: csr_array, users: Rows) -> csr_array:
        """Leave out the first neighbour of each new user whose history is exactly the same.

        A user of the training data is not their own neighbour. A query with their whole history
        is not either, so both get the same list. Little is lost for a stranger with that history:
        such a neighbour chose no other items.
        """
        known, count = self.learned.rows, self.used.neighbors
        more = None if count is None else count + 1
        ranked = self.learned.neighborhood.ranked(rows, users, more)
        alike = (ranked.rows != UNKNOWN) & (users == UNKNOWN)[:, np.newaxis]
        alike &= np.diff(known.indptr)[ranked.rows] == np.diff(rows.indptr)[:, np.newaxis]
        left_out = np.zeros(len(users), dtype=np.int64)
        for query, position in np.argwhere(alike):
            neighbor = ranked.rows[query, position]
            own = slice(*rows.indptr[query : query + 2])
            other = slice(*known.indptr[neighbor : neighbor + 2])
            same = np.array_equal(rows.indices[own], known.indices[other])
            if same and not left_out[query] and np.array_equal(rows.data[own], known.data[other]):
                left_out[query] = 1
                ranked.rows[query, position] = UNKNOWN
        return ranked.sparse(None if count is None else count + left_out)

    def _interactions(self) -> csr_array:
        """Return the matrix R."""  # (n_users, n_items)
        return self.data.matrix if self.used.weighting == "weighted" else self.data.choices


@dataclass(frozen=True)
class ItemCosineLearned:
    """The similarities: what an item of the history (row) adds to other items (columns)."""

    similarity: Annotated[csr_array, Csr("n_items", "n_items", low=0)]
    settings: Annotated[Mapping[str, Any], chosen_settings(ItemCosineConfig)]

    @cached_property
    def neighbors(self) -> csr_array:
        """The neighbours of each item, one row per item."""  # (n_items, n_items)
        return transposed(self.similarity)


class ItemCosine(NearestItems[ItemCosineConfig, ItemCosineLearned]):
    """Score an item by its similarity to the items of the user's history.

    ``score(u, i) = sum over j in u's history and among the neighbours of i of R_uj sim(i, j)``,
    with ``sim(i, j) = i . j / (|i| |j| + shrinkage)`` over the users who chose them (Deshpande &
    Karypis, TOIS 2004). ``normalized`` divides each item's similarities by their sum, as they do.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> ItemCosine().fit(Dataset.from_tables(log)).recommend([3], k=1).column("item_id")
    ['b']
    """

    steps = ITEM_STEPS

    def search(self, data: Dataset) -> Callable[[Mapping[str, Any]], csr_array]:
        """Return the search for the most similar items."""
        rows = transposed(data.matrix)
        itself = None if self.config.self_similarity else np.arange(data.n_items, dtype=np.int32)

        def search(settings: Mapping[str, Any]) -> csr_array:
            items = weighted_rows(rows, settings["weighting"])
            neighborhood = Neighborhood.by_cosine(items, settings["shrinkage"])
            return neighborhood.best_in_blocks(items, itself, settings["neighbors"])

        return search

    def learned_from(self, search: SharedSearch, settings: Mapping[str, Any]) -> ItemCosineLearned:
        """Return the similarities, divided by their sums if the settings say so."""
        nearest = search({name: settings[name] for name, _ in USER_STEPS})
        similarity = transposed(nearest)
        if self.config.normalized:
            rows = transposed(similarity)
            similarity = transposed(row_scaled(rows, inverse(row_sums(rows))))
        return ItemCosineLearned(similarity, settings)

    @property
    def weights(self) -> csr_array:
        """The similarities."""
        return self.learned.similarity

    def weighted_history(self, profiles: Profiles) -> csr_array:
        """Return the weights of the interactions as they are."""
        return histories(self, profiles, unit=1.0)

    def similar_scores(self, items: Rows) -> Scores:
        """Score by the similarities of each item's neighbours."""
        return SparseScores(one_hot(items, self.data.n_items), self.learned.neighbors)
