"""The search space of a model: the ranges that are declared with its settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from shortlist.errors import ConfigError
from shortlist.models.base import Model
from shortlist.models.config import AUTO, Search, search_range
from shortlist.models.registry import model_class

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial


@dataclass(frozen=True)
class Parameter:
    """A setting as declared in a model's config, and its search range."""

    name: str
    default: Any
    search: Search
    whole: bool  # its values are whole numbers

    @property
    def _bounds(self) -> tuple[Any, Any]:
        low, high = self.search.low, self.search.high
        return (int(low), int(high)) if self.whole else (low, high)

    @property
    def _texts(self) -> list[str]:
        """The choices, which may be of any type, as JSON."""
        return [json.dumps(choice) for choice in self.search.choices]

    def distribution(self) -> BaseDistribution:
        """Return the range as an Optuna distribution; choices become JSON texts."""
        from optuna import distributions

        if self.search.choices:
            return distributions.CategoricalDistribution(self._texts)
        kind = distributions.IntDistribution if self.whole else distributions.FloatDistribution
        return kind(*self._bounds, log=self.search.scale == "log")

    def suggest(self, trial: Trial) -> Any:
        """Return the value that an Optuna trial suggests."""
        if self.search.choices:
            return json.loads(trial.suggest_categorical(self.name, self._texts))
        suggest = trial.suggest_int if self.whole else trial.suggest_float
        return suggest(self.name, *self._bounds, log=self.search.scale == "log")

    def as_optuna(self, value: Any) -> Any:
        """Convert a value for Optuna; a default outside the range (0: off) becomes its near end."""
        if self.search.choices:
            return json.dumps(value)
        return min(max(value, self.search.low), self.search.high)

    def allows(self, value: Any) -> bool:
        """Whether a value is the default or in the range."""
        if value == self.default == AUTO:
            return True
        if self.search.choices:
            return json.dumps(value) in self._texts
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return value == self.default or self.search.low <= value <= self.search.high


class Space:
    """The tuned settings of a model, and the settings that the caller fixed.

    >>> from shortlist.models.ease import EASE
    >>> Space(EASE, {"dropout": 0}).defaults()
    {'regularization': 'auto'}
    """

    def __init__(self, model: type[Model[Any, Any]], given: Mapping[str, Any]) -> None:
        self.model, self.given = model, dict(given)
        parameters = []
        for name, field in model.Config.model_fields.items():
            search = search_range(field)
            if search is None or name in given:
                continue
            types = _types(field.annotation)
            parameter = Parameter(name, field.default, search, int in types and float not in types)
            if not parameter.allows(field.default):
                raise ConfigError(
                    f"the default of {model.__name__}.{name}, {field.default!r}, does not fit its "
                    "search range",
                    remedy="declare a number for a range, and one of the choices for choices",
                )
            parameters.append(parameter)
        if not parameters:
            why = "all of its settings are given" if given else "no setting has a search range"
            raise ConfigError(
                f"{model.__name__} has nothing to tune: {why}",
                remedy="give fewer settings, or fit it as it is" if given else "fit it as it is",
            )
        # A setting that depends on another one comes after it.
        self._parameters = sorted(parameters, key=lambda each: each.search.when is not None)

    def defaults(self) -> dict[str, Any]:
        """Return the default of every tuned setting that has an effect."""
        return self._filled(lambda parameter: json.loads(json.dumps(parameter.default)))

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Let an Optuna trial suggest a value for every setting that has an effect."""
        return self._filled(lambda parameter: parameter.suggest(trial))

    def as_optuna(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Convert settings to keyword arguments of ``optuna.trial.create_trial``.

        A setting that is ``"auto"`` has no place in a range and is left out.
        """
        used = [each for each in self._parameters if settings.get(each.name, AUTO) != AUTO]
        return {
            "params": {each.name: each.as_optuna(settings[each.name]) for each in used},
            "distributions": {each.name: each.distribution() for each in used},
        }

    def allows(self, settings: Mapping[str, Any]) -> bool:
        """Whether settings are in the space: those that have an effect, each in its range."""
        active = self._filled(lambda parameter: settings.get(parameter.name))
        return active.keys() == settings.keys() and all(
            parameter.allows(settings[parameter.name])
            for parameter in self._parameters
            if parameter.name in active
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the ranges."""
        return {each.name: asdict(each.search) | {"whole": each.whole} for each in self._parameters}

    def make(self, settings: Mapping[str, Any]) -> Model[Any, Any]:
        """Make the model with these settings and the given ones."""
        return self.model(**self.given, **settings)

    def _filled(self, value_of: Callable[[Parameter], Any]) -> dict[str, Any]:
        """Return a value for each setting that has an effect beside the values before it."""
        values: dict[str, Any] = {}
        for parameter in self._parameters:
            if parameter.search.when is not None:
                name, needed = parameter.search.when
                default = self.model.Config.model_fields[name].default
                if {name: default, **self.given, **values}[name] != needed:
                    continue
            values[parameter.name] = value_of(parameter)
        return values


def _types(annotation: Any) -> set[Any]:
    """Return the types that a union consists of, without their bounds."""
    parts = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _types(parts[0])
    return {annotation}.union(*map(_types, parts)) if parts else {annotation}


def given_settings(model: Model[Any, Any]) -> dict[str, Any]:
    """Return the settings that a model was made with, without the defaults."""
    return {name: getattr(model.config, name) for name in sorted(model.config.model_fields_set)}


def unfitted(model: Model[Any, Any]) -> Model[Any, Any]:
    """Return a copy of a model that is not fitted."""
    return type(model)(**given_settings(model))


def class_and_settings(
    model: str | type[Model[Any, Any]] | Model[Any, Any],
) -> tuple[type[Model[Any, Any]], dict[str, Any]]:
    """Return the class of a model, and the settings that it was made with."""
    if isinstance(model, str):
        return model_class(model), {}
    if isinstance(model, Model):
        return type(model), given_settings(model)
    if isinstance(model, type) and issubclass(model, Model):
        return model, {}
    raise ConfigError(
        f"{model!r} is not a model", remedy="pass a name like 'EASE', a class, or a model"
    )
