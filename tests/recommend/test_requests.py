from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scored_model import Listener, scored

from shortlist.data.dataset import Dataset
from shortlist.errors import CapabilityError, ConfigError, InputError, UnknownIdError
from shortlist.models.popularity import Popularity
from shortlist.recommend.query import Query
from shortlist.testing import of_matrix, small_world, tiny

# ann: tea, rye; bob: rye, gin; cat: nothing yet.
LOG = pa.table(
    {
        "user_id": ["ann", "ann", "bob", "bob"],
        "item_id": ["tea", "rye", "rye", "gin"],
        "weight": [1.0, 2.0, 3.0, 4.0],
        "at": [20, 10, 30, 40],
    }
)
PEOPLE = pa.table(
    {"user_id": ["ann", "bob", "cat"], "city": ["Seoul", None, "Busan"], "age": [31, 42, 53]}
)
DATA = Dataset.from_tables(LOG, users=PEOPLE, weight="weight", time="at")  # gin, rye, tea

TYPED = Dataset.from_tables(
    LOG,
    users=pa.table(
        {
            "user_id": ["ann", "bob"],
            "skills": [["r"], None],
            "sizes": [[3], None],
            "day": [dt.date(2024, 5, 1), None],
            "seen": [dt.datetime(2024, 5, 1), None],
        }
    ),
)


def listener(data: Dataset = DATA) -> Any:
    return scored(data, np.eye(data.n_items), kind=Listener)


def heard(*queries: Query, **options: Any) -> Any:
    model = listener()
    model.recommend(queries=queries, **options)
    return model


class TestUsers:
    @pytest.mark.parametrize(
        "users",
        [
            ["bob", "ann"],
            ("bob", "ann"),
            iter(["bob", "ann", "bob"]),
            np.array(["bob", "ann"]),
            pa.array(["bob", "ann"]),
            pd.Series(["bob", "ann"]),
            pl.Series(["bob", "ann"]),
            {"bob": 1, "ann": 2}.keys(),
        ],
    )
    def test_ids_of_any_kind(self, users: Any) -> None:
        assert listener().recommend(users, k=1).column("user_id") == ["bob", "ann"]

    def test_no_users_are_all_users(self) -> None:
        assert listener().recommend(k=1).column("user_id") == ["ann", "bob", "cat"]

    def test_one_id_is_no_list(self) -> None:
        with pytest.raises(InputError) as error:
            listener().recommend("ann")
        assert str(error.value) == (
            "ids must be a list, not the string 'ann'\n  to do: pass ['ann'] for a single id"
        )
        with pytest.raises(InputError, match="ids must be a list, not 7"):
            listener().recommend(7)

    def test_ids_of_the_wrong_type(self) -> None:
        with pytest.raises(UnknownIdError) as error:
            listener().recommend([7, 8])
        assert str(error.value) == (
            "2 unknown user ids: 7, 8 (3 users are known, 'ann' to 'cat')\n"
            "  to do: the user ids of this data are strings: convert your ids"
        )
        with pytest.raises(InputError) as refused:
            listener().recommend(["ann", 8], on_unknown="fallback")
        assert str(refused.value) == (
            "user ids here are string; some of yours are not\n"
            "  to do: convert them, or pass on_unknown='skip'"
        )
        assert listener().recommend(["ann", 8], k=1, on_unknown="skip").column("user_id") == ["ann"]

    def test_numbers_that_do_not_fit(self) -> None:
        model = Popularity().fit(tiny((1, 10), (2, 11)))
        unfit: Any
        for unfit in (2**70, 1.5, None):  # 1.5 is not user 1
            with pytest.raises(InputError, match="user ids here are int64; some of yours are not"):
                model.recommend([unfit], on_unknown="fallback")
        assert model.recommend([2**63 - 1], k=1, on_unknown="fallback").column("user_id") == [
            2**63 - 1
        ]

    def test_both_users_and_queries(self) -> None:
        with pytest.raises(InputError) as error:
            listener().recommend(["ann"], queries=[Query(user="ann")])
        assert str(error.value) == (
            "both users and queries were given\n  to do: pass one of the two"
        )

    def test_on_unknown_is_one_of_three(self) -> None:
        for asked in ({"users": ["ann"]}, {"queries": [Query(user="ann")]}):
            with pytest.raises(ConfigError) as error:
                listener().recommend(**asked, on_unknown="ignore")
            assert str(error.value) == (
                "on_unknown='ignore' does not exist\n"
                "  to do: use one of these: fallback, raise, skip"
            )


class TestQueries:
    @pytest.mark.parametrize("queries", [Query(user="ann"), 7, [{"user": "ann"}], ["ann"]])
    def test_what_is_no_list_of_queries(self, queries: Any) -> None:
        with pytest.raises(InputError) as error:
            listener().recommend(queries=queries)
        assert str(error.value) == (
            "queries must be a list of Query\n  to do: pass [Query(...), ...]"
        )

    def test_an_iterator_of_queries(self) -> None:
        found = listener().recommend(queries=(Query(user=user) for user in ("bob", "ann")), k=1)
        assert found.column("query") == [0, 1]

    def test_histories_of_users_and_queries_are_joined(self) -> None:
        model = heard(
            Query(user="ann"),
            Query(user="ann", history={"gin": 7.0, "rye": 0.5}),  # what the query says counts
            Query(history=["tea"]),
            Query(user="cat", history=["gin"]),
            Query(user="cat"),
        )
        assert_array_equal(
            model.heard.history.toarray(),
            [[0, 2, 1], [7, 0.5, 1], [0, 0, 2.5], [2.5, 0, 0], [0, 0, 0]],
        )
        assert model.heard.users.tolist() == [0, 0, -1, 2, 2]
        assert model.heard.changed.tolist() == [False, True, True, True, False]

    def test_places_count_back_from_the_latest(self) -> None:
        model = heard(
            Query(user="ann"),  # rye at 10, tea at 20
            Query(user="bob"),  # rye at 30, gin at 40
            Query(history=["tea", "gin", "rye"]),  # in the order they are given
            Query(user="ann", history=["gin", "rye"]),  # after everything ann chose before
        )
        assert_array_equal(model.places, [[0, 2, 1], [1, 2, 0], [2, 1, 3], [2, 1, 3]])

    @pytest.mark.parametrize(
        ("history", "order"),
        [
            (["tea"], ["rye", "gin", "tea"]),  # tea was the first
            (
                ["ale", "rye", "ale"],
                ["tea", "gin", "rye", "ale"],
            ),  # a repeated item: its last place
            ({"rye": -1, "ale": 1}, ["tea", "gin", "ale"]),
        ],
    )
    def test_ages_are_those_of_the_same_history_without_a_user(
        self, history: Any, order: list[str]
    ) -> None:
        log = {"user_id": ["ann"] * 3 + ["bob"], "item_id": ["tea", "rye", "gin", "ale"]}
        model = listener(Dataset.from_tables(log))
        model.recommend(queries=[Query(user="ann", history=history), Query(history=order)])
        assert_array_equal(model.places[0], model.places[1])
        assert sorted(model.heard.recency[[0]].data) == list(range(1, len(order) + 1))

    @pytest.mark.parametrize(
        ("history", "chosen", "disliked"),
        [
            (["gin"], {"gin": 1.5, "tea": 2}, {}),
            ({"gin": 3, "rye": -2}, {"gin": 3, "tea": 2}, {"rye": 2}),
            ({"tea": -1}, {}, {"gin": 4, "tea": 1}),
        ],
    )
    def test_a_newer_opinion_replaces_the_older_one(
        self, history: Any, chosen: dict[str, float], disliked: dict[str, float]
    ) -> None:
        log = {
            "user_id": ["ann", "ann", "bob"],
            "item_id": ["tea", "gin", "rye"],
            "w": [2, -4, 1],
        }
        data = Dataset.from_tables(log, weight="w")
        model = listener(data)
        model.recommend(queries=[Query(user="ann", history=history)])
        for matrix, expected in ((model.heard.history, chosen), (model.heard.disliked, disliked)):
            assert dict(
                zip(data.items.take(matrix.indices).to_pylist(), matrix.data, strict=True)
            ) == (expected)
        assert model.heard.changed.tolist() == [True]

    def test_a_query_that_is_skipped_keeps_its_number_free(self) -> None:
        queries = [
            Query(user="zoe"),
            Query(user="zoe", history=["tea", "ale"]),
            Query(history=["ale"]),
            Query(history=[]),
            Query(user="ann", history=["ale"]),
        ]
        model = Popularity().fit(DATA)
        with pytest.raises(UnknownIdError, match="1 unknown user id: 'zoe'"):
            model.recommend(queries=queries)
        skipped = model.recommend(queries=queries, k=1, on_unknown="skip")
        assert skipped.column("query") == [1, 3, 4]
        listed = model.recommend(queries=queries, k=1, on_unknown="fallback")
        assert listed.column("query") == [0, 1, 2, 3, 4]


class TestFeatures:
    def test_a_model_without_features_refuses_them(self) -> None:
        model = Popularity().fit(DATA)
        with pytest.raises(CapabilityError) as error:
            model.recommend(queries=[Query(user="ann"), Query(features={"age": 3})])
        assert str(error.value) == (
            "Popularity cannot use features\n"
            "  where: query 1\n"
            "  to do: leave features out, choose a model that uses them, "
            "or pass on_unknown='skip' or 'fallback'"
        )

    def test_or_does_without_them(self) -> None:
        model = Popularity().fit(DATA)
        queries = [Query(features={"age": 3}), Query(user="ann", features={"age": 3})]
        assert model.recommend(queries=queries, on_unknown="skip", k=1).column("query") == [1]
        listed = model.recommend(queries=queries, on_unknown="fallback", k=1)
        assert listed.column("query") == [0, 1]

    def test_what_a_query_says_lies_over_what_the_data_knows(self) -> None:
        model = heard(
            Query(user="bob"),
            Query(user="bob", features={"city": "Jeju"}),
            Query(features={"age": 7}),
            Query(history=["tea"]),
            Query(user="ann", features={"city": None}),
        )
        assert model.features == [
            {"city": None, "age": 42},
            {"city": "Jeju", "age": 42},
            {"city": None, "age": 7},
            {"city": None, "age": None},
            {"city": None, "age": 31},
        ]

    def test_known_users_bring_theirs(self) -> None:
        model = listener()
        model.recommend(["cat", "ann"])
        assert model.features == [{"city": "Busan", "age": 53}, {"city": "Seoul", "age": 31}]

    def test_a_feature_that_does_not_exist(self) -> None:
        with pytest.raises(InputError) as error:
            heard(Query(user="ann"), Query(user="bob", features={"agee": 7}))
        assert str(error.value) == (
            "users have no feature 'agee'\n"
            "  where: query 1\n"
            "  to do: did you mean 'age'? Known: age, city"
        )

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("old", "'old'"),
            ("7", "'7'"),
            (float("inf"), "inf"),
            (10**101, str(10**101)),
        ],
    )
    def test_a_feature_of_another_type(self, value: Any, shown: str) -> None:
        with pytest.raises(InputError) as error:
            heard(Query(user="bob", features={"age": value}))
        assert str(error.value) == (
            f"feature 'age' is {shown}; it has type int64\n"
            "  where: query 0\n"
            "  to do: give a number without quotes, of at most 1e+100 in magnitude"
        )

    @pytest.mark.parametrize(
        ("name", "value", "heard_as"),
        [
            ("age", 7.5, 7.5),
            ("age", Decimal("7.5"), 7.5),
            ("age", 2**70, 2.0**70),
            ("budget", 5.5, 5.5),
            ("budget", Decimal("5.555"), 5.555),
            ("budget", 1e30, 1e30),
            ("work", "6 months", 0.5),
            ("work", "18개월", 1.5),
        ],
    )
    def test_any_number_fits_a_column_of_numbers(
        self, name: str, value: Any, heard_as: float
    ) -> None:
        people = {
            "user_id": ["ann", "bob"],
            "age": [31, 42],
            "budget": [Decimal("1.50"), None],
            "work": ["1 year", "5 years"],
        }
        model = listener(Dataset.from_tables(LOG, users=people))
        model.recommend(queries=[Query(user="ann"), Query(features={name: value})])
        known = {"age": 31, "budget": 1.5, "work": 1}
        assert [row[name] for row in model.features] == [known[name], heard_as]

    def test_a_missing_number_of_the_data_stays_missing(self) -> None:
        people = pa.table({"user_id": ["ann", "bob"], "age": [float("nan"), 42.0]})
        model = listener(Dataset.from_tables(LOG, users=people))
        model.recommend(queries=[Query(user="ann", history=["gin"]), Query(features={"age": 7})])
        assert [str(row["age"]) for row in model.features] == ["nan", "7.0"]

    def test_values_as_people_write_them(self) -> None:
        people = {
            "user_id": ["ann", "bob"],
            "pay": ["$50k", "$65k"],
            "skills": ["sql, r", "r"],
            "seen": ["2024.05.01", "2024.06.01"],
            "home": [{"city": "York"}, {"city": "Bath"}],
        }
        model = listener(Dataset.from_tables(LOG, users=people))
        given = {"pay": "$70k", "skills": ["c", "sql"], "seen": "2024.07.02"}
        model.recommend(queries=[Query(features=given | {"home": {"city": "Hull"}})])
        assert model.features == [
            {
                "pay": 70_000,
                "skills": "c, sql",
                "seen": dt.datetime(2024, 7, 2),
                "home.city": "Hull",
            }
        ]

    @pytest.mark.parametrize(
        ("name", "value", "read"),
        [
            ("skills", "sql", ["sql"]),  # not the letters
            ("day", 20240701, dt.date(2024, 7, 1)),  # not days since 1970
            ("day", np.datetime64("2024-07-01T13"), dt.date(2024, 7, 1)),
            ("seen", 1_719_792_000, dt.datetime(2024, 7, 1)),  # not microseconds
            ("seen", dt.date(2024, 7, 1), dt.datetime(2024, 7, 1)),
            ("sizes", [1, 2.0], [1, 2]),
        ],
    )
    def test_a_value_takes_the_type_of_its_column(self, name: str, value: Any, read: Any) -> None:
        model = listener(TYPED)
        model.recommend(queries=[Query(features={name: value})])
        assert model.features[0][name] == read

    def test_a_list_of_another_type(self) -> None:
        with pytest.raises(InputError, match=r"^feature 'sizes' is \[1, 2\.5\]; it has type list"):
            listener(TYPED).recommend(queries=[Query(features={"sizes": [1, 2.5]})])

    @pytest.mark.parametrize(
        ("value", "ends"),
        [("$60k-$80k", (60_000, 80_000)), ("$70k", (70_000, 70_000)), (75_000, (75_000, 75_000))],
    )
    def test_a_range(self, value: Any, ends: tuple[int, int]) -> None:
        people = {"user_id": ["ann", "bob"], "pay": ["$50k-$60k", "$65k"]}
        model = listener(Dataset.from_tables(LOG, users=people))
        model.recommend(queries=[Query(features={"pay": value})])
        assert model.features == [{"pay.min": ends[0], "pay.max": ends[1]}]

    def test_an_unknown_field_of_a_record(self) -> None:
        with pytest.raises(InputError, match=r"^users have no feature 'home\.city'"):
            heard(Query(features={"home": {"city": "Hull"}}))

    def test_the_wrong_one_of_two_values_is_named(self) -> None:
        with pytest.raises(InputError) as error:
            heard(Query(features={"age": 7}), Query(features={"age": "old"}))
        assert str(error.value).startswith("feature 'age' is 'old'; it has type int64")
        assert "where: query 1" in str(error.value)

    def test_data_without_user_features(self) -> None:
        model = listener(Dataset.from_tables(LOG))
        with pytest.raises(InputError) as error:
            model.recommend(queries=[Query(features={"age": 7})])
        assert str(error.value) == (
            "a query has features, but the data has no user features\n"
            "  to do: fit on data with a users table, or leave features out"
        )
        model.recommend(queries=[Query(user="ann")])
        assert model.heard.features is None


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_any_mix_of_queries_against_dictionaries(
    seed: int, n_users: int, n_items: int, n_queries: int
) -> None:
    rng = np.random.default_rng(seed)
    chosen = rng.random((n_users, n_items)) < 0.5
    weights = rng.integers(0, 9, chosen.shape)
    data = of_matrix(weights, chosen)
    data = replace(data, positions=rng.permutation(data.n_interactions))
    queries, histories, orders = [], [], []
    for _ in range(n_queries):
        user = None if rng.random() < 0.3 else int(rng.integers(n_users))
        given = {
            int(i): float(rng.integers(0, 9)) for i in rng.permutation(n_items)[: rng.integers(4)]
        }
        own = [] if user is None else np.flatnonzero(chosen[user]).tolist()
        placed = dict(
            zip(zip(data.user_rows, data.item_rows, strict=True), data.positions, strict=True)
        )
        before = sorted(own, key=lambda item: placed[user, item])
        queries.append(Query(user=user, history=given))
        histories.append({**{item: float(weights[user, item]) for item in own}, **given})
        orders.append([item for item in before if item not in given] + list(given))
    model = listener(data)
    model.recommend(queries=queries)
    for row, (history, order) in enumerate(zip(histories, orders, strict=True)):
        found = model.heard.history[[row]]
        assert dict(zip(found.indices.tolist(), found.data.tolist(), strict=True)) == history
        assert sorted(found.indices) == list(found.indices)
        places = model.places[row]
        assert sorted(history, key=lambda item: -places[item]) == order


def test_everybody_is_asked_for_in_blocks() -> None:
    """Nothing of a profile depends on the block that it is in."""
    data = small_world().data
    model = listener(data)
    model.recommend(k=1)
    whole = model.heard
    model.recommend(data.users.ids.to_pylist()[7:9], k=1)
    part = model.heard
    assert_array_equal(part.history.toarray(), whole.history[[7, 8]].toarray())
    assert part.features.to_pylist() == whole.features.to_pylist()[7:9]
    assert_array_equal(part.recency.toarray(), whole.recency[[7, 8]].toarray())


def test_a_query_changes_the_sign_of_an_item() -> None:
    """An item is either chosen or disliked: what the query says counts."""
    log = {"user_id": ["ann", "ann", "ann"], "item_id": ["gin", "rye", "tea"], "weight": [-1, 2, 3]}
    model = listener(Dataset.from_tables(log, weight="weight"))
    model.recommend(queries=[Query(user="ann", history={"gin": 4, "tea": -5})], exclude_seen=False)
    profiles = model.heard
    assert_array_equal(profiles.history.toarray(), [[4, 2, 0]])
    assert_array_equal(profiles.disliked.toarray(), [[0, 0, 5]])
    assert_array_equal(model.places > 0, [[True, True, False]])
    assert profiles.changed.tolist() == [True]


def test_items_without_weights_count_as_typical_interactions() -> None:
    model = heard(
        Query(history=["tea", "gin"]),
        Query(user="ann", history=["gin"]),
        Query(history={"tea": 4.0}),
    )
    assert model.heard.history.toarray().tolist() == [[2.5, 0, 2.5], [2.5, 2, 1], [0, 0, 4]]
