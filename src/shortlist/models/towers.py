"""Two towers: what is known of a user becomes one vector, what is known of an item another.

This file holds the towers without PyTorch: their settings, what is learned of them, and how a
query becomes a vector. ``tower_training`` learns them; ``retrieval``, ``ranking`` and ``multitask``
are models, and each holds towers and a task or two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureEncoder
from shortlist.data.vocabulary import UNKNOWN
from shortlist.kernels.scores import dense_factors, dense_profile
from shortlist.models.arrays import inverse, parts, row_scaled
from shortlist.models.capabilities import Parts
from shortlist.models.config import Search, hyper
from shortlist.models.profiles import Profiles
from shortlist.models.scores import Floats
from shortlist.models.trained import TrainingConfig
from shortlist.models.weighting import binary

if TYPE_CHECKING:
    from shortlist.models.training import Arrays

Doubles = NDArray[np.float64]


class TowersConfig(TrainingConfig):
    """Settings that all models of two towers share."""

    embedding_size: int = hyper(
        64, "Length of the vectors.", ge=1, le=2048, search=Search(16, 256, "log")
    )
    user_ids: bool = hyper(
        False, "Learn a vector of every user, besides what features and history say."
    )
    history: bool = hyper(True, "Let the items that a user chose speak for the user.")
    features: bool = hyper(True, "Use the features of users and items, where there are any.")
    biases: bool = hyper(True, "Learn what every item, and its features, add to a score.")
    input_dropout: float = hyper(
        0.2,
        "How often an id, or the features of a row, are left out in training, so that the rest "
        "learns to do without them.",
        ge=0,
        lt=1,
        search=Search(0.0, 0.6),
    )
    history_dropout: float = hyper(
        0.3,
        "How often a chosen item is left out of a history in training.",
        ge=0,
        lt=1,
        search=Search(0.0, 0.8),
    )
    regularization: float = hyper(
        0.01,
        "Weight of the mean squared length of the vectors.",
        ge=0,
        search=Search(1e-4, 0.3, "log"),
    )
    init_std: float = hyper(
        0.1, "Standard deviation of the first vectors.", gt=0, search=Search(0.01, 1, "log")
    )


class Layer(NamedTuple):
    """What a dense layer multiplies by and adds."""

    weight: Floats  # (n_in, n_out)
    bias: Floats  # (n_out,)


def widths_of(embedding_size: int, layers: Sequence[int]) -> list[int]:
    """Give the widths of a tower's dense layers: hidden ones, then one to the vector, or none.

    Examples
    --------
    >>> widths_of(32, [64]), widths_of(32, [])
    ([32, 64, 32], [32])
    """
    return [embedding_size, *layers, embedding_size] if layers else [embedding_size]


def flat(layers: Sequence[Layer]) -> Floats:
    """Put layers one after another, each its weight and then its bias."""
    each = [part.ravel() for layer in layers for part in layer]
    return np.concatenate([np.empty(0, dtype=np.float32), *each]).astype(np.float32)


def unflat(values: Floats, widths: Sequence[int]) -> list[Layer]:
    """Take apart what :func:`flat` put together.

    Examples
    --------
    >>> layer = Layer(np.ones((2, 1), np.float32), np.zeros(1, np.float32))
    >>> unflat(flat([layer]), [2, 1])[0].weight.shape
    (2, 1)
    """
    layers, at = [], 0
    for n_in, n_out in pairwise(widths):
        weight = values[at : at + n_in * n_out].reshape(n_in, n_out)
        at += n_in * n_out
        layers.append(Layer(np.ascontiguousarray(weight), values[at : at + n_out].copy()))
        at += n_out
    return layers


def dense_layers(layers: Sequence[Layer], rows: Floats) -> Floats:
    """Send rows through layers, with ReLU between them; a row's result is its own affair."""
    for place, layer in enumerate(layers):
        if place:
            rows = np.maximum(rows, 0)
        rows = dense_factors(np.ascontiguousarray(rows), layer.weight, layer.bias)
    return rows


class Encoded(NamedTuple):
    """Features as sparse rows, and what encoded them."""

    encoder: FeatureEncoder
    rows: csr_array  # (n, n_features)


def encoded(table: pa.Table | None) -> Encoded | None:
    """Encode a table of features; None where there is nothing to encode."""
    if table is None or not table.num_columns:
        return None
    encoder = FeatureEncoder.fit(table)
    return Encoded(encoder, feature_rows(encoder, table)) if encoder.parts else None


def feature_rows(encoder: FeatureEncoder, table: pa.Table) -> csr_array:
    """Encode rows to length 1 at most: each column has 1 / sqrt(how many columns there are).

    A missing value says nothing.
    """  # (n, n_features)
    rows = encoder.transform(table, missing="ignore")
    rows.data *= np.float32(len(encoder.parts) ** -0.5)
    return rows


def history_rows(history: csr_array) -> csr_array:
    """Give each of n chosen items the weight ``1 / sqrt(n)``, whatever its weight was."""
    rows = binary(history)
    lengths = np.diff(rows.indptr).astype(np.float64)
    return row_scaled(rows, inverse(np.sqrt(lengths)))


@dataclass(frozen=True)
class TowersLearned:
    """The user tower, and the vectors of all items.

    Every vector has ``embedding_size`` numbers and, with biases, one more.

    Attributes
    ----------
    everybody
        What every user's input starts from.  # (w,)
    user_ids
        What each user adds, or no rows.  # (n_users, w) or (0, w)
    user_features
        What each feature of users adds, or no rows.  # (n_features, w) or (0, w)
    user_encoder
        What encodes their features, or None.
    chosen
        What each chosen item adds, or no rows.  # (n_items, w) or (0, w)
    layers, widths
        The dense layers from a user's input to the vector, flat, and their widths; with no hidden
        layers the input is the vector.
    items
        The item tower's vectors.  # (n_items, w)
    normalized
        Whether user vectors are brought to length 1.
    biases
        Whether the last number of a vector stands for itself.
    """

    everybody: Floats
    user_ids: Floats
    user_features: Floats
    user_encoder: pa.Table | None
    chosen: Floats
    layers: Floats
    widths: list[int]
    items: Floats
    normalized: bool
    biases: bool

    @cached_property
    def encoder(self) -> FeatureEncoder | None:
        """What encodes the features of users."""
        return None if self.user_encoder is None else FeatureEncoder.from_table(self.user_encoder)

    @cached_property
    def dense(self) -> list[Layer]:
        """The layers."""
        return unflat(self.layers, self.widths)

    @cached_property
    def columns(self) -> Floats:
        """The items, one a column."""  # (w, n_items)
        return np.ascontiguousarray(self.items.T)

    @cached_property
    def directions(self) -> Floats:
        """The item vectors without biases, at length 1."""  # (n_items, d)
        factors = self.items[:, : self.depth].astype(np.float64)
        lengths = np.linalg.norm(factors, axis=1)
        return (factors * inverse(lengths)[:, np.newaxis]).astype(np.float32)

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
        """Put trained parameters into the form that scores.

        Parameters
        ----------
        config, data
            What was trained, and on what.
        parameters
            Those of ``tower_training.TwoTowers``, by name.
        layers, normalize
            As they were trained with.
        """
        width, widths = (
            config.embedding_size + config.biases,
            widths_of(config.embedding_size, layers),
        )
        none = np.empty((0, width), dtype=np.float32)
        users = encoded(data.user_features) if config.features else None
        items = encoded(data.item_features) if config.features else None
        inputs = parameters["item.ids"]
        if items is not None:
            inputs = inputs + dense_profile(*parts(items.rows), parameters["item.of_features"])
        user_layers, item_layers = (
            [
                Layer(*(parameters[f"{side}.dense.{part}.{n}"] for part in ("weights", "biases")))
                for n in range(len(widths) - 1)
            ]
            for side in ("user", "item")
        )
        return cls(
            everybody=parameters["user.everybody"],
            user_ids=parameters.get("user.ids", none),
            user_features=parameters.get("user.of_features", none),
            user_encoder=None if users is None else users.encoder.to_table(),
            chosen=parameters.get("user.chosen", none),
            layers=flat(user_layers),
            widths=widths,
            items=vectors_of(inputs, item_layers, config.embedding_size, normalize),
            normalized=normalize,
            biases=config.biases,
        )

    # --- who can be told what ------------------------------------------------------------------

    def trained(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Say whose id counts: users of the training data whose history is what it was."""  # (B,)
        if not len(self.user_ids):
            return np.zeros(len(profiles), dtype=bool)
        had = np.diff(profiles.history.indptr) > 0
        own: NDArray[np.bool_] = had & ~profiles.changed & (profiles.users != UNKNOWN)
        return own

    def features_of(self, profiles: Profiles) -> csr_array | None:
        """Encode what is known of each; None where nothing is."""  # (B, n_features)
        if self.encoder is None or profiles.features is None:
            return None
        return feature_rows(self.encoder, profiles.features)

    def knows(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Say of whom an id, a history or a feature tells something."""  # (B,)
        known = self.trained(profiles)
        if len(self.chosen):
            known |= np.diff(profiles.history.indptr) > 0
        features = self.features_of(profiles)
        if features is not None:
            known |= np.diff(features.indptr) > 0
        return known

    # --- from a query to a vector --------------------------------------------------------------

    def inputs(self, profiles: Profiles) -> Floats:
        """Add up what id, features and history put into the user tower."""  # (B, w)
        rows = np.tile(self.everybody, (len(profiles), 1))
        own = self.trained(profiles)
        rows[own] += self.user_ids[profiles.users[own]] if own.any() else 0
        features = self.features_of(profiles)
        if features is not None:
            rows += dense_profile(*parts(features), self.user_features)
        if len(self.chosen):
            rows += dense_profile(*parts(history_rows(profiles.history)), self.chosen)
        return rows

    def users(self, profiles: Profiles) -> Floats:
        """Give the vectors of queries."""  # (B, w)
        return vectors_of(self.inputs(profiles), self.dense, self.depth, self.normalized)

    def profiles(self, data: Dataset) -> Profiles:
        """Give everybody in the training data as queries."""
        n_users = data.n_users
        unchanged = np.zeros(n_users, dtype=bool)
        rows = np.arange(n_users, dtype=np.int32)
        return Profiles(rows, data.matrix, unchanged, data.user_features)

    # --- and back: what a score is made of -----------------------------------------------------

    def pieces(self, profiles: Profiles, data: Dataset) -> Iterator[tuple[str, pa.Array, Floats]]:
        """Give what puts something into the input of one query: kind, names, and rows (n, w)."""
        yield "everybody", pa.array(["what all users share"]), self.everybody[np.newaxis]
        if self.trained(profiles)[0]:
            yield "training", pa.array(["the user's id"]), self.user_ids[profiles.users]
        features = self.features_of(profiles)
        if features is not None and self.encoder is not None:
            names = pa.array(self.encoder.names, pa.string()).take(pa.array(features.indices))
            rows = features.data[:, np.newaxis] * self.user_features[features.indices]
            yield "feature", names, rows
        if len(self.chosen):
            history = history_rows(profiles.history)
            rows = history.data[:, np.newaxis] * self.chosen[history.indices]
            yield "chosen item", data.items.take(history.indices), rows

    def parts(self, profiles: Profiles, data: Dataset, item: Floats) -> list[Parts]:
        """Take the dot product of one query's vector and an item's apart, exactly.

        Without hidden layers the vector is a sum. With them it is, for one input, still linear:
        ReLU lets some units through and others not. What the layers' own biases add is a part of
        its own.
        """
        target = item.astype(np.float64)
        inputs = self.inputs(profiles)[0, : self.depth].astype(np.float64)
        jacobian, rest = _linear_at(self.dense, inputs, self.depth)
        scale = 1.0
        if self.normalized:
            length = float(np.linalg.norm(inputs @ jacobian + rest))
            scale = 1 / length if length else 0.0
        pull = scale * (jacobian @ target[: self.depth])  # (d,)
        own = np.concatenate([pull, target[self.depth :]])
        if self.biases:
            own[-1] = 0.0
        found = [
            Parts(kind, names, rows @ own) for kind, names, rows in self.pieces(profiles, data)
        ]
        if self.dense:
            amount = scale * float(rest @ target[: self.depth])
            found.append(Parts("layers", pa.array(["the layers' biases"]), np.array([amount])))
        if self.biases:
            found.append(Parts("bias", pa.array(["of the item"]), target[-1:]))
        return [one for one in found if len(one.names)]


def _linear_at(layers: Sequence[Layer], inputs: Doubles, depth: int) -> tuple[Doubles, Doubles]:
    """Give the linear map that the layers are at these inputs: ``x -> x J + rest``."""
    jacobian, rest = np.eye(depth), np.zeros(depth)
    for place, layer in enumerate(layers):
        if place:
            through = (inputs @ jacobian + rest > 0).astype(np.float64)
            jacobian, rest = jacobian * through, rest * through
        weight = layer.weight.astype(np.float64)
        jacobian, rest = jacobian @ weight, rest @ weight + layer.bias
    return jacobian, rest


def vectors_of(inputs: Floats, layers: Sequence[Layer], depth: int, normalize: bool) -> Floats:
    """Give the vectors that a tower makes of its inputs; biases go past the layers."""  # (n, w)
    vectors = inputs[:, :depth]
    if layers:
        vectors = dense_layers(layers, vectors)
    if normalize:
        vectors = unit(vectors)
    return np.concatenate([vectors, inputs[:, depth:]], axis=1)


def unit(rows: Floats) -> Floats:
    """Bring rows to length 1; zeros stay zeros."""
    lengths = np.sqrt(np.square(rows, dtype=np.float64).sum(axis=1))
    return (rows * inverse(lengths)[:, np.newaxis]).astype(np.float32)
