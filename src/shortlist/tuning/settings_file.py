"""A model's name and settings in a JSON file: written by ``tune``, read by ``fit --config``."""

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


class SettingsFile(BaseModel):
    """A model's name, its settings, and how they were found.

    Attributes
    ----------
    format, shortlist
        The version of the file format, and of the library that wrote the file.
    model, config
        The name of the model, and its settings; those that are missing are the defaults.
    tuning
        How the settings were found; empty if they were written by hand.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    shortlist: str = __version__
    model: str
    config: dict[str, Any] = {}
    tuning: dict[str, Any] = {}

    @classmethod
    def of(cls, model: Model[Any, Any], tuning: Mapping[str, Any]) -> SettingsFile:
        """Collect the settings of a model."""
        return cls(
            model=model.name, config=model.config.model_dump(mode="json"), tuning=dict(tuning)
        )

    @classmethod
    def read(cls, path: str | Path) -> SettingsFile:
        """Read a file of :meth:`save`, or one written by hand, such as ``{"model": "EASE"}``.

        Raises
        ------
        InputError
            There is no such file, or it does not have this format.
        ConfigError
            There is no such model, or a setting is out of its range.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(
                f"there is no file {path}", remedy="name a file that shortlist tune wrote"
            )
        try:
            settings = cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            reason = f"{key}: {first['msg']}" if key else first["msg"]
            raise InputError(
                f"the settings cannot be read: {reason}",
                where=f"{path}",
                remedy='write {"model": NAME, "config": {...}}, or use the file of shortlist tune',
            ) from None
        try:
            settings.make()
        except ConfigError as error:
            raise ConfigError(error.what, where=f"{path}", remedy=error.remedy) from None
        return settings

    def save(self, path: str | Path) -> Path:
        """Write the file atomically."""
        with atomic_file(path) as partial:
            partial.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return Path(path)

    def make(self, changed: Mapping[str, Any] | None = None) -> Model[Any, Any]:
        """Make the model, with some settings changed."""
        return model_class(self.model)(**{**self.config, **(changed or {})})
