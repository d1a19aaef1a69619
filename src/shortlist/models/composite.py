"""Models made of other models: an inner model as a setting, and a base class for such models."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.models.base import Model
from shortlist.models.config import ModelConfig
from shortlist.models.registry import model_class
from shortlist.scoring.profiles import Profiles

C = TypeVar("C", bound=ModelConfig)
L = TypeVar("L")


class ModelSpec(BaseModel):
    """An unfitted model, as a setting of another model, with all settings, defaults included.

    It is validated from a model, from a name (a model with default settings), or from
    ``{"model": name, "config": {...}}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    config: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_model_or_name(cls, value: Any) -> Any:
        if isinstance(value, Model):
            return {"model": value.name, "config": value.settings}
        return {"model": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        object.__setattr__(self, "config", self.make().settings)
        return self

    @model_serializer
    def _plain(self) -> dict[str, Any]:
        return {"model": self.model, "config": self.config}

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return repr(self.make())

    def make(self) -> Model[Any, Any]:
        """Return a new, unfitted model."""
        return model_class(self.model)(**self.config)


def model_list(value: Any) -> Any:
    """Split ``"EASE,IALS"``, as the command line passes it; put a single model into a list.

    A validator (``BeforeValidator``) for settings that hold several models.
    """
    if isinstance(value, str):
        return [name.strip() for name in value.split(",")]
    return [value] if isinstance(value, Model) else value


def known_users(data: Dataset, users: Rows, models: Sequence[Model[Any, Any]]) -> Profiles:
    """Return profiles of training users, with features and order if a model uses them."""
    features = any(model.uses_features for model in models)
    order = any(model.uses_order for model in models)
    return Profiles.known(data, users, features=features, order=order)


def _of_inner(ability: str, combine: Callable[[Iterable[bool]], bool] = any) -> Any:
    """Return a property that combines an ability of the inner models."""
    return property(lambda self: combine(getattr(model, ability) for model in self.inner_models))


class CompositeModel(Model[C, L]):
    """A model made of other models, with the requirements and abilities of all of them.

    Write :attr:`inner_models`, and ``learn`` and ``score`` as for every model.
    """

    @property
    @abstractmethod
    def inner_models(self) -> tuple[Model[Any, Any], ...]:
        """The inner models: fitted once this model is, unfitted before."""

    needs_history = _of_inner("needs_history", all)
    uses_features = _of_inner("uses_features")
    uses_order = _of_inner("uses_order")
    needs_item_features = _of_inner("needs_item_features")
    uses_weights = _of_inner("uses_weights")
    uses_item_features = _of_inner("uses_item_features")

    @property
    def bytes_per_query(self) -> int:
        """The memory for one query: rows of scores, or the largest need of an inner model."""
        return max(super().bytes_per_query, *(each.bytes_per_query for each in self.inner_models))

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Return which queries any inner model can score."""  # (B,)
        scorable = np.stack([model.can_score(profiles) for model in self.inner_models])
        return np.asarray(scorable.any(axis=0))
