"""A model as a setting of another model: its name and its settings, as plain data."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

from shortlist.models.base import Model
from shortlist.models.registry import model_class


class ModelSpec(BaseModel):
    """An unfitted model, as a setting of another model.

    It is validated from a model, from a name (a model with default settings), or from
    ``{"model": name, "config": {...}}``.

    Attributes
    ----------
    model
        The name in the registry.
    config
        All settings, including defaults, so that they do not change when a default changes.

    Raises
    ------
    ConfigError
        There is no such model, or a setting is out of its range.

    Examples
    --------
    >>> ModelSpec.model_validate("EASE").make()
    EASE()
    >>> from shortlist.models.ease import EASE
    >>> ModelSpec.model_validate(EASE(regularization=100)).config["regularization"]
    100.0
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
