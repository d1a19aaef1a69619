from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from shortlist import extras, machine
from shortlist.bundle import read_manifest
from shortlist.data.dataset import Dataset
from shortlist.errors import ConfigError, InputError, ShortlistError
from shortlist.evaluation import Report, evaluate
from shortlist.metrics.bootstrap import Measure
from shortlist.models.ease import EASE
from shortlist.models.popularity import Popularity
from shortlist.models.registry import model_class
from shortlist.testing import checkerboard, small_world, tiny
from shortlist.tuning import auto, objective, selection, tune
from shortlist.tuning.budget import TimeBudget, predicted_seconds
from shortlist.tuning.folds import ModelCheck, validation_folds
from shortlist.tuning.objective import Objective
from shortlist.tuning.result import CandidateResult, Choice
from shortlist.tuning.selection import Candidate, Selection, select

from .dial import Dial, dial_world

NAMES = ("Popularity", "UserCosine", "ItemCosine", "EASE")


def outcomes(choice: Choice) -> dict[str, str]:
    return {result.model: result.outcome for result in choice.standings}


def test_the_best_model_is_chosen_and_fitted_on_all_data() -> None:
    data = checkerboard(10).data
    choice = auto(data, models=["Popularity", "ItemCosine"], trials=0)
    assert repr(choice.model) == "ItemCosine()"
    assert choice.model.data_fingerprint == data.fingerprint
    assert outcomes(choice) == {"ItemCosine": "chosen", "Popularity": "worse"}
    [(train, held)] = validation_folds(data)
    expected = evaluate(Popularity().fit(train), train, held, 10)["ndcg@10"]
    assert choice.standings[1].value == expected
    assert choice.n_users == 20


def test_every_model_of_the_library_is_in_the_table() -> None:
    from shortlist.models.registry import MODULES

    choice = auto(checkerboard().data, seconds=1e-9, trials=0)
    assert set(outcomes(choice)) == set(MODULES) - {"Indexed"}
    assert outcomes(choice)["Popularity"] == "chosen"
    assert outcomes(choice)["EASE"] == "left out: no time left"


def test_models_that_cannot_be_fitted_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "installed", lambda extra: extra != "torch")
    data = tiny(*[(user, item) for user in range(6) for item in range(8) if (user + item) % 2])
    choice = auto(data, seconds=1e-9, trials=0)
    assert outcomes(choice)["MatrixFactorization"] == (
        "left out: fitting MatrixFactorization needs torch, which is not installed"
    )
    assert outcomes(choice)["ContentBased"] == (
        "left out: ContentBased needs features of the items, and there are none it can use"
    )
    with pytest.raises(ConfigError, match="fitting MatrixFactorization needs torch"):
        auto(data, models=["Popularity", "MatrixFactorization"])  # the caller named it


def test_a_model_without_enough_memory_is_left_out_although_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 300)
    choice = auto(checkerboard().data, models=["Popularity", "EASE"], trials=0, check=False)
    assert outcomes(choice)["EASE"].startswith("left out: EASE on ")


def test_a_model_that_fails_is_left_out_with_the_reason() -> None:
    choice = auto(dial_world(), models=["Popularity", Dial(trap=0.1)], trials=0)
    assert outcomes(choice) == {
        "Popularity": "chosen",
        "Dial": "left out: the dial is stuck at 0.1",
    }


def test_the_error_if_no_model_can_be_fitted_has_the_reasons() -> None:
    with pytest.raises(ShortlistError) as error:
        auto(dial_world(), models=[Dial(trap=0.1)])
    assert str(error.value) == (
        "no model could be fitted: Dial: left out: the dial is stuck at 0.1\n"
        "  to do: fix one of these reasons"
    )


def test_the_best_models_are_tuned_on_another_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    data = dial_world(30)
    [(train, held)] = validation_folds(data)
    tuned_on: list[Dataset] = []
    search = tune

    def watched(model: Any, data: Dataset, *others: Any, **named: Any) -> Any:
        tuned_on.append(data)
        return search(model, data, *others, **named)

    monkeypatch.setattr("shortlist.tuning.selection.tune", watched)
    choice = auto(data, models=["Popularity", Dial(kind="near")], trials=20)
    assert [data.fingerprint for data in tuned_on] == [train.fingerprint]
    tuned = search(Dial(kind="near"), train, 20, seed=1)
    assert tuned.best.number > 0
    expected = evaluate(tuned.best_model().fit(train), train, held, 10)["ndcg@10"]
    values = {result.model: result.value for result in choice.standings}
    assert values["Dial (tuned)"] == expected


def test_tuned_settings_are_chosen_if_they_are_better() -> None:
    # The search goes to items 5 to 7, the interactions before the last; but the last is with item
    # 28, far from them. So the untuned dial, which ranks it high, is better.
    choice = auto(dial_world(), models=[Dial(kind="far")], trials=10)
    assert choice.model.config.kind == "far"
    data = small_world().data
    choice = auto(data, models=["EASE"], trials=8)
    values = {result.model: result.value or 0.0 for result in choice.standings}
    better = max(values, key=lambda name: values[name])
    assert outcomes(choice)[better] == "chosen"
    assert (repr(choice.model) != "EASE()") == (better == "EASE (tuned)")


def test_models_left_out_for_one_reason_stand_on_one_line() -> None:
    choice = Choice(
        model=Popularity(),
        reason="",
        standings=(
            CandidateResult(model="EASE", value=0.5, seconds=1.0, outcome="chosen"),
            CandidateResult(model="GMF", outcome="left out: fitting GMF needs torch"),
            CandidateResult(model="IALS", outcome="left out: no time left"),
            CandidateResult(model="MLP", outcome="left out: fitting MLP needs torch"),
        ),
        metric="ndcg@10",
        data=checkerboard().data,
        n_users=3,
        notes=(),
        seconds=1.0,
    )
    assert str(choice).splitlines()[2:7] == [
        "model | ndcg@10 | against best | 95% interval | seconds | outcome",
        "------+---------+--------------+--------------+---------+--------",
        "EASE  |  0.5000 |              |              |     1.0 |  chosen",
        "left out: fitting it needs torch: GMF, MLP",
        "left out: no time left: IALS",
    ]


def test_a_cascade_that_would_take_too_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def predicted(model: Any, *others: Any) -> float:
        asked.append(model.name)
        return 70.0

    monkeypatch.setattr(selection, "predicted_seconds", predicted)
    names = ["Popularity", "ItemCosine", "Cascade"]
    choice = auto(checkerboard(10).data, seconds=100, models=names, trials=0, check=False)
    assert asked == ["Cascade"]  # few users: the others take no time
    assert outcomes(choice)["Cascade"].startswith("left out: about 70 s to fit, ")


def test_without_optuna_nothing_is_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "installed", lambda extra: extra != "tune")
    choice = auto(checkerboard().data, models=NAMES)
    assert choice.notes == ("nothing is tuned: pip install 'shortlist[tune]'",)
    assert "nothing is tuned" in str(choice)


def test_data_too_small_for_another_fold_is_not_tuned() -> None:
    data = tiny(*[(user, user % 2 + 2 * n) for user in range(12) for n in range(2)])
    choice = auto(data, models=["Popularity", "EASE"])
    assert choice.notes == ("nothing is tuned: the data is too small for another fold",)


def test_same_seed_same_choice() -> None:
    data = small_world().data

    def rows(choice: Choice) -> list[Any]:
        return [replace(result, seconds=None) for result in choice.standings]

    first, second = (auto(data, models=NAMES, trials=6, seed=2) for _ in range(2))
    assert rows(first) == rows(second)
    assert first.reason == second.reason
    assert repr(first.model) == repr(second.model)


# --- time ------------------------------------------------------------------------------------


def test_models_that_take_too_long_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    predicted = {"Popularity": 1.0, "UserCosine": 400.0, "ItemCosine": 70.0, "EASE": 2.0}
    monkeypatch.setattr(selection, "MIN_USERS", 1)
    monkeypatch.setattr(
        selection, "predicted_seconds", lambda model, *others: predicted[model.name]
    )
    choice = auto(checkerboard(10).data, seconds=100, models=NAMES, trials=0)
    by_name = outcomes(choice)
    assert by_name["UserCosine"].startswith("left out: about 400 s to fit, ")
    assert by_name["ItemCosine"].startswith(
        "left out: about 70 s to fit, "
    )  # twice: it is fitted again at the end
    assert by_name["EASE"] == "chosen"


def test_a_cascade_may_use_the_time_for_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "MIN_USERS", 1)
    monkeypatch.setattr(selection, "predicted_seconds", lambda *model: 40.0)
    measured: list[str] = []

    def measure(running: Selection, name: str, model: Any) -> None:
        measured.append(name)
        running.candidates.append(cast(Any, "a candidate"))

    monkeypatch.setattr(Selection, "measure", measure)
    names = ["Popularity", "EASE", "Cascade"]
    running = Selection(checkerboard(10).data, Objective.named("ndcg@10"), TimeBudget(100), 0)
    running.add([model_class(name)() for name in names], skip_unusable=False)
    running.compare(reserved=0.4)
    assert measured == ["Popularity", "Cascade"]  # 2 x 40 s is more than 60 s, less than 100 s


def test_a_cascade_is_not_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    tuned: list[str] = []
    monkeypatch.setattr(Selection, "_tune", lambda self, each, *_: tuned.append(each.name))
    running = Selection(dial_world(30), Objective.named("ndcg@10"), TimeBudget(None), 0)
    report = evaluate(Popularity().fit(running.fold[0]), *running.fold, 10)
    running.candidates = [
        Candidate(name, model_class(name)(), replace(report, model=name), 0.1)
        for name in ("Popularity", "EASE", "IALS", "Cascade")
    ]
    running.tune_best(3)
    assert sorted(tuned) == ["EASE", "IALS"]


def test_a_model_that_fails_on_a_sample_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "MIN_USERS", 1)
    choice = auto(dial_world(40), seconds=100, models=["Popularity", Dial(trap=0.1)], trials=0)
    assert outcomes(choice)["Dial"] == "left out: the dial is stuck at 0.1"


def timed_fits(monkeypatch: pytest.MonkeyPatch, cost: Callable[[int], float]) -> list[int]:
    """Make a fit take a time that depends on the users; return the list of their numbers."""
    clock, sizes = [0.0], []

    def fit(self: Popularity, some: Dataset) -> Popularity:
        sizes.append(int((some.user_counts > 0).sum()))
        clock[0] += cost(sizes[-1])
        return self

    monkeypatch.setattr(Popularity, "fit", fit)
    monkeypatch.setattr(objective, "evaluate", lambda *given: None)
    monkeypatch.setattr("shortlist.tuning.budget.time.perf_counter", lambda: clock[0])
    return sizes


def predicted(left: float) -> float:
    [fold] = validation_folds(dial_world(320))
    return predicted_seconds(Popularity(), fold, Objective.named("mrr"), 0, left)


@pytest.mark.parametrize("power", [0, 1, 2])
def test_time_is_extrapolated_from_its_growth(monkeypatch: pytest.MonkeyPatch, power: int) -> None:
    sizes = timed_fits(monkeypatch, lambda users: 3.0 * users**power)
    assert predicted(left=1e9) == pytest.approx(3.0 * 320**power)
    assert sizes == [5, 20, 40]


def test_work_that_happens_once_is_not_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    timed_fits(monkeypatch, lambda users: 2.0 * users + (100.0 if users == 20 else 0.0))
    assert predicted(left=1e9) == pytest.approx(2.0 * 320)


def test_a_sample_that_takes_too_long_is_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = timed_fits(monkeypatch, lambda users: 2.0 * users)
    assert predicted(left=200) == pytest.approx(2.0 * 320)
    assert sizes == [5, 20, 5]  # a quarter shows whether the time depends on the users


def test_time_that_does_not_grow_with_the_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = timed_fits(monkeypatch, lambda users: 30.0)  # such as the inversion of an item matrix
    assert predicted(left=200) == 30.0
    assert sizes == [5, 1]
    timed_fits(monkeypatch, lambda users: 30.0 + (5.0 if users == 5 else 0.0))
    assert 35.0 < predicted(left=200) < 60.0  # work that happens once makes it cautious


def test_a_change_of_algorithm_is_not_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = timed_fits(monkeypatch, lambda users: 30.0 if users >= 40 else 0.1 * users)
    assert predicted(left=1000) == 30.0
    assert sizes == [5, 20, 40, 80]


def test_nothing_more_is_measured_if_a_sample_takes_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = timed_fits(monkeypatch, lambda users: 30.0)
    assert predicted(left=80) == 30.0
    assert sizes == [5]


def test_a_quarter_of_a_sample_that_cannot_be_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(users: int) -> float:
        if users == 1:
            raise InputError("too few")
        return 30.0

    timed_fits(monkeypatch, cost)
    assert predicted(left=200) == 64 * 30.0


def test_a_model_is_not_tuned_if_time_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(self: Any, name: str, model: Any) -> None:
        measure(self, name, model)
        self.candidates[-1] = replace(self.candidates[-1], seconds=30.0)

    measure = Selection.measure
    monkeypatch.setattr(Selection, "measure", slow)
    choice = auto(checkerboard(10).data, seconds=100, models=["Popularity", "EASE"])
    assert outcomes(choice)["EASE (tuned)"].startswith("left out: 30.0 s per trial, ")


# --- the decision ---------------------------------------------------------------------------


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


def test_the_simplest_of_equal_models_is_chosen() -> None:
    noise = np.random.default_rng(0).normal(0, 0.2, (3, 400))
    objective = Objective.named("ndcg@10")
    simple = candidate("Popularity", Popularity(), 0.6 + noise[0] - noise[0].mean())
    better = candidate("EASE", EASE(), 0.605 + noise[1] - noise[1].mean())
    tuned = candidate("EASE (tuned)", EASE(regularization=5), 0.604 + noise[2] - noise[2].mean())
    chosen, reason, standings = select([simple, better, tuned], objective)
    assert chosen is simple
    assert [(result.model, result.outcome) for result in standings] == [
        ("EASE", "best"),
        ("EASE (tuned)", "as good as the best"),
        ("Popularity", "chosen"),
    ]
    assert reason == (
        "Popularity is chosen: the best, EASE with ndcg@10 0.6050, is ahead by less than 2%, and "
        "not significantly (the paired 95% interval of the difference contains 0); Popularity is "
        "the simplest of the 3 that are as good."
    )
    assert standings[2].difference == pytest.approx(-0.005)
    assert standings[2].low is not None
    assert standings[2].low < -0.005 < (standings[2].high or 0)
    assert select([better, tuned], objective)[0] is better  # the better settings of the same model


def test_a_significant_difference_is_not_a_tie() -> None:
    noise = np.random.default_rng(0).normal(0, 0.2, 400)
    noise -= noise.mean()
    near = candidate("Popularity", Popularity(), 0.600 + noise)
    best = candidate("EASE", EASE(), 0.606 + noise)  # 1% better for every user
    chosen, reason, standings = select([near, best], Objective.named("ndcg@10"))
    assert chosen is best
    assert reason == "EASE is chosen: its ndcg@10 of 0.6060 is significantly the best."
    assert standings[1].outcome == "worse"


def test_a_large_difference_on_little_data_is_not_a_tie() -> None:
    rng = np.random.default_rng(0)
    poor = candidate("Popularity", Popularity(), (rng.random(12) < 0.3).astype(float))
    best = candidate("EASE", EASE(), (rng.random(12) < 0.5).astype(float))
    chosen, reason, standings = select([poor, best], Objective.named("ndcg@10"))
    assert chosen is best
    assert standings[1].outcome == "not significantly worse"
    value = f"{best.report['ndcg@10']:.4f}"
    assert reason == (
        f"EASE is chosen: its ndcg@10 of {value} is the best by more than 2%, but not "
        "significantly against 1 other."
    )


def test_smaller_errors_are_better() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 400)
    small = candidate("EASE", EASE(), 0.8 + noise)
    large = candidate("Popularity", Popularity(), 0.9 + noise)
    chosen, _, standings = select([large, small], Objective.named("rmse"))
    assert chosen is small
    assert standings[1].outcome == "worse"
    assert standings[1].difference == pytest.approx(0.1, abs=1e-6)
    assert 0 < (standings[1].low or 0) <= (standings[1].high or 0)


# --- the check on an unseen fold --------------------------------------------------------------


def test_the_chosen_model_is_measured_on_an_unseen_fold() -> None:
    data = small_world().data
    choice = auto(data, models=["Popularity", "EASE"], trials=6)
    train, held = validation_folds(data, 3)[2]  # the first decides, the search uses the second
    expected = evaluate(
        type(choice.model)(**choice.model.config.model_dump()).fit(train), train, held, 10
    )
    assert isinstance(choice.check, ModelCheck)
    assert choice.check.value == expected["ndcg@10"]
    assert (choice.check.low, choice.check.high) == expected.interval("ndcg@10")
    assert choice.check.n_users == expected.n_users
    assert choice.to_dict()["check"] == asdict(choice.check)
    assert choice.model.data_fingerprint == data.fingerprint  # it is fitted on all data in the end
    assert str(choice).splitlines()[-3:-1] == [
        "The best of these values is slightly optimistic: they decided the selection.",
        "The chosen model on an unseen fold, with one choice fewer per person to learn from: "
        f"ndcg@10 {choice.check}.",
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"seconds": 1e-9}, "not checked on an unseen fold: no time left"),
        ({"check": False}, "not checked on an unseen fold"),
    ],
)
def test_a_choice_that_is_not_checked(arguments: dict[str, Any], text: str) -> None:
    choice = auto(checkerboard(10).data, models=["Popularity"], trials=0, **arguments)
    assert choice.check == choice.to_dict()["check"] == text
    assert text in str(choice).splitlines()


def test_data_too_small_for_a_check() -> None:
    data = tiny(*[(user, user % 2 + 2 * n) for user in range(12) for n in range(2)])
    choice = auto(data, models=["Popularity"], trials=0)
    assert choice.check == "too little data to check the model on an unseen fold"


# --- the result -------------------------------------------------------------------------


def test_the_table_and_the_text() -> None:
    choice = auto(checkerboard(10).data, models=NAMES, trials=0)
    table = choice.to_arrow()
    assert table.column_names == [
        "model", "value", "difference", "low", "high", "seconds", "outcome",
    ]  # fmt: skip
    assert choice.to_pandas().shape == choice.to_polars().shape == table.shape == (4, 7)
    lines = str(choice).splitlines()
    assert lines[0] == (
        "Dataset(20 users, 20 items, 180 interactions): one interaction of each of 20 users is "
        "held out"
    )
    heads = [cell.strip() for cell in lines[2].split(" | ")]
    assert heads == ["model", "ndcg@10", "against best", "95% interval", "seconds", "outcome"]
    assert lines[-1] == choice.reason
    assert repr(choice) == f"Choice({choice.model!r}; by ndcg@10 of 4)"


def test_the_bundle_records_the_choice(tmp_path: Path) -> None:
    choice = auto(checkerboard().data, models=NAMES, trials=0)
    choice.model.save(tmp_path / "bundle", metrics=choice.to_dict())
    recorded = read_manifest(tmp_path / "bundle").metrics
    assert recorded == json.loads(json.dumps(choice.to_dict()))
    assert recorded["reason"] == choice.reason
    assert [result["model"] for result in recorded["candidates"]] == [
        result.model for result in choice.standings
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seconds": 0}, "seconds=0 is out of range"),
        ({"trials": -1}, "trials=-1 is out of range"),
        ({"trials": 1.5}, "trials=1.5 is out of range"),
        ({"metric": "best"}, "metric='best' cannot be optimised"),
        ({"models": ["EASY"]}, "there is no model 'EASY'"),
        ({"models": []}, "no model could be fitted"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ShortlistError) as error:
        auto(checkerboard().data, **arguments)
    assert error.value.what.startswith(message)


def test_data_too_small_or_not_a_dataset() -> None:
    with pytest.raises(InputError, match="the data is too small for 1 validation fold"):
        auto(tiny((1, 2), (2, 3)))
    with pytest.raises(InputError, match="a Dataset is needed, not a list"):
        auto([])  # type: ignore[arg-type]
