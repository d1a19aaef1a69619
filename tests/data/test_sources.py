from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.bad_rows import BadRows
from shortlist.data.columns.roles import columns_of
from shortlist.data.dataset import Dataset
from shortlist.data.formats import delimited
from shortlist.data.formats.delimited import Record, Text, column_names
from shortlist.data.sources import read as read_table
from shortlist.data.sql import connect
from shortlist.data.text_types import typed
from shortlist.errors import InputError

from .table_files import ML_1M, ML_100K, ML_LATEST, RECBOLE, write


def read(
    table: object, ids: tuple[str, ...] = ()
) -> tuple[list[str], list[str], list[tuple[Any, ...]]]:
    with connect() as db:
        rows = read_table(db, table, label="interactions", ids=ids).rows
        return rows.columns, [str(kind) for kind in rows.types], rows.fetchall()


def write_csv(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def test_csv_with_a_byte_order_mark_and_korean(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "지원.csv", "이름,점수", "가영,1", '"나, ""다""",2', encoding="utf-8-sig"
    )
    assert read(path) == (["이름", "점수"], ["VARCHAR", "BIGINT"], [("가영", 1), ('나, "다"', 2)])
    plain = write_csv(tmp_path / "plain.csv", "이름,점수", "가영,1", '"나, ""다""",2')
    assert read(str(plain)) == read(path)


def test_windows_line_ends_and_other_delimiters(tmp_path: Path) -> None:
    semicolons = tmp_path / "a.csv"
    semicolons.write_bytes(b"user_id;item_id\r\nu1;7\r\n\r\nu2;8\r\n")
    tabs = write_csv(tmp_path / "a.tsv", "user_id\titem_id", "u1\t7", "u2\t8")
    assert read(semicolons) == read(tabs)
    assert read(tabs)[2] == [("u1", 7), ("u2", 8)]


@pytest.mark.parametrize("text", [b"a,b\r\n1,2\n3,4\r\n", b"a,b\n1,2\r\n", b"a,b\n1\r,2\n"])
def test_different_line_ends_in_a_file_are_named(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text)
    assert refusal(path) == (
        f"its rows end in different ways (\\n, \\r\\n, \\r)\n  where: {path}\n"
        "  to do: end all rows alike, and quote values that hold line breaks"
    )


def test_types_are_inferred(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "t.csv",
        "whole,big,fraction,broken,time,zeros,empty,text",
        "1,18446744073709551615,1.5,nan,2024-05-01T09:00:00+09:00,007,,x",
        "-9223372036854775808,2,1e3,3,2024-05-01 12:30:00,12,,2024-05-01x",
    )
    columns, types, rows = read(path)
    assert dict(zip(columns, types, strict=True)) == {
        "whole": "BIGINT",
        "big": "UBIGINT",
        "fraction": "DOUBLE",
        "broken": "DOUBLE",
        "time": "TIMESTAMP",
        "zeros": "VARCHAR",
        "empty": "BIGINT",
        "text": "VARCHAR",
    }
    assert rows[0][1] == 18446744073709551615
    assert rows[1][0] == -9223372036854775808
    assert str(rows[0][4]) == "2024-05-01 00:00:00"  # 09:00 in Seoul, in UTC
    assert str(rows[1][4]) == "2024-05-01 12:30:00"
    assert [row[5] for row in rows] == ["007", "12"]


def test_blanks_around_numbers_and_times_do_not_make_them_text(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "t.csv",
        "id, whole, fraction, time, text",
        "1, 1990, 1.5, 2024-05-01, x",
        " 2, , 2 , 2024-05-02 , y",
    )
    columns, types, rows = read(path, ids=("id",))
    assert columns == ["id", "whole", "fraction", "time", "text"]
    assert types == ["VARCHAR", "BIGINT", "DOUBLE", "TIMESTAMP", "VARCHAR"]
    assert rows == [
        ("1", 1990, 1.5, dt.datetime(2024, 5, 1), " x"),  # ids and texts stay as they are
        (" 2", None, 2.0, dt.datetime(2024, 5, 2), " y"),
    ]


def test_ids_are_never_numbers_with_a_fraction_or_times(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", "id,day", "1.10,2024-05-01", "1.1,2024-05-02")
    assert read(path)[1] == ["DOUBLE", "TIMESTAMP"]
    assert read(path, ids=("id", "day"))[2] == [("1.10", "2024-05-01"), ("1.1", "2024-05-02")]


@pytest.mark.parametrize("late", ["x7", "007", "7.5"])
def test_the_type_fits_values_after_the_sample(tmp_path: Path, late: str) -> None:
    lines = [str(number) for number in range(30_000)]
    path = write_csv(tmp_path / "t.csv", "id", *lines, late)
    rows = read(path, ids=("id",))[2]
    assert [row[0] for row in rows] == [*lines, late]


def test_rows_keep_their_order(tmp_path: Path) -> None:
    numbers = [(7919 * n) % 100_003 for n in range(100_000)]
    path = write_csv(tmp_path / "t.csv", "n", *map(str, numbers))
    assert [row[0] for row in read(path)[2]] == numbers


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
        | st.integers(-(2**63), 2**63 - 1).map(str),
        min_size=1,
    )
)
def test_ids_keep_every_character(tmp_path_factory: pytest.TempPathFactory, ids: list[str]) -> None:
    path = tmp_path_factory.mktemp("ids") / "t.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows([["row", "id"], *([row, text] for row, text in enumerate(ids))])
    assert [str(row[1]) for row in read(path, ids=("id",))[2]] == ids


def test_movielens_100k(tmp_path: Path) -> None:
    folder = write(tmp_path, ML_100K, "latin-1")
    columns, _, rows = read(folder / "u.data")
    assert columns == ["user_id", "item_id", "rating", "timestamp"]
    assert rows[0] == (196, 242, 3, 881250949)
    columns, _, rows = read(folder / "u.item")
    assert columns == ["item_id", "title", "year", "genres"]
    assert rows == [
        (242, 'Léon, the "Pro" (1994)', 1994, ["Action", "Children's"]),
        (302, "unknown", None, ["unknown"]),
    ]
    assert read(folder / "u.user")[2][1] == (196, 49, "M", "writer", "T8H1N")
    write(folder, {"ua.test": ML_100K["u.data"]})
    assert read(folder / "ua.test") == read(folder / "u.data")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_movielens_1m_and_10m(tmp_path: Path, encoding: str) -> None:
    folder = write(tmp_path, ML_1M, encoding)
    assert read(folder / "ratings.dat")[2][2] == (196, 302, 5, 881250950)
    assert read(folder / "users.dat")[2][0] == (186, "F", 35, 7, "00000")
    assert read(folder / "movies.dat")[2][0] == (242, "Léon (1994)", 1994, ["Action", "Children's"])


def test_movielens_csv_keeps_its_column_names(tmp_path: Path) -> None:
    folder = write(tmp_path, ML_LATEST)
    assert read(folder / "ratings.csv")[:2] == (
        ["userId", "movieId", "rating", "timestamp"],
        ["BIGINT", "BIGINT", "DOUBLE", "BIGINT"],
    )


def test_recbole(tmp_path: Path) -> None:
    folder = write(tmp_path, RECBOLE)
    write(folder, {"x.inter": ["user_id:token\tv:float_seq\tn:token", 'a "b\t1 2.5\t7']})
    assert read(folder / "ml.inter")[2][0] == (196, 242, 3.0, 881250949.0)
    assert read(folder / "ml.item")[2][0] == (
        242,
        ["Léon", "the", '"Pro"'],
        "1994",
        ["Action", "Children's"],
    )
    assert read(folder / "x.inter")[2] == [('a "b', [1.0, 2.5], 7)]


def test_a_file_of_a_published_name_with_other_columns_is_a_plain_table(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "ratings.csv", "user_id,item_id", "1,2")
    assert read(path)[0] == ["user_id", "item_id"]


@pytest.mark.parametrize(
    ("header", "genres", "expected"),
    [
        ("item_id,title,year,genres", "Crime|Drama", [["Crime", "Drama"], ["Drama"]]),
        ("item_id,title,year,genres", "Crime;Drama", ["Crime;Drama", "Drama"]),
        ("item_id,title,year,genres", '"Crime, Drama"', ["Crime, Drama", "Drama"]),
        ("item_id,title,year,genres,price", "Crime|Drama", ["Crime|Drama", "Drama"]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_a_layout_is_only_that_of_files_with_its_columns_and_separators(
    tmp_path: Path, header: str, genres: str, expected: list[Any], encoding: str
) -> None:
    rest = "," * header.count(",price")
    lines = (header, f"1,기생충,2019,{genres}{rest}", f"2,B,1991,Drama{rest}")
    path = write_csv(tmp_path / "items.csv", *lines, encoding=encoding)
    with connect() as db:
        rows = read_table(db, path, label="items", encoding=encoding).rows
        assert [row[3] for row in rows.fetchall()] == expected


def test_a_file_name_with_wild_cards(tmp_path: Path) -> None:
    write_csv(tmp_path / "a1.csv", "x", "1")
    assert read(write_csv(tmp_path / "a[1]*.csv", "x", "2"))[2] == [(2,)]


def test_frames() -> None:
    expected = (["user_id", "item_id"], ["VARCHAR", "BIGINT"], [("나", 2), ("c", 3)])
    columns = {"user_id": ["a", "나", "c"], "item_id": [1, 2, 3]}
    pandas = pd.DataFrame(columns)
    assert read(pa.table(columns).slice(1)) == expected
    assert read(pa.table(columns).slice(1).to_reader()) == expected
    assert read(pl.DataFrame(columns)[1:]) == expected
    assert read(pandas[pandas.item_id > 1]) == expected
    assert read(pandas.iloc[[2, 1]].sort_values("item_id")) == expected  # labels 1, 2 are no column


def test_parquet(tmp_path: Path) -> None:
    table = pa.table({"user_id": ["007", "나"], "tags": [["a"], []]})
    pq.write_table(table, tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet") == (
        ["user_id", "tags"],
        ["VARCHAR", "VARCHAR[]"],
        [("007", ["a"]), ("나", [])],
    )


def test_relations_of_this_and_another_database() -> None:
    with connect() as here, duckdb.connect() as there:
        for owner in (here, there):
            owner.execute("CREATE TABLE log AS SELECT range AS user_id FROM range(3)")
            rows = read_table(here, owner.table("log"), label="log").rows
            assert rows.fetchall() == [(0,), (1,), (2,)]


def refusal(table: object) -> str:
    with connect() as db, pytest.raises(InputError) as caught:
        read_table(db, table, label="interactions")
    return str(caught.value)


def test_objects_and_files_that_are_not_tables(tmp_path: Path) -> None:
    assert refusal(7) == (
        "interactions: cannot read a table from an object of type int\n"
        "  to do: pass a path, an Arrow, pandas or polars frame, a dictionary of columns, a list "
        "of rows as dictionaries, or a DuckDB relation"
    )
    assert f"there is no file {tmp_path / 'no.csv'}" in refusal(tmp_path / "no.csv")
    assert (
        f"{tmp_path} holds no table\n  to do: give a folder or a pattern of files that end in"
        in refusal(tmp_path)
    )
    sheet = write_csv(tmp_path / "a.xlsx", "x")
    assert refusal(sheet) == (
        f"interactions: files of the type of a.xlsx cannot be read\n  where: {sheet}\n"
        "  to do: open it in a spreadsheet, and save it as 'CSV UTF-8'"
    )
    path = write_csv(tmp_path / "a.dat", "x")
    assert "interactions: files of the type of a.dat cannot be read" in refusal(path)
    assert "RecBole file (.inter, .item, .user)" in refusal(path)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"PK\x03\x04zip", "an Excel file or another archive"),
        (b"\xd0\xcf\x11\xe0ole", "an old Excel file"),
        (b"\xef\xbb\xbf <HTML><table>", "a web page or XML, which some sites export as .xls"),
        (b"%PDF-1.7", "a PDF"),
        (b"SQLite format 3\x00", "an SQLite database"),
        (b"PAR1", "a .parquet file under another name"),
        (b"\x1f\x8b\x08", "a .gz file under another name"),
    ],
)
@pytest.mark.parametrize("name", ["log.csv", "log.txt"])
def test_a_file_of_another_kind_than_its_name_says(
    tmp_path: Path, start: bytes, kind: str, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(start)
    assert refusal(path).startswith(f"interactions: {name} is {kind}\n  where: {path}\n  to do: ")


def test_nul_bytes(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", "user_id,item_id", "1,2", "1\0,3")
    assert refusal(path) == (
        "the text has NUL bytes\n  where: a.csv, row 3\n"
        "  to do: remove them; or pass encoding='utf-16-le' if it is UTF-16 without a byte order "
        "mark"
    )


@pytest.mark.parametrize("encoding", ["cp949", "utf-16"])
def test_nul_bytes_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    path = write_csv(tmp_path / "a.csv", "user_id,item_id", "회원,2", "1\0,3", encoding=encoding)
    with pytest.raises(InputError, match=r"^the text has NUL bytes\n  where: a\.csv, row 3\n"):
        Dataset.from_tables(path, encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [",", ";"])
@pytest.mark.parametrize(
    "names", [("a", "Price\n(EUR)", "b"), ("Price\n(EUR)", "a", "b"), ("a", "b", "Price \n\n(EUR)")]
)
def test_line_breaks_in_column_names(
    tmp_path: Path, names: tuple[str, ...], mark: str, end: str, encoding: str
) -> None:
    header = mark.join(f'"{name}"' if "\n" in name else name for name in names)
    text = end.join([header.replace("\n", end), mark.join("123"), mark.join("45"), ""])
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    assert refusal(path).startswith("the row has 2 columns instead of 3\n  where: t.csv, row ")
    with connect() as db:
        rows = read_table(db, path, label="log", bad=BadRows("skip")).rows
        assert rows.columns == [name if len(name) == 1 else "Price (EUR)" for name in names]
        assert rows.fetchall() == [(1, 2, 3)]


@given(
    names=st.lists(
        st.text('a,"\n\r; ', min_size=1, max_size=6).filter(str.strip), min_size=2, max_size=4
    )
)
def test_the_header_is_the_first_record(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
            writer.writerows([names, ["not", "this"]])
        expected = [" ".join(filter(None, map(str.strip, name.splitlines()))) for name in names]
        if len(set(expected)) == len(expected):
            assert column_names(path, ",") == (tuple(expected), ",")


def test_an_open_quote_in_the_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_csv(tmp_path / "t.csv", 'user_id,"item_id', "1,2", "3,4")
    assert refusal(path) == (
        "a quoted column name has no closing quote\n  where: t.csv, row 1\n"
        "  to do: add the closing quote, or remove the opening one"
    )
    monkeypatch.setattr(delimited, "LONGEST_ROW", 20)
    assert refusal(path).startswith("a row is longer than 20 bytes\n  where: t.csv, row 1\n")


@pytest.mark.parametrize("first", ["sep=;", "", "   ", "\ufeff"])
def test_a_first_row_without_names(tmp_path: Path, first: str) -> None:
    path = write_csv(tmp_path / "a.csv", first, "user_id;item_id", "1;2")
    assert refusal(path) == (
        "the first row has no column names\n  where: a.csv, row 1\n"
        "  to do: delete the rows above the names"
    )


def test_json_arrays_and_lines_under_the_name_json(tmp_path: Path) -> None:
    lines = ['{"user_id": 1, "item_id": "a"}', '{"user_id": 2, "item_id": "b"}']
    for name, text in (
        ("a.json", f"[{','.join(lines)}]"), ("b.json", "\n".join(lines)),
        ("c.jsonl", f"\n[{','.join(lines)}]"),
    ):  # fmt: skip
        path = write_csv(tmp_path / name, text)
        with connect() as db:
            assert read_table(db, path, label="log").rows.fetchall() == [(1, "a"), (2, "b")]


def test_ids_of_a_json_file_stay_as_they_are_written(tmp_path: Path) -> None:
    for user, item in (
        ("550E8400-E29B-41D4-A716-446655440000", "2024-1-2"),  # not 550e8400-..., 2024-01-02
        ("7:05:00", "2024-01-02 3:00"),
    ):
        path = write_csv(tmp_path / "a.jsonl", f'{{"user": "{user}", "item": "{item}", "n": 1.5}}')
        with connect() as db:
            rows = read_table(db, path, label="log", ids=("user", "item")).rows
            assert rows.fetchall() == [(user, item, 1.5)]


@pytest.mark.parametrize("second", ["user", "User"])
def test_two_columns_of_one_name_are_refused(second: str) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["user", second])
    tables: list[Any] = [table, duckdb.sql(f"SELECT 1 AS user, 2 AS {second}")]
    if second != "user":
        tables += [table.to_pydict(), table.to_pylist(), table.to_pandas()]
    for some in tables:
        assert refusal(some) == (
            f"two columns are named {second!r}\n"
            "  where: interactions\n"
            "  to do: give each column a name of its own; upper and lower case do not differ"
        )


def test_wide_tables_are_read_in_seconds(tmp_path: Path) -> None:
    names = ["user_id", "item_id", *(f"c{n}" for n in range(300))]
    rows = [[str(n % 3), str(n), *(["0.5", "x", "7"] * 100)] for n in range(4)]
    path = write_csv(tmp_path / "a.csv", *(",".join(row) for row in [names, *rows]))
    with connect() as db:
        table = read_table(db, path, label="log").rows
        assert table.columns == names
        assert [*map(str, table.types)] == ["BIGINT"] * 2 + ["DOUBLE", "VARCHAR", "BIGINT"] * 100
        table.create_view("wide")
        count, columns = columns_of(db, "wide")
    assert count == 4
    assert [(c.filled, c.distinct, c.example) for c in columns[:3]] == [
        (4, 3, "0"), (4, 4, "0"), (4, 1, "0.5"),
    ]  # fmt: skip


def test_empty_files_and_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "a.parquet").touch()
    assert f"the file {tmp_path / 'a.csv'} is empty" in refusal(tmp_path / "a.csv")
    assert f"the file {tmp_path / 'a.parquet'} is empty" in refusal(tmp_path / "a.parquet")
    assert "the table has no rows" in refusal(write_csv(tmp_path / "b.csv", "user_id,item_id"))
    assert "the table has no rows" in refusal(pa.table({"user_id": pa.array([], pa.int64())}))


def test_a_truncated_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"n": list(range(10_000))}), path)
    path.write_bytes(path.read_bytes()[:-100])
    assert refusal(path) == (
        "t.parquet is not a complete Parquet file: it is truncated or damaged\n"
        f"  where: {path}\n"
        "  to do: write or copy the file again"
    )


def test_text_that_cannot_be_decoded(tmp_path: Path) -> None:
    lines = ("user_id,item_id", "u1,1", "가,2")
    body = write_csv(tmp_path / "a.csv", *lines, encoding="cp949")
    assert refusal(body) == (
        "the text is not UTF-8\n"
        "  where: a.csv, row 3\n"
        "  to do: pass its encoding= (cp949 reads '가', shift_jis reads 'ｰ｡', gb18030 reads '啊', "
        "cp1252 reads '°¡', cp1251 reads '°Ў'), or save the file as UTF-8 "
        "(in a spreadsheet: 'CSV UTF-8')"
    )
    header = write_csv(tmp_path / "b.csv", "사용자,item_id", "u1,1", encoding="cp949")
    assert "where: b.csv, row 1" in refusal(header)
    western = write_csv(tmp_path / "c.csv", "user_id,item_id", "José,1", encoding="cp1252")
    assert "encoding= (cp1252 reads 'José', cp1251 reads 'Josй')" in refusal(western)
    noise = tmp_path / "d.csv"
    noise.write_bytes(b"user_id,item_id\n\xff\x01\x81\n")
    assert "pass its encoding=, such as cp1252, or save" in refusal(noise)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a,b", "1,2", "3"], "the row has 1 column instead of 2\n  where: t.csv, row 3"),
        (["a,b", "1,2,3", "3,4"], "the row has 3 columns instead of 2\n  where: t.csv, row 2"),
        (["a,b", "1,2", '3,"4'], "a quoted value has no closing quote\n  where: t.csv, row 3"),
        (["a,A", "1,2"], "two columns are named 'A'\n  where: t.csv, row 1"),
    ],
)
def test_rows_that_do_not_fit(tmp_path: Path, lines: list[str], message: str) -> None:
    assert refusal(write_csv(tmp_path / "t.csv", *lines)).startswith(message)


RAGGED = (
    'user_id,item_id,note',
    'a,1,"two',
    'lines"',
    'b,2,x,4',
    '',
    'c,"3',
    '3"',
    'd,4,',
    '"e",5,"x,y"',
    'f,6',
)  # fmt: skip


def test_ragged_rows_are_named_by_their_lines(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", *RAGGED)
    assert refusal(path).startswith(
        "the row has 4 columns instead of 3\n  where: t.csv, row 4 (and 2 more rows)\n"
    )


@pytest.mark.parametrize(("name", "encoding"), [("t.csv", "utf-8"), ("t.csv.gz", "utf-16")])
def test_ragged_rows_are_left_out(tmp_path: Path, name: str, encoding: str) -> None:
    content = "\n".join(RAGGED).encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    data = Dataset.from_tables(tmp_path / name, on_bad_row="skip")
    assert list(zip(data.users, data.items, strict=True)) == [("a", 1), ("d", 4), ("e", 5)]
    (skipped,) = data.skipped
    assert str(skipped) == (
        f"interactions {tmp_path / name}: left out 3 rows (4, 6, 10): more or fewer than 3 columns"
    )


def test_rows_after_ragged_ones_keep_their_numbers(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", "user_id,item_id,w", "a,1,1,1", "", '"b', '",1,x', "c,2,1")
    data = Dataset.from_tables(path, weight="w", on_bad_row="skip")
    assert list(data.users) == ["c"]
    assert [(rows.column, rows.rows) for rows in data.skipped] == [(None, (2,)), ("w", (4,))]


def test_a_ragged_row_of_a_folder_is_named_with_its_file(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", "user_id,item_id", "a,1", "b,2")
    write_csv(tmp_path / "b.csv", "user_id,item_id", "c,1", "d,2,3")
    assert "where: b.csv, row 3\n" in refusal(tmp_path)
    data = Dataset.from_tables(tmp_path, on_bad_row="skip")
    assert list(data.users) == ["a", "b", "c"]
    assert [(rows.table, rows.rows) for rows in data.skipped] == [
        (f"interactions {tmp_path / 'b.csv'}", (3,))
    ]


def test_an_open_quote_is_not_taken_for_one_long_ragged_row(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", "user_id,item_id", "a,1,2", '"b,2', "c,3", "d,4")
    with pytest.raises(InputError, match=r"unexpected end of data\n  where: t\.csv, row 3\n"):
        Dataset.from_tables(path, on_bad_row="skip")


@pytest.mark.parametrize("how", ["raise", "skip"])
def test_ragged_rows_before_text_in_another_encoding(tmp_path: Path, how: Any) -> None:
    path = write_csv(tmp_path / "t.csv", "user_id,item_id", "a,1,2", "회원,3", encoding="cp949")
    with pytest.raises(InputError, match=r"^the text is not UTF-8\n  where: t\.csv, row 3\n"):
        Dataset.from_tables(path, on_bad_row=how)


@given(
    rows=st.lists(
        st.lists(st.text(alphabet='a,"\n\r\t é', max_size=4), min_size=2, max_size=5), min_size=1
    )
)
def test_records_have_the_lines_and_the_cells_that_were_written(rows: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        expected, line = [], 1
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
            for cells in rows:
                writer.writerow(cells)
                lines = sum(len(re.findall(r"\r\n|\r|\n", cell)) for cell in cells)
                expected.append(Record(line, line + lines, len(cells)))
                line += lines + 1
        assert list(Text(("x", "y")).records(path)) == expected


def test_a_named_index_is_a_column_and_lazy_frames_are_collected() -> None:
    with connect() as db:
        for index in (range(2), [5, 3]):
            ids = pd.RangeIndex(2, name="sku") if index == range(2) else pd.Index(index, name="sku")
            frame = pd.DataFrame({"colour": ["red", "blue"]}, index=ids)
            rows = read_table(db, frame, label="items").rows
            assert rows.columns == ["sku", "colour"]
            assert rows.fetchall() == [(index[0], "red"), (index[1], "blue")]
        lazy = pl.DataFrame({"sku": [7]}).lazy()
        assert read_table(db, lazy, label="items").rows.fetchall() == [(7,)]


def test_a_column_of_several_types_is_named_with_a_remedy() -> None:
    assert refusal(pd.DataFrame({"user_id": [1, 2], "plan": [1, "a"]})).endswith(
        "Conversion failed for column plan with type object\n"
        "  to do: convert it: frame['plan'].astype(str); give each column a name of its own and "
        "values of a single type: numbers, text, times, or lists of these"
    )


def test_periods_are_their_first_moments() -> None:
    months = pd.PeriodIndex(["1970-01", "1970-03"], freq="M")
    frame = pd.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "month": months})
    data = Dataset.from_tables(frame, time="month")
    assert data.times is not None
    assert data.times.tolist() == [0, (31 + 28) * 86_400_000_000]


@pytest.mark.parametrize("second", ["user_id", "User_ID"])
def test_two_columns_of_one_name_in_parquet(tmp_path: Path, second: str) -> None:
    columns = [pa.array([1, 2])] * 3
    table = pa.Table.from_arrays(columns, names=["user_id", "item_id", second])
    pq.write_table(table.select([0, 1]), tmp_path / "s.parquet")
    pq.write_table(table, tmp_path / "t.parquet")
    for path in (tmp_path / "t.parquet", tmp_path):
        message = refusal(path)
        assert message.startswith(f"two columns are named {second!r}\n")
        assert "t.parquet" in message


def test_long_codes_of_digits_stay_text(tmp_path: Path) -> None:
    digits = "123456789012345678901234567890"
    path = write_csv(tmp_path / "t.csv", "code,size", f"{digits},1e30", f"{digits[:-1]}1,2")
    _, types, rows = read(path)
    assert types == ["VARCHAR", "DOUBLE"]
    assert rows == [(digits, 1e30), (f"{digits[:-1]}1", 2.0)]


def test_dates_in_json_are_read_by_our_rules(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    row = '{{"user_id": {0}, "day": "{1}", "at": "{2}", "name": "{3}"}}\n'
    path.write_text(
        row.format(1, "03-04-2024", "2024-05-06", "11-22-63")
        + row.format(2, "05-06-2024", "2024-05-06T09:00:00+09:00", "01-02-03")
    )
    with connect() as db:
        rows = read_table(db, path, label="log").rows
        assert rows.fetchall() == [
            (1, "03-04-2024", dt.datetime(2024, 5, 6), "11-22-63"),
            (2, "05-06-2024", dt.datetime(2024, 5, 6), "01-02-03"),
        ]
        assert read_table(db, path, label="log", texts=["at"]).rows.fetchall()[0][2] == "2024-05-06"


def test_json_fields_of_several_types(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(
        '[{"id": "x", "tags": ["a", "b"], "pay": {"min": 3, "a JSON, b": "u"}, "doc": {"k": 1}},'
        ' {"id": 1, "tags": "a", "pay": {"min": "none"}, "doc": ["d"]},'
        ' {"id": null, "tags": null, "pay": null, "doc": null}]'
    )
    with connect() as db:
        assert read_table(db, path, label="items").rows.fetchall() == [
            ("x", ["a", "b"], {"min": "3", "a JSON, b": "u"}, '{"k":1}'),
            ("1", ["a"], {"min": "none", "a JSON, b": None}, '["d"]'),
            (None, None, None, None),
        ]


def test_json_records_with_rare_fields_are_no_maps(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"id": {n}, "of": {{"k{n}": {n}}}}}\n' for n in range(90)))
    with connect() as db:
        rows = read_table(db, path, label="items").rows.fetchall()
    assert len(rows[0][1]) == 90
    assert rows[7][1]["k7"] == 7
    assert rows[7][1]["k8"] is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_encodings_of_json(tmp_path: Path, encoding: str) -> None:
    for name, text in (("a.jsonl", '{"id": "가"}\n{"id": "나"}'), ("b.json", '[{"id": "가"}]')):
        (tmp_path / name).write_text(text, encoding=encoding)
        with connect() as db:
            rows = read_table(db, tmp_path / name, label="log", encoding="cp949").rows.fetchall()
        assert rows[0] == ("가",)


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ('\n{"a": 1}\n\n{"a": 2\n{"a": 3}\n', "the text is not JSON: unexpected", "row 4"),
        ('[{"a": 1}, {"a":}]', "the text is not JSON: unexpected character", "record 2"),
        ('{"a": 1, "a": 2}\n', "a record has two fields named 'a'", ""),
        ('{"a": 1}\n{"A": 2}\n', "two columns are named 'A'", ""),
    ],
)
def test_damaged_json(tmp_path: Path, text: str, what: str, where: str) -> None:
    (tmp_path / "a.json").write_text(text)
    message = refusal(tmp_path / "a.json")
    assert what in message
    assert where in message


def test_json_in_another_encoding_names_the_likely_ones(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "회원"}\n', encoding="cp949")
    assert "cp949 reads '회원'" in refusal(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["89820000000000000001", "89820000000000000002"], "VARCHAR"),
        (["18446744073709551615", "1"], "UBIGINT"),
        (["18446744073709551615", "1.5"], "VARCHAR"),
        (["-9223372036854775808", "1"], "BIGINT"),
        (["12e999", "7e40"], "VARCHAR"),
        (["1.5", "inf", "-Inf", "nan"], "DOUBLE"),
    ],
)
def test_what_floats_cannot_tell_apart_stays_text(
    texts: list[str], kind: str, tmp_path: Path
) -> None:
    _, types, rows = read(write_csv(tmp_path / "t.csv", "code", *texts))
    assert types == [kind]
    if kind == "VARCHAR":
        assert [code for (code,) in rows] == texts


@pytest.mark.parametrize("folder", ["a=9", "A=x", "b=2024-05-31"])
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.txt", "t.jsonl", "t.json", "t.parquet"])
def test_a_file_has_its_own_values_whatever_its_folder_is_called(
    tmp_path: Path, folder: str, name: str
) -> None:
    path = tmp_path / folder / name
    path.parent.mkdir()
    rows = [{"a": 1, "b": 3}, {"a": 2, "b": 4}]
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif "csv" in name or "txt" in name:
        text = b"a,b\n1,3\n2,4\n"
        path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    elif name.endswith("jsonl"):
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        path.write_text(json.dumps(rows))
    assert read(path) == (["a", "b"], ["BIGINT", "BIGINT"], [(1, 3), (2, 4)])


class Counting:
    """A connection that counts the statements that read a source."""

    def __init__(self, connection: Any, source: str) -> None:
        self.connection, self.source, self.count = connection, source, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, statement: str) -> Any:
        self.count += self.source in statement
        return self.connection.execute(statement)


def test_late_odd_values_of_many_columns_cost_few_passes(tmp_path: Path) -> None:
    late = {"x": "VARCHAR", "7.5": "DOUBLE", str(2**64 - 1): "UBIGINT", "": "BIGINT"}
    columns = [f"c{n}" for n in range(40)]
    odd = [[*late][n % 4] for n in range(40)]
    rows = [",".join(["7"] * 40)] * 20_001
    path = write_csv(tmp_path / "a.csv", ",".join(columns), *rows, ",".join(odd))
    with connect() as db:
        counting: Any = Counting(db, path.name)
        table = typed(counting, Text(tuple(columns)).select_from(path), columns)
        assert [*map(str, table.types)] == [late[value] for value in odd]
        assert table.filter("c0 = 'x'").project("c1, c2, c3").fetchall() == [(7.5, 2**64 - 1, None)]
    assert (
        counting.count == 1 + 1 + 4 + 1
    )  # the first rows, an attempt, ten columns each, the table
