from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from shortlist import machine
from shortlist.errors import ShortlistError
from shortlist.kernels.threads import thread_limit
from shortlist.models import decompositions, ease
from shortlist.models.ease import EASE
from shortlist.recommend.recommender import dense_scores
from shortlist.scoring.selection import dense
from shortlist.testing import ModelContract, of_matrix, small_world, tiny


class TestEASE(ModelContract):
    model = partial(EASE, regularization=1.0)


class TestDefaults(ModelContract):
    model = EASE


class TestFromUsers(TestEASE):
    @pytest.fixture(autouse=True)
    def always_from_users(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ease, "_WIDE", 0)


class TestDropout(ModelContract):
    model = partial(EASE, regularization=1.0, dropout=0.4)


class TestDropoutFromUsers(TestFromUsers):
    model = partial(EASE, regularization=1.0, dropout=0.4)


def closed_form(chosen: Any, regularization: float, dropout: float = 0.0) -> Any:
    """Steck 2019, in double precision: B = I - P diag(1 / diag(P)), P = (X'X + lambda I)^-1.

    With dropout Steck 2020: the penalty of an item is lambda + p / (1 - p) (X'X)_jj.
    """
    x = chosen.astype(np.float64)
    penalties = regularization + dropout / (1 - dropout) * np.diag(x.T @ x)
    p = np.linalg.inv(x.T @ x + np.diag(penalties))
    b = np.eye(x.shape[1]) - p @ np.diag(1 / np.diag(p))
    np.fill_diagonal(b, 0)
    return b


def weights_of(model: EASE) -> Any:
    """The weights from every item (row) to every item."""
    return dense(model.similar_scores(np.arange(model.data.n_items, dtype=np.int32)))


def random_world(seed: int, n_users: int, n_items: int) -> Any:
    rng = np.random.default_rng(seed)
    chosen = rng.random((n_users, n_items)) < rng.uniform(0.05, 0.7)
    chosen[0, 0] = True
    return chosen


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.integers(1, 25),
    st.floats(0.3, 3000),
    st.sampled_from(["auto", 0.0, 0.3, 0.9]),  # auto: 0, as the regularization is given
)  # both with many more items than users, and otherwise
@settings(max_examples=60, deadline=None)
def test_weights_are_the_closed_form(
    seed: int, n_users: int, n_items: int, regularization: float, dropout: float | str
) -> None:
    chosen = random_world(seed, n_users, n_items)
    model = EASE(regularization=regularization, dropout=dropout).fit(of_matrix(chosen))
    assert model.chosen == {}
    share = 0.0 if isinstance(dropout, str) else dropout
    expected = closed_form(chosen, regularization, share)
    assert_allclose(weights_of(model), expected, rtol=1e-3, atol=2e-6)
    if n_items <= ease._WIDE * n_users:
        assert_array_equal(model.learned.weights, weights_of(model))
        assert_array_equal(np.diag(model.learned.weights), 0)
    else:
        assert model.learned.weights.shape == chosen.shape


@pytest.mark.parametrize("n_users", [1, 3])  # solved by users, and by items
def test_dropout_is_the_mean_over_all_that_can_be_left_out(n_users: int) -> None:
    """Ridge regression on each way to drop items, as often as it happens, the rest scaled up."""
    chosen, n_items, dropout = random_world(4, n_users, 5), 5, 0.3
    masks = np.array(list(np.ndindex(*[2] * n_items)))  # 1: kept
    often = np.prod(np.where(masks, 1 - dropout, dropout), axis=1)
    noisy = (chosen[:, np.newaxis] * masks / (1 - dropout)).reshape(-1, n_items)
    weights = np.tile(often, n_users)
    expected = np.zeros((n_items, n_items))
    for item in range(n_items):
        others = np.delete(np.arange(n_items), item)
        inputs, target = noisy[:, others], np.repeat(chosen[:, item], len(masks))
        system = (inputs.T * weights) @ inputs + 0.7 * np.eye(n_items - 1)
        expected[others, item] = np.linalg.solve(system, (inputs.T * weights) @ target)
    model = EASE(regularization=0.7, dropout=dropout).fit(of_matrix(chosen))
    assert_allclose(weights_of(model), expected, rtol=1e-5, atol=1e-7)
    assert len(model.learned.own) == (n_items if n_users == 1 else 0)


def test_dropout_is_chosen_with_the_regularization(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def choose(model: Any, data: Any, steps: Any) -> dict[str, Any]:
        asked.append([name for name, _ in steps])
        return {"regularization": 2.0, "dropout": 0.25, "weighting": None, "dislikes": None}

    monkeypatch.setattr(ease, "choose_signals", choose)
    chosen = random_world(1, 30, 20)
    model = EASE().fit(of_matrix(chosen))
    assert asked == [["regularization", "dropout", "regularization"]]
    assert model.chosen == {"regularization": 2.0, "dropout": 0.25}
    assert_allclose(weights_of(model), closed_form(chosen, 2.0, 0.25), rtol=1e-3, atol=1e-6)


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
    n_items = 4 * ease._BLOCK + 30
    chosen = random_world(7, 3000, n_items)
    for world in (chosen, chosen[:60]):  # by items, and by users
        model = EASE(regularization=20.0).fit(of_matrix(world))
        assert_allclose(weights_of(model), closed_form(world, 20.0), rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("seed", range(5))
def test_by_users_and_by_items_agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = of_matrix(random_world(seed, 30, 30))
    for regularization in (1.0, 100.0):
        models = []
        for wide in (0, 1):
            monkeypatch.setattr(ease, "_WIDE", wide)
            models.append(EASE(regularization=regularization, dropout=seed / 10).fit(data))
        assert [len(model.learned.own) for model in models] == [30, 0]
        assert_allclose(weights_of(models[0]), weights_of(models[1]), rtol=1e-3, atol=1e-6)
        for user in (1, 2):
            first, second = (model.explain(user, 5) for model in models)
            assert first.score == pytest.approx(second.score, rel=1e-3)
            assert first.parts.column("name") == second.parts.column("name")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_inverse_has_the_same_bits_on_any_number_of_threads(dtype: Any) -> None:
    n = 2 * decompositions._STRIP + 77
    chosen = random_world(3, n // 2, n).astype(dtype)
    counts = chosen.T @ chosen
    found = []
    for threads in (1, 2, 5):
        matrix = counts.copy()
        with thread_limit(threads):
            assert decompositions.invert(matrix, 30.0, "test")
        found.append(matrix)
    expected = np.linalg.inv(counts.astype(np.float64) + 30 * np.eye(n))
    assert_allclose(found[0], expected, rtol=0, atol=1e-7 if dtype == np.float32 else 1e-14)
    assert_array_equal(found[0], found[0].T)
    assert_array_equal(found[0], found[1])
    assert_array_equal(found[0], found[2])


def test_a_matrix_that_is_not_positive_has_no_inverse() -> None:
    assert not decompositions.invert(np.diag([1.0, -2.0, 1.0]), 1.5, "test")


def test_a_catalogue_too_large_for_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_world().data  # 30 items
    monkeypatch.setattr(machine, "available_memory", lambda: 5 * 30**2)
    fitted = EASE().fit(data)
    monkeypatch.setattr(machine, "available_memory", lambda: 5 * 30**2 - 1)
    with pytest.raises(ShortlistError) as error:
        EASE().fit(data)
    assert str(error.value) == (
        f"EASE on {data.n_users} users and 30 items needs 0.0 GB of memory; 0.0 GB are free\n"
        "  to do: use SparseEASE, which approximates it, or IALS; or keep fewer items"
    )
    with pytest.raises(ShortlistError, match="EASE on 30 items needs"):
        fitted.partial_fit(data)
    monkeypatch.setattr(machine, "available_memory", lambda: None)  # unknown
    assert EASE().fit(data).is_fitted


def test_few_users_need_less_memory() -> None:
    assert EASE().memory_to_fit(of_matrix(np.ones((2, 40)))) == 5 * 2 * 40 + 24 * 4
    assert EASE().memory_to_fit(of_matrix(np.ones((10, 40)))) == 5 * 40**2


def test_a_regularization_too_small_for_float32() -> None:
    twins = np.ones((50, 3), dtype=bool)  # items with the same users
    with pytest.raises(ShortlistError) as error:
        EASE(regularization=1e-9).fit(of_matrix(twins))
    assert str(error.value) == (
        "EASE: X'X + 1e-09 I could not be inverted in float32\n"
        "  to do: choose a larger regularization"
    )
