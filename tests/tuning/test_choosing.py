from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shortlist import extras
from shortlist.bundle import read_manifest
from shortlist.data.dataset import Dataset
from shortlist.errors import ConfigError, InputError, ShortlistError
from shortlist.evaluation import Report, evaluate
from shortlist.metrics.bootstrap import Measure
from shortlist.models.ease import EASE
from shortlist.models.popularity import Popularity
from shortlist.testing import checkerboard, small_world, tiny
from shortlist.tuning import auto, contest, tune
from shortlist.tuning.check import Unseen
from shortlist.tuning.choice import Candidate, Choice, ranked
from shortlist.tuning.cost import predicted_seconds
from shortlist.tuning.folds import validation_folds
from shortlist.tuning.goal import Goal

from .dials import Dial, dial_world

NAMES = ("Popularity", "UserCosine", "ItemCosine", "EASE")


def outcomes(choice: Choice) -> dict[str, str]:
    return {one.model: one.outcome for one in choice.standings}


def test_the_best_model_is_chosen_and_fitted_on_everything() -> None:
    data = checkerboard(10).data
    choice = auto(data, models=["Popularity", "ItemCosine"], trials=0)
    assert repr(choice.model) == "ItemCosine()"
    assert choice.model.data_fingerprint == data.fingerprint
    assert outcomes(choice) == {"ItemCosine": "chosen", "Popularity": "worse"}
    [(train, held)] = validation_folds(data)
    expected = evaluate(Popularity().fit(train), train, held, 10)["ndcg@10"]
    assert choice.standings[1].value == expected
    assert choice.n_users == 20


def test_every_model_of_the_library_has_a_place_in_the_table() -> None:
    from shortlist.models.registry import MODULES

    choice = auto(checkerboard().data, seconds=1e-9, trials=0)
    assert set(outcomes(choice)) == set(MODULES) - {"Indexed"}
    assert outcomes(choice)["Popularity"] == "chosen"
    assert outcomes(choice)["EASE"] == "left out: no time left"


def test_what_cannot_be_fitted_here_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "installed", lambda one: one != "torch")
    data = tiny(*[(user, item) for user in range(6) for item in range(8) if (user + item) % 2])
    choice = auto(data, seconds=1e-9, trials=0)
    assert outcomes(choice)["MatrixFactorization"] == (
        "left out: fitting MatrixFactorization needs torch, which is not installed"
    )
    assert outcomes(choice)["ContentBased"] == (
        "left out: ContentBased needs item features, and the data has none"
    )
    with pytest.raises(ConfigError, match="fitting MatrixFactorization needs torch"):
        auto(data, models=["Popularity", "MatrixFactorization"])  # named: it must be there


def test_a_model_that_fails_is_left_out_with_the_reason() -> None:
    choice = auto(dial_world(), models=["Popularity", Dial(trap=0.1)], trials=0)
    assert outcomes(choice) == {
        "Popularity": "chosen",
        "Dial": "left out: the dial is stuck at 0.1",
    }


def test_where_nothing_can_be_fitted_the_reasons_are_told() -> None:
    with pytest.raises(ShortlistError) as error:
        auto(dial_world(), models=[Dial(trap=0.1)])
    assert str(error.value) == (
        "no model could be fitted: Dial: left out: the dial is stuck at 0.1\n"
        "  to do: see the reasons, and mend one"
    )


def test_leaders_are_tuned_on_a_fold_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    data = dial_world(30)
    [(train, held)] = validation_folds(data)
    seen: list[Dataset] = []
    search = tune

    def watched(model: Any, data: Dataset, *others: Any, **named: Any) -> Any:
        seen.append(data)
        return search(model, data, *others, **named)

    monkeypatch.setattr("shortlist.tuning.contest.tune", watched)
    choice = auto(data, models=["Popularity", Dial(kind="near")], trials=20)
    assert [one.fingerprint for one in seen] == [train.fingerprint]
    tuned = search(Dial(kind="near"), train, 20, seed=1)
    assert tuned.best.number > 0
    expected = evaluate(tuned.best_model().fit(train), train, held, 10)["ndcg@10"]
    values = {one.model: one.value for one in choice.standings}
    assert values["Dial (tuned)"] == expected


def test_tuned_settings_win_where_they_are_better() -> None:
    # The choice before the last is one of items 5 to 7: that is where the search goes, and the last
    # choice, 28, is far from it. The untuned dial stands at 28: it wins, as it should.
    choice = auto(dial_world(), models=[Dial(kind="far")], trials=10)
    assert choice.model.config.kind == "far"
    data = small_world().data
    one = auto(data, models=["EASE"], trials=8)
    values = {standing.model: standing.value or 0.0 for standing in one.standings}
    better = max(values, key=lambda name: values[name])
    assert outcomes(one)[better] == "chosen"
    assert (repr(one.model) != "EASE()") == (better == "EASE (tuned)")


def test_without_optuna_nothing_is_tuned_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "installed", lambda one: one != "tune")
    choice = auto(checkerboard().data, models=NAMES)
    assert choice.notes == ("nothing is tuned: pip install 'shortlist[tune]'",)
    assert "nothing is tuned" in str(choice)


def test_data_with_nothing_more_to_hold_out_is_not_tuned() -> None:
    data = tiny(*[(user, user % 2 + 2 * n) for user in range(12) for n in range(2)])
    choice = auto(data, models=["Popularity", "EASE"])
    assert choice.notes == ("nothing is tuned: too little is left to hold out once more",)


def test_same_seed_same_choice() -> None:
    data = small_world().data

    def rows(choice: Choice) -> list[Any]:
        return [replace(one, seconds=None) for one in choice.standings]

    one, other = (auto(data, models=NAMES, trials=6, seed=2) for _ in range(2))
    assert rows(one) == rows(other)
    assert one.reason == other.reason
    assert repr(one.model) == repr(other.model)


# --- time ------------------------------------------------------------------------------------


def test_what_would_not_fit_into_the_time_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    predicted = {"Popularity": 1.0, "UserCosine": 400.0, "ItemCosine": 70.0, "EASE": 2.0}
    monkeypatch.setattr(contest, "LEAST", 1)
    monkeypatch.setattr(contest, "predicted_seconds", lambda model, *others: predicted[model.name])
    choice = auto(checkerboard(10).data, seconds=100, models=NAMES, trials=0)
    found = outcomes(choice)
    assert found["UserCosine"].startswith("left out: about 400 s to fit, ")
    assert found["ItemCosine"].startswith("left out: about 70 s to fit, ")  # and once more at last
    assert found["EASE"] == "chosen"


def test_a_model_that_fails_on_a_sample_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "LEAST", 1)
    choice = auto(dial_world(40), seconds=100, models=["Popularity", Dial(trap=0.1)], trials=0)
    assert outcomes(choice)["Dial"] == "left out: the dial is stuck at 0.1"


def timed_fits(monkeypatch: pytest.MonkeyPatch, cost: Callable[[int], float]) -> list[int]:
    """Let a fit take a time that depends on the users, and say how many there were in each."""
    clock, sizes = [0.0], []

    def fit(self: Popularity, some: Dataset) -> Popularity:
        sizes.append(int((some.user_counts > 0).sum()))
        clock[0] += cost(sizes[-1])
        return self

    monkeypatch.setattr(Popularity, "fit", fit)
    monkeypatch.setattr(Goal, "report", lambda *given: None)
    monkeypatch.setattr("shortlist.tuning.cost.time.perf_counter", lambda: clock[0])
    return sizes


def guessed(left: float) -> float:
    [fold] = validation_folds(dial_world(320))
    return predicted_seconds(Popularity(), fold, Goal.named("mrr"), 0, left)


@pytest.mark.parametrize("power", [0, 1, 2])
def test_time_is_guessed_from_how_it_grows(monkeypatch: pytest.MonkeyPatch, power: int) -> None:
    sizes = timed_fits(monkeypatch, lambda users: 3.0 * users**power)
    assert guessed(left=1e9) == pytest.approx(3.0 * 320**power)
    assert sizes == [5, 20, 40]


def test_what_happens_once_is_not_taken_for_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    timed_fits(monkeypatch, lambda users: 2.0 * users + (100.0 if users == 20 else 0.0))
    assert guessed(left=1e9) == pytest.approx(2.0 * 320)


def test_a_sample_that_takes_too_long_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = timed_fits(monkeypatch, lambda users: 2.0 * users)
    assert guessed(left=200) == pytest.approx(2.0 * 320)
    assert sizes == [5, 20, 5]  # a quarter tells whether it is the users that cost


def test_what_does_not_grow_with_the_users_is_not_multiplied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = timed_fits(monkeypatch, lambda users: 30.0)  # such as a matrix of items, inverted
    assert guessed(left=200) == 30.0
    assert sizes == [5, 1]
    timed_fits(monkeypatch, lambda users: 30.0 + (5.0 if users == 5 else 0.0))
    assert 35.0 < guessed(left=200) < 60.0  # what happens once makes the guess careful


def test_another_algorithm_from_some_size_on_is_no_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = timed_fits(monkeypatch, lambda users: 30.0 if users >= 40 else 0.1 * users)
    assert guessed(left=1000) == 30.0
    assert sizes == [5, 20, 40, 80]


def test_where_not_even_a_sample_fits_in_nothing_more_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = timed_fits(monkeypatch, lambda users: 30.0)
    assert guessed(left=80) == 30.0
    assert sizes == [5]


def test_a_quarter_that_cannot_be_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(users: int) -> float:
        if users == 1:
            raise InputError("too few")
        return 30.0

    timed_fits(monkeypatch, cost)
    assert guessed(left=200) == 64 * 30.0


def test_a_leader_is_not_tuned_where_time_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(self: Any, name: str, model: Any) -> None:
        measure(self, name, model)
        self.candidates[-1] = replace(self.candidates[-1], seconds=30.0)

    measure = contest.Contest.measure_one
    monkeypatch.setattr(contest.Contest, "measure_one", slow)
    choice = auto(checkerboard(10).data, seconds=100, models=["Popularity", "EASE"])
    assert outcomes(choice)["EASE (tuned)"].startswith("left out: 30.0 s a trial, ")


# --- who is chosen ---------------------------------------------------------------------------


def candidate(name: str, model: Any, values: Any) -> Candidate:
    n = len(values)
    report = Report(
        model=name,
        users=None,
        history=np.ones(n, dtype=np.int64),
        measures={"ndcg@10": Measure(np.asarray(values)), "rmse": Measure(np.asarray(values))},
        catalogue={},
        k=(10,),
        n_items=5,
        protocol="",
    )
    return Candidate(name, model, report, 1.0)


def test_ties_go_to_the_simplest() -> None:
    noise = np.random.default_rng(0).normal(0, 0.2, (3, 400))
    goal = Goal.named("ndcg@10")
    simple = candidate("Popularity", Popularity(), 0.6 + noise[0] - noise[0].mean())
    better = candidate("EASE", EASE(), 0.605 + noise[1] - noise[1].mean())
    tuned = candidate("EASE (tuned)", EASE(regularization=5), 0.604 + noise[2] - noise[2].mean())
    chosen, reason, standings = ranked([simple, better, tuned], goal)
    assert chosen is simple
    assert [(one.model, one.outcome) for one in standings] == [
        ("EASE", "best"),
        ("EASE (tuned)", "as good as the best"),
        ("Popularity", "chosen"),
    ]
    assert reason == (
        "Popularity is chosen: the best, EASE with ndcg@10 0.6050, is ahead by less than 2%, and "
        "not really (the paired 95% interval of the difference holds 0); Popularity is the "
        "simplest of the 3 that are as good."
    )
    assert standings[2].difference == pytest.approx(-0.005)
    assert standings[2].low is not None
    assert standings[2].low < -0.005 < (standings[2].high or 0)
    assert ranked([better, tuned], goal)[0] is better  # of one model's settings the better


def test_a_difference_that_is_real_is_not_a_tie() -> None:
    noise = np.random.default_rng(0).normal(0, 0.2, 400)
    noise -= noise.mean()
    near = candidate("Popularity", Popularity(), 0.600 + noise)
    best = candidate("EASE", EASE(), 0.606 + noise)  # paired: ahead for everyone, by 1%
    chosen, reason, standings = ranked([near, best], Goal.named("ndcg@10"))
    assert chosen is best
    assert reason == "EASE is chosen: its ndcg@10 of 0.6060 is really the best."
    assert standings[1].outcome == "worse"


def test_what_little_data_cannot_tell_apart_is_not_a_tie() -> None:
    rng = np.random.default_rng(0)
    poor = candidate("Popularity", Popularity(), (rng.random(12) < 0.3).astype(float))
    best = candidate("EASE", EASE(), (rng.random(12) < 0.5).astype(float))
    chosen, reason, standings = ranked([poor, best], Goal.named("ndcg@10"))
    assert chosen is best
    assert standings[1].outcome == "not really worse"
    value = f"{best.report['ndcg@10']:.4f}"
    assert reason == (
        f"EASE is chosen: its ndcg@10 of {value} is the best by more than 2%, which beside 1 other "
        "may be chance."
    )


def test_errors_are_better_where_they_are_smaller() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 400)
    small = candidate("EASE", EASE(), 0.8 + noise)
    large = candidate("Popularity", Popularity(), 0.9 + noise)
    chosen, _, standings = ranked([large, small], Goal.named("rmse"))
    assert chosen is small
    assert standings[1].outcome == "worse"
    assert standings[1].difference == pytest.approx(0.1, abs=1e-6)
    assert 0 < (standings[1].low or 0) <= (standings[1].high or 0)


# --- on a fold that took no part --------------------------------------------------------------


def test_the_chosen_one_is_measured_where_nobody_looked() -> None:
    data = small_world().data
    choice = auto(data, models=["Popularity", "EASE"], trials=6)
    train, held = validation_folds(data, 3)[2]  # the first decides, the second is searched on
    expected = evaluate(
        type(choice.model)(**choice.model.config.model_dump()).fit(train), train, held, 10
    )
    assert isinstance(choice.check, Unseen)
    assert choice.check.value == expected["ndcg@10"]
    assert (choice.check.low, choice.check.high) == expected.interval("ndcg@10")
    assert choice.check.n_users == expected.n_users
    assert choice.to_dict()["check"] == choice.check.to_dict()
    assert choice.model.data_fingerprint == data.fingerprint  # and is fitted on everything after
    assert str(choice).splitlines()[-3:-1] == [
        "These figures chose, so the best of them is a little too good.",
        f"On one more fold, which took no part: ndcg@10 {choice.check} for the chosen one.",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"seconds": 1e-9}, "not checked on another fold, for want of time"),
        ({"check": False}, "not checked on another fold"),
    ],
)
def test_a_choice_that_is_not_checked_says_so(arguments: dict[str, Any], said: str) -> None:
    choice = auto(checkerboard(10).data, models=["Popularity"], trials=0, **arguments)
    assert choice.check == choice.to_dict()["check"] == said
    assert said in str(choice).splitlines()


def test_data_with_no_fold_left_is_not_checked() -> None:
    data = tiny(*[(user, user % 2 + 2 * n) for user in range(12) for n in range(2)])
    choice = auto(data, models=["Popularity"], trials=0)
    assert choice.check == "too little data to check the choice on one more fold"


# --- what comes back -------------------------------------------------------------------------


def test_the_table_and_the_text() -> None:
    choice = auto(checkerboard(10).data, models=NAMES, trials=0)
    table = choice.to_arrow()
    assert table.column_names == [
        "model", "value", "difference", "low", "high", "seconds", "outcome",
    ]  # fmt: skip
    assert choice.to_pandas().shape == choice.to_polars().shape == table.shape == (4, 7)
    lines = str(choice).splitlines()
    assert lines[0] == (
        "Dataset(20 users, 20 items, 180 interactions): one choice of each of 20 users held out "
        "to choose by"
    )
    heads = [one.strip() for one in lines[2].split(" | ")]
    assert heads == ["model", "ndcg@10", "against best", "95% interval", "seconds", "outcome"]
    assert lines[-1] == choice.reason
    assert repr(choice) == f"Choice({choice.model!r}; by ndcg@10 of 4)"


def test_the_bundle_says_how_it_was_chosen(tmp_path: Path) -> None:
    choice = auto(checkerboard().data, models=NAMES, trials=0)
    choice.model.save(tmp_path / "bundle", metrics=choice.to_dict())
    noted = read_manifest(tmp_path / "bundle").metrics
    assert noted == json.loads(json.dumps(choice.to_dict()))
    assert noted["reason"] == choice.reason
    assert [one["model"] for one in noted["candidates"]] == [one.model for one in choice.standings]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seconds": 0}, "seconds=0 is out of range"),
        ({"trials": -1}, "trials=-1 is out of range"),
        ({"trials": 1.5}, "trials=1.5 is out of range"),
        ({"metric": "best"}, "metric='best' cannot be aimed at"),
        ({"models": ["EASY"]}, "there is no model 'EASY'"),
        ({"models": []}, "no model could be fitted"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ShortlistError) as error:
        auto(checkerboard().data, **arguments)
    assert error.value.what.startswith(message)


def test_data_too_small_or_none() -> None:
    with pytest.raises(InputError, match="the data is too small for 1 validation fold"):
        auto(tiny((1, 2), (2, 3)))
    with pytest.raises(InputError, match="a model is chosen on a Dataset, not on a list"):
        auto([])  # type: ignore[arg-type]
