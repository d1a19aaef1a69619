"""The settings of a cascade, and the models that it chooses its stages from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator

from shortlist import extras
from shortlist.data.dataset import Dataset
from shortlist.machine import available_memory, gigabytes
from shortlist.models.composite import ModelSpec, model_list
from shortlist.models.config import ModelConfig, Search, hyper

log = logging.getLogger("shortlist.cascade")

MAX_EASE_ITEMS = 9_000  # EASE inverts items x items: minutes beyond this

# For data with few choices per user: many factors, and a low weight of unobserved items. On the
# validation parts of toys-seq and last.fm, 8 epochs have NDCG@20 .0637 and .1921, 15 have .0634 and
# .1927.
SPARSE_IALS: dict[str, Any] = {
    "embedding_size": 512,
    "epochs": 8,
    "regularization": 0.01,
    "unobserved_weight": 0.003,
}

# Limits of SASRec, which a cascade fits twice, for two minutes of one core at most each time: it is
# left out for data with more than 250,000 positions in histories.
MAX_POSITIONS = 2_000_000  # trained on in all epochs together
LEAST_EPOCHS = 8  # fewer do not train it well
SEQUENCE: dict[str, Any] = {"negatives": 1024, "max_length": 50}


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
        "Most rounds of training examples; each holds out one choice per user and fits the stages.",
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


# --- without stages -------------------------------------------------------------------------------


def pool(data: Dataset) -> tuple[ModelSpec, ...]:
    """Return the models to choose from, unfitted: the simplest first."""
    models: list[tuple[str, dict[str, Any]]] = [
        ("UserCosine", {}),
        ("ItemCosine", {}),
        ("RP3beta", {}),
        ("GraphFilter", {}),
        ("IALS", {}),
        ("IALS", SPARSE_IALS),
    ]
    models.append(("EASE" if data.n_items <= MAX_EASE_ITEMS else "SparseEASE", {}))
    if data.user_features is not None or data.item_features is not None:
        models.append(("Hybrid", {}))  # by choices alone it adds nothing to the two cosines
    if data.item_features is not None:
        models.append(("ContentBased", {}))
        if data.times is not None:
            models.append(("ContentBased", {"aggregate": "recency"}))
    if extras.installed("torch"):
        models.append(("MatrixFactorization", {}))
        if has_order(data):
            epochs = sequence_epochs(data)
            if epochs:
                models.append(("SASRec", SEQUENCE | {"epochs": epochs}))
    specs = [ModelSpec(model=name, config=settings) for name, settings in models]
    return tuple(specs[:1] + fitting(specs[1:], data, memory_of(specs[:1], data)))


def memory_of(specs: Sequence[ModelSpec], data: Dataset) -> int:
    """Return about the bytes of fitting models one after another and keeping them."""
    return sum(spec.make().memory_to_fit(data) for spec in specs)


def fitting(specs: Sequence[ModelSpec], data: Dataset, taken: int) -> list[ModelSpec]:
    """Return the models that fit into the free memory beside those before; log the others."""
    free, kept = available_memory(), []
    for spec in specs:
        needed = memory_of([spec], data)
        if free is None or taken + needed <= free:
            kept.append(spec)
            taken += needed
        else:
            log.warning(
                "%s is left out of the stages to choose from: it needs %s of memory, and %s are "
                "free beside the others; name it in stages to have it",
                spec.model,
                gigabytes(needed),
                gigabytes(max(free - taken, 0)),
            )
    return kept


def has_order(data: Dataset) -> bool:
    """Return whether times say in which order most choices of a user followed each other."""
    if data.times is None:
        return False
    order = np.lexsort((data.times, data.user_rows))
    follows = np.diff(data.user_rows[order]) == 0
    differ = np.diff(data.times[order]) > 0
    return bool(2 * (follows & differ).sum() > max(follows.sum(), (data.user_counts > 0).sum()))


def sequence_epochs(data: Dataset) -> int:
    """Return the most epochs of SASRec; 0, which is logged, if the histories are too much work."""
    positions = np.minimum(data.user_counts, SEQUENCE["max_length"] + 1) - 1
    count = int(positions.clip(min=0).sum())
    epochs = min(200, MAX_POSITIONS // max(count, 1))
    if epochs < LEAST_EPOCHS:
        log.info(
            "SASRec is left out of the stages to choose from: %s positions in histories, "
            "and %s are at most two minutes of one core; name it in stages to have it",
            f"{count:,}",
            f"{MAX_POSITIONS // LEAST_EPOCHS:,}",
        )
        return 0
    return epochs
