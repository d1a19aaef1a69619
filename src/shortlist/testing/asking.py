"""Who a list is asked for: known, unknown, empty, repeated, and worlds of one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from shortlist.data.dataset import Dataset
from shortlist.errors import UnknownIdError
from shortlist.recommend.query import Query
from shortlist.testing.subject import Subject, assert_same_lists
from shortlist.testing.worlds import small_world, tiny

ANSWER = ["item_id", "rank", "score"]


class AskingContract(Subject):
    """How users and queries are resolved."""

    def test_a_known_user_as_a_query(self) -> None:
        model = self.fitted()
        as_user = model.recommend(["u03"], k=9).table.select([*ANSWER, "source"])
        as_query = model.recommend(queries=[Query(user="u03")], k=9).table
        assert as_query.select([*ANSWER, "source"]).equals(as_user)

    def test_a_history_gets_the_list_of_the_user_who_has_it(self) -> None:
        if not self.user_is_history:
            pytest.skip("the model treats known users otherwise")
        model = self.fitted()
        log = model.data.to_arrow().sort_by("time").to_pylist()  # the order of a history counts
        for user in ("u00", "u03", "u39"):
            history = {row["item_id"]: row["weight"] for row in log if row["user_id"] == user}
            as_user = model.recommend([user], k=9).table.select(ANSWER)
            as_query = model.recommend(queries=[Query(history=history)], k=9).table
            assert as_query.select(ANSWER).equals(as_user)

    def test_a_mix_adds_the_history_to_that_of_the_user(self) -> None:
        model = self.fitted()
        own = small_world().interactions.to_pylist()
        seen = {row["item_id"] for row in own if row["user_id"] == "u03"}
        new = ["i28", "i11"]  # nobody's
        found = model.recommend(queries=[Query(user="u03", history=new)], k=99)
        unseen = set(model.data.items.ids.to_pylist()) - seen - set(new)
        assert set(found.column("item_id")) == unseen
        assert set(found.column("source")) == {model.name}

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
        partly, wholly = Query(history=["i03", "nothing"]), Query(history=["nothing"])
        with pytest.raises(UnknownIdError, match="1 unknown item id: 'nothing'"):
            model.recommend(queries=[partly])
        known = model.recommend(queries=[Query(history=["i03"])], k=4).table.select(ANSWER)
        skipped = model.recommend(queries=[wholly, partly], k=4, on_unknown="skip")
        assert skipped.column("query") == [1, 1, 1, 1]
        assert skipped.table.select(ANSWER).equals(known)
        listed = model.recommend(queries=[wholly, partly], k=4, on_unknown="fallback")
        assert listed.column("query") == [0, 0, 0, 0, 1, 1, 1, 1]
        assert listed.table.slice(4).select(ANSWER).combine_chunks().equals(known)

    def test_somebody_of_whom_nothing_is_known(self) -> None:
        model = self.fitted()
        unknown = [Query(history=["nothing"])]
        without_interactions = model.recommend(["u05"], k=6)
        if model.uses_features:
            assert without_interactions.column("source") == [model.name] * 6
            without_interactions = model.recommend(queries=[Query(features={})], k=6)
        for found in (
            without_interactions,
            model.recommend(queries=[Query(history=[])], k=6),
            model.recommend(queries=unknown, k=6, on_unknown="fallback"),
        ):
            assert len(found) == 6
            if self.falls_back():
                assert found.column("item_id") == popular(model.data)[:6]
                assert found.column("source") == ["popularity"] * 6
                assert found.column("score") == sorted(model.data.item_counts, reverse=True)[:6]
            else:
                assert found.column("source") == [model.name] * 6

    def test_users_asked_for_twice_get_one_list_and_queries_one_each(self) -> None:
        model = self.fitted()
        twice = model.recommend(["u03", "u01", "u03"], k=2)
        assert twice.column("user_id") == ["u03", "u03", "u01", "u01"]
        query = Query(user="u03")
        assert model.recommend(queries=[query, query], k=2).column("query") == [0, 0, 1, 1]

    def test_nobody_asked_for_gives_an_empty_result(self) -> None:
        model = self.fitted()
        for found in (model.recommend([]), model.recommend(queries=[]), model.audience([])):
            assert len(found) == 0
            assert found.table.schema.field("score").type == pa.float32()

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
        new = model.recommend(queries=[Query(history=["tea"])], k=3)
        assert sorted(new.column("item_id")) == ["gin", "rye"]

    def test_one_item(self) -> None:
        model = self.fresh().fit(few(("ann", "tea"), ("bob", "tea")))
        assert len(model.recommend(k=3)) == 0
        audience = model.audience(["tea"], exclude_seen=False).column("user_id")
        # Alike by their histories, not always by what was learned of them.
        assert (audience if self.user_is_history else sorted(audience)) == ["ann", "bob"]


def few(*pairs: tuple[str, str]) -> Dataset:
    """Make a data set of a few pairs, with times and a feature or two for who wants some."""
    users, items = (sorted(set(side)) for side in zip(*pairs, strict=True))
    return replace(
        tiny(*pairs),
        times=np.arange(len(pairs)),
        user_features=pa.table({"city": ["Seoul" for _ in users]}),
        item_features=pa.table({"tags": [["drink", item] for item in items]}),
    )


def popular(data: Dataset) -> list[object]:
    """Give the item ids, the most chosen first, ties by id."""
    ids = data.items.ids.to_pylist()
    return [ids[row] for row in sorted(range(len(ids)), key=lambda row: -data.item_counts[row])]
