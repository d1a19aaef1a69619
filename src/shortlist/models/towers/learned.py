"""Trained towers without PyTorch: the user tower, the vectors of items, and a head over both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.bundle.declarations import FeatureTable, Setting, Value, Widths
from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureEncoder
from shortlist.data.vocabulary import UNKNOWN, Rows
from shortlist.kernels.scores import dense_factors, dense_profile
from shortlist.models.config import Arrays
from shortlist.models.towers.layers import (
    LARGEST_WEIGHT,
    SLICE,
    Layer,
    dense_layers,
    flat,
    halves,
    linearized,
    trained_layers,
    unflat,
    weights,
)
from shortlist.models.vectors import LearnedVectors, unit_length
from shortlist.scoring.capabilities import Parts
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
    """Encode rows, each of n columns with the weight ``1 / sqrt(n)``; a missing value is zeros."""
    rows = encoder.transform(table)  # (n, n_features)
    rows.data *= np.float32(len(encoder.parts) ** -0.5)
    return rows


def history_rows(history: csr_array) -> csr_array:
    """Replace the weights of each of n chosen items by ``1 / sqrt(n)``."""
    rows = binary(history)
    lengths = np.diff(rows.indptr).astype(np.float64)
    return row_scaled(rows, inverse(np.sqrt(lengths)))


def tower_vectors(inputs: Floats, layers: Sequence[Layer], depth: int, normalize: bool) -> Floats:
    """Return the vectors that a tower computes from its inputs; biases bypass the layers."""
    vectors = inputs[:, :depth]  # (n, d)
    if layers:
        vectors = dense_layers(layers, vectors)
    if normalize:
        vectors = unit_length(vectors)
    return np.concatenate([vectors, inputs[:, depth:]], axis=1)  # (n, w)


_WIDTH = "embedding_size + biases"  # of a vector


@dataclass(frozen=True)
class TowersLearned(LearnedVectors):
    """The user tower, and the vectors of all items.

    Without biases or a kind of input, its embeddings are zeros or have no rows.
    """

    everybody: Annotated[Floats, weights(_WIDTH)]  # the part of the input that all users share
    user_ids: Annotated[Floats, weights("0 | n_users", _WIDTH)]
    user_features: Annotated[Floats, weights("d_users", _WIDTH)]
    user_encoder: Annotated[
        pa.Table | None, FeatureTable("d_users", FeatureEncoder.from_table, optional=True)
    ]
    chosen: Annotated[Floats, weights("0 | n_items", _WIDTH)]  # of the items in a history
    layers: Annotated[Floats, weights("n_weights")]  # dense layers of the user tower, flat
    widths: Annotated[list[int], Widths("layers", attrgetter("tower_widths"))]
    items: Annotated[Floats, weights("n_items", _WIDTH)]  # vectors that the item tower computed
    normalized: Annotated[bool, Setting("normalize", False)]
    biases: Annotated[bool, Setting("biases")]  # whether the last number of a vector is a bias

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
    def fields_of(cls, config: Any, data: Dataset, parameters: Arrays) -> dict[str, Any]:
        """Return the fields by name, from the parameters of ``TwoTowers``."""
        size, widths = config.embedding_size, config.tower_widths
        no_rows = np.empty((0, size + config.biases), dtype=np.float32)
        users = encoded(data.user_features) if config.features else None
        items = encoded(data.item_features) if config.features else None
        inputs = parameters["item.ids"]
        if items is not None:
            inputs = inputs + dense_profile(csr_arrays(items.rows), parameters["item.of_features"])
        of_users, of_items = (
            trained_layers(parameters, f"{side}.dense", widths) for side in ("user", "item")
        )
        return {
            "everybody": parameters.get("user.everybody", np.zeros(no_rows.shape[1], np.float32)),
            "user_ids": parameters.get("user.ids", no_rows),
            "user_features": parameters.get("user.of_features", no_rows),
            "user_encoder": None if users is None else users.encoder.to_table(),
            "chosen": parameters.get("user.chosen", no_rows),
            "layers": flat(of_users),
            "widths": widths,
            "items": tower_vectors(inputs, of_items, size, config.unit_vectors),
            "normalized": config.unit_vectors,
            "biases": config.biases,
        }

    # --- which queries have inputs ---------------------------------------------------------------

    def trained(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Return which ids count: those of training users whose history is unchanged."""  # (B,)
        if not len(self.user_ids):
            return np.zeros(len(profiles), dtype=bool)
        known: NDArray[np.bool_] = profiles.users != UNKNOWN
        return known & profiles.has_history & ~profiles.changed

    def features_of(self, profiles: Profiles) -> csr_array | None:
        """Encode the features of the queries; None if there are none."""  # (B, n_features)
        if self.encoder is None or profiles.features is None:
            return None
        return feature_rows(self.encoder, profiles.features)

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Return which queries have a trained id, a history or a known feature."""  # (B,)
        known = self.trained(profiles)
        if len(self.chosen):
            known |= profiles.has_history
        features = self.features_of(profiles)
        if features is not None:
            known |= np.diff(features.indptr) > 0
        return known

    def profiles(self, data: Dataset) -> Profiles:
        """Return all users of the training data as queries."""
        return Profiles.known(data, np.arange(data.n_users, dtype=np.int32), order=False)

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

    # --- explanations ----------------------------------------------------------------------------

    def score_parts(self, profiles: Profiles, data: Dataset, items: Rows) -> Iterator[list[Parts]]:
        """Split the dot products of a query's and items' vectors, exactly.

        Without hidden layers the query's vector is a sum. Hidden layers are linear around a given
        input, because ReLU lets a unit through or does not; their own biases are a part apart.
        """
        depth = self.depth
        inputs = self.inputs(profiles)[0, :depth].astype(np.float64)
        jacobian, offset = linearized(self.dense, inputs)
        scale = 1.0
        if self.normalized:
            length = float(np.linalg.norm(inputs @ jacobian + offset))
            scale = 1 / length if length else 0.0
        terms = list(self._input_terms(profiles, data))
        for target in self.items[items].astype(np.float64):
            slope = scale * (jacobian @ target[:depth])  # (d,)
            slope = np.concatenate([slope, np.zeros(int(self.biases))])  # not the user's bias
            parts = [Parts(kind, names, rows @ slope) for kind, names, rows in terms]
            if self.dense:
                amount = scale * float(offset @ target[:depth])
                parts.append(Parts("layers", pa.array(["the layers' biases"]), np.array([amount])))
            if self.biases:
                parts.append(Parts("bias", pa.array(["of the item"]), target[-1:]))
            yield [part for part in parts if len(part.names)]

    def _input_terms(
        self, profiles: Profiles, data: Dataset
    ) -> Iterator[tuple[str, pa.Array, Floats]]:
        """Yield the terms of a query's input: their kind, names, and rows (n, w)."""
        if self.biases:
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


@dataclass(frozen=True)
class HeadLearned(TowersLearned):
    """The towers, and the head over their vectors."""

    start: Annotated[float, Value(float, ge=-LARGEST_WEIGHT, le=LARGEST_WEIGHT)]  # in every score
    product: Annotated[bool, Setting("product")]  # whether the dot product of vectors is added
    biased: Annotated[bool, Value(bool)]  # whether the biases of vectors are added
    head: Annotated[Floats, weights("n_head")]  # the dense layers, flat
    head_widths: Annotated[list[int], Widths("head", attrgetter("head_widths"))]
    cross: Annotated[Floats, weights("n_cross_weights")]  # the layers within cross layers, flat
    cross_widths: Annotated[
        list[int], Widths("cross", attrgetter("cross_widths"), times="cross_layers")
    ]
    n_cross: Annotated[int, Setting("cross_layers")]

    @classmethod
    def fields_of(cls, config: Any, data: Dataset, parameters: Arrays) -> dict[str, Any]:
        """Return the fields by name; the head is that of the task ``ranking``."""
        name, widths, within = "tasks.ranking.head", config.head_widths, config.cross_widths
        crossing = [
            layer
            for n in range(config.cross_layers)
            for layer in trained_layers(parameters, f"{name}.cross.{n}.dense", within)
        ]
        return super().fields_of(config, data, parameters) | {
            "start": config.start(data),
            "product": config.product,
            "biased": config.adds_biases,
            "head": flat(trained_layers(parameters, f"{name}.dense", widths)),
            "head_widths": widths,
            "cross": flat(crossing),
            "cross_widths": within,
            "n_cross": config.cross_layers,
        }

    @cached_property
    def head_dense(self) -> list[Layer]:
        """The dense layers of the head."""
        return unflat(self.head, self.head_widths)

    @cached_property
    def cross_dense(self) -> list[list[Layer]]:
        """The dense layers of each cross layer."""
        each = np.split(self.cross, self.n_cross) if self.n_cross else []
        return [unflat(values, self.cross_widths) for values in each]

    @property
    def _split(self) -> bool:
        """Whether the first dense layer is a sum of a user's and an item's half."""
        return bool(self.head_dense) and not self.n_cross

    @cached_property
    def item_half(self) -> Floats:
        """What each item adds to the first dense layer."""  # (n_items, h)
        return dense_layers(halves(self.head_dense[0])[1:], self.items[:, : self.depth])

    def user_half(self, users: Floats) -> Floats:
        """Return what users add to the first dense layer, its bias included."""  # (B, h)
        if not self._split:
            return users
        return dense_layers(halves(self.head_dense[0])[:1], users[:, : self.depth])

    def pair_scores(self, users: Floats, positions: Rows, items: Rows) -> Floats:
        """Score pairs of a user's vector, at a position in ``users`` (U, w), and an item."""
        halves = self.user_half(users)
        out = np.empty(len(items), dtype=np.float32)  # (n,)
        for start in range(0, len(items), SLICE):
            part = slice(start, start + SLICE)
            own = positions[part]
            out[part] = self._scores(users[own], halves[own], items[part])
        return out

    def block(self, users: Floats) -> Floats:
        """Score the whole catalogue for each query."""  # (B, n_items)
        halves = self.user_half(users)
        catalogue = np.arange(len(self.items), dtype=np.int32)
        out = np.empty((len(users), len(catalogue)), dtype=np.float32)
        for query in range(len(users)):
            row = slice(query, query + 1)
            for start in range(0, len(catalogue), SLICE):
                part = slice(start, start + SLICE)
                out[query, part] = self._scores(users[row], halves[row], catalogue[part])
        return out

    def ratings(self, data: Dataset, users: Rows, items: Rows) -> Floats:
        """Score pairs of rows of the training data."""  # (n,)
        distinct, positions = np.unique(users, return_inverse=True)
        profiles = self.profiles(data).take(distinct.astype(np.intp))
        return self.pair_scores(self.users(profiles), positions.astype(np.int32), items)

    def _scores(self, users: Floats, halves: Floats, items: Rows) -> Floats:
        """Score n users, or one, with n items."""
        others, depth = self.items[items], self.depth
        total = np.full(len(items), self.start, dtype=np.float64)
        if self.biased:
            total += users[:, -1] + others[:, -1]
        factors = np.broadcast_to(users[:, :depth], (len(items), depth))
        if self.product:
            total += np.einsum("nf,nf->n", factors, others[:, :depth], dtype=np.float64)
        if self._split:
            hidden = halves + self.item_half[items]
            if len(self.head_dense) > 1:
                hidden = dense_layers(self.head_dense[1:], np.maximum(hidden, 0))
            total += hidden[:, 0]
        elif self.head_dense:
            rows = inputs = np.concatenate([factors, others[:, :depth]], axis=1)
            for layers in self.cross_dense:  # x <- x_0 (W x + b) + x (Wang et al., WWW 2021)
                step = rows
                for layer in layers:
                    step = dense_factors(step, *layer)
                rows = inputs * step + rows
            total += dense_layers(self.head_dense, rows)[:, 0]
        return total.astype(np.float32)
