"""Feature columns that hold numbers, dates and records in text."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from shortlist.data.coding.tidy import flattened, flattened_values
from shortlist.data.dataset import Dataset
from shortlist.data.rules.given_values import given_value
from shortlist.data.written.numbers import read_range
from shortlist.errors import InputError
from shortlist.models.hybrid.model import Hybrid
from shortlist.models.popularity import Popularity
from shortlist.models.registry import load
from shortlist.recommend.query import Query


def with_items(**columns: list[Any]) -> Dataset:
    count = len(next(iter(columns.values())))
    items = {"item_id": list(range(count))} | columns
    return Dataset.from_tables({"user_id": [1], "item_id": [0]}, items=items)


def features(**columns: list[Any]) -> dict[str, list[Any]]:
    table = with_items(**columns).item_features
    assert table is not None
    read: dict[str, list[Any]] = table.to_pydict()
    return read


def test_numbers_are_read_and_said() -> None:
    pay = ["3,500만원", "2,800만원", "협의", "3,500만원", None]
    data = with_items(pay=pay, price=["12,90 €", "1.250,00 €", "3,00 €", "4,50 €", "0,99 €"])
    assert data.item_features is not None
    assert data.item_features.to_pydict() == {
        "pay": [35_000_000, 28_000_000, None, 35_000_000, None],
        "price": [12.9, 1250.0, 3.0, 4.5, 0.99],
    }
    assert data.notes == (
        "items: read as numbers: pay ('3,500만원' is 35,000,000; missing in 1 row: '협의'); "
        "price ('12,90 €' is 12.9)",
    )


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["2023.05.01", "2023.06.30"], dt.datetime(2023, 5, 1)),
        (["31.05.2023", "01.06.2023"], dt.datetime(2023, 5, 31)),
        (["05/31/2023", "06/01/2023"], dt.datetime(2023, 5, 31)),
        (["2023년 5월 1일", "2023년 6월 30일"], dt.datetime(2023, 5, 1)),
        (["2023.05.01 18:30", "2023.06.30 09:00"], dt.datetime(2023, 5, 1, 18, 30)),
        (["2023-05-01", "2023-06-30", "2023-07-01", "until filled"], dt.datetime(2023, 5, 1)),
        (["2023-05-01T09:30:00+09:00", "2023-05-01T00:00:00Z"], dt.datetime(2023, 5, 1, 0, 30)),
    ],
)
def test_dates_are_read(texts: list[str], first: dt.datetime) -> None:
    read = features(posted=texts)["posted"]
    assert read[0] == first
    assert (read[-1] is None) == (texts[-1] == "until filled")


def test_the_end_of_a_life_span_may_be_words() -> None:
    data = with_items(valid_to=["2023.05.01", "상시채용", "2023.06.30", "2023.07.01"])
    assert data.life_spans is not None
    assert data.life_spans.live(1_700_000_000_000_000).tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    "texts",
    [
        ["03/04/2023", "05/06/2023"],  # nobody can tell
        ["12", "13"],
        ["A4", "B5"],
        ["010-1234-5678", "010-9876-5432"],
        ["3천~4천만원", "2천~3천만원"],
        ["1-50", "51-200"],
        ["2023.05.01", "2023.13.45"],
    ],
)
def test_other_text_stays(texts: list[str]) -> None:
    data = with_items(text=texts)
    assert data.item_features is not None
    assert data.item_features.to_pydict() == {"text": texts}
    assert data.notes == ()


def test_ranges_become_their_ends() -> None:
    data = with_items(
        pay=["3,000~4,000만원", "3,500만원", "협의", "2,800 ~ 3,000만원"],
        years=["3-5 years", "10-12 years", "1 - 2 years", None],
        wage=["$85k-$105k", "$90-95k", "$80k to $100k", "$70k"],
    )
    assert data.item_features is not None
    assert data.item_features.to_pydict() == {
        "pay.min": [30_000_000, 35_000_000, None, 28_000_000],
        "pay.max": [40_000_000, 35_000_000, None, 30_000_000],
        "years.min": [3, 10, 1, None],
        "years.max": [5, 12, 2, None],
        "wage.min": [85_000, 90_000, 80_000, 70_000],
        "wage.max": [105_000, 95_000, 100_000, 70_000],
    }
    assert data.notes[0].startswith(
        "items: read as numbers: pay.min ('3,000만원' is 30,000,000; missing in 1 row: '협의'); "
    )


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("3,000~4,000만원", ("3,000만원", "4,000만원")),
        ("€40k – €50k", ("€40k", "€50k")),
        ("경력 3~5년", ("경력 3년", "경력 5년")),
        ("40.000 bis 50.000 €", ("40.000 €", "50.000 €")),
        ("6개월~2년", ("6개월", "2년")),
        ("1년 6개월 ~ 3년", ("1년 6개월", "3년")),
        ("5천만원~1억 2천만원", ("5천만원", "1억 2천만원")),
        ("3만~4만원", ("3만", "4만원")),
        ("3천~4천만원", None),
        ("1~1억 5천만원", None),
        ("2년~6개월", None),
        ("$85k - €105k", None),
        ("3 kg - 5 m", None),
        ("$5", None),
        ("5-3 years", None),
        ("12-34", None),
        ("2023-05-01", None),
        ("-5 €", None),
        ("5-", None),
    ],
)
def test_the_ends_of_a_range(text: str, ends: tuple[str, str] | None) -> None:
    assert read_range(text) == ends


def test_both_ends_of_ranges_have_one_unit() -> None:
    read = features(work=["6개월~2년", "3년~5년", "1년 6개월~3년", "신입"])
    assert read == {"work.min": [6, 36, 18, 0], "work.max": [24, 60, 36, 0]}


def test_units_that_convert_become_one_and_the_note_says_which() -> None:
    data = with_items(
        work=["1년", "3년 6개월", "신입", "11개월"], size=["1 kg", "0.5 kg", "250 g", "2 kg"]
    )
    assert data.item_features is not None
    assert data.item_features.to_pydict() == {
        "work": [12, 42, 0, 11], "size": [1000, 500, 250, 2000],
    }  # fmt: skip
    assert data.notes == (
        "items: read as numbers: work ('1년' is 12 months); size ('1 kg' is 1,000 g)",
    )


def test_numbers_that_cannot_be_ordered_stay_text_with_a_note() -> None:
    pay = ["연봉 3,500만원", "월급 280만원", "시급 9,860원", "협의"]
    data = with_items(pay=pay)
    assert data.item_features is not None
    assert data.item_features.to_pydict() == {"pay": pay}
    assert data.notes == (
        "items: stays text, its numbers are not comparable: "
        "pay ('연봉 3,500만원' and '월급 280만원')",
    )


def test_rules_and_queries_are_read_in_the_unit_of_the_column(tmp_path: Path) -> None:
    people = {"user_id": [1, 2, 3], "work": ["1년", "3년 6개월", "신입"], "pay": ["$5", "$7", "$9"]}
    items = {"item_id": [0, 1, 2], "length": ["2 h", "45 min", "1 h 30 min"]}
    data = Dataset.from_tables({"user_id": [1, 2, 3], "item_id": [0, 1, 2]}, people, items)
    assert data.user_features is not None
    given = {"work": "2년 1개월", "pay": "$6"}
    read = {name: given_value(value, data.user_features, name) for name, value in given.items()}
    assert read == {"work": 25, "pay": 6}
    assert given_value("€6", data.user_features, "pay") == "€6"  # no dollars: then an error
    Popularity().fit(data).save(tmp_path / "bundle")
    model = load(tmp_path / "bundle")
    for where, kept in (
        ("length <= '1 hour'", [1]),
        ("length > 45min", [0, 2]),
        ({"length": ["2 h"]}, [0]),
    ):
        lists = model.recommend([1], where=where, exclude_seen=False)
        assert sorted(lists.to_arrow()["item_id"].to_pylist()) == kept
    hybrid = Hybrid().fit(data)
    with pytest.raises(InputError, match="feature 'pay' is '€6'; it has type int64, in USD"):
        hybrid.recommend(queries=[Query(features={"pay": "€6"})])
    with pytest.raises(
        InputError,
        match="'lt' cannot compare '3 kg' with feature 'length', which is int64, in minutes",
    ):
        model.recommend([1], where="length < '3 kg'")


def test_durations_are_seconds(tmp_path: Path) -> None:
    times = [dt.timedelta(minutes=90), None, dt.timedelta(days=-1, microseconds=500_000)]
    data = with_items(length=times)
    assert data.item_table().to_pydict()["length"] == [5400.0, None, -86_399.5]
    assert data.notes == ("items: durations, read as seconds: length",)
    Popularity().fit(data).save(tmp_path / "bundle")
    lists = load(tmp_path / "bundle").recommend([1], where="length >= 1h 30m", exclude_seen=False)
    assert lists.column("item_id") == [0]


def test_titles_stay() -> None:
    assert features(title=["300 €", "1,200 €"]) == {"title": ["300 €", "1,200 €"]}
    items = {"item_id": [0, 1], "film": ["$9.99", "$5.00"]}
    data = Dataset.from_tables({"user_id": [1], "item_id": [0]}, items=items, title="film")
    assert data.item_features is not None
    assert data.item_features["film"].to_pylist() == ["$9.99", "$5.00"]


def test_records_become_columns() -> None:
    assert features(
        company=[{"name": "Acme", "address": {"city": "Leeds"}}, None],
        skills=[[{"name": "sql", "level": 3}, {"name": "r", "level": None}], None],
        pay=[{"min": "$50k"}, {"min": "$60k"}],
    ) == {
        "company.name": ["Acme", None],
        "company.address.city": ["Leeds", None],
        "skills.name": [["sql", "r"], None],
        "skills.level": [[3, None], None],
        "pay.min": [50_000, 60_000],
    }


def test_records_of_a_slice_keep_their_rows() -> None:
    table = pa.table({"s": [[{"a": 1}], None, [{"a": 2}, {"a": 3}], []]}).slice(1)
    assert flattened(table).to_pydict() == {"s.a": [None, [2, 3], []]}


def test_a_field_named_like_a_column_is_kept() -> None:
    table = pa.table({"a.b": [1], "a": [{"b": 2}]})
    assert sorted(flattened(table).to_pydict().items()) == [("a.b", [1]), ("a.b (record)", [2])]


def test_records_in_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "jobs.jsonl"
    file.write_text('{"id": 0, "pay": {"min": "$50k"}}\n{"id": 1, "pay": {"min": "$65k"}}\n')
    data = Dataset.from_tables({"user_id": [1], "item_id": [0]}, items=file)
    assert data.item_features is not None
    assert data.item_features.to_pydict() == {"pay.min": [50_000, 65_000]}


def test_records_of_a_query() -> None:
    given = {"pay": {"min": 3, "at": {"city": "York"}}, "skills": [{"name": "r"}], "age": 7}
    assert flattened_values(given) == {
        "pay.min": 3, "pay.at.city": "York", "skills.name": ["r"], "age": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "column", "read"),
    [
        ("3,500만원", pa.array([1]), 35_000_000),
        ("3", pa.array([1]), "3"),  # digits in quotes are a mistake
        ("2023.05.01", pa.array([dt.date(2024, 1, 1)]), dt.datetime(2023, 5, 1)),
        ("soon", pa.array([dt.date(2024, 1, 1)]), "soon"),
        (["sql", "r"], pa.array(["java|c", "r"]), "sql| r"),
        (["sql", "r"], pa.array(["java, c"]), "sql, r"),
        (["sql"], pa.array([["r"]]), ["sql"]),
    ],
)
def test_a_value_takes_the_form_of_its_column(value: Any, column: pa.Array, read: Any) -> None:
    assert given_value(value, pa.table({"x": column}), "x") == read


def test_lists_of_fixed_length_are_lists_and_half_floats_are_numbers() -> None:
    items = pa.table(
        {
            "item_id": [0, 1],
            "tags": pa.array([["a", "b"], None], pa.list_(pa.string(), 2)),
            "parts": pa.array([[{"n": 1}], [{"n": 2}]], pa.list_(pa.struct({"n": pa.int8()}), 1)),
            "half": pa.array(np.array([0.5, 2], np.float16)),
        }
    )
    data = Dataset.from_tables({"user_id": [1, 2], "item_id": [0, 1]}, items=items)
    assert data.item_features is not None
    assert data.item_features.to_pydict() == {
        "tags": [["a", "b"], None], "parts.n": [[1], [2]], "half": [0.5, 2],
    }  # fmt: skip
    model = Popularity().fit(data)
    assert model.recommend([2], where="tags contains b").column("item_id") == [0]
    assert model.recommend([1], where="half > 1").column("item_id") == [1]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("union_value(n := 1)", r"'x' is of type sparse_union"),
        ("[union_value(n := 1)]", r"'x' is of type list<.*union"),
        ("[INTERVAL 1 DAY]", r"'x' is of type list<.*interval"),
        ("170141183460469231731687303715884105727::HUGEINT", "'x' has numbers beyond 38 digits"),
    ],
)
def test_features_that_bundles_cannot_hold_are_refused(value: str, problem: str) -> None:
    items = duckdb.sql(f"SELECT 0 AS item_id, {value} AS x")
    with pytest.raises(InputError, match=f"items: column {problem}.* cannot be kept"):
        Dataset.from_tables({"user_id": [1], "item_id": [0]}, items=items)


def test_sums_of_duckdb_are_numbers() -> None:
    items = duckdb.sql("SELECT item_id, sum(item_id + 2) AS x FROM range(2) t(item_id) GROUP BY 1")
    data = Dataset.from_tables({"user_id": [1], "item_id": [0]}, items=items)
    assert data.item_features is not None
    assert Popularity().fit(data).recommend([1], where="x == 3").column("item_id") == [1]


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1990", "NA", "1995", "NULL"], [1990, None, 1995, None]),
        (["-1.5", "n/a", "2", "None"], [-1.5, None, 2, None]),
        (["1990", "about 1995", "NA"], None),
        (["1990", "negotiable", "1995", "1996"], None),  # words besides plain numbers
        (["007", "NA", "008"], None),
        (["89820000000000000001", "NA"], None),
    ],
)
def test_plain_numbers_of_text_files_beside_words_for_missing(
    texts: list[str], values: list[Any] | None, tmp_path: Path
) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item_id,x\n" + "".join(f"{n},{text}\n" for n, text in enumerate(texts)))
    data = Dataset.from_tables({"user_id": [1], "item_id": [0]}, items=path)
    assert data.item_features is not None
    assert data.item_features["x"].to_pylist() == (texts if values is None else values)
    assert any("missing in" in note for note in data.notes) == (values is not None)
    assert features(x=texts) == {"x": texts}  # in a frame, text of digits may be codes


def test_dates_beside_words_for_missing() -> None:
    read = features(day=["2023-05-01", "NA", "NA", "n/a"])
    assert read == {"day": [dt.datetime(2023, 5, 1), None, None, None]}


def test_numbers_out_of_range_are_missing() -> None:
    data = with_items(
        price=[1.5, float("inf"), -1e101], place=[[1.0, 2.0], [float("-inf"), 1.0], None]
    )
    assert data.item_features is not None
    assert data.item_features.to_pydict() == {
        "price": [1.5, None, None],
        "place": [[1.0, 2.0], None, None],
    }
    assert data.notes == (
        "items: infinite or beyond 1e+100, taken as missing: price (2 rows); place (1 row)",
    )


def test_large_numbers_in_text_are_floats() -> None:
    assert features(x=["900000억원", "900000000000억원"]) == {"x": [9e13, 9e19]}


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_nanoseconds_become_microseconds(zone: str | None) -> None:
    late, early = 1_700_000_000_123_456_789, 1_600_000_000_000_000_001
    kind = pa.timestamp("ns", zone)
    items = pa.table(
        {
            "item_id": [0, 1, 2],
            "seen": pa.array([late, early, None], kind),
            "all": pa.array([[late], [], None], pa.list_(kind)),
            "row": pa.array([{"seen": late}, None, None], pa.struct([("seen", kind)])),
            "opens": pa.array([1_001, None, None], pa.time64("ns")),
            "takes": pa.array([1_500_000_001, None, None], pa.duration("ns")),
        }
    )
    data = Dataset.from_tables({"user_id": [1], "item_id": [0]}, items=items)
    assert data.item_features is not None
    times = pa.timestamp("us", zone)
    assert {field.name: field.type for field in data.item_features.schema} == {
        "seen": times,
        "all": pa.list_(times),
        "row.seen": times,
        "opens": pa.time64("us"),
        "takes": pa.float64(),
    }
    seen = data.item_features.column("seen").cast(pa.int64()).to_pylist()
    assert seen == [late // 1000, early // 1000, None]
    lists = Popularity().fit(data).recommend([1], k=3, where="seen < 2023-01-01")
    assert lists.table.column("item_id").to_pylist() == [1]


def test_nanoseconds_of_duckdb() -> None:
    with duckdb.connect() as db:
        items = db.sql("SELECT 0 AS item_id, TIMESTAMP_NS '2024-05-31 10:00:00.123456789' AS seen")
        data = Dataset.from_tables({"user_id": [1], "item_id": [0]}, items=items)
    assert data.item_features is not None
    assert data.item_features.to_pylist() == [{"seen": dt.datetime(2024, 5, 31, 10, 0, 0, 123456)}]
