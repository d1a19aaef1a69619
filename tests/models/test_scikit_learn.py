"""Models follow scikit-learn's protocol of parameters."""

from __future__ import annotations

import pytest
from sklearn.base import clone  # type: ignore[import-untyped]
from sklearn.model_selection import ParameterGrid  # type: ignore[import-untyped]

import shortlist as sl
from shortlist.errors import ConfigError, NotFittedError
from shortlist.testing import small_world


def test_clone_is_unfitted_and_has_the_same_parameters() -> None:
    model = sl.EASE(regularization=7.0).fit(small_world().data)
    copy = clone(model)
    assert isinstance(copy, sl.EASE)
    settings = {"regularization": 7.0} | dict.fromkeys(("dropout", "weighting", "dislikes"), "auto")
    assert copy.get_params() == settings
    with pytest.raises(NotFittedError):
        copy.recommend(k=1)


def test_a_grid_sets_parameters() -> None:
    grid = ParameterGrid({"neighbors": [3, 5], "weighting": ["binary", "tfidf"]})
    models = [clone(sl.ItemCosine()).set_params(**parameters) for parameters in grid]
    assert [(model.config.neighbors, model.config.weighting) for model in models] == [
        (3, "binary"), (3, "tfidf"), (5, "binary"), (5, "tfidf"),
    ]  # fmt: skip


def test_a_change_forgets_what_was_learned_with_other_parameters() -> None:
    model = sl.EASE(regularization=7.0).fit(small_world().data)
    model.set_params(regularization=9.0)
    with pytest.raises(NotFittedError):
        model.recommend(k=1)
    with pytest.raises(ConfigError, match="has no parameter 'lambda'"):
        model.set_params(**{"lambda": 3})
    assert model.config.regularization == 9.0


def test_models_within_models() -> None:
    model = sl.Cascade(stages=[sl.EASE(regularization=5.0), "ItemCosine"])
    copy = clone(model)
    assert copy.config == model.config
