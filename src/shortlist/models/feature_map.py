"""A linear map from features to learned vectors, for users and items without interactions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.bundle.declarations import Array, FeatureTable
from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureEncoder
from shortlist.models.config import Search, hyper
from shortlist.models.signals import WeightedConfig
from shortlist.models.towers.learned import encoded, feature_rows
from shortlist.models.vectors import LearnedUserVectors, LearnedVectors, VectorModel, Vectors
from shortlist.scoring.capabilities import Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats

_MAX_ITERATIONS = 200  # of conjugate gradients at most; the penalty keeps them below that
_TOLERANCE = 1e-6  # of the length of the right-hand side


@dataclass(frozen=True)
class FeatureMap:
    """The vector of features x is ``mean + x weights``."""

    encoder: FeatureEncoder
    mean: Floats  # (f,)
    weights: Floats  # (d, f)

    @classmethod
    def learn(
        cls, table: pa.Table | None, vectors: Floats, known: NDArray[np.bool_], penalty: float
    ) -> FeatureMap | None:
        """Regress the vectors (n, f) of the known rows (n,) on their features.

        Ridge regression: of all weights W it minimises ``sum |v - mean - x W|^2 + penalty |W|^2``,
        every row alike. None without features that can be encoded, or without known rows.
        """
        features = encoded(table)
        if features is None or not known.any():
            return None
        targets = vectors[known].astype(np.float64)
        mean = targets.mean(axis=0)
        inputs = csr_array(features.rows[known]).astype(np.float64)
        weights = _ridge(inputs, targets - mean, penalty)
        return cls(features.encoder, mean.astype(np.float32), weights.astype(np.float32))

    @classmethod
    def of(cls, stacked: Floats, table: pa.Table | None) -> FeatureMap | None:
        """Restore a map from :attr:`stacked` and the table of its encoder, or None."""
        if table is None:
            return None
        return cls(FeatureEncoder.from_table(table), stacked[-1], stacked[:-1])

    @property
    def stacked(self) -> Floats:
        """The weights, and the mean as the last row."""  # (d + 1, f)
        return np.concatenate([self.weights, self.mean[np.newaxis]])

    def rows(self, table: pa.Table) -> csr_array:
        """Encode features; a row without a known value is empty."""  # (n, d)
        return feature_rows(self.encoder, table)

    def vectors(self, rows: csr_array) -> Floats:
        """Return the vectors of encoded features; that of an empty row is zero."""  # (n, f)
        vectors: Floats = (self.mean + rows @ self.weights.astype(np.float64)).astype(np.float32)
        vectors[np.diff(rows.indptr) == 0] = 0
        return vectors

    def parts(self, table: pa.Table, others: NDArray[np.float64]) -> Iterator[list[Parts]]:
        """Split the products of the vector of one row and other vectors (k, f) into features."""
        row = self.rows(table)
        if not row.nnz:
            yield from ([] for _ in others)
            return
        names = pa.array(self.encoder.names, pa.string()).take(pa.array(row.indices))
        terms = row.data.astype(np.float64)[:, np.newaxis] * self.weights[row.indices]
        for other in others:
            mean = np.array([self.mean.astype(np.float64) @ other])
            shared = Parts("everybody", pa.array(["what all users share"]), mean)
            yield [shared, Parts("feature", names, terms @ other)]


class MappedConfig(WeightedConfig):
    """The settings of models with maps."""

    features: bool = hyper(
        False,
        "Also learn linear maps from features to vectors, for users and items without "
        "interactions. The other vectors stay the same.",
    )
    feature_regularization: float = hyper(
        0.3,
        "Weight of the squared numbers of these maps.",
        gt=0,
        search=Search(0.01, 10, "log", when=("features", True)),
    )


@dataclass(frozen=True)
class MappedVectors(LearnedUserVectors):
    """Vectors of users and items, and the maps with their encoders; empty without features."""

    users: Annotated[Floats, Array("n_users", "embedding_size")]
    items: Annotated[Floats, Array("n_items", "embedding_size")]
    user_map: Annotated[Floats, Array("0 | d_users + 1", "embedding_size")]
    user_encoder: Annotated[
        pa.Table | None, FeatureTable("d_users", FeatureEncoder.from_table, optional=True)
    ]
    item_map: Annotated[Floats, Array("0 | d_items + 1", "embedding_size")]
    item_encoder: Annotated[
        pa.Table | None, FeatureTable("d_items", FeatureEncoder.from_table, optional=True)
    ]

    @cached_property
    def user_features(self) -> FeatureMap | None:
        """The map of user features."""
        return FeatureMap.of(self.user_map, self.user_encoder)

    @cached_property
    def item_features(self) -> FeatureMap | None:
        """The map of item features."""
        return FeatureMap.of(self.item_map, self.item_encoder)


C = TypeVar("C", bound=MappedConfig)
V = TypeVar("V", bound=MappedVectors)


class MappedModel(VectorModel[C, V]):
    """The base of vector models that also score by features, if the settings ask for it."""

    features_with_history = False

    def learn_maps(
        self, data: Dataset, users: Floats, items: Floats
    ) -> tuple[Floats, pa.Table | None, Floats, pa.Table | None]:
        """Learn the fields of :class:`MappedVectors` after the vectors, from those with a count."""
        return (
            *self._map(data.user_features, users, data.user_counts),
            *self._map(data.item_features, items, data.item_counts),
        )

    def _map(
        self, table: pa.Table | None, vectors: Floats, counts: NDArray[np.int64]
    ) -> tuple[Floats, pa.Table | None]:
        learned = None
        if self.config.features:
            penalty = self.config.feature_regularization
            learned = FeatureMap.learn(table, vectors, counts > 0, penalty)
        if learned is None:
            return np.empty((0, vectors.shape[1]), np.float32), None
        return learned.stacked, learned.encoder.to_table()

    @property
    def uses_features(self) -> bool:  # type: ignore[override]
        """Whether user features can replace a history."""
        return self.config.features

    @property
    def uses_item_features(self) -> bool:
        """Whether items without interactions are scored by their features."""
        return self.config.features

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Accept also queries with a feature that the map knows."""
        known, of_users = super().can_score(profiles), self.learned.user_features
        if of_users is not None and profiles.features is not None:
            known = known | (np.diff(of_users.rows(profiles.features).indptr) > 0)
        return known

    @cached_property
    def listed(self) -> LearnedVectors:
        """The learned vectors; items without interactions have those of their features."""
        of_items, table = self.learned.item_features, self.data.item_features
        new = np.flatnonzero(self.data.item_counts == 0)
        if of_items is None or table is None or not len(new):
            return self.learned
        items = self.learned.items.copy()
        items[new] = of_items.vectors(of_items.rows(table.take(pa.array(new))))
        return Vectors(items)

    def query_vectors(self, profiles: Profiles) -> Floats:
        """Return the vectors of histories, and without a history those of the features."""
        vectors, of_users = super().query_vectors(profiles), self.learned.user_features
        new = np.flatnonzero(~profiles.has_history)
        if of_users is not None and profiles.features is not None and len(new):
            rows = of_users.rows(profiles.features.take(pa.array(new)))
            vectors[new] = of_users.vectors(rows)
        return vectors

    def user_vectors(self) -> Floats:
        """Return the vector of every user; without interactions that of the features."""
        new = np.flatnonzero(self.data.user_counts == 0)
        vectors = self.learned.users
        if self.learned.user_features is None or not len(new):
            return vectors
        vectors = vectors.copy()
        vectors[new] = self.query_vectors(Profiles.known(self.data, new.astype(np.int32)))
        return vectors

    def unused_features(self, table: pa.Table) -> dict[str, str]:
        """Return why values of user features have no effect, by column."""
        of_users = self.learned.user_features
        return {} if of_users is None else of_users.encoder.unused(table)

    def feature_parts(
        self, profiles: Profiles, others: NDArray[np.float64]
    ) -> Iterator[list[Parts]]:
        """Split the scores of one query without a history, for items with these vectors (k, f)."""
        of_users = self.learned.user_features
        if of_users is None or profiles.features is None:
            return iter([[]] * len(others))
        return of_users.parts(profiles.features, others)


def _ridge(inputs: csr_array, targets: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
    """Solve ``(X'X + penalty I) W = X'Y`` by conjugate gradients, all columns side by side."""
    transposed = csr_array(inputs.T.tocsr())
    left = transposed @ targets  # (d, f)
    solved = np.zeros_like(left)
    direction = left.copy()
    squares = np.einsum("df,df->f", left, left)
    enough = _TOLERANCE**2 * squares
    for _ in range(_MAX_ITERATIONS):
        if (squares <= enough).all():
            break
        image = transposed @ (inputs @ direction) + penalty * direction
        curvature = np.einsum("df,df->f", direction, image)
        step = np.divide(squares, curvature, out=np.zeros_like(squares), where=curvature > 0)
        solved += step * direction
        left -= step * image
        before, squares = squares, np.einsum("df,df->f", left, left)
        ratio = np.divide(squares, before, out=np.zeros_like(before), where=before > 0)
        direction = left + ratio * direction
    return solved
