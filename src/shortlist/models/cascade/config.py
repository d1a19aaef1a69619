"""The settings of a cascade."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from shortlist.models.composite import ModelSpec, model_list
from shortlist.models.config import ModelConfig, Search, hyper


def _stage_list(value: Any) -> Any:
    return None if value in (None, "auto") else model_list(value)


def checked_stages(stages: tuple[ModelSpec, ...] | None) -> tuple[ModelSpec, ...] | None:
    """Return the stages, unless there is none, one of them is a cascade, or one is there twice."""
    if stages is None:
        return None
    if not stages:
        raise ValueError("there is no stage")
    for position, stage in enumerate(stages):
        if stage.model == "Cascade":
            raise ValueError("a cascade cannot be a stage")
        if stage in stages[:position]:
            raise ValueError(f"{stage!r} is there twice")
    return stages


def _checked_ranker(value: Any) -> Any:
    if value in ("auto", "trees", "linear"):
        return value
    spec = ModelSpec.model_validate(value)
    if spec.model == "Cascade":
        raise ValueError("a cascade cannot be its own ranker")
    return spec


class CascadeConfig(ModelConfig):
    """Settings of :class:`Cascade`."""

    stages: Annotated[
        tuple[ModelSpec, ...] | None, BeforeValidator(_stage_list), AfterValidator(checked_stages)
    ] = hyper(
        None,
        "The models that retrieve candidates: unfitted, or their names; None: chosen by validation "
        "from all that can be fitted on the data.",
    )
    ranker: Annotated[
        Literal["auto", "trees", "linear"] | ModelSpec, BeforeValidator(_checked_ranker)
    ] = hyper(
        "auto",
        "The ranker: a weighted sum of the stages (linear), that plus "
        "gradient-boosted trees (trees: needs LightGBM, the extra 'trees'), the best of these and "
        "of the stages alone by validation (auto), or a model by its own scores, such as "
        "Ranking().",
    )
    features: bool | Literal["auto"] = hyper(
        "auto",
        "Give the trees the features of users and items, and how these compare with the users of "
        "the item and the items of the history; auto: if that validates better. The features of a "
        "query are used only if a stage uses features, too.",
    )
    candidates: int = hyper(
        100, "Maximum number of items per stage.", ge=1, search=Search(50, 500, "log")
    )
    rounds: int = hyper(
        5,
        "Maximum number of rounds of training examples; each holds out one choice per user and "
        "fits the stages.",
        ge=1,
    )
    negatives: int = hyper(30, "Maximum number of negatives per list of training examples.", ge=1)
    trees: int = hyper(200, "Number of trees.", ge=1, search=Search(50, 500, "log"))
    leaves: int = hyper(7, "Leaves per tree.", ge=2, le=1024, search=Search(4, 31, "log"))
    least: int = hyper(200, "Minimum number of training examples per leaf.", ge=1)
    learning_rate: float = hyper(
        0.04, "Learning rate of the trees.", gt=0, le=1, search=Search(0.02, 0.3, "log")
    )
    seed: int = hyper(0, "Seeds the held-out choices, the negatives and the trees.", ge=0)
