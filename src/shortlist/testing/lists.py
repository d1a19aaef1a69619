"""Contract tests of lists: their columns, order and contents, and how requests are resolved."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import replace
from itertools import groupby

import numpy as np
import pyarrow as pa
import pytest

from shortlist.data.dataset import Dataset
from shortlist.errors import CapabilityError, UnknownIdError
from shortlist.recommend.query import Query
from shortlist.scoring.capabilities import ComparesItems
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, FactorScores, SparseScores
from shortlist.scoring.selection import dense
from shortlist.testing.subject import (
    ModelUnderTest,
    assert_same_lists,
    best_items,
    best_users,
    like_items,
    lists_of,
    rows_of,
)
from shortlist.testing.worlds import Ids, checkerboard, small_world, tiny

ANSWER = ["item_id", "rank", "score"]


class ListsContract(ModelUnderTest):
    """Lists have the right columns and order, and hold the best of the eligible items."""

    def test_scores_are_what_the_kernels_take(self) -> None:
        model = self.fitted()
        history = model.data.matrix[[0, 3, 4]]
        scores = model.score(Profiles.new(history))
        match scores:
            case FactorScores(queries, items):
                arrays = [queries, items.columns]
            case SparseScores(profiles, matrix):
                assert profiles.shape == (3, matrix.shape[0])
                assert matrix.indices.dtype == np.int32  # or each call would copy them
                arrays = [profiles.data, matrix.data]
            case DenseScores(block):
                assert model.dense_scores  # or blocks of queries would take too much memory
                arrays = [block]
        for array in arrays:
            assert array.dtype == np.float32
            assert array.flags.c_contiguous
        assert dense(scores).shape == (3, model.data.n_items)

    @pytest.mark.parametrize("ids", ["text", "large"])
    def test_columns_and_types(self, ids: Ids) -> None:
        model = self.fitted(ids)
        kind = pa.string() if ids == "text" else pa.int64()
        expected = {
            "recommend": ("user_id", kind, "item_id"),
            "queries": ("query", pa.int64(), "item_id"),
            "similar": ("query_item_id", kind, "item_id"),
            "audience": ("item_id", kind, "user_id"),
        }
        for name, table in lists_of(model).items():
            query, query_kind, listed = expected[name]
            fields = [(query, query_kind), (listed, kind), ("rank", pa.int32())]
            fields += [("score", pa.float32()), ("source", pa.string())]
            assert table.schema == pa.schema(fields), name

    def test_large_ids_are_kept_exactly(self) -> None:
        text, large = self.fitted(), self.fitted("large")
        number_of = {
            exact: int(short[1:])
            for exact, short in zip(
                large.data.items.ids.to_pylist(), text.data.items.ids.to_pylist(), strict=True
            )
        }
        assert set(number_of) == {2**62 + n for n in range(30)}
        listed = [number_of[item] for item in large.recommend(k=5).column("item_id")]
        assert listed == [int(item[1:]) for item in text.recommend(k=5).column("item_id")]

    def test_ranks_start_at_one_and_scores_never_increase(self) -> None:
        for table in lists_of(self.fitted()).values():
            for _, entries in groupby(rows_of(table), key=lambda row: row[0]):
                _, listed, ranks, scores = zip(*entries, strict=True)
                assert list(ranks) == list(range(1, len(ranks) + 1))
                assert all(np.isfinite(scores))
                assert list(scores) == sorted(scores, reverse=True)
                assert len(set(listed)) == len(listed)

    @pytest.mark.parametrize("exclude_seen", [True, False])
    def test_lists_are_the_best_of_all_scores(self, exclude_seen: bool) -> None:
        model = self.fitted()
        result = model.recommend(k=6, exclude_seen=exclude_seen)
        assert rows_of(result.table) == best_items(model, 6, exclude_seen=exclude_seen)

    def test_seen_items_are_not_listed(self) -> None:
        model = self.fitted()
        log = model.data.to_arrow()
        seen = set(zip(log["user_id"].to_pylist(), log["item_id"].to_pylist(), strict=True))
        recommended = model.recommend(k=99)
        pairs = zip(recommended.column("user_id"), recommended.column("item_id"), strict=True)
        assert not seen & set(pairs)
        everything = model.recommend(k=99, exclude_seen=False)
        assert len(everything) == model.data.n_users * model.data.n_items

    def test_a_list_longer_than_the_catalogue_holds_all_unseen_items(self) -> None:
        model = self.fitted()
        lengths = np.bincount(model.data.users.rows(model.recommend(k=10**9).column("user_id")))
        assert lengths.tolist() == (model.data.n_items - model.data.user_counts).tolist()

    def test_a_list_holds_exactly_k_eligible_items(self) -> None:
        model, items = self.fitted(), small_world().items.to_pylist()
        moment = dt.datetime(2024, 1, 12)
        eligible = np.array(
            [
                item["item_id"] >= "i02"  # not denied
                and item["taste"] == "even"  # where
                and not (item["valid_from"] and moment < item["valid_from"])
                and not (item["valid_to"] and item["valid_to"] <= moment)
                for item in items
            ]
        )
        for k in (1, 2, eligible.sum(), eligible.sum() + 1):
            result = model.recommend(
                k=int(k),
                allow=[f"i{n:02}" for n in range(30)],
                deny=["i00", "i01"],
                where="taste = even",
                as_of=moment,
            )
            assert rows_of(result.table) == best_items(model, int(k), eligible=eligible)
            unseen = (model.data.matrix.toarray() == 0) & eligible
            unseen[model.data.user_rows, model.data.item_rows] = False
            rows = model.data.users.rows(result.column("user_id"))
            lengths = np.bincount(rows, minlength=40)
            assert lengths.tolist() == np.minimum(unseen.sum(axis=1), k).tolist()

    def test_varied_lists_keep_rules_and_length(self) -> None:
        model = self.fitted()
        rules = {"where": "taste = even", "deny": ["i00"]}
        plain = rows_of(model.recommend(k=99, **rules).table)  # type: ignore[arg-type]
        varied = rows_of(model.recommend(k=4, diversity=0.5, **rules).table)  # type: ignore[arg-type]
        assert {entry[:2] for entry in varied} <= {entry[:2] for entry in plain}
        eligible, listed = (Counter(entry[0] for entry in rows) for rows in (plain, varied))
        assert listed == {query: min(count, 4) for query, count in eligible.items()}
        assert len({entry[:2] for entry in varied}) == len(varied)
        again = model.recommend(k=4, diversity=0.5, **rules).table  # type: ignore[arg-type]
        assert rows_of(again) == varied

    def test_an_allow_list_of_seen_items_gives_an_empty_list(self) -> None:
        model = self.fitted()
        [seen] = small_world().interactions.slice(0, 1).to_pylist()
        result = model.recommend([seen["user_id"]], allow=[seen["item_id"]])
        assert len(result) == 0
        assert result.table.schema == model.recommend(k=1).table.schema

    def test_the_checkerboard_has_its_right_answer(self) -> None:
        if not self.kind().needs_history:
            pytest.skip("the model does not use histories")
        world = checkerboard()
        best = self.learn(world).recommend(k=1)
        answers = dict(zip(best.column("user_id"), best.column("item_id"), strict=True))
        assert answers == world.answers

    def test_a_history_on_the_checkerboard_gets_its_own_taste(self) -> None:
        if not self.kind().needs_history:
            pytest.skip("the model does not use histories")
        model = self.learn(checkerboard())
        result = model.recommend(queries=[Query(history=["i01", "i07"])], k=4)
        assert set(result.column("item_id")) == {"i03", "i05", "i09", "i11"}

    def test_similar_items_or_an_error(self) -> None:
        model, items = self.fitted(), ["i03", "i00", "i28"]
        if isinstance(model, ComparesItems):
            assert rows_of(model.similar(items, k=5).table) == like_items(model, items, 5)
            allowed = model.similar(["i03"], k=9, allow=["i03", "i04", "i05", "i06"], deny=["i05"])
            assert set(allowed.column("item_id")) == {"i04", "i06"}
        else:
            with pytest.raises(CapabilityError, match=f"{model.name} cannot compare items"):
                model.similar(items)

    @pytest.mark.parametrize("exclude_seen", [True, False])
    def test_the_audience_is_the_best_of_all_users(self, exclude_seen: bool) -> None:
        model, items = self.fitted(), ["i03", "i00", "i28"]
        result = model.audience(items, k=8, exclude_seen=exclude_seen)
        assert rows_of(result.table) == best_users(model, items, 8, exclude_seen=exclude_seen)


class RequestsContract(ModelUnderTest):
    """Users and queries are resolved: known, unknown, empty and repeated; data of a single row."""

    def test_a_known_user_and_a_query_with_that_user_get_the_same_list(self) -> None:
        model = self.fitted()
        as_user = model.recommend(["u03"], k=9).table.select([*ANSWER, "source"])
        as_query = model.recommend(queries=[Query(user="u03")], k=9).table
        assert as_query.select([*ANSWER, "source"]).equals(as_user)

    def test_a_history_gets_the_list_of_the_user_who_has_it(self) -> None:
        if not self.user_is_history:
            pytest.skip("the model treats known users differently")
        model = self.fitted()
        log = model.data.to_arrow().sort_by("time").to_pylist()  # histories are ordered
        for user in ("u00", "u03", "u39"):
            history = {row["item_id"]: row["weight"] for row in log if row["user_id"] == user}
            as_user = model.recommend([user], k=9).table.select(ANSWER)
            as_query = model.recommend(queries=[Query(history=history)], k=9).table
            assert as_query.select(ANSWER).equals(as_user)

    def test_a_query_with_user_and_history_adds_the_history_to_that_of_the_user(self) -> None:
        model = self.fitted()
        log = small_world().interactions.to_pylist()
        seen = {row["item_id"] for row in log if row["user_id"] == "u03"}
        new = ["i28", "i11"]  # without interactions
        result = model.recommend(queries=[Query(user="u03", history=new)], k=99)
        unseen = set(model.data.items.ids.to_pylist()) - seen - set(new)
        assert set(result.column("item_id")) == unseen
        assert set(result.column("source")) == {model.name}

    def test_unknown_users(self) -> None:
        model = self.fitted()
        with pytest.raises(UnknownIdError) as error:
            model.recommend(["u03", "nobody"], k=2)
        assert str(error.value) == (
            "1 unknown user id: 'nobody' (40 users are known, 'u00' to 'u39')\n"
            "  to do: check the spelling, or pass on_unknown='skip' or 'fallback'"
        )
        skipped = model.recommend(["nobody", "u03"], k=2, on_unknown="skip")
        assert skipped.column("user_id") == ["u03", "u03"]
        listed = model.recommend(["nobody", "u03"], k=2, on_unknown="fallback")
        assert listed.column("user_id") == ["nobody", "nobody", "u03", "u03"]
        assert listed.column("source")[2:] == [model.name, model.name]
        if self.falls_back():
            assert listed.column("item_id")[:2] == popular(model.data)[:2]
            assert listed.column("source")[:2] == ["popularity", "popularity"]

    def test_unknown_items_in_a_history(self) -> None:
        model = self.fitted()
        partly_known, unknown = Query(history=["i03", "nothing"]), Query(history=["nothing"])
        with pytest.raises(UnknownIdError, match="1 unknown item id: 'nothing'"):
            model.recommend(queries=[partly_known])
        known = model.recommend(queries=[Query(history=["i03"])], k=4).table.select(ANSWER)
        skipped = model.recommend(queries=[unknown, partly_known], k=4, on_unknown="skip")
        assert skipped.column("query") == [1, 1, 1, 1]
        assert skipped.table.select(ANSWER).equals(known)
        listed = model.recommend(queries=[unknown, partly_known], k=4, on_unknown="fallback")
        assert listed.column("query") == [0, 0, 0, 0, 1, 1, 1, 1]
        assert listed.table.slice(4).select(ANSWER).combine_chunks().equals(known)

    def test_users_without_history_and_features_get_popular_items(self) -> None:
        model = self.fitted()
        unknown = [Query(history=["nothing"])]
        without_interactions = model.recommend(["u05"], k=6)
        if model.uses_features:
            assert without_interactions.column("source") == [model.name] * 6
            without_interactions = model.recommend(queries=[Query(features={})], k=6)
        for result in (
            without_interactions,
            model.recommend(queries=[Query(history=[])], k=6),
            model.recommend(queries=unknown, k=6, on_unknown="fallback"),
        ):
            assert len(result) == 6
            if self.falls_back():
                assert result.column("item_id") == popular(model.data)[:6]
                assert result.column("source") == ["popularity"] * 6
                assert result.column("score") == sorted(model.data.item_counts, reverse=True)[:6]
            else:
                assert result.column("source") == [model.name] * 6

    def test_repeated_users_get_one_list_and_repeated_queries_one_each(self) -> None:
        model = self.fitted()
        twice = model.recommend(["u03", "u01", "u03"], k=2)
        assert twice.column("user_id") == ["u03", "u03", "u01", "u01"]
        query = Query(user="u03")
        assert model.recommend(queries=[query, query], k=2).column("query") == [0, 0, 1, 1]

    def test_empty_requests_give_an_empty_result(self) -> None:
        model = self.fitted()
        for result in (model.recommend([]), model.recommend(queries=[]), model.audience([])):
            assert len(result) == 0
            assert result.table.schema.field("score").type == pa.float32()

    def test_repeated_pairs_count_once(self) -> None:
        world = small_world()
        twice = replace(world, interactions=pa.concat_tables([world.interactions] * 2))
        assert len(twice.data) == len(world.data)
        assert_same_lists(self.learn(twice), self.fitted())

    def test_one_interaction(self) -> None:
        model = self.fresh().fit(few(("ann", "tea")))
        assert len(model.recommend(k=3)) == 0
        assert model.recommend(["ann"], exclude_seen=False).column("item_id") == ["tea"]

    def test_one_user(self) -> None:
        model = self.fresh().fit(few(("ann", "tea"), ("ann", "rye"), ("ann", "gin")))
        assert len(model.recommend(k=3)) == 0
        new_user = model.recommend(queries=[Query(history=["tea"])], k=3)
        assert sorted(new_user.column("item_id")) == ["gin", "rye"]

    def test_one_item(self) -> None:
        model = self.fresh().fit(few(("ann", "tea"), ("bob", "tea")))
        assert len(model.recommend(k=3)) == 0
        audience = model.audience(["tea"], exclude_seen=False).column("user_id")
        # The histories are equal, but what a model learns about each user may differ.
        assert (audience if self.user_is_history else sorted(audience)) == ["ann", "bob"]


def few(*pairs: tuple[str, str]) -> Dataset:
    """Make a data set of a few pairs, with times and features for models that use them."""
    users, items = (sorted(set(ids)) for ids in zip(*pairs, strict=True))
    return replace(
        tiny(*pairs),
        times=np.arange(len(pairs)),
        user_features=pa.table({"city": ["Seoul" for _ in users]}),
        item_features=pa.table({"tags": [["drink", item] for item in items]}),
    )


def popular(data: Dataset) -> list[object]:
    """Return the item ids, most popular first, ties by id."""
    ids = data.items.ids.to_pylist()
    return [ids[row] for row in sorted(range(len(ids)), key=lambda row: -data.item_counts[row])]
