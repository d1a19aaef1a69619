from __future__ import annotations

import pytest

from shortlist.models.popularity import Popularity
from shortlist.recommend.query import Query
from shortlist.testing import ModelContract, small_world, tiny


class TestPopularity(ModelContract):
    model = Popularity


def test_scores_are_counts_and_ties_go_by_id() -> None:
    data = tiny(
        ("ann", "rye"), ("bob", "rye"), ("cat", "rye"), ("ann", "tea"), ("bob", "gin"),
        ("cat", "ale"),
        weight=[9.0, 9.0, 0.0, 100.0, 0.0, 1.0],
    )  # fmt: skip
    found = Popularity().fit(data).recommend(queries=[Query(history=[])])
    assert found.column("item_id") == ["rye", "ale", "gin", "tea"]
    assert found.column("score") == [3.0, 1.0, 1.0, 1.0]
    assert set(found.column("source")) == {"Popularity"}


def test_lists_differ_by_seen_items_only() -> None:
    model = Popularity().fit(small_world().data)
    whole = model.recommend(["u05"], k=30).column("item_id")
    log = model.data.to_arrow().to_pylist()
    for user in ("u00", "u17", "u39"):
        seen = {row["item_id"] for row in log if row["user_id"] == user}
        own = model.recommend([user], k=30).column("item_id")
        assert own == [item for item in whole if item not in seen]


def test_a_user_without_history_gets_no_fallback() -> None:
    model = Popularity().fit(small_world().data)
    assert set(model.recommend(["u05"]).column("source")) == {"Popularity"}


def test_popularity_has_no_settings() -> None:
    assert repr(Popularity()) == "Popularity()"
    with pytest.raises(ValueError, match="Popularity has no parameter 'k'"):
        Popularity(k=3)
