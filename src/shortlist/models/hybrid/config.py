"""The settings of a Hybrid, and the forms of the study notes as settings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from shortlist.models.config import Auto, ModelConfig, Search, hyper
from shortlist.models.neighborhood import Weighting

UserBlocks = Literal["action", "features", "concatenated", "action+features"]
ItemBlocks = Literal["interactions", "features", "interactions+features"]
TERMS = ("user_term", "item_term", "both_term")
Weight = Annotated[float, Field(ge=0)]  # the bound applies to numbers only, not to "auto"
Count = Annotated[int, Field(ge=1)]


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
