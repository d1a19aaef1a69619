"""A store behaves in the same way in a DuckDB file, a SQLite file and PostgreSQL."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from shortlist.data.store import library_tables
from shortlist.data.store.load import write as load_write
from shortlist.data.store.postgresql import DIALECT as POSTGRESQL
from shortlist.data.store.recorded import Recorded, SkippedLinesWarning
from shortlist.data.store.schema import StoreScript
from shortlist.data.store.sqlite import DIALECT as SQLITE
from shortlist.data.store.store import Store
from shortlist.errors import ConfigError, DatabaseError, InputError

from .servers import EmptyDatabase
from .table_files import JOBS, ML_100K, write

LISTS = pa.table(
    {
        "user_id": pa.array([2**63 - 1, 2**63 - 1, -5]),
        "item_id": ["나", "b", "나"],
        "rank": pa.array([1, 2, 1], pa.int32()),
        "score": pa.array([0.5, 0.25, -1.0], pa.float32()),
        "source": ["iALS", "iALS", "popularity"],
    }
)
STORED = [
    ("-5", 1, "나", -1.0, "popularity"),
    (str(2**63 - 1), 1, "나", 0.5, "iALS"),
    (str(2**63 - 1), 2, "b", 0.25, "iALS"),
]
READ = "SELECT user_id, rank, item_id, score, source FROM recommendations ORDER BY user_id, rank"


def refusal(action: Any, *arguments: Any, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        action(*arguments, **settings)
    return str(caught.value)


def tables(database: EmptyDatabase, folder: Path, schema: str) -> Store:
    files = {"movies": (ML_100K, "latin-1"), "jobs": (JOBS, "utf-8-sig")}
    store = Store.create(database.url, schema)
    store.load(write(folder / schema, files[schema][0], files[schema][1]))
    return store


@pytest.mark.parametrize("schema", [pytest.param("movies", marks=pytest.mark.slow), "jobs"])
def test_every_database_gives_the_same_dataset(
    database: EmptyDatabase, tmp_path: Path, schema: str
) -> None:
    with tables(database, tmp_path, schema) as store:
        data = store.dataset()
    with tables(EmptyDatabase("duckdb", str(tmp_path / "like.duckdb")), tmp_path, schema) as store:
        like = store.dataset()
    assert data.fingerprint == like.fingerprint
    assert data.positions.tolist() == like.positions.tolist()
    assert data.user_features is not None
    assert data.item_features is not None
    assert data.user_features.equals(like.user_features)
    assert data.item_features.equals(like.item_features)
    assert database.run(
        f"SELECT count(*) FROM {'ratings' if schema == 'movies' else 'application'}"
    )[0][0] == len(data)


def test_reopening_read_only(database: EmptyDatabase, tmp_path: Path) -> None:
    tables(database, tmp_path, "movies").close()
    with Store(database.url, read_only=True) as store:
        assert store.schema == "movies"
        assert repr(store) == f"Store({store.place!r}, schema='movies')"
        assert len(store.dataset()) == 3
        message = f"{store.place} was opened read-only\n  to do: open it to write"
        assert refusal(store.write, LISTS, model="m") == message


def test_a_load_is_checked_against_stored_rows(database: EmptyDatabase, tmp_path: Path) -> None:
    with tables(database, tmp_path, "movies") as store:
        before = count_rows(store)
        again = write(tmp_path / "again", ML_100K, "latin-1")
        assert " is in the table " in refusal(store.load, again)
        rating = ["user_id,item_id,rating,rated_at", "186,999,4,2024-05-01"]
        wrong = write(tmp_path / "wrong", {"ratings.csv": rating})
        assert refusal(store.load, wrong) == (
            "item_id 999 is not in items\n"
            "  where: ratings.csv, row 2, column 'item_id'\n"
            "  to do: load the items it belongs to as well, or leave the row out"
        )
        more = ["user_id,item_id,rating,rated_at", "186,242,4,2024-05-01"]
        assert store.load(write(tmp_path / "more", {"ratings.csv": more})).rows == {"ratings": 1}
        assert count_rows(store) == before + 1


def count_rows(store: Store) -> int:
    return len(store.dataset())


def test_rows_without_a_key_are_loaded_once(database: EmptyDatabase, tmp_path: Path) -> None:
    with tables(database, tmp_path, "jobs") as store:
        lines = ["resume_seq,certificate_contents", "U00001,새 자격", "U00001,새 자격"]
        files = write(tmp_path / "more", {"resume_certificate.csv": lines})
        assert store.load(files).rows == {"resume_certificate": 1}
        assert store.load(files).rows == {"resume_certificate": 0}


def test_a_run_is_stored_exactly_and_numbered(database: EmptyDatabase) -> None:
    with Store.create(database.url, "runs") as store:
        first = store.write(LISTS, model="IALS", config={"seed": 0, "이름": "값"}, k=5)
    assert first == 1
    assert database.run(READ) == STORED
    [(config, *about)] = database.run(
        "SELECT CAST(config AS varchar), model, k, asked_by, user_id_type, item_id_type "
        "FROM recommendation_runs"
    )
    assert json.loads(config) == {"seed": 0, "이름": "값"}
    assert about == ["IALS", 5, "user_id", "BIGINT", "VARCHAR"]
    with Store(database.url) as store:
        assert store.write(LISTS, model="EASE") == 2


def test_writing_a_run_again_stores_it_once(database: EmptyDatabase) -> None:
    with Store.create(database.url, "runs") as store:
        assert store.write(LISTS, model="IALS", run_id=41) == 41
        assert store.write(LISTS, model="IALS", run_id=41) == 41
        other = "run 41 exists already, with other lists\n  to do: give another run_id, or none"
        assert refusal(store.write, LISTS, model="EASE", run_id=41).startswith(other)
        assert refusal(store.write, LISTS.slice(1), model="IALS", run_id=41).startswith(other)
        assert store.write(LISTS, model="IALS") == 42
        assert "runs are numbered from 1" in refusal(store.write, LISTS, model="m", run_id=0)
    assert database.run("SELECT run_id, count(*) FROM recommendations GROUP BY 1 ORDER BY 1") == [
        (41, 3),
        (42, 3),
    ]


WRONG = (
    ("rank", [1, 1, 1], "run_id 1 and user_id 9223372036854775807 and rank 1 occurs twice"),
    ("item_id", ["b", "b", "b"], "run_id 1 and user_id 9223372036854775807 and item_id b occurs"),
    ("score", [1.0, float("nan"), 1.0], "score is nan; the bound is isfinite(score)"),
)


def test_invalid_run_writes_nothing(database: EmptyDatabase) -> None:
    with Store.create(database.url, "runs") as store:
        for column, values, message in WRONG:
            at = LISTS.column_names.index(column)
            wrong = LISTS.set_column(at, column, pa.array(values))
            assert refusal(store.write, wrong, model="m").startswith(message)
    assert database.run("SELECT count(*) FROM recommendation_runs") == [(0,)]


def test_the_database_enforces_the_constraints_of_runs(database: EmptyDatabase) -> None:
    with Store.create(database.url, "runs") as store:
        store.write(LISTS, model="m")
    on = ["PRAGMA foreign_keys = ON"] if database.kind == "sqlite" else []
    for row in (
        "(1, '-5', 1, 'c', 0, 'm')",  # the rank is there
        "(1, '-5', 2, '나', 0, 'm')",  # the item is there
        "(1, '-5', 0, 'c', 0, 'm')",  # no such rank
        "(9, '-5', 1, 'c', 0, 'm')",  # no such run
    ):
        with pytest.raises(Exception, match=r"(?i)constraint"):
            database.run(*on, f"INSERT INTO recommendations VALUES {row}")


def test_deleting_a_run_deletes_its_lists(database: EmptyDatabase) -> None:
    if database.kind == "duckdb":
        pytest.skip("DuckDB has no ON DELETE CASCADE")
    with Store.create(database.url, "runs") as store:
        store.write(LISTS, model="m")
        store.write(LISTS, model="m")
    on = ["PRAGMA foreign_keys = ON"] if database.kind == "sqlite" else []
    database.run(*on, "DELETE FROM recommendation_runs WHERE run_id = 1")
    assert database.run("SELECT DISTINCT run_id FROM recommendations") == [(2,)]


KILLED = """
import os, signal, sys
import pyarrow as pa
from shortlist.data.store import library_tables
from shortlist.data.store.load import write

def killed(*arguments):
    write(*arguments)  # every row is in the database, and nothing is committed
    os.kill(os.getpid(), signal.SIGKILL)

library_tables.write = killed
from shortlist.data.store.store import Store
lists = {"user_id": [1], "item_id": [2], "rank": [1], "score": [0.5], "source": ["m"]}
Store(sys.argv[1]).write(pa.table(lists), model="m")
"""


def test_killing_the_process_during_a_write_leaves_nothing(database: EmptyDatabase) -> None:
    with Store.create(database.url, "runs") as store:
        store.write(LISTS, model="before")
    done = subprocess.run([sys.executable, "-c", KILLED, database.url], timeout=60, check=False)
    assert done.returncode == -9
    assert database.run("SELECT model FROM recommendation_runs") == [("before",)]
    assert database.run(READ) == STORED
    with Store(database.url) as store:
        assert store.write(LISTS, model="after") == 2


class UnpluggedError(Exception):
    pass


def test_readers_see_complete_runs_only_and_a_failure_leaves_nothing(
    database: EmptyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When all rows are written and not yet committed, readers see none; then the write fails."""
    seen = []
    original = load_write

    def watched(*arguments: Any) -> Any:
        original(*arguments)
        if database.kind != "duckdb":  # nobody else can open that file meanwhile
            seen.append(database.run("SELECT count(*) FROM recommendation_runs"))
            seen.append(database.run("SELECT count(*) FROM recommendations"))
        raise UnpluggedError

    with Store.create(database.url, "runs") as store:
        monkeypatch.setattr(library_tables, "write", watched)
        with pytest.raises(UnpluggedError):
            store.write(LISTS, model="m")
        monkeypatch.undo()
        assert store.write(LISTS, model="m") == 1  # the connection is as good as new
    assert seen == ([] if database.kind == "duckdb" else [[(0,)], [(0,)]])
    assert database.run(READ) == STORED


def test_a_refused_row_rolls_the_run_back(database: EmptyDatabase) -> None:
    """A trigger, which a team may have added to the table, refuses the third row."""
    with Store.create(database.url, "runs") as store:
        if database.kind == "duckdb":
            pytest.skip("DuckDB has no triggers")
        if database.kind == "sqlite":
            database.run(
                "CREATE TRIGGER no AFTER INSERT ON recommendations WHEN new.user_id = '-5' "
                "BEGIN SELECT RAISE(ABORT, 'constraint failed: not -5'); END"
            )
        else:
            database.run(
                "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "IF new.user_id = '-5' THEN RAISE EXCEPTION 'not -5' USING ERRCODE = '23514'; "
                "END IF; RETURN new; END $$",
                "CREATE TRIGGER no BEFORE INSERT ON recommendations "
                "FOR EACH ROW EXECUTE FUNCTION no()",
            )
        message = refusal(store.write, LISTS, model="m")
    assert message.startswith("the database refuses a row: ")
    assert "not -5" in message
    assert "nothing has been written" in message
    assert database.run("SELECT count(*) FROM recommendation_runs") == [(0,)]
    assert database.run("SELECT count(*) FROM recommendations") == [(0,)]


def test_recorded_interactions_follow_those_of_the_schema(
    database: EmptyDatabase, tmp_path: Path
) -> None:
    moment = dt.datetime(2030, 5, 1, 9, 30, 0, 125_000, tzinfo=dt.UTC)
    with tables(database, tmp_path, "movies") as store:
        rows = [Recorded(186, 242, 4.5, moment), Recorded(7, 302, 1.0, moment)]
        store.record(rows)
        assert store.recorded() == rows
        data = store.dataset()
        assert data.users.ids.to_pylist() == [7, 186, 196]
        assert "the ids of this store are BIGINT" in refusal(
            store.record, [Recorded("186", 242, 1.0, moment)]
        )
        with pytest.raises(InputError):
            store.record([Recorded(1, 242, 1.0, moment), Recorded(1, 242, -1.0, moment)])
        assert store.recorded() == rows


def test_a_second_store_in_one_database_is_refused(database: EmptyDatabase) -> None:
    Store.create(database.url, "movies").close()
    message = refusal(Store.create, database.url, "movies")
    assert "exists already" in message or "has a store already" in message


def test_invalid_schema_leaves_nothing(database: EmptyDatabase, tmp_path: Path) -> None:
    (tmp_path / "mine.sql").write_text("CREATE TABLE t (x INT);")
    assert refusal(Store.create, database.url, tmp_path / "mine.sql").startswith(
        "the schema lacks the view interactions"
    )
    if database.path is not None:
        assert not database.path.exists()


ORDERS = (
    'CREATE TABLE "My orders" (no integer, "Käufer" varchar(20), thing integer, "how much" real)'
)


def own(database: EmptyDatabase, *rows: Sequence[Any]) -> None:
    if database.kind == "sqlite":  # an empty file is a SQLite database without tables
        assert database.path is not None
        database.path.touch()
    database.run(ORDERS)
    database.insert('"My orders"', [tuple(row) for row in rows])


COLUMNS: dict[str, Any] = {"user_id": "Käufer", "item_id": "thing", "weight": "how much"}


def test_own_tables_are_read_by_name(database: EmptyDatabase) -> None:
    own(database, (1, "박", 7, 2.5), (2, "O'Neil", 8, 1.0), (3, "박", 7, 0.5))
    with Store(database.url, read_only=True) as store:
        assert store.schema == ""
        data = store.dataset('"My orders"', **COLUMNS, repeats="sum")
        assert data.users.ids.to_pylist() == ["O'Neil", "박"]
        assert data.items.ids.to_pylist() == [7, 8]
        assert data.weights.tolist() == [1.0, 3.0]
        assert refusal(store.dataset) == (
            f"{store.place} is a database without the tables of shortlist\n"
            "  to do: create them: shortlist init DB --schema NAME"
        )


def test_own_tables_of_users_and_items(database: EmptyDatabase) -> None:
    own(database, (1, "박", 7, 2.5), (2, "김", 8, None))
    database.run(
        "CREATE TABLE things (thing integer, title varchar(9), price decimal(6, 2), made date)"
    )
    database.insert(
        "things", [(8, None, 9.5, "2024-05-01"), (7, "책", None, None), (9, "x", 1, None)]
    )
    database.run('CREATE VIEW buyers AS SELECT DISTINCT "Käufer", 5 AS age FROM "My orders"')
    with Store(database.url) as store:
        data = store.dataset('"My orders"', "buyers", "things", user_id="Käufer", item_id="thing")
    assert data.items.ids.to_pylist() == [7, 8, 9]
    assert data.item_features is not None
    assert data.item_features.column("title").to_pylist() == ["책", None, "x"]
    assert data.item_features.column("price").to_pylist() == [None, 9.5, 1.0]
    assert data.user_features is not None
    assert data.user_features.column("age").to_pylist() == [5, 5]


def test_missing_tables_and_columns_are_named(database: EmptyDatabase) -> None:
    own(database, (1, "박", 7, 2.5))
    with Store(database.url) as store:
        assert refusal(store.dataset, "My order", **COLUMNS) == (
            f"there is no table My order\n  where: {store.place}\n"
            "  to do: did you mean 'My orders'? Known: My orders"
        )
        assert refusal(store.dataset, "My orders", user_id="no", item_id="thin") == (
            f"the table My orders has no column 'thin'\n  where: {store.place}\n"
            "  to do: did you mean 'thing'? Known: Käufer, how much, no, thing; "
            "where the names differ from table to table, read views"
        )
        assert "is not the name of a table" in refusal(store.dataset, 'My "orders', **COLUMNS)
        assert "is not the name of a table" in refusal(store.dataset, "a.b.c; DROP", **COLUMNS)
        with pytest.raises(ConfigError, match="add interactions="):
            store.dataset(users="buyers")


def test_a_table_without_rows(database: EmptyDatabase) -> None:
    own(database)
    with Store(database.url) as store:
        assert "the table has no rows" in refusal(store.dataset, "My orders", **COLUMNS)


def test_sql_injection_in_a_name_has_no_effect(database: EmptyDatabase) -> None:
    own(database, (1, "박", 7, 2.5))
    with Store(database.url) as store:
        name = '"My orders""; DROP TABLE ""My orders"'
        assert "there is no table" in refusal(store.dataset, name, **COLUMNS)
        assert "has no column" in refusal(
            store.dataset, "My orders", user_id='no" FROM x; --', item_id="thing"
        )
    assert database.run('SELECT count(*) FROM "My orders"') == [(1,)]


def test_a_renamed_column_and_a_dropped_table(database: EmptyDatabase, tmp_path: Path) -> None:
    if database.kind == "duckdb":
        pytest.skip("the views of the file fail in words of DuckDB")
    tables(database, tmp_path, "movies").close()
    database.run("ALTER TABLE ratings RENAME COLUMN rated_at TO moment")
    with Store(database.url) as store:
        assert refusal(store.dataset) == (
            f"the table ratings has no column 'rated_at' any more\n  where: {store.place}\n"
            "  to do: add it again, or make a new store and load the tables into it"
        )
    database.run("DROP TABLE ratings")
    with Store(database.url) as store:
        assert refusal(store.dataset).startswith("there is no table ratings\n")


def test_deleting_a_parent_deletes_its_children(database: EmptyDatabase, tmp_path: Path) -> None:
    if database.kind == "duckdb":
        pytest.skip("DuckDB has no ON DELETE CASCADE")
    tables(database, tmp_path, "movies").close()
    on = ["PRAGMA foreign_keys = ON"] if database.kind == "sqlite" else []
    database.run(*on, "DELETE FROM users WHERE user_id = 186")
    assert database.run("SELECT DISTINCT user_id FROM ratings") == [(196,)]


def test_every_column_of_the_schemas_has_a_type_everywhere() -> None:
    for schema in ("movies", "jobs", "runs"):
        script, name = StoreScript.of_schema(schema)
        assert name == schema
        for dialect in (POSTGRESQL, SQLITE):
            made = script.statements(dialect)
            assert sum(sql.startswith("CREATE TABLE") for sql in made) == len(script.tables)


def test_a_type_that_sqlite_cannot_store(sqlite: EmptyDatabase, tmp_path: Path) -> None:
    (tmp_path / "mine.sql").write_text(
        "CREATE TABLE t (u UBIGINT, i INT);"
        "CREATE VIEW interactions AS SELECT u AS user_id, i AS item_id, 1::FLOAT AS weight, "
        "NULL::TIMESTAMP AS time FROM t;"
        "CREATE VIEW user_features AS SELECT u AS user_id FROM t;"
        "CREATE VIEW item_features AS SELECT i AS item_id FROM t;"
    )
    assert refusal(Store.create, sqlite.url, tmp_path / "mine.sql").startswith(
        "SQLite cannot store the type UBIGINT\n  where: table t, column 'u'\n  to do: use one of "
    )
    assert sqlite.path is not None
    assert not sqlite.path.exists()


def test_the_stored_script_cannot_access_files(sqlite: EmptyDatabase, tmp_path: Path) -> None:
    """The script comes out of somebody's database and is executed, so it must do no harm."""
    Store.create(sqlite.url, "movies").close()
    target = tmp_path / "stolen.csv"
    sqlite.run(f"UPDATE shortlist_store SET ddl = 'COPY (SELECT 1) TO ''{target}'''")
    with Store(sqlite.url) as store:
        assert refusal(store.dataset).startswith("the definition of the store is damaged: ")
    assert not target.exists()


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortlist.extras.installed", lambda extra: False)
    for target, what in (
        ("postgresql://h/d", "a PostgreSQL database"),
        (tmp_path / "x.sqlite", "a SQLite database"),
    ):
        for arguments in ((Store, target), (Store.create, target, "movies")):
            with pytest.raises(ConfigError) as caught:
                arguments[0](*arguments[1:])
            assert str(caught.value).startswith(f"{what} needs adbc_driver_manager")
            assert str(caught.value).endswith("to do: pip install 'shortlist[sql]'")


def test_a_database_error_is_not_an_input_error() -> None:
    assert not issubclass(DatabaseError, InputError)  # the input may be right: exit code 1


RECORDED_AT = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        ({"user_id": 2**63}, "the ids of this store are BIGINT", "give a whole number"),
        ({"user_id": -(2**63) - 1}, "the ids of this store are BIGINT", "give a whole number"),
        ({"user_id": "1"}, "the ids of this store are BIGINT", "give a whole number"),
        ({"item_id": 999}, "it is not in items", "give an item that the store has"),
        ({"weight": 0.0}, "the bound is rating BETWEEN", "give a weight within the bound"),
        ({"weight": 5.5}, "the bound is rating BETWEEN", "give a weight within the bound"),
        ({"weight": float("nan")}, "weights are finite", "give a weight within the bound"),
        ({"weight": 1e300}, "weights are finite", "give a weight within the bound"),
        ({"time": dt.datetime(1, 1, 1, tzinfo=dt.UTC)}, "the years 1900 to 2199", "give the time"),
        (
            {"time": dt.datetime(2999, 1, 1, tzinfo=dt.UTC)},
            "the years 1900 to 2199",
            "give the time",
        ),
    ],
)
def test_recorded_interactions_obey_the_rules_of_the_schema(
    database: EmptyDatabase, tmp_path: Path, change: dict[str, Any], what: str, remedy: str
) -> None:
    good = Recorded(186, 242, 4.5, RECORDED_AT)
    with tables(database, tmp_path, "movies") as store:
        before = store.dataset().fingerprint
        message = refusal(store.record, [good, good._replace(**change)])
        assert what in message
        assert f"to do: {remedy}" in message
        assert "interaction 1" in message
        assert store.recorded() == []
        assert store.dataset().fingerprint == before


@pytest.mark.parametrize("user", ["", "a\0b"])
def test_a_recorded_id_in_text_has_letters(tmp_path: Path, user: str) -> None:
    with Store.create(tmp_path / "jobs.duckdb", "jobs") as store:
        message = refusal(store.record, [Recorded(user, "R1", 1.0, RECORDED_AT)])
    assert message.endswith("\n  where: interaction 0\n  to do: give an id")


def test_a_recorded_interaction_can_be_removed(database: EmptyDatabase, tmp_path: Path) -> None:
    rows = [Recorded(user, 242, 4.5, RECORDED_AT) for user in (186, 7, 8)]
    with tables(database, tmp_path, "movies") as store:
        ids = store.record(rows)
        assert store.journal() == dict(zip(ids, rows, strict=True))
        assert store.unrecord(ids[2])
        assert not store.unrecord(ids[2])
        assert not store.unrecord(2**70)
        assert store.record(rows[2:])[0] > ids[2]  # ids are not used again
        assert store.unrecord(ids[0])
        assert store.recorded() == rows[1:]


def test_bad_recorded_lines_are_skipped_reported_and_kept(
    database: EmptyDatabase, tmp_path: Path
) -> None:
    with tables(database, tmp_path, "movies") as store:
        before = store.dataset()
        store.record([Recorded(7, 242, 4.5, RECORDED_AT)])
    for values in (
        "('9223372036854775808', '242', 4.0, '2024-01-01')",
        "('abc', '242', 4.0, '2024-01-01')",
        "('8', '242', 1000.0, '2024-01-01')",
        "('9', '242', 4.0, '2999-01-01')",
    ):
        database.run(
            f"INSERT INTO recorded_interactions (user_id, item_id, weight, time) VALUES {values}"
        )
    with Store(database.url) as store:
        with pytest.warns(SkippedLinesWarning, match="4 recorded interactions skipped") as caught:
            assert [row.user_id for row in store.recorded()] == [7]
        assert "9223372036854775808" in str(caught[0].message)
        with pytest.warns(SkippedLinesWarning):
            assert len(store.dataset()) == len(before) + 1
    assert database.run("SELECT count(*) FROM recorded_interactions") == [(5,)]
