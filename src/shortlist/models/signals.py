"""Weights and dislikes: their settings, weighted histories, and models that are linear in these."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.models.automatic import Step, choose
from shortlist.models.base import Model
from shortlist.models.config import AUTO, Auto, ModelConfig, hyper
from shortlist.scoring.capabilities import ExplainsLists, Parts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Scores
from shortlist.scoring.sparse import binary, one_hot

Strength: TypeAlias = Literal["binary", "weighted"]
Push: TypeAlias = Annotated[float, Field(ge=0, le=1)]

WEIGHTINGS: Final = ("binary", "weighted")
PUSHES: Final = (0.0, 0.1, 0.3, 1.0)

C = TypeVar("C", bound=ModelConfig)
L = TypeVar("L")


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
        "Share of a choice that a disliked item counts against the items that it leads to, 0: it "
        "is only left out of lists; auto: where there are dislikes, chosen on a validation fold.",
    )


class SignalConfig(WeightedConfig):
    """The settings of models that score by the items of a history."""

    dislikes: Push | Auto = dislikes_setting()


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
        steps = (*steps, ("dislikes", PUSHES))
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


class LinearModel(Model[C, L], ExplainsLists):
    """The base of models whose scores are linear in the history.

    Write :meth:`of_histories` and :meth:`terms`, and ``learn`` as for every model.
    """

    @abstractmethod
    def of_histories(self, history: csr_array) -> Scores:
        """Score the whole catalogue for weighted histories (B, n_items)."""

    @abstractmethod
    def terms(self, kind: str, history: csr_array, items: Rows) -> Iterator[Parts]:
        """Yield what each item of one history adds to the score of each of these items."""

    def weighted_history(self, profiles: Profiles) -> csr_array:
        """Return the weight of each item of the histories."""  # (B, n_items)
        return histories(self, profiles)

    def score(self, profiles: Profiles) -> Scores:
        """Sum the weights from the items of each history."""
        return self.of_histories(self.weighted_history(profiles))

    def similar_scores(self, items: Rows) -> Scores:
        """Score by the weights from each item."""
        return self.of_histories(one_hot(items, self.data.n_items))

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Yield what each item of the history adds, chosen and disliked ones apart."""
        history = self.weighted_history(profiles)
        kinds = [("chosen item", history.data >= 0)]
        if (history.data < 0).any():
            kinds.append(("disliked item", history.data < 0))
        of_kinds = [self.terms(kind, _entries(history, kept), items) for kind, kept in kinds]
        for parts in zip(*of_kinds, strict=True):
            yield list(parts)


def mean_weight(data: Dataset) -> float:
    """Return the mean weight of the interactions; 1 where it is 0."""
    return float(data.weights.mean(dtype=np.float64)) if data.weights.any() else 1.0


def _entries(history: csr_array, kept: NDArray[np.bool_]) -> csr_array:
    """Return some entries of a single row."""
    indptr = np.array([0, np.count_nonzero(kept)])
    return csr_array((history.data[kept], history.indices[kept], indptr), shape=history.shape)
