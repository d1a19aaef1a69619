from __future__ import annotations

from typing import Any

import pytest

from shortlist.errors import ConfigError
from shortlist.models.base import Model
from shortlist.models.config import ModelConfig, Search, hyper, search_range
from shortlist.models.registry import MODULES, model_class
from shortlist.tuning.space import Space

from .dial import Dial


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_default_is_allowed(name: str) -> None:
    kind = model_class(name)
    if any(map(search_range, kind.Config.model_fields.values())):
        space = Space(kind, {})
        assert space.allows(space.defaults())
        assert space.make(space.defaults()).config == kind().config


@pytest.mark.parametrize("name", sorted(MODULES))
def test_settings_that_others_depend_on_exist(name: str) -> None:
    fields = model_class(name).Config.model_fields
    for field in fields.values():
        search = search_range(field)
        if search is not None and search.when is not None:
            other, value = search.when
            assert model_class(name)(**{other: value})


def test_a_setting_without_an_effect_is_not_suggested() -> None:
    import optuna

    space = Space(Dial, {})
    assert space.defaults() == {"position": 0.1, "kind": "near"}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        settings = space.suggest(study.ask())
        assert ("reach" in settings) == (settings["kind"] == "far")
        assert space.allows(settings)


def test_given_settings_decide_which_others_have_an_effect() -> None:
    assert Space(Dial, {"kind": "far"}).defaults() == {"position": 0.1, "reach": 3}
    assert Space(Dial, {"kind": "near"}).defaults() == {"position": 0.1}
    factorization = model_class("MatrixFactorization")
    assert "gravity" in Space(factorization, {}).defaults()
    assert "gravity" not in Space(factorization, {"loss": "softmax"}).defaults()


def test_decay_is_tuned_only_with_recency() -> None:
    content = model_class("ContentBased")
    assert Space(content, {}).defaults() == {"aggregate": "auto"}
    assert Space(content, {"aggregate": "recency"}).defaults() == {"decay": 0.5}


@pytest.mark.parametrize(
    "settings",
    [
        {"position": 0.5},
        {"position": 1.5, "kind": "near"},
        {"position": 0.5, "kind": "near", "reach": 3},
        {"position": 0.5, "kind": "far", "reach": 3.0},
        {"position": True, "kind": "near"},
        {"position": "0.5", "kind": "near"},
        {"position": 0.5, "kind": "middle"},
    ],
)
def test_settings_that_are_not_in_the_space(settings: dict[str, Any]) -> None:
    assert not Space(Dial, {}).allows(settings)


class LayersConfig(ModelConfig):
    layers: tuple[int, ...] = hyper((8, 4), "Sizes.", search=Search(choices=((8, 4), (16,))))


class Layered(Model[LayersConfig, None]):
    def learn(self, data: Any) -> Any: ...

    def score(self, profiles: Any) -> Any: ...


def test_choices_may_be_any_json_value() -> None:
    import optuna

    space = Space(Layered, {})
    assert space.make(space.defaults()).config.layers == (8, 4)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    suggested = [space.suggest(study.ask())["layers"] for _ in range(10)]
    assert all(layers in ([8, 4], [16]) for layers in suggested)
    assert [8, 4] in suggested
    assert [16] in suggested
    assert space.make({"layers": [16]}).config.layers == (16,)


class OffConfig(ModelConfig):
    decay: float = hyper(0.0, "0: off.", search=Search(1e-4, 0.1, "log"))


class Off(Model[OffConfig, None]):
    def learn(self, data: Any) -> Any: ...

    def score(self, profiles: Any) -> Any: ...


def test_a_default_outside_the_range_is_allowed_and_becomes_the_near_end_for_optuna() -> None:
    space = Space(Off, {})
    assert space.defaults() == {"decay": 0.0}
    assert space.allows({"decay": 0.0})
    assert not space.allows({"decay": 1e-5})
    assert space.as_optuna({"decay": 0.0})["params"] == {"decay": 1e-4}


class StrangeConfig(ModelConfig):
    size: int | None = hyper(None, "None: all.", search=Search(1, 9))


class Strange(Model[StrangeConfig, None]):
    def learn(self, data: Any) -> Any: ...

    def score(self, profiles: Any) -> Any: ...


def test_a_default_that_does_not_fit_its_range_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        Space(Strange, {})
    assert str(error.value) == (
        "the default of Strange.size, None, does not fit its search range\n"
        "  to do: declare a number for a range, and one of the choices for choices"
    )


def test_nothing_to_tune() -> None:
    with pytest.raises(ConfigError) as error:
        Space(model_class("Popularity"), {})
    assert str(error.value) == (
        "Popularity has nothing to tune: no setting has a search range\n  to do: fit it as it is"
    )
    with pytest.raises(ConfigError) as error:
        Space(model_class("EASE"), {"regularization": 5, "dropout": 0.5})
    assert str(error.value).startswith("EASE has nothing to tune: all of its settings are given")
