"""Loading with options: bad rows left out, times and numbers in other forms, other encodings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shortlist.data.sql import connect
from shortlist.data.store.store import Store
from shortlist.errors import ConfigError, InputError


@pytest.fixture
def movies(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "films.duckdb", "movies") as store:
        yield store


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


RATINGS = """user_id,item_id,rating,rated_at
1,10,4,20240101
2,10,x,20240102
3,11,5,soon
1,99,3,20240103
,10,2,20240104
2,11,1,20240105
"""


def files(folder: Path) -> list[Path]:
    return [
        write(folder, "ratings.csv", RATINGS),
        write(folder, "users.csv", "user_id\n1\n2\n3\n2\n"),
        write(folder, "items.csv", "item_id,title,year,genres\n10,A,1999,\n11,B,2000,Drama\n"),
    ]


def test_nanoseconds_with_a_zone_are_times(movies: Store, tmp_path: Path) -> None:
    at = pa.array([1_700_000_000_000_001_000], pa.timestamp("ns", tz="Asia/Seoul"))
    ratings = pa.table({"user_id": [1], "item_id": [10], "rating": [4.0], "rated_at": at})
    pq.write_table(ratings, tmp_path / "ratings.parquet")
    movies.load([tmp_path / "ratings.parquet", *files(tmp_path)[1:]], on_bad_row="skip")
    times = movies.dataset().times
    assert times is not None
    assert times.tolist() == [1_700_000_000_000_001]


def test_every_kind_of_bad_value_is_in_one_error(movies: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        movies.load(files(tmp_path))
    message = str(caught.value)
    assert message.startswith("2 kinds of rows cannot be used")
    assert "'x' is not a number\n  where: ratings.csv, row 3, column 'rating'" in message
    assert "'soon' is not a date" in message


def test_bad_rows_are_left_out_and_counted(movies: Store, tmp_path: Path) -> None:
    report = movies.load(files(tmp_path), on_bad_row="skip")
    assert report.rows["ratings"] == 2
    assert report.rows["users"] == 3
    assert [(s.table, s.column, s.count, s.rows) for s in report.skipped] == [
        ("ratings.csv", "rating", 1, (3,)),
        ("ratings.csv", "rated_at", 1, (4,)),
        ("users.csv", "user_id", 1, (5,)),
        ("ratings.csv", "user_id", 1, (6,)),
        ("ratings.csv", "item_id", 1, (5,)),
    ]
    assert "ratings.csv: left out 1 row (3), column 'rating': 'x' is not a number" in str(report)
    data = movies.dataset()
    assert data.n_interactions == 2
    assert data.times is not None
    assert sorted(data.times.tolist()) == [1_704_067_200_000_000, 1_704_412_800_000_000]


def test_times_numbers_and_encodings_of_other_forms(movies: Store, tmp_path: Path) -> None:
    ratings = "user_id;item_id;rating;rated_at\n1;10;3,5;31/12/2024\n"
    items = "item_id;title;year;genres\n10;L'été;1999;\n"
    movies.load(
        [
            write(tmp_path, "ratings.csv", ratings, "cp1252"),
            write(tmp_path, "users.csv", "user_id\n1\n", "cp1252"),
            write(tmp_path, "items.csv", items, "cp1252"),
        ],
        decimal=",",
        time_format="%d/%m/%Y",
        encoding="cp1252",
    )
    data = movies.dataset()
    assert data.weights.tolist() == [3.5]
    assert data.times is not None
    assert data.times.tolist() == [1_735_603_200_000_000]
    assert data.item_features is not None
    assert data.item_features["title"].to_pylist() == ["L'été"]


@pytest.mark.parametrize(
    "options",
    [{"on_bad_row": "drop"}, {"decimal": ";"}, {"encoding": "klingon"}, {"time_format": "soon"}],
    ids=str,
)
def test_unknown_options_are_refused(
    movies: Store, tmp_path: Path, options: dict[str, str]
) -> None:
    with pytest.raises(ConfigError):
        movies.load(files(tmp_path), **options)  # type: ignore[arg-type]


def loaded(tmp_path: Path, kind: str, values: Any, **options: Any) -> list[str | None]:
    """Load texts as a CSV file, or a column, into a table of a column of one type."""
    (tmp_path / "one.sql").write_text(
        f"""
        CREATE TABLE one (id BIGINT PRIMARY KEY, x {kind});
        CREATE VIEW interactions AS SELECT id AS user_id, id AS item_id, 1::FLOAT AS weight,
        NULL::TIMESTAMP AS time FROM one;
        CREATE VIEW user_features AS SELECT id AS user_id FROM one;
        CREATE VIEW item_features AS SELECT id AS item_id FROM one;
        """
    )
    inputs: Any = {"one": pa.table({"id": range(len(values)), "x": values})}
    if isinstance(values, list):
        lines = [f'{number},"{value}"\n' for number, value in enumerate(values)]
        inputs = write(tmp_path, "one.csv", "".join(["id,x\n", *lines]))
    with Store.create(tmp_path / "one.duckdb", tmp_path / "one.sql") as store:
        store.load(inputs, **options)
    with connect(str(tmp_path / "one.duckdb")) as db:
        rows = db.execute("SELECT CAST(x AS VARCHAR) FROM one ORDER BY id").fetchall()
    return [text for (text,) in rows]


@pytest.mark.parametrize(
    ("kind", "midnight"),
    [("DATE", ""), ("TIMESTAMPTZ", " 00:00:00+00"), ("TIMESTAMP_S", " 00:00:00")],
)
@pytest.mark.parametrize(
    ("value", "options"),
    [
        ("31/05/24", {"time_format": "%d/%m/%y"}),
        ("31/05/2024", {"time_format": "%d/%m/%Y"}),
        ("20240531", {}),
        ("1717113600", {}),
        ("2024-05-31 00:00:00", {}),
    ],
)
def test_texts_are_read_alike_into_every_type_of_times(
    tmp_path: Path, kind: str, midnight: str, value: str, options: dict[str, str]
) -> None:
    assert loaded(tmp_path, kind, [value, ""], **options) == [f"2024-05-31{midnight}", None]


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMPTZ", "TIMESTAMP"])
def test_a_date_of_an_unknown_form_needs_time_format(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InputError, match=r"'01/02/24' is not a date(.|\n)*to do: pass time_format"):
        loaded(tmp_path, kind, ["01/02/24"])


@pytest.mark.parametrize(
    ("kind", "value", "decimal", "expected"),
    [
        ("DECIMAL(10,2)", "3,5", ",", "3.50"),
        ("DECIMAL(10,2)", "1,234.50", ".", "1234.50"),
        ("INTEGER", "1.000", ",", "1000"),
        ("BIGINT", "9,007,199,254,740,993", ".", "9007199254740993"),
    ],
)
def test_decimal_applies_to_every_type_of_numbers(
    tmp_path: Path, kind: str, value: str, decimal: str, expected: str
) -> None:
    assert loaded(tmp_path, kind, [value], decimal=decimal) == [expected]


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("DATE", ["2024-05-31 10:00"], "is not a date without a time of day"),
        ("DATE", ["2024-05-31T00:00+09:00"], "is not a date without a time of day"),
        ("DATE", pa.array([1_717_149_600]), "is not a date without a time of day"),
        ("TIMESTAMP_S", ["2024-05-31 10:00:00.5"], "is not a date, a time"),
        ("INTEGER", pa.array([3.5]), "is not a whole number"),
        ("BOOLEAN", pa.array([2]), "is not true or false, yes or no, 1 or 0"),
        ("BOOLEAN", ["maybe"], "is not true or false, yes or no, 1 or 0"),
        ("DECIMAL(5,2)", ["123456"], r"is not a number within DECIMAL\(5,2\)"),
        ("INTEGER[]", ["[1, x]"], r"is not a INTEGER\[\]"),
        ("INTEGER[]", pa.array([[1.5, 2.0]]), r"is not a INTEGER\[\]"),
    ],
    ids=str,
)
def test_a_value_that_would_lose_a_part_is_refused(
    tmp_path: Path, kind: str, values: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        loaded(tmp_path, kind, values)
