"""Lists say which of the given features had no effect."""

from __future__ import annotations

import pyarrow as pa
import pytest

import shortlist as sl


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


def test_queries_without_features_have_no_notes(hybrid: sl.Hybrid) -> None:
    assert hybrid.recommend(queries=[sl.Query(history=[1])], k=3).notes == ()
    assert hybrid.recommend([1, 2], k=3).notes == ()
