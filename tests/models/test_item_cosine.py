from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any, Literal

import numpy as np
import pytest
from cosine_references import clear_cut, dense, documents, item_scores, neighbourhoods
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from shortlist.models.cosine import ItemCosine
from shortlist.recommend.recommender import dense_scores
from shortlist.testing import ModelContract, of_matrix, small_world, tiny

OPTIONS = list(
    product(["binary", "weighted", "tfidf", "bm25"], [None, 3], [0.0, 2.5], [True, False])
)


class TestItemCosine(ModelContract):
    model = ItemCosine  # the defaults


class TestFewNeighbours(ModelContract):
    model = partial(ItemCosine, neighbors=3, weighting="tfidf", normalized=True)


class TestWeighted(ModelContract):
    model = partial(ItemCosine, weighting="weighted", shrinkage=4.0, self_similarity=True)


@pytest.mark.parametrize(("weighting", "neighbors", "shrinkage", "self_similarity"), OPTIONS)
@pytest.mark.parametrize("normalized", [True, False])
def test_every_option_against_loops(
    weighting: Literal["binary"],
    neighbors: int | None,
    shrinkage: float,
    self_similarity: bool,
    normalized: bool,
) -> None:
    data = small_world().data
    model = ItemCosine(
        weighting=weighting,
        neighbors=neighbors,
        shrinkage=shrinkage,
        self_similarity=self_similarity,
        normalized=normalized,
    ).fit(data)
    active = np.flatnonzero(data.user_counts).astype(np.int32)
    expected = item_scores(data, model.config)[active]
    assert_allclose(dense_scores(model, active), expected, rtol=2e-6, atol=1e-7)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from(OPTIONS),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_random_worlds_against_loops(
    seed: int, n_users: int, n_items: int, options: Any, normalized: bool
) -> None:
    rng = np.random.default_rng(seed)
    chosen = rng.random((n_users, n_items)) < rng.random()
    chosen[0, 0] = True
    data = of_matrix(rng.integers(0, 4, chosen.shape), chosen)
    names = ("weighting", "neighbors", "shrinkage", "self_similarity")
    model = ItemCosine(**dict(zip(names, options, strict=True)), normalized=normalized).fit(data)
    weights, marks = dense(data)
    rows = documents(weights.T, marks.T, model.config.weighting)
    assume(clear_cut(rows, marks.T, model.config))
    active = np.flatnonzero(data.user_counts).astype(np.int32)
    expected = item_scores(data, model.config)[active]
    assert_allclose(dense_scores(model, active), expected, rtol=2e-6, atol=1e-7)


def test_neighbours_are_those_of_the_scored_item() -> None:
    """A popular item is near many; only those that it is nearest to hear of it.

    tea is chosen with rye (twice) and with gin (once); gin only with tea. With one neighbour each,
    tea's is rye and gin's is tea: who chose gin hears nothing of tea, who chose tea hears of gin.
    """
    data = tiny(
        ("ann", "tea"), ("ann", "rye"), ("bob", "tea"), ("bob", "rye"), ("cat", "tea"),
        ("cat", "gin"), ("dan", "gin"), ("eve", "tea"),
    )  # fmt: skip
    model = ItemCosine(neighbors=1, weighting="binary", shrinkage=0).fit(data)
    gin_for_eve = 1 / (4 * 2) ** 0.5
    rye_for_eve = 2 / (4 * 2) ** 0.5
    eve = model.recommend(["eve"])
    assert eve.column("item_id") == ["rye", "gin"]
    assert eve.column("score") == pytest.approx([rye_for_eve, gin_for_eve], rel=1e-6)
    assert model.recommend(["dan"]).column("score") == [0.0, 0.0]
    assert model.similar(["tea"], k=1).column("item_id") == ["rye"]
    assert model.similar(["gin"], k=1).column("item_id") == ["tea"]


def test_normalized_neighbours_sum_to_one() -> None:
    model = ItemCosine(neighbors=4, normalized=True).fit(small_world().data)
    sums = model.learned.neighbors.sum(axis=1)
    linked = model.data.item_counts > 0
    assert_allclose(sums[linked], 1.0, rtol=1e-6)
    assert_allclose(sums[~linked], 0.0)


def test_similar_is_the_cosine() -> None:
    data = small_world().data
    model = ItemCosine(neighbors=None, weighting="tfidf", shrinkage=1.0).fit(data)
    weights, chosen = dense(data)
    expected = neighbourhoods(documents(weights.T, chosen.T, "tfidf"), chosen.T, model.config)
    found = model.similar(["i03"], k=29)
    rows = data.items.rows(found.column("item_id"))
    assert_allclose(found.column("score"), expected[3, rows], rtol=2e-6)
