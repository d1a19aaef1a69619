"""What a search gives back: tables, text, a file, a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shortlist import extras
from shortlist.errors import ConfigError, InputError
from shortlist.models.ease import EASE
from shortlist.models.ials import IALS
from shortlist.models.towers.ncf import GMF
from shortlist.testing import small_world
from shortlist.tuning import Chosen, Tuning, tune
from shortlist.tuning.check import Check
from shortlist.tuning.goal import Goal
from shortlist.tuning.pictures import draw, drawable
from shortlist.tuning.trials import Trial

from .dials import Dial, dial_world


@pytest.fixture(scope="module")
def tuning() -> Tuning:
    """A search with trials of every kind."""
    found = tune(Dial(trap=0.9, seed=3), dial_world(), trials=25, folds=2, metric="mrr")
    assert {one.state for one in found.trials} == {"complete", "pruned", "failed"}
    return found


def test_the_table_has_one_row_a_trial(tuning: Tuning) -> None:
    table = tuning.to_arrow()
    assert table.column_names == [
        "trial", "state", "mrr", "seconds", "place", "kind", "reach", "reason",
    ]  # fmt: skip
    for row, one in zip(table.to_pylist(), tuning.trials, strict=True):
        assert row["trial"] == one.number
        assert row["mrr"] == one.value
        assert (row["reach"] is None) == (row["kind"] == "near")
        assert row["reason"] == one.reason
    assert tuning.to_pandas().shape == tuning.to_polars().shape == table.shape


def test_the_text_says_what_was_found(tuning: Tuning) -> None:
    lines = str(tuning).splitlines()
    n = {
        state: sum(one.state == state for one in tuning.trials)
        for state in ("complete", "pruned", "failed")
    }
    assert lines[0] == (
        f"Dial: 25 trials ({n['complete']} complete, {n['pruned']} pruned, {n['failed']} failed) "
        "on Dataset(9 users, 40 items, 25 interactions)"
    )
    assert lines[1] == (
        f"best mrr {tuning.value:.4f} in trial {tuning.best.number}; "
        f"with the defaults {tuning.default_value:.4f}"
    )
    [settings] = [line.split(" | ") for line in lines if line.startswith("place ")]
    assert [one.strip() for one in settings] == ["place", "0.1", f"{tuning.settings['place']:.4g}"]
    assert any(line.startswith("seed ") for line in lines)  # given, so it is told as well
    assert lines[-1] == f"failed, {n['failed']} times: the dial is stuck at 0.9"
    assert lines[-3] == "Figures on the folds that settings were chosen on are a little too good."
    assert lines[-2] == tuning.check == "there is nothing to check: the defaults are the best"
    assert not any(line != line.rstrip() for line in lines)


def test_the_best_model_is_not_fitted_and_has_the_settings(tuning: Tuning) -> None:
    model = tuning.best_model()
    assert not model.is_fitted
    assert model.config.model_dump(include=set(tuning.settings)) == tuning.settings
    assert tuning.config == model.config.model_dump(mode="json")
    assert repr(tuning) == f"Tuning({model!r}, mrr={tuning.value:.4f})"


def test_of_equal_trials_the_first_is_best() -> None:
    found = tune(Dial(place=0.7, kind="far"), dial_world(), trials=5)
    assert {one.value for one in found.trials} == {0.0}
    assert found.best.number == 0


def test_to_dict_is_json(tuning: Tuning) -> None:
    content = json.loads(json.dumps(tuning.to_dict()))
    assert content["model"] == "Dial"
    assert len(content["trials"]) == 25
    assert content["tuning"]["trials"] == 25


def test_settings_go_to_a_file_and_back(tmp_path: Path) -> None:
    data = small_world().data
    tuning = tune("EASE", data, trials=4)
    chosen = Chosen.read(tuning.save(tmp_path / "config.json"))
    assert chosen.make().config == tuning.best_model().config
    assert chosen.tuning == {
        "metric": "ndcg@10",
        "value": tuning.value,
        "default_value": tuning.default_value,
        "trials": 4,
        "folds": 1,
        "seed": 0,
        "data": data.fingerprint,
        "check": tuning.check.to_dict() if isinstance(tuning.check, Check) else tuning.check,
    }
    assert [one.name for one in tmp_path.iterdir()] == ["config.json"]


def test_settings_may_be_written_by_hand(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"model": "IALS", "config": {"embedding_size": 8}}')
    chosen = Chosen.read(file)
    assert repr(chosen.make()) == "IALS(embedding_size=8)"
    assert repr(chosen.make({"epochs": 3})) == "IALS(embedding_size=8, epochs=3)"
    assert Chosen.of(IALS(epochs=2), {}).config["epochs"] == 2


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "the settings cannot be read: the whole: Invalid JSON"),
        ("[]", "the settings cannot be read: the whole: Input should be an object"),
        ("{}", "the settings cannot be read: model: Field required"),
        ('{"model": 3}', "the settings cannot be read: model: Input should be a valid string"),
        ('{"model": "EASE", "a": 1}', "the settings cannot be read: a: Extra inputs"),
        ('{"model": "EASE", "format": 2}', "the settings cannot be read: format: Input should be"),
        ('{"model": "EASY"}', "there is no model 'EASY'"),
        ('{"model": "EASE", "config": {"lambda": 1}}', "EASE has no parameter 'lambda'"),
        ('{"model": "EASE", "config": {"regularization": -1}}', "EASE: regularization=-1 is out"),
    ],
)
def test_a_settings_file_that_is_wrong(tmp_path: Path, content: str, what: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(content)
    with pytest.raises(InputError) as error:
        Chosen.read(file)
    assert error.value.what.startswith(what)
    assert error.value.where == str(file)
    assert error.value.remedy


def test_a_settings_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        Chosen.read(tmp_path / "config.json")
    assert str(error.value) == (
        f"there is no file {tmp_path / 'config.json'}\n  to do: name one that shortlist tune wrote"
    )


def test_the_picture_shows_the_search(tuning: Tuning) -> None:
    figure = tuning.picture()
    history, *slices = figure.axes
    assert [axis.get_title() for axis in slices] == ["place", "kind", "reach"]
    assert history.get_ylabel() == "mrr"
    values = [one.value for one in tuning.trials if one.state == "complete"]
    best, shown = 0.0, []
    for value in values:
        best = max(best, value or 0.0)
        shown.append(best)
    assert np.asarray(history.lines[0].get_ydata()).tolist() == [*shown, shown[-1]]
    legend = history.get_legend()
    assert legend is not None
    told = [text.get_text() for text in legend.get_texts()]
    assert told == ["best so far", "tried", "given up, as far as it came", "failed"]
    assert slices[0].get_xscale() == "linear"
    assert slices[2].get_xscale() == "log"
    assert [text.get_text() for text in slices[1].get_xticklabels()] == ["near", "far"]


def test_a_search_that_has_only_begun_and_a_default_of_nothing() -> None:
    trial = Trial(
        number=0,
        settings={"regularization": 0.0, "learning_rate": 0.001},
        state="complete",
        value=0.25,
    )
    goal = Goal.named("mrr")
    begun = Tuning(GMF, {}, goal, (trial,), small_world().data, folds=1, seed=0, seconds=0.0)
    assert str(begun).startswith("GMF: 1 trial (1 complete) on ")
    history, *slices = begun.picture().axes
    assert history.get_title() == "GMF, 1 trial"
    assert {round(tick) == tick for tick in history.get_xticks()} == {True}
    scales = {axis.get_title(): axis.get_xscale() for axis in slices}
    assert scales["regularization"] == "symlog"  # the default is 0: it has a place all the same
    assert scales["learning_rate"] == "log"


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_picture_is_written(tuning: Tuning, tmp_path: Path, kind: str) -> None:
    path = draw(tuning, tmp_path / f"tuning.{kind}")
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind]
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_that_cannot_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as error:
        drawable(tmp_path / "tuning.bmp")
    assert error.value.remedy == "end its name in one of: .png, .svg, .pdf"
    installed = extras.installed
    monkeypatch.setattr(extras, "installed", lambda one: one != "plots" and installed(one))
    with pytest.raises(ConfigError, match="a picture needs matplotlib"):
        drawable(tmp_path / "tuning.png")


def test_choices_of_several_kinds_are_told_as_texts() -> None:
    from shortlist.tuning.result import _column

    def values(given: list[Any]) -> list[Any]:
        found: list[Any] = _column(given).to_pylist()
        return found

    assert values([1, 2.5, None]) == [1.0, 2.5, None]
    assert values([1, "all", None]) == ["1", "all", None]
    assert values([[8, 4], None]) == ["[8, 4]", None]
    assert values([True, False]) == [True, False]
    assert EASE().config.regularization > 0
