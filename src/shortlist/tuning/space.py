"""Where tuning looks: the ranges that are written beside a model's settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, get_args

from pydantic.fields import FieldInfo

from shortlist.errors import ConfigError
from shortlist.models.base import Model
from shortlist.models.config import Search, search_range

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial


@dataclass(frozen=True)
class Parameter:
    """One setting and its range.

    Attributes
    ----------
    name, default, search
        As the model's config declares them.
    whole
        Whether its numbers are whole.
    """

    name: str
    default: Any
    search: Search
    whole: bool

    def distribution(self) -> BaseDistribution:
        """Give the range as Optuna writes it. Choices are JSON texts there, so any will do."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        search = self.search
        if search.choices:
            return CategoricalDistribution([json.dumps(one) for one in search.choices])
        log = search.scale == "log"
        if self.whole:
            return IntDistribution(int(search.low), int(search.high), log=log)
        return FloatDistribution(search.low, search.high, log=log)

    def suggested(self, trial: Trial) -> Any:
        """Let a trial suggest a value."""
        search, log = self.search, self.search.scale == "log"
        if search.choices:
            texts = [json.dumps(one) for one in search.choices]
            return json.loads(trial.suggest_categorical(self.name, texts))
        if self.whole:
            return trial.suggest_int(self.name, int(search.low), int(search.high), log=log)
        return trial.suggest_float(self.name, search.low, search.high, log=log)

    def as_optuna(self, value: Any) -> Any:
        """Give a value as Optuna keeps it: a default beyond the range (0: off) as its near end."""
        if self.search.choices:
            return json.dumps(value)
        return min(max(value, self.search.low), self.search.high)

    def holds(self, value: Any) -> bool:
        """Whether a value can come up: the default, or one from the range."""
        if self.search.choices:
            return json.dumps(value) in map(json.dumps, self.search.choices)
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return value == self.default or self.search.low <= value <= self.search.high


class Space:
    """The settings of a model that are tuned, beside those that are given.

    Parameters
    ----------
    model
        The class of the model.
    given
        Settings that stay as they are.

    Raises
    ------
    ConfigError
        Nothing is left to tune, or a default is no number where numbers are searched, or none of
        the choices.

    Examples
    --------
    >>> from shortlist.models.ease import EASE
    >>> Space(EASE, {}).names
    ('regularization',)
    """

    def __init__(self, model: type[Model[Any, Any]], given: Mapping[str, Any]) -> None:
        self.model, self.given = model, dict(given)
        found = []
        for name, field in model.Config.model_fields.items():
            search = search_range(field)
            if search is not None and name not in given:
                found.append(_parameter(model, name, field, search))
        if not found:
            why = "are given" if given else "have a search range"
            count = "all" if given else "none"
            raise ConfigError(
                f"{model.__name__} has nothing to tune: {count} of its settings {why}",
                remedy="give fewer settings, or fit it as it is"
                if given
                else "fit it as it is: its defaults are all there is",
            )
        # What others depend on is suggested before them.
        self._parameters = sorted(found, key=lambda one: one.search.when is not None)

    @property
    def names(self) -> tuple[str, ...]:
        """The settings that are tuned."""
        return tuple(parameter.name for parameter in self._parameters)

    def defaults(self) -> dict[str, Any]:
        """Give the defaults of what is tuned."""
        values: dict[str, Any] = {}
        for parameter in self._active(values):
            values[parameter.name] = json.loads(json.dumps(parameter.default))
        return values

    def suggested(self, trial: Trial) -> dict[str, Any]:
        """Let a trial suggest a value for every setting that has an effect."""
        values: dict[str, Any] = {}
        for parameter in self._active(values):
            values[parameter.name] = parameter.suggested(trial)
        return values

    def optuna(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Give settings and their ranges as ``optuna.trial.create_trial`` takes them."""
        chosen = [parameter for parameter in self._parameters if parameter.name in settings]
        return {
            "params": {one.name: one.as_optuna(settings[one.name]) for one in chosen},
            "distributions": {one.name: one.distribution() for one in chosen},
        }

    def holds(self, settings: Mapping[str, Any]) -> bool:
        """Whether settings could have been suggested here."""
        values: dict[str, Any] = {}
        for parameter in self._active(values):
            if parameter.name not in settings or not parameter.holds(settings[parameter.name]):
                return False
            values[parameter.name] = settings[parameter.name]
        return values.keys() == settings.keys()

    def described(self) -> dict[str, Any]:
        """Give the ranges as plain data."""
        ranges = {one.name: asdict(one.search) | {"whole": one.whole} for one in self._parameters}
        plain: dict[str, Any] = json.loads(json.dumps(ranges))
        return plain

    def make(self, settings: Mapping[str, Any]) -> Model[Any, Any]:
        """Make the model with these settings and the given ones."""
        return self.model(**self.given, **settings)

    def _active(self, values: Mapping[str, Any]) -> Iterator[Parameter]:
        """The settings that have an effect beside the values found so far."""
        for parameter in self._parameters:
            if parameter.search.when is None:
                yield parameter
                continue
            name, needed = parameter.search.when
            default = self.model.Config.model_fields[name].default
            if {name: default, **self.given, **values}[name] == needed:
                yield parameter


def _parameter(
    model: type[Model[Any, Any]], name: str, field: FieldInfo, search: Search
) -> Parameter:
    types = {field.annotation, *get_args(field.annotation)}
    parameter = Parameter(name, field.default, search, int in types and float not in types)
    if not parameter.holds(field.default):
        raise ConfigError(
            f"the default of {model.__name__}.{name}, {field.default!r}, is nothing like what is "
            "searched for it",
            remedy="declare a number for a range, and one of the choices for choices",
        )
    return parameter
