"""The building blocks of a Hybrid: the rows that it compares, its settings, and its terms."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.features import unit_rows
from shortlist.errors import InputError
from shortlist.kernels.scores import dense_sparse
from shortlist.models.feature_similarity import FeatureSimilarity, side_by_side
from shortlist.models.hybrid.config import HybridConfig
from shortlist.models.neighborhood import weighted_rows
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import binary, csr_arrays, empty, inverse, transposed

ALL = -1  # as a number of neighbours: all


_Weight = Annotated[float, Field(ge=0, le=1e15)]
_Count = Annotated[int, Field(ge=ALL, le=2**31 - 1)]


class Settings(NamedTuple):
    """The weights and numbers of neighbours of a fitted Hybrid."""

    user_term: _Weight
    item_term: _Weight
    both_term: _Weight
    user_feature_weight: _Weight
    item_feature_weight: _Weight
    user_neighbors: _Count
    item_neighbors: _Count
    cold_neighbors: _Count


def feature_similarities(
    config: HybridConfig, data: Dataset
) -> tuple[FeatureSimilarity | None, FeatureSimilarity | None]:
    """Learn the feature similarity of users and of items, if the settings use them."""
    choices = data.choices
    users = data.user_features if config.user_blocks != "action" else None
    items = data.item_features if config.item_blocks != "interactions" else None
    weights: dict[str, float] | None = {} if config.column_weights == "even" else None
    return (
        FeatureSimilarity.learn(users, choices, weights=weights, seed=config.seed),
        FeatureSimilarity.learn(items, transposed(choices), weights=weights, seed=config.seed),
    )


def user_rows(
    config: HybridConfig,
    history: csr_array,
    similarity: FeatureSimilarity | None,
    features: pa.Table | None,
    weight: float,
) -> csr_array:
    """Join choices and features of users into rows whose dot products are the similarities.

    ``config.user_blocks`` says how:

    - ``action``: ``cos(choices)``
    - ``features``: the mean cosine of the features
    - ``action+features``: ``cos(choices) + weight * (the mean cosine of the features)``
    - ``concatenated``: one cosine over choices and features as zeros and ones, in which their
      shares depend on how many of each a user has
    """  # (n, n_items + d), without features (n, n_items)
    blocks = config.user_blocks
    choices = binary(history)
    if blocks == "action":
        return unit_rows(choices)
    if similarity is None:
        if blocks == "features":
            raise InputError(
                "users are to be compared by features, and there are none",
                remedy="give a users table with more than ids, or compare by action",
            )
        return unit_rows(choices)
    if features is None:
        encoded = empty(history.shape[0], similarity.encoder.n_features)
    else:
        encoded = similarity.rows(features)
    if blocks == "concatenated":
        return unit_rows(side_by_side(choices, binary(encoded)))
    if blocks == "features":
        return side_by_side(empty(*choices.shape), encoded)
    return side_by_side(unit_rows(choices), encoded, weight)


def item_rows(
    config: HybridConfig, data: Dataset, similarity: FeatureSimilarity | None, weight: float
) -> csr_array:
    """Join users and features of items: ``cos(users) + weight * (mean cosine of the features)``.

    By TF-IDF, users with many interactions count less.
    """
    blocks, by_item = config.item_blocks, transposed(data.matrix)
    users = unit_rows(weighted_rows(by_item, config.item_weighting))  # (n_items, n_users)
    if blocks == "interactions" or similarity is None or data.item_features is None:
        if blocks == "features":
            raise InputError(
                "items are to be compared by features, and there are none",
                remedy="give an items table with more than ids, or compare by interactions",
            )
        return users
    encoded = similarity.rows(data.item_features)  # (n_items, d)
    return encoded if blocks == "features" else side_by_side(users, encoded, weight)


def product(left: csr_array, right: csr_array) -> Floats:
    """Compute ``S_u R`` from neighbours and choices, or ``R S_i`` from histories and items.

    ``S_u R S_i`` is the latter for histories ``S_u R``.
    """  # (B, n_items)
    return dense_sparse(csr_arrays(left), csr_arrays(right), right.shape[1])


def scale_factors(term: Floats, rescaled: bool) -> NDArray[np.float64]:
    """Return the factor that scales each query's largest score to 1; 1 without rescaling."""
    if not rescaled:
        return np.ones(len(term))  # (B,)
    return inverse(term.max(axis=1, initial=0).astype(np.float64))
