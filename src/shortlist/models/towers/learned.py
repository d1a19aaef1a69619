"""What two towers learned: the user tower, and the vectors of all items, without PyTorch.

``tower_training`` learns them; ``retrieval``, ``ranking`` and ``multitask`` are models, and each
holds towers and a task or two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureEncoder
from shortlist.data.vocabulary import UNKNOWN
from shortlist.kernels.scores import dense_profile
from shortlist.models.towers.config import TowersConfig
from shortlist.models.towers.inputs import encoded, feature_rows, history_rows
from shortlist.models.towers.layers import Layer, flat, unflat, vectors_of, widths_of
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats, ItemFactors
from shortlist.scoring.sparse import csr_arrays, inverse

if TYPE_CHECKING:
    from shortlist.models.training.loop import Arrays


@dataclass(frozen=True)
class TowersLearned:
    """The user tower, and the vectors of all items.

    Every vector has ``embedding_size`` numbers and, with biases, one more.

    Attributes
    ----------
    everybody
        What every user's input starts from; zeros without biases.  # (w,)
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
    def factors(self) -> ItemFactors:
        """The vectors of the items as the kernels read them."""
        return ItemFactors.from_rows(self.items)

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
            inputs = inputs + dense_profile(csr_arrays(items.rows), parameters["item.of_features"])
        user_layers, item_layers = (
            [
                Layer(*(parameters[f"{side}.dense.{part}.{n}"] for part in ("weights", "biases")))
                for n in range(len(widths) - 1)
            ]
            for side in ("user", "item")
        )
        return cls(
            everybody=parameters.get("user.everybody", np.zeros(width, dtype=np.float32)),
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

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
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
            rows += dense_profile(csr_arrays(features), self.user_features)
        if len(self.chosen):
            rows += dense_profile(csr_arrays(history_rows(profiles.history)), self.chosen)
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
