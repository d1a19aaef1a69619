"""S_user · R · S_item: people like you, things like those, and both at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import ConfigError, suggestion
from shortlist.models.arrays import transposed
from shortlist.models.base import Model
from shortlist.models.capabilities import Parts
from shortlist.models.config import ModelConfig, hyper
from shortlist.models.hybrid_terms import (
    ItemBlocks,
    Settings,
    UserBlocks,
    factors,
    item_rows,
    item_similarity,
    item_term,
    likenesses,
    user_counts,
    user_rows,
    user_term,
)
from shortlist.models.likeness import Likeness
from shortlist.models.neighborhood import Neighborhood
from shortlist.models.profiles import Profiles
from shortlist.models.scores import DenseScores, Floats, Scores, SparseScores
from shortlist.models.weighting import Weighting, binary

Tuned = Literal["tuned"]


class HybridConfig(ModelConfig):
    """Settings of :class:`Hybrid`; what is ``"tuned"`` is found on a validation fold."""

    user_blocks: UserBlocks = hyper(
        "action+features",
        "What users are compared by: their choices, their features, one cosine over both side by "
        "side, or the sum of the two cosines.",
    )
    item_blocks: ItemBlocks = hyper(
        "interactions+features",
        "What items are compared by: who chose them, their features, or the sum of both cosines.",
    )
    item_weighting: Weighting = hyper(
        "tfidf", "How much a chooser counts in the similarity of items."
    )
    user_term: float | Tuned = hyper("tuned", "The weight a of S_user R.", ge=0)
    item_term: float | Tuned = hyper("tuned", "The weight b of R S_item.", ge=0)
    both_term: float | Tuned = hyper("tuned", "The weight c of S_user R S_item.", ge=0)
    user_feature_weight: float | Tuned = hyper(
        "tuned", "The weight of the features beside the 1 of the choices, between users.", ge=0
    )
    item_feature_weight: float | Tuned = hyper(
        "tuned", "The weight of the features beside the 1 of the choices, between items.", ge=0
    )
    user_neighbors: int | Tuned | None = hyper(
        "tuned", "How many of the most similar users count; None: all.", ge=1
    )
    item_neighbors: int | Tuned | None = hyper(
        "tuned", "How many of the most similar items count; None: all.", ge=1
    )
    cold_neighbors: int | Tuned | None = hyper(
        "tuned", "How many users speak for somebody without a history; None: all.", ge=1
    )
    self_similarity: bool = hyper(False, "Keep the diagonals of the similarities.")
    rescaled: bool = hyper(
        True, "Bring each term to at most 1 for each query before they are weighted and added."
    )
    seed: int = hyper(0, "Seeds the validation fold.", ge=0)


LITERAL: dict[str, Any] = {
    "user_neighbors": None,
    "item_neighbors": None,
    "cold_neighbors": None,
    "item_weighting": "binary",
    "self_similarity": True,
    "rescaled": False,
    "user_feature_weight": 1.0,
    "item_feature_weight": 1.0,
    "user_term": 0.0,
    "item_term": 0.0,
    "both_term": 0.0,
}
_ONLY_USERS, _ONLY_ITEMS, _BOTH = {"user_term": 1.0}, {"item_term": 1.0}, {"both_term": 1.0}

FORMS: dict[str, dict[str, Any]] = {
    "user action": LITERAL | _ONLY_USERS | {"user_blocks": "action"},
    "user features": LITERAL | _ONLY_USERS | {"user_blocks": "features"},
    "user concatenated": LITERAL | _ONLY_USERS | {"user_blocks": "concatenated"},
    "user action + features": LITERAL | _ONLY_USERS | {"user_blocks": "action+features"},
    "item interactions": LITERAL | _ONLY_ITEMS | {"item_blocks": "interactions"},
    "item features": LITERAL | _ONLY_ITEMS | {"item_blocks": "features"},
    "action x item interactions": LITERAL
    | _BOTH
    | {"user_blocks": "action", "item_blocks": "interactions"},
    "action x item features": LITERAL
    | _BOTH
    | {"user_blocks": "action", "item_blocks": "features"},
    "concatenated x item features": LITERAL
    | _BOTH
    | {"user_blocks": "concatenated", "item_blocks": "features"},
    "action + features x item features": LITERAL
    | _BOTH
    | {"user_blocks": "action+features", "item_blocks": "features"},
    "additive": {},
}
"""The notes' forms, by name: all neighbours, kept diagonals, nothing weighted, nothing tuned; and
the additive form, which is the default."""


@dataclass(frozen=True)
class HybridLearned:
    """Users to compare with, and the similarities between items."""

    users: csr_array  # (n_users, n_items + d_users)
    user_likeness: pa.Table | None
    item_similarity: csr_array  # (n_items, n_items): how much a row speaks for a column
    settings: Mapping[str, float]

    @cached_property
    def likeness(self) -> Likeness | None:
        """How the features of users are compared."""
        return None if self.user_likeness is None else Likeness.from_table(self.user_likeness)

    @cached_property
    def neighborhood(self) -> Neighborhood:
        """The users, to find neighbours among."""
        return Neighborhood.by_product(self.users)

    @cached_property
    def item_neighbors(self) -> csr_array:
        """The neighbours of each item (row), by likeness."""  # (n_items, n_items)
        return transposed(self.item_similarity)

    @property
    def chosen(self) -> Settings:
        """The numbers in use."""
        return Settings.of(self.settings)


class Hybrid(Model[HybridConfig, HybridLearned]):
    """Blend user and item similarity, from choices and from features.

    ``score = a S_u R + b R S_i + c S_u R S_i`` (Wang, de Vries & Reinders, SIGIR 2006), where
    ``S_u(q, v) = cos(choices) + w_u cos(features)`` over the nearest users and
    ``S_i(i, j) = cos(choosers) + w_i cos(features)`` over the nearest items. Rows are laid side by
    side, each block of length 1 times the root of its weight, so that one dot product is the sum.
    No similarity matrix between users is ever built: neighbours are found for the queries of a
    block.

    The weights and numbers of neighbours are found on a validation fold by default. Somebody
    without a history gets a list from their features alone. :data:`FORMS` are the notes' forms, by
    name.

    Examples
    --------
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> model = Hybrid.form("user action").fit(Dataset.from_tables(log))
    >>> model.recommend([3], k=1).column("item_id")
    ['b']
    """

    uses_features = True

    @classmethod
    def form(cls, name: str) -> Self:
        """Make one of the notes' forms.

        Raises
        ------
        ConfigError
            There is no form of that name.
        """
        if name not in FORMS:
            raise ConfigError(f"there is no form {name!r}", remedy=suggestion(name, FORMS))
        return cls(**FORMS[name])

    def learn(self, data: Dataset) -> HybridLearned:
        """Decide what is to be tuned on a fold of the data; then compare all of its items."""
        from shortlist.models.hybrid_tuning import tune

        settings = tune(self.config, data)
        config = self.config
        among_users, among_items = likenesses(config, data)
        users = user_rows(
            data.matrix,
            among_users,
            data.user_features,
            config.user_blocks,
            settings.user_feature_weight,
        )
        items = item_rows(
            data,
            among_items,
            config.item_blocks,
            config.item_weighting,
            settings.item_feature_weight,
        )
        similarity = item_similarity(items, config.self_similarity, settings.item_neighbors)
        table = None if among_users is None else among_users.to_table()
        return HybridLearned(users, table, similarity, settings._asdict())

    def score(self, profiles: Profiles) -> Scores:
        """Add the three terms up."""
        block = np.zeros((len(profiles), self.data.n_items), dtype=np.float32)
        for weight, term in self._terms(profiles, self._neighbors(profiles)).values():
            block += (weight * factors(term, self.config.rescaled)[:, np.newaxis]) * term
        return DenseScores(block)

    def similar_scores(self, items: Rows) -> Scores:
        """Give the similarities of each item."""
        count = len(items)
        entries = (np.ones(count, dtype=np.float32), items, np.arange(count + 1))
        one_each = csr_array(entries, shape=(count, self.data.n_items))
        return SparseScores(one_each, self.learned.item_neighbors)

    def parts(self, profiles: Profiles, item: int) -> list[Parts]:
        """Give what each like user adds, each chosen item, and each item that like users chose."""
        near, similarity = self._neighbors(profiles), self.learned.item_similarity
        choices = binary(self.data.matrix)
        found = []
        for name, (weight, term) in self._terms(profiles, near).items():
            factor = weight * factors(term, self.config.rescaled)[0]
            if name == "similar user":
                rows, vocabulary = near.indices, self.data.users
                amounts = near.data * choices[rows][:, [item]].toarray()[:, 0]
            else:
                history = binary(profiles.history)
                if name == "chosen by similar users":
                    history = csr_array(user_term(near, choices))
                rows, vocabulary = history.indices, self.data.items
                amounts = history.data * similarity[rows][:, [item]].toarray()[:, 0]
            kept = amounts != 0
            found.append(Parts(name, vocabulary.take(rows[kept]), factor * amounts[kept]))
        return found

    def _neighbors(self, profiles: Profiles) -> csr_array:
        """Find the most similar training users of each query."""  # (B, n_users)
        learned, settings = self.learned, self.learned.chosen
        rows = user_rows(
            profiles.history,
            learned.likeness,
            profiles.features,
            self.config.user_blocks,
            settings.user_feature_weight,
        )
        itself = None if self.config.self_similarity else profiles.users
        counts = user_counts(profiles.history, settings)
        most = int(counts.max(initial=1))
        return learned.neighborhood.ranked(rows, None, itself, most).sparse(counts)

    def _terms(self, profiles: Profiles, near: csr_array) -> dict[str, tuple[float, Floats]]:
        """Give the terms of weight above 0, with their weights."""
        settings, similarity = self.learned.chosen, self.learned.item_similarity
        terms: dict[str, tuple[float, Floats]] = {}
        if settings.user_term or settings.both_term:
            liked = user_term(near, binary(self.data.matrix))
            if settings.user_term:
                terms["similar user"] = settings.user_term, liked
            if settings.both_term:
                spread = item_term(csr_array(liked), similarity)
                terms["chosen by similar users"] = settings.both_term, spread
        if settings.item_term:
            own = item_term(binary(profiles.history), similarity)
            terms["chosen item"] = settings.item_term, own
        return terms
