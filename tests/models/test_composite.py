"""Models as settings of a model, and in its bundle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from pydantic import BeforeValidator

from shortlist.bundle.declarations import Array, Checked
from shortlist.bundle.declarations import Fitted as FittedModel
from shortlist.bundle.parts import join, split
from shortlist.data.dataset import Dataset
from shortlist.errors import ConfigError
from shortlist.models.base import Fitted, Model
from shortlist.models.composite import ModelSpec, model_list
from shortlist.models.config import ModelConfig, hyper
from shortlist.models.cosine import ItemCosine, UserCosine
from shortlist.models.ease import EASE
from shortlist.models.ials.model import IALS
from shortlist.models.popularity import PopularityConfig
from shortlist.models.registry import model_class
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Scores
from shortlist.testing.worlds import checkerboard


class PairConfig(ModelConfig):
    stages: Annotated[tuple[ModelSpec, ...], BeforeValidator(model_list)] = hyper((), "Models.")


@dataclass(frozen=True)
class PairLearned:
    stages: Annotated[tuple[Model, ...], FittedModel("stages")]  # type: ignore[type-arg]
    ranker: Annotated[Model, Checked("any model", lambda *_: None)]  # type: ignore[type-arg]
    weights: Annotated[np.ndarray, Array("3", dtype=np.float64)]


class Pair(Model[PairConfig, PairLearned]):
    def learn(self, data: Dataset) -> Fitted[PairLearned]:
        stages = tuple(spec.make().fit(data) for spec in self.config.stages)
        return Fitted(PairLearned(stages, EASE().fit(data), np.arange(3.0)))

    def score(self, profiles: Profiles) -> Scores:
        return self.learned.ranker.score(profiles)


@pytest.mark.parametrize(
    "given", ["ItemCosine,EASE", "ItemCosine, EASE", [ItemCosine(), "EASE"], (ItemCosine(), EASE())]
)
def test_models_are_given_by_name_or_as_objects(given: object) -> None:
    stages = Pair(stages=given).config.stages
    assert [spec.model for spec in stages] == ["ItemCosine", "EASE"]
    assert repr(stages[1].make()) == "EASE()"


def test_a_single_model_becomes_a_list() -> None:
    assert repr(Pair(stages=EASE(regularization=7))) == "Pair(stages=(EASE(regularization=7.0),))"


def test_settings_are_plain_data_and_can_be_read_back() -> None:
    config = Pair(stages=[IALS(embedding_size=3), "UserCosine"]).config
    dumped = config.model_dump(mode="json")
    assert dumped["stages"][0]["config"]["embedding_size"] == 3
    assert dumped["stages"][1]["config"]["neighbors"] == UserCosine().config.neighbors
    assert PairConfig(**dumped) == config


def test_an_unknown_model_is_named_in_the_error() -> None:
    with pytest.raises(ConfigError, match="there is no model 'EASY'"):
        Pair(stages="EASY")


def test_a_wrong_setting_of_an_inner_model_is_named_in_the_error() -> None:
    with pytest.raises(ConfigError, match="EASE: regularization=-1 is out of range"):
        Pair(stages=[{"model": "EASE", "config": {"regularization": -1}}])


def test_a_bundle_keeps_inner_models() -> None:
    data = checkerboard().data
    pair = Pair(stages=[ItemCosine(), IALS(embedding_size=4), IALS(embedding_size=2)]).fit(data)
    parts = split(pair.learned)
    assert parts.arrays["stages.2.items"].shape == (data.n_items, 2)
    learned = join(pair, parts, data, model_class)
    assert isinstance(learned.stages, tuple)
    assert [repr(stage) for stage in learned.stages] == [
        repr(stage) for stage in pair.learned.stages
    ]
    for inner, original in zip(
        (*learned.stages, learned.ranker), (*pair.learned.stages, pair.learned.ranker), strict=True
    ):
        assert inner.recommend(k=3).to_arrow().equals(original.recommend(k=3).to_arrow())
        assert inner.history.equals(original.history)
    assert learned.weights.tolist() == [0, 1, 2]


@dataclass(frozen=True)
class Undeclared:
    counts: Any


class Forgetful(Model[PopularityConfig, Undeclared]):
    def learn(self, data: Dataset) -> Fitted[Undeclared]:
        return Fitted(Undeclared(data.item_counts.astype(np.float32)))

    def score(self, profiles: Profiles) -> Scores:
        raise NotImplementedError


def test_a_model_without_declarations_is_not_saved(tmp_path: Path) -> None:
    """Its bundle could not be loaded; and so could that of a model with such a model in it."""
    data = checkerboard().data
    forgetful = Forgetful().fit(data)
    pair = Pair(stages=[ItemCosine()]).fit(data)
    outer = pair.restore(data, replace(pair.learned, ranker=forgetful), pair.history)
    for model in (forgetful, outer):
        with pytest.raises(TypeError, match=r"Undeclared\.counts has no declaration: annotate it"):
            model.save(tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []
