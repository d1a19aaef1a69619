"""S_user · R · S_item: scores from similar users, from similar items, and from both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.bundle.declarations import Csr, FeatureTable
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import ConfigError, require_known
from shortlist.models.base import Fitted, Model
from shortlist.models.config import chosen_settings
from shortlist.models.feature_similarity import FeatureSimilarity, encoding_bytes
from shortlist.models.hybrid.terms import (
    FORMS,
    HybridConfig,
    feature_similarities,
    item_rows,
    product,
    scale_factors,
    user_rows,
)
from shortlist.models.hybrid.tuning import NEIGHBORS, tune
from shortlist.models.neighborhood import (
    Neighborhood,
    keep_rows,
    memory_of_neighbors,
    product_parts,
)
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Floats, Scores, SparseScores
from shortlist.scoring.sparse import binary, empty, one_hot, transposed


@dataclass(frozen=True)
class HybridLearned:
    """The rows of users, and the similarities of items."""

    # Users as rows to compare; rows of users without a history are empty.
    users: Annotated[csr_array, Csr("n_users", "n_items | n_items + d_users", ascending=False)]
    user_features: Annotated[  # a FeatureSimilarity, if users are compared by features
        pa.Table | None, FeatureTable("d_users", FeatureSimilarity.from_table, optional=True)
    ]
    # What an item of the history (row) adds to other items (columns).
    item_similarity: Annotated[csr_array, Csr("n_items", "n_items")]
    settings: Annotated[Mapping[str, Any], chosen_settings(HybridConfig)]

    @cached_property
    def user_similarity(self) -> FeatureSimilarity | None:
        """The feature similarity of users."""
        table = self.user_features
        return None if table is None else FeatureSimilarity.from_table(table)

    @cached_property
    def neighborhood(self) -> Neighborhood:
        """The users as candidates for neighbours."""
        return Neighborhood.by_product(self.users)

    @cached_property
    def item_neighbors(self) -> csr_array:
        """The neighbours of each item, one row per item."""  # (n_items, n_items)
        return transposed(self.item_similarity)


class Hybrid(Model[HybridConfig, HybridLearned]):
    """Combine user and item similarity, from choices and from features.

    ``score = a S_u R + b R S_i + c S_u R S_i`` (Wang, de Vries & Reinders, SIGIR 2006), where
    ``S_u(q, v) = cos(choices) + w_u cos(features)`` over the nearest users and
    ``S_i(i, j) = cos(users) + w_i cos(features)`` over the nearest items. Choices and features are
    concatenated, each block of length 1 times the square root of its weight, so that one dot
    product is the sum. The similarity matrix of users is never built: neighbours are found for one
    block of queries at a time.

    By default the weights and numbers of neighbours are chosen on a validation fold. A query
    without a history gets a list from its features alone. :meth:`form` returns the forms of the
    study notes.

    Examples
    --------
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> model = Hybrid.form("user action").fit(Dataset.from_tables(log))
    >>> model.recommend([3], k=1).column("item_id")
    ['b']
    """

    learns_quickly = True
    features_with_history = True

    @property
    def uses_features(self) -> bool:  # type: ignore[override]
        """Whether users are compared by features, which can then replace a history."""
        config = self.config
        return config.user_blocks != "action" and bool(config.user_term or config.both_term)

    @property
    def uses_item_features(self) -> bool:
        """Whether items are compared by features."""
        return self.config.item_blocks != "interactions" and self._compares_items

    @property
    def uses_weights(self) -> bool:
        """Whether items are compared by their users' weights."""
        by_weight = self.config.item_weighting == "weighted"
        return by_weight and self.config.item_blocks != "features" and self._compares_items

    @property
    def bytes_per_query(self) -> int:
        """The memory for one query: the default, three terms, and the neighbours."""
        settings, n_users = self.used, self.data.n_users
        counts = (settings.user_neighbors, settings.cold_neighbors)
        width = max(min(count or n_users, n_users) for count in counts)
        return super().bytes_per_query + 24 * self.data.n_items + 32 * width

    with_less_memory = "choose fewer item_neighbors, or keep fewer items"

    def memory_to_fit(self, data: Dataset) -> int:
        """Return the bytes of neighbours, of all that are tried where they are chosen."""
        count = self.config.item_neighbors
        features = encoding_bytes(data)
        if not features:
            return memory_of_neighbors(data, count, NEIGHBORS)
        most = max(NEIGHBORS) if isinstance(count, str) else count or data.n_items
        neighbors = 24 * data.n_items * min(most, data.n_items)
        return neighbors + features + 24 * data.n_interactions

    @classmethod
    def form(cls, name: str) -> Self:
        """Return a form of the study notes, by name (``shortlist.models.hybrid.terms.FORMS``).

        Raises
        ------
        ConfigError
            There is no form of that name.
        """
        require_known(name, FORMS, f"there is no form {name!r}", ConfigError)
        return cls(**FORMS[name])

    def learn(self, data: Dataset) -> Fitted[HybridLearned]:
        """Choose the settings on a validation fold; then compare all items."""
        config, settings = self.config, tune(self.config, data)
        of_users, of_items = feature_similarities(config, data)
        features, weight = data.user_features, settings["user_feature_weight"]
        users = user_rows(config, data.matrix, of_users, features, weight)
        users = keep_rows(users, data.user_counts > 0)  # others contribute nothing as neighbours
        items = item_rows(config, data, of_items, settings["item_feature_weight"])
        own_rows = None if config.self_similarity else np.arange(data.n_items, dtype=np.int32)
        count = settings["item_neighbors"]
        near = Neighborhood.by_product(items).best_in_blocks(items, own_rows, count)
        table = None if of_users is None else of_users.to_table()
        return Fitted(HybridLearned(users, table, transposed(near), settings))

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Accept also queries that share a feature with a user who has a history."""
        scorable = super().can_score(profiles)
        if self.config.user_blocks == "features" and not self.used.item_term:
            scorable[:] = False  # no term uses the history
        new = np.flatnonzero(~scorable)
        if len(new) and self._compares_users and profiles.features is not None:
            features = profiles.features.take(pa.array(new))
            rows = self._user_rows(profiles.history[new], features)
            scorable[new] = self.learned.neighborhood.has_neighbors(rows)
        return scorable

    def score(self, profiles: Profiles) -> Scores:
        """Compute the weighted sum of the three terms."""
        block = np.zeros((len(profiles), self.data.n_items), dtype=np.float32)
        for weight, term in self._terms(profiles, self._neighbors(profiles)).values():
            scale = weight * scale_factors(term, self.config.rescaled)
            term *= scale.astype(np.float32)[:, np.newaxis]
            block += term
        return DenseScores(block)

    def unused_features(self, table: pa.Table) -> dict[str, str]:
        """Return why values of user features have no effect, by column."""
        similarity = self.learned.user_similarity
        return {} if similarity is None else similarity.unused(table)

    def similar_scores(self, items: Rows) -> Scores:
        """Score by the similarities of each item's neighbours."""
        return SparseScores(one_hot(items, self.data.n_items), self.learned.item_neighbors)

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Yield the contributions of similar users, chosen items, and items of similar users.

        Where a query has features and no history, the features are what users share with it; then
        the contributions of these features are yielded instead.
        """
        if self._compares_users and not profiles.has_history[0]:
            yield from self._feature_parts(profiles, items)
            return
        near, learned = self._neighbors(profiles), self.learned
        by_term = []
        for name, (weight, term) in self._terms(profiles, near).items():
            entries, matrix, vocabulary = near, self.data.choices, self.data.users
            if name != "similar user":
                by_users = name == "chosen by similar users"
                entries = csr_array(product(near, matrix)) if by_users else binary(profiles.history)
                matrix, vocabulary = learned.item_similarity, self.data.items
            factor = weight * scale_factors(term, self.config.rescaled)[0]
            by_term.append(product_parts(name, entries, matrix, vocabulary, items, factor))
        for parts in zip(*by_term, strict=True):
            yield list(parts)

    def _feature_parts(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Yield the contribution of each feature of a query without a history.

        A score is a sum over the nearest users v of ``sim(q, v) = sum_d q_d v_d``; summed over the
        users first, it is a sum over the features d.
        """
        learned, n_items = self.learned, self.data.n_items
        query = self._user_rows(profiles.history, profiles.features)
        near = self._neighbors(profiles)
        users = learned.users[near.indices][:, query.indices].multiply(query.data)  # (v, d)
        shared = users.tocsr().astype(np.float64).T.tocsr()
        choices = self.data.choices[near.indices]  # (v, n_items)
        amounts = np.zeros((shared.shape[0], len(items)))
        for name, (weight, term) in self._terms(profiles, near).items():
            factor = weight * scale_factors(term, self.config.rescaled)[0]
            if name == "similar user":
                chosen = choices[:, items]
            elif name == "chosen by similar users":
                chosen = choices @ learned.item_similarity[:, items]
            else:
                continue  # a history without items adds nothing
            amounts += factor * (shared @ chosen.astype(np.float64)).toarray()
        names = self._feature_names(profiles, query.indices - n_items)
        distinct, name_of = np.unique(names, return_inverse=True)
        for column in amounts.T:
            sums = np.bincount(name_of, column, len(distinct))
            kept = sums != 0
            yield [Parts("feature", pa.array(distinct[kept], pa.string()), sums[kept])]

    def _feature_names(self, profiles: Profiles, rows: Rows) -> NDArray[np.str_]:
        """Name encoded features of the users; all of a number are named like ``year=1995``."""
        similarity = self.learned.user_similarity
        if similarity is None or profiles.features is None:
            return np.empty(0, dtype=np.str_)
        encoder = similarity.encoder
        names = np.array(encoder.names)[rows]
        for column, block in encoder.blocks.items():
            of_number = [
                n
                for n, row in enumerate(rows.tolist())
                if block.start <= row < block.stop and not names[n].startswith(f"{column}=")
            ]
            value = profiles.features.column(column)[0].as_py() if of_number else None
            names = names.astype(object)
            for n in of_number:
                names[n] = f"{column}={value}"
        return names.astype(np.str_)

    @property
    def _compares_users(self) -> bool:
        return bool(self.used.user_term or self.used.both_term)

    @property
    def _compares_items(self) -> bool:
        return bool(self.used.item_term or self.used.both_term)

    def _user_rows(self, history: csr_array, features: pa.Table | None) -> csr_array:
        similarity, weight = self.learned.user_similarity, self.used.user_feature_weight
        return user_rows(self.config, history, similarity, features, weight)

    def _neighbors(self, profiles: Profiles) -> csr_array:
        """Find the most similar training users of each query, if a term needs them."""
        learned, n_users = self.learned, self.data.n_users  # (B, n_users)
        if not self._compares_users:
            return empty(len(profiles), n_users)
        rows = self._user_rows(profiles.history, profiles.features)
        own_rows = None if self.config.self_similarity else profiles.users
        known, cold = self.used.user_neighbors or n_users, self.used.cold_neighbors or n_users
        counts = np.where(profiles.has_history, known, cold)  # (B,)
        largest = int(counts.max(initial=1))
        return learned.neighborhood.ranked(rows, own_rows, largest).sparse(counts)

    def _terms(self, profiles: Profiles, near: csr_array) -> dict[str, tuple[float, Floats]]:
        """Return the terms with a weight above 0, and their weights."""
        settings, similarity = self.used, self.learned.item_similarity
        terms: dict[str, tuple[float, Floats]] = {}
        if self._compares_users:
            by_users = product(near, self.data.choices)
            if settings.user_term:
                terms["similar user"] = settings.user_term, by_users
            if settings.both_term:
                by_both = product(csr_array(by_users), similarity)
                terms["chosen by similar users"] = settings.both_term, by_both
        if settings.item_term:
            by_items = product(binary(profiles.history), similarity)
            terms["chosen item"] = settings.item_term, by_items
        return terms
