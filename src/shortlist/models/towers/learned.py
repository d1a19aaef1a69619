"""Trained towers without PyTorch: the user tower, and the vectors of all items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.bundle.declarations import FeatureTable, Setting, Widths
from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureEncoder
from shortlist.data.vocabulary import UNKNOWN
from shortlist.kernels.scores import dense_profile
from shortlist.models.towers.config import TowersConfig
from shortlist.models.towers.layers import (
    Layer,
    flat,
    layer_widths,
    tower_vectors,
    unflat,
    weights,
)
from shortlist.models.training.config import Arrays
from shortlist.models.vectors import LearnedVectors
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import binary, csr_arrays, inverse, row_scaled


class Encoded(NamedTuple):
    """Features as sparse rows, and their encoder."""

    encoder: FeatureEncoder
    rows: csr_array  # (n, n_features)


def encoded(table: pa.Table | None) -> Encoded | None:
    """Encode a table of features; None if there is nothing to encode."""
    if table is None or not table.num_columns:
        return None
    encoder = FeatureEncoder.fit(table)
    return Encoded(encoder, feature_rows(encoder, table)) if encoder.parts else None


def feature_rows(encoder: FeatureEncoder, table: pa.Table) -> csr_array:
    """Encode rows to a length of at most 1: each of n columns gets the weight ``1 / sqrt(n)``.

    A missing value is encoded as zeros.
    """  # (n, n_features)
    rows = encoder.transform(table, missing="ignore")
    rows.data *= np.float32(len(encoder.parts) ** -0.5)
    return rows


def history_rows(history: csr_array) -> csr_array:
    """Replace the weights of each of n chosen items by ``1 / sqrt(n)``."""
    rows = binary(history)
    lengths = np.diff(rows.indptr).astype(np.float64)
    return row_scaled(rows, inverse(np.sqrt(lengths)))


_WIDTH = "embedding_size + biases"  # of a vector


def _widths(config: Any) -> list[int]:
    return layer_widths(config.embedding_size, getattr(config, "layers", ()))


@dataclass(frozen=True)
class TowersLearned(LearnedVectors):
    """The user tower, and the vectors of all items.

    Every vector has ``embedding_size`` numbers and, with biases, one more.

    Attributes
    ----------
    everybody
        The part of the input that all users share; zeros without biases.
    user_ids
        The embedding of each user, or no rows.
    user_features
        The embedding of each user feature, or no rows.
    user_encoder
        The encoder of user features, or None.
    chosen
        The embedding of each item in a history, or no rows.
    layers, widths
        The dense layers from a user's input to the vector, flat, and their widths; without hidden
        layers the input is the vector.
    items
        The vectors that the item tower computed.
    normalized
        Whether user vectors are scaled to length 1.
    biases
        Whether the last number of a vector is a bias.
    """

    everybody: Annotated[Floats, weights(_WIDTH)]
    user_ids: Annotated[Floats, weights("0 | n_users", _WIDTH)]
    user_features: Annotated[Floats, weights("d_users", _WIDTH)]
    user_encoder: Annotated[
        pa.Table | None, FeatureTable("d_users", FeatureEncoder.from_table, optional=True)
    ]
    chosen: Annotated[Floats, weights("0 | n_items", _WIDTH)]
    layers: Annotated[Floats, weights("n_weights")]
    widths: Annotated[list[int], Widths("layers", _widths)]
    items: Annotated[Floats, weights("n_items", _WIDTH)]
    normalized: Annotated[bool, Setting("normalize", False)]
    biases: Annotated[bool, Setting("biases")]

    @cached_property
    def encoder(self) -> FeatureEncoder | None:
        """The encoder of user features."""
        return None if self.user_encoder is None else FeatureEncoder.from_table(self.user_encoder)

    @cached_property
    def dense(self) -> list[Layer]:
        """The dense layers of the user tower."""
        return unflat(self.layers, self.widths)

    @property
    def compared(self) -> Floats:
        """The item vectors without biases."""  # (n_items, d)
        return self.items[:, : self.depth]

    @property
    def depth(self) -> int:
        """The length of a vector without its bias."""
        return int(self.items.shape[1]) - self.biases

    @classmethod
    def of(
        cls,
        config: TowersConfig,
        data: Dataset,
        parameters: Arrays,
        *,
        layers: Sequence[int] = (),
        normalize: bool = False,
    ) -> TowersLearned:
        """Convert trained parameters.

        Parameters
        ----------
        config, data
            The settings and the data of the training.
        parameters
            Those of :class:`~shortlist.models.towers.two_towers.TwoTowers`, by name.
        layers, normalize
            As they were trained.
        """
        size = config.embedding_size
        widths = layer_widths(size, layers)
        no_rows = np.empty((0, size + config.biases), dtype=np.float32)
        users = encoded(data.user_features) if config.features else None
        items = encoded(data.item_features) if config.features else None
        inputs = parameters["item.ids"]
        if items is not None:
            inputs = inputs + dense_profile(csr_arrays(items.rows), parameters["item.of_features"])
        user_layers, item_layers = (
            [
                Layer(*(parameters[f"{side}.dense.{part}.{n}"] for part in ("weights", "biases")))
                for n in range(len(widths) - 1)
            ]
            for side in ("user", "item")
        )
        return cls(
            everybody=parameters.get("user.everybody", np.zeros(no_rows.shape[1], np.float32)),
            user_ids=parameters.get("user.ids", no_rows),
            user_features=parameters.get("user.of_features", no_rows),
            user_encoder=None if users is None else users.encoder.to_table(),
            chosen=parameters.get("user.chosen", no_rows),
            layers=flat(user_layers),
            widths=widths,
            items=tower_vectors(inputs, item_layers, size, normalize),
            normalized=normalize,
            biases=config.biases,
        )

    # --- which queries have inputs ---------------------------------------------------------------

    def trained(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Return which ids count: those of training users whose history is unchanged."""  # (B,)
        if not len(self.user_ids):
            return np.zeros(len(profiles), dtype=bool)
        had = np.diff(profiles.history.indptr) > 0
        own: NDArray[np.bool_] = had & ~profiles.changed & (profiles.users != UNKNOWN)
        return own

    def features_of(self, profiles: Profiles) -> csr_array | None:
        """Encode the features of the queries; None if there are none."""  # (B, n_features)
        if self.encoder is None or profiles.features is None:
            return None
        return feature_rows(self.encoder, profiles.features)

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Return which queries have a trained id, a history or a known feature."""  # (B,)
        known = self.trained(profiles)
        if len(self.chosen):
            known |= np.diff(profiles.history.indptr) > 0
        features = self.features_of(profiles)
        if features is not None:
            known |= np.diff(features.indptr) > 0
        return known

    # --- from a query to a vector ----------------------------------------------------------------

    def inputs(self, profiles: Profiles) -> Floats:
        """Add up the embeddings of id, features and history: the input of the user tower."""
        rows = np.tile(self.everybody, (len(profiles), 1))  # (B, w)
        own = self.trained(profiles)
        rows[own] += self.user_ids[profiles.users[own]] if own.any() else 0
        features = self.features_of(profiles)
        if features is not None:
            rows += dense_profile(csr_arrays(features), self.user_features)
        if len(self.chosen):
            rows += dense_profile(csr_arrays(history_rows(profiles.history)), self.chosen)
        return rows

    def users(self, profiles: Profiles) -> Floats:
        """Return the vectors of queries."""  # (B, w)
        return tower_vectors(self.inputs(profiles), self.dense, self.depth, self.normalized)

    def query_vectors(self, profiles: Profiles) -> Floats:
        """Return the vectors of queries whose dot products with item vectors are scores."""
        vectors = self.users(profiles)  # (B, w)
        if self.biases:
            vectors[:, -1] = 1  # counts the item's bias; a user's bias does not change the order
        return vectors

    def profiles(self, data: Dataset) -> Profiles:
        """Return all users of the training data as queries."""
        n_users = data.n_users
        unchanged = np.zeros(n_users, dtype=bool)
        rows = np.arange(n_users, dtype=np.int32)
        return Profiles(rows, data.matrix, unchanged, data.user_features)
