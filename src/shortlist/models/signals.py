"""Weights and dislikes: their settings, chosen on a fold, and histories weighted by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.models.automatic import Step, choose
from shortlist.models.base import Model
from shortlist.models.config import AUTO, Auto, ModelConfig, hyper
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.sparse import binary

Strength: TypeAlias = Literal["binary", "weighted"]
DislikeWeight: TypeAlias = Annotated[float, Field(ge=0, le=1)]

WEIGHTINGS: Final = ("binary", "weighted")
DISLIKE_WEIGHTS: Final = (0.0, 0.1, 0.3, 1.0)


class WeightedConfig(ModelConfig):
    """The setting of models that can count interactions with their weights."""

    conditional: ClassVar = frozenset({"weighting", "dislikes"})

    weighting: Strength | Auto = hyper(
        "auto",
        "Count each interaction as 1 (binary), or with its weight (weighted); auto: where weights "
        "differ, what ranks the held-out weight of a validation fold better, else binary.",
    )


def dislikes_setting() -> Any:
    """Declare what a disliked item takes away."""
    return hyper(
        "auto",
        "Weight of a disliked item, relative to a chosen one, that is subtracted from scores; 0: "
        "it is only left out of lists; auto: chosen on a validation fold if there are dislikes.",
    )


class SignalConfig(WeightedConfig):
    """The settings of models that score by the items of a history."""

    dislikes: DislikeWeight | Auto = dislikes_setting()


def choose_signals(
    model: Model[Any, Any],
    data: Dataset,
    steps: Sequence[Step],
    learn: Callable[[Dataset, Mapping[str, Any]], Any] | None = None,
) -> dict[str, Any]:
    """Return the settings of the steps, and weighting and dislikes as far as the model has them.

    The latter are chosen last. They are None where they are "auto" and the data has no weights that
    differ, or no dislikes: then there is nothing to choose from.
    """
    if data.weights_differ and any(name == "weighting" for name, _ in steps):
        steps = [
            (name, (*values, "weighted") if name == "weighting" else values)
            for name, values in steps
        ]
    elif data.weights_differ:
        steps = (*steps, ("weighting", WEIGHTINGS))
    if data.dislikes is not None and "dislikes" in type(model.config).model_fields:
        steps = (*steps, ("dislikes", DISLIKE_WEIGHTS))
    settings = choose(model, data, steps, learn)
    for name in {"weighting", "dislikes"} & type(model.config).model_fields.keys():
        given = getattr(model.config, name)
        settings.setdefault(name, None if given == AUTO else given)
    return settings


def strengths(data: Dataset, weighting: Strength | None) -> csr_array:
    """Return 1 for each interaction, or its weight over the mean weight."""  # (n_users, n_items)
    if weighting != "weighted":
        return data.choices
    scaled = (data.weights / mean_weight(data)).astype(np.float32)
    choices = data.choices
    return csr_array((scaled, choices.indices, choices.indptr), shape=choices.shape)


def histories(model: Model[Any, Any], profiles: Profiles, unit: float | None = None) -> csr_array:
    """Return the strengths of the items of each history, less what is disliked.

    A weight is divided by ``unit``; None: by the mean weight of the training data.
    """  # (B, n_items)
    history, used, typical = binary(profiles.history), model.used, 1.0
    if used.weighting == "weighted":
        mean = mean_weight(model.data)
        unit = mean if unit is None else unit
        history.data, typical = (profiles.history.data / unit).astype(np.float32), mean / unit
    if profiles.disliked is None or used.dislikes in (AUTO, 0):
        return history
    against = binary(profiles.disliked)
    against.data *= np.float32(-used.dislikes * typical)
    both = csr_array(history + against)
    both.sort_indices()
    return both


def mean_weight(data: Dataset) -> float:
    """Return the mean weight of the interactions; 1 where it is 0."""
    return float(data.weights.mean(dtype=np.float64)) if data.weights.any() else 1.0
