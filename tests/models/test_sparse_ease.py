from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from shortlist.data.split import random as random_split
from shortlist.engine import LocalEngine
from shortlist.evaluation import evaluate
from shortlist.kernels.ridge import regressions
from shortlist.kernels.threads import thread_limit
from shortlist.models import sparse_ease
from shortlist.models.ease import EASE
from shortlist.models.sparse_ease import SparseEASE
from shortlist.recommend.recommender import dense_scores
from shortlist.scoring.sparse import csr_arrays, transposed
from shortlist.testing import ModelContract, of_matrix, small_world, tiny


class TestSparseEASE(ModelContract):
    model = partial(SparseEASE, regularization=1.0)


class TestDefaults(ModelContract):
    model = SparseEASE


def naive(chosen: Any, order: Any, regularization: float, neighbors: int) -> Any:
    """-P_ij / P_jj from regressions on more popular items, by loops over items."""
    counts = chosen.T.astype(float) @ chosen
    n_items = len(counts)
    system = counts + regularization * np.eye(n_items)
    factor, left = np.eye(n_items), np.zeros(n_items)
    for item in range(n_items):
        before = [other for other in np.argsort(order) if order[other] < order[item]]
        before = [other for other in before if counts[item, other] > 0]
        gain = [-counts[item, other] / np.sqrt(system[other, other]) for other in before]
        best = [before[place] for place in np.argsort(gain, kind="stable")[:neighbors]]
        solved = np.linalg.solve(system[np.ix_(best, best)], counts[best, item])
        factor[item, best] = -solved
        left[item] = system[item, item] - solved @ counts[best, item]
    inverse = factor.T @ np.diag(1 / left) @ factor
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def random_world(seed: int, n_users: int, n_items: int) -> Any:
    rng = np.random.default_rng(seed)
    chosen = rng.random((n_users, n_items)) < rng.uniform(0.05, 0.7) * rng.random(n_items)
    chosen[0] = True
    return chosen


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.integers(1, 25),
    st.floats(0.3, 3000),
    st.integers(10, 30),
    st.integers(0, 30),
)
@settings(max_examples=60, deadline=None)
def test_weights_against_loops(
    seed: int, n_users: int, n_items: int, regularization: float, neighbors: int, head: int
) -> None:
    chosen = random_world(seed, n_users, n_items)
    data = of_matrix(chosen)
    model = SparseEASE(regularization=regularization, neighbors=neighbors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse_ease, "_HEAD", head)  # counted at once, or for each item
        model.fit(data)
    expected = naive(chosen, data.popularity_order, regularization, neighbors)
    assert_allclose(model.learned.weights.toarray(), expected, rtol=1e-4, atol=1e-6)


def test_with_all_neighbors_it_is_ease_where_all_items_have_common_users() -> None:
    chosen = random_world(5, 50, 20)
    data = of_matrix(chosen)
    exact = EASE(regularization=3.0).fit(data)
    sparse = SparseEASE(regularization=3.0).fit(data)
    assert_allclose(sparse.learned.weights.toarray(), exact.learned.weights, rtol=1e-3, atol=1e-6)


def test_two_items_by_hand() -> None:
    # X'X = [[2, 1], [1, 1]], lambda 1: P = [[2, -1], [-1, 3]] / 5, B_01 = 1/3, B_10 = 1/2.
    model = SparseEASE(regularization=1.0).fit(tiny(("ann", "rye"), ("bob", "rye"), ("bob", "tea")))
    assert_allclose(model.learned.weights.toarray(), [[0, 1 / 3], [1 / 2, 0]], rtol=1e-6)
    assert model.similar(["tea"]).column("score") == [pytest.approx(1 / 2)]


def test_scores_are_the_weights_from_the_history() -> None:
    data = small_world().data
    model = SparseEASE(regularization=5.0).fit(data)
    active = np.flatnonzero(data.user_counts).astype(np.int32)
    chosen = np.zeros((data.n_users, data.n_items))
    chosen[data.user_rows, data.item_rows] = 1  # weights are not used
    expected = (chosen @ naive(chosen, data.popularity_order, 5.0, 100))[active]
    assert_allclose(dense_scores(model, active), expected, rtol=1e-4, atol=1e-6)


def test_the_largest_weights_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = random_world(2, 300, 40)
    data = of_matrix(chosen)
    whole = naive(chosen, data.popularity_order, 9.0, 4)
    weights = SparseEASE(regularization=9.0, neighbors=4).fit(data).learned.weights
    assert weights.nnz == 10 * 40  # 2.5 x 4 for each item
    least = np.sort(np.abs(whole).ravel())[-400]
    kept = np.where(np.abs(whole) >= least * (1 - 1e-9), whole, 0)
    assert_allclose(weights.toarray(), kept, rtol=1e-4, atol=1e-7)
    monkeypatch.setattr(sparse_ease, "_ENTRIES", 100)  # many blocks of rows
    monkeypatch.setattr(sparse_ease, "_HEAD", 7)
    again = SparseEASE(regularization=9.0, neighbors=4).fit(data).learned.weights
    assert_array_equal(again.toarray(), weights.toarray())
    monkeypatch.setattr(sparse_ease, "_SAMPLE", 10)  # every fourth row tells the least weight
    sampled = SparseEASE(regularization=9.0, neighbors=4).fit(data).learned.weights
    assert 300 <= sampled.nnz <= 500


def test_the_same_bits_on_any_number_of_threads() -> None:
    data = of_matrix(random_world(1, 200, 400))
    found = []
    for threads in (1, 2, 5):
        with thread_limit(threads):
            found.append(SparseEASE(regularization=20, neighbors=30).fit(data).learned.weights)
    for other in found[1:]:
        assert_array_equal(other.data, found[0].data)
        assert_array_equal(other.indices, found[0].indices)


def test_it_is_as_good_as_ease() -> None:
    train, test = random_split(small_world().data, 0.2)
    exact = evaluate(EASE(regularization=5.0).fit(train), train, test, 10)["recall@10"]
    sparse = SparseEASE(regularization=5.0, neighbors=20).fit(train)
    assert evaluate(sparse, train, test, 10)["recall@10"] == pytest.approx(exact, abs=0.01)


def test_blocks_of_items_give_the_same_bits() -> None:
    """As the workers of a cluster compute them."""
    data = small_world().data
    whole = SparseEASE(regularization=2.0, neighbors=5).fit(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse_ease, "_ENTRIES", 50)
        blocks = SparseEASE(regularization=2.0, neighbors=5)
        blocks.fit(data, engine=LocalEngine(block_bytes=200))
    for part in ("data", "indices", "indptr"):
        assert_array_equal(
            getattr(blocks.learned.weights, part), getattr(whole.learned.weights, part)
        )
    matrix = csr_arrays(data.choices)
    columns, head = csr_arrays(transposed(data.choices)), np.zeros((0, 0), np.float32)
    with pytest.raises(ValueError, match=r"first \+ count is 31, expected at most N=30"):
        regressions(matrix, columns, head, 1.0, 3, 29, 2)
