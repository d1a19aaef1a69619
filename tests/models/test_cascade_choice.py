"""A cascade chooses stages, ranker and features by held-out choices, never worse than a stage."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.errors import BundleError, NumericalError
from shortlist.evaluation import evaluate
from shortlist.models.cascade import pool as cascade_pool
from shortlist.models.cascade.config import CascadeConfig
from shortlist.models.cascade.examples import Examples, Round, chunks, examples, splits
from shortlist.models.cascade.features import Columns, RankerInputs
from shortlist.models.cascade.groups import GroupComparison
from shortlist.models.cascade.learning import (
    choose_ranker,
    choose_stages,
    gains,
    only_stages,
    stage_names,
)
from shortlist.models.cascade.model import Cascade
from shortlist.models.cascade.pool import pool
from shortlist.models.registry import load, model_class
from shortlist.testing import of_matrix, small_world

TREES = CascadeConfig(trees=30, leaves=4, least=20, learning_rate=0.1, seed=0)


class TestGroupComparison:
    TABLE = pa.table(
        {"age": [20.0, 30.0, 60.0, None], "city": ["a", "b", "b", "a"], "tags": ["", "", "", ""]}
    )

    def test_by_hand(self) -> None:
        comparison = GroupComparison.of(self.TABLE)
        assert comparison is not None
        assert comparison.names == ["city, likeness", "age, distance", "age, distance in spreads"]
        members = csr_array(np.array([[1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 0, 1]], dtype=np.float32))
        groups = comparison.groups(members)
        assert_allclose(groups.means[:, 0], [25, 45, np.nan])
        of_all = np.var([20, 30, 60])
        spreads = np.sqrt([(2 * 25 + 2 * of_all) / 4, (2 * 225 + 2 * of_all) / 4, of_all])
        assert_allclose(groups.spreads[:, 0], spreads)
        rows, of = np.array([0, 2, 3, 0]), np.array([1, 0, 1, 2])
        found = comparison.columns(comparison.own, groups, rows, of)
        assert_allclose(found[:, 0], [1 / 3, 1 / 2, 1 / 3, 1], rtol=1e-6)
        assert_allclose(found[:, 1], [25, 35, np.nan, np.nan])
        assert_allclose(found[:2, 2], [25 / spreads[1], 35 / spreads[0]], rtol=1e-6)

    def test_nothing_to_compare(self) -> None:
        assert GroupComparison.of(None) is None
        assert GroupComparison.of(pa.table({"same": ["x", "x"]})) is None


class TestGains:
    LISTS = Examples(
        np.zeros((6, 1), dtype=np.float32),
        np.array([False, True, False, True, False, False]),
        np.array([3, 3]),
    )

    def test_discounted_by_the_rank_with_mid_ranks(self) -> None:
        scores = np.array([3.0, 2.0, 1.0, 5.0, 5.0, 4.0])
        assert_allclose(gains(self.LISTS, scores), [1 / np.log2(3), 1 / np.log2(2.5)])

    def test_an_item_that_is_not_there_gains_nothing(self) -> None:
        lists = Examples(np.zeros((30, 1), np.float32), np.arange(30) == 29, np.array([30]))
        assert gains(lists, -np.arange(30.0)).tolist() == [0]  # rank 30 is below the cutoff


def test_columns_of_some_stages() -> None:
    assert Columns.of(3).of_stages([0, 2]).tolist() == [0, 1, 2, 6, 7, 8, 9, 10, 11, 12, 13, 14]


def test_lists_whose_chosen_item_is_not_kept_are_left_out() -> None:
    rows = np.arange(6, dtype=np.float32)[:, np.newaxis]
    found = TestGains.LISTS.only(np.array([True, False, True, True, True, False]), rows)
    assert found.rows.ravel().tolist() == [3, 4]
    assert found.chosen.tolist() == [True, False]
    assert found.lists.tolist() == [2]


class TestChoosingStages:
    @staticmethod
    def fold(*stages: str) -> Round:
        [held_out] = splits(bands(), 1, 0)
        return held_out.fitted([model_class(stage)() for stage in stages])

    @pytest.mark.parametrize("ranker", ["linear", "trees"])
    def test_a_stage_of_noise_adds_nothing_to_a_good_one(self, ranker: Any) -> None:
        fold = self.fold("ItemCosine", "Popularity")
        config = CascadeConfig(
            candidates=30, ranker=ranker, trees=60, leaves=4, least=20, learning_rate=0.05
        )
        choice = choose_stages(fold, RankerInputs.of(fold.train).rows, config)
        assert 0 in choice.chosen
        assert choice.alone[0] > 1.5 * choice.alone[1] > 0

    def test_the_lists_of_some_stages(self) -> None:
        fold = self.fold("ItemCosine", "UserCosine")
        config = CascadeConfig(candidates=5, negatives=1000)
        both, one = (
            examples(part, RankerInputs.of(part.train).rows, config, top=True)
            for part in (fold, fold._replace(stages=fold.stages[1:]))
        )
        found = only_stages(both, [1], 5)
        for part in ("sampled", "top"):
            assert len(getattr(one, part).rows) < len(getattr(both, part).rows)
            for array, expected in zip(getattr(found, part), getattr(one, part), strict=True):
                assert_array_equal(array, expected)
        assert_array_equal(found.hits, one.hits)


def test_chunks_divide_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortlist.models.cascade.examples.CHUNK", 5)
    users = np.arange(5, 28, dtype=np.int32)
    found = list(chunks(users, 0))
    assert [half for half, _ in found] == [0, 1, 0, 1, 0, 1]
    assert [len(part) for _, part in found] == [5, 5, 5, 5, 1, 2]
    assert sorted(user for _, part in found for user in part) == users.tolist()
    assert all((np.diff(part) > 0).all() for _, part in found)


class TestChoosingARanker:
    OPTIONS: ClassVar[Any] = {"linear": (Columns.of(2), None), "trees": (Columns.of(2), TREES)}

    def parts(self, second: str) -> tuple[list[Examples], list[Examples]]:
        """Lists of 20; the first stage knows the chosen item well, the second is as named."""
        halves = []
        for seed in (0, 1, 2, 3):
            rng = np.random.default_rng(seed)
            chosen = np.zeros((200, 20), dtype=bool)
            chosen[np.arange(200), rng.integers(0, 20, 200)] = True
            levels = chosen + 0.5 * rng.standard_normal((2, 200, 20))
            if second == "reversed":
                levels[1] = -levels[0]
            rows = np.zeros((200, 20, 8), dtype=np.float32)
            rows[:, :, 1], rows[:, :, 4] = levels
            halves.append(Examples(rows.reshape(-1, 8), chosen.ravel(), np.full(200, 20)))
        return halves[:2], halves[2:]

    def test_a_stage_that_is_best_alone_keeps_its_order(self) -> None:
        examples, lists = self.parts("reversed")
        options = {"linear": self.OPTIONS["linear"]}
        choice = choose_ranker(examples, lists, 400, ["good", "bad"], options)
        assert choice.name == "good alone"
        assert choice.values["good alone"] > 2 * choice.values["bad alone"]

    def test_two_independent_stages_are_better_together(self) -> None:
        examples, lists = self.parts("independent")
        choice = choose_ranker(examples, lists, 400, ["one", "other"], self.OPTIONS)
        assert choice.name in ("linear", "trees")
        assert choice.values["linear"] > 1.1 * choice.values["one alone"]

    def test_the_orders_of_stages_can_be_left_out(self) -> None:
        examples, lists = self.parts("reversed")
        assert choose_ranker(examples, lists, 400, [], self.OPTIONS).name in self.OPTIONS


@cache
def bands() -> Dataset:
    """600 people choose two common items, and one of ten by age: scores know the kind only."""
    rng = np.random.default_rng(0)
    kind, band = rng.integers(0, 3, 600), rng.integers(0, 10, 600)
    chosen = np.zeros((600, 36), dtype=bool)
    for item in (kind, 3 + kind, 6 + 10 * kind + band):
        chosen[np.arange(600), item] = True
    log = of_matrix(chosen).to_arrow()
    people = pa.table({"user_id": np.arange(600), "age": 20.0 + 4 * band + rng.random(600)})
    return Dataset.from_tables(log, users=people)


def timed(n_users: int, n_choices: int, times: Any) -> Dataset:
    """Everybody chooses the same items, in the order of their numbers."""
    users, items = np.repeat(np.arange(n_users), n_choices), np.tile(np.arange(n_choices), n_users)
    return Dataset.from_tables(
        pa.table({"user_id": users, "item_id": items, "at": times}), time="at"
    )


class TestFeaturesDecide:
    def test_between_items_that_scores_cannot_tell_apart(self) -> None:
        train, test = split.leave_last_out(bands(), order="random", seed=3)
        model = Cascade(stages=["ItemCosine"], least=20, trees=60, rounds=3).fit(train)
        alone = evaluate(model.learned.stages[0], train, test, k=5)["ndcg@5"]
        assert evaluate(model, train, test, k=5)["ndcg@5"] > alone + 0.08
        first = model.history.to_pylist()[0]
        assert first["ndcg: trees with features"] > first["ndcg: trees"] + 0.03
        assert len(model.learned.weights) > Columns.of(1).width

    @pytest.mark.slow
    def test_features_that_tell_nothing_are_left_out(self) -> None:
        data = bands()
        people = pa.table({"user_id": np.arange(600), "age": np.random.default_rng(1).random(600)})
        noise = Dataset.from_tables(data.to_arrow(), users=people)
        model = Cascade(stages=["ItemCosine"], least=20, trees=60, rounds=3).fit(noise)
        assert len(model.learned.weights) == Columns.of(1).width


class TestDefault:
    def test_the_pool_is_what_can_be_fitted(self) -> None:
        plain = [spec.model for spec in pool(bands())]
        assert {"UserCosine", "ItemCosine", "IALS", "Hybrid", "EASE"} <= set(plain)
        assert "ContentBased" not in plain
        assert "ContentBased" in [spec.model for spec in pool(small_world().data)]

    def test_unobserved_items_weigh_less_for_the_second_ials(self) -> None:
        data = bands()
        first, second = [spec.config for spec in pool(data) if spec.model == "IALS"]
        mean_history = data.n_interactions / np.count_nonzero(data.user_counts)
        zeros = second["unobserved_weight"] * data.n_items / mean_history
        assert zeros == pytest.approx(3.3, rel=0.05)
        assert first["unobserved_weight"] == "auto"  # 20, in the same measure

    def test_a_model_of_sequences_where_times_order_the_choices(self) -> None:
        """SASRec passes over two million positions in all epochs, and at most 200 times."""
        for n_users, n_choices, expected in ((100, 3, 200), (3000, 11, 66), (2500, 60, 16)):
            data = timed(n_users, n_choices, np.arange(n_users * n_choices))
            [found] = [spec.config for spec in pool(data) if spec.model == "SASRec"]
            assert found["epochs"] == expected
            assert found["negatives"] == 1024  # with the whole catalogue it takes minutes longer
        one_sitting = timed(100, 3, np.repeat(np.arange(100), 3))
        single = timed(100, 1, np.arange(100))
        for data in (bands(), one_sitting, single):
            assert "SASRec" not in [spec.model for spec in pool(data)]

    def test_too_many_sequences_are_left_out_with_a_word(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        data = timed(25_001, 11, np.arange(25_001 * 11))
        with caplog.at_level("INFO", logger="shortlist.cascade"):
            assert "SASRec" not in [spec.model for spec in pool(data)]
        [message] = caplog.messages
        assert "SASRec is left out" in message
        assert "250,010 positions in histories, and 250,000 are" in message
        assert "name it in stages to have it" in message

    def test_what_does_not_fit_is_left_out_with_a_word(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = bands()
        monkeypatch.setattr(cascade_pool, "available_memory", lambda: None)  # unknown
        whole = pool(data)
        needed = sum(spec.make().memory_to_fit(data) for spec in whole)
        monkeypatch.setattr(cascade_pool, "available_memory", lambda: needed)
        assert pool(data) == whole
        monkeypatch.setattr(cascade_pool, "available_memory", lambda: needed - 1)
        assert pool(data) == whole[:-1]
        caplog.clear()
        monkeypatch.setattr(cascade_pool, "available_memory", lambda: 0)
        with caplog.at_level("WARNING", logger="shortlist.cascade"):
            [left] = pool(data)  # the smallest; it is refused later if it does not fit
        assert left.model == "UserCosine"
        named = [message.split(" ")[0] for message in caplog.messages]
        assert named == [spec.model for spec in whole[1:]]
        assert "left out of the stages to choose from: it needs 0." in caplog.messages[0]
        assert "name it in stages to have it" in caplog.messages[0]

    def test_what_cannot_be_fitted_is_left_out_with_a_word(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cosine = model_class("ItemCosine")

        def fail(self: Any, data: Dataset) -> Any:
            raise NumericalError("ItemCosine could not be fitted: it overflows")

        monkeypatch.setattr(cosine, "learn", fail)
        with caplog.at_level("WARNING", logger="shortlist.cascade"):
            model = Cascade(rounds=1, least=20, trees=20).fit(bands())
        assert "ItemCosine" not in [stage.name for stage in model.learned.stages]
        assert [message for message in caplog.messages if "ItemCosine" in message] == [
            "ItemCosine is left out of the stages to choose from: "
            "ItemCosine could not be fitted: it overflows"
        ]

    @pytest.mark.slow
    def test_order_that_says_what_comes_next_is_used(self) -> None:
        """Everybody goes round a circle of 40 items, in one of two directions."""
        rng = np.random.default_rng(0)
        start, step = rng.integers(40, size=(300, 1)), rng.choice([-1, 1], size=(300, 1))
        items = (start + step * np.arange(7)) % 40
        log = {"user_id": np.repeat(np.arange(300), 7), "item_id": items.ravel(),
               "at": np.tile(np.arange(7), 300)}  # fmt: skip
        data = Dataset.from_tables(pa.table(log), time="at")
        train, test = split.leave_last_out(data, order="time")
        model = Cascade(rounds=1, least=20, trees=20).fit(train)
        assert "SASRec" in [stage.name for stage in model.learned.stages]
        assert evaluate(model, train, test, k=1)["hit_rate@1"] > 0.9
        assert (
            evaluate(model_class("ItemCosine")().fit(train), train, test, k=1)["hit_rate@1"] < 0.7
        )

    def test_it_validates_at_least_as_well_as_any_stage(self, tmp_path: Any) -> None:
        model = Cascade(rounds=1, least=20, trees=20).fit(bands())
        values = {
            name.removeprefix("ndcg: "): value
            for name, value in model.history.to_pylist()[0].items()
            if name.startswith("ndcg: ")
        }
        names = stage_names(pool(bands()))
        assert {f"{name} alone" for name in names} <= set(values)
        width = Columns.of(len(model.learned.stages)).width
        order = "trees with features" if len(model.learned.weights) > width else "trees"
        if not len(model.learned.trees):
            order = "linear"
        assert values[order] == max(values.values())
        chosen = {stage.name for stage in model.learned.stages}
        assert chosen <= {spec.model for spec in pool(bands())}
        again = load(model.save(tmp_path / "bundle"))
        assert again.recommend(k=5).table.equals(model.recommend(k=5).table)

    def test_a_bundle_with_a_cascade_as_a_stage_is_refused(self, tmp_path: Any) -> None:
        model = Cascade(stages=["ItemCosine"], ranker="linear", rounds=1).fit(bands())
        folder = model.save(tmp_path / "bundle")
        text = (folder / "manifest.json").read_text()
        (folder / "manifest.json").write_text(text.replace('"ItemCosine"', '"Popularity"'))
        with pytest.raises(BundleError):
            load(folder)

    def test_nothing_can_be_held_out(self) -> None:
        data = of_matrix(np.eye(4, dtype=bool))
        model = Cascade().fit(data)
        assert model.history.num_rows == 0
        assert_array_equal(model.learned.weights[Columns.of(len(model.learned.stages)).levels], 1)
        assert model_class("Cascade")().config.stages is None
        names = [stage.name for stage in model.learned.stages]
        assert [stage["model"] for stage in model.chosen["stages"]] == names
        assert (model.chosen["ranker"], model.chosen["features"]) == ("linear", False)
