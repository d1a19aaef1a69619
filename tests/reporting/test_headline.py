"""The first sentences of a report: what to use, and what is as good."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import shortlist as sl
from shortlist.models.base import Model
from shortlist.reporting import ComparisonWithReport
from shortlist.reporting.accuracy import ranking

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
