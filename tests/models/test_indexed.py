from __future__ import annotations

import copy
import pickle
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from shortlist import extras
from shortlist.errors import BundleError, CapabilityError, ConfigError
from shortlist.kernels.threads import thread_limit
from shortlist.models import indexed
from shortlist.models.composite import known_users
from shortlist.models.ials.model import IALS
from shortlist.models.indexed import (
    Indexed,
    build_graph,
    nearest,
    open_graph,
    search,
)
from shortlist.models.registry import load
from shortlist.scoring.scores import DenseScores, FactorScores, Floats, ItemFactors
from shortlist.scoring.selection import Best, Eligible, dense, top_k
from shortlist.testing import ModelContract, of_matrix, small_world

SMALL = IALS(embedding_size=6, epochs=4, regularization=0.02, unobserved_weight=0.1)


class TestIndexed(ModelContract):
    model = partial(Indexed, model=SMALL)


N_ITEMS, N_QUERIES = 4000, 40


@cache
def vectors() -> tuple[FactorScores, Floats]:
    rng = np.random.default_rng(0)
    decay = np.linspace(1, 0.2, 16, dtype=np.float32)
    items = rng.normal(size=(N_ITEMS, 16)).astype(np.float32) * decay
    queries = rng.normal(size=(N_QUERIES, 16)).astype(np.float32) * decay
    return FactorScores(queries, ItemFactors.from_rows(items)), items


@cache
def graph() -> Any:
    return build_graph(vectors()[1], connectivity=16, expansion_add=128)


def eligible(excluded: int, share: float) -> Eligible:
    rng = np.random.default_rng(1)
    return Eligible(
        np.arange(N_QUERIES + 1, dtype=np.int64) * excluded,
        rng.integers(0, N_ITEMS, N_QUERIES * excluded).astype(np.int32),
        rng.random((1, N_ITEMS)) < share,
        np.where(np.arange(N_QUERIES) % 2 == 0, 0, -1).astype(np.int32),
        np.arange(N_ITEMS, dtype=np.int32),
    )


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the graph return up to half of a small catalogue."""
    monkeypatch.setattr(indexed, "EXACT_SHARE", 2)


class TestSearch:
    @pytest.mark.usefixtures("lenient")
    @pytest.mark.parametrize("excluded", [0, 30])
    @pytest.mark.parametrize("share", [1.0, 0.3, 0.02])
    def test_exactly_k_eligible_items_with_their_exact_scores(
        self, excluded: int, share: float
    ) -> None:
        scores, items = vectors()
        may = eligible(excluded, share)
        exact = top_k(scores, may, 10)
        found = search(open_graph(graph(), N_ITEMS, 128), items, scores, may, 10)
        assert (found.rows >= 0).all()
        recall = []
        for query in range(N_QUERIES):
            rows = found.rows[query]
            assert len(set(rows)) == 10
            banned = may.excluded_indices[may.excluded_indptr[query] :][:excluded]
            assert not set(rows) & set(banned)
            if may.mask_of[query] >= 0:
                assert may.masks[0, rows].all()
            expected = scores.queries[query] @ items[rows].T
            assert found.scores[query] == pytest.approx(expected, rel=1e-4, abs=1e-5)
            assert (np.diff(found.scores[query]) <= 0).all()
            recall.append(np.isin(rows, exact.rows[query]).mean())
        assert np.mean(recall) > 0.9

    def test_a_narrow_rule_is_answered_exactly(self) -> None:
        scores, items = vectors()
        may = eligible(5, 0.004)  # some 16 items
        found = search(open_graph(graph(), N_ITEMS, 128), items, scores, may, 20)
        exact = top_k(scores, may, 20)
        masked = may.mask_of >= 0
        assert_array_equal(found.rows[masked], exact.rows[masked])
        assert_array_equal(found.scores[masked], exact.scores[masked])

    @pytest.mark.usefixtures("lenient")
    def test_queries_are_independent(self) -> None:
        scores, items = vectors()
        may, index = eligible(30, 0.3), open_graph(graph(), N_ITEMS, 64)
        with thread_limit(1):
            together = search(index, items, scores, may, 10)
        for query in range(0, N_QUERIES, 7):
            single = FactorScores(scores.queries[[query]], scores.items)
            alone = search(index, items, single, may.take(np.array([query])), 10)
            assert_array_equal(alone.rows[0], together.rows[query])
            assert_array_equal(alone.scores[0], together.scores[query])

    def test_the_graph_is_the_same_every_time(self) -> None:
        assert_array_equal(build_graph(vectors()[1], 16, 128), graph())

    def test_more_expansion_raises_recall(self) -> None:
        scores, _ = vectors()
        exact = top_k(scores, eligible(0, 1.0), 10).rows
        found = [
            np.mean([np.isin(a, b).mean() for a, b in zip(exact, rows, strict=True)])
            for rows in (
                nearest(open_graph(graph(), N_ITEMS, expansion), scores.queries, 10)
                for expansion in (10, 400)
            )
        ]
        assert found[1] > 0.98
        assert found[1] >= found[0]


@cache
def world() -> Any:
    rng = np.random.default_rng(5)
    return of_matrix(rng.random((80, 300)) < 0.05 + 0.1 * (np.arange(300) % 3 == 0))


class TestModel:
    def test_history_holds_the_measured_recall(self) -> None:
        model = Indexed(model=SMALL).fit(world())
        assert model.history.column_names == ["epoch", "recall@10"]
        assert model.history.column("recall@10")[0].as_py() > 0.95

    @pytest.mark.usefixtures("lenient")
    def test_a_bundle_gives_the_same_lists(self, tmp_path: Any) -> None:
        model = Indexed(model=SMALL).fit(world())
        lists = model.recommend(k=5).table
        assert load(model.save(tmp_path / "bundle")).recommend(k=5).table.equals(lists)
        exact = SMALL.__class__(**SMALL.config.model_dump()).fit(world()).recommend(k=5)
        shared = set(zip(lists["user_id"].to_pylist(), lists["item_id"].to_pylist(), strict=True))
        exactly = set(zip(exact.column("user_id"), exact.column("item_id"), strict=True))
        assert len(shared & exactly) / len(exactly) > 0.95

    @pytest.mark.usefixtures("lenient")
    def test_evaluation_counts_the_items_that_the_search_misses(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = Indexed(model=SMALL).fit(world())
        search = indexed.search

        def blind(graph: Any, rows: Any, scores: Any, eligible: Eligible, k: int) -> Best:
            """Search, and miss the best item."""
            masks = np.ones((1, eligible.order.size), dtype=bool)
            masks[0, best_item] = False
            mask_of = np.zeros(len(eligible.mask_of), dtype=np.int32)
            return search(graph, rows, scores, eligible._replace(masks=masks, mask_of=mask_of), k)

        profiles = known_users(world(), np.arange(4, dtype=np.int32), [model])
        eligible = Eligible.everything(4, world().popularity_order)
        exact = dense(model.score(profiles))
        best_item = int(exact[0].argmax())
        monkeypatch.setattr(indexed, "search", blind)
        scores = dense(model.ranked_scores(profiles, eligible, 5))
        listed = model.best(profiles, eligible, 5)
        assert best_item not in listed.rows[0]
        assert scores[0, best_item] < scores[0, listed.rows[0]].min()
        assert top_k(DenseScores(scores), eligible, 5).rows.tolist() == listed.rows.tolist()
        others = np.arange(exact.shape[1]) != best_item
        assert np.array_equal(scores[:, others], exact[:, others])

    def test_explanations_and_similar_items_are_those_of_the_model(self) -> None:
        model = Indexed(model=SMALL).fit(world())
        plain = model.learned.model
        assert model.explain(0, 7).parts.equals(plain.explain(0, 7).parts)
        indexed_ids, ids = (m.similar([3], k=4).column("item_id") for m in (model, plain))
        assert indexed_ids == ids


class TestBadInput:
    def test_a_model_without_vectors(self) -> None:
        with pytest.raises(CapabilityError) as error:
            Indexed(model="EASE").fit(small_world().data)
        assert str(error.value) == (
            "EASE does not score by vectors, so there is nothing to index\n"
            "  where: Indexed(model=...)\n"
            "  to do: choose IALS, MatrixFactorization or Retrieval, or use the model as it is"
        )

    def test_a_model_that_cannot_compare_items(self) -> None:
        model = Indexed(model="Popularity").fit(small_world().data)
        with pytest.raises(CapabilityError, match="Popularity cannot compare items"):
            model.similar(["i03"])

    def test_without_usearch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(extras.PACKAGES, "index", ("no_such_package",))
        with pytest.raises(ConfigError, match="fitting Indexed needs no_such_package"):
            Indexed().fit(small_world().data)

    @pytest.mark.parametrize("bytes_left", [0, 50, 3000])
    def test_damaged_bytes(self, bytes_left: int) -> None:
        with pytest.raises(BundleError, match="the index is damaged"):
            open_graph(graph()[:bytes_left], N_ITEMS, 64)

    def test_a_graph_of_another_catalogue(self) -> None:
        with pytest.raises(BundleError, match="it holds 4000 items, not 7"):
            open_graph(graph(), 7, 64)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_of_a_used_index_gives_the_same_lists(copied: Any) -> None:
    model = Indexed(model=IALS(embedding_size=4)).fit(small_world().data)
    before = model.recommend(k=3).to_arrow()
    assert copied(model).recommend(k=3).to_arrow().equals(before)
