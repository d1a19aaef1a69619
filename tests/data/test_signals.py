"""What people say with their data: choices and dislikes by a rule, and recency as a weight."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.errors import InputError

RATINGS = pa.table(
    {
        "user_id": ["ann", "ann", "ann", "bob", "bob", "cid"],
        "item_id": [1, 2, 3, 1, 3, 2],
        "rating": [5, 2, 4, 1, 4, 3],
        "day": ["2024-01-01", "2024-01-05", "2024-01-09", "2024-01-02", "2024-01-03", "2024-01-04"],
    }
)


def pairs(data: Dataset | None) -> list[tuple[Any, Any]]:
    if data is None:
        return []
    table = data.to_arrow()
    return list(zip(table["user_id"].to_pylist(), table["item_id"].to_pylist(), strict=True))


def refusal(**options: Any) -> str:
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(RATINGS, **options)
    return str(caught.value)


def test_a_rule_divides_choices_from_dislikes() -> None:
    data = Dataset.from_tables(RATINGS, positive="rating >= 4", time="day")
    assert pairs(data) == [("ann", 1), ("ann", 3), ("bob", 3)]
    assert pairs(data.dislikes) == [("ann", 2), ("bob", 1), ("cid", 2)]
    assert data.weights.tolist() == [1, 1, 1]
    assert data.positions.tolist() == [0, 2, 4]
    assert data.dislikes is not None
    assert data.dislikes.positions.tolist() == [1, 3, 5]
    assert data.dislikes.times is not None
    assert str(data) == "Dataset(3 users, 3 items, 3 interactions, 3 dislikes)"
    assert data.excluded.toarray().tolist() == [[1, 1, 1], [1, 0, 1], [0, 1, 0]]


def test_a_rule_may_be_a_mapping_and_use_any_column() -> None:
    rule = {"rating": {"gte": 3}, "day": {"in": ["2024-01-04", "2024-01-09"]}}
    assert pairs(Dataset.from_tables(RATINGS, positive=rule)) == [("ann", 3), ("cid", 2)]
    assert pairs(Dataset.from_tables(RATINGS, positive="rating = 1 or rating > 4")) == [
        ("ann", 1),
        ("bob", 1),
    ]


def test_the_weights_of_choices_stay() -> None:
    data = Dataset.from_tables(RATINGS, weight="rating", positive="rating >= 4")
    assert data.weights.tolist() == [5, 4, 4]
    assert data.dislikes is not None
    assert data.dislikes.weights.tolist() == [1, 1, 1]


def test_a_rule_that_everything_meets_changes_nothing() -> None:
    plain = Dataset.from_tables(RATINGS, weight="rating", time="day")
    ruled = Dataset.from_tables(RATINGS, weight="rating", time="day", positive="rating >= 1")
    assert ruled.dislikes is None
    assert ruled.fingerprint == plain.fingerprint


def test_weights_below_0_are_dislikes() -> None:
    log = pa.table({"user_id": [1, 1, 2, 2], "item_id": [1, 2, 1, 2], "w": [2.0, -3.0, 0.0, -0.5]})
    data = Dataset.from_tables(log, weight="w")
    assert pairs(data) == [(1, 1), (2, 1)]
    assert data.weights.tolist() == [2, 0]
    assert pairs(data.dislikes) == [(1, 2), (2, 2)]
    assert data.dislikes is not None
    assert data.dislikes.weights.tolist() == [3, 0.5]
    other = Dataset.from_matrix(np.array([[2, -3], [1, 0]]))
    assert pairs(other.dislikes) == [(0, 1)]


@pytest.mark.parametrize(
    ("repeats", "liked"), [("last", False), ("sum", True), ("max", True), ("mean", True)]
)
def test_the_combined_weight_of_a_pair_decides(repeats: Any, liked: bool) -> None:
    log = pa.table({"user_id": [1, 1, 2], "item_id": [1, 1, 1], "w": [5, -2, 1]})
    data = Dataset.from_tables(log, weight="w", repeats=repeats)
    assert (1, 1) in pairs(data if liked else data.dislikes)
    assert (1, 1) not in pairs(data.dislikes if liked else data)


def test_the_last_row_of_a_pair_decides_whether_it_meets_the_rule() -> None:
    log = pa.table(
        {"user_id": [1, 1, 2], "item_id": [1, 1, 1], "stars": [5, 1, 5], "at": [20, 10, 5]}
    )
    assert pairs(Dataset.from_tables(log, positive="stars > 3").dislikes) == [(1, 1)]
    assert Dataset.from_tables(log, positive="stars > 3", time="at").dislikes is None


def test_a_row_without_a_value_is_neither_a_choice_nor_a_dislike() -> None:
    log = pa.table({"user_id": [1, 1, 2, 3], "item_id": [1, 2, 3, 4], "stars": [5, None, 2, None]})
    data = Dataset.from_tables(log, positive="stars >= 4")
    assert (pairs(data), pairs(data.dislikes)) == ([(1, 1)], [(2, 3)])
    assert data.users.ids.to_pylist() == [1, 2]  # user 3 says nothing
    assert [str(skipped) for skipped in data.skipped] == [
        "interactions: left out 2 rows (2, 4), column 'stars': no value, so "
        "positive='stars >= 4' is undecided"
    ]
    either = Dataset.from_tables(log, positive="stars >= 4 or stars is null")
    assert (pairs(either), pairs(either.dislikes)) == ([(1, 1), (1, 2), (3, 4)], [(2, 3)])


def test_bad_rows_and_the_rule_together(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('user_id,item_id,stars\na,1,"4,5"\n,2,"5,0"\nb,1,"1,5"\nb,2,x\n')
    data = Dataset.from_tables(
        str(path), weight="stars", decimal=",", positive="stars >= 4", on_bad_row="skip"
    )
    assert (pairs(data), pairs(data.dislikes)) == ([("a", 1)], [("b", 1)])
    assert data.positions.tolist() == [0]
    assert data.dislikes is not None
    assert data.dislikes.positions.tolist() == [2]


EVENTS = pa.table(
    {
        "user_id": ["ann", "ann", "bob", "bob", "cid", None],
        "item_id": [1, 2, 1, 3, 2, 1],
        "event": ["view", "apply", "apply", "save", None, "view"],
        "score": [1, 5, 2, 4, 3, 3],
    }
)


def test_rows_that_do_not_count_are_left_out() -> None:
    data = Dataset.from_tables(EVENTS, only="event = apply")  # the row without a user is a view
    assert pairs(data) == [("ann", 2), ("bob", 1)]
    assert data.dislikes is None
    assert data.users.ids.to_pylist() == ["ann", "bob"]
    assert data.items.ids.to_pylist() == [1, 2]
    assert data.positions.tolist() == [1, 2]
    assert [str(skipped) for skipped in data.skipped] == [
        "interactions: left out 4 rows (1, 4, 5, ...), column 'event': not meeting "
        "only='event = apply'"
    ]


def test_rows_that_count_are_divided_into_choices_and_dislikes() -> None:
    rules: dict[str, Any] = {"only": "event in [apply, save]", "positive": "score >= 4"}
    data = Dataset.from_tables(EVENTS, **rules)
    assert (pairs(data), pairs(data.dislikes)) == ([("ann", 2), ("bob", 3)], [("bob", 1)])
    assert data.dislikes is not None
    assert data.dislikes.positions.tolist() == [2]


@pytest.mark.parametrize("name", ["_row", "rowid", "only_0"])
def test_rules_over_columns_with_names_of_our_own(name: str) -> None:
    log = {"user_id": [1, 2, 3], "item_id": [7, 8, 9], name: [4, 5, 6]}
    assert pairs(Dataset.from_tables(log, only=f"{name} > 4 and item_id < 9")) == [(2, 8)]


def test_decimals_are_compared_exactly() -> None:
    prices = [Decimal("12345678901234567890.10"), Decimal("12345678901234567890.11"), None]
    log = pa.table({"user_id": [1, 2, 3], "item_id": [7, 8, 9], "price": prices})
    assert pairs(Dataset.from_tables(log, only={"price": {"gt": prices[0]}})) == [(2, 8)]


def test_a_rule_by_which_no_row_counts() -> None:
    assert refusal(only="rating > 5") == (
        "no row meets only='rating > 5', so no interaction is left\n  where: interactions\n"
        "  to do: relax the rule; the rows that meet it are the interactions"
    )
    assert refusal(only="").startswith("only='' is an empty rule")
    assert "did you mean 'rating'?" in refusal(only="ratng >= 4")


def test_rules_that_cannot_be_used() -> None:
    assert refusal(positive="ratng >= 4").startswith(
        "there is no column 'ratng'\n  where: interactions\n  to do: did you mean 'rating'?"
    )
    assert refusal(positive="rating ~ 4").startswith("cannot read the rule 'rating ~ 4'")
    assert refusal(positive="").startswith("positive='' is an empty rule")
    assert refusal(positive="rating >= high") == (
        "'gte' cannot compare 'high' with feature 'rating', which is int64\n"
        "  where: positive='rating >= high'\n"
        "  to do: give a value of type int64; is_null finds what is missing"
    )
    assert refusal(positive="rating > 5") == (
        "no row meets positive='rating > 5', so nobody chose anything\n  where: interactions\n"
        "  to do: relax the rule; the rows that meet it are the choices"
    )


def test_recency_is_a_weight() -> None:
    data = Dataset.from_tables(RATINGS, weight="rating", time="day", half_life=4)
    ages = [8, 4, 0, 7, 6, 5]
    expected = [
        rating * 0.5 ** (age / 4) for rating, age in zip([5, 2, 4, 1, 4, 3], ages, strict=True)
    ]
    assert data.weights.tolist() == pytest.approx(expected, rel=1e-6)
    old = Dataset.from_tables(RATINGS, time="day").decayed(1e-6)
    assert old.weights.min() > 0  # an old interaction still is one


def test_the_typical_weight_is_that_of_an_interaction_of_today() -> None:
    rated = Dataset.from_tables(RATINGS, weight="rating", time="day")
    assert rated.typical_weight == pytest.approx((5 + 2 + 4 + 1 + 4 + 3) / 6)
    shares = [0.5 ** (age / 4) for age in [8, 4, 0, 7, 6, 5]]
    decayed = rated.decayed(4)
    assert decayed.typical_weight == pytest.approx(decayed.weights.sum() / sum(shares), rel=1e-6)
    assert Dataset.from_tables(RATINGS, time="day").decayed(4).typical_weight == pytest.approx(1)
    assert Dataset.from_tables(RATINGS).typical_weight == 1


@pytest.mark.parametrize("half_life", [0, -1, float("nan"), float("inf"), True, "30"])
def test_a_half_life_that_is_none(half_life: Any) -> None:
    assert refusal(time="day", half_life=half_life).startswith(
        f"half_life={half_life!r} is not a number of days above 0"
    )


def test_a_half_life_needs_times() -> None:
    assert refusal(half_life=30) == (
        "half_life=30, and the interactions have no times\n"
        "  to do: name the time column (time=...), or leave half_life out"
    )


def rated(n_users: int = 40) -> Dataset:
    rng = np.random.default_rng(3)
    users, items = np.nonzero(rng.random((n_users, 30)) < 0.5)
    columns = {
        "user_id": users,
        "item_id": items,
        "w": rng.choice([-1, 1, 2], len(users)),
        "at": rng.integers(0, 10**9, len(users)),
    }
    return Dataset.from_tables(pa.table(columns), weight="w", time="at")


def known(data: Dataset) -> set[tuple[Any, Any]]:
    return {*pairs(data), *pairs(data.dislikes)}


@pytest.mark.parametrize("order", ["time", "row"])
def test_dislikes_after_the_first_held_out_choice_are_not_in_train(order: Any) -> None:
    data = rated()
    train, test = split.leave_last_out(data, order=order)
    assert train.dislikes is not None
    assert test.dislikes is not None
    assert known(train) | known(test) == known(data)
    assert not known(train) & known(test)
    key = "times" if order == "time" else "positions"
    for user, moment in zip(test.user_rows, getattr(test, key), strict=True):
        for part, later in ((train.dislikes, False), (test.dislikes, True)):
            own = getattr(part, key)[part.user_rows == user]
            assert ((own >= moment) == later).all()


def test_the_other_splits_divide_the_dislikes_too() -> None:
    data = rated()
    assert data.dislikes is not None
    for train, test in (
        split.random(data, 0.25),
        split.leave_last_out(data, 3, order="random"),
        split.cold_users(data, 0.25),
        split.cold_items(data, 0.25),
        *split.k_folds(data, 4),
    ):
        assert known(train) | known(test) == known(data)
        assert not known(train) & known(test)
        assert train.dislikes is not None
        assert test.dislikes is not None
        assert 0.1 < len(test.dislikes) / len(data.dislikes) < 0.45
    for part, axis in ((split.cold_users(data)[1], 0), (split.cold_items(data)[1], 1)):
        held = {pair[axis] for pair in pairs(part)}
        assert {pair[axis] for pair in pairs(part.dislikes)} <= held
    train, test = split.by_time(data, 500_000_000)
    assert train.dislikes is not None
    assert train.dislikes.times is not None
    assert train.dislikes.times.max() < 500_000_000 * 10**6
    again = split.random(data, 0.25)[0]
    assert again.fingerprint == split.random(data, 0.25)[0].fingerprint


def test_a_given_split_keeps_dislikes() -> None:
    train = Dataset.from_tables(RATINGS.slice(0, 3), positive="rating >= 4")
    test = Dataset.from_tables(RATINGS.slice(3), positive="rating >= 4")
    joined, _ = split.given(train, test)
    assert pairs(joined.dislikes) == [("ann", 2)]
    assert joined.users.ids.to_pylist() == ["ann", "bob", "cid"]


def test_lists_leave_dislikes_out() -> None:
    data = rated()
    for model in (sl.Popularity(), sl.UserCosine(), sl.EASE(), sl.IALS(embedding_size=4)):
        listed = model.fit(data).recommend(k=30).to_arrow()
        found = set(zip(listed["user_id"].to_pylist(), listed["item_id"].to_pylist(), strict=True))
        everything = {
            (u, i) for u in data.users.ids.to_pylist() for i in data.items.ids.to_pylist()
        }
        assert found == everything - known(data)
        assert len(model.recommend(k=30, exclude_seen=False).table) == len(everything)
        users = model.audience(data.items.ids.to_pylist(), k=99).to_arrow()
        pairs_of = zip(users["user_id"].to_pylist(), users["item_id"].to_pylist(), strict=True)
        assert set(pairs_of) == everything - known(data)


def test_a_query_may_dislike() -> None:
    data = rated()
    model = sl.EASE(regularization=5).fit(data)
    items = data.items.ids.to_pylist()
    query = sl.Query(history={items[0]: 1, items[1]: 2, items[2]: -1})
    assert query.weights == {items[0]: 1.0, items[1]: 2.0}
    assert query.dislikes == {items[2]: 1.0}
    listed = model.recommend(queries=[query], k=30).column("item_id")
    assert set(listed) == set(items[3:])
    user = data.users.ids[0].as_py()
    both = model.recommend(queries=[sl.Query(user, history={items[2]: -1})], k=30)
    gone = {item for person, item in known(data) if person == user} | {items[2]}
    assert set(both.column("item_id")) == set(items) - gone
    only = model.recommend(queries=[sl.Query(history={items[2]: -1})], k=30)
    assert set(only.column("item_id")) == set(items) - {items[2]}
    skipped = model.recommend(queries=[sl.Query(history={"no": -1})], on_unknown="skip", k=3)
    assert not len(skipped.table)


def test_dislikes_are_not_candidates_in_evaluation() -> None:
    log = pa.table(
        {"user_id": [1, 1, 2, 2, 3, 3], "item_id": [1, 2, 1, 2, 3, 1], "w": [1, 1, 1, -1, 1, 1]}
    )
    train, test = split.given(
        Dataset.from_tables(log.slice(0, 5), weight="w"),
        Dataset.from_tables(pa.table({"user_id": [2], "item_id": [3]})),
    )
    report = sl.evaluate(sl.Popularity().fit(train), train, test, k=1)
    assert report["hit_rate@1"] == 1  # of items 2 and 3, which are equally popular, 2 is disliked


def test_a_bundle_keeps_dislikes(tmp_path: Path) -> None:
    data = rated()
    model = sl.Popularity().fit(data)
    model.save(tmp_path / "bundle")
    again = sl.load(tmp_path / "bundle")
    assert again.data.fingerprint == data.fingerprint
    assert again.recommend(k=5).table.equals(model.recommend(k=5).table)


def test_tables_of_a_database_take_the_rule(tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as db:
        db.register("given", RATINGS)
        db.execute("CREATE TABLE ratings AS FROM given")
    with sl.Store(path) as store:
        rules: dict[str, Any] = {"only": "item_id < 3", "positive": "rating >= 4"}
        data = store.dataset("ratings", **rules, time="day", half_life=10)
    expected = Dataset.from_tables(RATINGS, **rules, time="day", half_life=10)
    assert data.fingerprint == expected.fingerprint
    assert (data.n_items, len(data), len(data.dislikes or ())) == (2, 1, 3)


def test_data_of_dislikes_alone_lists_what_is_left() -> None:
    log = pa.table({"user_id": [1, 2], "item_id": [5, 6], "w": [-1, -1]})
    data = Dataset.from_tables(log, weight="w")
    assert len(data) == 0
    for model in (sl.Popularity(), sl.ItemCosine(), sl.IALS()):
        assert model.fit(data).recommend([1], k=2).column("item_id") == [6]


@pytest.mark.parametrize("second", ["(4, 7, 8, -1.0), (5, 8, 8, 3.0)", "(4, 7, 8, -1.0)"])
def test_a_pull_keeps_dislikes(tmp_path: Path, second: str) -> None:
    import duckdb

    path = tmp_path / "shop.duckdb"
    first = "(1, 7, 8, 2.0), (2, 7, 9, -1.0), (3, 8, 9, 1.0)"
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE TABLE orders (no INTEGER, buyer INTEGER, thing INTEGER, w DOUBLE)")
        db.execute(f"INSERT INTO orders VALUES {first}")
    columns: dict[str, Any] = {"user_id": "buyer", "item_id": "thing", "weight": "w"}
    with sl.Store(path) as store:
        start = store.pull("orders", by="no", **columns)
    with duckdb.connect(str(path)) as db:
        db.execute(f"INSERT INTO orders VALUES {second}")
    with sl.Store(path) as store:
        pulled = store.pull("orders", by="no", earlier=start.data, mark=start.mark, **columns)
        whole = store.dataset("orders", **columns)
    assert pulled.data.fingerprint == whole.fingerprint
    assert pairs(whole.dislikes) == [(7, 8), (7, 9)]
    assert pulled.data.dislikes is not None
    assert whole.dislikes is not None
    assert pulled.data.dislikes.positions.tolist() == whole.dislikes.positions.tolist()
