"""Wrong inputs: an error of two or three lines that names the row, and nothing has changed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shortlist.data.store.store import Store
from shortlist.errors import InputError

from .table_files import JOBS, ML_100K, ML_LATEST, RECBOLE, changed, write

Refuse = Callable[[Any], str]


def contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Read every row of every table, as another program would."""
    with duckdb.connect(str(path)) as db:
        names = db.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
        return {name: db.execute(f"FROM {name}").fetchall() for (name,) in names}


@pytest.fixture(scope="module", name="made")
def stores_with_a_row(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One store of each schema that holds a user already; the tests work on copies."""
    folder = tmp_path_factory.mktemp("made")
    first = {"movies": ("users", {"user_id": [1]}), "jobs": ("resume", {"resume_seq": ["U1"]})}
    for schema, (table, row) in first.items():
        with Store.create(folder / schema, schema) as store:
            store.load({table: pa.table(row)})
    return {schema: folder / schema for schema in first}


def refuser(made: Path, path: Path) -> Refuse:
    """Copy a store; return a function that loads into it and checks that nothing has changed."""
    shutil.copy(made, path)
    kept = contents(path)

    def refuse(inputs: Any) -> str:
        with Store(path) as store, pytest.raises(InputError) as caught:
            store.load(inputs)
        assert contents(path) == kept
        lines = str(caught.value).splitlines()
        kinds = re.match(r"(\d+) kinds of rows cannot be used$", lines[0])
        assert 2 <= len(lines) <= (3 if kinds is None else 3 * int(kinds[1]) + 2)
        return str(caught.value)

    return refuse


@pytest.fixture
def movies(made: dict[str, Path], tmp_path: Path) -> Refuse:
    return refuser(made["movies"], tmp_path / "movies.duckdb")


@pytest.fixture
def jobs(made: dict[str, Path], tmp_path: Path) -> Refuse:
    return refuser(made["jobs"], tmp_path / "jobs.duckdb")


def test_a_missing_column(jobs: Refuse, tmp_path: Path) -> None:
    files = {**JOBS, "company.csv": ["recruitment_seq,supply_kind,employee", "R00001,402,120"]}
    assert jobs(write(tmp_path / "in", files)) == (
        "the column 'company_type_seq' is missing\n"
        "  where: company.csv, row 1\n"
        "  to do: add it; the columns are recruitment_seq, company_type_seq, supply_kind, employee"
    )


def test_a_renamed_column(jobs: Refuse, tmp_path: Path) -> None:
    header = JOBS["resume.csv"][0].replace("degree", "degrees")
    assert jobs(write(tmp_path / "in", changed(JOBS, "resume.csv", 1, header))) == (
        "the column 'degree' is missing\n"
        "  where: resume.csv, row 1\n"
        "  to do: did you mean 'degrees'? Rename it to 'degree'"
    )


def test_an_optional_column_that_is_misspelt(movies: Refuse) -> None:
    frame = pa.table({"user_id": [5], "gendre": ["F"]})
    assert movies({"users": frame}) == (
        "the column 'gendre' is unknown\n"
        "  where: users\n"
        "  to do: did you mean 'gender'? Rename it, or leave it out"
    )


def test_text_in_a_column_of_whole_numbers(jobs: Refuse, tmp_path: Path) -> None:
    line = JOBS["resume.csv"][2].replace(",3,0,0.0", ",three,0,0.0")
    assert jobs(write(tmp_path / "in", changed(JOBS, "resume.csv", 3, line))) == (
        "'three' is not a whole number from -128 to 127\n"
        "  where: resume.csv, row 3, column 'degree'\n"
        "  to do: correct the value, or leave it empty if it is not known"
    )


@pytest.mark.parametrize("value", ["128", "3.5", "1e9"])
def test_a_number_that_is_too_large_or_not_whole(jobs: Refuse, tmp_path: Path, value: str) -> None:
    line = JOBS["resume.csv"][2].replace(",3,0,0.0", f",{value},0,0.0")
    message = jobs(write(tmp_path / "in", changed(JOBS, "resume.csv", 3, line)))
    assert message.startswith(f"'{value}' is not a whole number from -128 to 127\n")


def test_text_in_a_column_of_numbers(jobs: Refuse, tmp_path: Path) -> None:
    files = changed(JOBS, "resume_language.csv", 3, "U00003,4,4.0,N2")
    assert jobs(write(tmp_path / "in", files)) == (
        "'N2' is not a number\n"
        "  where: resume_language.csv, row 3, column 'score'\n"
        "  to do: correct the value, or leave it empty if it is not known"
    )


def test_text_that_is_not_a_time(movies: Refuse, tmp_path: Path) -> None:
    files = changed(ML_LATEST, "ratings.csv", 4, "196,302,5,yesterday")
    assert movies(write(tmp_path / "in", files)) == (
        "'yesterday' is not a date, a time, or seconds since 1970\n"
        "  where: ratings.csv, row 4, column 'timestamp'\n"
        "  to do: correct the value, or leave it empty if it is not known"
    )


def test_milliseconds_are_refused_as_seconds(movies: Refuse, tmp_path: Path) -> None:
    files = changed(ML_LATEST, "ratings.csv", 2, "196,242,3.5,881250949000000")
    assert "'881250949000000' is not a date" in movies(write(tmp_path / "in", files))


def test_a_duplicate_key(movies: Refuse, tmp_path: Path) -> None:
    files = changed(ML_100K, "u.data", 3, "196\t242\t1\t1")
    assert movies(write(tmp_path / "in", files, "latin-1")) == (
        "user_id 196 and item_id 242 occurs twice; user_id and item_id must be unique\n"
        "  where: u.data, row 3, column 'user_id'; first in u.data, row 1\n"
        "  to do: keep one of the rows"
    )


def test_a_duplicate_key_in_two_files(movies: Refuse, tmp_path: Path) -> None:
    files = {**RECBOLE, "z.user": [RECBOLE["ml.user"][0], "7\t1\tF\tx\t0", "196\t1\tF\tx\t0"]}
    message = movies(write(tmp_path / "in", files))
    assert message.startswith("user_id 196 occurs twice; user_id must be unique\n")
    assert "z.user, row 3, column 'user_id'; first in ml.user, row 3" in message


def test_a_key_that_was_loaded_before(movies: Refuse, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"users.csv": ["user_id,age", "2,30", "1,40"]})
    assert movies(folder) == (
        "user_id 1 is in the table users already\n"
        "  where: users.csv, row 3, column 'user_id'\n"
        "  to do: leave out what was loaded before, or load into a new database"
    )


def test_a_reference_without_a_parent_row(jobs: Refuse, tmp_path: Path) -> None:
    files = changed(JOBS, "apply_train.csv", 4, "U00001,R09999")
    assert jobs(write(tmp_path / "in", files)) == (
        "recruitment_seq R09999 is not in posting\n"
        "  where: apply_train.csv, row 4, column 'recruitment_seq'\n"
        "  to do: load the posting it belongs to as well, or leave the row out"
    )


def test_references_to_a_table_that_is_not_loaded(jobs: Refuse, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", JOBS)
    message = jobs(folder / "apply_train.csv")
    assert message.startswith(
        "2 kinds of rows cannot be used\n1. resume_seq U00003 is not in resume\n"
    )
    assert "2. recruitment_seq R00002 is not in posting\n" in message
    assert "apply_train.csv, row 2 (and 3 more rows), column 'resume_seq'" in message


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [("\t242\t3\t0", "user_id", "user_id"), ("196\t\t3\t0", "item_id", "item_id")],
)
def test_an_empty_key(movies: Refuse, tmp_path: Path, row: str, column: str, message: str) -> None:
    assert movies(write(tmp_path / "in", changed(ML_100K, "u.data", 2, row), "latin-1")) == (
        f"{message} is empty; every row of ratings needs one\n"
        f"  where: u.data, row 2, column '{column}'\n"
        "  to do: fill it in, or leave the row out"
    )


@pytest.mark.parametrize("rating", ["-1", "0", "5.5", "nan", "inf"])
def test_a_weight_out_of_its_bounds(movies: Refuse, tmp_path: Path, rating: str) -> None:
    files = changed(ML_LATEST, "ratings.csv", 3, f"186,302,{rating},891717742")
    message = movies(write(tmp_path / "in", files))
    assert message.startswith(f"rating is {float(rating)}; the bound is rating BETWEEN 0.5 AND 5\n")
    assert "ratings.csv, row 3, column 'rating'" in message
    assert "to do: correct the value, or leave the row out" in message


def test_a_frame_with_a_weight_that_is_not_a_number(movies: Refuse) -> None:
    ratings = pa.table({"user_id": [5, 5], "item_id": [6, 7], "rating": [1.0, float("nan")]})
    items = pa.table({"item_id": [6, 7]})
    inputs = {"users": pa.table({"user_id": [5]}), "items": items, "ratings": ratings}
    assert movies(inputs) == (
        "rating is nan; the bound is rating BETWEEN 0.5 AND 5\n"
        "  where: ratings, row 2, column 'rating'\n"
        "  to do: correct the value, or leave the row out"
    )


@pytest.mark.parametrize(
    ("name", "row", "line", "message"),
    [
        (
            "resume_education.csv",
            2,
            "U00001,21,일반고,한국,여자,10,3,5,0,7,,,2,100.5",
            "univ_score is 100.5; the bound is univ_score BETWEEN 0 AND 100",
        ),
        (
            "resume_education.csv",
            4,
            "U00003,21,일반고,한국,여자,10,3,5,2,7,,,2,50",
            "univ_transfer is 2; the bound is univ_transfer IN (0, 1)",
        ),
        (
            "resume.csv",
            4,
            "U00003,2001-01-01,2020-03-07,5,2022,-1,9000,,,,,432,제조",
            "hope_salary is -1.0; the bound is (hope_salary > 0) AND (hope_salary <= 1000000)",
        ),
        (
            "resume.csv",
            4,
            "U00003,2001-01-01,2020-03-07,5,20220,1,9000,,,,,432,제조",
            "graduate_date is 20220; the bound is graduate_date BETWEEN 1900 AND 2100",
        ),
    ],
)
def test_a_value_out_of_its_bounds(
    jobs: Refuse, tmp_path: Path, name: str, row: int, line: str, message: str
) -> None:
    column = message.split()[0]
    assert jobs(write(tmp_path / "in", changed(JOBS, name, row, line))) == (
        f"{message}\n"
        f"  where: {name}, row {row}, column '{column}'\n"
        "  to do: correct the value, or leave it empty if it is not known"
    )


def test_a_life_that_ends_before_it_begins(jobs: Refuse, tmp_path: Path) -> None:
    ends = ["valid_from,valid_to", "2024-02-01,2024-01-01", ","]
    lines = [f"{a},{b}" for a, b in zip(JOBS["recruitment.csv"], ends, strict=True)]
    message = jobs(write(tmp_path / "in", {**JOBS, "recruitment.csv": lines}))
    assert message.startswith(
        "valid_to is 2024-01-01 00:00:00 and valid_from is 2024-02-01 00:00:00; "
        "the bound is valid_to > valid_from\n  where: recruitment.csv, row 2"
    )


def test_an_empty_file_and_one_without_rows(movies: Refuse, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"u.user": [], "users.csv": ["user_id"]})
    assert movies(folder / "u.user") == (
        f"u.user: the file {folder / 'u.user'} is empty\n  to do: give a file with rows"
    )
    assert movies(folder / "users.csv") == (
        "users.csv has no rows\n"
        f"  where: {folder / 'users.csv'}\n"
        "  to do: give at least one, or leave the file out"
    )


def test_a_parquet_file_that_is_cut_short(movies: Refuse, tmp_path: Path) -> None:
    path = tmp_path / "users.parquet"
    pq.write_table(pa.table({"user_id": list(range(2, 5000))}), path)
    path.write_bytes(path.read_bytes()[:5000])
    assert movies(path) == (
        "users.parquet is not a complete Parquet file: it is truncated or damaged\n"
        f"  where: {path}\n"
        "  to do: write or copy the file again"
    )


def test_a_parquet_file_that_is_damaged_inside(movies: Refuse, tmp_path: Path) -> None:
    path = tmp_path / "users.parquet"
    pq.write_table(pa.table({"user_id": list(range(2, 5000))}), path)
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(byte ^ 0x5A for byte in content[4:2000]) + content[2000:])
    assert movies(path).startswith("users.parquet is not a complete Parquet file")


def test_text_that_cannot_be_decoded(jobs: Refuse, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "in", {"resume_keyword.csv": ["resume_seq,keyword", "U1,a", "U1,회계"]}, "cp949"
    )
    assert jobs(folder) == (
        "the text is not UTF-8\n"
        "  where: resume_keyword.csv, row 3\n"
        "  to do: pass its encoding= (cp949 reads '회계', gb18030 reads '雀拌', "
        "cp1252 reads 'È¸°è', cp1251 reads 'Иё°и'), or save the file as UTF-8 "
        "(in a spreadsheet: 'CSV UTF-8')"
    )


def test_a_row_with_too_few_columns(movies: Refuse, tmp_path: Path) -> None:
    files = changed(ML_100K, "u.data", 2, "186\t302")
    message = movies(write(tmp_path / "in", files, "latin-1"))
    assert message.startswith("the row has 2 columns instead of 4\n  where: u.data, row 2\n")


def test_rows_with_too_few_columns_are_left_out(tmp_path: Path) -> None:
    files = changed(ML_LATEST, "ratings.csv", 3, "186,302,3")
    with Store.create(tmp_path / "movies.duckdb", "movies") as store:
        report = store.load(write(tmp_path / "in", files), on_bad_row="skip")
    ratings = contents(tmp_path / "movies.duckdb")["ratings"]
    assert [row[:3] for row in ratings] == [(196, 242, 3.5), (196, 302, 5)]
    assert [str(skipped) for skipped in report.skipped] == [
        "ratings.csv: left out 1 row (3): more or fewer than 4 columns"
    ]


def test_an_unknown_file_name(movies: Refuse, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", {"notes.txt": ["x"], "resume.csv": ["x"]})
    message = movies(folder / "notes.txt")
    assert message.startswith("notes.txt is not a file that is recognised\n")
    assert "to do: known names, where .csv may also be .parquet: *.inter, *.item, *.user" in message
    for name in ("u.data", "ratings.dat", "ratings.csv", "users.csv"):
        assert f" {name}" in message
    assert movies(folder).startswith("in holds no file that is recognised\n")


def test_a_file_or_table_that_does_not_exist(movies: Refuse, tmp_path: Path) -> None:
    assert "there is no file" in movies(tmp_path / "u.data")
    assert movies({"usres": pa.table({"user_id": [1]})}).startswith(
        "there is no table 'usres'\n  to do: did you mean 'users'? Known: genres, item_genres"
    )
    assert movies([]) == "there is nothing to load\n  to do: name at least one file or folder"


def test_library_tables_cannot_be_loaded(movies: Refuse) -> None:
    message = movies({"recommendation_runs": pa.table({"run_id": [1]})})
    assert message.startswith("there is no table 'recommendation_runs'")


def test_line_breaks_in_values_and_blank_lines_count(movies: Refuse, tmp_path: Path) -> None:
    lines = ["movieId,title,genres", '1,"a', 'b",x', "", "2,c,x", "x,d,x"]
    assert "movies.csv, row 6, column 'movieId'" in movies(
        write(tmp_path / "in", {"movies.csv": lines})
    )


def test_the_first_of_many_wrong_rows_is_named(movies: Refuse, tmp_path: Path) -> None:
    lines = ["user_id", *(str(n) for n in range(10, 60_000)), "x", "y", "60001", "z"]
    message = movies(write(tmp_path / "in", {"users.csv": lines}))
    assert message.startswith("'x' is not a whole number from -9223372036854775808 to ")
    assert "users.csv, row 59992 (and 2 more rows), column 'user_id'" in message


def test_an_error_in_the_last_file_keeps_all_files_out(movies: Refuse, tmp_path: Path) -> None:
    """The last file is wrong, so the correct ones before it are not loaded either."""
    files = changed(ML_100K, "u.user", 2, "196|151|M|writer|0")
    message = movies(write(tmp_path / "in", files, "latin-1"))
    assert message.startswith("age is 151; the bound is age BETWEEN 0 AND 120\n")


def test_a_failure_while_writing_rolls_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "movies.duckdb"
    Store.create(path, "movies").close()
    empty = contents(path)
    monkeypatch.setattr("shortlist.data.store.load.check", lambda *arguments: None)
    files = changed(ML_100K, "u.data", 3, "196\t242\t1\t1")
    with Store(path) as store, pytest.raises(duckdb.ConstraintException):
        store.load(write(tmp_path / "in", files, "latin-1"))
    assert contents(path) == empty


def test_a_store_loads_after_a_refused_load(made: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "movies.duckdb"
    refuser(made["movies"], path)({"users": pa.table({"user_id": ["x"]})})
    with Store(path) as store:
        for wrong in ({"users": pa.table({"user_id": [1]})}, tmp_path / "nothing.csv"):
            with pytest.raises(InputError):
                store.load(wrong)
        assert store.load({"users": pa.table({"user_id": [2]})}).rows == {"users": 1}
