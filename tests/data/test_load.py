from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shortlist.data.sql import connect
from shortlist.data.store.store import Store

from .table_files import JOBS, ML_1M, ML_100K, ML_LATEST, RECBOLE, write

RATINGS = [
    (186, 302, 3.0, dt.datetime(1998, 4, 4, 19, 22, 22)),
    (196, 242, 3.0, dt.datetime(1997, 12, 4, 15, 55, 49)),
    (196, 302, 5.0, dt.datetime(1997, 12, 4, 15, 55, 50)),
]


@pytest.fixture
def movies(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "movies.duckdb", "movies") as store:
        yield store


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "jobs.duckdb", "jobs") as store:
        yield store


def rows(store: Store, query: str) -> list[tuple[Any, ...]]:
    """Look into the file as any other program would."""
    with duckdb.connect(str(store.path)) as db:
        return db.execute(query).fetchall()


def test_movielens_100k(movies: Store, tmp_path: Path) -> None:
    report = movies.load(write(tmp_path / "in", ML_100K, "latin-1"))
    assert report.rows == {"genres": 3, "items": 2, "users": 2, "item_genres": 3, "ratings": 3}
    assert not report.repeated
    assert not report.ignored
    movies.close()
    assert rows(movies, "FROM ratings ORDER BY ALL") == RATINGS
    assert rows(movies, "FROM items ORDER BY ALL") == [
        (242, 'Léon, the "Pro" (1994)', 1994),
        (302, "unknown", None),
    ]
    assert rows(movies, "FROM users ORDER BY ALL") == [
        (186, 39, "F", "executive", "00000"),
        (196, 49, "M", "writer", "T8H1N"),
    ]
    assert rows(movies, "FROM item_genres ORDER BY ALL") == [
        (242, "Action"),
        (242, "Children's"),
        (302, "unknown"),
    ]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_movielens_1m(movies: Store, tmp_path: Path, encoding: str) -> None:
    movies.load(write(tmp_path / "in", ML_1M, encoding))
    movies.close()
    assert rows(movies, "FROM ratings ORDER BY ALL") == RATINGS
    assert rows(movies, "FROM items ORDER BY ALL")[0] == (242, "Léon (1994)", 1994)
    assert rows(movies, "SELECT zip_code FROM users ORDER BY 1") == [("00000",), ("98107-2117",)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_movielens_csv_adds_the_users_of_its_ratings(
    movies: Store, tmp_path: Path, encoding: str
) -> None:
    report = movies.load(write(tmp_path / "in", ML_LATEST, encoding, "\r\n"))
    assert report.rows["users"] == 2
    movies.close()
    assert rows(movies, "FROM users ORDER BY ALL")[0] == (186, None, None, None, None)
    assert rows(movies, "SELECT rating FROM ratings ORDER BY ALL") == [(3.0,), (3.5,), (5.0,)]
    assert rows(movies, "FROM item_features ORDER BY ALL") == [
        (242, 'Léon, the "Pro" (1994)', 1994, ["Action", "Children's"]),
        (302, "기생충", None, []),
    ]


def test_recbole(movies: Store, tmp_path: Path) -> None:
    movies.load(write(tmp_path / "in", RECBOLE))
    movies.close()
    assert rows(movies, "FROM ratings ORDER BY ALL") == RATINGS
    assert rows(movies, "FROM item_features ORDER BY ALL") == [
        (242, 'Léon the "Pro"', 1994, ["Action", "Children's"]),
        (302, "unknown", None, []),
    ]


def test_recbole_ratings_alone(movies: Store, tmp_path: Path) -> None:
    report = movies.load(write(tmp_path / "in", RECBOLE) / "ml.inter")
    assert report.rows == {"items": 2, "users": 2, "ratings": 3}


def test_recbole_files_with_few_columns(movies: Store, tmp_path: Path) -> None:
    files = {
        "x.inter": ["user_id:token\titem_id:token\trating:float\tlabel:float", "1\t2\t4\t1"],
        "x.user": ["user_id:token\tgender:token", "1\tF"],
    }
    report = movies.load(write(tmp_path / "in", files))
    assert report.ignored == {"x.inter": ("label",)}
    movies.close()
    assert rows(movies, "FROM ratings") == [(1, 2, 4.0, None)]
    assert rows(movies, "FROM users") == [(1, None, "F", None, None)]


def test_files_named_after_the_tables(movies: Store, tmp_path: Path) -> None:
    write(tmp_path / "in", {"users.csv": ["user_id,gender", "5,F"]})
    items = {"item_id": [7], "title": ["기생충"], "year": [2019], "genres": [["Drama", "Thriller"]]}
    pq.write_table(pa.table(items), tmp_path / "in" / "items.parquet")
    moment = dt.datetime(2024, 5, 1, 9, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    ratings = {"user_id": [5], "item_id": [7.0], "rating": [0.5], "rated_at": [moment]}
    pq.write_table(pa.table(ratings), tmp_path / "in" / "ratings.parquet")
    movies.load(
        [tmp_path / "in" / name for name in ("ratings.parquet", "items.parquet", "users.csv")]
    )
    movies.close()
    assert rows(movies, "FROM ratings") == [(5, 7, 0.5, dt.datetime(2024, 5, 1))]
    assert rows(movies, "FROM item_features") == [(7, "기생충", 2019, ["Drama", "Thriller"])]
    assert rows(movies, "FROM users") == [(5, None, "F", None, None)]


def test_frames_by_table_name(movies: Store, tmp_path: Path) -> None:
    write(tmp_path / "in", {"who.csv": ["user_id", "1", "2"]})
    with connect() as db:
        movies.load(
            {
                "users": tmp_path / "in" / "who.csv",
                "items": pl.DataFrame({"item_id": [10], "title": ["기생충"]}),
                "ratings": pd.DataFrame({"user_id": [1], "item_id": [10], "rating": [4]}),
                "genres": pa.table({"genre": ["Drama"]}),
                "item_genres": db.sql("SELECT 10 AS item_id, 'Drama' AS genre"),
            }
        )
    movies.close()
    assert rows(movies, "FROM interactions") == [(1, 10, 4.0, None)]
    assert rows(movies, "FROM item_features") == [(10, "기생충", None, ["Drama"])]


def test_a_second_load_adds(movies: Store, tmp_path: Path) -> None:
    movies.load(write(tmp_path / "in", ML_100K, "latin-1"))
    write(tmp_path / "more", {"u.user": ["7|30|F|none|1"], "u.data": ["7\t242\t1\t0"]})
    assert movies.load(tmp_path / "more").rows == {"users": 1, "ratings": 1}
    movies.close()
    assert rows(movies, "SELECT count(*) FROM interactions") == [(4,)]


def test_the_order_of_a_file_is_kept(jobs: Store, tmp_path: Path) -> None:
    jobs.load(write(tmp_path / "in", JOBS))
    jobs.close()
    assert rows(jobs, "SELECT user_id, item_id FROM interactions") == [
        ("U00003", "R00002"),
        ("U00001", "R00002"),
        ("U00001", "R00001"),
        ("U00002", "R00001"),
    ]


def test_the_seven_files_as_published(jobs: Store, tmp_path: Path) -> None:
    report = jobs.load(write(tmp_path / "in", JOBS, "utf-8-sig"))
    assert report.rows == {
        "posting": 2,
        "resume": 3,
        "application": 4,
        "company": 1,
        "posting_check_box": 4,
        "posting_keyword": 2,
        "resume_certificate": 3,
        "resume_education": 3,
        "resume_keyword": 4,
        "resume_language": 2,
    }
    assert report.repeated == {"resume_language.csv": 1}
    assert "resume_language.csv: left out 1 repeated row" in str(report)
    jobs.close()
    assert rows(jobs, "FROM resume ORDER BY ALL")[1] == (
        "U00002",
        dt.datetime(2018, 7, 1),
        dt.datetime(2020, 2, 6),
        3,
        None,  # graduate_date 0
        None,  # hope_salary 0
        2800.0,
        "생산",
        None,
        None,
        36,
        "제조;기계",
    )
    assert rows(jobs, "FROM resume_keyword ORDER BY ALL") == [
        ("U00001", "세무"),
        ("U00001", "회계"),
        ("U00002", '"CAD"'),
        ("U00002", "용접"),
    ]
    education = (
        "SELECT univ_type_seq1, univ_transfer, univ_location, univ_score FROM resume_education"
    )
    assert rows(jobs, f"{education} ORDER BY resume_seq") == [
        ("3", 0, "7", 88.5),
        (None, 0, None, None),
        ("3", 1, "7", 100.0),
    ]
    assert rows(jobs, "FROM resume_certificate ORDER BY ALL") == [
        (1, "U00001", "전산회계 1급"),
        (2, "U00001", "전산세무 2급"),
        (3, "U00003", None),
    ]
    assert rows(jobs, "FROM resume_language ORDER BY ALL") == [
        (1, "U00001", "4", "4", 855.0),
        (2, "U00003", "4", "4", None),
    ]
    assert rows(jobs, "FROM company") == [("R00001", "2", "402", 120)]
    assert rows(jobs, "FROM item_features ORDER BY item_id")[1] == (
        "R00002", None, None, None, None, None, 4, "10", 0, None, None, None,
        ["2101"], ["경리", "사무"], None, None,
    )  # fmt: skip
    names = "user_id, degree, keywords, certificates, languages"
    assert rows(jobs, f"SELECT {names} FROM user_features ORDER BY user_id") == [
        ("U00001", 4, ["세무", "회계"], ["전산세무 2급", "전산회계 1급"], ["4"]),
        ("U00002", 3, ['"CAD"', "용접"], [], []),
        ("U00003", 5, [], [], ["4"]),
    ]


def test_equal_children_are_loaded_once_in_two_loads_too(jobs: Store, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", JOBS)
    jobs.load(folder)
    report = jobs.load(folder / "resume_certificate.csv")
    assert report.rows == {"resume_certificate": 0}
    assert report.repeated == {"resume_certificate.csv": 3}


def test_postings_with_a_life_span_and_applications_with_a_time(
    jobs: Store, tmp_path: Path
) -> None:
    files = dict(JOBS)
    ends = ["valid_from,valid_to", "2024-01-01,2024-02-01T09:00:00+09:00", ","]
    files["recruitment.csv"] = [
        f"{a},{b}" for a, b in zip(JOBS["recruitment.csv"], ends, strict=True)
    ]
    times = ["applied_at", "2024-01-02", "1704153600", "", "2024-01-03 10:00"]
    files["apply_train.csv"] = [
        f"{a},{b}" for a, b in zip(JOBS["apply_train.csv"], times, strict=True)
    ]
    jobs.load(write(tmp_path / "in", files))
    jobs.close()
    assert rows(jobs, "SELECT valid_from, valid_to FROM item_features ORDER BY item_id") == [
        (dt.datetime(2024, 1, 1), dt.datetime(2024, 2, 1)),
        (None, None),
    ]
    assert rows(jobs, "SELECT time FROM interactions") == [
        (dt.datetime(2024, 1, 2),),
        (dt.datetime(2024, 1, 2),),
        (None,),
        (dt.datetime(2024, 1, 3, 10),),
    ]


def test_columns_that_fill_nothing_are_reported(movies: Store, tmp_path: Path) -> None:
    write(
        tmp_path / "in",
        {"users.csv": ["user_id,age,gender,occupation,zip_code,note", "1,2,F,x,0,n"]},
    )
    report = movies.load(tmp_path / "in" / "users.csv")
    assert report.ignored == {"users.csv": ("note",)}
    assert str(report) == "           1  users\nusers.csv: ignored the columns note"


def test_a_file_named_twice_is_read_once(movies: Store, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", ML_100K, "latin-1")
    assert movies.load([folder, folder / "u.data", folder]).rows["ratings"] == 3


def test_ids_at_the_ends_of_64_bits(movies: Store, tmp_path: Path) -> None:
    low, high = -(2**63), 2**63 - 1
    files = {
        "x.inter": [RECBOLE["ml.inter"][0], f"{low}\t{high}\t1\t0", f"{high}\t{high - 1}\t1\t0"]
    }
    movies.load(write(tmp_path / "in", files))
    movies.close()
    assert rows(movies, "SELECT user_id, item_id FROM ratings ORDER BY 1") == [
        (low, high),
        (high, high - 1),
    ]


def test_many_rows_come_in_blocks(movies: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortlist.data.store.load._BLOCK_ROWS", 1000)
    users = pa.table({"user_id": list(range(3500))})
    assert movies.load({"users": users}).rows == {"users": 3500}
    movies.close()
    assert rows(movies, "SELECT count(*), sum(user_id) FROM users") == [(3500, 3500 * 3499 // 2)]
