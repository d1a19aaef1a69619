"""Lists say which of the given features had no effect."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.data.rules.where import matches, parse_where
from shortlist.models.base import Model


@pytest.fixture(scope="module")
def hybrid() -> sl.Hybrid:
    """A city decides what people choose; their colour does not."""
    people = pa.table(
        {
            "user_id": range(60),
            "city": [("Paris", "Seoul")[n % 2] for n in range(60)],
            "colour": [("red", "blue", "green")[n % 3] for n in range(60)],
        }
    )
    pairs = [(n, n % 2 + 2 * ((n // 2 + step) % 5)) for n in range(60) for step in range(3)]
    log = pa.table({"user_id": [p[0] for p in pairs], "item_id": [p[1] for p in pairs]})
    model = sl.Hybrid()
    return model.fit(sl.Dataset.from_tables(log, users=people))


def test_values_that_are_known_need_no_note(hybrid: sl.Hybrid) -> None:
    lists = hybrid.recommend(queries=[sl.Query(features={"city": "Seoul"})], k=3)
    assert lists.notes == ()
    assert {item % 2 for item in lists.column("item_id")} == {1}
    assert set(lists.column("source")) == {"Hybrid"}


def test_a_value_that_was_never_seen_is_named_with_the_fallback(hybrid: sl.Hybrid) -> None:
    lists = hybrid.recommend(queries=[sl.Query(features={"city": "Lima"})], k=3)
    assert set(lists.column("source")) == {"popularity"}
    assert lists.notes == (
        "feature 'city': not among the values of the training data: 'Lima'",
        "1 of 1 queries with features got popular items: Hybrid can use none of their features",
    )
    assert "note: feature 'city'" in repr(lists)


def test_a_column_without_weight_is_named(hybrid: sl.Hybrid) -> None:
    queries = [sl.Query(features={"city": "Seoul"}), sl.Query(features={"colour": "red"})]
    lists = hybrid.recommend(queries=queries, k=3)
    assert lists.notes == (
        "feature 'colour': the model gives it no weight",
        "1 of 2 queries with features got popular items: Hybrid can use none of their features",
    )


def test_columns_with_the_same_reason_share_a_line() -> None:
    people = pa.table(
        {
            "user_id": range(60),
            "city": [("Paris", "Seoul")[n % 2] for n in range(60)],
            "colour": [("red", "blue", "green")[n % 3] for n in range(60)],
            "size": [("s", "m", "l")[n // 2 % 3] for n in range(60)],
        }
    )
    pairs = [(n, n % 2 + 2 * ((n // 2 + step) % 5)) for n in range(60) for step in range(3)]
    log = pa.table({"user_id": [p[0] for p in pairs], "item_id": [p[1] for p in pairs]})
    model = sl.Hybrid().fit(sl.Dataset.from_tables(log, users=people))
    query = sl.Query(features={"city": "Seoul", "colour": "red", "size": "s"})
    assert model.recommend(queries=[query], k=3).notes == (
        "each of the features 'colour', 'size': the model gives it no weight",
    )


def test_queries_without_features_have_no_notes(hybrid: sl.Hybrid) -> None:
    assert hybrid.recommend(queries=[sl.Query(history=[1])], k=3).notes == ()
    assert hybrid.recommend([1, 2], k=3).notes == ()


CITIES = {"user_id": range(20), "city": ["Paris", "Seoul"] * 10}
PAIRS = [(n, n % 2 + 2 * ((n // 2 + step) % 5)) for n in range(19) for step in range(3)]
TWO_TASTES = sl.Dataset.from_tables(
    {"user_id": [user for user, _ in PAIRS], "item_id": [item for _, item in PAIRS]},
    CITIES,
    {"item_id": range(10), "genre": ["noir", "comedy"] * 5},
)
ONLY_WITHOUT = "uses features only where there is no history"


@pytest.mark.parametrize(
    ("model", "why", "alone"),
    [
        (sl.IALS(embedding_size=4, features=True), ONLY_WITHOUT, ()),
        (sl.ContentBased(), ONLY_WITHOUT, ()),
        (
            sl.ItemCosine(),
            "uses no features",
            ("1 of 1 queries with features got popular items: ItemCosine can use none of their "
             "features",),
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
def test_features_beside_a_history_that_have_no_effect(
    model: Model[Any, Any], why: str, alone: tuple[str, ...]
) -> None:
    model.fit(TWO_TASTES)

    def lists(*queries: sl.Query) -> sl.Recommendations:
        return model.recommend(queries=queries, k=3, on_unknown="fallback")

    features = {"city": "Seoul"}
    with_history = sl.Query(history=[0, 2], features=features)
    known = sl.Query(user=3, features=features)
    described = lists(with_history, known)
    assert described.table.equals(lists(sl.Query(history=[0, 2]), sl.Query(user=3)).table)
    assert described.notes == (
        f"2 of 2 queries with features got lists that do not depend on them: {model.name} {why}",
    )
    assert lists(sl.Query(features=features)).notes == alone
    assert lists(sl.Query(user=19, features=features)).notes == alone  # without interactions
    both = lists(with_history, sl.Query(features=features), sl.Query(history=[1]))
    assert both.notes[0].startswith("1 of 2 queries with features got lists that do not depend")


def test_features_that_count_beside_a_history_need_no_note(hybrid: sl.Hybrid) -> None:
    query = sl.Query(history=[1], features={"city": "Seoul"})
    assert hybrid.recommend(queries=[query], k=3).notes == ()


ROWS = {"user_id": ["ann", "ann", "bob"], "item_id": [1, 2, 3]}
ITEMS = {
    "item_id": [1, 2, 3],
    "pay": ["3,500만원", "2,800만원", "5,200만원"],
    "posted": ["2023.05.01", "2023.06.01", None],
    "city": ["Seoul", "Busan", "Seoul"],
}
PEOPLE = {"user_id": ["ann", "bob"], "age": [31, 42]}


@pytest.mark.parametrize(
    ("where", "note"),
    [
        ("pay >= 4000", "every item meets the rule: pay runs from 28,000,000 to 52,000,000"),
        ("pay > 6,000만원", "no item meets the rule: pay runs from 28,000,000 to 52,000,000"),
        (
            {"posted": {"lt": "2020-01-01"}, "city": "Seoul"},
            "no item meets the rule: posted runs from 2023-05-01 to 2023-06-01",
        ),
        ("city = Daegu", "no item meets the rule"),
        ("city in [Seoul, Busan]", None),  # every item, and it says so itself
        ("pay > 3,000만원", None),
        (None, None),
    ],
)
def test_a_rule_that_changes_nothing_or_leaves_nothing(where: Any, note: str | None) -> None:
    model = sl.Popularity().fit(sl.Dataset.from_tables(ROWS, PEOPLE, ITEMS))
    notes = () if note is None else (note,)
    assert model.recommend(["ann"], where=where).notes == notes
    similar = sl.ItemCosine().fit(model.data).similar([1], where=where)
    assert similar.notes == notes


def test_a_rule_is_evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = sl.Popularity().fit(sl.Dataset.from_tables(ROWS, PEOPLE, ITEMS))
    rules: list[Any] = []

    def counted(*arguments: Any) -> Any:
        rules.append(arguments[1])
        return matches(*arguments)

    monkeypatch.setattr("shortlist.recommend.rules.matches", counted)
    assert model.recommend(["ann"], where="city = Daegu").notes == ("no item meets the rule",)
    assert rules == [parse_where("city = Daegu")]


def test_a_rule_over_users() -> None:
    model = sl.ItemCosine().fit(sl.Dataset.from_tables(ROWS, PEOPLE, ITEMS))
    notes = model.audience([1], where="age > 50").notes
    assert notes == ("no user meets the rule: age runs from 31 to 42",)
    assert model.audience([1], where="age > 40").notes == ()
