"""The settings of a Hybrid, and the notes' forms as settings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from shortlist.models.config import ModelConfig, Search, hyper
from shortlist.models.weighting import Weighting

UserBlocks = Literal["action", "features", "concatenated", "action+features"]
ItemBlocks = Literal["interactions", "features", "interactions+features"]
TERMS = ("user_term", "item_term", "both_term")
Tuned = Literal["tuned"]
Weight = Annotated[float, Field(ge=0)]  # bounds of the number alone: "tuned" has none
Count = Annotated[int, Field(ge=1)]


class HybridConfig(ModelConfig):
    """Settings of :class:`Hybrid`; what is ``"tuned"`` is found on a validation fold."""

    user_blocks: UserBlocks = hyper(
        "action+features",
        "What users are compared by: their choices, their features, one cosine over both side by "
        "side, or the sum of the two cosines.",
    )
    item_blocks: ItemBlocks = hyper(
        "interactions+features",
        "What items are compared by: who chose them, their features, or the sum of both cosines.",
    )
    item_weighting: Weighting = hyper(
        "tfidf",
        "How much a chooser counts in the similarity of items.",
        search=Search(choices=("binary", "tfidf", "bm25")),
    )
    column_weights: Literal["learned", "even"] = hyper(
        "learned",
        "What the columns of features weigh beside each other: learned from who chose what, or all "
        "the same.",
    )
    user_term: Weight | Tuned = hyper("tuned", "The weight a of S_user R.")
    item_term: Weight | Tuned = hyper("tuned", "The weight b of R S_item.")
    both_term: Weight | Tuned = hyper("tuned", "The weight c of S_user R S_item.")
    user_feature_weight: Weight | Tuned = hyper(
        "tuned", "The weight of the features beside the 1 of the choices, between users."
    )
    item_feature_weight: Weight | Tuned = hyper(
        "tuned", "The weight of the features beside the 1 of the choices, between items."
    )
    user_neighbors: Count | Tuned | None = hyper(
        "tuned", "How many of the most similar users count; None: all."
    )
    item_neighbors: Count | Tuned | None = hyper(
        "tuned", "How many of the most similar items count; None: all."
    )
    cold_neighbors: Count | Tuned | None = hyper(
        "tuned", "How many users speak for somebody without a history; None: all."
    )
    self_similarity: bool = hyper(False, "Keep the diagonals of the similarities.")
    rescaled: bool = hyper(
        True, "Bring each term to at most 1 for each query before they are weighted and added."
    )
    seed: int = hyper(
        0, "Seeds the validation fold, and the pairs that column weights are learned from.", ge=0
    )

    @field_validator(TERMS[-1])
    @classmethod
    def _some_term(cls, value: float | Tuned, info: ValidationInfo) -> float | Tuned:
        if value == info.data.get("user_term") == info.data.get("item_term") == 0:
            raise ValueError("user_term and item_term are 0 as well, and so would every score be")
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
"""The notes' forms, by name: all neighbours, kept diagonals, nothing weighted, nothing tuned; and
the additive form, which is the default."""
