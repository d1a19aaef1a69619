from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.kernels.threads import thread_limit
from shortlist.models import decompositions, graph_filter
from shortlist.models.decompositions import leading_vectors
from shortlist.models.graph_filter import GraphFilter, normalized
from shortlist.recommend.recommender import dense_scores
from shortlist.testing import ModelContract, of_matrix, small_world, tiny


class TestGraphFilter(ModelContract):
    model = GraphFilter  # the defaults


class TestAsPublished(ModelContract):
    model = partial(GraphFilter, embedding_size=5, sharpening=0, popularity=0)


class TestLinear(ModelContract):
    model = partial(GraphFilter, ideal_weight=0, sharpening=0.6, popularity=0.5)


def naive(chosen: Any, config: Any) -> Any:
    """The scores of all users by dense matrices, with NumPy's SVD."""
    r = chosen.astype(np.float64)
    of_user, of_item = r.sum(axis=1), r.sum(axis=0)
    scaled_user = np.where(of_user > 0, of_user, np.inf) ** -0.5
    scaled_item = np.where(of_item > 0, of_item, np.inf) ** -0.5
    n = scaled_user[:, None] * r * scaled_item
    p = n.T @ n
    values, right = np.linalg.svd(n)[1:]
    v = right[: min(config.embedding_size, int((values > 0.03).sum()))].T
    linear = r @ (p - config.sharpening * p @ p) * of_item**config.popularity
    ideal = (r * scaled_item) @ v @ v.T * np.sqrt(of_item)
    return linear + config.ideal_weight * ideal


@pytest.mark.parametrize("n_users", [2, 9])  # fewer and more users than items
def test_weights_that_are_all_0_give_scores_of_0(n_users: int) -> None:
    users, items = [*range(n_users)] * 2, [1] * n_users + [2] * n_users
    log = {"user_id": users, "item_id": items, "w": [0.0] * len(users)}
    data = Dataset.from_tables(log, weight="w", items={"item_id": [1, 2, 3, 4]})
    model = GraphFilter(weighting="weighted", sharpening=0.5, popularity=0.3).fit(data)
    assert model.learned.vectors.shape == (4, 0)
    assert not dense_scores(model, np.arange(n_users, dtype=np.int32)).any()


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.integers(1, 12),
    st.floats(0, 2),
    st.floats(0, 1),
    st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_random_worlds_against_dense_matrices(
    seed: int, n_users: int, n_items: int, weight: float, sharpening: float, popularity: float
) -> None:
    rng = np.random.default_rng(seed)
    chosen = rng.random((n_users, n_items)) < rng.random()
    chosen[0, 0] = True
    norms = np.sqrt(np.outer(chosen.sum(axis=1), chosen.sum(axis=0)))
    values = np.linalg.svd(chosen / np.where(norms > 0, norms, 1), compute_uv=False)
    assume(not ((values > 1e-5) & (values < 0.03)).any())  # too small to be certain in float32
    model = GraphFilter(ideal_weight=weight, sharpening=sharpening, popularity=popularity)
    model.fit(of_matrix(chosen))
    active = np.flatnonzero(chosen.any(axis=1)).astype(np.int32)
    expected = naive(chosen, model.used)[active]
    assert_allclose(dense_scores(model, active), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [1, 3, 8])
def test_few_vectors_are_the_first_of_the_svd(size: int) -> None:
    data = small_world().data
    model = GraphFilter(embedding_size=size).fit(data)
    active = np.flatnonzero(data.user_counts).astype(np.int32)
    chosen = np.zeros((data.n_users, data.n_items), dtype=bool)
    chosen[data.user_rows, data.item_rows] = True  # weights are not used
    assert model.learned.vectors.shape == (data.n_items, size)
    expected = naive(chosen, model.used)[active]
    assert_allclose(dense_scores(model, active), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(300, 80), (80, 300)])
def test_leading_vectors_span_those_of_the_svd(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    dense = np.where(rng.random(shape) < 0.1, rng.random(shape), 0).astype(np.float32)
    dense[:, :20] *= 3  # some directions stand out
    found = leading_vectors(csr_array(dense), 10, seed=0)
    assert_allclose(found.T @ found, np.eye(10), atol=1e-5)
    values, right = np.linalg.svd(dense.astype(np.float64))[1:]
    kept = np.square(dense @ found).sum()
    assert kept == pytest.approx(np.square(values[:10]).sum(), rel=1e-3)
    assert_allclose(np.abs(right[0] @ found[:, 0]), 1, atol=1e-3)


def test_leading_vectors_have_the_same_bits_on_any_number_of_threads() -> None:
    matrix = normalized(small_world().data.choices)
    whole = leading_vectors(matrix, 8, seed=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decompositions, "_ROWS", 7)  # several blocks
        with thread_limit(1):
            one = leading_vectors(matrix, 8, seed=3)
        with thread_limit(4):
            four = leading_vectors(matrix, 8, seed=3)
    assert np.array_equal(one, four)
    assert_allclose(one @ one.T, whole @ whole.T, atol=1e-4)  # signs may differ


def test_settings_are_chosen_with_the_most_popular_items(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_world().data
    seen: list[Dataset] = []

    def choose(_: Any, few: Dataset, *args: Any) -> dict[str, Any]:
        seen.append(few)
        return {"ideal_weight": 1.0, "sharpening": 0.0, "popularity": 0.5, "weighting": None,
                "dislikes": None}  # fmt: skip

    monkeypatch.setattr(graph_filter, "choose_signals", choose)
    monkeypatch.setattr(graph_filter, "_CHOSEN_WITH", 9)
    model = GraphFilter().fit(data)
    counts = np.sort(data.item_counts)[::-1]
    assert [(few.n_items, few.n_interactions) for few in seen] == [(9, counts[:9].sum())]
    assert len(model.learned.vectors) == data.n_items
    assert model.used.popularity == 0.5


def test_a_lower_rank_gives_fewer_vectors() -> None:
    chosen = np.zeros((6, 5), dtype=bool)
    chosen[:3, :2] = chosen[3:, 2:] = True
    model = GraphFilter(embedding_size=4).fit(of_matrix(chosen))
    assert model.learned.vectors.shape == (5, 2)


def test_by_hand() -> None:
    # N = [[1/sqrt 2, 0], [1/2, 1/sqrt 2]] (rye, tea): P = [[3/4, sqrt 1/8], [sqrt 1/8, 1/2]].
    data = tiny(("ann", "rye"), ("bob", "rye"), ("bob", "tea"))
    model = GraphFilter(ideal_weight=0, sharpening=0, popularity=0).fit(data)
    assert model.recommend(["ann"]).column("score") == [pytest.approx(8**-0.5)]
    # P^2 from rye to tea: 3/4 sqrt 1/8 + sqrt 1/8 / 2.
    sharp = GraphFilter(ideal_weight=0, sharpening=0.4, popularity=0).fit(data)
    assert sharp.recommend(["ann"]).column("score") == [pytest.approx(0.5 * 8**-0.5)]
    # The ideal filter with both vectors changes nothing but the history itself.
    whole = GraphFilter(ideal_weight=2, sharpening=0, popularity=0).fit(data)
    found = whole.recommend(["ann"], exclude_seen=False)
    assert found.column("item_id") == ["rye", "tea"]
    assert found.column("score") == pytest.approx([0.75 + 2, 8**-0.5], rel=1e-5)


def test_popularity_multiplies_the_linear_scores() -> None:
    data = tiny(
        ("ann", "tea"), ("ann", "rye"), ("bob", "tea"), ("bob", "gin"), ("cat", "rye"),
        ("dan", "rye"), ("eve", "tea"),
    )  # fmt: skip
    scores = [
        GraphFilter(ideal_weight=0, sharpening=0, popularity=exponent)
        .fit(data)
        .recommend(["eve"])
        .to_arrow()
        .sort_by("item_id")
        .column("score")
        .to_pylist()
        for exponent in (0, 1)
    ]
    assert scores[1] == pytest.approx([1 * scores[0][0], 3 * scores[0][1]], rel=1e-6)  # gin, rye
