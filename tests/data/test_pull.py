"""Incremental pulls: only new rows are fetched, and the result equals that of a full pull."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.dataset import Dataset
from shortlist.data.store.own_tables import Pull
from shortlist.data.store.store import Store
from shortlist.errors import ConfigError, InputError

from .servers import EmptyDatabase, new_database

COLUMNS: dict[str, Any] = {
    "by": "no",
    "user_id": "buyer",
    "item_id": "thing",
    "weight": "amount",
    "time": "moment",
}
LISTS = pa.table({"user_id": ["u"], "item_id": [1], "rank": [1], "score": [0.5], "source": ["m"]})

Row = tuple[int, str, int, float, str]  # the number of the order, buyer, thing, amount, moment


def prepare(database: EmptyDatabase) -> None:
    Store.create(database.url, "runs").close()
    database.run(
        "CREATE TABLE orders "
        "(no bigint, buyer varchar(9), thing integer, amount real, moment timestamp)"
    )


def pull(database: EmptyDatabase, earlier: Dataset | None = None, **changes: Any) -> Pull:
    with Store(database.url) as store:
        return store.pull("orders", **(COLUMNS | changes), earlier=earlier)


def keep(database: EmptyDatabase, pulled: Pull) -> int:
    with Store(database.url) as store:
        return store.write(LISTS, model="m", mark=pulled.mark)


def row(number: int, buyer: str = "박", thing: int = 1, amount: float = 1.0, hour: int = 0) -> Row:
    return number, buyer, thing, amount, str(dt.datetime(2024, 5, 1) + dt.timedelta(hours=hour))


def same(left: Dataset, right: Dataset) -> None:
    assert left.fingerprint == right.fingerprint
    assert left.positions.tolist() == right.positions.tolist()
    assert left.users.ids.equals(right.users.ids)
    for a, b in (
        (left.user_features, right.user_features),
        (left.item_features, right.item_features),
    ):
        assert (a is None and b is None) or (b is not None and b.equals(a))


def test_only_new_rows_are_fetched_and_merged(database: EmptyDatabase) -> None:
    prepare(database)
    database.insert("orders", [row(1, "박", 7, 2.0, 5), row(3, "김", 7, 1.5, 2)])
    first = pull(database)
    assert (first.new, first.missed, first.gone) == (2, 0, 0)
    assert (first.mark.last_seen, first.mark.row_count) == ("3", 2)
    assert keep(database, first) == 1
    # A new pair, and an old one again: with an earlier time, so the old weight stays the last.
    database.insert("orders", [row(4, "박", 8, 0.5, 9), row(7, "김", 7, 9.0, 1)])
    second = pull(database, first.data)
    assert (second.new, second.missed, second.gone) == (2, 0, 0)
    assert (second.mark.last_seen, second.mark.row_count) == ("7", 4)
    same(second.data, pull(database).data)
    assert second.data.weights.tolist() == [1.5, 2.0, 0.5]
    assert keep(database, second) == 2
    third = pull(database, second.data)
    assert (third.new, third.mark) == (0, second.mark)
    same(third.data, second.data)


def test_a_mark_given_by_the_caller(tmp_path: Path) -> None:
    database = new_database("duckdb", tmp_path, None)
    prepare(database)
    database.insert("orders", [row(1, thing=7), row(2, thing=8)])
    first = pull(database)
    database.insert("orders", [row(3, thing=9)])
    with Store(database.url, read_only=True) as store:  # no run has been written, and none need be
        second = store.pull("orders", **COLUMNS, earlier=first.data, mark=first.mark)
        assert (second.new, second.missed) == (1, 0)
        same(second.data, store.pull("orders", **COLUMNS).data)
        with pytest.raises(InputError, match="the mark is of other tables and columns") as error:
            store.pull("orders", **COLUMNS | {"weight": None}, earlier=first.data, mark=first.mark)
        assert error.value.where == "weight was 'amount' and is None"
        with pytest.raises(InputError, match="the earlier data is not the data of the last run"):
            store.pull("orders", **COLUMNS, earlier=first.data, mark=second.mark)


@pytest.mark.slow
def test_following_a_time_column_to_the_microsecond(database: EmptyDatabase) -> None:
    prepare(database)
    moment = "2024-05-01 09:30:00.12345"
    database.insert("orders", [(0, "a", 1, 1.0, moment + "6"), (0, "a", 2, 1.0, moment + "5")])
    first = pull(database, by="moment")
    keep(database, first)
    database.insert("orders", [(0, "b", 1, 1.0, moment + "7")])
    second = pull(database, first.data, by="moment")
    assert (second.new, second.missed) == (1, 0)
    same(second.data, pull(database, by="moment").data)


def test_bad_rows_are_skipped_and_times_read_as_told(tmp_path: Path) -> None:
    database = new_database("duckdb", tmp_path, None)
    database.run("CREATE TABLE orders (no bigint, buyer text, thing integer, moment text)")
    options: dict[str, Any] = {
        "by": "no", "user_id": "buyer", "item_id": "thing", "time": "moment",
        "on_bad_row": "skip", "time_format": "%d/%m/%Y",
    }  # fmt: skip

    def pulled(earlier: Pull | None) -> Pull:
        with Store(database.url) as store:
            if earlier is None:
                return store.pull("orders", **options)
            return store.pull("orders", **options, earlier=earlier.data, mark=earlier.mark)

    database.run("INSERT INTO orders VALUES (1, 'a', 7, '01/02/2024'), (2, NULL, 8, '02/02/2024')")
    first = pulled(None)
    assert [(skipped.count, len(first.data)) for skipped in first.data.skipped] == [(1, 1)]
    database.run("INSERT INTO orders VALUES (3, 'b', 7, '03/02/2024'), (4, 'b', NULL, '4/2/2024')")
    second = pulled(first)
    assert (second.new, second.missed, second.mark.last_seen) == (2, 0, "4")
    assert [skipped.count for skipped in second.data.skipped] == [1]
    assert second.data.to_arrow().column("time").cast(pa.timestamp("s")).to_pylist() == [
        dt.datetime(2024, 2, 1),
        dt.datetime(2024, 2, 3),
    ]
    database.run("INSERT INTO orders VALUES (5, 'c', NULL, '05/02/2024')")
    third = pulled(second)
    assert (third.new, len(third.data)) == (1, 2)
    same(third.data, pulled(None).data)


def test_late_and_deleted_rows_are_counted(any_database: EmptyDatabase) -> None:
    prepare(any_database)
    any_database.insert("orders", [row(2, "a", 1), row(4, "b", 1), row(6, "c", 1)])
    first = pull(any_database)
    keep(any_database, first)
    any_database.insert("orders", [row(3, "late", 1), row(5, "late", 2), row(7, "new", 1)])
    second = pull(any_database, first.data)
    assert (second.new, second.missed) == (1, 2)
    assert second.data.users.ids.to_pylist() == ["a", "b", "c", "new"]
    any_database.run("DELETE FROM orders WHERE no < 6")
    third = pull(any_database, first.data)
    assert (third.new, third.missed) == (1, -2)
    assert third.data.users.ids.to_pylist() == ["a", "b", "c", "new"]


def test_users_that_are_no_longer_listed_are_dropped(any_database: EmptyDatabase) -> None:
    prepare(any_database)
    any_database.run("CREATE TABLE buyers (buyer varchar(9), town varchar(9))")
    any_database.insert("buyers", [("a", "서울"), ("b", "부산"), ("c", None)])
    any_database.insert("orders", [row(1, "a", 1), row(2, "b", 1)])
    first = pull(any_database, users="buyers")
    keep(any_database, first)
    any_database.run("DELETE FROM buyers WHERE buyer = 'b'", "UPDATE buyers SET town = '대구'")
    any_database.run("DELETE FROM orders WHERE buyer = 'b'")
    any_database.insert("orders", [row(3, "c", 2)])
    second = pull(any_database, first.data, users="buyers")
    assert (second.new, second.missed, second.gone) == (1, -1, 1)
    assert second.data.users.ids.to_pylist() == ["a", "c"]
    assert second.data.user_features is not None
    assert second.data.user_features.column("town").to_pylist() == ["대구", "대구"]
    full = pull(any_database, users="buyers")
    assert second.data.fingerprint == full.data.fingerprint
    assert second.data.positions.tolist() == [0, 2]  # of all rows ever read


def test_the_mark_is_written_with_the_run_or_not_at_all(any_database: EmptyDatabase) -> None:
    prepare(any_database)
    any_database.insert("orders", [row(1), row(2, thing=2)])
    first = pull(any_database)
    with Store(any_database.url) as store:
        wrong = LISTS.set_column(3, "score", pa.array([float("nan")]))
        with pytest.raises(InputError, match="score is nan"):
            store.write(wrong, model="m", mark=first.mark)
    assert any_database.run("SELECT count(*) FROM recommendation_marks") == [(0,)]
    with pytest.raises(InputError, match="no run has left a mark for these tables"):
        pull(any_database, first.data)
    keep(any_database, first)
    assert any_database.run("SELECT run_id, last_seen, row_count FROM recommendation_marks") == [
        (1, "2", 2)
    ]


@pytest.mark.slow
def test_earlier_data_that_does_not_match_the_mark(database: EmptyDatabase) -> None:
    prepare(database)
    database.insert("orders", [row(1), row(2, thing=2)])
    first = pull(database)
    keep(database, first)
    with pytest.raises(InputError) as caught:
        pull(database, first.data.select(first.data.item_rows == 0))
    assert str(caught.value) == (
        "the earlier data is not the data of the last run\n"
        "  where: 1 interactions; the mark is at 2\n"
        "  to do: give the data of that run's model (sl.load(bundle).data), or pull everything: "
        "leave earlier (--since) out"
    )
    with pytest.raises(InputError, match="no run has left a mark for these tables and columns"):
        pull(database, first.data, weight=None)


def test_columns_that_cannot_be_followed(any_database: EmptyDatabase) -> None:
    prepare(any_database)
    any_database.run("INSERT INTO orders VALUES (1, 'a', 1, 1.5, '2024-05-01 00:00:00')")
    any_database.run("INSERT INTO orders VALUES (NULL, 'a', 1, 1.5, '2024-05-01 00:00:00')")
    with pytest.raises(InputError, match="1 rows have no value in 'no': they would never be"):
        pull(any_database)
    with pytest.raises(InputError, match="new rows cannot be found along a column of"):
        pull(any_database, by="amount")
    with pytest.raises(InputError, match="has no column 'nr'"):
        pull(any_database, by="nr")
    any_database.run("DELETE FROM orders WHERE no IS NULL")
    with pytest.raises(ConfigError, match="means cannot be merged"):
        pull(any_database, pull(any_database).data, repeats="mean")


@pytest.mark.slow
def test_ids_that_changed_their_type(postgres: EmptyDatabase) -> None:
    prepare(postgres)
    postgres.insert("orders", [row(1, "1"), row(2, "2")])
    first = pull(postgres)
    keep(postgres, first)
    postgres.run("ALTER TABLE orders ALTER COLUMN buyer TYPE integer USING buyer::integer")
    postgres.insert("orders", [(3, 3, 1, 1.0, "2024-05-01")])
    with pytest.raises(InputError) as caught:
        pull(postgres, first.data)
    assert str(caught.value).startswith("the user ids are int64 now; they were string")


BATCHES = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["가", "b", "C"]),
            st.integers(1, 3),
            st.integers(0, 64).map(float),
            st.integers(0, 4),
        ),
        max_size=6,
    ),
    min_size=1,
    max_size=4,
).filter(lambda batches: bool(batches[0]))


def every_pull_equals_a_full_one(
    database: EmptyDatabase, batches: list[list[Any]], repeats: str, timed: bool
) -> None:
    changes = {"repeats": repeats} | ({} if timed else {"time": None})
    earlier: Dataset | None = None
    number = 0
    with Store(database.url) as store:
        for batch in batches:
            rows = [row(number + n, *values) for n, values in enumerate(batch, start=1)]
            number += len(rows)
            if database.kind == "duckdb":  # nobody else can write to the file meanwhile
                for values in rows:
                    store._database.staging.execute(
                        "INSERT INTO orders VALUES (?, ?, ?, ?, ?)", values
                    )
            else:
                database.insert("orders", rows)
            pulled = store.pull("orders", **(COLUMNS | changes), earlier=earlier)
            assert pulled.new == len(rows)
            full = store.pull("orders", **(COLUMNS | changes))
            same(pulled.data, full.data)
            assert pulled.mark == full.mark
            store.write(LISTS, model="m", mark=pulled.mark)
            earlier = pulled.data


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> EmptyDatabase:
    database = new_database("duckdb", tmp_path_factory.mktemp("pull"), None)
    prepare(database)
    return database


@settings(max_examples=4)
@given(BATCHES, st.sampled_from(["last", "sum", "max"]), st.booleans())
def test_pulls_equal_a_full_pull(
    shared: EmptyDatabase, batches: list[list[Any]], repeats: str, timed: bool
) -> None:
    shared.run("DELETE FROM orders", "DELETE FROM recommendation_marks")
    every_pull_equals_a_full_one(shared, batches, repeats, timed)


SHOP = [
    [("가", 1, 2.0, 3), ("b", 2, 1.0, 0)],
    [("가", 1, 5.0, 1), ("C", 3, 0.0, 2), ("b", 2, 4.0, 0)],
    [],
    [("C", 3, 7.0, 4), ("가", 2, 1.0, 4)],
]


@pytest.mark.parametrize(
    "repeats", ["last", *(pytest.param(r, marks=pytest.mark.slow) for r in ("sum", "max"))]
)
def test_pulls_equal_a_full_pull_everywhere(database: EmptyDatabase, repeats: str) -> None:
    prepare(database)
    every_pull_equals_a_full_one(database, SHOP, repeats, timed=repeats != "max")


def test_pulls_from_a_store_of_version_1(tmp_path: Path) -> None:
    database = new_database("duckdb", tmp_path, None)
    Store.create(database.url, "runs").close()
    database.run(
        "DROP TABLE recommendation_marks",
        "DROP TABLE recorded_interactions",
        "DROP SEQUENCE recorded_interaction_id",
        "ALTER TABLE shortlist_store DROP COLUMN ddl",
        "UPDATE shortlist_store SET version = 1",
        "CREATE TABLE orders AS SELECT 1 AS no, 'a' AS buyer, 1 AS thing, 1.0 AS amount, "
        "TIMESTAMP '2024-05-01' AS moment",
    )
    with Store(database.url, read_only=True) as store:
        pulled = store.pull("orders", **COLUMNS)
        with pytest.raises(InputError, match="no run has left a mark"):
            store.pull("orders", **COLUMNS, earlier=pulled.data)
    assert keep(database, pulled) == 1
    assert pull(database, pulled.data).new == 0
    assert database.run("SELECT version FROM shortlist_store") == [(2,)]
