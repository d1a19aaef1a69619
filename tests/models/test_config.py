from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from shortlist.errors import ConfigError
from shortlist.models.base import Model
from shortlist.models.config import ModelConfig, Search, hyper, search_range
from shortlist.models.ease import EASEConfig
from shortlist.models.registry import MODULES, model_class


class TuneConfig(ModelConfig):
    """Settings for these tests."""

    size: int = hyper(8, "How large.", ge=1, le=64, search=Search(4, 32, "log"))
    rate: float = hyper(0.5, "How fast.", gt=0, lt=1)


def refusal(**parameters: Any) -> str:
    with pytest.raises(ConfigError) as error:
        TuneConfig.checked("Tune", parameters)
    return str(error.value)


def test_an_unknown_parameter_is_refused() -> None:
    assert refusal(sise=3) == (
        "Tune has no parameter 'sise'\n  to do: did you mean 'size'? Known: rate, size"
    )
    assert refusal(x=3) == "Tune has no parameter 'x'\n  to do: use one of these: rate, size"


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"size": 0}, "Tune: size=0 is out of range: Input should be greater than or equal to 1"),
        ({"size": 65}, "Tune: size=65 is out of range: Input should be less than or equal to 64"),
        ({"rate": 0}, "Tune: rate=0 is out of range: Input should be greater than 0"),
        ({"rate": 1.0}, "Tune: rate=1.0 is out of range: Input should be less than 1"),
        ({"rate": float("nan")}, "Tune: rate=nan is out of range"),
        ({"rate": float("inf")}, "Tune: rate=inf is out of range"),
        ({"size": 2.5}, "Tune: size=2.5 is out of range: Input should be a valid integer"),
        ({"size": None}, "Tune: size=None is out of range: Input should be a valid integer"),
        ({"size": "many"}, "Tune: size='many' is out of range: Input should be a valid integer"),
    ],
)
def test_a_value_out_of_range(parameters: dict[str, Any], what: str) -> None:
    name = next(iter(parameters))
    remedy = {"size": "How large. (default: 8)", "rate": "How fast. (default: 0.5)"}[name]
    first, last = refusal(**parameters).split("\n")
    assert first.startswith(what)
    assert last == f"  to do: {remedy}"


def test_numpy_numbers_are_accepted() -> None:
    config = TuneConfig.checked("Tune", {"size": np.int64(16), "rate": np.float32(0.25)})
    assert config.model_dump() == {"size": 16, "rate": 0.25}
    assert type(config.size) is int


def test_a_config_is_frozen_and_comparable() -> None:
    config = EASEConfig(regularization=5)
    with pytest.raises(ValueError, match="frozen"):
        config.regularization = 6  # type: ignore[misc]
    assert config == EASEConfig(regularization=5.0) != EASEConfig()


def test_a_search_range_is_read_from_the_field() -> None:
    fields = TuneConfig.model_fields
    assert search_range(fields["size"]) == Search(4, 32, "log")
    assert search_range(fields["rate"]) is None


@pytest.mark.parametrize("name", sorted(MODULES))
def test_search_ranges_lie_within_bounds(name: str) -> None:
    for parameter, field in model_class(name).Config.model_fields.items():
        search = search_range(field)
        if search is None:
            continue
        for value in search.choices or (search.low, search.high):
            assert value in (1, True) or model_class(name)(**{parameter: value})
        assert search.choices or search.low < search.high
        assert search.scale == "linear" or search.low > 0


@pytest.mark.parametrize("name", sorted(MODULES))
def test_signature_and_documentation_come_from_the_config(name: str) -> None:
    kind = model_class(name)
    signature = inspect.signature(kind)
    assert list(signature.parameters) == list(kind.Config.model_fields)
    for parameter, field in kind.Config.model_fields.items():
        assert signature.parameters[parameter].default == field.default
        assert signature.parameters[parameter].kind is inspect.Parameter.KEYWORD_ONLY
        assert field.description is not None
        assert f"{parameter}\n        {field.description}" in (kind.__doc__ or "")


def test_an_unknown_model() -> None:
    with pytest.raises(ConfigError) as error:
        model_class("EASY")
    assert str(error.value).startswith("there is no model 'EASY'\n  to do: did you mean 'EASE'? ")
    assert "ItemCosine" in str(error.value)


class Half(Model[TuneConfig, dict[str, Any]]):
    """A model for these tests."""

    def learn(self, data: Any) -> Any:
        return {}

    def score(self, profiles: Any) -> Any:
        return None


class Quarter(Half):
    """A subclass without a config of its own."""


def test_repr_shows_changed_settings() -> None:
    assert repr(Half()) == "Half()"
    assert repr(Half(size=8, rate=0.25)) == "Half(rate=0.25)"
    assert repr(Quarter(rate=0.25, size=9)) == "Quarter(size=9, rate=0.25)"


def test_a_subclass_takes_its_config_from_its_type_arguments() -> None:
    for kind in (Half, Quarter):
        assert kind.Config is TuneConfig
        assert kind(size=3).config.size == 3
        assert list(inspect.signature(kind).parameters) == ["size", "rate"]
