"""Every list: its columns, its order, who is in it, and how long it is."""

from __future__ import annotations

import datetime as dt
from itertools import groupby

import numpy as np
import pyarrow as pa
import pytest

from shortlist.errors import CapabilityError
from shortlist.recommend.query import Query
from shortlist.scoring.capabilities import ComparesItems
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, FactorScores, SparseScores
from shortlist.scoring.selection import dense
from shortlist.testing.reference import best_items, best_users, like_items, rows_of
from shortlist.testing.subject import Subject, lists_of
from shortlist.testing.worlds import Ids, checkerboard, small_world


class ListsContract(Subject):
    """What a list looks like, and that it holds the best of what may be in it."""

    def test_scores_are_what_the_kernels_take(self) -> None:
        model = self.fitted()
        history = model.data.matrix[[0, 3, 4]]
        scores = model.score(Profiles.new(history))
        match scores:
            case FactorScores(queries, items):
                arrays = [queries, items.columns, items.offsets]
            case SparseScores(profiles, matrix):
                assert profiles.shape == (3, matrix.shape[0])
                arrays = [profiles.data, matrix.data]
            case DenseScores(block):
                arrays = [block]
        for array in arrays:
            assert array.dtype == np.float32
            assert array.flags.c_contiguous
        assert dense(scores).shape == (3, model.data.n_items)

    @pytest.mark.parametrize("ids", ["text", "large"])
    def test_columns_and_types(self, ids: Ids) -> None:
        model = self.learn(small_world(ids))
        kind = pa.string() if ids == "text" else pa.int64()
        first = {
            "recommend": ("user_id", kind, "item_id"),
            "queries": ("query", pa.int64(), "item_id"),
            "similar": ("query_item_id", kind, "item_id"),
            "audience": ("item_id", kind, "user_id"),
        }
        for name, table in lists_of(model).items():
            who, who_kind, listed = first[name]
            fields = [(who, who_kind), (listed, kind), ("rank", pa.int32())]
            fields += [("score", pa.float32()), ("source", pa.string())]
            assert table.schema == pa.schema(fields), name

    def test_large_ids_are_kept_exactly(self) -> None:
        text, large = self.fitted(), self.learn(small_world("large"))
        place = {
            exact: int(short[1:])
            for exact, short in zip(
                large.data.items.ids.to_pylist(), text.data.items.ids.to_pylist(), strict=True
            )
        }
        assert set(place) == {2**62 + n for n in range(30)}
        listed = [place[item] for item in large.recommend(k=5).column("item_id")]
        assert listed == [int(item[1:]) for item in text.recommend(k=5).column("item_id")]

    def test_ranks_run_from_one_and_scores_never_rise(self) -> None:
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
        found = model.recommend(k=6, exclude_seen=exclude_seen)
        assert rows_of(found.table) == best_items(model, 6, exclude_seen=exclude_seen)

    def test_nothing_seen_is_listed(self) -> None:
        model = self.fitted()
        log = model.data.to_arrow()
        seen = set(zip(log["user_id"].to_pylist(), log["item_id"].to_pylist(), strict=True))
        recommended = model.recommend(k=99)
        pairs = zip(recommended.column("user_id"), recommended.column("item_id"), strict=True)
        assert not seen & set(pairs)
        everything = model.recommend(k=99, exclude_seen=False)
        assert len(everything) == model.data.n_users * model.data.n_items

    def test_a_list_longer_than_the_catalogue_holds_all_that_is_unseen(self) -> None:
        model = self.fitted()
        lengths = np.bincount(model.data.users.rows(model.recommend(k=10**9).column("user_id")))
        assert lengths.tolist() == (model.data.n_items - model.data.user_counts).tolist()

    def test_exactly_k_eligible_items_come_back(self) -> None:
        model, items = self.fitted(), small_world().items.to_pylist()
        moment = dt.datetime(2024, 1, 12)
        may = np.array(
            [
                item["item_id"] >= "i02"  # not denied
                and item["taste"] == "even"  # where
                and not (item["valid_from"] and moment < item["valid_from"])
                and not (item["valid_to"] and item["valid_to"] <= moment)
                for item in items
            ]
        )
        for k in (1, 2, may.sum(), may.sum() + 1):
            found = model.recommend(
                k=int(k),
                allow=[f"i{n:02}" for n in range(30)],
                deny=["i00", "i01"],
                where="taste = even",
                as_of=moment,
            )
            assert rows_of(found.table) == best_items(model, int(k), eligible=may)
            unseen = (model.data.matrix.toarray() == 0) & may
            unseen[model.data.user_rows, model.data.item_rows] = False
            lengths = np.bincount(model.data.users.rows(found.column("user_id")), minlength=40)
            assert lengths.tolist() == np.minimum(unseen.sum(axis=1), k).tolist()

    def test_an_allow_list_of_seen_items_gives_an_empty_list(self) -> None:
        model = self.fitted()
        log = small_world().interactions.slice(0, 1).to_pylist()[0]
        found = model.recommend([log["user_id"]], allow=[log["item_id"]])
        assert len(found) == 0
        assert found.table.schema == model.recommend(k=1).table.schema

    def test_the_checkerboard_has_its_right_answer(self) -> None:
        if not self.kind().needs_history:
            pytest.skip("not a model of individual tastes")
        world = checkerboard()
        best = self.learn(world).recommend(k=1)
        answers = dict(zip(best.column("user_id"), best.column("item_id"), strict=True))
        assert answers == world.answers

    def test_a_history_on_the_checkerboard_gets_its_own_taste(self) -> None:
        if not self.kind().needs_history:
            pytest.skip("not a model of individual tastes")
        model = self.learn(checkerboard())
        found = model.recommend(queries=[Query(history=["i01", "i07"])], k=4)
        assert set(found.column("item_id")) == {"i03", "i05", "i09", "i11"}

    def test_similar_items_or_a_plain_refusal(self) -> None:
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
        found = model.audience(items, k=8, exclude_seen=exclude_seen)
        assert rows_of(found.table) == best_users(model, items, 8, exclude_seen=exclude_seen)
