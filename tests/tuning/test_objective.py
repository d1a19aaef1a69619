from __future__ import annotations

import pytest

from shortlist.errors import CapabilityError, ConfigError
from shortlist.models.registry import model_class
from shortlist.tuning.objective import Objective


@pytest.mark.parametrize(
    ("name", "k", "larger"),
    [("ndcg@10", 10, True), ("hit_rate@3", 3, True), ("mrr", 10, True), ("rmse", 10, False)],
)
def test_a_metric_name_is_parsed(name: str, k: int, larger: bool) -> None:
    assert Objective.named(name) == Objective(name, k, larger)


@pytest.mark.parametrize(
    "name", ["ndcg", "ndcg@0", "ndcg@ten", "ndgc@10", "coverage@10", "popularity@10", "", "mrr@5"]
)
def test_metrics_that_cannot_be_optimised(name: str) -> None:
    with pytest.raises(ConfigError) as error:
        Objective.named(name)
    assert error.value.what == f"metric={name!r} cannot be optimised"
    assert "ndcg@10" in (error.value.remedy or "")


def test_rating_errors_need_a_model_that_predicts_ratings() -> None:
    objective = Objective.named("rmse")
    objective.require_for(model_class("MatrixFactorization"))
    with pytest.raises(CapabilityError) as error:
        objective.require_for(model_class("EASE"))
    assert str(error.value) == (
        "EASE does not predict ratings, so it has no rmse\n"
        "  to do: choose a ranking metric such as ndcg@10"
    )
