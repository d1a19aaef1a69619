"""S_user · R · S_item: people like you, things like those, and both at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import ConfigError, suggestion
from shortlist.models.base import Fitted, Model
from shortlist.models.hybrid.config import FORMS, HybridConfig
from shortlist.models.hybrid.terms import (
    ALL,
    Settings,
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
from shortlist.models.neighborhood import Neighborhood, only
from shortlist.models.weighting import binary
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Floats, Scores, SparseScores
from shortlist.scoring.sparse import empty, transposed


@dataclass(frozen=True)
class HybridLearned:
    """Users to compare with, and the similarities between items."""

    users: csr_array  # (n_users, n_items + d_users), empty rows where nothing was chosen
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
    without a history gets a list from their features alone. :meth:`form` makes the notes' forms.

    Examples
    --------
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> model = Hybrid.form("user action").fit(Dataset.from_tables(log))
    >>> model.recommend([3], k=1).column("item_id")
    ['b']
    """

    @property
    def uses_features(self) -> bool:  # type: ignore[override]
        """Whether features can stand in for a history: if users are compared by them."""
        config = self.config
        return config.user_blocks != "action" and bool(config.user_term or config.both_term)

    @property
    def bytes_per_query(self) -> int:
        """Add three terms, of which one also as sparse rows, and the neighbours."""
        settings, n_users = self.learned.chosen, self.data.n_users
        counts = settings.user_neighbors, settings.cold_neighbors
        width = n_users if ALL in counts else min(max(counts), n_users)
        return super().bytes_per_query + 24 * self.data.n_items + 32 * width

    @classmethod
    def form(cls, name: str) -> Self:
        """Make one of the notes' forms, by its name in ``shortlist.models.hybrid.config.FORMS``.

        Raises
        ------
        ConfigError
            There is no form of that name.
        """
        if name not in FORMS:
            raise ConfigError(f"there is no form {name!r}", remedy=suggestion(name, FORMS))
        return cls(**FORMS[name])

    def learn(self, data: Dataset) -> Fitted[HybridLearned]:
        """Decide what is to be tuned on a fold of the data; then compare all of its items."""
        from shortlist.models.hybrid.tuning import tune

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
        users = only(users, data.user_counts > 0)  # others have nothing to say as neighbours
        items = item_rows(
            data,
            among_items,
            config.item_blocks,
            config.item_weighting,
            settings.item_feature_weight,
        )
        similarity = item_similarity(items, config.self_similarity, settings.item_neighbors)
        table = None if among_users is None else among_users.to_table()
        return Fitted(HybridLearned(users, table, similarity, settings._asdict()))

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Add who has a feature in common with a user who chose something."""
        known = super().can_score(profiles)
        if self.config.user_blocks == "features" and not self.learned.chosen.item_term:
            known[:] = False  # a history says nothing here
        new = np.flatnonzero(~known)
        if len(new) and self._compares_users and profiles.features is not None:
            features = profiles.features.take(pa.array(new))
            known[new] = self.learned.neighborhood.meets(
                self._user_rows(profiles.history[new], features)
            )
        return known

    def score(self, profiles: Profiles) -> Scores:
        """Add the three terms up."""
        block = np.zeros((len(profiles), self.data.n_items), dtype=np.float32)
        for weight, term in self._terms(profiles, self._neighbors(profiles)).values():
            scale = weight * factors(term, self.config.rescaled)
            term *= scale.astype(np.float32)[:, np.newaxis]
            block += term
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
        choices = self.data.choices
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

    @property
    def _compares_users(self) -> bool:
        settings = self.learned.chosen
        return bool(settings.user_term or settings.both_term)

    def _user_rows(self, history: csr_array, features: pa.Table | None) -> csr_array:
        return user_rows(
            history,
            self.learned.likeness,
            features,
            self.config.user_blocks,
            self.learned.chosen.user_feature_weight,
        )

    def _neighbors(self, profiles: Profiles) -> csr_array:
        """Find the most similar training users of each query, if a term asks for them."""
        learned, n_users = self.learned, self.data.n_users  # (B, n_users)
        if not self._compares_users:
            return empty(len(profiles), n_users)
        rows = self._user_rows(profiles.history, profiles.features)
        itself = None if self.config.self_similarity else profiles.users
        counts = user_counts(profiles.history, learned.chosen, n_users)
        most = int(counts.max(initial=1))
        return learned.neighborhood.ranked(rows, None, itself, most).sparse(counts)

    def _terms(self, profiles: Profiles, near: csr_array) -> dict[str, tuple[float, Floats]]:
        """Give the terms of weight above 0, with their weights."""
        settings, similarity = self.learned.chosen, self.learned.item_similarity
        terms: dict[str, tuple[float, Floats]] = {}
        if settings.user_term or settings.both_term:
            liked = user_term(near, self.data.choices)
            if settings.user_term:
                terms["similar user"] = settings.user_term, liked
            if settings.both_term:
                spread = item_term(csr_array(liked), similarity)
                terms["chosen by similar users"] = settings.both_term, spread
        if settings.item_term:
            own = item_term(binary(profiles.history), similarity)
            terms["chosen item"] = settings.item_term, own
        return terms
