from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shortlist.errors import CapabilityError, ConfigError, InputError
from shortlist.models.registry import model_class
from shortlist.testing import small_world
from shortlist.tuning import tune
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
    data = small_world().data
    objective.require_for(model_class("MatrixFactorization")(), data)
    with pytest.raises(CapabilityError) as error:
        objective.require_for(model_class("EASE")(), data)
    assert str(error.value) == (
        "EASE does not predict ratings, so it has no rmse\n"
        "  to do: choose a ranking metric such as ndcg@10"
    )


def test_rating_errors_need_ratings_that_differ() -> None:
    data = small_world().data
    equal = replace(data, weights=np.ones_like(data.weights))
    with pytest.raises(InputError, match="all weights are 1, so there is no rmse"):
        tune("MatrixFactorization", equal, trials=1, metric="rmse")
