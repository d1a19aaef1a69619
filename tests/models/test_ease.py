from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from shortlist.errors import ShortlistError
from shortlist.models import ease
from shortlist.models.ease import EASE
from shortlist.recommend.recommender import dense_scores
from shortlist.scoring.sparse import binary
from shortlist.testing import ModelContract, of_matrix, small_world, tiny


class TestEASE(ModelContract):
    model = partial(EASE, regularization=1.0)


class TestDefaults(ModelContract):
    model = EASE


def closed_form(chosen: Any, regularization: float) -> Any:
    """Steck 2019, in double precision: B = I - P diag(1 / diag(P)), P = (X'X + lambda I)^-1."""
    x = chosen.astype(np.float64)
    p = np.linalg.inv(x.T @ x + regularization * np.eye(x.shape[1]))
    b = np.eye(x.shape[1]) - p @ np.diag(1 / np.diag(p))
    np.fill_diagonal(b, 0)
    return b


def random_world(seed: int, n_users: int, n_items: int) -> Any:
    rng = np.random.default_rng(seed)
    chosen = rng.random((n_users, n_items)) < rng.uniform(0.05, 0.7)
    chosen[0, 0] = True
    return chosen


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 25), st.floats(0.3, 3000)
)  # both with many more items than users, and otherwise
@settings(max_examples=60, deadline=None)
def test_weights_are_the_closed_form(
    seed: int, n_users: int, n_items: int, regularization: float
) -> None:
    chosen = random_world(seed, n_users, n_items)
    model = EASE(regularization=regularization).fit(of_matrix(chosen))
    expected = closed_form(chosen, regularization)
    assert_allclose(model.learned.weights, expected, rtol=1e-3, atol=2e-6)
    assert_array_equal(np.diag(model.learned.weights), 0)


def test_scores_are_the_weights_from_the_history() -> None:
    data = small_world().data
    model = EASE(regularization=5.0).fit(data)
    active = np.flatnonzero(data.user_counts).astype(np.int32)
    chosen = np.zeros((data.n_users, data.n_items))
    chosen[data.user_rows, data.item_rows] = 1  # weights are not used
    expected = (chosen @ closed_form(chosen, 5.0))[active]
    assert_allclose(dense_scores(model, active), expected, rtol=1e-4, atol=1e-6)


def test_two_items_by_hand() -> None:
    # X'X = [[2, 1], [1, 1]], lambda 1: P = [[2, -1], [-1, 3]] / 5, B_01 = 1/3, B_10 = 1/2.
    model = EASE(regularization=1.0).fit(tiny(("ann", "rye"), ("bob", "rye"), ("bob", "tea")))
    assert_allclose(model.learned.weights, [[0, 1 / 3], [1 / 2, 0]], rtol=1e-6)
    assert model.similar(["rye"]).column("score") == [pytest.approx(1 / 3)]
    assert model.similar(["tea"]).column("score") == [pytest.approx(1 / 2)]


def test_a_catalogue_of_several_blocks() -> None:
    n_items = 2 * ease._BLOCK + 30
    chosen = random_world(7, 3000, n_items)
    for world in (chosen, chosen[:60]):  # by items, and by users
        weights = EASE(regularization=20.0).fit(of_matrix(world)).learned.weights
        assert_allclose(weights, closed_form(world, 20.0), rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("seed", range(5))
def test_by_users_and_by_items_agree(seed: int) -> None:
    matrix = binary(of_matrix(random_world(seed, 30, 30)).matrix)
    for regularization in (1.0, 100.0):
        by_users = ease._precision_by_users(matrix, regularization)
        by_items = ease._precision_by_items(matrix, regularization)
        assert_allclose(by_users, by_items, rtol=1e-3, atol=1e-6)
        assert_array_equal(by_items, by_items.T)


def test_a_catalogue_too_large_for_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "available_memory", lambda: 8 * 2**30)
    enough = int((8 * 2**30 / 12) ** 0.5)
    ease._require_memory(enough)
    with pytest.raises(ShortlistError) as error:
        ease._require_memory(40_000)
    assert str(error.value) == (
        "EASE on 40000 items needs 18 GB of memory; 8 GB are free\n"
        "  to do: use ItemCosine or IALS, or keep fewer items"
    )
    monkeypatch.setattr(ease, "available_memory", lambda: 100)
    with pytest.raises(ShortlistError, match="EASE on 30 items needs"):
        EASE().fit(small_world().data)
    monkeypatch.setattr(ease, "available_memory", lambda: None)  # unknown
    ease._require_memory(10**9)
    assert EASE().fit(small_world().data).is_fitted


def test_a_regularization_too_small_for_float32() -> None:
    twins = np.ones((50, 3), dtype=bool)  # items with the same users
    with pytest.raises(ShortlistError) as error:
        EASE(regularization=1e-9).fit(of_matrix(twins))
    assert str(error.value) == (
        "EASE: X'X + 1e-09 I could not be inverted in float32\n"
        "  to do: choose a larger regularization"
    )
