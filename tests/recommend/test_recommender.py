from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored_model import scored

from shortlist import engine
from shortlist.data.dataset import Dataset
from shortlist.errors import InputError, UnknownIdError
from shortlist.models.popularity import Popularity
from shortlist.recommend.query import Query
from shortlist.testing import of_matrix, small_world, tiny

SHAPES = ["dense", "sparse", "factors"]


def world(
    rng: np.random.Generator, n_users: int, n_items: int
) -> tuple[Dataset, list[dict[str, Any]]]:
    """A random world with features and life spans, and its items as plain Python."""
    chosen = rng.random((n_users, n_items)) < rng.random()
    days = [
        dt.date(2024, 1, 1) + dt.timedelta(days=int(day)) for day in rng.integers(0, 9, n_items)
    ]
    colours = [None, "red", "blue"]
    table = pa.table(
        {
            "colour": pa.array([colours[n] for n in rng.integers(0, 3, n_items)], pa.string()),
            "size": rng.integers(0, 5, n_items),
            "valid_from": pa.array(_some(rng, days), pa.date32()),
            "valid_to": pa.array(_some(rng, [d + dt.timedelta(days=3) for d in days]), pa.date32()),
        }
    )
    data = replace(of_matrix(rng.integers(1, 4, chosen.shape), chosen), item_features=table)
    return data, table.to_pylist()


def _some(rng: np.random.Generator, days: list[dt.date]) -> list[dt.date | None]:
    return [None if rng.random() < 0.3 else day for day in days]


def rules(rng: np.random.Generator, n_items: int) -> tuple[dict[str, Any], Any]:
    """Random rules, and the same as a function of an item's number and features."""
    arguments: dict[str, Any] = {}
    tests: list[Any] = []
    if rng.random() < 0.3:
        allow = rng.integers(0, n_items, rng.integers(0, 2 * n_items)).tolist()
        arguments["allow"] = allow
        tests.append(lambda n, item: n in allow)
    if rng.random() < 0.4:
        deny = rng.integers(0, n_items, rng.integers(0, n_items)).tolist()
        arguments["deny"] = deny
        tests.append(lambda n, item: n not in deny)
    if rng.random() < 0.4:
        least, colour = int(rng.integers(0, 4)), str(rng.choice(["red", "blue"]))
        arguments["where"] = (
            f"size >= {least} and colour != {colour}"
            if rng.random() < 0.5
            else {"size": {"gte": least}, "colour": {"ne": colour}}
        )
        tests.append(lambda n, item: item["size"] >= least and item["colour"] not in (None, colour))
    return arguments, lambda n, item: all(test(n, item) for test in tests)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 7),
    st.integers(1, 9),
    st.sampled_from(SHAPES),
    st.booleans(),
    st.sampled_from([1, 50, 10**9]),
)
@settings(max_examples=150, deadline=None)
def test_lists_are_the_best_of_all_scores_that_may_be_listed(
    seed: int, n_users: int, n_items: int, shape: str, exclude_seen: bool, block_bytes: int
) -> None:
    """Histories, seen items, every rule, ties and fallback, against plain Python."""
    rng = np.random.default_rng(seed)
    data, items = world(rng, n_users, n_items)
    affinity = rng.integers(-2, 3, (n_items, n_items)) * (rng.random((n_items, n_items)) < 0.6)
    model = scored(data, affinity, shape=shape)
    matrix, k = data.matrix.toarray(), int(rng.integers(1, n_items + 3))
    common, passes = rules(rng, n_items)
    day = dt.date(2024, 1, 5)
    if rng.random() < 0.3:
        common["as_of"] = day

    def live(item: dict[str, Any]) -> bool:
        return "as_of" not in common or (
            (item["valid_from"] is None or item["valid_from"] <= day)
            and (item["valid_to"] is None or day < item["valid_to"])
        )

    queries, expected = [], []
    popularity = np.bincount(data.item_rows, minlength=n_items)
    order = sorted(range(n_items), key=lambda n: (-popularity[n], n))
    for position in range(int(rng.integers(1, 8))):
        user = None if rng.random() < 0.4 else int(rng.integers(n_users))
        given = {
            int(n): float(rng.integers(0, 3)) for n in rng.permutation(n_items)[: rng.integers(3)]
        }
        own, suits = rules(rng, n_items)
        queries.append(Query(user=user, history=given, **own))
        history = {} if user is None else {
            int(n): float(matrix[user, n]) for n in data.item_rows[data.user_rows == user]
        }  # fmt: skip
        history |= given
        scores = popularity if not history else sum(w * affinity[n] for n, w in history.items())
        source = "Scored" if history else "popularity"
        eligible = [
            n
            for n in sorted(order, key=lambda n: -scores[n])  # stable: ties by popularity, then id
            if passes(n, items[n])
            and suits(n, items[n])
            and live(items[n])
            and not (exclude_seen and n in history)
        ]
        expected += [
            {"query": position, "item_id": n, "rank": rank, "score": scores[n], "source": source}
            for rank, n in enumerate(eligible[:k], 1)
        ]
    with engine.use(engine.LocalEngine(block_bytes=block_bytes)):
        found = model.recommend(queries=queries, k=k, exclude_seen=exclude_seen, **common)
    assert found.table.to_pylist() == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_of_equal_scores_the_popular_and_then_the_first_comes_first(shape: str) -> None:
    data = tiny(
        ("ann", "rye"), ("bob", "rye"), ("ann", "tea"), ("bob", "tea"), ("cat", "tea"),
        ("cat", "ale"), ("cat", "gin"), ("dan", "zzz"),
    )  # fmt: skip
    found = scored(data, np.zeros((5, 5)), shape=shape).recommend(["dan"])
    assert found.column("item_id") == ["tea", "rye", "ale", "gin"]


def test_minus_zero_is_zero() -> None:
    data = tiny(("ann", "ale"), ("bob", "gin"), ("bob", "rye"))
    found = scored(data, [[0, 0.0, -0.0], [0, 0, 0], [0, 0, 0]]).recommend(["ann"])
    assert found.column("item_id") == ["gin", "rye"]


class TestRules:
    model = Popularity().fit(small_world().data)

    def items(self, **arguments: Any) -> list[list[Any]]:
        """The list of each query."""
        found = self.model.recommend(**arguments, k=99).table.to_pylist()
        count = len(arguments["queries"])
        return [[row["item_id"] for row in found if row["query"] == n] for n in range(count)]

    def test_each_query_has_its_own(self) -> None:
        queries = [
            Query(user="u05", allow=["i01", "i02", "i03"]),
            Query(user="u05", deny=["i02"], allow=["i01", "i02"]),
            Query(user="u05", where="taste = odd and year < 1986"),
            Query(user="u05", where={"taste": "odd", "year": {"lt": 1986}}, deny=["i01"]),
            Query(user="u05"),
        ]
        lists = self.items(queries=queries)
        assert sorted(lists[0]) == ["i01", "i02", "i03"]
        assert lists[1] == ["i01"]
        assert sorted(lists[2]) == ["i01", "i03", "i05"]
        assert sorted(lists[3]) == ["i03", "i05"]
        assert len(lists[4]) == 30

    def test_what_the_call_allows_and_what_the_query_allows_must_both_hold(self) -> None:
        queries = [Query(user="u05", allow=["i01", "i02"], deny=["i04"]), Query(user="u05")]
        lists = self.items(
            queries=queries, allow=["i02", "i03", "i04", "i05"], deny=["i05"], where="taste = even"
        )
        assert lists == [["i02"], lists[1]]
        assert sorted(lists[1]) == ["i02", "i04"]

    def test_long_lists_of_ids_that_look_alike(self) -> None:
        """NumPy and Arrow abridge long arrays when they print them; rules must not go by that."""
        data = replace(of_matrix(np.ones((1, 3000))))
        model = Popularity().fit(data)
        shared = [0, 1, 2, 2997, 2998, 2999]
        some = np.array(sorted([*shared, *range(100, 1300)]))
        others = np.array(sorted([*shared, *range(1300, 2500)]))
        queries = [Query(history=[5], allow=pa.array(some)), Query(history=[5], allow=others)]
        for asked in (queries, [replace(query, history=[6]) for query in queries]):
            found = model.recommend(queries=asked, k=3000).table.to_pylist()
            lists = [sorted(r["item_id"] for r in found if r["query"] == n) for n in (0, 1)]
            assert lists == [some.tolist(), others.tolist()]

    def test_unknown_ids_in_rules(self) -> None:
        for arguments in (
            {"queries": [Query(user="u05", allow=["i01", "zzz"])]},
            {"queries": [Query(user="u05")], "allow": ["i01", "zzz"]},
        ):
            with pytest.raises(UnknownIdError, match="1 unknown item id: 'zzz'"):
                self.model.recommend(**arguments)
            assert self.items(**arguments, on_unknown="skip") == [["i01"]]

    def test_a_rule_that_is_wrong_is_told_before_anything_is_scored(self) -> None:
        with pytest.raises(InputError, match="cannot read the rule 'year 1990'"):
            self.model.recommend(queries=[Query(user="u05", where="year 1990")])
        with pytest.raises(InputError, match="items have no feature 'colour'"):
            self.model.recommend(["u05"], where="colour = red")


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "3", None])
def test_a_length_that_is_none(k: Any) -> None:
    model = Popularity().fit(tiny(("ann", "tea")))
    for ask in (model.recommend, lambda k: model.audience(["tea"], k=k)):
        with pytest.raises(InputError) as error:
            ask(k=k)
        assert str(error.value) == (
            f"k={k!r} is not a list length\n  to do: pass a whole number of 1 or more"
        )


def test_a_length_of_numpy() -> None:
    model = Popularity().fit(small_world().data)
    assert len(model.recommend(["u05"], k=np.int64(3))) == 3  # type: ignore[arg-type]


def test_known_and_unknown_people_in_one_call_say_where_their_lists_come_from() -> None:
    model = scored(small_world().data, np.eye(30))
    found = model.recommend(["u03", "new", "u05", "u04"], k=2, on_unknown="fallback")
    pairs = dict(zip(found.column("user_id"), found.column("source"), strict=True))
    assert pairs == {"u03": "Scored", "new": "popularity", "u05": "popularity", "u04": "Scored"}
    alone = [model.recommend([user], k=2, on_unknown="fallback").table for user in pairs]
    assert pa.concat_tables(alone).combine_chunks().equals(found.table.combine_chunks())
