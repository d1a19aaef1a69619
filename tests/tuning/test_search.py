from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shortlist import extras
from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.errors import ConfigError, InputError, ShortlistError
from shortlist.evaluation import evaluate
from shortlist.models.base import Model
from shortlist.models.ease import EASE
from shortlist.models.factorization.model import MatrixFactorization
from shortlist.progress import announce_time
from shortlist.testing import small_world, tiny
from shortlist.tuning import tune
from shortlist.tuning.folds import SettingsCheck, validation_folds

from .dial import Dial, dial_world, ndcg_of, plain


@pytest.fixture(autouse=True)
def fits() -> list[float]:
    """Return the positions of the fitted dials."""
    Dial.fits.clear()
    return Dial.fits


def test_the_first_trial_is_the_defaults_and_values_are_the_metric() -> None:
    tuning = tune(Dial, dial_world(), trials=12)
    assert tuning.trials[0].settings == {"position": 0.1, "kind": "near"}
    assert [trial.number for trial in tuning.trials] == list(range(12))
    near = [trial for trial in tuning.trials if trial.settings["kind"] == "near"]
    assert len(near) > 3
    for trial in near:
        assert trial.value == pytest.approx(ndcg_of(trial.settings["position"]))


def test_the_search_finds_the_best_settings() -> None:
    tuning = tune(Dial, dial_world(), trials=40)
    assert tuning.default_value == pytest.approx(ndcg_of(0.1)) == 0
    assert tuning.value == 1.0
    assert abs(tuning.settings["position"] - 28 / 40) < 0.5 / 40
    assert tuning.value == max(trial.value for trial in tuning.trials if trial.value is not None)
    random, guided = (
        np.array([abs(trial.settings["position"] - 0.7) for trial in trials])
        for trials in (tuning.trials[1:11], tuning.trials[11:])
    )
    assert guided.mean() < 0.6 * random.mean()


def test_an_error_metric_is_minimised() -> None:
    data = small_world().data
    rated = tune(
        MatrixFactorization(loss="observed", epochs=5, embedding_size=4), data, 6, metric="rmse"
    )
    assert rated.value == min(trial.value for trial in rated.trials if trial.value is not None)
    assert rated.value <= (rated.default_value or 0)


def test_same_seed_same_trials_and_more_trials_extend_them() -> None:
    data = dial_world()
    first, second = (tune(Dial, data, trials=15, seed=3) for _ in range(2))
    assert plain(first.trials) == plain(second.trials)
    assert plain(tune(Dial, data, trials=8, seed=3).trials) == plain(first.trials)[:8]
    assert plain(tune(Dial, data, trials=15, seed=4).trials) != plain(first.trials)


@pytest.mark.parametrize("stops", [[1, 2, 15], [7, 15], [12, 15]])
def test_a_resumed_search_has_the_same_result(
    tmp_path: Path, stops: list[int], fits: list[float]
) -> None:
    data = dial_world()
    whole = tune(Dial(trap=0.9), data, trials=15)
    assert {trial.state for trial in whole.trials} == {"complete", "failed"}
    fits.clear()
    for trials in stops:
        stopped = tune(Dial(trap=0.9), data, trials=trials, study=tmp_path / "study", check=False)
    assert plain(stopped.trials) == plain(whole.trials)
    assert len(fits) == 15  # nothing was fitted twice
    again = tune(Dial(trap=0.9), data, 10, study=tmp_path / "study", check=False)
    assert plain(again.trials) == plain(whole.trials)
    assert len(fits) == 15


def test_a_study_with_more_trials_than_asked_announces_its_time(tmp_path: Path) -> None:
    tune(Dial(), dial_world(), trials=4, study=tmp_path / "study", check=False)
    announce_time(print)
    try:
        tuning = tune(Dial(), dial_world(), trials=2, study=tmp_path / "study", check=False)
    finally:
        announce_time(None)
    assert len(tuning.trials) == 4


def test_a_resumed_search_knows_the_pruned_trials(tmp_path: Path) -> None:
    data = small_world().data
    model = MatrixFactorization(embedding_size=4, epochs=25, init_std=0.1)
    whole = tune(model, data, trials=14)
    assert "pruned" in {trial.state for trial in whole.trials}
    for trials in (9, 14):
        stopped = tune(model, data, trials=trials, study=tmp_path / "study")
    assert plain(stopped.trials) == plain(whole.trials)


def test_given_settings_are_not_tuned(fits: list[float]) -> None:
    tuning = tune(Dial(position=0.7, seed=5), dial_world(), trials=6)
    assert set(fits) == {0.7}
    assert all("position" not in trial.settings for trial in tuning.trials)
    assert tuning.settings["position"] == 0.7
    assert tuning.best_model().config.seed == 5


def test_a_name_a_class_and_a_model_give_the_same_trials() -> None:
    data = small_world().data
    trials = [plain(tune(model, data, trials=3).trials) for model in ("EASE", EASE, EASE())]
    assert trials[0] == trials[1] == trials[2]


def test_a_fit_that_fails_does_not_end_the_search() -> None:
    tuning = tune(Dial(trap=0.6), dial_world(), trials=20)
    failed = [trial for trial in tuning.trials if trial.settings["position"] >= 0.6]
    assert len(failed) > 2
    for trial in failed:
        assert (trial.state, trial.value, trial.steps) == ("failed", None, ())
        assert trial.reason == "the dial is stuck at 0.6"
    assert all(trial.state == "complete" for trial in tuning.trials if trial not in failed)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("out of memory")])
def test_running_out_of_memory_is_a_failed_trial(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    learn = Dial.learn

    def failing(self: Dial, data: Dataset) -> Any:
        if self.config.position > 0.5:
            raise error
        return learn(self, data)

    monkeypatch.setattr(Dial, "learn", failing)
    tuning = tune(Dial, dial_world(), trials=10)
    reasons = {trial.reason for trial in tuning.trials if trial.state == "failed"}
    assert reasons == {str(error) or "MemoryError"}


def test_defaults_that_fail() -> None:
    tuning = tune(Dial(kind="near", trap=0.1), dial_world(), trials=30)
    assert tuning.trials[0].state == "failed"
    assert tuning.default_value is None
    assert tuning.best.settings["position"] < 0.1


def test_the_error_if_every_trial_fails_has_the_reason() -> None:
    with pytest.raises(ShortlistError) as error:
        tune(Dial(trap=0.0), dial_world(), trials=4)
    assert str(error.value) == (
        "all 4 trials of Dial failed; the first: the dial is stuck at 0.0\n"
        "  to do: choose another model, or fix the setting that causes the failure"
    )


def test_an_input_error_ends_the_search_and_is_not_a_kill(
    tmp_path: Path, fits: list[float]
) -> None:
    for _ in range(3):
        with pytest.raises(InputError, match="no dial here"):
            tune(Dial(trap=-1.0, position=-0.0), dial_world(), study=tmp_path / "study")
    assert len(fits) == 3


def test_a_programming_error_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Dial, data: Dataset) -> Any:
        raise KeyError("a mistake in the model")

    monkeypatch.setattr(Dial, "learn", broken)
    with pytest.raises(KeyError, match="a mistake"):
        tune(Dial, dial_world(), trials=3)


def test_a_trial_that_kills_the_process_twice_is_failed(tmp_path: Path) -> None:
    study = tmp_path / "study"
    whole = tune(Dial, dial_world(), trials=6)
    tune(Dial, dial_world(), trials=3, study=study)
    for kills in (1, 2):
        study.write_bytes(study.read_bytes() + b'{"start": 3}\n')
        if kills == 1:  # the trial is repeated
            copy = tmp_path / "copy"
            copy.write_bytes(study.read_bytes())
            assert plain(tune(Dial, dial_world(), trials=6, study=copy).trials) == plain(
                whole.trials
            )
    tuning = tune(Dial, dial_world(), trials=6, study=study)
    assert tuning.trials[3].state == "failed"
    assert tuning.trials[3].reason == "the process was killed 2 times during this trial"
    assert tuning.trials[3].settings == whole.trials[3].settings
    assert tuning.trials[4].state == "complete"


def test_an_interrupted_search_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "study"
    learn = Dial.learn

    def interrupted(self: Dial, data: Dataset) -> Any:
        if len(Dial.fits) == 3:
            raise KeyboardInterrupt
        return learn(self, data)

    with monkeypatch.context() as patched:
        patched.setattr(Dial, "learn", interrupted)
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                tune(Dial, dial_world(), trials=6, study=study)
    assert plain(tune(Dial, dial_world(), trials=6, study=study).trials) == plain(
        tune(Dial, dial_world(), trials=6).trials
    )


def test_settings_are_not_measured_twice(fits: list[float]) -> None:
    tuning = tune(Dial(position=0.7), dial_world(), trials=30)
    repeated = [trial for trial in tuning.trials if trial.seconds == 0]
    assert len(fits) == 30 - len(repeated) < 30
    for trial in repeated:
        assert trial.reason is not None
        same = tuning.trials[int(trial.reason.removeprefix("same as trial "))]
        assert (same.settings, same.value) == (trial.settings, trial.value)


def test_a_search_ends_if_there_is_nothing_new_to_try(fits: list[float]) -> None:
    model = Dial(position=0.7, reach=5)  # only kind is left to tune: near or far
    tuning = tune(model, dial_world(), trials=None, seconds=60)
    assert len(fits) == 2
    assert len(tuning.trials) < 100


def test_no_trial_starts_after_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr("shortlist.tuning.budget.time.monotonic", lambda: next(clock))
    tuning = tune(Dial, dial_world(), trials=50, seconds=45)
    # The clock is read once at the start, once before each trial, and once at the end: 10 s apart.
    assert len(tuning.trials) == 4


def test_the_defaults_are_measured_however_little_time_there_is() -> None:
    tuning = tune(Dial, dial_world(), trials=None, seconds=1e-9)
    assert [trial.settings for trial in tuning.trials] == [{"position": 0.1, "kind": "near"}]


def test_several_folds_are_averaged() -> None:
    data = small_world().data
    tuning = tune("EASE", data, trials=4, folds=3)
    for trial in tuning.trials:
        values = [
            evaluate(EASE(**trial.settings).fit(train), train, held, 10)["ndcg@10"]
            for train, held in validation_folds(data, 3)
        ]
        assert trial.value == pytest.approx(np.mean(values))
        assert [step for step, _ in trial.steps] == [1, 2, 3]
        means = [np.mean(values[:n]) for n in (1, 2, 3)]
        assert [value for _, value in trial.steps] == pytest.approx(means)


def test_trials_below_the_median_after_a_fold_are_pruned(fits: list[float]) -> None:
    tuning = tune(Dial(kind="near"), dial_world(), trials=30, folds=2, metric="mrr")
    pruned = [trial for trial in tuning.trials if trial.state == "pruned"]
    assert pruned
    assert all(trial.number >= 5 for trial in pruned)
    for trial in pruned:
        before = [
            other.steps[0][1]
            for other in tuning.trials[: trial.number]
            if other.state == "complete" and other.steps
        ]
        assert trial.steps == ((1, trial.value),)
        assert trial.value is not None
        assert trial.value < np.median(before)
        assert trial.reason == "worse than the median at this step"
    assert len(fits) == sum(len(trial.steps) for trial in tuning.trials)


def test_training_in_stages_equals_training_at_once() -> None:
    data = small_world().data
    [(train, held)] = validation_folds(data)
    tuning = tune(MatrixFactorization(embedding_size=4), data, trials=3)
    for trial in tuning.trials:
        whole = MatrixFactorization(embedding_size=4, **trial.settings).fit(train)
        assert trial.value == evaluate(whole, train, held, 10)["ndcg@10"]
    first = tuning.trials[0]
    assert [step for step, _ in first.steps] == [10, 20, 40, 60]
    half = MatrixFactorization(embedding_size=4, epochs=20).fit(train)
    assert first.steps[1] == (20, evaluate(half, train, held, 10)["ndcg@10"])


def test_a_model_with_early_stopping_is_not_trained_in_stages() -> None:
    data = small_world().data
    model = MatrixFactorization(embedding_size=4, epochs=25, validation=0.2)
    tuning = tune(model, data, trials=2)
    assert [len(trial.steps) for trial in tuning.trials] == [1, 1]


def test_folds_are_taken_from_the_given_data_only() -> None:
    data = small_world().data
    train, _ = split.leave_last_out(data, order="row")
    [(inner, held)] = validation_folds(train)
    kept = set(zip(train.user_rows.tolist(), train.item_rows.tolist(), strict=True))
    for part in (inner, held):
        assert set(zip(part.user_rows.tolist(), part.item_rows.tolist(), strict=True)) <= kept


# --- the check -------------------------------------------------------------------------------


def test_the_check_uses_an_unseen_fold() -> None:
    data = small_world().data
    tuning = tune("EASE", data, trials=8, seed=1)
    assert tuning.best.number > 0
    train, held = validation_folds(data, 2, seed=1)[1]
    best, defaults = (
        evaluate(model.fit(train), train, held, 10) for model in (tuning.best_model(), EASE())
    )
    check = tuning.check
    assert isinstance(check, SettingsCheck)
    assert (check.value, check.default_value) == (best["ndcg@10"], defaults["ndcg@10"])
    assert check.difference == pytest.approx(check.value - check.default_value)
    assert check.low <= check.difference <= check.high
    assert str(tuning).endswith(f"On an unseen fold: {check}.")


def test_the_text_of_a_check() -> None:
    apart = SettingsCheck(0.5, 0.4, 0.1, 0.05, 0.15, True)
    assert str(apart) == (
        "0.5000, and 0.4000 with the defaults: +0.1000 [0.0500, 0.1500], significant"
    )
    assert str(replace(apart, low=-0.01, real=False)).endswith(
        "+0.1000 [-0.0100, 0.1500], not significant"
    )


def test_results_without_a_check() -> None:
    equal = tune(Dial(position=0.7, kind="far"), dial_world(), trials=3)
    assert equal.check == "nothing to check: the defaults are the best settings"
    pairs = [(user, item) for user in range(8) for item in (user % 2, 2 + user % 2)]
    small = tune(Dial(seed=1), tiny(*pairs), trials=8)
    assert small.best.number > 0
    assert small.check == "too little data to check the settings on an unseen fold"
    assert tune(Dial, dial_world(), 3, check=False).check == "not checked on an unseen fold"


def test_a_check_that_fails() -> None:
    tuning = tune(Dial(trap=0.1), dial_world(), trials=30)
    assert tuning.check == "the check failed: the dial is stuck at 0.1"  # of the defaults


# --- wrong input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 0}, "trials=0 is out of range"),
        ({"trials": -3}, "trials=-3 is out of range"),
        ({"trials": 2.5}, "trials=2.5 is out of range: it is a whole number, 1 or more"),
        ({"trials": True}, "trials=True is out of range: it is a whole number, 1 or more"),
        ({"trials": None}, "the search has no limit"),
        ({"seconds": 0}, "seconds=0 is out of range"),
        ({"seconds": float("nan")}, "seconds=nan is out of range"),
        ({"metric": "ndgc@10"}, "metric='ndgc@10' cannot be optimised"),
        ({"metric": "rmse"}, "Dial does not predict ratings, so it has no rmse"),
        ({"folds": 0}, "folds=0 is out of range"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        tune(Dial, dial_world(), **arguments)
    assert error.value.what.startswith(message)
    assert error.value.remedy


def test_a_model_that_does_not_exist() -> None:
    with pytest.raises(ConfigError) as error:
        tune("EASY", dial_world())
    assert str(error.value).startswith("there is no model 'EASY'\n  to do: did you mean 'EASE'?")
    with pytest.raises(ConfigError, match="5 is not a model"):
        tune(5, dial_world())  # type: ignore[arg-type]


def test_a_model_without_a_search_range() -> None:
    with pytest.raises(ConfigError, match="Popularity has nothing to tune"):
        tune("Popularity", dial_world())


def test_data_that_is_not_a_dataset_or_lacks_features() -> None:
    with pytest.raises(InputError, match="EASE learns from a Dataset, not from a list"):
        tune("EASE", [])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="ContentBased needs features of the items"):
        tune("ContentBased", tiny((1, 2), (1, 3), (2, 3)))


def test_data_too_small() -> None:
    with pytest.raises(InputError, match="the data is too small for 1 validation fold"):
        tune("EASE", tiny((1, 2), (2, 3)))


@pytest.mark.parametrize("missing", ["tune", "torch"])
def test_an_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr(extras, "installed", lambda extra: extra != missing)
    with pytest.raises(ConfigError) as error:
        tune("MatrixFactorization", dial_world())
    assert error.value.remedy == f"pip install 'shortlist[{missing}]'"


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"model": EASE}, "another model: "),
        ({"model": Dial(position=0.3)}, "other given settings: "),
        ({"data": dial_world(9)}, "other interactions: "),
        ({"metric": "mrr"}, "another metric: "),
        ({"folds": 2}, "another number of folds: "),
        ({"seed": 1}, "another seed: "),
    ],
)
def test_a_study_of_another_search_is_refused(
    tmp_path: Path, changed: dict[str, Any], what: str
) -> None:
    arguments: dict[str, Any] = {"model": Dial, "data": dial_world(), "trials": 2}
    arguments["study"] = tmp_path / "study"
    tune(**arguments)
    with pytest.raises(InputError) as error:
        tune(**(arguments | changed))
    assert error.value.what.startswith(f"the study is of {what}")


def test_a_study_of_other_features_is_refused(tmp_path: Path) -> None:
    world = small_world()
    tune("EASE", world.data, trials=1, study=tmp_path / "study")
    years = world.items.column_names.index("year")
    other = world.items.set_column(years, "year", world.items["year"].combine_chunks()[::-1])
    changed = Dataset.from_tables(
        world.interactions, world.users, other, weight="weight", time="at"
    )
    assert changed.fingerprint == world.data.fingerprint
    with pytest.raises(InputError, match="the study is of other features of users or items"):
        tune("EASE", changed, trials=1, study=tmp_path / "study")


def test_a_study_with_settings_out_of_their_ranges_is_refused(tmp_path: Path) -> None:
    study = tmp_path / "study"
    tune(Dial, dial_world(), trials=2, study=study)
    study.write_text(study.read_text().replace('"position": 0.1,', '"position": 1.1,'))
    with pytest.raises(InputError) as error:
        tune(Dial, dial_world(), trials=3, study=study)
    assert error.value.what == ("the study is damaged: trial 0 has settings out of their ranges")


def test_a_study_is_json(tmp_path: Path) -> None:
    study = tmp_path / "study"
    tuning = tune(Dial, dial_world(), trials=2, study=study)
    head, *entries = [json.loads(line) for line in study.read_text().splitlines()]
    assert head["model"] == "Dial"
    assert head["ranges"]["position"]["high"] == 1.0
    assert entries[1]["end"]["value"] == tuning.trials[0].value
    assert time.time() - study.stat().st_mtime < 60
    assert isinstance(tuning.best_model(), Model)
