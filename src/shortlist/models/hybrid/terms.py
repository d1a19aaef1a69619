"""The terms of a hybrid's score, and the settings that weigh them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.features import unit_rows
from shortlist.errors import InputError
from shortlist.kernels.scores import dense_sparse
from shortlist.models.config import Auto, ModelConfig, Search, hyper
from shortlist.models.feature_similarity import FeatureSimilarity, side_by_side
from shortlist.models.neighborhood import Weighting, weighted_rows
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import binary, csr_arrays, empty, inverse, transposed

UserBlocks = Literal["action", "features", "concatenated", "action+features"]
ItemBlocks = Literal["interactions", "features", "interactions+features"]
TERMS = ("user_term", "item_term", "both_term")
Weight = Annotated[float, Field(ge=0, le=1e15)]  # the bounds apply to numbers only, not to "auto"
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]


class HybridConfig(ModelConfig):
    """Settings of :class:`Hybrid`; ``"auto"`` settings are chosen on a validation fold."""

    user_blocks: UserBlocks = hyper(
        "action+features",
        "How users are compared: by choices, by features, by one cosine over both concatenated, or "
        "by the sum of the two cosines.",
    )
    item_blocks: ItemBlocks = hyper(
        "interactions+features",
        "How items are compared: by their users, by features, or by the sum of the two cosines.",
    )
    item_weighting: Weighting = hyper(
        "tfidf",
        "Weights of users in the similarity of items.",
        search=Search(choices=("binary", "tfidf", "bm25")),
    )
    column_weights: Literal["learned", "even"] = hyper(
        "learned", "Weights of the feature columns: learned from the interactions, or all equal."
    )
    user_term: Weight | Auto = hyper("auto", "Weight a of S_user R.")
    item_term: Weight | Auto = hyper("auto", "Weight b of R S_item.")
    both_term: Weight | Auto = hyper("auto", "Weight c of S_user R S_item.")
    user_feature_weight: Weight | Auto = hyper(
        "auto", "Weight of the features in the similarity of users; choices have weight 1."
    )
    item_feature_weight: Weight | Auto = hyper(
        "auto", "Weight of the features in the similarity of items; interactions have weight 1."
    )
    user_neighbors: Count | Auto | None = hyper("auto", "Number of nearest users; None: all.")
    item_neighbors: Count | Auto | None = hyper("auto", "Number of nearest items; None: all.")
    cold_neighbors: Count | Auto | None = hyper(
        "auto", "Number of nearest users for a query without a history; None: all."
    )
    self_similarity: bool = hyper(False, "Count a row as its own neighbour (diagonals of ones).")
    rescaled: bool = hyper(
        True, "Scale each term to a maximum of 1 per query before the weighted sum."
    )
    seed: int = hyper(
        0, "Seeds the validation fold, and the pairs that column weights are learned from.", ge=0
    )

    @field_validator(TERMS[-1])
    @classmethod
    def _some_term(cls, value: float | Auto, info: ValidationInfo) -> float | Auto:
        if value == info.data.get("user_term") == info.data.get("item_term") == 0:
            raise ValueError("user_term and item_term are 0 as well, so every score would be 0")
        return value


LITERAL: dict[str, Any] = {
    "user_neighbors": None,
    "item_neighbors": None,
    "cold_neighbors": None,
    "item_weighting": "binary",
    "column_weights": "even",
    "self_similarity": True,
    "rescaled": False,
    "user_feature_weight": 1.0,
    "item_feature_weight": 1.0,
    "user_term": 0.0,
    "item_term": 0.0,
    "both_term": 0.0,
}
_ONLY_USERS, _ONLY_ITEMS, _BOTH = (LITERAL | {term: 1.0} for term in TERMS)

FORMS: dict[str, dict[str, Any]] = {
    "user action": _ONLY_USERS | {"user_blocks": "action"},
    "user features": _ONLY_USERS | {"user_blocks": "features"},
    "user concatenated": _ONLY_USERS | {"user_blocks": "concatenated"},
    "user action + features": _ONLY_USERS | {"user_blocks": "action+features"},
    "item interactions": _ONLY_ITEMS | {"item_blocks": "interactions"},
    "item features": _ONLY_ITEMS | {"item_blocks": "features"},
    "action x item interactions": _BOTH | {"user_blocks": "action", "item_blocks": "interactions"},
    "action x item features": _BOTH | {"user_blocks": "action", "item_blocks": "features"},
    "concatenated x item features": _BOTH
    | {"user_blocks": "concatenated", "item_blocks": "features"},
    "action + features x item features": _BOTH
    | {"user_blocks": "action+features", "item_blocks": "features"},
    "additive": {},
}
"""The forms of the study notes by name: all neighbours, diagonals kept, nothing weighted or tuned;
and the additive form, which is the default."""


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
