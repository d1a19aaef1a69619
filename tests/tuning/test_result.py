"""The result of a search: table, text, settings file, plot."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shortlist import extras
from shortlist.errors import ConfigError, InputError
from shortlist.models.ease import EASE
from shortlist.models.ials.model import IALS
from shortlist.models.towers.ncf import GMF
from shortlist.testing import small_world
from shortlist.tuning import SettingsFile, Tuning, tune
from shortlist.tuning.folds import SettingsCheck
from shortlist.tuning.objective import Objective, Trial
from shortlist.tuning.plot import require_plottable, save_figure

from .dial import Dial, dial_world


@pytest.fixture(scope="module")
def tuning() -> Tuning:
    """Return a search with trials of every state."""
    tuning = tune(Dial(trap=0.9, seed=3), dial_world(), trials=25, folds=2, metric="mrr")
    assert {trial.state for trial in tuning.trials} == {"complete", "pruned", "failed"}
    return tuning


def test_the_table_has_one_row_per_trial(tuning: Tuning) -> None:
    table = tuning.to_arrow()
    assert table.column_names == [
        "trial", "state", "mrr", "seconds", "position", "kind", "reach", "reason",
    ]  # fmt: skip
    for row, trial in zip(table.to_pylist(), tuning.trials, strict=True):
        assert row["trial"] == trial.number
        assert row["mrr"] == trial.value
        assert (row["reach"] is None) == (row["kind"] == "near")
        assert row["reason"] == trial.reason
    assert tuning.to_pandas().shape == tuning.to_polars().shape == table.shape


def test_the_text_summarises_the_search(tuning: Tuning) -> None:
    lines = str(tuning).splitlines()
    n = {
        state: sum(trial.state == state for trial in tuning.trials)
        for state in ("complete", "pruned", "failed")
    }
    assert lines[0] == (
        f"Dial: 25 trials ({n['complete']} complete, {n['pruned']} pruned, {n['failed']} failed) "
        "on Dataset(9 users, 40 items, 25 interactions)"
    )
    assert lines[1] == (
        f"best mrr {tuning.value:.4f} in trial {tuning.best.number}; "
        f"defaults {tuning.default_value:.4f}"
    )
    [settings] = [line.split(" | ") for line in lines if line.startswith("position ")]
    assert [cell.strip() for cell in settings] == [
        "position",
        "0.1",
        f"{tuning.settings['position']:.4g}",
    ]
    assert any(line.startswith("seed ") for line in lines)  # given, so it is shown as well
    assert lines[-1] == f"failed, {n['failed']} times: the dial is stuck at 0.9"
    assert (
        lines[-3] == "These values are slightly optimistic: the same folds selected the settings."
    )
    assert lines[-2] == tuning.check == "nothing to check: the defaults are the best settings"
    assert not any(line != line.rstrip() for line in lines)


def test_the_best_model_is_not_fitted_and_has_the_settings(tuning: Tuning) -> None:
    model = tuning.best_model()
    assert not model.is_fitted
    assert model.config.model_dump(include=set(tuning.settings)) == tuning.settings
    assert tuning.config == model.config.model_dump(mode="json")
    assert repr(tuning) == f"Tuning({model!r}, mrr={tuning.value:.4f})"


def test_of_equal_trials_the_first_is_best() -> None:
    tuning = tune(Dial(position=0.7, kind="far"), dial_world(), trials=5)
    assert {trial.value for trial in tuning.trials} == {0.0}
    assert tuning.best.number == 0


def test_to_dict_is_json(tuning: Tuning) -> None:
    content = json.loads(json.dumps(tuning.to_dict()))
    assert content["model"] == "Dial"
    assert len(content["trials"]) == 25
    assert content["tuning"]["trials"] == 25


def test_settings_go_to_a_file_and_back(tmp_path: Path) -> None:
    data = small_world().data
    tuning = tune("EASE", data, trials=4)
    file = SettingsFile.read(tuning.save(tmp_path / "config.json"))
    assert file.make().config == tuning.best_model().config
    assert file.tuning == {
        "metric": "ndcg@10",
        "value": tuning.value,
        "default_value": tuning.default_value,
        "trials": 4,
        "folds": 1,
        "seed": 0,
        "data": data.fingerprint,
        "check": asdict(tuning.check) if isinstance(tuning.check, SettingsCheck) else tuning.check,
    }
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_settings_may_be_written_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"model": "IALS", "config": {"embedding_size": 8}}')
    file = SettingsFile.read(path)
    assert repr(file.make()) == "IALS(embedding_size=8)"
    assert repr(file.make({"epochs": 3})) == "IALS(embedding_size=8, epochs=3)"
    assert SettingsFile.of(IALS(epochs=2), {}).config["epochs"] == 2


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "the settings cannot be read: Invalid JSON"),
        ("[]", "the settings cannot be read: Input should be an object"),
        ("{}", "the settings cannot be read: model: Field required"),
        ('{"model": 3}', "the settings cannot be read: model: Input should be a valid string"),
        ('{"model": "EASE", "a": 1}', "the settings cannot be read: a: Extra inputs"),
        ('{"model": "EASE", "format": 2}', "the settings cannot be read: format: Input should be"),
        ('{"model": "EASY"}', "there is no model 'EASY'"),
        ('{"model": "EASE", "config": {"lambda": 1}}', "EASE has no parameter 'lambda'"),
        ('{"model": "EASE", "config": {"regularization": -1}}', "EASE: regularization=-1 is out"),
    ],
)
def test_an_invalid_settings_file(tmp_path: Path, content: str, what: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(content)
    with pytest.raises(InputError) as error:
        SettingsFile.read(file)
    assert error.value.what.startswith(what)
    assert error.value.where == str(file)
    assert error.value.remedy


def test_a_missing_settings_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        SettingsFile.read(tmp_path / "config.json")
    assert str(error.value) == (
        f"there is no file {tmp_path / 'config.json'}\n"
        "  to do: name a file that shortlist tune wrote"
    )


def test_the_plot_shows_the_search(tuning: Tuning) -> None:
    figure = tuning.picture()
    history, *slices = figure.axes
    assert [axis.get_title() for axis in slices] == ["position", "kind", "reach"]
    assert history.get_ylabel() == "mrr"
    values = [trial.value for trial in tuning.trials if trial.state == "complete"]
    best, shown = 0.0, []
    for value in values:
        best = max(best, value or 0.0)
        shown.append(best)
    assert np.asarray(history.lines[0].get_ydata()).tolist() == [*shown, shown[-1]]
    legend = history.get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["best so far", "complete", "pruned, at its last step", "failed"]
    assert slices[0].get_xscale() == "linear"
    assert slices[2].get_xscale() == "log"
    assert [text.get_text() for text in slices[1].get_xticklabels()] == ["near", "far"]


def test_the_plot_of_one_trial_and_of_a_default_of_zero() -> None:
    trial = Trial(
        number=0,
        settings={"regularization": 0.0, "learning_rate": 0.001},
        state="complete",
        value=0.25,
    )
    objective = Objective.named("mrr")
    tuning = Tuning(GMF, {}, objective, (trial,), small_world().data, folds=1, seed=0, seconds=0.0)
    assert str(tuning).startswith("GMF: 1 trial (1 complete) on ")
    history, *slices = tuning.picture().axes
    assert history.get_title() == "GMF, 1 trial"
    assert {round(tick) == tick for tick in history.get_xticks()} == {True}
    scales = {axis.get_title(): axis.get_xscale() for axis in slices}
    assert scales["regularization"] == "symlog"  # a log axis cannot show the default of 0
    assert scales["learning_rate"] == "log"


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_plot_is_written(tuning: Tuning, tmp_path: Path, kind: str) -> None:
    path = save_figure(tuning.picture(), tmp_path / f"tuning.{kind}")
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind]
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_a_plot_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as error:
        require_plottable(tmp_path / "tuning.bmp")
    assert error.value.remedy == "end its name in one of: .png, .svg, .pdf"
    installed = extras.installed
    monkeypatch.setattr(extras, "installed", lambda extra: extra != "plots" and installed(extra))
    with pytest.raises(ConfigError, match="a picture needs matplotlib"):
        require_plottable(tmp_path / "tuning.png")


def test_settings_of_mixed_types_become_texts() -> None:
    from shortlist.tuning.result import settings_column

    def values(given: list[Any]) -> list[Any]:
        column: list[Any] = settings_column(given).to_pylist()
        return column

    assert values([1, 2.5, None]) == [1.0, 2.5, None]
    assert values([1, "all", None]) == ["1", "all", None]
    assert values([[8, 4], None]) == ["[8, 4]", None]
    assert values([True, False]) == [True, False]
    assert values([1, "auto", 2.5]) == ["1", "auto", "2.5"]  # the default of EASE and others
    assert EASE().config.regularization == "auto"
