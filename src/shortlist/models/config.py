"""Hyper-parameters, declared once beside their model.

The constructor, its documentation, the command line, tuning and bundles all read the declaration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, ClassVar, Final, Literal, Self, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from shortlist.bundle.declarations import Record
from shortlist.data.identity import OTHER
from shortlist.errors import ConfigError, suggestion

Scale = Literal["linear", "log"]
Auto: TypeAlias = Literal["auto"]
AUTO: Final = "auto"  # a setting that is chosen when the model is fitted

Arrays: TypeAlias = dict[str, NDArray[np.float32]]
"""Trained parameters by name."""


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
    """Declare a hyper-parameter: its default, its documentation, and what tuning tries.

    ``search=None``: it is not tuned. ``bounds`` are those of pydantic: ``ge``, ``gt``, ``le``,
    ``lt``.
    """
    # pydantic's only slot for metadata; the range need not be valid in a JSON schema.
    extra: dict[str, Any] = {"search": search}
    return Field(default, description=doc, json_schema_extra=extra, **bounds)


class ModelConfig(BaseModel):
    """The settings of a model: frozen, validated, serialisable."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    conditional: ClassVar[frozenset[str]] = frozenset()
    """Settings that are chosen, if "auto", only where the data gives something to choose from."""

    @property
    def changed(self) -> list[str]:
        """The names of the settings that differ from their defaults."""
        return list(self.model_dump(exclude_defaults=True))

    @classmethod
    def checked(cls, model: str, parameters: dict[str, Any]) -> Self:
        """Validate the caller's parameters; ConfigError names a wrong name or value."""
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
            reason = first["msg"] if cause is None else str(getattr(cause, "what", cause))
            raise ConfigError(
                f"{model}: {name}={value!r} is out of range: {reason}",
                remedy=f"{field.description} (default: {field.default})",
            ) from None


def chosen_settings(config: type[ModelConfig]) -> Record:
    """Declare the learned values of the settings that can be "auto"; None for no choice."""
    hints = {}
    for name, field in config.model_fields.items():
        types = [*get_args(field.annotation), *[type(None)] * (name in config.conditional)]
        if Auto in types:
            hints[name] = reduce(or_, (kind for kind in types if kind != Auto))
    return Record(hints)


class TrainingConfig(ModelConfig):
    """Settings that all models trained by gradient share."""

    epochs: int = hyper(60, "Passes over the data.", ge=1, search=Search(10, 500, "log"))
    batch_size: int | None = hyper(
        None, "Examples per step; None: all at once, so that an epoch is one step.", ge=1
    )
    learning_rate: float = hyper(0.05, "Learning rate.", gt=0, search=Search(1e-3, 1.0, "log"))
    optimizer: Literal["sgd", "adagrad", "adam"] = hyper(
        "adam", "Optimiser; adagrad starts its sums at 0.1, as TensorFlow does."
    )
    validation: float = hyper(
        0.0,
        "Share of the interactions held out for early stopping; the best epoch is kept. 0: none.",
        ge=0,
        lt=1,
    )
    patience: int = hyper(
        10, "Epochs without a better validation loss after which training stops.", ge=1
    )
    precision: Literal["float32", "bfloat16"] = hyper(
        "float32", "Precision of matrix products (autocast); parameters and sums stay float32."
    )
    device: str = hyper("cpu", "Device to train on: cpu, cuda, cuda:1, mps.")
    seed: int = hyper(0, "Seeds the initial values, the batches and all random draws.", ge=0)


def difference(stored: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    """Return how the identities of two trainings differ: in the data, or in which settings."""
    key = next((key for key in current if stored.get(key) != current[key]), "format")
    if key != "settings":
        return OTHER.get(key, f"another {key}")
    return ", ".join(
        f"{name}={stored[key].get(name)!r} (here {value!r})"
        for name, value in current[key].items()
        if stored[key].get(name) != value
    )


def search_range(field: FieldInfo) -> Search | None:
    """Return the search range that a field was declared with."""
    extra = field.json_schema_extra
    search = extra.get("search") if isinstance(extra, dict) else None
    return search if isinstance(search, Search) else None
