from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any, Literal

import numpy as np
import pytest
from cosine_references import clear_cut, dense, documents, user_scores
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from shortlist.data.dataset import Dataset
from shortlist.models.cosine import UserCosine
from shortlist.recommend.query import Query
from shortlist.recommend.recommender import dense_scores
from shortlist.testing import ModelContract, of_matrix, small_world, tiny

OPTIONS = list(
    product(["binary", "weighted", "tfidf", "bm25"], [None, 4], [0.0, 2.5], [True, False])
)


class TestUserCosine(ModelContract):
    model = partial(UserCosine, neighbors=50)  # more than the small world has users


class TestFewNeighbours(ModelContract):
    model = partial(UserCosine, neighbors=5, weighting="bm25", shrinkage=3.0)


class TestItself(ModelContract):
    model = partial(UserCosine, neighbors=5, weighting="weighted", self_similarity=True)


def all_scores(model: UserCosine, data: Dataset) -> Any:
    """Scores of the users with a history; the others get popular items."""
    active = np.flatnonzero(data.user_counts).astype(np.int32)
    return dense_scores(model.fit(data), active), active


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
    model = UserCosine(
        weighting=weighting,
        neighbors=neighbors,
        shrinkage=shrinkage,
        self_similarity=self_similarity,
        normalized=normalized,
    )
    scores, active = all_scores(model, data)
    assert_allclose(scores, user_scores(data, model.config)[active], rtol=2e-6, atol=1e-7)


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
    model = UserCosine(**dict(zip(names, options, strict=True)), normalized=normalized)
    weights, marks = dense(data)
    assume(clear_cut(documents(weights, marks, model.config.weighting), marks, model.config))
    scores, active = all_scores(model, data)
    assert_allclose(scores, user_scores(data, model.config)[active], rtol=2e-6, atol=1e-7)


PLAIN = partial(UserCosine, weighting="binary", shrinkage=0, normalized=False)
NOTES = partial(UserCosine, neighbors=None, weighting="binary", shrinkage=0, self_similarity=True)


def notes_block(matrix: Any, *, divided: bool) -> Any:
    """The study notes' own block, with scikit-learn's cosine_similarity written out."""
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    user_similarity = unit @ unit.T
    if divided:
        return user_similarity.dot(matrix) / np.array([np.abs(user_similarity).sum(axis=1)]).T
    return user_similarity.dot(matrix)


class TestNotesBlock:
    """UserCosine with certain settings is the cosine block of the notes."""

    world = Dataset.from_tables(small_world().interactions)  # everybody has chosen something

    @pytest.mark.parametrize("divided", [True, False])
    def test_the_scores_are_equal(self, divided: bool) -> None:
        matrix = np.zeros((self.world.n_users, self.world.n_items))
        matrix[self.world.user_rows, self.world.item_rows] = 1
        scores, _ = all_scores(NOTES(normalized=divided), self.world)
        assert_allclose(scores, notes_block(matrix, divided=divided), rtol=1e-6, atol=1e-7)

    def test_scores_by_hand(self) -> None:
        # ann: tea, rye; bob: tea. cos = 1/sqrt(2); score of rye for bob = cos, divided by 1 + cos.
        data = tiny(("ann", "tea"), ("ann", "rye"), ("bob", "tea"))
        cosine = 0.5**0.5
        for divided, expected in ((False, cosine), (True, cosine / (1 + cosine))):
            model = NOTES(normalized=divided).fit(data)
            assert model.recommend(["bob"]).column("score") == [pytest.approx(expected, rel=1e-7)]

    def test_normalizing_does_not_change_the_order(self) -> None:
        divided = NOTES(normalized=True).fit(self.world)
        plain = NOTES(normalized=False).fit(self.world)
        for k in (5, 30):
            lists = [model.recommend(k=k).table for model in (divided, plain)]
            assert (
                lists[0]
                .select(["user_id", "item_id", "rank"])
                .equals(lists[1].select(["user_id", "item_id", "rank"]))
            )
        assert not lists[0].column("score").equals(lists[1].column("score"))


def test_bytes_per_query_count_the_neighbours() -> None:
    """A query may have as many neighbours as there are users, even with few items."""
    many = of_matrix(np.ones((5000, 2)))
    assert UserCosine(neighbors=None).fit(many).bytes_per_query > 5000 * 8
    assert UserCosine(neighbors=10).fit(many).bytes_per_query < 5000


def test_a_user_is_not_their_own_neighbour() -> None:
    data = tiny(("ann", "tea"), ("ann", "rye"), ("bob", "gin"))
    found = PLAIN().fit(data).recommend(["ann"], exclude_seen=False)
    assert found.column("score") == [0.0, 0.0, 0.0]
    kept = PLAIN(self_similarity=True).fit(data).recommend(["ann"], exclude_seen=False)
    assert dict(zip(kept.column("item_id"), kept.column("score"), strict=True)) == {
        "rye": pytest.approx(1.0),
        "tea": pytest.approx(1.0),
        "gin": 0.0,
    }


@pytest.mark.parametrize("shrinkage", [0.0, 10.0])
def test_a_user_with_zero_weights_has_similarity_zero(shrinkage: float) -> None:
    data = tiny(("ann", "tea"), ("bob", "tea"), ("bob", "rye"), weight=[0.0, 2.0, 3.0])
    model = UserCosine(weighting="weighted", shrinkage=shrinkage, normalized=True).fit(data)
    assert model.recommend(["ann"]).column("score") == [0.0]
    assert model.recommend(["bob"]).to_arrow().num_rows == 0


def test_similar_items_are_scored_as_for_a_history_of_one_item() -> None:
    data = tiny(("ann", "tea"), ("ann", "rye"), ("bob", "tea"), ("bob", "gin"), ("cat", "gin"))
    found = PLAIN().fit(data).similar(["rye"])
    # A history of rye alone has similarity 1/sqrt(2) to ann, and 0 to the others.
    assert found.column("item_id") == ["gin", "tea"] or found.column("item_id") == ["tea", "gin"]
    scores = dict(zip(found.column("item_id"), found.column("score"), strict=True))
    assert scores == {"tea": pytest.approx(0.5**0.5), "gin": 0.0}


@pytest.mark.parametrize(("weighting", "neighbors", "shrinkage", "self_similarity"), OPTIONS)
def test_a_query_with_the_history_of_a_user_gets_the_list_of_the_user(
    weighting: Literal["binary"], neighbors: int | None, shrinkage: float, self_similarity: bool
) -> None:
    data = small_world().data
    model = UserCosine(
        weighting=weighting,
        neighbors=neighbors,
        shrinkage=shrinkage,
        self_similarity=self_similarity,
    ).fit(data)
    users = data.users.ids.to_pylist()
    items = np.array(data.items.ids.to_pylist())
    queries = [
        Query(history=dict(zip(items[row.indices].tolist(), row.data.tolist(), strict=True)))
        for row in (data.matrix[[user]] for user in range(data.n_users))
    ]
    by_id = model.recommend(users, k=9)
    by_history = model.recommend(queries=queries, k=9)
    assert by_history.column("item_id") == by_id.column("item_id")
    assert by_history.column("score") == by_id.column("score")


def test_only_one_of_two_people_with_the_same_history_is_the_person() -> None:
    data = tiny((1, "a"), (1, "b"), (2, "a"), (2, "b"), (3, "a"), (3, "c"))
    model = UserCosine(neighbors=2, weighting="binary", normalized=True).fit(data)
    first, query = model.recommend([1], k=1), model.recommend(queries=[Query(history=["a", "b"])])
    assert query.column("item_id") == first.column("item_id") == ["c"]
    assert query.column("score") == first.column("score")
    reasons = model.explain(None, "a", query=Query(history=["a", "b"])).parts
    assert reasons.column("name").to_pylist() == ["2 users"]
