"""Content-based recommendation: things like what you chose, by what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import ConfigError, InputError
from shortlist.kernels.scores import dense_max
from shortlist.models.base import Fitted, Model
from shortlist.models.config import ModelConfig, Search, hyper
from shortlist.models.likeness import Likeness
from shortlist.models.neighborhood import Neighborhood, only
from shortlist.models.weighting import binary
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Scores, SparseScores
from shortlist.scoring.sparse import empty, inverse, parts, row_scaled, row_sums, transposed


class ContentBasedConfig(ModelConfig):
    """Settings of :class:`ContentBased`."""

    aggregate: Literal["sum", "mean", "max", "last", "recency"] = hyper(
        "mean",
        "What several chosen items say together: the sum or mean of their likenesses, the best of "
        "them, that of the last one, or a sum that fades with recency.",
        search=Search(choices=("mean", "max", "last", "recency")),
    )
    decay: float = hyper(
        0.8,
        "How much an item counts beside the one chosen after it (aggregate recency).",
        gt=0,
        le=1,
        search=Search(0.5, 1.0, when=("aggregate", "recency")),
    )
    feature_weights: dict[str, float] | None = hyper(
        None,
        "The weights of item columns in the likeness, those not named 1; None: learned from which "
        "items are chosen by the same users.",
    )
    neighbors: int | None = hyper(
        50,
        "How many users of like features speak for somebody without a history; None: all.",
        ge=1,
    )
    seed: int = hyper(0, "Seeds the pairs that weights are learned from.", ge=0)


@dataclass(frozen=True)
class ContentBasedLearned:
    """Encoded items; and encoded users with their tastes, where users have features."""

    items: csr_array  # (n_items, d)
    item_likeness: pa.Table
    users: csr_array | None  # (n_users, d_users), empty rows where there is no taste
    user_likeness: pa.Table | None
    tastes: csr_array | None  # (n_users, d), the mean of the items each user chose

    @cached_property
    def by_feature(self) -> csr_array:
        """The items, transposed."""  # (d, n_items)
        return transposed(self.items)

    @cached_property
    def feature_names(self) -> pa.Array:
        """A name for each item feature."""  # (d,)
        return pa.array(Likeness.from_table(self.item_likeness).encoder.names, pa.string())

    @cached_property
    def peers(self) -> tuple[Likeness, Neighborhood] | None:
        """How users are compared, and the training users to find like ones among."""
        if self.users is None or self.user_likeness is None:
            return None
        return Likeness.from_table(self.user_likeness), Neighborhood.by_product(self.users)


class ContentBased(Model[ContentBasedConfig, ContentBasedLearned]):
    """Score an item by its likeness to what the user chose (Rocchio's profile, by default).

    The likeness of two items is the weighted mean of the cosines of their columns (genres, year,
    keywords, ...). With several chosen items H: ``sum``: ``sum over j in H of sim(j, i)``;
    ``mean``: that over ``|H|`` (the same order); ``max``: ``max over j of sim(j, i)``; ``last``:
    that of the last chosen; ``recency``: ``sum of decay^age sim(j, i)``, the age counted back from
    the last.

    Somebody without a history but with features gets the mean profile of the users with the most
    similar features. Nothing of the model depends on an item having been chosen before.

    Examples
    --------
    >>> log = pa.table({"user_id": [1, 2], "item_id": [10, 30]})
    >>> films = pa.table({"item_id": [10, 20, 30], "genres": [["War"], ["War"], ["Drama"]]})
    >>> model = ContentBased().fit(Dataset.from_tables(log, items=films))
    >>> model.recommend([1], k=1).column("item_id")
    [20]
    """

    uses_features = True
    needs_item_features = True

    @property
    def uses_order(self) -> bool:  # type: ignore[override]
        """Whether it matters what was chosen last."""
        return self.config.aggregate in ("last", "recency")

    @property
    def bytes_per_query(self) -> int:
        """Add the users of like features to what everybody needs."""
        width = self.config.neighbors or self.data.n_users
        return super().bytes_per_query + 32 * min(width, self.data.n_users)

    def learn(self, data: Dataset) -> Fitted[ContentBasedLearned]:
        """Encode the items and, where they have features, the users."""
        chosen, config = data.choices, self.config
        if self.uses_order and data.times is None:
            raise ConfigError(
                f"aggregate={config.aggregate!r} needs times, and the interactions have none",
                remedy="name the time column (time=...), or choose sum, mean or max",
            )
        likeness = Likeness.learn(
            data.item_features, transposed(chosen), given=config.feature_weights, seed=config.seed
        )
        if likeness is None or data.item_features is None:
            raise InputError(
                "ContentBased needs features of the items, and there are none it can use",
                remedy="give Dataset.from_tables an items table with columns besides the id",
            )
        items = likeness.rows(data.item_features)
        among_users = Likeness.learn(data.user_features, chosen, seed=config.seed)
        if among_users is None or data.user_features is None:
            return Fitted(ContentBasedLearned(items, likeness.to_table(), None, None, None))
        tastes = row_scaled(csr_array(chosen @ items), inverse(data.user_counts.astype(np.float64)))
        users = only(among_users.rows(data.user_features), np.diff(tastes.indptr) > 0)
        return Fitted(
            ContentBasedLearned(items, likeness.to_table(), users, among_users.to_table(), tastes)
        )

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Add who has a feature in common with a user who has a taste."""
        known, peers = super().can_score(profiles), self.learned.peers
        new = np.flatnonzero(~known)
        if len(new) and peers is not None and profiles.features is not None:
            likeness, neighborhood = peers
            rows = likeness.rows(profiles.features.take(pa.array(new)))
            known[new] = neighborhood.meets(rows)
        return known

    def score(self, profiles: Profiles) -> Scores:
        """Compare each profile with every item."""
        learned = self.learned
        if self.config.aggregate == "max":
            indptr, indices, _ = parts(profiles.history)
            items = parts(learned.items), parts(learned.by_feature)
            best = dense_max(indptr, indices, *items)
            new = _new(profiles)
            if len(new):
                best[new] = (self._tastes(profiles.take(new)) @ learned.by_feature).toarray()
            return DenseScores(best)
        return SparseScores(self._profile(profiles), learned.by_feature)

    def similar_scores(self, items: Rows) -> Scores:
        """Give the likeness to each item."""
        return SparseScores(self.learned.items[items], self.learned.by_feature)

    def parts(self, profiles: Profiles, item: int) -> list[Parts]:
        """Give what each feature of the item adds."""
        learned = self.learned
        profile = self._profile(profiles)
        if self.config.aggregate == "max" and profiles.history.nnz:
            chosen = learned.items[profiles.history.indices]  # (n, d)
            likeness = (chosen @ learned.items[[item]].T).toarray()[:, 0]
            profile = chosen[[int(likeness.argmax())]]
        shared = profile.multiply(learned.items[[item]]).tocsr()
        names = learned.feature_names.take(pa.array(shared.indices))
        return [Parts("feature", names, shared.data.astype(np.float64))]

    def _profile(self, profiles: Profiles) -> csr_array:
        """Give each query as a point among the item features."""  # (B, d)
        mixed = csr_array(self._shares(profiles) @ self.learned.items)
        new = _new(profiles)
        if not len(new):
            return mixed
        row = np.arange(len(profiles))
        row[new] = len(profiles) + np.arange(len(new))
        tastes = self._tastes(profiles.take(new))
        return csr_array(vstack([mixed, tastes], format="csr"))[row]

    def _shares(self, profiles: Profiles) -> csr_array:
        """Say how much each item of a history counts."""  # (B, n_items)
        history = binary(profiles.history)
        aggregate = self.config.aggregate
        if aggregate == "mean":
            return row_scaled(history, inverse(row_sums(history)))
        if profiles.recency is None:
            return history
        places = profiles.recency.data.astype(np.float64)  # 1 for the last
        faded = places == 1 if aggregate == "last" else self.config.decay ** (places - 1)
        values = faded.astype(np.float32)
        return csr_array((values, history.indices, history.indptr), shape=history.shape)

    def _tastes(self, profiles: Profiles) -> csr_array:
        """Give the mean taste of the users with the most similar features."""  # (B, d)
        peers, tastes = self.learned.peers, self.learned.tastes
        if peers is None or tastes is None or profiles.features is None:
            return empty(len(profiles), self.learned.items.shape[1])
        likeness, neighborhood = peers
        rows = likeness.rows(profiles.features)
        near = neighborhood.nearest(rows, None, None, self.config.neighbors)
        near.data = np.maximum(near.data, 0)  # who is unlike says nothing
        return csr_array(row_scaled(near, inverse(row_sums(near))) @ tastes)


def _new(profiles: Profiles) -> NDArray[np.intp]:
    """Say which queries have no history."""
    return np.flatnonzero(np.diff(profiles.history.indptr) == 0)
