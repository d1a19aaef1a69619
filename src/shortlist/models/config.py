"""Hyper-parameters, declared once beside their model.

The constructor, its documentation, the command line, tuning and bundles all read the declaration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from shortlist.errors import ConfigError, ShortlistError, suggestion

Scale = Literal["linear", "log"]
Auto: TypeAlias = Literal["auto"]
AUTO: Final = "auto"  # a setting that is chosen when the model is fitted


@dataclass(frozen=True)
class Search:
    """The values that tuning tries: a range, or a list of choices.

    ``when`` names another setting, and the value that it must have for this setting to matter.
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
        The value that is used if the caller gives none.
    doc
        One sentence for the documentation and the command line.
    search
        The values that tuning tries; None: not tuned.
    bounds
        The bounds that pydantic checks: ``ge``, ``gt``, ``le``, ``lt``.
    """
    # pydantic's only slot for metadata; the range need not be valid in a JSON schema.
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
        """Validate the caller's parameters.

        Raises
        ------
        ConfigError
            A name does not exist, or a value has the wrong type or is out of its range.
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
            value = parameters.get(name, first["input"])  # the whole list, not the wrong entry
            cause = first.get("ctx", {}).get("error")
            reason = cause.what if isinstance(cause, ShortlistError) else first["msg"]
            raise ConfigError(
                f"{model}: {name}={value!r} is out of range: {reason}",
                remedy=f"{field.description} (default: {field.default})",
            ) from None


def search_range(field: FieldInfo) -> Search | None:
    """Return the search range that a field was declared with."""
    extra = field.json_schema_extra
    search = extra.get("search") if isinstance(extra, dict) else None
    return search if isinstance(search, Search) else None
