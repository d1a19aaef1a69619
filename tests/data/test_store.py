from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from shortlist.data.columns.labels import labels_of
from shortlist.data.dataset import Dataset
from shortlist.data.samples import generate_jobs
from shortlist.data.sql import connect
from shortlist.data.store import schema
from shortlist.data.store.library_tables import LIBRARY_TABLES, Mark
from shortlist.data.store.recorded import Recorded
from shortlist.data.store.schema import read_tables, schema_sql
from shortlist.data.store.store import Store
from shortlist.errors import InputError
from shortlist.explore.items import labels

from .table_files import JOBS, ML_100K, ML_LATEST, write

OWN_SCHEMA = """
CREATE TABLE shop (shop_id VARCHAR PRIMARY KEY, town VARCHAR);
CREATE TABLE buyer (buyer_id UBIGINT PRIMARY KEY, likes INTEGER CHECK (likes > 0));
CREATE TABLE visit (
    buyer_id UBIGINT NOT NULL REFERENCES buyer (buyer_id),
    shop_id  VARCHAR NOT NULL REFERENCES shop (shop_id),
    times    INTEGER NOT NULL DEFAULT 1,
    day      DATE,
    PRIMARY KEY (buyer_id, shop_id, day)
);
CREATE VIEW user_features AS SELECT buyer_id AS user_id, likes FROM buyer;
CREATE VIEW item_features AS SELECT shop_id AS item_id, town FROM shop;
CREATE VIEW interactions AS
SELECT buyer_id AS user_id, shop_id AS item_id, times::FLOAT AS weight, day::TIMESTAMP AS time
FROM visit;
"""


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path)) as db:
        return db.execute(query).fetchall()


def refusal(action: Any, *arguments: Any, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        action(*arguments, **settings)
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.duckdb"


@pytest.fixture
def movies(path: Path) -> Iterator[Store]:
    with Store.create(path, "movies") as store:
        yield store


@pytest.mark.parametrize("name", ["movies", "jobs", "runs"])
def test_create_leaves_one_complete_file_that_opens_again(path: Path, name: str) -> None:
    with Store.create(path, name) as store:
        assert store.schema == name
    with Store(path) as store:
        assert repr(store) == f"Store({str(path)!r}, schema='{name}')"
    assert [file.name for file in path.parent.iterdir()] == ["store.duckdb"]


@pytest.mark.parametrize("name", ["movies", "jobs", "runs"])
def test_the_ddl_is_plain_sql(path: Path, name: str) -> None:
    with duckdb.connect(str(path)) as db:
        db.execute(schema_sql(name))
        views = db.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    read = {"user_features", "item_features", "interactions"}
    expected = {"runs": set(), "movies": read, "jobs": read | {"labels"}}
    assert {view for (view,) in views} == expected[name]


def test_an_unknown_schema(path: Path) -> None:
    assert refusal(schema_sql, "movie") == (
        "there is no schema 'movie'\n"
        "  to do: did you mean 'movies'? Known: jobs, movies, runs, or a .sql file"
    )
    assert refusal(Store.create, path, "shops.sql").startswith("there is no file shops.sql\n")
    assert not path.exists()


def test_own_schema_needs_no_python(path: Path, tmp_path: Path) -> None:
    (tmp_path / "shops.sql").write_text(OWN_SCHEMA)
    with Store.create(path, tmp_path / "shops.sql") as store:
        assert store.schema == "shops"
        files = {
            "shop.csv": ["shop_id,town", "나,서울", "b,"],
            "buyer.csv": ["buyer_id,likes", f"{2**64 - 1},3"],
            "visit.csv": ["buyer_id,shop_id,day", f"{2**64 - 1},나,2024-05-01"],
        }
        store.load(write(tmp_path / "in", files))
        data = store.dataset()
        wrong = write(tmp_path / "wrong", {"buyer.csv": ["buyer_id,likes", "-1,3"]})
        assert "'-1' is not a whole number from 0 to 18446744073709551615" in refusal(
            store.load, wrong
        )
    assert data.users.ids.to_pylist() == [2**64 - 1]
    assert data.items.ids.to_pylist() == ["b", "나"]
    assert data.weights.tolist() == [1.0]  # the default of the column
    assert data.times is not None
    assert data.times.tolist() == [1_714_521_600_000_000]


def test_a_table_of_labels_gives_the_words_for_codes(path: Path, tmp_path: Path) -> None:
    words = 'CREATE TABLE labels ("column" VARCHAR, value VARCHAR, label VARCHAR);'
    (tmp_path / "shops.sql").write_text(f"{words}\n{OWN_SCHEMA}")
    with Store.create(path, tmp_path / "shops.sql") as store:
        files = {
            "shop.csv": ["shop_id,town", "a,3", "b,4"],
            "buyer.csv": ["buyer_id,likes", "1,3"],
            "visit.csv": ["buyer_id,shop_id,day", "1,a,2024-05-01"],
            "labels.csv": ["column,value,label", "town,,place", "town,3,Busan"],
        }
        store.load(write(tmp_path / "in", files))
        assert labels(store.dataset()) == ["a (place Busan)", "b (place 4)"]


def test_codes_of_the_job_board_get_labels(path: Path, tmp_path: Path) -> None:
    words = ["column,value,label", "education,2,bachelor's", "address_seq1,3,Busan"]
    with Store.create(path, "jobs") as store:
        store.load(generate_jobs(tmp_path / "tables", 100, 150))
        plain = labels_of(store.dataset().item_features)
        assert plain["education"] == {"": "education"}
        store.load(write(tmp_path / "in", {"code_label.csv": words}))
        named = labels_of(store.dataset().item_features)
        assert named["education"] == {"": "education", "2": "bachelor's"}
        assert named["address_seq1"] == {"": "region", "3": "Busan"}


@pytest.mark.parametrize(
    ("ddl", "message"),
    [
        ("CREATE TABLE t (", "the schema is not valid: Parser Error"),
        ("CREATE TABLE t (x INT);", "the schema lacks the view interactions"),
        (f"BEGIN TRANSACTION; {OWN_SCHEMA}", "the schema begins a transaction and does not end it"),
        (f"CREATE SCHEMA s; USE s; {OWN_SCHEMA}", "the schema makes s.buyer, and a store is read"),
        (f"CREATE TEMP TABLE x (y INT); {OWN_SCHEMA}", "the schema makes temp.x, and a store is"),
        (
            OWN_SCHEMA.replace(", day::TIMESTAMP AS time", ""),
            "the view interactions lacks the column time",
        ),
        (
            OWN_SCHEMA.replace("shop_id AS item_id, town", "shop_id, town"),
            "the view item_features lacks the column item_id",
        ),
        (f"{OWN_SCHEMA} DROP TABLE visit;", "the view interactions cannot be read: Catalog Error"),
    ],
)
def test_invalid_schema_leaves_no_file(path: Path, tmp_path: Path, ddl: str, message: str) -> None:
    (tmp_path / "mine.sql").write_text(ddl)
    assert refusal(Store.create, path, tmp_path / "mine.sql").startswith(message)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.sql"]


def test_a_schema_that_is_not_utf_8(path: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.sql").write_bytes("-- 상점".encode("euc_kr"))
    assert refusal(Store.create, path, tmp_path / "mine.sql") == (
        "the schema is not UTF-8 text: byte 0xbb at position 3\n"
        f"  where: {tmp_path / 'mine.sql'}\n  to do: save the file as UTF-8"
    )
    (tmp_path / "mine.sql").write_bytes(b"\xef\xbb\xbf" + OWN_SCHEMA.encode())  # as Notepad does
    Store.create(path, tmp_path / "mine.sql").close()


@pytest.mark.parametrize("name", ["runs", "movies", "jobs"])
def test_a_schema_of_ones_own_called_like_a_built_in_one(
    path: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / f"{name}.sql").write_text(OWN_SCHEMA)
    files = {
        "shop.csv": ["shop_id,town", "a,3"],
        "buyer.csv": ["buyer_id,likes", "1,3"],
        "visit.csv": ["buyer_id,shop_id,day", "1,a,2024-05-01"],
        "ratings.csv": ["userId,movieId,rating,timestamp", "1,1,3,0"],  # of no table of this store
    }
    with Store.create(path, tmp_path / f"{name}.sql") as store:
        assert store.schema == f"{name}.sql"
        assert store.load(write(tmp_path / "in", files)).rows == {"shop": 1, "buyer": 1, "visit": 1}
        assert store.dataset().n_interactions == 1


def test_a_changed_copy_of_a_built_in_schema_loads_its_files(path: Path, tmp_path: Path) -> None:
    added = "CREATE TABLE note (text VARCHAR PRIMARY KEY);"
    (tmp_path / "movies.sql").write_text(f"{schema_sql('movies')}\n{added}")
    with Store.create(path, tmp_path / "movies.sql") as store:
        loaded = store.load(write(tmp_path / "in", ML_LATEST)).rows
    with Store.create(tmp_path / "plain.duckdb", "movies") as store:
        assert store.load(tmp_path / "in").rows == loaded


def test_names_in_any_case(path: Path, tmp_path: Path) -> None:
    views = OWN_SCHEMA.replace("VIEW interactions", "VIEW Interactions").replace(
        "AS user_id, shop_id AS item_id", "AS User_ID, shop_id AS ITEM_ID"
    )
    views = views.replace("buyer_id AS user_id, likes", "buyer_id AS User_Id, likes")
    (tmp_path / "shops.sql").write_text(views)
    with Store.create(path, tmp_path / "shops.sql") as store:
        files = {
            "shop.csv": ["shop_id,town", "a,3"],
            "buyer.csv": ["buyer_id,likes", "1,3"],
            "visit.csv": ["buyer_id,shop_id,day", "1,a,2024-05-01"],
        }
        store.load(write(tmp_path / "in", files))
        before = store.dataset()
        store.record([Recorded(2, "a", 1.0, dt.datetime(2024, 5, 2, tzinfo=dt.UTC))])
        after = store.dataset()
    assert (before.n_users, after.n_users) == (1, 2)
    assert after.user_features is not None
    assert after.user_features.to_pydict() == {"likes": [3, None]}


def test_tables_called_like_temporary_ones(path: Path, tmp_path: Path) -> None:
    names = ("staged_0", "staged_1", "staged_frame")
    tables = [f"CREATE TABLE {name} (x BIGINT PRIMARY KEY);" for name in names]
    (tmp_path / "mine.sql").write_text("\n".join([*tables, OWN_SCHEMA]))
    with Store.create(path, tmp_path / "mine.sql") as store:
        report = store.load({name: pa.table({"x": [1, 2]}) for name in names})
    assert report.rows == dict.fromkeys(names, 2)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ("SELECT x AS u, 'a' AS i FROM gone", "Catalog Error: Table with name gone does not exist"),
        ("SELECT y AS u, 'a' AS i FROM t", 'Binder Error: Referenced column "y" not found'),
        ("SELECT x::INT AS u, 'a' AS i FROM t", "Conversion Error: Could not convert string 'no'"),
        ("SELECT x AS u, x AS i FROM '{file}'", "IO Error: No files found that match the pattern"),
    ],
)
def test_a_view_that_no_longer_works(path: Path, tmp_path: Path, view: str, message: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("x\n1\n")
    with duckdb.connect(str(path)) as db:
        db.execute("CREATE TABLE gone (x VARCHAR); CREATE TABLE t (x VARCHAR, y VARCHAR)")
        db.execute(f"INSERT INTO t VALUES ('no', 'u'); CREATE VIEW v AS {view.format(file=file)}")
        db.execute("DROP TABLE gone; ALTER TABLE t DROP y")
    file.unlink()
    with Store(path) as store:
        said = refusal(store.dataset, "v", user_id="u", item_id="i")
        assert "there is no table nowhere" in refusal(store.dataset, "nowhere")
    assert said.startswith(f"{path}: cannot read the table: {message}")


CHOICES = """
CREATE TABLE things (t VARCHAR PRIMARY KEY);
CREATE TABLE buys (
    p VARCHAR, t VARCHAR REFERENCES things (t), w INTEGER CHECK (w BETWEEN 1 AND 5), tm TIMESTAMP
);
CREATE VIEW user_features AS SELECT DISTINCT p AS user_id FROM buys;
CREATE VIEW item_features AS SELECT t AS item_id FROM things;
"""
NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


@pytest.fixture(params=["duckdb", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        pytest.importorskip("adbc_driver_sqlite", reason="the extra sql is not installed")
        return f"sqlite:///{tmp_path / 'store.sqlite'}"
    return str(tmp_path / "store.duckdb")


def create(place: str, tmp_path: Path, interactions: str) -> Store:
    (tmp_path / "mine.sql").write_text(f"{CHOICES} {interactions}")
    store = Store.create(place, tmp_path / "mine.sql")
    store.load({"things": pa.table({"t": ["x"]})})
    return store


@pytest.mark.parametrize(
    "interactions",
    [
        "CREATE VIEW interactions AS "
        "SELECT p AS user_id, t AS item_id, w AS weight, tm AS time FROM buys",
        "CREATE VIEW interactions (user_id, item_id, weight, time) AS SELECT p, t, w, tm FROM buys",
        "CREATE VIEW interactions (user_id, item_id, weight, time) AS FROM buys",
        "CREATE VIEW interactions AS "
        "SELECT P AS user_id, T AS item_id, w::FLOAT AS weight, tm AS time FROM BUYS",
    ],
)
def test_recorded_interactions_satisfy_the_table_behind_the_view(
    place: str, tmp_path: Path, interactions: str
) -> None:
    with create(place, tmp_path, interactions) as store:
        heavy = refusal(store.record, [Recorded("ann", "x", 99.0, NOW)])
        unknown = refusal(store.record, [Recorded("ann", "nope", 2.0, NOW)])
        assert store.record([Recorded("ann", "x", 2.0, NOW)]) == [1]
    assert heavy.startswith("weight 99.0: the bound is w BETWEEN 1 AND 5\n")
    assert unknown.startswith("item_id 'nope': it is not in things\n")


@pytest.mark.parametrize(
    ("select", "computed"),
    [
        ("p AS user_id, t AS item_id, ln(w) AS weight, tm AS time FROM buys", "weight"),
        (
            "b.p AS user_id, t AS item_id, b.w AS weight, b.tm AS time FROM buys b "
            "JOIN things USING (t)",
            "weight and time",
        ),
        (
            "p AS user_id, t AS item_id, w AS weight, tm AS time FROM "
            "(SELECT p, upper(t) AS t, w, tm FROM buys)",
            "weight and time",
        ),
    ],
)
def test_a_view_with_other_columns_warns_and_lets_no_unknown_item_in(
    place: str, tmp_path: Path, select: str, computed: str
) -> None:
    with pytest.warns(UserWarning, match=f"conditions of the tables on their {computed}: "):
        store = create(place, tmp_path, f"CREATE VIEW interactions AS SELECT {select}")
    with store:
        rows = [Recorded("ann", "x", 2.0, NOW), Recorded("ann", "nope", 2.0, NOW)]
        assert refusal(store.record, rows).startswith("item_id 'nope': it is not in ")
        assert store.recorded() == []
        assert store.record(rows[:1]) == [1]


UUIDS = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"


@pytest.mark.parametrize("refers", ["REFERENCES things (t)", ""], ids=["key", "view"])
@pytest.mark.parametrize(
    ("kind", "known", "new", "wrong", "remedy"),
    [
        ("UUID", *UUIDS, UUIDS[1].upper(), "give one as text, in lower case"),
        ("UUID", *UUIDS, 7, "give one as text, in lower case"),
        ("ENUM ('x', 'y')", "x", "y", "z", "give one of them, as text"),
    ],
)
def test_uuids_and_enums_are_recorded_as_texts(
    path: Path,
    tmp_path: Path,
    kind: str,
    known: str,
    new: str,
    wrong: Any,
    remedy: str,
    refers: str,
) -> None:
    (tmp_path / "mine.sql").write_text(
        f"""
        CREATE TABLE things (t {kind} PRIMARY KEY);
        CREATE TABLE buys (p {kind}, t {kind} {refers}, w FLOAT, tm TIMESTAMP);
        CREATE VIEW interactions AS
        SELECT p AS user_id, t AS item_id, w AS weight, tm AS time FROM buys;
        CREATE VIEW user_features AS SELECT DISTINCT p AS user_id FROM buys;
        CREATE VIEW item_features AS SELECT t AS item_id FROM things;
        """
    )
    line = {"p": [known], "t": [known], "w": [1.0], "tm": ["2024-01-01"]}
    with Store.create(path, tmp_path / "mine.sql") as store:
        store.load({"things": pa.table({"t": [known]}), "buys": pa.table(line)})
        rows = [Recorded(new, known, 2.0, NOW), Recorded(known, known, 3.0, NOW)]
        assert store.record(rows) == [1, 2]
        assert store.recorded() == rows
        data = store.dataset()
        assert list(data.users) == sorted([known, new])
        assert data.weights.tolist() == [3.0, 2.0]
        unknown = refusal(store.record, [Recorded(known, new, 1.0, NOW)])
        assert unknown.startswith(f"item_id '{new}': it is not in ")
        refused = refusal(store.record, [Recorded(wrong, known, 1.0, NOW)])
        assert f"user_id {wrong!r}: the ids of this store are {kind[:4]}" in refused
        assert refused.endswith(f"to do: {remedy}")


def test_constants_have_no_conditions(place: str, tmp_path: Path) -> None:
    select = "p AS user_id, t AS item_id, 1::FLOAT AS weight, NULL::TIMESTAMP AS time FROM buys"
    with create(place, tmp_path, f"CREATE VIEW interactions AS SELECT {select}") as store:
        assert store.record([Recorded("ann", "x", 99.0, NOW)]) == [1]


def test_create_leaves_an_existing_file_unchanged(path: Path) -> None:
    path.write_text("precious")
    assert refusal(Store.create, path, "movies") == (
        f"{path} exists already\n  to do: load into it, or name a file that does not exist"
    )
    assert path.read_text() == "precious"
    assert "does not exist" in refusal(Store.create, path.parent / "no" / "x.duckdb", "movies")


def test_opening_something_that_is_not_a_store(path: Path) -> None:
    assert refusal(Store, path) == (
        f"there is no database {path}\n  to do: create it: shortlist init DB --schema NAME"
    )
    path.write_text("user_id,item_id\n1,2\n" * 1000)
    assert refusal(Store, path).startswith(f"{path} is not a valid DuckDB database: ")
    path.unlink()
    duckdb.connect(str(path)).close()
    with Store(path) as store:
        for action in (store.dataset, store.recorded):
            assert refusal(action) == (
                f"{path} is a database without the tables of shortlist\n"
                "  to do: create them: shortlist init DB --schema NAME"
            )


def test_a_store_of_a_newer_version(path: Path) -> None:
    Store.create(path, "movies").close()
    with duckdb.connect(str(path)) as db:
        db.execute("UPDATE shortlist_store SET version = 1000")
    message = refusal(Store, path)
    assert message.startswith(f"{path} has version 1000; this shortlist reads up to ")
    assert "to do: install a newer shortlist" in message


@pytest.fixture
def version_1(path: Path) -> Path:
    with duckdb.connect(str(path)) as db:
        db.execute(schema_sql("movies"))
        db.execute(Path(__file__).with_name("store_version_1.sql").read_text())
    return path


def test_a_store_of_version_1_is_upgraded_when_it_is_opened_to_write(version_1: Path) -> None:
    with Store(version_1, read_only=True) as store:
        before = store.dataset()
        assert len(before) == 2
        assert store.recorded() == []
    assert rows(version_1, "SELECT version FROM shortlist_store") == [(1,)]
    moment = dt.datetime(2024, 5, 1, 10, tzinfo=dt.UTC)
    mark = Mark("{}", "7", 2, before.fingerprint)
    with Store(version_1) as store:
        assert store.dataset().fingerprint == before.fingerprint
        store.record([Recorded(2, 10, 1.0, moment)])
        assert store.recorded() == [Recorded(2, 10, 1.0, moment)]
        assert store.write(recommendations(), model="EASE", mark=mark) == 2
        assert len(store.dataset()) == 3
    assert rows(version_1, "SELECT schema, version FROM shortlist_store") == [("movies", 2)]
    assert rows(version_1, "SELECT run_id, model FROM recommendation_runs") == [
        (1, "IALS"),
        (2, "EASE"),
    ]
    assert rows(version_1, "SELECT run_id, last_seen FROM recommendation_marks") == [(2, "7")]
    Store(version_1).close()  # a second opening finds nothing to do


def test_an_upgraded_store_has_the_tables_of_a_new_one(version_1: Path, tmp_path: Path) -> None:
    Store(version_1).close()
    Store.create(tmp_path / "new.duckdb", "movies").close()
    with connect(str(version_1)) as old, connect(str(tmp_path / "new.duckdb")) as new:
        upgraded, made = read_tables(old), read_tables(new)
    assert set(upgraded) == set(made)
    # DuckDB can neither add a condition to a table nor drop the default of a referenced key.
    older = {"recommendation_runs", "recommendations"}
    for name in LIBRARY_TABLES - older:
        assert upgraded[name] == made[name]
    for name in older:
        assert upgraded[name].types == made[name].types
        assert upgraded[name].keys == made[name].keys


def test_an_upgrade_that_fails_changes_nothing(
    version_1: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = schema._sql_file
    monkeypatch.setattr(schema, "_sql_file", lambda name: read(name) + "SELECT * FROM absent;")
    message = refusal(Store, version_1)
    assert message.startswith("the tables of version 1 cannot be upgraded: Catalog Error: ")
    assert "nothing has changed" in message
    monkeypatch.undo()
    assert rows(version_1, "SELECT version FROM shortlist_store") == [(1,)]
    made = rows(version_1, "SELECT table_name FROM duckdb_tables()")
    assert ("recorded_interactions",) not in made


def test_a_mark_goes_to_json_and_back() -> None:
    mark = Mark('{"by": "no"}', "7", 2, "abc")
    assert Mark.from_json(json.loads(json.dumps(mark.to_json() | {"place": "x"}))) == mark
    for wrong in ({"row_count": "2"}, {"source": None}, {"row_count": True}):
        message = refusal(Mark.from_json, mark.to_json() | wrong)
        name = next(iter(wrong))
        assert message.startswith(f"the mark of an incremental pull has no '{name}' of type ")


def test_a_store_in_use_by_another_program(path: Path) -> None:
    Store.create(path, "movies").close()
    hold = (
        "import duckdb, sys; db = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    )
    command = [sys.executable, "-c", hold, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        message = refusal(Store, path)
        other.communicate(b"\n")
    assert message == (
        f"{path} is in use by another program\n"
        "  to do: close that program, or open the file read-only in both"
    )


def test_opening_a_store_twice_with_different_settings(movies: Store) -> None:
    assert "is open in this program already, with another value of read_only" in refusal(
        Store, movies.path, read_only=True
    )


def test_read_only_store_refuses_writes(path: Path, tmp_path: Path) -> None:
    with Store.create(path, "movies") as store:
        store.load(write(tmp_path / "in", ML_LATEST))
    with Store(path, read_only=True) as store:
        assert store.dataset().n_interactions == 3
        message = f"{path} was opened read-only\n  to do: open it to write"
        assert refusal(store.load, tmp_path / "in") == message
        assert refusal(store.write, pa.table({"user_id": [1]}), model="m") == message


def test_dataset_of_movies(movies: Store, tmp_path: Path) -> None:
    movies.load(write(tmp_path / "in", ML_100K, "latin-1"))
    data = movies.dataset()
    assert isinstance(data, Dataset)
    assert data.users.ids.to_pylist() == [186, 196]
    assert data.items.ids.to_pylist() == [242, 302]
    np.testing.assert_array_equal(data.matrix.toarray(), [[0, 3], [3, 5]])
    assert data.times is not None
    assert data.times.tolist() == [891717742000000, 881250949000000, 881250950000000]
    assert data.item_features is not None
    assert data.item_features.to_pylist()[0] == {
        "title": 'Léon, the "Pro" (1994)',
        "year": 1994,
        "genres": ["Action", "Children's"],
    }
    assert data.user_features is not None
    assert data.user_features.column("zip_code").to_pylist() == ["00000", "T8H1N"]


def test_dataset_of_jobs(path: Path, tmp_path: Path) -> None:
    with Store.create(path, "jobs") as store:
        store.load(write(tmp_path / "in", JOBS, "utf-8-sig"))
        data = store.dataset()
    assert data.users.ids.to_pylist() == ["U00001", "U00002", "U00003"]
    assert data.times is None
    np.testing.assert_array_equal(data.matrix.toarray(), [[1, 1], [1, 0], [0, 1]])
    # sorted by user and item; the file has them in rows 3, 2, 4 and 1
    assert data.positions.tolist() == [2, 1, 3, 0]
    assert data.item_features is not None
    assert data.item_features.column("check_boxes").to_pylist() == [
        ["2101", "2108", "2201"],
        ["2101"],
    ]


def test_a_store_without_interactions(movies: Store, tmp_path: Path) -> None:
    assert refusal(movies.dataset) == (
        "the store has no interactions yet\n"
        f"  where: {movies.path}\n"
        "  to do: load some: shortlist load DB PATH..."
    )
    with Store.create(tmp_path / "runs.duckdb", "runs") as store:
        assert refusal(store.dataset).startswith("a store of the schema runs has no interactions")


def recommendations(**changes: Any) -> pa.Table:
    columns = {
        "user_id": pa.array([2**63 - 1, 2**63 - 1, -5]),
        "item_id": ["나", "b", "나"],
        "rank": pa.array([1, 2, 1], pa.int32()),
        "score": pa.array([0.5, 0.25, -1.0], pa.float32()),
        "source": ["iALS", "iALS", "popularity"],
    }
    return pa.table(columns | changes)


def test_runs_are_stored_exactly_and_numbered(movies: Store) -> None:
    first = movies.write(recommendations(), model="IALS", config={"seed": 0, "이름": "값"}, k=5)
    second = movies.write(recommendations(user_id=["a", "a", "b"]), model="EASE")
    assert (first, second) == (1, 2)
    movies.close()
    assert rows(movies.path, "SELECT * EXCLUDE (created_at, config) FROM recommendation_runs") == [
        (1, "IALS", 5, "user_id", "BIGINT", "VARCHAR"),
        (2, "EASE", 2, "user_id", "VARCHAR", "VARCHAR"),
    ]
    config = rows(movies.path, "SELECT config FROM recommendation_runs ORDER BY run_id")
    assert [json.loads(text) for (text,) in config] == [{"seed": 0, "이름": "값"}, {}]
    assert rows(movies.path, "FROM recommendations WHERE run_id = 1") == [
        (1, str(2**63 - 1), 1, "나", 0.5, "iALS"),
        (1, str(2**63 - 1), 2, "b", 0.25, "iALS"),
        (1, "-5", 1, "나", -1.0, "popularity"),
    ]
    age = "SELECT abs(epoch(created_at) - epoch(now())) FROM recommendation_runs"
    assert all(seconds < 60 for (seconds,) in rows(movies.path, age))


def test_lists_for_queries(path: Path) -> None:
    table = recommendations(user_id=pa.array([0, 0, 1])).rename_columns(
        ["query", "item_id", "rank", "score", "source"]
    )
    with Store.create(path, "runs") as store:
        store.write(table, model="Cosine")
    assert rows(path, "SELECT asked_by, user_id_type FROM recommendation_runs") == [
        ("query", "BIGINT")
    ]
    assert rows(path, "SELECT DISTINCT user_id FROM recommendations ORDER BY 1") == [("0",), ("1",)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"rank": [1, 1, 1]},
            "run_id 1 and user_id 9223372036854775807 and rank 1 occurs twice",
        ),
        (
            {"item_id": ["b", "b", "b"]},
            "run_id 1 and user_id 9223372036854775807 and item_id b occurs twice",
        ),
        ({"rank": [0, 1, 1]}, "rank is 0; the bound is rank >= 1"),
        ({"rank": ["x", "1", "1"]}, "'x' is not a whole number from"),
        ({"score": [1.0, None, 1.0]}, "score is empty; every row of recommendations needs one"),
        ({"score": [1.0, float("nan"), 1.0]}, "score is nan; the bound is isfinite(score)"),
        ({"item_id": [1.5, 2.5, 3.5]}, "ids of type DOUBLE cannot be kept exactly"),
        ({"source": ["a", "b", None]}, "source is empty"),
    ],
)
def test_invalid_run_writes_nothing(movies: Store, changes: dict[str, Any], message: str) -> None:
    assert refusal(movies.write, recommendations(**changes), model="m").startswith(message)
    movies.close()
    assert rows(movies.path, "FROM recommendation_runs") == []
    assert rows(movies.path, "FROM recommendations") == []


def test_a_run_without_a_column(movies: Store) -> None:
    table = recommendations().drop_columns(["score"])
    assert refusal(movies.write, table, model="m") == (
        "the recommendations have no column 'score'\n"
        "  to do: did you mean 'source'? Known: item_id, rank, source, user_id"
    )


def test_the_tables_can_be_altered_emptied_renamed_and_dropped(path: Path, tmp_path: Path) -> None:
    """The comments of the DDL about DuckDB are true."""
    with Store.create(path, "movies") as store:
        store.load(write(tmp_path / "in", ML_100K, "latin-1"))
    with duckdb.connect(str(path)) as db:
        with pytest.raises(duckdb.ConstraintException):
            db.execute("DELETE FROM users")
        for child in ("ratings", "item_genres"):
            db.execute(f"DELETE FROM {child}")
        for parent in ("items", "users", "genres"):
            db.execute(f"TRUNCATE {parent}")
            assert db.execute(f"SELECT count(*) FROM {parent}").fetchall() == [(0,)]
        db.execute("CREATE TABLE note (text VARCHAR)")
        db.execute("ALTER TABLE note ADD COLUMN author VARCHAR")
        db.execute("ALTER TABLE note RENAME TO remark")
        db.execute("DROP TABLE remark")
