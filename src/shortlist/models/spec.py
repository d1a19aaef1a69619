"""Models as settings of a model: which model, with which settings, written as plain data."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

from shortlist.models.base import Model
from shortlist.models.registry import model_class


class ModelSpec(BaseModel):
    """A model that is not fitted, as a setting of another one.

    Where one is asked for, a model, the name of one (for its defaults), or
    ``{"model": name, "config": {...}}`` will do.

    Attributes
    ----------
    model
        Its name in the registry.
    config
        Every setting of it, defaults included: what was chosen stays what it was when defaults
        change.

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
    def _from_model_or_name(cls, given: Any) -> Any:
        if isinstance(given, Model):
            return {"model": given.name, "config": given.config.model_dump(mode="json")}
        if isinstance(given, str):
            return {"model": given}
        return given

    @model_validator(mode="after")
    def _complete(self) -> Self:
        made = model_class(self.model)(**self.config)
        object.__setattr__(self, "config", made.config.model_dump(mode="json"))
        return self

    @model_serializer
    def _plain(self) -> dict[str, Any]:
        return {"model": self.model, "config": self.config}

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return repr(self.make())

    def make(self) -> Model[Any, Any]:
        """Make the model, not fitted."""
        return model_class(self.model)(**self.config)


def listed(given: Any) -> Any:
    """Take ``"EASE,IALS"``, as a command line has it, apart; leave anything else alone.

    For use as a validator (``BeforeValidator``) of a setting that holds several models.
    """
    if isinstance(given, str):
        return [name.strip() for name in given.split(",")]
    if isinstance(given, Model):
        return [given]
    return given
