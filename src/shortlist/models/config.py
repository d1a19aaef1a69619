"""Hyper-parameters: written once, beside their model, and read from there by everything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from shortlist.errors import ConfigError, ShortlistError, suggestion

Scale = Literal["linear", "log"]


@dataclass(frozen=True)
class Search:
    """Where tuning looks for a good value: a range, or a list of choices.

    ``when`` names another setting and the value it must have for this one to have an effect.
    """

    low: float = 0.0
    high: float = 0.0
    scale: Scale = "linear"
    choices: tuple[Any, ...] = ()
    when: tuple[str, Any] | None = None


def hyper(default: Any, doc: str, *, search: Search | None = None, **bounds: Any) -> Any:
    """Declare a hyper-parameter.

    Parameters
    ----------
    default
        Its value where the caller gives none.
    doc
        What it does, in a sentence: shown by the documentation and the command line.
    search
        Where tuning looks; None: not tuned.
    bounds
        What pydantic checks: ``ge``, ``gt``, ``le``, ``lt``.
    """
    # The range is for our own readers, not for a JSON schema: any object will do.
    extra: dict[str, Any] = {"search": search}
    return Field(default, description=doc, json_schema_extra=extra, **bounds)


class ModelConfig(BaseModel):
    """The settings of a model: frozen, validated, serialisable.

    Examples
    --------
    >>> from shortlist.models.ease import EASE
    >>> EASE.Config().regularization > 0
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def checked(cls, model: str, parameters: dict[str, Any]) -> Self:
        """Validate what the caller gave.

        Raises
        ------
        ConfigError
            A name that does not exist, a value of the wrong type or out of its range.
        """
        for name in parameters:
            if name not in cls.model_fields:
                raise ConfigError(
                    f"{model} has no parameter {name!r}", remedy=suggestion(name, cls.model_fields)
                )
        try:
            return cls(**parameters)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            field = cls.model_fields[name]
            given = parameters.get(name, first["input"])  # all of a list, not the one wrong entry
            reason = first.get("ctx", {}).get("error")
            why = reason.what if isinstance(reason, ShortlistError) else first["msg"]
            raise ConfigError(
                f"{model}: {name}={given!r} is out of range: {why}",
                remedy=f"{field.description} (default: {field.default})",
            ) from None


def search_range(field: FieldInfo) -> Search | None:
    """Give the search range that a field was declared with."""
    extra = field.json_schema_extra
    found = extra.get("search") if isinstance(extra, dict) else None
    return found if isinstance(found, Search) else None
