"""Settings that somebody or something chose, in a JSON file that ``fit`` takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from shortlist._version import __version__
from shortlist.errors import ConfigError, InputError
from shortlist.files import atomic_file
from shortlist.models.base import Model
from shortlist.models.registry import model_class


class Chosen(BaseModel):
    """A model's name, its settings, and how they were found.

    Attributes
    ----------
    format, shortlist
        Of the file, and the version that wrote it.
    model, config
        The name of the model and all of its settings.
    tuning
        How they were found; empty where somebody wrote them down.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    shortlist: str = __version__
    model: str
    config: dict[str, Any] = {}
    tuning: dict[str, Any] = {}

    @classmethod
    def of(cls, model: Model[Any, Any], tuning: Mapping[str, Any]) -> Chosen:
        """Take the settings of a model."""
        return cls(
            model=model.name, config=model.config.model_dump(mode="json"), tuning=dict(tuning)
        )

    @classmethod
    def read(cls, path: str | Path) -> Chosen:
        """Read what :meth:`save` wrote, or what somebody wrote: ``{"model": "EASE"}`` will do.

        Raises
        ------
        InputError
            There is no such file, or it is not of that form.
        ConfigError
            There is no such model, or a setting is out of its range.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(
                f"there is no file {path}", remedy="name one that shortlist tune wrote"
            )
        try:
            chosen = cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "the whole"
            raise InputError(
                f"the settings cannot be read: {key}: {first['msg']}",
                where=f"{path}",
                remedy='write {"model": NAME, "config": {...}}, or use what shortlist tune wrote',
            ) from None
        try:
            chosen.make()
        except ConfigError as error:
            raise ConfigError(error.what, where=f"{path}", remedy=error.remedy) from None
        return chosen

    def save(self, path: str | Path) -> Path:
        """Write it, whole or not at all."""
        with atomic_file(path) as partial:
            partial.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return Path(path)

    def make(self, changed: Mapping[str, Any] | None = None) -> Model[Any, Any]:
        """Make the model, with some settings changed."""
        return model_class(self.model)(**{**self.config, **(changed or {})})
