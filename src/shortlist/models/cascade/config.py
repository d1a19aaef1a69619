"""Settings of a cascade."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator

from shortlist.models.config import ModelConfig, Search, hyper
from shortlist.models.spec import ModelSpec, listed

LEARNED: Final = ("trees", "linear")
"""Rankers that learn from what the stages return."""


def _distinct(stages: tuple[ModelSpec, ...]) -> tuple[ModelSpec, ...]:
    if not stages:
        raise ValueError("there is no stage")
    for place, stage in enumerate(stages):
        if stage.model == "Cascade":
            raise ValueError("a cascade cannot be a stage")
        if stage in stages[:place]:
            raise ValueError(f"{stage!r} is there twice")
    return stages


def _ranker(given: Any) -> Any:
    if given in LEARNED:
        return given
    spec = ModelSpec.model_validate(given)
    if spec.model == "Cascade":
        raise ValueError("a cascade cannot be its own ranker")
    return spec


class CascadeConfig(ModelConfig):
    """Settings of :class:`Cascade`."""

    stages: Annotated[tuple[ModelSpec, ...], BeforeValidator(listed), AfterValidator(_distinct)] = (
        hyper(
            tuple(ModelSpec(model=name) for name in ("UserCosine", "ItemCosine", "EASE")),
            "The models that find candidates: not fitted, or names.",
        )
    )
    ranker: Annotated[Literal["trees", "linear"] | ModelSpec, BeforeValidator(_ranker)] = hyper(
        "trees",
        "What orders the candidates: a weighted sum of the stages (linear), that and "
        "gradient-boosted trees upon it (trees: needs LightGBM, the extra 'trees'), or a model by "
        "its own scores, such as Ranking().",
    )
    features: bool = hyper(
        False,
        "Let the trees see the features of users and items, and how alike the two are; what a "
        "query says of somebody reaches them where a stage uses features, too.",
        search=Search(choices=(False, True)),
    )
    candidates: int = hyper(
        200, "How many each stage returns.", ge=1, search=Search(50, 500, "log")
    )
    rounds: int = hyper(
        5,
        "How many times a choice of every user is held out, and the stages fitted, to learn from.",
        ge=1,
    )
    negatives: int = hyper(
        30, "Candidates that were not chosen, kept of each list to learn from.", ge=1
    )
    trees: int = hyper(100, "How many trees.", ge=1, search=Search(30, 300, "log"))
    leaves: int = hyper(7, "Leaves of a tree.", ge=2, le=1024, search=Search(4, 31, "log"))
    least: int = hyper(100, "Candidates that a leaf must hold, to learn from.", ge=1)
    learning_rate: float = hyper(
        0.05, "How much a tree adds.", gt=0, le=1, search=Search(0.02, 0.3, "log")
    )
    seed: int = hyper(0, "Seeds what is held out, the negatives and the trees.", ge=0)
