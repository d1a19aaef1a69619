"""The first sentences of a report: what to use, and what is as good."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.metrics.paired import PairedTest
from shortlist.models.base import Model
from shortlist.recommend.explain import Explanation
from shortlist.reporting import ComparisonWithReport
from shortlist.reporting.accuracy import Estimate, explain_correction, folded, ranking
from shortlist.reporting.examples import strongest

from .conftest import tables


@pytest.fixture(scope="module")
def twins() -> ComparisonWithReport:
    """Two models that are the same, and one that is worse."""
    train, test = sl.split.leave_last_out(sl.Dataset.from_tables(**tables(), time="at"))
    models: list[Model[Any, Any]] = [
        sl.EASE(regularization=5),
        sl.EASE(regularization=5),
        sl.Popularity(),
    ]
    return sl.compare(models, train, test, k=(3, 10), seed=3)


def seconds(twins: ComparisonWithReport, best: float, other: float) -> ComparisonWithReport:
    first, second, _ = twins.reports
    taken = dict.fromkeys(twins.reports, 0.1) | {first: best, second: other}
    return replace(twins, fit_seconds=taken)


def test_the_first_sentence_decides(twins: ComparisonWithReport) -> None:
    first, second, worst = twins.reports
    assert worst == "Popularity"
    assert ranking(seconds(twins, 1.0, 1.0)).headline[0] == f"Use {first}."
    assert ranking(seconds(twins, 40.0, 2.0)).headline[0] == (
        f"Use {second}: practically as good as {first}, and fitted 20 times as fast."
    )
    assert ranking(seconds(twins, 0.4, 0.02)).headline[0] == f"Use {first}."  # who would mind


def test_equal_models_are_called_equal(twins: ComparisonWithReport) -> None:
    first, second, worst = twins.reports
    sentences = ranking(twins).headline
    assert sentences[1].startswith(f"{first} has the highest ndcg@")
    assert sentences[2] == f"It is significantly better than {worst}."
    assert sentences[3:] == (
        f"{second} is practically equal: with 95% confidence at most 5% below it.",
    )


def test_verdicts_say_practically_equal(twins: ComparisonWithReport) -> None:
    first, second, worst = twins.reports
    assert ranking(twins).verdicts == {
        first: "best", second: "practically equal", worst: "significantly worse",
    }  # fmt: skip


def test_the_correction_is_explained_where_it_changes_a_verdict() -> None:
    def pair(first: str, second: str, alone: float, corrected: float) -> PairedTest:
        return PairedTest(first, second, 0.1, 0.01, 0.2, alone, corrected, real=corrected < 0.05)

    tests = [pair("A", "B", 0.001, 0.003), pair("A", "C", 0.03, 0.06), pair("B", "C", 0.4, 0.4)]
    said = explain_correction(tests, 0.95)
    assert said.startswith(
        "Alone, the difference between A and C (p 0.03, corrected 0.06) would be significant. But "
        "of 3 tests, one may well look significant by chance."
    )
    assert explain_correction([tests[0], tests[2]], 0.95) == ""
    many = explain_correction([tests[1]] * 15, 0.95)
    assert many.count("A and C (p 0.03, corrected 0.06)") == 3
    assert "corrected 0.06) and 12 other pairs would be significant. But of 15 tests" in many


def test_metrics_with_the_same_figures_share_a_row() -> None:
    one, other = Estimate(0.2, 0.1, 0.3), Estimate(0.2)
    estimates = {
        "A": {"hit": one, "recall": one, "map": one, "gini": other},
        "B": {"hit": one, "recall": one, "map": other},
    }
    names = ("hit", "map", "recall", "gini")
    assert folded(names, estimates) == (("hit", "recall"), ("map",), ("gini",))


def test_no_reason_takes_away_from_the_score() -> None:
    """Of parts -0.5, 0.3 and 0.2, the reasons are the two that add to the score."""
    parts = pa.table({"kind": ["feature"] * 3, "name": ["a", "b", "c"], "amount": [-0.5, 0.3, 0.2]})
    explanation = Explanation(1, 0.0, "Hybrid", parts, ("x", "y", "z"))
    assert [label for _, label in strongest(explanation)] == ["y", "z"]
