from __future__ import annotations

import datetime as dt
from functools import cache, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from shortlist import extras
from shortlist.cli.compare import parameters
from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.errors import BundleError, ConfigError, InputError
from shortlist.evaluation import evaluate
from shortlist.models.cascade.candidates import retrieve, stage_mean, unseen
from shortlist.models.cascade.config import CascadeConfig
from shortlist.models.cascade.examples import Examples, examples, splits
from shortlist.models.cascade.features import CandidateFeatures, RankerInputs
from shortlist.models.cascade.model import Cascade, CascadeLearned
from shortlist.models.cascade.rankers import Ranker, fit_blend
from shortlist.models.composite import known_users
from shortlist.models.cosine import ItemCosine, UserCosine
from shortlist.models.ease import EASE
from shortlist.models.feature_similarity import FeatureSimilarity
from shortlist.models.registry import load, model_class
from shortlist.models.towers.model import Ranking
from shortlist.recommend.explain import explain_items
from shortlist.recommend.query import Query
from shortlist.recommend.rules import Rules
from shortlist.scoring.selection import dense
from shortlist.scoring.sparse import transposed
from shortlist.testing import ModelContract, of_matrix, small_world, tiny

STAGES = ["UserCosine", "ItemCosine"]
RANKING = Ranking(
    embedding_size=8, epochs=12, batch_size=64, learning_rate=0.02, head_layers=(16,),
    rejection=False,
)  # fmt: skip


class TestLinear(ModelContract):
    model = partial(Cascade, stages=STAGES, ranker="linear", rounds=2)


class TestTrees(ModelContract):
    model = partial(
        Cascade,
        stages=["EASE", "ItemCosine"],
        ranker="trees",
        features=False,
        trees=20,
        least=20,
        rounds=2,
    )


class TestWithFeatures(ModelContract):
    model = partial(
        Cascade,
        stages=["ItemCosine"],
        ranker="trees",
        features=True,
        trees=10,
        least=5,
        leaves=4,
        rounds=2,
    )
    user_is_history = False  # a history alone has no features


@pytest.mark.slow
class TestChosenByValidation(ModelContract):
    model = partial(Cascade, trees=10, least=5, leaves=4, rounds=1)
    user_is_history = False  # a history alone has no features


@pytest.mark.slow
class TestModelRanker(ModelContract):
    model = partial(Cascade, stages=STAGES, ranker=RANKING)
    user_is_history = False  # the ranker also reads features of users


@cache
def world(n_users: int = 150, n_items: int = 60) -> Dataset:
    """Users of three tastes, with noise; every item has a user."""
    rng = np.random.default_rng(3)
    taste = np.add.outer(np.arange(n_users), np.arange(n_items)) % 3 == 0
    chosen = rng.random((n_users, n_items)) < np.where(taste, 0.35, 0.03)
    chosen[np.arange(n_items), np.arange(n_items)] = True
    return of_matrix(chosen)


@cache
def fitted(ranker: str = "trees", candidates: int = 5) -> Cascade:
    stages = [UserCosine(neighbors=20), ItemCosine(), EASE(regularization=20)]
    settings: dict[str, Any] = {"ranker": ranker, "candidates": candidates, "rounds": 3}
    return Cascade(stages=stages, least=20, trees=30, **settings).fit(world())


@cache
def ranked_by_a_model() -> Cascade:
    ranker = EASE(regularization=20)
    return Cascade(stages=STAGES, ranker=ranker, candidates=5).fit(world())


def expected_candidates(model: Cascade, user: Any, allowed: Any) -> set[int]:
    """The union of the best unseen, allowed items of each stage."""
    found: set[int] = set()
    data = model.data
    order = data.popularity_order
    for stage in model.learned.stages:
        profiles = known_users(data, np.array([user], dtype=np.int32), [stage])
        scores = dense(stage.score(profiles))[0]
        seen = set(profiles.history.indices.tolist())
        best = [row for row in np.lexsort((order, -scores)) if row not in seen and allowed[row]]
        found |= set(best[: model.config.candidates])
    return found


class TestCandidates:
    @pytest.mark.parametrize("rule", [None, range(0, 60, 4), [1, 2, 3]])
    def test_candidates_are_the_union_of_the_best_eligible_items_of_the_stages(
        self, rule: Any
    ) -> None:
        model = fitted()
        data, users = model.data, np.arange(20, dtype=np.int32)
        allowed = np.ones(60, dtype=bool)
        if rule is not None:
            allowed = np.isin(np.arange(60), rule)
        profiles = known_users(data, users, model.learned.stages)
        everything = unseen(profiles, data.popularity_order)
        eligible = everything._replace(
            masks=allowed[np.newaxis], mask_of=np.zeros(20, dtype=np.int32)
        )
        found = retrieve(model.learned.stages, profiles, eligible, 5, data.popularity_order)
        for user in users:
            own = found.items[found.indptr[user] : found.indptr[user + 1]]
            assert set(own) == expected_candidates(model, user, allowed)
            assert list(own) == sorted(own)

    def test_the_numbers_of_a_candidate_do_not_depend_on_the_rules(self) -> None:
        model = fitted()
        data, order = model.data, model.data.popularity_order
        profiles = known_users(data, np.arange(9, dtype=np.int32), model.learned.stages)
        free = unseen(profiles, order)
        some = free._replace(
            masks=(np.arange(60) % 2 == 0)[np.newaxis], mask_of=np.zeros(9, dtype=np.int32)
        )
        wide = retrieve(model.learned.stages, profiles, free, 5, order)
        narrow = retrieve(model.learned.stages, profiles, some, 5, order)
        positions = {pair: n for n, pair in enumerate(zip(wide.owners, wide.items, strict=True))}
        shared = 0
        for n, pair in enumerate(zip(narrow.owners, narrow.items, strict=True)):
            if pair in positions:
                shared += 1
                for name in ("scores", "levels", "ranks"):
                    before, after = getattr(wide, name), getattr(narrow, name)
                    assert_array_equal(before[:, positions[pair]], after[:, n], err_msg=name)
            else:
                assert (narrow.ranks[:, n] == 6).all()  # behind the 5 items of every list
        assert shared > 9

    def test_scores_levels_and_ranks_by_hand(self) -> None:
        model = fitted()
        data, order = model.data, model.data.popularity_order
        profiles = known_users(data, np.array([7], dtype=np.int32), model.learned.stages)
        found = retrieve(model.learned.stages, profiles, unseen(profiles, order), 5, order)
        for s, stage in enumerate(model.learned.stages):
            scores = dense(stage.score(profiles))[0]
            seen = profiles.history.indices
            ranked = [row for row in np.lexsort((order, -scores)) if row not in seen]
            high, low = scores[ranked[0]], scores[ranked[4]]
            for n, item in enumerate(found.items):
                assert found.scores[s, n] == scores[item]
                assert found.ranks[s, n] == min(ranked.index(item) + 1, 6)
                level = np.clip((scores[item] - low) / (high - low), -1, 2)
                assert found.levels[s, n] == pytest.approx(level, abs=1e-6)
                assert found.returned[s, n] == (item in ranked[:5])

    def test_one_weight_far_above_the_others(self) -> None:
        pairs = [(u, i) for u in range(12) for i in range(9) if (u * i) % 5 != 1]
        table = pa.table(
            {
                "user_id": [user for user, _ in pairs],
                "item_id": [item for _, item in pairs],
                "plays": [1e10] + [(1 + n % 3) * 1e-30 for n in range(len(pairs) - 1)],
            }
        )
        data = Dataset.from_tables(table, weight="plays")
        stage = UserCosine(weighting="weighted").fit(data)
        profiles = known_users(data, np.arange(12, dtype=np.int32), [stage])
        order = data.popularity_order
        found = retrieve([stage], profiles, unseen(profiles, order), 5, order)
        block, (low, high) = found.blocks[0].astype(np.float64), found.ends[0].astype(np.float64)
        width = np.where(high > low, high - low, 1)[:, np.newaxis]
        z = (block - low[:, np.newaxis]) / width
        assert z.max() > 1e39  # too large for float32
        assert np.isfinite(found.levels).all()
        assert_allclose(stage_mean(found), z / (1 + np.abs(z)), atol=1e-5)


class TestLists:
    @pytest.mark.parametrize("ranker", ["linear", "trees"])
    def test_candidates_come_before_all_other_items(self, ranker: str) -> None:
        model = fitted(ranker)
        lists = model.recommend(k=60).table.to_pylist()
        for user in (0, 40, 149):
            own = [row for row in lists if row["user_id"] == user]
            union = expected_candidates(model, user, np.ones(60, dtype=bool))
            assert {row["item_id"] for row in own[: len(union)]} == union
            assert len(own) == 60 - model.data.user_counts[user]
            floor = model.learned.ranker.floor
            assert all(row["score"] >= floor - 1e-5 for row in own[: len(union)])
            assert all(row["score"] < floor for row in own[len(union) :])

    @pytest.mark.parametrize("ranker", ["linear", "trees"])
    def test_short_lists_are_the_heads_of_long_ones(self, ranker: str) -> None:
        long = fitted(ranker).recommend(k=40, allow=range(45)).table.to_pylist()
        for k in (3, 8, 20):
            short = fitted(ranker).recommend(k=k, allow=range(45)).table.to_pylist()
            assert short == [row for row in long if row["rank"] <= k]

    @pytest.mark.parametrize("k", [1, 5, 12, 30])
    def test_filters_leave_exactly_k(self, k: int) -> None:
        allow = list(range(0, 60, 2))
        model = fitted()
        lists = model.recommend(k=k, allow=allow)
        lengths = np.bincount(lists.column("user_id"), minlength=150)
        eligible = (model.data.matrix.toarray()[:, ::2] == 0).sum(axis=1)
        assert lengths.tolist() == np.minimum(eligible, k).tolist()
        assert set(lists.column("item_id")) <= set(allow)

    def test_candidates_are_eligible_items(self) -> None:
        """Items far down the list become candidates if only they are allowed."""
        model = fitted()
        free = model.recommend([3], k=60).table.to_pylist()
        last = [row["item_id"] for row in free[-12:]]
        found = model.recommend([3], k=12, allow=last).table.to_pylist()
        union = expected_candidates(model, 3, np.isin(np.arange(60), last))
        assert {row["item_id"] for row in found[: len(union)]} == union
        assert found[0]["score"] > model.learned.ranker.floor - 1e-5 > free[-12]["score"]

    def test_a_query_that_only_one_stage_can_score_by_features(self) -> None:
        model = Cascade(stages=["ItemCosine", "ContentBased"], ranker="linear", rounds=1)
        model.fit(small_world().data)
        found = model.recommend(queries=[Query(features={"city": "Seoul"})], k=3)
        assert found.column("source") == ["Cascade"] * 3
        alone = model_class("ContentBased")().fit(small_world().data)
        expected = alone.recommend(queries=[Query(features={"city": "Seoul"})], k=3)
        assert found.column("item_id") == expected.column("item_id")

    def test_a_bundle_keeps_the_trees(self, tmp_path: Any) -> None:
        model = fitted()
        again = load(model.save(tmp_path / "bundle"))
        assert again.recommend(k=20).table.equals(model.recommend(k=20).table)
        assert again.config == model.config


class TestExplanations:
    @pytest.mark.parametrize("ranker", ["linear", "trees"])
    @pytest.mark.parametrize("user", [0, 33])
    def test_parts_add_up(self, ranker: str, user: int) -> None:
        model = fitted(ranker)
        lists = model.recommend([user], k=60, exclude_seen=False).table.to_pylist()
        for row in (lists[0], lists[3], lists[-1]):
            explanation = model.explain(user, row["item_id"])
            assert explanation.score == row["score"]
            total = explanation.parts.column("amount").to_numpy().sum()
            assert total == pytest.approx(row["score"], rel=1e-5, abs=1e-5)

    def test_an_item_that_no_stage_returned_is_marked(self) -> None:
        model = fitted()
        last = model.recommend([0], k=60).table.to_pylist()[-1]
        parts = model.explain(0, last["item_id"]).parts
        assert sorted(parts.column("kind").to_pylist()) == ["not a candidate", "stage"]

    @pytest.mark.parametrize("ranker", ["linear", "trees", "model"])
    @pytest.mark.parametrize(
        ("of_query", "of_call"),
        [({}, {}), ({"allow": range(40, 60)}, {}), ({"deny": [3]}, {"deny": range(0, 60, 2)})],
    )
    def test_what_a_list_with_rules_holds_is_explained_under_these_rules(
        self, ranker: str, of_query: Any, of_call: Any
    ) -> None:
        model = fitted(ranker) if ranker != "model" else ranked_by_a_model()
        kinds: set[str] = set()
        for asked in ({"user": 7}, {"history": [1, 2, 30]}):
            query = Query(**asked, **of_query)
            for seen in (True, False):
                options = {"k": 60, "exclude_seen": seen, **of_call}
                listed = model.recommend(queries=[query], **options)
                items = listed.column("item_id")
                explained = list(explain_items(model, query, items, rules=Rules(**of_call)))
                assert [each.score for each in explained] == listed.column("score")
                for each in explained:
                    total = each.parts.column("amount").to_numpy().sum()
                    assert total == pytest.approx(each.score, rel=1e-5, abs=1e-5)
                kinds |= set(explained[0].parts.column("kind").to_pylist())
        assert kinds == {"linear": {"stage"}, "model": {"ranker"}}.get(
            ranker, {"stage", "constant"}
        )

    def test_a_query_that_no_stage_can_score_is_explained_by_the_ranker(self) -> None:
        model = Cascade(stages=["ItemCosine"], ranker="ContentBased").fit(small_world().data)
        query = Query(features={"city": "Seoul"})
        listed = model.recommend(queries=[query], k=3)
        for item, score in zip(listed.column("item_id"), listed.column("score"), strict=True):
            explanation = model.explain(None, item, query=query)
            assert explanation.parts.to_pylist() == [
                {"kind": "ranker", "name": "ContentBased", "amount": score}
            ]

    def test_features_are_among_the_parts(self) -> None:
        model = Cascade(stages=STAGES, ranker="trees", features=True, least=5, rounds=2, trees=20)
        model.fit(small_world().data)
        kinds: set[str] = set()
        names: set[str] = set()
        for row in model.recommend(["u03", "u04", "u06"], k=4).table.to_pylist():
            parts = model.explain(row["user_id"], row["item_id"]).parts
            total = parts.column("amount").to_numpy().sum()
            assert total == pytest.approx(row["score"], rel=1e-5, abs=1e-5)
            kinds |= set(parts.column("kind").to_pylist())
            names |= set(parts.column("name").to_pylist())
        assert kinds == {"stage", "feature", "constant"}
        assert {"item: year", "similarity to the history"} <= names


class TestLearning:
    def test_the_inputs_of_a_positive_are_computed_without_it(self) -> None:
        def stages() -> list[Any]:
            return [ItemCosine(), UserCosine()]

        for held_out in splits(world(), 2, 0):
            fold = held_out.fitted(stages())
            assert fold.train.n_interactions + fold.held_out.n_interactions == len(world())
            assert fold.held_out.user_counts.max() == 1
            for stage in fold.stages:
                assert stage.data.fingerprint == fold.train.fingerprint
            seen: list[Any] = []

            def columns(candidates: Any, profiles: Any, seen: list[Any] = seen) -> Any:
                seen.append((candidates, profiles))
                return candidates.scores.T.copy()

            found, top, hits = examples(
                fold, columns, CascadeConfig(candidates=10, negatives=4), top=True
            )
            candidates, profiles = seen[0]
            rows = fold.train.matrix[fold.users].toarray()
            assert_array_equal(profiles.history.toarray(), rows)
            assert found.lists.sum() == len(found.rows) == len(found.chosen)
            assert found.chosen.sum() == len(found.lists)  # one choice per user is held out
            assert found.lists.max() <= 1 + 4
            held = dict(zip(fold.held_out.user_rows, fold.held_out.item_rows, strict=True))
            pairs = zip(fold.users[candidates.owners], candidates.items, strict=True)
            right = np.array([held[user] == item for user, item in pairs])
            assert hits[-1] == right.sum()
            assert hits[0] == (right & candidates.returned[0]).sum()
            # With 10 candidates of each stage, all of them are near the top.
            assert_array_equal(np.sort(top.rows[top.chosen]), np.sort(found.rows[found.chosen]))
            assert top.lists.sum() == len(top.rows) == len(candidates.items)

    def test_inputs_come_from_the_data_without_what_is_held_out(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes: list[int] = []
        of = RankerInputs.of

        def noted(data: Dataset, *features: Any) -> RankerInputs:
            sizes.append(len(data))
            return of(data, *features)

        monkeypatch.setattr(RankerInputs, "of", noted)
        data = world()
        model = Cascade(rounds=2).fit(data)
        n_held_out = int((data.user_counts > 1).sum())
        assert sizes
        assert set(sizes) == {len(data) - n_held_out}
        model.recommend(list(data.users)[:1])
        assert sizes[-1] == len(data)

    def test_the_fitted_blend_has_gradient_zero(self) -> None:
        rng = np.random.default_rng(0)
        lists = np.full(200, 6)
        rows = rng.normal(size=(1200, 3)).astype(np.float32)
        chosen = np.zeros((200, 6), dtype=bool)
        logits = (rows @ np.array([2.0, 0.5, -1.0])).reshape(200, 6)
        chosen[np.arange(200), (logits + rng.gumbel(size=(200, 6))).argmax(axis=1)] = True
        some = Examples(rows, chosen.ravel(), lists)
        weights = fit_blend(some, np.arange(3))

        def loss(w: Any) -> float:
            z = (rows.astype(np.float64) @ w).reshape(200, 6)
            right = (np.exp(z) * chosen).sum(axis=1) / np.exp(z).sum(axis=1)
            return float(-np.log(right).mean() + 1e-3 * (w**2).sum())

        assert weights[0] > 3 * weights[1] > 0.5
        assert weights[2] == 0  # weights are never negative
        for step in (np.array([1e-4, 0, 0]), np.array([0, 1e-4, 0])):
            slope = (loss(weights + step) - loss(weights - step)) / 2e-4
            assert slope == pytest.approx(0, abs=1e-4)
        assert loss(weights + np.array([0, 0, 1e-3])) > loss(weights)

    def test_history_holds_the_recall_of_each_round(self) -> None:
        names = fitted().history.column_names
        assert names == [
            "epoch",
            *(f"recall: {stage}" for stage in ("UserCosine", "ItemCosine", "EASE", "all together")),
        ]
        for row in fitted().history.to_pylist():
            assert row["recall: all together"] >= max(
                row["recall: EASE"], row["recall: UserCosine"]
            )
            assert 0 < row["recall: EASE"] <= 1

    def test_stages_get_equal_weights_if_nothing_can_be_held_out(self) -> None:
        data = tiny(("ann", "tea"), ("bob", "rye"), ("cid", "tea"))
        model = Cascade(stages=STAGES).fit(data)
        assert_array_equal(model.learned.weights, [0, 1, 0, 0, 1, *[0] * 7])
        assert len(model.learned.trees) == 0
        assert model.history.num_rows == 0
        assert model.recommend(["bob"], k=1).column("item_id") == ["tea"]

    def test_the_floor_is_a_lower_bound_of_the_scores(self) -> None:
        ranker = fitted().learned.ranker
        rng = np.random.default_rng(0)
        rows = rng.uniform(-1, 2, (2000, len(ranker.weights))).astype(np.float32)
        assert ranker.scores(rows).min() >= ranker.floor
        assert_allclose(ranker.parts(rows[:50]).sum(axis=1), ranker.scores(rows[:50]), rtol=1e-9)

    def test_a_blend_gives_a_poor_stage_little_weight(self) -> None:
        train, test = split.leave_last_out(world(), order="random", seed=1)
        model = Cascade(stages=["Popularity", "ItemCosine"], ranker="linear").fit(train)
        weights = model.learned.weights
        assert weights[4] > 3 * weights[1]
        poor = model_class("Popularity")().fit(train)
        gain = evaluate(model, train, test)["ndcg@10"] - evaluate(poor, train, test)["ndcg@10"]
        assert gain > 0.1


class TestInputs:
    def test_how_a_candidate_relates_to_the_history_by_users_in_common(self) -> None:
        data = tiny(
            ("ann", "tea"), ("ann", "rye"), ("bob", "tea"), ("bob", "rye"), ("bob", "gin"),
            ("cid", "tea"), ("cid", "gin"), ("dan", "tea"), ("eve", "fig"),
        )  # fmt: skip
        ann, (gin, fig) = data.users.rows(["ann"])[0], data.items.rows(["gin", "fig"])
        profiles = known_users(data, np.array([ann], dtype=np.int32), [])
        stage = ItemCosine().fit(data)
        order = data.popularity_order
        candidates = retrieve([stage], profiles, unseen(profiles, order), 5, order)
        rows = RankerInputs.of(data).rows(candidates, profiles)
        found = dict(zip(candidates.items.tolist(), rows[:, -6:].tolist(), strict=True))
        assert set(found) == {gin, fig}
        # gin has two users in common with tea (4 users), and one with rye (2 users)
        with_tea, with_rye = 2 / np.sqrt(2 * 4), 1 / np.sqrt(2 * 2)
        assert found[gin] == pytest.approx(
            [2, 2, with_tea + with_rye, max(with_tea, with_rye), 2 + 1, max(2 / 4, 1 / 2)]
        )
        assert found[fig] == [1, 2, 0, 0, 0, 0]


class TestFeatures:
    def test_columns_by_hand(self) -> None:
        users = pa.table(
            {
                "user_id": [1, 2, 3],
                "age": [20, None, 40],
                "born": pa.array([0, 86_400_000_000, None], pa.timestamp("us")),
                "city": ["b", "a", None],
                "same": ["x", "x", "x"],
                "name": ["p", "q", "r"],
            }
        )
        items = pa.table({"item_id": [7, 8, 9], "tags": [["s", "t"], ["t"], []]})
        log = pa.table({"user_id": [1, 1, 2, 3], "item_id": [7, 8, 8, 9]})
        data = Dataset.from_tables(log, users, items)
        features = CandidateFeatures(data, 0)
        assert features.names == [
            "user: age", "user: born", "user: city", "user: name", "item: tags",
            "similarity to the history", "similarity to its users",
            "item and history: tags, likeness",
            "user and its users: city, likeness", "user and its users: name, likeness",
            "user and its users: age, distance", "user and its users: born, distance",
            "user and its users: age, distance in spreads",
            "user and its users: born, distance in spreads",
        ]  # fmt: skip
        assert features.categorical == [2, 3]
        profiles = known_users(data, np.array([0, 1, 2], dtype=np.int32), [])
        owners = np.array([0, 1, 2])
        found = features.columns(profiles, owners, np.array([2, 0, 1], dtype=np.int32))
        nan = np.nan
        assert_array_equal(
            found[:, :5],
            [[20, 0, 1, 0, 0], [nan, 1, 0, 1, 2], [40, nan, nan, 2, 1]],
        )
        likeness = FeatureSimilarity.learn(data.item_features, transposed(data.choices), seed=0)
        assert likeness is not None
        rows = likeness.rows(data.item_features).toarray()
        # The second user chose item 8; of the candidates only theirs, item 7, shares a tag.
        assert found[:, 5] == pytest.approx([0, rows[0] @ rows[1], 0])
        assert 0 < rows[0] @ rows[1] < 1

    def test_a_new_user_has_the_features_of_the_query(self) -> None:
        data = small_world().data
        model = Cascade(
            stages=["Hybrid"], ranker="trees", features=True, rounds=1, trees=5, least=5
        ).fit(data)
        query = Query(history=["i02", "i05"], features={"city": "Busan"})
        assert len(model.recommend(queries=[query, Query(history=["i02"])], k=4)) == 8


class TestStageRecall:
    def test_figures_agree_with_evaluate(self) -> None:
        train, test = split.leave_last_out(world(), order="random", seed=2)
        model = Cascade(stages=STAGES, trees=10, least=20, candidates=10).fit(train)
        found = model.handover(test)
        rows = {row["stage"]: row for row in found.table.to_pylist()}
        for position, stage in enumerate(model.learned.stages):
            report = evaluate(stage, train, test, k=10)
            row = rows[STAGES[position]]
            assert row["recall"] == pytest.approx(report["recall@10"], abs=0.02)  # ties
            assert row["ndcg"] == pytest.approx(report["ndcg@10"], abs=0.02)
            assert row["recall_low"] <= row["recall"] <= row["recall_high"]
            together = rows["all together"]
            assert row["gain"] == pytest.approx(together["ndcg"] - row["ndcg"])
            assert row["recall"] <= together["recall"]
        assert rows["all together"]["ndcg"] == pytest.approx(
            evaluate(model, train, test, k=10)["ndcg@10"], abs=1e-3
        )
        assert found.n_users == len(np.unique(test.user_rows))
        lines = str(found).splitlines()
        assert lines[0] == f"{found.n_users} users, the best 10 of each stage"
        assert lines[2].split("|")[0].strip() == "stage"
        assert [line.split("|")[0].strip() for line in lines[4:]] == [*STAGES, "all together"]

    def test_stages_of_the_same_class_are_numbered(self) -> None:
        stages = [ItemCosine(neighbors=5), ItemCosine(neighbors=50)]
        train, test = split.leave_last_out(world(), order="random")
        model = Cascade(stages=stages, ranker="linear", rounds=1).fit(train)
        names = model.handover(test).table.column("stage").to_pylist()
        assert names == ["ItemCosine 1", "ItemCosine 2", "all together"]

    def test_other_data_is_refused(self) -> None:
        with pytest.raises(InputError, match="the test data has other ids"):
            fitted().handover(small_world().data)
        with pytest.raises(InputError, match="was fitted on interactions of the test data"):
            fitted().handover(world())


class TestBadInput:
    @pytest.mark.parametrize(
        ("stages", "message"),
        [
            ([], "there is no stage"),
            (["NoSuch"], "there is no model 'NoSuch'"),
            (["EASE", "EASE"], "EASE() is there twice"),
            ([EASE(regularization=9), EASE(regularization=9)], "is there twice"),
            (["Cascade"], "a cascade cannot be a stage"),
            ([{"model": "EASE", "config": {"regularization": -1}}], "is out of range"),
        ],
    )
    def test_stages(self, stages: list[Any], message: str) -> None:
        with pytest.raises(ConfigError) as error:
            Cascade(stages=stages)
        assert str(error.value).startswith("Cascade: stages=[")
        assert message in str(error.value)

    def test_the_same_model_with_other_settings_is_another_stage(self) -> None:
        stages = Cascade(stages=[EASE(), EASE(regularization=9)]).config.stages
        assert stages is not None
        assert len(stages) == 2

    def test_the_command_line(self) -> None:
        settings = parameters(["stages=UserCosine, ItemCosine,EASE", "ranker=linear"])
        model = model_class("Cascade")(**settings)
        assert repr(model) == (
            "Cascade(stages=(UserCosine(), ItemCosine(), EASE()), ranker='linear')"
        )

    def test_trees_without_lightgbm(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(extras.PACKAGES, "trees", ("no_such_package",))
        with pytest.raises(ConfigError) as error:
            Cascade(stages=STAGES).fit(world())
        assert str(error.value) == (
            "fitting Cascade needs no_such_package, which is not installed\n"
            "  to do: pip install 'shortlist[trees]'"
        )
        Cascade(stages=STAGES, ranker="linear", rounds=1).fit(world())
        with pytest.raises(ConfigError, match="a cascade with ranker='trees' needs"):
            Ranker(np.zeros(3), "tree").scores(np.zeros((1, 3), dtype=np.float32))

    def test_damaged_trees(self) -> None:
        with pytest.raises(BundleError, match="the trees of the cascade cannot be read"):
            Ranker(np.zeros(3), "no tree").scores(np.zeros((1, 3), dtype=np.float32))

    def test_the_error_of_a_stage_is_raised(self) -> None:
        log = pa.table({"user_id": [1, 1], "item_id": [1, 2]})
        model = Cascade(stages=["ItemCosine", "ContentBased"], ranker="linear")
        with pytest.raises(InputError, match="Cascade needs features of the items, and there are"):
            model.fit(Dataset.from_tables(log))
        alike = pa.table({"item_id": [1, 2], "planet": ["Earth", "Earth"]})
        with pytest.raises(InputError, match="ContentBased needs features of the items"):
            model.fit(Dataset.from_tables(log, items=alike))

    def test_stages_of_an_earlier_fit_need_nothing_of_the_next(self) -> None:
        stages = (model_class("ContentBased")(),)
        learned = CascadeLearned(stages, np.ones(1), np.empty(0, np.uint8), None)
        model = Cascade(ranker="linear").restore(small_world().data, learned, pa.table({}))
        assert model.needs_item_features
        model.require_fittable(tiny((1, 1), (1, 2), (2, 2)))


class TestRankingByAModel:
    @pytest.mark.parametrize("ranker", [EASE(regularization=20), Ranking(epochs=3)], ids=repr)
    def test_candidates_have_the_order_of_the_model(self, ranker: Any) -> None:
        model = Cascade(stages=["UserCosine"], ranker=ranker, candidates=8).fit(world())
        alone = type(ranker)(**ranker.config.model_dump()).fit(world())
        found = UserCosine().fit(world()).recommend([7], k=8).column("item_id")
        whole = alone.recommend([7], k=60).column("item_id")
        listed = model.recommend([7], k=60)
        assert listed.column("item_id")[:8] == [item for item in whole if item in found]
        scores = dict(zip(whole, alone.recommend([7], k=60).column("score"), strict=True))
        assert listed.column("score")[:8] == [scores[item] for item in listed.column("item_id")[:8]]
        assert listed.column("score")[8] < listed.column("score")[7] - 0.9

    @pytest.mark.parametrize("size", [1e-6, 1.0, 1e6, 1e12])
    def test_scores_of_any_size_keep_the_order_of_the_model(self, size: float) -> None:
        """Candidates first, as the model ranks them; then the others by the stage, without ties."""
        rng = np.random.default_rng(5)
        weights = np.where(rng.random((40, 30)) < 0.4, size * rng.lognormal(0, 1, (40, 30)), 0)
        data = of_matrix(weights, weights > 0)
        ranker = ItemCosine(weighting="weighted", neighbors=None, shrinkage=0, dislikes=0)
        model = Cascade(stages=["UserCosine"], ranker=ranker, candidates=9).fit(data)
        stage, alone = UserCosine().fit(data), ranker.fit(data)
        for user in data.users.ids.to_pylist():
            order = stage.recommend([user], k=30).column("item_id")
            ranked = alone.recommend([user], k=30).column("item_id")
            listed = model.recommend([user], k=30)
            first = [item for item in ranked if item in order[:9]]
            assert listed.column("item_id") == first + order[9:]
            both = model.recommend([user], k=30, exclude_seen=False)  # the same scores
            rows = zip(both.column("item_id"), both.column("score"), strict=True)
            seen = set(data.items.ids.to_pylist()) - set(order)
            unseen = [row for row in rows if row[0] not in seen]
            length = len(unseen)
            assert unseen == list(
                zip(listed.column("item_id")[:length], listed.column("score")[:length], strict=True)
            )

    def test_queries_that_it_cannot_score_get_the_order_of_the_stages(self) -> None:
        model = Cascade(stages=["Popularity"], ranker="UserCosine", candidates=8).fit(world())
        popular = model.learned.stages[0].recommend(queries=[Query(history=[])], k=5)
        listed = model.recommend(queries=[Query(history=[])], k=5)
        assert listed.column("item_id") == popular.column("item_id")

    def test_handover_measures_its_order(self) -> None:
        train, test = split.leave_last_out(world(), order="random", seed=1)
        model = Cascade(stages=["UserCosine"], ranker="UserCosine", candidates=30).fit(train)
        rows = model.handover(test).table.to_pylist()
        assert rows[-1]["ndcg"] == pytest.approx(rows[0]["ndcg"])  # the same model, the same list

    def test_a_bundle_keeps_the_model(self, tmp_path: Any) -> None:
        model = Cascade(stages=["EASE"], ranker=Ranking(epochs=2), candidates=9).fit(world())
        model.save(tmp_path / "bundle")
        again = load(tmp_path / "bundle")
        assert again.recommend(k=12).table.equals(model.recommend(k=12).table)
        assert again.config == model.config

    def test_its_explanation_has_its_name(self) -> None:
        model = Cascade(stages=["EASE"], ranker=Ranking(epochs=2), candidates=9).fit(world())
        listed = model.recommend([3], k=1)
        [item], [score] = (listed.column(name) for name in ("item_id", "score"))
        explanation = model.explain(3, item)
        assert explanation.parts.column("name").to_pylist() == ["Ranking"]
        assert explanation.parts.column("amount").to_pylist() == [pytest.approx(score, abs=1e-6)]

    @pytest.mark.parametrize(
        ("ranker", "message"),
        [("Cascade", "its own ranker"), ("trees2", "trees2"), (7, "ranker=7")],
    )
    def test_invalid_rankers_are_refused(self, ranker: Any, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            Cascade(ranker=ranker)


def test_evaluation_ranks_as_recommend_lists_where_items_have_life_spans() -> None:
    # Most items end before the test; they are the popular ones, and would fill all candidates.
    rng, n_old, n_items = np.random.default_rng(1), 60, 80
    start, end = dt.datetime(2024, 1, 1), dt.datetime(2024, 6, 1)
    ends = [end if item < n_old else None for item in range(n_items)]
    rows = [
        (user, int(item), start + dt.timedelta(days=day + 200 * int(item >= n_old)))
        for user in range(30)
        for day, item in enumerate(
            [*rng.choice(n_old, 6, replace=False), *(n_old + rng.choice(20, 2, replace=False))]
        )
    ]
    users, items, times = (list(column) for column in zip(*rows, strict=True))
    data = Dataset.from_tables(
        {"user_id": users, "item_id": items, "t": times},
        items={"item_id": list(range(n_items)), "valid_to": ends},
        time="t",
    )
    train, test = split.leave_last_out(data)
    model = Cascade(stages=["Popularity"], ranker=ItemCosine(), candidates=10).fit(train)
    found = [
        row["item_id"]
        in model.recommend([row["user_id"]], k=3, as_of=row["time"]).column("item_id")
        for row in test.to_arrow().to_pylist()
    ]
    assert 0.05 < np.mean(found) < 0.9
    assert evaluate(model, train, test, k=3)["hit_rate@3"] == pytest.approx(np.mean(found))
