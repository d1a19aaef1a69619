"""tune, and fit with what it wrote or with what is best here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shortlist import extras
from shortlist.bundle import read_manifest
from shortlist.data.store.store import Store
from shortlist.models.ease import EASE
from shortlist.models.registry import load
from shortlist.tuning import tune

from .conftest import Run


def test_tune_says_what_it_found_and_fit_takes_it(run: Run, database: Path, tmp_path: Path) -> None:
    config, picture, bundle = (tmp_path / name for name in ("c.json", "tune.png", "bundle"))
    outcome = run(
        "tune", database, "--model", "EASE", "--trials", 4, "--metric", "ndcg@3",
        "--out", config, "--picture", picture,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    with Store(database, read_only=True) as store:
        data = store.dataset()
    expected = tune("EASE", data, 4, metric="ndcg@3")
    lines = outcome.out.splitlines()
    assert lines[0].startswith("EASE: 4 trials (4 complete) on Dataset(12 users, 10 items, 48 ")
    assert lines[1] == str(expected).splitlines()[1]
    assert "one interaction of each user is held out to measure ndcg@3" in outcome.err
    assert f"next: shortlist fit {database} --config {config} --out BUNDLE" in outcome.err
    assert picture.read_bytes().startswith(b"\x89PNG")

    outcome = run("fit", database, "--config", config, "--out", bundle)
    assert outcome.code == 0, outcome.err
    assert load(bundle).config == expected.best_model().config
    noted = read_manifest(bundle).metrics
    assert noted["tuning"]["value"] == expected.value
    assert noted["tuning"]["data"] == data.fingerprint


def test_settings_can_be_changed_on_the_way(run: Run, database: Path, tmp_path: Path) -> None:
    config, bundle = tmp_path / "c.json", tmp_path / "bundle"
    config.write_text('{"model": "EASE", "config": {"regularization": 7}, "tuning": {"a": 1}}')
    outcome = run("fit", database, "--config", config, "--set", "regularization=9", "--out", bundle)
    assert outcome.code == 0, outcome.err
    assert load(bundle).config == EASE(regularization=9).config
    assert read_manifest(bundle).metrics == {}  # what was found is not of these settings


def test_given_settings_and_the_study(run: Run, database: Path, tmp_path: Path) -> None:
    study = tmp_path / "study.jsonl"
    common = ("tune", database, "--model", "IALS", "--set", "embedding_size=4", "--study", study)
    assert run(*common, "--trials", 2).code == 0
    outcome = run(*common, "--trials", 3, "--json", "-")
    content = json.loads(outcome.out)
    assert content["config"]["embedding_size"] == 4
    assert len(content["trials"]) == 3
    assert len(study.read_text().splitlines()) == 1 + 2 * 3
    assert "embedding_size" not in content["trials"][1]["settings"]


def test_a_search_bounded_by_time_alone(run: Run, database: Path) -> None:
    outcome = run("tune", database, "--model", "EASE", "--seconds", 0.001, "--json", "-")
    assert outcome.code == 0, outcome.err
    assert len(json.loads(outcome.out)["trials"]) == 1


def test_minutes_are_sixty_seconds(
    run: Run, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def watched(model: Any, data: Any, trials: Any, seconds: Any, metric: Any, **named: Any) -> Any:
        seen.append((trials, seconds))
        return tune(model, data, 1, seconds, metric, **named)

    monkeypatch.setattr("shortlist.tuning.tune", watched)
    outcome = run("tune", database, "--model", "EASE", "--minutes", 1.5)
    assert outcome.code == 0, outcome.err
    assert seen == [(None, 90.0)]
    assert "the defaults took all of the time: nothing was searched" in outcome.err


@pytest.mark.parametrize("kept", [True, False])
def test_ctrl_c_says_what_is_kept(
    run: Run, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    study = tmp_path / "study.jsonl"
    arguments = ["tune", database, "--model", "EASE", "--trials", 3, "--out", tmp_path / "c.json"]
    arguments += ["--study", study] if kept else []

    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shortlist.tuning.search.run_trial", stopped)
        outcome = run(*arguments, "-q")
    left = "the trials are lost: with --study FILE the same command could continue"
    if kept:
        left = f"the trials so far are in {study}: the same command continues from there"
    assert (outcome.code, outcome.err) == (130, f"stopped: {left}\n")
    if not kept:
        return
    outcome = run(*arguments)
    assert outcome.code == 0, outcome.err
    assert f"continuing with the trials in {study}" in outcome.err
    assert outcome.out.startswith("EASE: 3 trials (3 complete)")


def test_fit_auto_chooses_and_says_why(
    run: Run, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"Popularity": "popularity", "ItemCosine": "cosine", "EASE": "ease"}
    monkeypatch.setattr("shortlist.tuning.selection.MODULES", names)
    bundle = tmp_path / "bundle"
    outcome = run("fit", database, "--model", "auto", "--seconds", 60, "--out", bundle)
    assert outcome.code == 0, outcome.err
    # Everyone chose 4 of the 5 films of their taste: which one is next, popularity cannot know.
    noted = read_manifest(bundle).metrics
    assert noted["chosen_by"] == "auto"
    assert noted["reason"] == outcome.out.splitlines()[-1]
    by_name = {one["model"]: one for one in noted["candidates"]}
    assert by_name["Popularity"]["outcome"] != "chosen"
    model = load(bundle)
    assert by_name[model.name]["value"] > by_name["Popularity"]["value"]
    assert model.data.n_interactions == 48
    assert f"{model!r}" in outcome.err


# --- wrong input -----------------------------------------------------------------------------


FIXED = ("--set", "regularization=1", "--set", "dropout=0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "EASY"), "there is no model 'EASY'"),
        (("--model", "Popularity"), "Popularity has nothing to tune"),
        (("--model", "EASE", "--trials", "0"), "trials=0 is out of range"),
        (("--model", "EASE", "--metric", "best"), "metric='best' cannot be optimised"),
        (("--model", "EASE", "--folds", "9"), "the data is too small for 9 validation folds"),
        (("--model", "EASE", *FIXED), "EASE has nothing to tune"),
        (("--model", "EASE", "--set", "lambda=1"), "EASE has no parameter 'lambda'"),
        (("--model", "EASE", "--picture", "tune.bmp"), "a picture cannot be written to tune.bmp"),
        (("--model", "EASE", "--picture", "no/tune.png"), "the folder no does not exist"),
        (("--model", "EASE", "--out", "no/c.json"), "the folder no does not exist"),
        (("--model", "EASE", "--seconds", "5", "--minutes", "1"), "both --seconds and --minutes"),
        (("--model", "EASE", "--interactions", "orders"), "there is no table orders"),
        (("--model", "EASE", "--user-id", "who"), "--user-id is given, but no --interactions"),
    ],
)
def test_tune_with_wrong_input(
    run: Run, database: Path, arguments: tuple[str, ...], message: str
) -> None:
    outcome = run("tune", database, *arguments)
    assert outcome.code == 2
    assert f"error: {message}" in outcome.err
    assert "to do: " in outcome.err
    assert outcome.out == ""


def test_tune_without_optuna(run: Run, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "installed", lambda extra: extra != "tune")
    outcome = run("tune", database, "--model", "EASE")
    assert outcome.code == 2
    assert "tuning needs optuna, which is not installed" in outcome.err
    assert "pip install 'shortlist[tune]'" in outcome.err


def test_a_study_of_another_model_is_refused(run: Run, database: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    assert run("tune", database, "--model", "EASE", "--trials", 1, "--study", study).code == 0
    outcome = run("tune", database, "--model", "IALS", "--trials", 1, "--study", study)
    assert outcome.code == 2
    assert 'the study is of another model: "EASE", not "IALS"' in outcome.err
    study.write_text("damaged")
    outcome = run("tune", database, "--model", "EASE", "--trials", 1, "--study", study)
    assert outcome.code == 2
    assert f"{study} is not a study" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no model is named"),
        (("--config", "nowhere.json"), "there is no file nowhere.json"),
        (("--model", "auto", "--set", "k=1"), "--model auto chooses the settings itself"),
        (("--model", "EASE", "--seconds", "5"), "--seconds limits only --model auto"),
        (("--model", "auto", "--seconds", "0"), "seconds=0.0 is out of range"),
        (("--model", "EASE", "--minutes", "5"), "--minutes limits only --model auto"),
        (("--model", "EASE", "--by", "no"), "--by follows the rows of a table of your own"),
        (("--model", "EASE", "--since", "b"), "--since needs a column to follow"),
    ],
)
def test_fit_with_wrong_input(
    run: Run, database: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    outcome = run("fit", database, *arguments, "--out", tmp_path / "bundle")
    assert outcome.code == 2
    assert f"error: {message}" in outcome.err
    assert not (tmp_path / "bundle").exists()


def test_fit_with_a_config_of_another_model(run: Run, database: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.json"
    content: dict[str, Any] = {"model": "EASE"}
    config.write_text(json.dumps(content))
    arguments = ("fit", database, "--config", config, "--out", tmp_path / "bundle")
    outcome = run(*arguments, "--model", "IALS")
    assert outcome.code == 2
    assert "--model IALS is not the model of the file, EASE" in outcome.err
    outcome = run(*arguments, "--model", "auto")
    assert outcome.code == 2
    assert "--model auto is not the model of the file, EASE" in outcome.err
