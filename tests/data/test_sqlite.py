"""SQLite: values of any type in any column, times as text, damaged files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from shortlist.data.store import sqlite as backend
from shortlist.data.store.store import Store
from shortlist.errors import DatabaseError, InputError

from .servers import EmptyDatabase

LISTS = pa.table({"user_id": ["u"], "item_id": [1], "rank": [1], "score": [0.5], "source": ["m"]})


def shop(database: EmptyDatabase, *statements: str) -> None:
    assert database.path is not None
    database.path.touch()
    database.run(*statements)


def refusal(action: Any, *arguments: Any, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        action(*arguments, **settings)
    return str(caught.value)


def test_a_text_among_numbers_is_named_with_its_row(sqlite: EmptyDatabase) -> None:
    shop(sqlite, "CREATE TABLE log (u INTEGER, i INTEGER)")
    numbers = ", ".join(f"({n}, {n})" for n in range(1, 2001))
    sqlite.run(f"INSERT INTO log VALUES {numbers}", "INSERT INTO log VALUES (1, 'zwei'), (2, '')")
    with Store(sqlite.url) as store:
        assert refusal(store.dataset, "log", user_id="u", item_id="i") == (
            "'zwei' in the column 'i': the other values are numbers\n"
            f"  where: {sqlite.url}, table log, row 2001 (and 1 more row)\n"
            "  to do: correct the value, or read a view that casts it or leaves it out"
        )


def test_a_number_among_texts_and_raw_bytes(sqlite: EmptyDatabase) -> None:
    shop(
        sqlite,
        "CREATE TABLE log (u, i INTEGER)",
        "INSERT INTO log VALUES ('a', 1), (7, 2)",
        "CREATE TABLE raw (u INTEGER, i INTEGER)",
        "INSERT INTO raw VALUES (1, 1), (x'00ff', 2)",
    )
    with Store(sqlite.url) as store:
        assert refusal(store.dataset, "log", user_id="u", item_id="i").startswith(
            "'a' in the column 'u': the other values are numbers\n"
        )
        assert refusal(store.dataset, "raw", user_id="u", item_id="i").startswith(
            "X'00FF' in the column 'u': raw bytes can be neither an id nor a feature\n"
        )


def test_columns_whose_first_values_are_missing(sqlite: EmptyDatabase) -> None:
    """The driver would take a column for whole numbers whose first thousand values are NULL."""
    shop(sqlite, "CREATE TABLE log (u INTEGER, i TEXT)", "CREATE TABLE people (u INTEGER, t TEXT)")
    empty = ", ".join(f"({n}, NULL)" for n in range(3000))
    sqlite.run(
        f"INSERT INTO people VALUES {empty}, (3000, '한글')", "INSERT INTO log VALUES (5, 'x')"
    )
    with Store(sqlite.url) as store:
        data = store.dataset("log", "people", user_id="u", item_id="i")
    assert data.user_features is not None
    assert data.user_features.column("t").to_pylist() == [None] * 3000 + ["한글"]


@pytest.mark.parametrize(
    "values", [("'2024-05-01 00:00:00'",), ("'2024-05-01T00:00:00Z'",), ("1714521600",)]
)
def test_times_as_text_and_as_seconds(sqlite: EmptyDatabase, values: tuple[str]) -> None:
    shop(
        sqlite,
        "CREATE TABLE log (u INTEGER, i INTEGER, at TIMESTAMP)",
        f"INSERT INTO log VALUES (1, 1, {values[0]})",
    )
    with Store(sqlite.url) as store:
        data = store.dataset("log", user_id="u", item_id="i", time="at")
    assert data.times is not None
    assert data.times.tolist() == [1_714_521_600_000_000]


@pytest.mark.parametrize(
    ("value", "what", "remedy"),
    [
        ("gestern", "'gestern' is not a date, a time, or seconds since 1970", "leave the row out"),
        ("01/02/2024", "'01/02/2024' is not a date, a time", "pass time_format, such as"),
        ("", "a time is missing", "drop the row"),
        (" ", "a time is missing", "drop the row"),
    ],
)
def test_text_that_is_not_a_time(sqlite: EmptyDatabase, value: str, what: str, remedy: str) -> None:
    shop(
        sqlite,
        "CREATE TABLE log (u INTEGER, i INTEGER, at TEXT)",
        f"INSERT INTO log VALUES (1, 1, '2024-05-01'), (1, 2, '{value}'), (2, 1, '1714608000')",
    )
    options: dict[str, Any] = {"user_id": "u", "item_id": "i", "time": "at"}
    with Store(sqlite.url) as store:
        message = refusal(store.dataset, "log", **options)
        assert message.startswith(what)
        assert "  where: interactions, row 2, column 'at'\n" in message
        assert remedy in message
        data = store.dataset("log", **options, on_bad_row="skip")
        assert [(rows.column, rows.rows) for rows in data.skipped] == [("at", (2,))]
        assert data.times is not None
        assert data.times.tolist() == [1_714_521_600_000_000, 1_714_608_000_000_000]


def test_a_life_span_of_blank_text_has_no_end(sqlite: EmptyDatabase) -> None:
    shop(
        sqlite,
        "CREATE TABLE log (u INTEGER, i INTEGER)",
        "INSERT INTO log VALUES (1, 1)",
        "CREATE TABLE items (i INTEGER, valid_to TEXT)",
        "INSERT INTO items VALUES (1, '2024-05-01'), (2, ''), (3, NULL)",
    )
    with Store(sqlite.url) as store:
        features = store.dataset("log", items="items", user_id="u", item_id="i").item_features
    assert features is not None
    assert features.column("valid_to").to_pylist() == [dt.datetime(2024, 5, 1), None, None]


def test_generated_columns_are_columns(sqlite: EmptyDatabase) -> None:
    shop(
        sqlite,
        "CREATE TABLE log (u INTEGER, i INTEGER, w REAL AS (i * 2), at INTEGER AS (i) STORED)",
        "INSERT INTO log (u, i) VALUES (1, 3), (2, 4)",
        "CREATE TABLE items (i INTEGER, double INTEGER AS (i * 2))",
        "INSERT INTO items (i) VALUES (3), (4)",
    )
    with Store(sqlite.url) as store:
        data = store.dataset("log", items="items", user_id="u", item_id="i", weight="w", time="at")
    assert data.weights.tolist() == [6.0, 8.0]
    assert data.times is not None
    assert data.times.tolist() == [3_000_000, 4_000_000]
    assert data.item_features is not None
    assert data.item_features.column("double").to_pylist() == [6, 8]


def test_whole_numbers_and_fractions_become_fractions(sqlite: EmptyDatabase) -> None:
    shop(
        sqlite,
        "CREATE TABLE log (u INTEGER, i INTEGER, w)",
        "INSERT INTO log VALUES (1, 1, 2), (1, 2, 0.5)",
    )
    with Store(sqlite.url) as store:
        data = store.dataset("log", user_id="u", item_id="i", weight="w")
    assert data.weights.tolist() == [2.0, 0.5]


def test_a_text_in_a_number_column_of_a_store(sqlite: EmptyDatabase) -> None:
    Store.create(sqlite.url, "movies").close()
    sqlite.run(
        "PRAGMA ignore_check_constraints = ON",
        "INSERT INTO users (user_id, age) VALUES (1, 30), (2, 'old')",
        "INSERT INTO items (item_id) VALUES (2)",
        "INSERT INTO ratings VALUES (1, 2, 4, '2024-05-01')",
    )
    with Store(sqlite.url) as store:
        assert refusal(store.dataset).startswith(
            "'old' in the column 'age': the other values are numbers\n"
            f"  where: {sqlite.url}, table users, row 2"
        )


def test_a_sqlite_file_is_recognised_by_its_first_bytes(
    sqlite: EmptyDatabase, tmp_path: Path
) -> None:
    Store.create(sqlite.url, "movies").close()
    assert sqlite.path is not None
    odd = sqlite.path.rename(tmp_path / "shop.db")
    for target in (odd, str(odd), f"sqlite:///{odd}"):
        with Store(target) as store:
            assert (store.schema, store.path) == ("movies", odd)


def test_run_tables_beside_a_teams_own(sqlite: EmptyDatabase) -> None:
    shop(sqlite, "CREATE TABLE log (u INTEGER, i INTEGER)", "INSERT INTO log VALUES (1, 2)")
    with Store.create(sqlite.url, "runs") as store:
        assert store.write(LISTS, model="m") == 1
        assert len(store.dataset("log", user_id="u", item_id="i")) == 1


def test_a_damaged_file_and_a_missing_file(sqlite: EmptyDatabase, tmp_path: Path) -> None:
    path = tmp_path / "half.sqlite"
    path.write_bytes(b"SQLite format 3\x00" + b"nonsense" * 500)
    assert refusal(Store, path).startswith(f"{path} is not a valid SQLite database: ")
    assert refusal(Store, sqlite.url) == (
        f"there is no database {sqlite.url}\n  to do: create it: shortlist init DB --schema NAME"
    )


def test_another_program_that_writes(
    sqlite: EmptyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "_BUSY_TIMEOUT", 100)
    Store.create(sqlite.url, "runs").close()
    with Store(sqlite.url) as store, Store(sqlite.url) as other:
        with other._database.transaction(), pytest.raises(DatabaseError) as caught:
            store.write(LISTS, model="m")
        assert store.write(LISTS, model="m") == 1
    assert str(caught.value).startswith(f"{sqlite.url} is in use: another program wrote to it")


def test_times_of_runs_can_be_read_by_sqlite(sqlite: EmptyDatabase) -> None:
    with Store.create(sqlite.url, "runs") as store:
        store.write(LISTS, model="m")
    [(age,)] = sqlite.run(
        "SELECT abs(julianday('now') - julianday(created_at)) FROM recommendation_runs"
    )
    assert age * 86_400 < 60
