"""Tables of every kind become encoded arrays: kept ids, merged pairs, refused input."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.coding.pairs import Repeats
from shortlist.data.dataset import Dataset
from shortlist.errors import ConfigError, InputError
from shortlist.recommend.rules import Rules

SEOUL = dt.timezone(dt.timedelta(hours=9))
LOG = pa.table(
    {
        "user_id": ["나래", "가람", "나래", "가람", "나래"],
        "item_id": [30, 10, 10, 20, 30],
        "stars": [4.5, 3.0, 0.0, 5.0, 1.5],
        "at": [500, 100, 300, 200, 400],
    }
)
PEOPLE = pa.table({"user_id": ["다솜", "가람", "나래"], "age": [31, 25, 47]})
FILMS = pa.table({"item_id": [40, 10, 30, 20], "title": ["Heat", "Alien", "Cube", "Brazil"]})


def csv_file(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def as_csv(table: pa.Table, folder: Path, name: str) -> Path:
    pyarrow.csv.write_csv(table, folder / f"{name}.csv")
    return folder / f"{name}.csv"


def as_parquet(table: pa.Table, folder: Path, name: str) -> Path:
    pyarrow.parquet.write_table(table, folder / f"{name}.parquet")
    return folder / f"{name}.parquet"


def as_relation(table: pa.Table, folder: Path, name: str) -> duckdb.DuckDBPyRelation:
    connection = duckdb.connect(str(folder / f"{name}.duckdb"))
    connection.register("given", table)
    connection.execute("CREATE TABLE kept AS FROM given")
    return connection.table("kept")


FORMS: dict[str, Callable[[pa.Table, Path, str], Any]] = {
    "arrow": lambda table, folder, name: table,
    "batches": lambda table, folder, name: pa.concat_tables([table.slice(0, 2), table.slice(2)]),
    "reader": lambda table, folder, name: table.to_reader(),
    "pandas": lambda table, folder, name: table.to_pandas(),
    "polars": lambda table, folder, name: pl.from_arrow(table),
    "relation": as_relation,
    "csv": as_csv,
    "csv as text": lambda table, folder, name: str(as_csv(table, folder, name)),
    "parquet": as_parquet,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_kind_of_table_gives_the_same_data_set(
    form: Callable[[pa.Table, Path, str], Any], tmp_path: Path
) -> None:
    data = Dataset.from_tables(
        form(LOG, tmp_path, "log"),
        form(PEOPLE, tmp_path, "people"),
        form(FILMS, tmp_path, "films"),
        weight="stars",
        time="at",
    )
    assert data.users.ids.to_pylist() == ["가람", "나래", "다솜"]
    assert data.items.ids.to_pylist() == [10, 20, 30, 40]
    assert data.items.ids.type == pa.int64()
    assert data.user_rows.tolist() == [0, 0, 1, 1]
    assert data.item_rows.tolist() == [0, 1, 0, 2]
    assert data.weights.tolist() == [3.0, 5.0, 0.0, 4.5]
    assert data.times is not None
    assert data.times.tolist() == [100_000_000, 200_000_000, 300_000_000, 500_000_000]
    assert data.positions.tolist() == [1, 3, 2, 0]
    assert data.user_features is not None
    assert data.user_features.to_pydict() == {"age": [25, 47, 31]}
    assert data.item_features is not None
    assert data.item_features.to_pydict() == {"title": ["Alien", "Brazil", "Cube", "Heat"]}
    kinds = [data.user_rows.dtype, data.item_rows.dtype, data.weights.dtype]
    assert kinds == [np.int32, np.int32, np.float32]
    assert [data.times.dtype, data.positions.dtype] == [np.int64, np.int64]


def test_without_weight_and_time_each_pair_counts_one() -> None:
    data = Dataset.from_tables(LOG)
    assert data.weights.tolist() == [1, 1, 1, 1]
    assert data.times is None
    assert data.positions.tolist() == [1, 3, 2, 4]  # of two equal pairs the last row
    assert data.user_features is None
    assert data.item_features is None


# --- ids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "kept"),
    [
        (["007", "7", " 7", "7 "], [" 7", "007", "7", "7 "]),
        (pa.array([2**64 - 1, 0], pa.uint64()), [0, 2**64 - 1]),
        (pa.array([-(2**63), 2**63 - 1]), [-(2**63), 2**63 - 1]),
        (pa.array([-128, 127], pa.int8()), [-128, 127]),
        (
            pa.array([uuid.UUID(int=5), uuid.UUID(int=3)]),
            ["00000000-0000-0000-0000-000000000003", "00000000-0000-0000-0000-000000000005"],
        ),
        (pa.array(["b", "a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array([4, 2, 4]).dictionary_encode(), [2, 4]),
    ],
    ids=["text", "uint64", "int64", "int8", "uuid", "dictionary", "dictionary of numbers"],
)
def test_ids_of_every_type(column: Any, kept: list[Any]) -> None:
    log = pa.table({"user_id": column, "item_id": column})
    data = Dataset.from_tables(log, users=log.select(["user_id"]).slice(0, len(kept)))
    assert data.users.ids.to_pylist() == kept
    assert data.items.ids.to_pylist() == kept


def test_categories_of_pandas_and_polars() -> None:
    names, rows = ["b", "a", "b"], [1, 2, 3]
    for frame in (
        pd.DataFrame(
            {"user_id": pd.Categorical(names, categories=["c", "b", "a"]), "item_id": rows}
        ),
        pl.DataFrame({"user_id": pl.Series(names, dtype=pl.Categorical), "item_id": rows}),
        pl.DataFrame(
            {"user_id": pl.Series(names, dtype=pl.Enum(["c", "b", "a"])), "item_id": rows}
        ),
        duckdb.sql("SELECT unnest(['b', 'a', 'b'])::ENUM ('c', 'b', 'a') AS user_id, 1 AS item_id"),
    ):
        assert Dataset.from_tables(frame).users.ids.to_pylist() == ["a", "b"]


def test_a_filtered_pandas_frame_keeps_its_rows_not_its_index() -> None:
    frame = LOG.to_pandas().iloc[[4, 1]]
    data = Dataset.from_tables(frame)
    assert data.to_arrow().column("item_id").to_pylist() == [10, 30]
    assert data.positions.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ([1.0, 2.5], "DOUBLE"),
        ([1.0, float("inf")], "DOUBLE"),
        ([1.0, 2.0**53 + 2], "DOUBLE"),
        ([1.0, 2.0**53], "DOUBLE"),  # may have been 2**53 + 1
        ([True, False], "BOOLEAN"),
        ([dt.date(2024, 1, 1)] * 2, "DATE"),
        ([decimal.Decimal("1.0")] * 2, "DECIMAL(2,1)"),
        ([b"a", b"b"], "BLOB"),
        ([[1], [2]], "BIGINT[]"),
    ],
)
def test_ids_that_cannot_be_kept_are_refused(column: list[Any], kind: str) -> None:
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(pa.table({"user_id": column, "item_id": [1, 2]}))
    assert str(caught.value) == (
        f"ids of type {kind} cannot be kept exactly\n"
        "  where: interactions, column 'user_id'\n"
        "  to do: cast the column to 64-bit integers or to text"
    )


def test_ids_of_mixed_types_are_refused() -> None:
    frame = pd.DataFrame({"user_id": ["b", 1], "item_id": [3, 4]})
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(frame)
    assert str(caught.value).startswith("interactions: cannot read the frame: Expected bytes")
    assert "user_id" in str(caught.value)
    assert str(caught.value).endswith("numbers, text, times, or lists of these")


def test_numbers_in_a_text_file_become_numbers_only_where_nothing_is_lost(tmp_path: Path) -> None:
    log = csv_file(tmp_path, "log.csv", "user_id,item_id", "7,18446744073709551615", "8,007")
    data = Dataset.from_tables(log)
    assert data.users.ids.to_pylist() == [7, 8]
    assert data.items.ids.to_pylist() == ["007", "18446744073709551615"]


def test_numbers_of_a_text_file_are_text_where_the_other_table_has_text(tmp_path: Path) -> None:
    numbers = csv_file(tmp_path, "log.csv", "user_id,item_id", "10,1", "9,1")
    people = pa.table({"user_id": ["9", "007", "10"], "age": [1, 2, 3]})
    data = Dataset.from_tables(numbers, users=people)
    assert data.users.ids.to_pylist() == ["007", "10", "9"]
    assert data.user_features is not None
    assert data.user_features.to_pydict() == {"age": [2, 3, 1]}
    listed = csv_file(tmp_path, "people.csv", "user_id,age", "9,1", "10,3")
    text = pa.table({"user_id": ["10", "9"], "item_id": [1, 1]})
    assert Dataset.from_tables(text, users=listed).users.ids.to_pylist() == ["10", "9"]


@pytest.mark.parametrize(
    ("log_ids", "listed_ids", "here", "there"),
    [([1, 2], ["1", "2"], "VARCHAR", "BIGINT"), (["1", "2"], [1, 2], "BIGINT", "VARCHAR")],
)
def test_numbers_and_text_are_not_the_same_ids(
    log_ids: list[Any], listed_ids: list[Any], here: str, there: str, tmp_path: Path
) -> None:
    log = as_parquet(pa.table({"user_id": log_ids, "item_id": [1, 2]}), tmp_path, "log")
    people = as_parquet(pa.table({"user_id": listed_ids}), tmp_path, "people")
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(log, users=people)
    assert str(caught.value) == (
        f"'user_id' is {here} here and {there} in the interactions\n"
        f"  where: users {people}, column 'user_id'\n"
        "  to do: cast one of them to the type of the other"
    )


def test_signed_and_unsigned_numbers_are_compared_exactly() -> None:
    signed, unsigned = pa.array([1, 2]), pa.array([2, 1, 2**64 - 1], pa.uint64())
    data = Dataset.from_tables(
        pa.table({"user_id": signed, "item_id": pa.array([2, 1], pa.uint64())}),
        users=pa.table({"user_id": unsigned}),
        items=pa.table({"item_id": [-1, 1, 2]}),
    )
    assert data.users.ids.to_pylist() == [1, 2, 2**64 - 1]
    assert data.items.ids.to_pylist() == [-1, 1, 2]
    assert data.item_rows.tolist() == [2, 1]


# --- column names ------------------------------------------------------------------------------

NAMES = [
    "select",
    "from",
    'the "id"',
    "it's",
    "이용자 번호",
    "a b",
    "user_id",
    "row",
    "rowid",
    "id",
]


@pytest.mark.parametrize("user_id", NAMES)
@pytest.mark.parametrize("item_id", ["order", "weight"])
def test_columns_may_have_any_name(user_id: str, item_id: str, tmp_path: Path) -> None:
    log = pa.table({user_id: [1, 2], item_id: [4, 3], "무게;": [2.0, 1.0], "time": [5, 6]})
    listed = pa.table({"position": ["x", "y"], user_id: [2, 1]})
    data = Dataset.from_tables(
        as_csv(log, tmp_path, "log"),
        users=listed,
        user_id=user_id,
        item_id=item_id,
        weight="무게;",
        time="time",
    )
    assert data.users.ids.to_pylist() == [1, 2]
    assert data.items.ids.to_pylist() == [3, 4]
    assert data.item_rows.tolist() == [1, 0]
    assert data.weights.tolist() == [2, 1]
    assert data.user_features is not None
    assert data.user_features.to_pydict() == {"position": ["y", "x"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"item_id": "iten_id"},
            "there is no column 'iten_id'\n  where: interactions {log}\n"
            "  to do: did you mean 'item_id'? Known: at, item_id, stars, user_id",
        ),
        ({"user_id": "who"}, "there is no column 'who'\n  where: interactions {log}"),
        ({"weight": "star"}, "there is no column 'star'\n  where: interactions {log}"),
        ({"time": "User_id"}, "there is no column 'User_id'\n  where: interactions {log}"),
    ],
)
def test_a_missing_column_is_named(arguments: dict[str, Any], message: str, tmp_path: Path) -> None:
    log = as_csv(LOG, tmp_path, "log")
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(log, **arguments)
    assert str(caught.value).startswith(message.format(log=log))


def test_a_column_missing_in_a_table_of_ids_is_named() -> None:
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(LOG, items=FILMS.rename_columns(["film_id", "title"]))
    assert str(caught.value) == (
        "there is no column 'item_id'\n  where: items\n"
        "  to do: did you mean 'film_id'? Known: film_id, title; "
        "name its id column item_id, or id"
    )


# --- features ----------------------------------------------------------------------------------


def test_features_survive_whatever_they_are_called() -> None:
    features: dict[str, list[Any]] = {
        "id": ["a", "b"],
        "row": [1, 2],
        "position": [3, 4],
        "rowid": [5, 6],
        "weight": [7, 8],
        "order by": [9, 0],
        "record_number": [12, 13],
        "record": [14, 15],
        "나이": [10, 11],
    }
    people = pa.table({"id": ["a", "b"], "user_id": [9, 8]} | features)
    twice = pa.concat_tables([people, people.slice(1)])
    for users in (people, twice):
        log = pa.table({"user_id": [8], "item_id": [1]})
        data = Dataset.from_tables(log, users=users, on_bad_row="skip")
        assert data.user_features is not None
        assert data.user_features.to_pydict() == {name: f[::-1] for name, f in features.items()}


def test_the_key_itself_may_be_called_id_or_row() -> None:
    log = pa.table({"id": [1, 1], "row": [5, 6]})
    films = pa.table({"row": [6, 5], "id": ["x", "y"]})
    data = Dataset.from_tables(log, items=films, user_id="id", item_id="row")
    assert data.item_features is not None
    assert data.item_features.to_pydict() == {"id": ["y", "x"]}


def test_features_of_every_type_are_kept() -> None:
    features: dict[str, list[Any]] = {
        "genres": [["Drama", "크라임"], None],
        "empty": [[], [1]],
        "born": [dt.date(1987, 5, 1), None],
        "seen": [dt.datetime(2024, 1, 1, 9, tzinfo=SEOUL), None],
        "place": [{"city": "서울", "floor": 3}, None],
        "photo": [b"\x00\xff", None],
        "price": [decimal.Decimal("9.90"), decimal.Decimal("0.10")],
        "open": [True, None],
        "nothing": [None, None],
        "score": [0.1, float("nan")],
    }
    films = pa.table({"item_id": [1, 2]} | features)
    data = Dataset.from_tables(pa.table({"user_id": [1], "item_id": [2]}), items=films)
    assert data.item_features is not None
    kept = data.item_features.to_pydict()
    assert np.isnan(kept["score"].pop())
    features["score"].pop()
    # The fields of a record are features of their own.
    del features["place"]
    features |= {"place.city": ["서울", None], "place.floor": [3, None]}
    assert kept == features


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_S"])
def test_times_without_end_are_the_first_and_the_last_day(kind: str) -> None:
    rows = (
        f"(1, CAST('-infinity' AS {kind})), (2, '9999-12-31 23:59:59'), (3, 'infinity'), (4, NULL)"
    )
    films = duckdb.sql(f"SELECT * FROM (VALUES {rows}) AS films(item_id, valid_to)")
    data = Dataset.from_tables({"user_id": [1], "item_id": [2]}, items=films)
    ends = data.item_table().column("valid_to").to_pylist()
    assert [end and (end.year, end.month, end.day) for end in ends] == [
        (1, 1, 1), (9999, 12, 31), (9999, 12, 31), None,
    ]  # fmt: skip
    assert kind == "DATE" or ends[1].second == 59
    assert Rules(where="valid_to > 2024-12-31").mask(data).tolist() == [False, True, True, False]
    assert Rules(as_of="2024-12-31").mask(data).tolist() == [False, True, True, True]


def test_a_table_of_ids_alone_has_no_features() -> None:
    data = Dataset.from_tables(LOG, users=PEOPLE.select(["user_id"]), items=FILMS)
    assert data.n_users == 3
    assert data.user_features is None


def test_ids_without_interactions_are_known() -> None:
    data = Dataset.from_tables(LOG, PEOPLE, FILMS)
    assert data.item_counts.tolist() == [2, 1, 1, 0]
    assert data.user_counts.tolist() == [2, 2, 0]


# --- repeated pairs ----------------------------------------------------------------------------

Row = tuple[int, int, float, int]
ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 40).map(lambda quarter: quarter / 4),  # sums of these are exact
        st.integers(-2, 2),
    ),
    min_size=1,
    max_size=40,
)


def naive(rows: list[Row], repeats: Repeats, timed: bool) -> list[tuple[int, int, float, int]]:
    """User, item, weight and position of each pair."""
    runs: dict[tuple[int, int], list[int]] = {}
    for index, (user, item, _, _) in enumerate(rows):
        runs.setdefault((user, item), []).append(index)
    merged = []
    for (user, item), members in sorted(runs.items()):
        last = max(members, key=lambda index: (rows[index][3] if timed else 0, index))
        weights = [rows[index][2] for index in members]
        rules = {
            "last": rows[last][2],
            "sum": sum(weights),
            "max": max(weights),
            "mean": float(np.float32(sum(weights) / len(weights))),
        }
        merged.append((user, item, rules[repeats], last))
    return merged


@settings(max_examples=20, deadline=None)
@given(rows=ROWS, timed=st.booleans(), repeats=st.sampled_from(["last", "sum", "max", "mean"]))
def test_repeated_pairs_are_merged_by_the_rule(
    rows: list[Row], timed: bool, repeats: Repeats
) -> None:
    names = ["user_id", "item_id", "w", "t"]
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    data = Dataset.from_tables(
        pa.table(columns), weight="w", time="t" if timed else None, repeats=repeats
    )
    users = data.users.take(data.user_rows).to_pylist()
    items = data.items.take(data.item_rows).to_pylist()
    weights, positions = data.weights.tolist(), data.positions.tolist()
    assert list(zip(users, items, weights, positions, strict=True)) == naive(rows, repeats, timed)
    if timed:
        assert data.times is not None
        assert data.times.tolist() == [rows[index][3] * 1_000_000 for index in positions]


def test_repeats_without_a_weight_can_be_counted() -> None:
    data = Dataset.from_tables(LOG, repeats="sum")
    assert data.weights.tolist() == [1, 1, 1, 2]


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Dataset.from_tables(LOG, repeats="avg")  # type: ignore[arg-type]
    assert str(caught.value) == (
        "repeats='avg' is not a known rule\n  to do: use one of these: last, max, mean, sum"
    )


def test_many_rows_agree_with_numpy() -> None:
    # More rows than DuckDB hands over at a time, so that they come back out of order.
    rng = np.random.default_rng(3)
    n = 400_000
    users, items = rng.integers(0, 2_000, n), rng.integers(0, 700, n) * 10
    stars, times = rng.integers(0, 11, n) / 2, rng.integers(0, 1_000, n)
    log = pa.table({"user_id": [f"U{user:04}" for user in users], "item_id": items,
                    "w": stars, "t": times})  # fmt: skip
    data = Dataset.from_tables(log, weight="w", time="t")
    order = np.lexsort((np.arange(n), times, items, users))
    keys = users[order] * 10_000 + items[order]
    last = order[np.append(keys[1:] != keys[:-1], True)]
    np.testing.assert_array_equal(data.positions, last)
    np.testing.assert_array_equal(data.user_rows, users[last])
    np.testing.assert_array_equal(data.item_rows * 10, items[last])
    np.testing.assert_array_equal(data.weights, stars[last].astype(np.float32))
    np.testing.assert_array_equal(data.times, times[last] * 1_000_000)


# --- weights and times -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "column",
    [
        pa.array([2, 3], pa.uint8()),
        pa.array([2, 3], pa.uint64()),
        pa.array([2.0, 3.0], pa.float32()),
        pa.array([decimal.Decimal("2.00"), decimal.Decimal("3.00")]),
    ],
    ids=lambda column: str(column.type),
)
def test_weights_of_every_number(column: pa.Array) -> None:
    log = pa.table({"user_id": [1, 2], "item_id": [1, 2], "w": column})
    assert Dataset.from_tables(log, weight="w").weights.tolist() == [2, 3]


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), 1e39], ids=str)
def test_a_weight_must_be_finite(bad: float | None) -> None:
    log = pa.table({"user_id": [1] * 5, "item_id": [1, 2, 3, 4, 5], "w": [1, 0, bad, 2, bad]})
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(log, weight="w")
    what, remedy = "a weight must be a finite number", "drop the row, or correct its weight"
    if bad is None:
        what = "the weight is missing"
        remedy = "drop the row, fill it in, or leave out such rows: on_bad_row='skip'"
    assert str(caught.value) == (
        f"{what}\n  where: interactions, row 3 (and 1 more row), column 'w'\n  to do: {remedy}"
    )
    assert Dataset.from_tables(log.slice(0, 2), weight="w").weights.tolist() == [1, 0]


@pytest.mark.parametrize("column", [[dt.date(2024, 1, 1)] * 2, [[1], [2]]], ids=str)
def test_weights_of_another_type_are_refused(column: list[Any]) -> None:
    log = pa.table({"user_id": [1, 2], "item_id": [1, 2], "w": column})
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(log, weight="w")
    assert str(caught.value).endswith(
        " are not numbers\n  where: interactions, column 'w'\n"
        "  to do: cast the column to a number, or pass weight=None"
    )


def test_a_word_among_the_weights_of_a_file_is_refused(tmp_path: Path) -> None:
    log = csv_file(tmp_path, "log.csv", "user_id,item_id,w", "1,1,5", "1,2,", "1,3,good", "2,1,bad")
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(log, weight="w")
    assert str(caught.value) == (
        "2 kinds of rows cannot be used\n"
        "1. the weight is missing\n"
        f"  where: interactions {log}, row 3, column 'w'\n"
        "  to do: drop the row, fill it in, or leave out such rows: on_bad_row='skip'\n"
        "2. 'good' is not a number\n"
        f"  where: interactions {log}, row 4 (and 1 more row), column 'w'\n"
        "  to do: correct the value, or leave the row out\n"
        '  to do: correct the rows, or leave all of them out: on_bad_row="skip"'
    )


HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([3600, -3600]), [HOUR, -HOUR]),
        (pa.array([100, -100], pa.int8()), [100_000_000, -100_000_000]),
        (pa.array([1.25, -0.000001]), [1_250_000, -1]),
        (pa.array([decimal.Decimal("1.5"), decimal.Decimal("-2.5")]), [1_500_000, -2_500_000]),
        (pa.array([dt.date(1970, 1, 2), dt.date(1969, 12, 31)]), [24 * HOUR, -24 * HOUR]),
        (pa.array([3600, -3600], pa.timestamp("s")), [HOUR, -HOUR]),
        (pa.array([3_600_000, 1], pa.timestamp("ms")), [HOUR, 1_000]),
        (pa.array([HOUR * 1_000, 5_000], pa.timestamp("ns")), [HOUR, 5]),
        (
            pa.array([dt.datetime(1970, 1, 1, 10, tzinfo=SEOUL), dt.datetime(1970, 1, 1)]),
            [HOUR, 0],
        ),
        (pa.array([HOUR, -HOUR], pa.timestamp("us", tz="Asia/Seoul")), [HOUR, -HOUR]),
        (pa.array([HOUR * 1_000, -5_000], pa.timestamp("ns", tz="America/New_York")), [HOUR, -5]),
        (pa.array([197001010100, 196912312300]), [HOUR, -HOUR]),  # yyyymmddhhmm
        (pa.array([197002, 196912]), [31 * 24 * HOUR, -31 * 24 * HOUR]),  # yyyymm
        (pa.array([197002, 196913]), [197_002_000_000, 196_913_000_000]),  # there is no month 13
        (pa.array([19700101010000, 19691231235959]), [HOUR, -1_000_000]),
        (pa.array(["19700101010000", "19691231230000"]), [HOUR, -HOUR]),
        (
            pa.array([253_402_300_799, -62_135_596_800]),
            [253_402_300_799_000_000, -62_135_596_800_000_000],
        ),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_times_of_every_type_become_microseconds(column: pa.Array, expected: list[int]) -> None:
    log = pa.table({"user_id": [1, 2], "item_id": [1, 2], "t": column})
    data = Dataset.from_tables(log, time="t")
    assert data.times is not None
    assert data.times.tolist() == expected


def test_times_written_in_a_file(tmp_path: Path) -> None:
    lines = ["1,1,1970-01-01T01:00:00", "1,2,1970-01-01T10:00:00+09:00", "2,1,1970-01-02"]
    data = Dataset.from_tables(csv_file(tmp_path, "a.csv", "user_id,item_id,t", *lines), time="t")
    assert data.times is not None
    assert data.times.tolist() == [HOUR, HOUR, 24 * HOUR]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([5, None]),
        pa.array([5, 1_700_000_000_000]),  # milliseconds
        pa.array([5, 253_402_300_800]),
        pa.array([5, -(2**63)]),
        pa.array([5, -62_135_596_801]),  # the year 0
        pa.array([5.0, -62_135_596_801]),
        pa.array([5, -62_135_596_801], pa.timestamp("s")),
        pa.array([5, 2**64 - 1], pa.uint64()),
        pa.array([5.0, float("nan")]),
        pa.array([5.0, float("inf")]),
        pa.array([5, None], pa.timestamp("us")),
        pa.array([5, 2**40], pa.timestamp("s")),
        pa.array([5, 2**62], pa.timestamp("ms")),
    ],
    ids=lambda column: str(column.type),
)
def test_a_time_must_be_present_and_in_the_years_1_to_9999(column: pa.Array) -> None:
    log = pa.table({"user_id": [1, 2], "item_id": [1, 2], "t": column})
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(log, time="t")
    assert str(caught.value) == (
        "a time is missing, or not in the years 1 to 9999: from -62135596800 to 253402300799 "
        "seconds since 1970\n"
        "  where: interactions, row 2, column 't'\n"
        "  to do: drop the row, or correct its time; divide milliseconds by 1,000"
    )


@pytest.mark.parametrize("column", [[True], [dt.time(1)], [dt.timedelta(1)], [[1]]], ids=str)
def test_times_of_another_type_are_refused(column: list[Any]) -> None:
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(pa.table({"user_id": [1], "item_id": [1], "t": column}), time="t")
    assert str(caught.value).endswith(
        " are neither timestamps nor seconds since 1970\n  where: interactions, column 't'\n"
        "  to do: cast the column to a timestamp"
    )


def test_a_word_among_the_times_of_a_file_is_refused(tmp_path: Path) -> None:
    log = csv_file(tmp_path, "log.csv", "user_id,item_id,t", "1,1,2024-01-01", "1,2,soon", "1,3,5")
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(log, time="t")
    assert str(caught.value) == (
        "'soon' is not a date, a time, or seconds since 1970\n"
        f"  where: interactions {log}, row 3 (and 1 more row), column 't'\n"
        "  to do: correct the value, or leave the row out"
    )


# --- invalid rows ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["user_id", "item_id"])
def test_a_missing_id_is_refused(key: str) -> None:
    ids = {"user_id": ["a", "b", "c", "d"], "item_id": [1, 2, 3, 4]} | {key: [None, "b", None, "d"]}
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(pa.table(ids).slice(1))
    assert str(caught.value) == (
        f"the {key.removesuffix('_id')} id is missing\n"
        f"  where: interactions, row 2, column '{key}'\n"
        "  to do: drop the row, fill it in, or leave out such rows: on_bad_row='skip'"
    )


def test_rows_of_a_text_file_are_its_lines(tmp_path: Path) -> None:
    lines = ["user_id,item_id,w", '"a', 'b",1,2', "", "c,2,inf"]
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(csv_file(tmp_path, "log.csv", *lines), weight="w")
    assert "log.csv, row 5, column 'w'" in str(caught.value)


def test_rows_of_a_parquet_file_are_counted_from_one(tmp_path: Path) -> None:
    log = pa.table({"user_id": [1, 2], "item_id": [1, 2], "w": [1, float("inf")]})
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(as_parquet(log, tmp_path, "log"), weight="w")
    assert "log.parquet, row 2, column 'w'" in str(caught.value)


def test_a_missing_id_in_a_list_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(LOG, items=pa.table({"item_id": [10, None, 30, None, None]}))
    assert str(caught.value) == (
        "2 kinds of rows cannot be used\n"
        "1. the item id is missing\n"
        "  where: items, row 2 (and 2 more rows), column 'item_id'\n"
        "  to do: drop the row, fill it in, or leave out such rows: on_bad_row='skip'\n"
        "2. item 20 has interactions but is not listed in items\n"
        "  where: interactions, row 4, column 'item_id'\n"
        "  to do: add the missing items, or leave their interactions out\n"
        '  to do: correct the rows, or leave all of them out: on_bad_row="skip"'
    )


def test_an_id_listed_twice_is_refused(tmp_path: Path) -> None:
    lines = ["user_id,age", "가람,1", "나래,2", "가람,3", "나래,4", "가람,5"]
    people = csv_file(tmp_path, "people.csv", *lines)
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(LOG, users=people)
    assert str(caught.value) == (
        "user '가람' is listed 3 times instead of once\n"
        f"  where: users {people}, row 4, column 'user_id'\n"
        "  to do: keep one row for each id, or leave out the others: on_bad_row='skip'"
    )


def test_an_interaction_with_an_unlisted_id_is_refused(tmp_path: Path) -> None:
    log = as_csv(LOG, tmp_path, "log")
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(log, items=FILMS.slice(2))
    assert str(caught.value) == (
        "item 10 has interactions but is not listed in items\n"
        f"  where: interactions {log}, row 3, column 'item_id'\n"
        "  to do: add the missing items, or leave their interactions out"
    )
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(log, items=FILMS.slice(0, 1))
    assert str(caught.value).startswith(
        "item 30 has interactions but is not listed in items (3 such items)\n"
        f"  where: interactions {log}, row 2, column 'item_id'"
    )


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 2**60, 50_000)
    path = as_parquet(pa.table({"user_id": ids, "item_id": ids}), tmp_path, "log")
    content = bytearray(path.read_bytes())
    content[1_000:200_000] = b"\x55" * 199_000  # the footer is whole, the pages are not
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(path)
    assert str(caught.value).startswith(
        "log.parquet is not a complete Parquet file: it is truncated or damaged"
    )


def test_no_rows_are_refused() -> None:
    with pytest.raises(InputError, match="interactions: the table has no rows"):
        Dataset.from_tables(LOG.slice(0, 0))
    with pytest.raises(InputError, match="items: the table has no rows"):
        Dataset.from_tables(LOG, items=FILMS.slice(0, 0))


def test_an_object_that_is_not_a_table_is_refused() -> None:
    with pytest.raises(InputError, match="cannot read a table from an object of type list"):
        Dataset.from_tables([1, 2])
    with pytest.raises(InputError, match="interactions: cannot read the frame"):
        Dataset.from_tables({"user_id": [1], "item_id": object()})


def test_ids_that_look_the_same_are_pointed_out() -> None:
    users = ["a", "a ", "caf\u00e9", "cafe\u0301", "b"]
    data = Dataset.from_tables({"user_id": users, "item_id": ["x", " y", "y", "x", "x"]})
    assert list(data.users) == sorted(users)  # they stay as they are
    assert data.notes == (
        "users: 2 ids differ from others only in blanks or in how accents are stored: 'a' and 'a '",
        "items: 1 id differs from another only in blanks or in how accents are stored: "
        "' y' and 'y'",
    )
    data = Dataset.from_tables({"user_id": users[2:4], "item_id": [1, 2]})
    assert data.notes[0].endswith(r"'cafe\u0301' and 'caf\xe9'")


def test_a_column_is_named_by_a_text() -> None:
    frame = pd.DataFrame([[1, 2], [3, 4]])
    with pytest.raises(ConfigError) as error:
        Dataset.from_tables(frame, user_id=0, item_id="1")  # type: ignore[arg-type]
    assert str(error.value) == (
        "user_id=0 is not the name of a column: names are text\n"
        "  to do: pass user_id='0', also where pandas numbers the columns"
    )
    assert Dataset.from_tables(frame, user_id="0", item_id="1").n_users == 2
