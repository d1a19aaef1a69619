"""Comparing models: fitted once, evaluated on the same users, ranked, differences tested."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from typing import Any

import numpy as np
import pytest

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.errors import InputError
from shortlist.evaluation import Comparison
from shortlist.evaluation.comparison import distinct_names
from shortlist.models.base import Model
from shortlist.models.popularity import Popularity

from .worlds import Known, Rater, known, split

N_USERS, N_ITEMS = 300, 40
compare = Comparison.of


class Good(Known):
    """The test item has the best score for most users."""


class Poor(Known):
    """Scores are independent of the test items."""


def tables(seed: int, lift: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scores = rng.random((N_USERS, N_ITEMS))
    scores[np.arange(N_USERS), np.arange(N_USERS) % N_ITEMS] += lift
    return scores


@pytest.fixture(scope="module")
def data() -> tuple[Dataset, Dataset]:
    users = range(N_USERS)
    return split(
        N_USERS,
        N_ITEMS,
        [(user, (user + 1) % N_ITEMS) for user in users],
        [(user, user % N_ITEMS) for user in users],
    )


@pytest.fixture(scope="module")
def comparison(data: tuple[Dataset, Dataset]) -> Comparison:
    models = [
        known(tables(1, 0.0), kind=Poor),
        known(tables(2, 0.6), kind=Good, flavour="sweet"),
        known(tables(3, 0.6), kind=Good, flavour="sour"),
    ]
    return compare(models, *data)


def test_models_are_ranked_and_their_differences_tested(comparison: Comparison) -> None:
    assert set(list(comparison.reports)[:2]) == {"Good(flavour='sweet')", "Good(flavour='sour')"}
    assert list(comparison.reports)[2] == "Poor"
    figures = [report["ndcg@10"] for report in comparison.reports.values()]
    assert figures == sorted(figures, reverse=True)
    assert comparison.best == next(iter(comparison.reports))
    twins, best_poor, twin_poor = comparison.tests()
    assert not twins.real
    assert best_poor.real
    assert twin_poor.real
    against = comparison.against_best()
    assert list(against) == list(comparison.reports)[1:]
    assert against["Poor"].difference == pytest.approx(figures[2] - figures[0])
    assert against["Poor"].high < 0


def test_any_metric_with_a_value_per_user_can_be_tested(comparison: Comparison) -> None:
    assert len(comparison.tests("recall@5")) == 3
    with pytest.raises(InputError, match="'coverage@10' cannot be tested"):
        comparison.tests("coverage@10")
    with pytest.raises(InputError, match="no model 'Pore' was compared") as error:
        comparison["Pore"]
    assert "did you mean 'Poor'?" in str(error.value)


def test_unfitted_models_are_fitted_and_timed_and_fitted_models_are_not_refitted(
    data: tuple[Dataset, Dataset],
) -> None:
    train, test = data
    fresh, fitted = Popularity(), known(tables(1, 0.5)).fit(train)
    learned = fitted.learned
    result = compare([fresh, fitted], train, test, k=5)
    assert fresh.is_fitted
    assert fitted.learned is learned
    assert result.fit_seconds["Known"] is None
    seconds = result.fit_seconds["Popularity"]
    assert seconds is not None
    assert 0 <= seconds < 60
    assert result.main == "ndcg@5"
    cells = [line.split("|") for line in str(result).splitlines() if line.startswith("Known")]
    assert cells[0][-2].strip() == "fitted"


def test_a_model_fitted_on_other_data_is_refused_before_anything_is_fitted(
    data: tuple[Dataset, Dataset],
) -> None:
    train, test = data
    fresh = Popularity()
    with pytest.raises(InputError, match="Known was fitted on other data"):
        compare([fresh, known(tables(1, 0.5)).fit(test)], train, test)
    assert not fresh.is_fitted
    with pytest.raises(InputError, match="also in train"):
        compare([fresh], train, train)
    with pytest.raises(InputError, match="k=0 is out of range"):
        compare([fresh], train, test, k=0)
    assert not fresh.is_fitted
    with pytest.raises(InputError, match="no model to compare"):
        compare([], train, test)


def test_names_are_distinct() -> None:
    zeros = np.zeros((1, 1))
    models: list[Model[Any, Any]] = [
        known(zeros, flavour="sweet"),
        known(zeros, flavour="sour"),
        known(zeros, flavour="sour"),
        Popularity(),
    ]
    assert distinct_names(models) == [
        "Known(flavour='sweet')",
        "Known(flavour='sour')",
        "Known(flavour='sour') #2",
        "Popularity",
    ]


def test_all_output_formats_agree(comparison: Comparison) -> None:
    table = comparison.to_arrow()
    assert comparison.to_pandas().shape == (table.num_rows, table.num_columns)
    assert comparison.to_polars().shape == (table.num_rows, table.num_columns)
    rows = {(row["model"], row["metric"]): row for row in table.to_pylist()}
    poor = rows["Poor", "ndcg@10"]
    test = comparison.against_best()["Poor"]
    assert poor["value"] == comparison["Poor"]["ndcg@10"]
    assert (poor["low"], poor["high"]) == comparison["Poor"].interval("ndcg@10")
    assert poor["difference"] == test.difference
    assert (poor["corrected"], poor["real"]) == (test.corrected, True)
    assert rows[comparison.best, "ndcg@10"]["difference"] is None
    assert rows["Poor", "coverage@10"]["low"] is None
    content = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert content["best"] == comparison.best
    assert content["main_metric"] == "ndcg@10"
    assert [model["model"] for model in content["models"]] == list(comparison.reports)
    assert content["models"][2]["metrics"]["ndcg@10"]["value"] == poor["value"]
    assert [test["real"] for test in content["tests"]] == [False, True, True]


def test_as_text(comparison: Comparison) -> None:
    lines = str(comparison).splitlines()
    assert lines[0] == ("300 users, 40 items, full catalogue, seen items removed, mid-rank ties")
    head, rule, *models, legend = lines[2:]
    assert head.split("|")[1].strip() == "ndcg@10"
    assert set(rule) == {"-", "+"}
    assert [line.split("|")[0].strip() for line in models] == list(comparison.reports)
    assert [line.split("|")[3].strip() == "best" for line in models] == [True, False, False]
    assert ["*" in line for line in models] == [False, False, True]
    assert legend == (
        "* significantly different from the best in ndcg@10: paired t-test, p < 0.05 after "
        "Holm's correction over 3 pairs"
    )
    value = comparison["Poor"]["ndcg@10"]
    assert f"{value:.4f}" in models[2]


def test_a_notebook_shows_every_model(comparison: Comparison) -> None:
    html = comparison._repr_html_()
    names = re.findall(r'<tr><td style="text-align:left">([^<]+)</td>', html)
    assert list(map(unescape, names)) == list(comparison.reports)
    assert "None" not in html


def test_a_single_model_has_no_tests(data: tuple[Dataset, Dataset]) -> None:
    result = compare([Popularity()], *data)
    assert result.tests() == ()
    assert "Holm" not in str(result)


def test_rating_errors_are_tested_only_if_all_models_have_them(
    data: tuple[Dataset, Dataset],
) -> None:
    def rater(seed: int, flavour: str) -> Known:
        return known(tables(seed, 0.5), kind=Rater, flavour=flavour)

    train, held_out = (
        replace(side, weights=np.arange(len(side), dtype=np.float32) % 5 + 1) for side in data
    )
    both = compare([rater(1, "a"), rater(2, "b")], train, held_out)
    [test] = both.tests("rmse")
    first, second = (report["rmse"] for report in both.reports.values())
    assert test.difference == pytest.approx(first - second)
    assert test.low <= test.difference <= test.high
    mixed = compare([rater(1, "a"), Popularity()], train, held_out)
    assert "rmse" not in mixed.metrics
    assert "rmse" in str(mixed).splitlines()[2]
    rows = [row for row in mixed.to_arrow().to_pylist() if row["metric"] == "rmse"]
    assert [(row["model"], row["real"]) for row in rows] == [("Rater", None)]


@pytest.mark.parametrize("model", [sl.EASE, "EASE", 7])
def test_what_is_no_model_is_refused_before_anything_is_fitted(model: Any) -> None:
    data = sl.Dataset.from_histories({1: [1, 2, 3], 2: [1, 3, 2], 3: [2, 3]})
    train, test = sl.split.leave_last_out(data, order="row")
    first = sl.Popularity()
    with pytest.raises(
        InputError, match=r"is not a model\n  to do: pass a model, such as EASE\(\)"
    ):
        sl.compare([first, model], train, test)
    assert not first.is_fitted
    with pytest.raises(InputError, match="is not a model"):
        sl.evaluate(model, train, test)
    frame: Any = data.to_arrow()
    with pytest.raises(InputError, match=r"a Dataset is needed, not a Table\n  to do: make one"):
        sl.compare([first], frame, test)
