from __future__ import annotations

import pytest

from shortlist.errors import CapabilityError, ConfigError
from shortlist.models.registry import model_class
from shortlist.tuning.goal import Goal


@pytest.mark.parametrize(
    ("name", "k", "larger"),
    [("ndcg@10", 10, True), ("hit_rate@3", 3, True), ("mrr", 10, True), ("rmse", 10, False)],
)
def test_a_metric_says_at_which_length_and_which_way(name: str, k: int, larger: bool) -> None:
    assert Goal.named(name) == Goal(name, k, larger)


@pytest.mark.parametrize(
    "name", ["ndcg", "ndcg@0", "ndcg@ten", "ndgc@10", "coverage@10", "popularity@10", "", "mrr@5"]
)
def test_what_cannot_be_aimed_at(name: str) -> None:
    with pytest.raises(ConfigError) as error:
        Goal.named(name)
    assert error.value.what == f"metric={name!r} cannot be aimed at"
    assert "ndcg@10" in (error.value.remedy or "")


def test_errors_of_ratings_need_a_model_that_predicts_them() -> None:
    goal = Goal.named("rmse")
    goal.require_for(model_class("MatrixFactorization"))
    with pytest.raises(CapabilityError) as error:
        goal.require_for(model_class("EASE"))
    assert str(error.value) == (
        "EASE does not predict ratings, so it has no rmse\n"
        "  to do: choose a metric of lists, like ndcg@10"
    )
