from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from shortlist.models.rp3beta import RP3beta
from shortlist.recommend.recommender import dense_scores
from shortlist.testing import ModelContract, of_matrix, small_world, tiny


class TestRP3beta(ModelContract):
    model = RP3beta  # the defaults


class TestNotNormalized(ModelContract):
    model = partial(RP3beta, neighbors=7, alpha=1.3, beta=0.7, normalized=False)


def naive(chosen: Any, config: Any) -> Any:
    """The weights by loops over items, users and items."""
    n_items = chosen.shape[1]
    of_user, of_item = chosen.sum(axis=1), chosen.sum(axis=0)
    walks = np.zeros((n_items, n_items))
    for i in range(n_items):
        for u in np.flatnonzero(chosen[:, i]):
            for j in np.flatnonzero(chosen[u]):
                if i != j:
                    step = (1 / of_item[i]) ** config.alpha * (1 / of_user[u]) ** config.alpha
                    walks[i, j] += step / of_item[j] ** config.beta
    for row in walks:
        if config.neighbors is not None and config.neighbors < n_items:
            best = np.argsort(-row, kind="stable")[: config.neighbors]
            row[np.setdiff1d(np.arange(n_items), best)] = 0
        if config.normalized and row.sum():
            row /= row.sum()
    return walks


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.integers(1, 9),
    st.floats(0, 2),
    st.floats(0, 2),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_random_worlds_against_loops(
    seed: int, n_users: int, n_items: int, alpha: float, beta: float, normalized: bool
) -> None:
    rng = np.random.default_rng(seed)
    chosen = rng.random((n_users, n_items)) < rng.random()
    chosen[0, 0] = True
    model = RP3beta(neighbors=None, alpha=alpha, beta=beta, normalized=normalized)
    model.fit(of_matrix(chosen))
    assert_allclose(model.learned.weights.toarray(), naive(chosen, model.config), rtol=3e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_largest_of_each_row_are_kept(seed: int, neighbors: int, normalized: bool) -> None:
    rng = np.random.default_rng(seed)
    chosen = rng.random((25, 10)) < 0.3
    chosen[0, 0] = True
    model = RP3beta(neighbors=neighbors, alpha=0.6, beta=0.4, normalized=normalized)
    whole = np.sort(naive(chosen, RP3beta(neighbors=None, alpha=0.6, beta=0.4).config), axis=1)
    gaps = np.diff(whole, axis=1)[:, -neighbors - 1 if neighbors < 9 else 0 :]
    assume(not ((gaps > 0) & (gaps < 1e-6)).any())  # no near ties that float32 could turn
    assume(not ((gaps == 0) & (whole[:, -gaps.shape[1] :] > 0)).any())
    model.fit(of_matrix(chosen))
    assert_allclose(model.learned.weights.toarray(), naive(chosen, model.config), rtol=3e-6)


def test_scores_are_the_weights_from_the_history() -> None:
    data = small_world().data
    model = RP3beta(neighbors=None).fit(data)
    active = np.flatnonzero(data.user_counts).astype(np.int32)
    chosen = np.zeros((data.n_users, data.n_items), dtype=bool)
    chosen[data.user_rows, data.item_rows] = True  # weights are not used
    expected = (chosen.astype(float) @ naive(chosen, model.used))[active]
    assert_allclose(dense_scores(model, active), expected, rtol=3e-6, atol=1e-7)


def test_two_walks_by_hand() -> None:
    # tea has 3 users, rye 2, gin 1; ann has 2 items, bob 3. From gin, over bob only: rye and tea
    # with 1/3 each, divided by their 2 and 3 users: 1/6 and 1/9, normalised 3/5 and 2/5.
    data = tiny(
        ("ann", "tea"), ("ann", "rye"), ("bob", "tea"), ("bob", "rye"), ("bob", "gin"),
        ("cat", "tea"),
    )  # fmt: skip
    model = RP3beta(alpha=1, beta=1).fit(data)
    found = model.similar(["gin"])
    assert found.column("item_id") == ["rye", "tea"]
    assert found.column("score") == pytest.approx([3 / 5, 2 / 5], rel=1e-6)
    plain = RP3beta(alpha=1, beta=0, normalized=False).fit(data)
    # From tea over ann to rye: 1/3 * 1/2, over bob to rye and gin: 1/3 * 1/3 each.
    assert plain.recommend(["cat"]).column("item_id") == ["rye", "gin"]
    assert plain.recommend(["cat"]).column("score") == pytest.approx([5 / 18, 1 / 9], rel=1e-6)


def test_the_penalty_favours_rare_items() -> None:
    data = tiny(
        ("ann", "tea"), ("ann", "rye"), ("ann", "gin"), ("bob", "rye"), ("cat", "rye"),
        ("bob", "tea"), ("dan", "tea"),
    )  # fmt: skip
    assert RP3beta(beta=0).fit(data).recommend(["dan"], k=1).column("item_id") == ["rye"]
    assert RP3beta(beta=2).fit(data).recommend(["dan"], k=1).column("item_id") == ["gin"]
