"""Content-based recommendation: items whose features are similar to those of the history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationInfo, field_validator
from scipy.sparse import csr_array, vstack

from shortlist.bundle.declarations import Csr, FeatureTable
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import ConfigError, InputError
from shortlist.kernels.scores import dense_max
from shortlist.machine import require_memory
from shortlist.models.automatic import choose
from shortlist.models.base import Fitted, Model
from shortlist.models.config import AUTO, Auto, Search, chosen_settings, hyper
from shortlist.models.feature_similarity import FeatureSimilarity, encoding_bytes
from shortlist.models.neighborhood import Neighborhood, keep_rows
from shortlist.models.partial import Growth
from shortlist.models.signals import SignalConfig, choose_signals, histories, strengths
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Scores, SparseScores
from shortlist.scoring.sparse import (
    binary,
    csr_arrays,
    empty,
    inverse,
    row_means,
    row_scaled,
    row_sums,
    transposed,
)

Aggregate: TypeAlias = Literal["sum", "mean", "max", "last", "recency"]
ORDERED = ("recency", "last")  # those that use the order of the history
SUMS = ("sum", "mean")  # those that count weights and dislikes


class ContentBasedConfig(SignalConfig):
    """Settings of :class:`ContentBased`."""

    aggregate: Aggregate | Auto = hyper(
        "auto",
        "How the similarities to several chosen items are combined: their sum, mean or maximum, "
        "that of the last item, or a sum that decays with age (recency); auto: all but the sum, "
        "the last two where there are times, chosen on a validation fold; the mean where "
        "weighting='weighted' or dislikes above 0 are given.",
        search=Search(choices=("mean", "max", "last", "recency")),
    )
    decay: float = hyper(
        0.5,
        "Weight of an item relative to the item chosen after it (aggregate recency).",
        gt=0,
        le=1,
        search=Search(0.2, 1.0, when=("aggregate", "recency")),
    )
    feature_weights: dict[str, float] | None = hyper(
        None,
        "Weights of the item columns in the similarity, 1 for columns that are not named; None: "
        "learned from which items are chosen by the same users.",
    )
    neighbors: int | None = hyper(
        50,
        "Number of users with similar features that stand in for a missing history; None: all.",
        ge=1,
    )
    seed: int = hyper(0, "Seeds the pairs that the weights are learned from.", ge=0)

    @field_validator("aggregate")
    @classmethod
    def _counts_signals(cls, value: Aggregate | Auto, info: ValidationInfo) -> Aggregate | Auto:
        signals = _to_count(info.data)
        if signals and value not in (*SUMS, AUTO):
            raise ValueError(f"only sum and mean count {signals}; leave it out, or choose one")
        return value


def _to_count(settings: Mapping[str, Any]) -> str:
    """Return which weights and dislikes the caller wants to count, in words; "" for none."""
    without = {"weighting": "binary", "dislikes": 0}
    given = {name: settings.get(name, AUTO) for name in without}
    return " and ".join(
        f"{name}={value!r}" for name, value in given.items() if value not in (AUTO, without[name])
    )


@dataclass(frozen=True)
class ContentBasedLearned:
    """Encoded items; and encoded users with their profiles, if users have features."""

    items: Annotated[csr_array, Csr("n_items", "d", ascending=False)]  # products: similarities
    item_similarity: Annotated[pa.Table, FeatureTable("d", FeatureSimilarity.from_table)]
    # Encoded users, empty rows for those without a profile: the mean of the items that they chose.
    users: Annotated[csr_array | None, Csr("n_users", "d_users", ascending=False, optional=True)]
    user_similarity: Annotated[
        pa.Table | None, FeatureTable("d_users", FeatureSimilarity.from_table, optional=True)
    ]
    user_profiles: Annotated[csr_array | None, Csr("n_users", "d", ascending=False, optional=True)]
    settings: Annotated[Mapping[str, Any], chosen_settings(ContentBasedConfig)]

    @cached_property
    def by_feature(self) -> csr_array:
        """The items, transposed."""  # (d, n_items)
        return transposed(self.items)

    @cached_property
    def feature_names(self) -> pa.Array:
        """A name for each item feature."""  # (d,)
        encoder = FeatureSimilarity.from_table(self.item_similarity).encoder
        return pa.array(encoder.names, pa.string())

    @cached_property
    def neighborhood(self) -> tuple[FeatureSimilarity, Neighborhood] | None:
        """The encoding of users, and the training users as candidates for neighbours."""
        if self.users is None or self.user_similarity is None:
            return None
        similarity = FeatureSimilarity.from_table(self.user_similarity)
        return similarity, Neighborhood.by_product(self.users)


def _with_users(
    learned: ContentBasedLearned, data: Dataset, of_users: FeatureSimilarity | None
) -> ContentBasedLearned:
    """Add the encoded users, if they have features, and their profiles."""
    if of_users is None or data.user_features is None:
        return learned
    entries = int(np.diff(learned.items.indptr)[data.item_rows].sum())
    require_memory(
        f"the profiles of {data.n_users:,} users for ContentBased",
        24 * entries,
        "keep fewer columns of the items, or shorter texts",
    )
    profiles = row_means(strengths(data, learned.settings["weighting"]), learned.items)
    has_profile = np.diff(profiles.indptr) > 0
    users = keep_rows(of_users.rows(data.user_features), has_profile)
    table = of_users.to_table()
    return replace(learned, users=users, user_similarity=table, user_profiles=profiles)


class ContentBased(Model[ContentBasedConfig, ContentBasedLearned]):
    """Score an item by its similarity to the history (by default a Rocchio profile).

    The similarity of two items is the weighted mean of the cosines of their columns (genres, year,
    keywords, ...). For a history H, ``aggregate`` combines the similarities: ``sum`` adds
    ``sim(j, i)`` over j in H; ``mean`` divides the sum by ``|H|``, which keeps the order; ``max``
    takes the largest; ``last`` uses the last chosen item only; ``recency`` adds
    ``decay^age sim(j, i)``, where the last item has age 0.

    A user without a history but with features gets the mean profile of the users with the most
    similar features. An item can be scored without having been chosen before.

    Examples
    --------
    >>> log = pa.table({"user_id": [1, 2], "item_id": [10, 30]})
    >>> films = pa.table({"item_id": [10, 20, 30], "genres": [["War"], ["War"], ["Drama"]]})
    >>> model = ContentBased().fit(Dataset.from_tables(log, items=films))
    >>> model.recommend([1], k=1).column("item_id")
    [20]
    """

    uses_features = True
    features_with_history = False
    needs_item_features = True

    @property
    def uses_order(self) -> bool:  # type: ignore[override]
        """Whether the order of the history matters."""
        return (self.config if self._learned is None else self.used).aggregate in ORDERED

    @property
    def bytes_per_query(self) -> int:
        """The memory for one query: the default, and the neighbours."""
        width = self.config.neighbors or self.data.n_users
        return super().bytes_per_query + 32 * min(width, self.data.n_users)

    with_less_memory = "keep fewer columns of the items, or shorter texts"

    def memory_to_fit(self, data: Dataset) -> int:
        """Return the bytes of encoding items and users; profiles are checked once encoded."""
        return encoding_bytes(data)

    def learn(self, data: Dataset) -> Fitted[ContentBasedLearned]:
        """Encode the items and, if they have features, the users."""
        choices, config = data.choices, self.config
        if config.aggregate in ORDERED and data.times is None:
            raise ConfigError(
                f"aggregate={config.aggregate!r} needs times, and the interactions have none",
                remedy="name the time column (time=...), or use sum, mean or max",
            )
        similarity = FeatureSimilarity.learn(
            data.item_features, transposed(choices), weights=config.feature_weights,
            seed=config.seed,
        )  # fmt: skip
        if similarity is None or data.item_features is None:
            raise InputError(
                "ContentBased needs features of the items, and there are none it can use",
                remedy="give Dataset.from_tables an items table with columns besides the id",
            )
        items, table = similarity.rows(data.item_features), similarity.to_table()
        learned = ContentBasedLearned(items, table, None, None, None, {})
        learned = replace(learned, settings=self._settings_for(data, learned))
        of_users = FeatureSimilarity.learn(data.user_features, choices, seed=config.seed)
        return Fitted(_with_users(learned, data, of_users))

    def grow(self, growth: Growth) -> tuple[ContentBasedLearned, tuple[str, ...]]:
        """Encode all users and items as before: new ones enter by their features."""
        learned, near, features = self.learned, self.learned.neighborhood, growth.data.item_features
        assert features is not None  # those of before are kept
        items = FeatureSimilarity.from_table(learned.item_similarity).rows(features)
        bare = replace(learned, items=items, users=None, user_similarity=None, user_profiles=None)
        kept = ("the encoding of features and the weights of columns are those of the last fit",)
        return _with_users(bare, growth.data, None if near is None else near[0]), kept

    def _settings_for(self, data: Dataset, learned: ContentBasedLearned) -> dict[str, Any]:
        """Choose the aggregate; then weighting and dislikes, which only sums and means use."""

        def learn(_: Dataset, settings: Mapping[str, Any]) -> ContentBasedLearned:
            return replace(learned, settings=settings)

        # Another one must be better than the first by more than chance. Only sums use weights and
        # dislikes; without these the order of a history, where there is one, says most.
        ordered = ORDERED if data.times is not None else ()
        signals = data.weights_differ or data.dislikes is not None
        aggregates = ("mean", "max", *ordered) if signals else (*ordered, "mean", "max")
        if _to_count(self.settings):
            aggregates = ("mean",)
        settings = choose(self, data, (("aggregate", aggregates),), learn)
        if settings["aggregate"] in SUMS:
            chosen = type(self)(**self.settings | settings)
            return settings | choose_signals(chosen, data, (), learn)
        return settings | {"weighting": None, "dislikes": None}

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Accept also queries that share a feature with a user who has a profile."""
        scorable, neighborhood = super().can_score(profiles), self.learned.neighborhood
        new = np.flatnonzero(~scorable)
        if len(new) and neighborhood is not None and profiles.features is not None:
            similarity, users = neighborhood
            rows = similarity.rows(profiles.features.take(pa.array(new)))
            scorable[new] = users.has_neighbors(rows)
        return scorable

    def score(self, profiles: Profiles) -> Scores:
        """Compare each profile with every item."""
        learned = self.learned
        if self.used.aggregate == "max":
            indptr, indices, _ = csr_arrays(profiles.history)
            items = csr_arrays(learned.items), csr_arrays(learned.by_feature)
            best = dense_max(indptr, indices, *items)
            new = np.flatnonzero(~profiles.has_history)
            if len(new):
                neighbor_profiles = self._neighbor_profiles(profiles.take(new))
                best[new] = (neighbor_profiles @ learned.by_feature).toarray()
            return DenseScores(best)
        return SparseScores(self._profile_rows(profiles), learned.by_feature)

    def unused_features(self, table: pa.Table) -> dict[str, str]:
        """Return why values of user features have no effect, by column."""
        neighborhood = self.learned.neighborhood
        return {} if neighborhood is None else neighborhood[0].unused(table)

    def similar_scores(self, items: Rows) -> Scores:
        """Score by the similarity to each item."""
        return SparseScores(self.learned.items[items], self.learned.by_feature)

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Yield the contribution of each feature of the item, for each of these items."""
        learned = self.learned
        profile = self._profile_rows(profiles)
        takes_nearest = self.used.aggregate == "max" and profiles.history.nnz
        chosen = learned.items[profiles.history.indices]  # (n, d)
        for item in items:
            if takes_nearest:
                similarities = (chosen @ learned.items[[item]].T).toarray()[:, 0]
                profile = chosen[[int(similarities.argmax())]]
            shared = profile.multiply(learned.items[[item]]).tocsr()
            names = learned.feature_names.take(pa.array(shared.indices))
            yield [Parts("feature", names, shared.data.astype(np.float64))]

    def _profile_rows(self, profiles: Profiles) -> csr_array:
        """Return each query as a row over the item features."""  # (B, d)
        rows = csr_array(self._history_weights(profiles) @ self.learned.items)
        new = np.flatnonzero(~profiles.has_history)
        if not len(new):
            return rows
        row_of = np.arange(len(profiles))
        row_of[new] = len(profiles) + np.arange(len(new))
        neighbor_profiles = self._neighbor_profiles(profiles.take(new))
        return csr_array(vstack([rows, neighbor_profiles], format="csr"))[row_of]

    def _history_weights(self, profiles: Profiles) -> csr_array:
        """Return the weight of each item of the histories."""  # (B, n_items)
        history = binary(profiles.history)
        aggregate = self.used.aggregate
        if aggregate in SUMS:
            counted = histories(self, profiles)
            if aggregate == "sum":
                return counted
            return row_scaled(counted, inverse(row_sums(_positive(counted))))
        if profiles.recency is None:
            return history
        positions = profiles.recency.data.astype(np.float64)  # 1 for the last item
        weights = positions == 1 if aggregate == "last" else self.config.decay ** (positions - 1)
        values = weights.astype(np.float32)
        return csr_array((values, history.indices, history.indptr), shape=history.shape)

    def _neighbor_profiles(self, profiles: Profiles) -> csr_array:
        """Return the mean profile of the users with the most similar features."""  # (B, d)
        neighborhood, user_profiles = self.learned.neighborhood, self.learned.user_profiles
        if neighborhood is None or user_profiles is None or profiles.features is None:
            return empty(len(profiles), self.learned.items.shape[1])
        similarity, users = neighborhood
        rows = similarity.rows(profiles.features)
        near = users.nearest(rows, None, self.config.neighbors)
        near.data = np.maximum(near.data, 0)  # ignore users with a negative similarity
        return csr_array(row_scaled(near, inverse(row_sums(near))) @ user_profiles)


def _positive(matrix: csr_array) -> csr_array:
    """Replace entries below 0 by 0."""
    data = np.maximum(matrix.data, 0)
    return csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)
