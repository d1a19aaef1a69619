"""Input as shops have it: times of every form, odd numbers and ids, and rows that are bad."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shortlist.data.dataset import Dataset
from shortlist.data.formats import scan
from shortlist.errors import ConfigError, InputError, ShortlistError

DAY = 86_400_000_000
NEW_YEAR = 1_704_067_200_000_000  # 2024-01-01


def csv(folder: Path, *lines: str, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def times(column: Any, **options: Any) -> list[int]:
    n = len(column)
    frame = pd.DataFrame({"user_id": [1] * n, "item_id": range(n), "t": column})
    data = Dataset.from_tables(frame, time="t", **options)
    assert data.times is not None
    return [int(time) for time in data.times]


@pytest.mark.parametrize("text", [False, True], ids=["numbers", "text"])
@pytest.mark.parametrize(
    "numbers",
    [
        [20240101, 20240102],
        [1_704_067_200, 1_704_153_600],
        [1_704_067_200_000, 1_704_153_600_000],
        [1_704_067_200_000_000, 1_704_153_600_000_000],
        [1_704_067_200_000_000_000, 1_704_153_600_000_000_000],
    ],
    ids=["yyyymmdd", "s", "ms", "us", "ns"],
)
def test_the_unit_of_numbers_is_recognised(numbers: list[int], text: bool, tmp_path: Path) -> None:
    expected = [NEW_YEAR, NEW_YEAR + DAY]
    column = list(map(str, numbers)) if text else numbers
    assert times(column) == expected
    log = csv(tmp_path, "user_id,item_id,t", *(f"1,{i},{n}" for i, n in enumerate(numbers)))
    data = Dataset.from_tables(log, time="t")
    assert data.times is not None
    assert data.times.tolist() == expected


def test_years_are_years() -> None:
    assert times([1970, 1971, 2024]) == [0, 365 * DAY, NEW_YEAR]
    assert times([1970.0, 2024.0]) == [0, NEW_YEAR]


@pytest.mark.parametrize(
    ("column", "row"),
    [
        ([20240101, 20240230, 20240102], 2),
        ([2019, 2020, 1_704_067_200], 3),
        ([1_704_067_200, 1_704_067_300, 1_704_067_300, 2019], 4),
        ([1_704_067_200, 1_704_067_300, 20240101], 3),
        ([1_704_067_200, 1_704_067_200_000], 2),
        (["2024-01-01", "2024-01-02", "7"], 3),
        (["2024-01-01", " ", "2024-01-02"], 2),
        (["2024-01-01", None, "2024-01-02"], 2),
        (["01/02/2024"], 1),
    ],
    ids=str,
)
def test_a_time_of_another_form_is_refused_with_its_row(column: list[Any], row: int) -> None:
    with pytest.raises(InputError, match=rf"row {row}\b"):
        times(column)


def test_the_same_text_is_read_from_a_file_and_from_a_frame(tmp_path: Path) -> None:
    texts = ["2024-01-01", "2024-01-02T00:00:00Z", "2024-01-01 09:00+09:00"]
    log = csv(tmp_path, "user_id,item_id,t", *(f"1,{i},{t}" for i, t in enumerate(texts)))
    data = Dataset.from_tables(log, time="t")
    assert data.times is not None
    assert data.times.tolist() == times(texts) == [NEW_YEAR, NEW_YEAR + DAY, NEW_YEAR]


@pytest.mark.parametrize(
    ("time_format", "text"),
    [
        ("%d/%m/%Y", "31/12/2024"),
        ("%m/%d/%Y", "12/31/2024"),
        ("%Y-%d-%m", "2024-31-12"),
        ("%Y%m%d", "20241231"),
        ("yyyymmdd", "20241231"),
        ("yyyymmddhhmm", "202412310000"),
        ("yyyymmddhhmmss", "20241231000000"),
        ("s", "1735603200"),
        ("ms", "1735603200000"),
        ("us", "1735603200000000"),
        ("ns", "1735603200000000000"),
    ],
)
def test_the_caller_says_how_times_are_written(time_format: str, text: str, tmp_path: Path) -> None:
    expected = [NEW_YEAR + 365 * DAY]
    assert times([text], time_format=time_format) == expected
    log = csv(tmp_path, "user_id,item_id,t", f"1,1,{text}")
    data = Dataset.from_tables(log, time="t", time_format=time_format)
    assert data.times is not None
    assert data.times.tolist() == expected


def test_a_unit_that_is_given_is_not_guessed() -> None:
    assert times([2019, 2020], time_format="s") == [2_019_000_000, 2_020_000_000]
    assert times([1, 2], time_format="ms") == [1_000, 2_000]
    assert times([-1, 1], time_format="ns") == [-1, 0]
    assert times([202412, 202501], time_format="yyyymm") == times(["2024-12-01", "2025-01-01"])


def test_short_years_are_no_iso_dates() -> None:
    """01/02/24 is not the 24th of February in the year 1."""
    with pytest.raises(
        InputError, match=r"'01/02/24' is not a date, a time(.|\n)*pass time_format"
    ):
        times(["2024-02-03", "01/02/24"])
    assert times(["01/02/24"], time_format="%d/%m/%y") == [1_706_745_600_000_000]
    assert times(["1850-01-01"]) == [-3_786_825_600_000_000]


def test_the_first_of_several_forms_that_reads_a_value_counts() -> None:
    texts = ["2024-03-05", "05/03/2024", "5 Mar 2024", "03/05/2024"]
    day, other = 1_709_596_800_000_000, 1_714_694_400_000_000  # 5 March and 3 May
    forms = "%Y-%m-%d|%d/%m/%Y|%m/%d/%Y|%d %b %Y"
    assert times(texts, time_format=forms) == [day, day, day, other]
    with pytest.raises(InputError, match=r"'5 Mar 2024' is not a time of the form '%Y-%m-%d\|%d/"):
        times(texts, time_format="%Y-%m-%d|%d/%m/%Y")
    with pytest.raises(ConfigError, match=r"time_format='%Y-%m-%d\|soon\|%Q' is not a format"):
        times(texts, time_format="%Y-%m-%d|soon|%Q")


@pytest.mark.parametrize("time_format", ["soon", "%Q", "", 7])
def test_an_unknown_form_of_times_is_refused(time_format: Any) -> None:
    with pytest.raises(ConfigError, match="time_format="):
        times([1], time_format=time_format)


def test_a_blank_does_not_change_the_type_of_a_column(tmp_path: Path) -> None:
    items = csv(tmp_path, "item_id,valid_to", "1,2024-05-01", "2,", name="items.csv")
    log = csv(tmp_path, "user_id,item_id", "1,1", "1,2")
    features = Dataset.from_tables(log, items=items).item_features
    assert features is not None
    assert features["valid_to"].to_pylist() == [dt.datetime(2024, 5, 1), None]


def test_one_column_has_one_role() -> None:
    log = pa.table({"u": [1, 2], "i": [1, 2]})
    for roles in (
        {"user_id": "u", "item_id": "u"},
        {"user_id": "u", "item_id": "i", "weight": "u"},
        {"user_id": "u", "item_id": "i", "weight": "i", "time": "i"},
    ):
        with pytest.raises(ConfigError, match="is named for two roles"):
            Dataset.from_tables(log, **roles)  # type: ignore[arg-type]


def test_integers_that_pandas_wrote_with_a_fraction_are_integers(tmp_path: Path) -> None:
    log = csv(tmp_path, "user_id,item_id", "17850.0,1", "17850,2", "7.0,1")
    users = csv(tmp_path, "user_id,age", "7,1", "17850,2", name="users.csv")
    data = Dataset.from_tables(log, users)
    assert data.users.ids.to_pylist() == [7, 17850]
    assert data.n_interactions == 3


@pytest.mark.parametrize("largest", [2048, -2050, np.inf])
def test_ids_that_half_floats_may_have_rounded(largest: float) -> None:
    ids = np.array([1, largest, np.nan], dtype=np.float16)
    log = pa.table({"user_id": [1, 2, 3], "item_id": ids})
    with pytest.raises(InputError, match="half floats are kept exactly below 2,048 only"):
        Dataset.from_tables(log)
    exact = pa.table({"user_id": [1, 2], "item_id": np.array([1, 2047], dtype=np.float16)})
    assert Dataset.from_tables(exact).items.ids.to_pylist() == [1, 2047]


def test_two_spellings_of_an_id_are_refused(tmp_path: Path) -> None:
    log = csv(tmp_path, "user_id,item_id", "C1,1", "17850,2", "17850.0,1")
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(log)
    assert str(caught.value).startswith(
        f"user '17850.0' is also written '17850'\n  where: interactions {log}, row 4"
    )


@pytest.mark.parametrize(
    ("texts", "decimal", "expected"),
    [
        (["3,5", "1.000,25", "7"], ",", [3.5, 1000.25, 7]),
        (["1\u00a0000,5", "1\u202f000", "1 000"], ",", [1000.5, 1000, 1000]),
        (["1,000", "$3.50", "2 €", "-0", "1e1"], ".", [1000, 3.5, 2, 0, 10]),
    ],
)
def test_numbers_as_people_write_them(
    texts: list[str], decimal: str, expected: list[float], tmp_path: Path
) -> None:
    frame = pd.DataFrame({"user_id": 1, "item_id": range(len(texts)), "w": texts})
    data = Dataset.from_tables(frame, weight="w", decimal=decimal)
    assert data.weights.tolist() == expected
    log = csv(tmp_path, "user_id;item_id;w", *(f"1;{i};{t}" for i, t in enumerate(texts)))
    read = Dataset.from_tables(log, weight="w", decimal=decimal)
    assert read.weights.tolist() == expected
    with pytest.raises(InputError, match=r"row 1.*\n.*pass decimal="):
        Dataset.from_tables(frame.iloc[[0]], weight="w")


def test_the_remedy_for_a_number_is_not_what_was_given() -> None:
    log = {"user_id": [1], "item_id": [1], "w": ["3.5"]}
    with pytest.raises(InputError, match=r"pass decimal='\.' for \$3\.50 and 1,000; or correct"):
        Dataset.from_tables(log, weight="w", decimal=",")


def test_truth_among_weights_is_explained() -> None:
    frame = pd.DataFrame({"user_id": [1], "item_id": [2], "w": ["true"]})
    with pytest.raises(InputError, match=r"'true' is not a number\n.*row 1.*\n.*write 1 for true"):
        Dataset.from_tables(frame, weight="w")


SALES = pd.DataFrame(
    {
        "customer": ["a", None, "b", "a", "c", "b"],
        "sku": [1, 2, 99, 2, 1, 2],
        "quantity": [2.0, 1.0, 5.0, np.inf, 1.0, 3.0],
        "day": ["2024-01-01"] * 4 + ["soon", "2024-01-03"],
    }
)
PRODUCTS = pd.DataFrame({"sku": [1, 2, 2], "price": [9.0, 8.0, 7.0]})


def shop(**options: Any) -> Dataset:
    return Dataset.from_tables(
        SALES,
        items=PRODUCTS,
        user_id="customer",
        item_id="sku",
        weight="quantity",
        time="day",
        **options,
    )


def test_every_kind_of_bad_row_is_in_one_error() -> None:
    with pytest.raises(InputError) as caught:
        shop()
    message = str(caught.value)
    assert message.startswith("5 kinds of rows cannot be used\n1. the user id is missing")
    for part in (
        "a weight must be a finite number\n  where: interactions, row 4,",
        "'soon' is not a date",
        "item 2 is listed 2 times instead of once\n  where: items, row 3,",
        "item 99 has interactions but is not listed in items",
        'on_bad_row="skip"',
    ):
        assert part in message


def test_bad_rows_are_left_out_and_counted() -> None:
    data = shop(on_bad_row="skip")
    clean = Dataset.from_tables(
        SALES.iloc[[0, 5]],
        items=PRODUCTS.iloc[:2],
        user_id="customer",
        item_id="sku",
        weight="quantity",
        time="day",
    )
    assert data.fingerprint == clean.fingerprint
    assert data.positions.tolist() == [0, 5]
    assert data.item_features is not None
    assert data.item_features.to_pylist() == [{"price": 9.0}, {"price": 8.0}]
    assert [(s.table, s.column, s.count, s.rows) for s in data.skipped] == [
        ("interactions", "customer", 1, (2,)),
        ("interactions", "quantity", 1, (4,)),
        ("interactions", "day", 1, (5,)),
        ("items", "sku", 1, (3,)),
        ("interactions", "sku", 1, (3,)),
    ]
    assert str(data.skipped[0]) == (
        "interactions: left out 1 row (2), column 'customer': the user id is missing"
    )


def test_skipping_changes_nothing_in_good_data() -> None:
    log = SALES.iloc[[0, 5]]
    plain, skipping = (
        Dataset.from_tables(log, user_id="customer", item_id="sku", on_bad_row=rule)
        for rule in ("raise", "skip")
    )
    assert plain.fingerprint == skipping.fingerprint
    assert skipping.skipped == ()


def test_many_rows_are_left_out_of_a_large_table() -> None:
    n = 300_000
    rng = np.random.default_rng(5)
    frame = pa.table(
        {
            "user_id": rng.integers(0, 900, n),
            "item_id": rng.integers(0, 400, n),
            "w": np.where(rng.random(n) < 0.5, np.inf, 1.0),
        }
    )
    data = Dataset.from_tables(frame, weight="w", on_bad_row="skip")
    good = np.isfinite(frame["w"].to_numpy())
    expected = Dataset.from_tables(frame.filter(good), weight="w")
    assert data.fingerprint == expected.fingerprint
    assert np.array_equal(data.positions, np.flatnonzero(good)[expected.positions])
    assert sum(skipped.count for skipped in data.skipped) == n - good.sum()


def test_leaving_out_every_row_is_an_error() -> None:
    frame = pd.DataFrame({"user_id": [1], "item_id": [2], "w": [np.inf]})
    with pytest.raises(InputError, match="no interaction is left when bad rows are left out"):
        Dataset.from_tables(frame, weight="w", on_bad_row="skip")
    with pytest.raises(ConfigError, match="on_bad_row='drop' is not a known rule"):
        Dataset.from_tables(frame, on_bad_row="drop")  # type: ignore[arg-type]


# --- files ---------------------------------------------------------------------------------------

ROWS = {"user_id": ["a", "b", "c"], "item_id": [1, 2, 1], "w": [1.0, 2.5, 3.0]}
LINES = ["user_id,item_id,w", "a,1,1.0", "b,2,2.5", "c,1,3.0"]


def same(source: Any, **options: Any) -> None:
    expected = Dataset.from_tables(pa.table(ROWS), weight="w")
    data = Dataset.from_tables(source, weight="w", **options)
    assert data.fingerprint == expected.fingerprint


def test_compressed_files_and_json_lines(tmp_path: Path) -> None:
    text = "\n".join(LINES) + "\n"
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(text.encode()))
    same(tmp_path / "log.csv.gz")
    objects = "\n".join(json.dumps(row) for row in pa.table(ROWS).to_pylist())
    (tmp_path / "log.jsonl").write_text(objects)
    same(tmp_path / "log.jsonl")
    (tmp_path / "log.jsonl.gz").write_bytes(gzip.compress(objects.encode()))
    same(tmp_path / "log.jsonl.gz")


def test_folders_and_patterns(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    csv(folder, *LINES[:2], name="a.csv")
    csv(folder, LINES[0], *LINES[2:], name="b.csv")
    same(folder)
    same(folder / "*.csv")
    csv(folder, "user_id,thing", "a,1", name="c.csv")
    with pytest.raises(InputError, match=r"columns of c\.csv are not those of a\.csv"):
        Dataset.from_tables(folder)
    with pytest.raises(InputError, match="holds no table"):
        Dataset.from_tables(make_empty(tmp_path))


def make_empty(folder: Path) -> Path:
    empty = folder / "empty"
    empty.mkdir()
    return empty


def test_partitioned_parquet(tmp_path: Path) -> None:
    for number, year in enumerate((2023, 2024, 2025)):
        part = tmp_path / "log" / f"year={year}"
        part.mkdir(parents=True)
        pq.write_table(pa.table(ROWS).slice(number, 1), part / "data.parquet")
    same(tmp_path / "log")
    data = Dataset.from_tables(tmp_path / "log", time="year")
    assert data.times is not None
    assert NEW_YEAR in data.times.tolist()
    one = Dataset.from_tables(tmp_path / "log" / "year=2023" / "data.parquet")
    assert one.n_interactions == 1


@pytest.mark.parametrize(
    ("folder", "own", "value"),
    [("year=2024", [2024, 2023], "2023"), ("YEAR=9", ["09"], "09"), ("year=9", [None], None)],
)
def test_a_folder_and_a_column_of_its_files_that_differ(
    tmp_path: Path, folder: str, own: list[Any], value: str | None
) -> None:
    part = tmp_path / folder
    part.mkdir()
    table = pa.table({"user_id": range(len(own)), "item_id": range(len(own)), "year": own})
    pq.write_table(table, part / "a.parquet")
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(tmp_path)
    assert str(caught.value).startswith(
        f"the column 'year' has the value {value!r} in a folder '{folder}'\n"
        f"  where: {part / 'a.parquet'}\n  to do: leave the column out of the files"
    )


def test_a_folder_and_a_column_of_its_files_that_agree(tmp_path: Path) -> None:
    for user in (7, 9):
        part = tmp_path / f"user_id={user}"
        part.mkdir()
        pq.write_table(pa.table({"user_id": [user] * 2, "item_id": [1, 2]}), part / "a.parquet")
    data = Dataset.from_tables(tmp_path)
    assert data.users.ids.to_pylist() == [7, 9]
    assert data.n_interactions == 4


@pytest.mark.parametrize("table", ["", "*.*"])
@pytest.mark.parametrize("other", ["b.jsonl", "b.parquet"])
def test_a_column_with_times_in_one_file_and_numbers_in_another(
    tmp_path: Path, table: str, other: str
) -> None:
    row = {"user_id": [1], "item_id": [2], "at": [1_714_521_600]}
    if other.endswith("jsonl"):
        csv(tmp_path, "user_id,item_id,at", "1,2,2024-05-01", name="a.csv")
        (tmp_path / other).write_text(json.dumps({name: x for name, [x] in row.items()}))
    else:
        pq.write_table(pa.table(row), tmp_path / other)
        times = pa.array([dt.datetime(2024, 5, 1)])
        pq.write_table(pa.table(row).set_column(2, "at", times), tmp_path / "a.parquet")
        table = table and "*.parquet"
    with pytest.raises(InputError) as caught:
        Dataset.from_tables(tmp_path / table, time="at")
    assert str(caught.value) == (
        "the column 'at' is BIGINT in one file and TIMESTAMP in another\n"
        f"  where: {tmp_path / table}\n"
        "  to do: write it alike in all files: all numbers, all text, or all times such as "
        "2024-05-31T18:00"
    )


@pytest.mark.parametrize("name", ["a[1].parquet", "b*c.parquet", "d'e.parquet", "~f.parquet"])
def test_parquet_files_with_signs_of_patterns_in_their_names(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    pq.write_table(pa.table(ROWS), name)
    for path in (name, tmp_path / name / name, tmp_path / name):
        same(path)


def test_a_name_that_begins_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    csv(tmp_path, *LINES, name="~log.csv")
    same("~log.csv")
    pq.write_table(pa.table(ROWS), "~log.parquet")
    same("~log.parquet")


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "utf-8-sig"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes("user_id,item_id\nZoë,1\nRené,2\n".encode(encoding))
    data = Dataset.from_tables(path, encoding=encoding)
    assert data.users.ids.to_pylist() == ["René", "Zoë"]


# --- errors of other libraries -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [">i8", ">f8", "f16", "c16"])
def test_columns_that_arrow_cannot_hold(kind: str) -> None:
    frame = pd.DataFrame({"user_id": [1], "item_id": [2], "w": np.array([3]).astype(kind)})
    with pytest.raises(InputError, match="column w"):
        Dataset.from_tables(frame, weight="w")


def test_damaged_files(tmp_path: Path) -> None:
    csv_path = tmp_path / "log.csv"
    csv_path.write_bytes(b"user_id,ite\rm_id\n1,2\n")
    with pytest.raises(InputError, match=r"log\.csv, row 1"):
        Dataset.from_tables(csv_path)
    csv_path.write_bytes(b"user_id,item_id\n1," + b"x" * 3_000_000 + b"\n")
    with pytest.raises(InputError, match="longer than 2,000,000 bytes"):
        Dataset.from_tables(csv_path)
    csv_path.write_bytes(b"u" * 3_000_000)
    with pytest.raises(InputError, match="longer than 2,000,000 bytes"):
        Dataset.from_tables(csv_path)
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table(ROWS), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(3)
    for _ in range(60):
        damaged = bytearray(whole)
        for position in rng.integers(0, len(whole), 4):
            damaged[position] = rng.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(ShortlistError):
            Dataset.from_tables(path, weight="w")


def test_a_parquet_file_that_unpacks_to_far_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.parquet"
    zeros = np.zeros(1_000_000, dtype=np.int64)
    pq.write_table(pa.table({"user_id": zeros, "item_id": zeros}), path, use_dictionary=False)
    monkeypatch.setattr(scan, "LARGEST_UNPACKED", 1_000)
    monkeypatch.setattr(scan, "LARGEST_RATIO", 10)
    for table in (path, tmp_path):  # the file, and its folder
        with pytest.raises(InputError, match=r"would unpack to 16,.* bytes and 1,000,000 rows"):
            Dataset.from_tables(table)


def test_a_name_that_is_too_long() -> None:
    with pytest.raises(InputError, match="the name is too long"):
        Dataset.from_tables("x" * 300 + ".csv")


def test_json_and_text_files_of_folders_and_patterns(tmp_path: Path) -> None:
    def users(table: Path) -> list[Any]:
        return [*Dataset.from_tables(table).users]

    (tmp_path / "a.json").write_text('[{"user_id": 1, "item_id": 1}]')
    (tmp_path / "b.jsonl").write_text('{"user_id": 2, "item_id": 1}')
    texts = make_empty(tmp_path)
    csv(texts, "user_id,item_id", "3,1", name="c.txt")
    (texts / "d.txt.gz").write_bytes(gzip.compress(b"user_id,item_id\n4,1\n"))
    assert users(texts) == users(texts / "*.txt*") == [3, 4]
    assert users(tmp_path / "*.json") == [1]
    assert users(tmp_path / "**" / "*.*") == [1, 2, 3, 4]
    data = Dataset.from_tables(tmp_path, users=tmp_path)
    assert data.users.ids.to_pylist() == [1, 2]
    assert data.notes == tuple(
        f"{label}: left out 2 text files beside other tables (empty/c.txt, empty/d.txt.gz); where "
        "one is a table, let its name end in .csv"
        for label in ("interactions", "users")
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("i.jsonl", "10001"), ("i.jsonl.gz", "10001"), ("i.parquet", "10001"),
        ("i.csv", 10001), ("i.csv.gz", 10001), ("i.txt", 10001),
    ],
)  # fmt: skip
@pytest.mark.parametrize("as_a_folder", [False, True])
def test_features_have_the_same_types_from_every_kind_of_file(
    tmp_path: Path, name: str, code: Any, as_a_folder: bool
) -> None:
    path = tmp_path / "items" / name
    path.parent.mkdir()
    items = pa.table({"item_id": [1, 2], "code": ["10001", "NULL"]})
    if name.endswith("parquet"):
        pq.write_table(items, path)
    else:
        lines = ["item_id,code", "1,10001", "2,NULL"]
        if "jsonl" in name:
            lines = [json.dumps(row) for row in items.to_pylist()]
        text = "\n".join(lines).encode()
        path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    log = {"user_id": [1, 1], "item_id": [1, 2]}
    data = Dataset.from_tables(log, items=path.parent if as_a_folder else path)
    assert data.item_features is not None
    assert data.item_features.column("code").to_pylist()[0] == code


@pytest.mark.parametrize(
    ("ids", "named", "values"),
    [
        (["17850", "NULL", "NULL", "13047"], "'NULL' (2 rows)", '!= "NULL"'),
        (["17850.0", "nan", "13047.0"], "'nan' (1 row)", '!= "nan"'),
        (["a", "null", "a", "N/A"], "'N/A' (1 row), 'null' (1 row)", 'not in ["N/A", "null"]'),
        (["a", r"\N"], r"'\\N' (1 row)", r'!= "\\N"'),
    ],
)
def test_ids_that_say_that_an_id_is_missing_are_pointed_out(
    tmp_path: Path, ids: list[str], named: str, values: str
) -> None:
    path = csv(tmp_path, "the user,item_id", *(f"{user},{n}" for n, user in enumerate(ids)))
    data = Dataset.from_tables(path, user_id="the user")
    rule = f'"the user" {values}'
    assert data.notes == (
        f"users: {named} may mean a missing id; leave such rows out: only={rule!r}",
    )
    assert set(data.users.ids.to_pylist()) == set(ids)
    left = Dataset.from_tables(path, user_id="the user", only=rule)
    assert left.notes == ()
    assert left.n_interactions == sum(any(map(str.isdigit, user)) or user == "a" for user in ids)
