"""PostgreSQL: its types and errors, several writers, and passwords that are never shown."""

from __future__ import annotations

import socket
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pyarrow as pa
import pytest

from shortlist.data.store import library_tables
from shortlist.data.store.address import Address
from shortlist.data.store.load import write
from shortlist.data.store.store import Store
from shortlist.errors import DatabaseError, InputError, ShortlistError

from .servers import ENCODED, PASSWORD, USER, EmptyDatabase, Server, new_user

LISTS = pa.table({"user_id": ["u"], "item_id": [1], "rank": [1], "score": [0.5], "source": ["m"]})


def refusal(action: Callable[[], Any]) -> ShortlistError:
    """The error, in which neither message nor traceback shows the password."""
    with pytest.raises(ShortlistError) as caught:
        action()
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.args)
    for secret in (PASSWORD, ENCODED, "s3cret"):
        assert secret not in shown
    return caught.value


TYPES = """
CREATE TYPE mood AS ENUM ('좋음', 'bad');
CREATE DOMAIN euros AS numeric(9, 2);
CREATE TABLE log (who uuid, what bigint, weight numeric, at timestamptz, gone boolean);
CREATE TABLE things (
    what bigint, small smallint, whole integer, text text, fixed char(4), code varchar(9),
    price numeric(9, 2), cost euros, digits numeric(18, 0), ratio double precision, yes boolean,
    day date, moment timestamp, zoned timestamptz, mood mood, document jsonb, address inet,
    words text[], numbers integer[], codes uuid[], prices numeric[]
)
"""


def test_every_type_of_a_feature(postgres: EmptyDatabase) -> None:
    postgres.run(*TYPES.split(";"))
    uuid = "11111111-1111-4111-8111-111111111111"
    postgres.run(
        f"INSERT INTO log VALUES ('{uuid}', 5, 2.5, '2024-05-01 09:00+09', true)",
        "INSERT INTO things VALUES (5, 1, 2, '한글 \"x\"', 'ab', 'c', 1.25, 2.5, 12, 0.1, true, "
        "'2024-05-01', '2024-05-01 10:00:00.000001', '2024-05-01 09:00+09', '좋음', "
        f"'{{\"a\": 1}}', '10.0.0.1', '{{a,NULL}}', '{{1,2}}', '{{{uuid}}}', '{{1.5}}')",
        "INSERT INTO things (what, moment, day) VALUES (6, 'infinity', '-infinity')",
    )
    with Store(postgres.url) as store:
        data = store.dataset(
            "log", items="things", user_id="who", item_id="what", weight="weight", time="at"
        )
    assert data.users.ids.to_pylist() == [uuid]
    assert data.weights.tolist() == [2.5]
    assert data.times is not None
    assert data.times.tolist() == [1_714_521_600_000_000]
    assert data.item_features is not None
    first, empty = data.item_features.to_pylist()
    assert set(empty.values()) == {None}
    assert {name: str(value) for name, value in first.items()} == {
        "small": "1",
        "whole": "2",
        "text": '한글 "x"',
        "fixed": "ab",
        "code": "c",
        "price": "1.25",
        "cost": "2.5",
        "digits": "12",
        "ratio": "0.1",
        "yes": "True",
        "day": "2024-05-01",
        "moment": "2024-05-01 10:00:00.000001",
        "zoned": "2024-05-01 00:00:00+00:00",
        "mood": "좋음",
        "document": '{"a": 1}',
        "address": "10.0.0.1/32",
        "words": "['a', None]",
        "numbers": "[1, 2]",
        "codes": f"['{uuid}']",
        "prices": "[1.5]",
    }


@pytest.mark.parametrize(
    ("kind", "value", "ids"),
    [
        ("smallint", "7", [7]),
        ("bigint", "9223372036854775807", [2**63 - 1]),
        ("numeric(20, 0)", "18446744073709551615", ["18446744073709551615"]),
        ("numeric(10, 0)", "7", [7]),
        ("varchar(9)", "'007'", ["007"]),
        ("char(3)", "'a'", ["a"]),
    ],
)
def test_every_type_of_an_id(
    postgres: EmptyDatabase, kind: str, value: str, ids: list[Any]
) -> None:
    postgres.run(
        f"CREATE TABLE log (u {kind}, i {kind})", f"INSERT INTO log VALUES ({value}, {value})"
    )
    with Store(postgres.url) as store:
        data = store.dataset("log", user_id="u", item_id="i")
    assert data.users.ids.to_pylist() == data.items.ids.to_pylist() == ids


def test_types_that_can_be_neither_an_id_nor_a_feature(postgres: EmptyDatabase) -> None:
    postgres.run(
        "CREATE TABLE log (u real, i integer, raw bytea)", "INSERT INTO log VALUES (1.5, 2, 'x')"
    )
    with Store(postgres.url) as store:
        message = str(refusal(lambda: store.dataset("log", user_id="u", item_id="i")))
        assert message.startswith("ids of type FLOAT cannot be kept exactly")
        message = str(refusal(lambda: store.dataset("log", items="log", user_id="u", item_id="i")))
        assert message == (
            "raw bytes can be neither an id nor a feature\n  where: log, column 'raw'\n"
            "  to do: read a view that leaves the column out"
        )


def test_a_missing_id_is_named_with_its_row(postgres: EmptyDatabase) -> None:
    postgres.run("CREATE TABLE log (u int, i int)", "INSERT INTO log VALUES (1, 1), (NULL, 2)")
    with Store(postgres.url) as store:
        message = str(refusal(lambda: store.dataset("log", user_id="u", item_id="i")))
    assert message.startswith("the user id is missing\n  where: interactions, row 2, column 'u'")


def test_a_table_name_with_its_schema(postgres: EmptyDatabase) -> None:
    schema = postgres.url.rpartition("%3D")[2]
    postgres.run('CREATE TABLE "O.x" (u int, i int)', 'INSERT INTO "O.x" VALUES (1, 2)')
    elsewhere = postgres.url.partition("?")[0]
    with Store(elsewhere) as store:
        assert len(store.dataset(f'{schema}."O.x"', user_id="u", item_id="i")) == 1
        message = str(refusal(lambda: store.dataset(f"{schema}.ox", user_id="u", item_id="i")))
        assert message == (
            f"there is no table {schema}.ox\n  where: {store.place}\n"
            "  to do: did you mean 'O.x'? Known: O.x"
        )


def test_a_table_whose_values_changed_their_type(postgres: EmptyDatabase) -> None:
    with Store.create(postgres.url, "movies"):
        postgres.run("INSERT INTO users VALUES (1)", "INSERT INTO items VALUES (2)")
        postgres.run("INSERT INTO ratings VALUES (1, 2, 4, '2024-05-01')")
    postgres.run(
        "ALTER TABLE ratings DROP CONSTRAINT ratings_rating_check",
        "ALTER TABLE ratings ALTER COLUMN rating TYPE text",
        "UPDATE ratings SET rating = 'four'",
    )
    with Store(postgres.url) as store:
        message = str(refusal(store.dataset))
        assert message.startswith("'four' is not a number\n  where: table ratings of postgresql://")
        assert "row 1, column 'rating'" in message


WRONG = "the database refuses the user name or the password"


def test_a_wrong_password_and_a_wrong_user(server: Server) -> None:
    for user in (f"{USER}:wr%40ng", f"nobody:{ENCODED}", ENCODED, f":{ENCODED}"):
        error = refusal(lambda: Store(server.url(user=user)))  # noqa: B023
        assert isinstance(error, DatabaseError)
        assert error.what == WRONG
        assert error.where == f"postgresql://127.0.0.1:{server.port}/postgres"


def test_no_error_shows_the_user_name(server: Server) -> None:
    error = refusal(lambda: Store(server.url(user="geheim:anders")))
    assert "geheim" not in str(error)
    assert "anders" not in str(error)
    assert error.__suppress_context__


def test_a_password_with_everything_in_it_works_and_is_not_shown(server: Server) -> None:
    with Store(server.url()) as store:
        assert store.schema == ""
        assert repr(store) == f"Store('postgresql://127.0.0.1:{server.port}/postgres', schema='')"
    shown = repr(Address.of(server.url()))
    assert PASSWORD not in shown
    assert ENCODED not in shown


def test_password_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    Store(server.url(user=USER)).close()
    monkeypatch.setenv("PGUSER", USER)
    Store(server.url().replace(f"{USER}:{ENCODED}@", "")).close()


def test_a_database_that_is_not_there(server: Server) -> None:
    error = refusal(lambda: Store(server.url("shop")))
    assert str(error) == (
        f"there is no such database: postgresql://127.0.0.1:{server.port}/shop\n"
        "  to do: check the name, or create it: createdb NAME"
    )


def test_a_server_that_is_down(postgres: EmptyDatabase) -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    error = refusal(lambda: Store(f"postgresql://{USER}:{ENCODED}@127.0.0.1:{port}/x"))
    assert isinstance(error, DatabaseError)
    assert error.what.startswith("the database cannot be reached: ")
    assert "Connection refused" in error.what
    assert error.where == f"postgresql://127.0.0.1:{port}/x"
    error = refusal(lambda: Store(f"postgresql://{USER}:{ENCODED}@no.invalid/x"))
    assert "could not translate host name" in error.what


@pytest.mark.slow
def test_a_server_that_never_answers() -> None:
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://{USER}:{ENCODED}@127.0.0.1:{silent.getsockname()[1]}/x"
        started = time.monotonic()
        error = refusal(lambda: Store(f"{url}?connect_timeout=2"))
        assert time.monotonic() - started < 8
    assert error.what.startswith("the database cannot be reached: ")
    assert "timeout" in error.what


def test_a_connection_lost_during_a_write(
    postgres: EmptyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = write

    def cut(*arguments: Any) -> Any:
        written = original(*arguments)
        postgres.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND state = 'idle in transaction'"
        )
        return written

    with Store.create(postgres.url, "runs") as store:
        monkeypatch.setattr(library_tables, "write", cut)
        error = refusal(lambda: store.write(LISTS, model="m"))
        monkeypatch.undo()
    assert isinstance(error, DatabaseError)
    assert error.what.startswith("the connection to the database was lost: ")
    assert error.remedy == "the transaction has been rolled back; try again"
    assert postgres.run("SELECT count(*) FROM recommendation_runs") == [(0,)]


def test_missing_permissions_are_reported(postgres: EmptyDatabase, server: Server) -> None:
    Store.create(postgres.url, "runs").close()
    name, password = new_user(server)
    schema = postgres.url.rpartition("%3D")[2]
    server.run(
        f"GRANT USAGE ON SCHEMA {schema} TO {name}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {name}",
    )
    url = postgres.url.replace(f"{USER}:{ENCODED}", f"{name}:{password}")
    with Store(url) as store:
        error = refusal(lambda: store.write(LISTS, model="m"))
    assert error.what.startswith("the database does not permit it: permission denied for table ")
    assert name not in str(error)
    assert password not in str(error)
    server.run(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {name}")
    error = refusal(lambda: Store(url))
    assert "permission denied for table shortlist_store" in error.what


def test_several_writers_take_turns(postgres: EmptyDatabase) -> None:
    """Each run gets its own number, although all writers look for the next one at the same time."""
    Store.create(postgres.url, "runs").close()
    numbers: list[int] = []

    def write() -> None:
        with Store(postgres.url) as store:
            numbers.extend(store.write(LISTS, model="m") for _ in range(2))

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 7))
    assert postgres.run("SELECT count(*) FROM recommendations") == [(6,)]


def test_a_dataset_is_read_in_one_snapshot(postgres: EmptyDatabase) -> None:
    """Rows that are deleted between the reads of two tables are in both."""
    postgres.run(
        "CREATE TABLE log (u int, i int)",
        "INSERT INTO log VALUES (1, 1), (2, 2)",
        "CREATE TABLE people (u int)",
        "INSERT INTO people VALUES (1), (2)",
    )
    with Store(postgres.url) as store:
        fetch = store._database.select

        def slowly(table: Any, *arguments: Any, **settings: Any) -> Any:
            rows = fetch(table, *arguments, **settings)
            postgres.run("DELETE FROM people WHERE u = 2")
            return rows

        store._database.select = slowly  # type: ignore[method-assign]
        assert len(store.dataset("log", "people", user_id="u", item_id="i")) == 2


def test_a_table_of_the_same_name_exists_already(postgres: EmptyDatabase) -> None:
    postgres.run("CREATE TABLE users (id int)")
    error = refusal(lambda: Store.create(postgres.url, "movies"))
    assert isinstance(error, InputError)
    assert error.what == (
        'the database has a table of this name already: relation "users" already exists'
    )
    assert error.remedy is not None
    assert "?options=-csearch_path%3DNAME" in error.remedy
    assert postgres.run("SELECT count(*) FROM pg_class WHERE relname = 'shortlist_store' "
                        "AND pg_table_is_visible(oid)") == [(0,)]  # fmt: skip


def test_a_text_that_postgresql_cannot_hold(postgres: EmptyDatabase) -> None:
    with Store.create(postgres.url, "runs") as store:
        error = refusal(lambda: store.write(LISTS.set_column(0, "user_id", [["a\0b"]]), model="m"))
        assert "invalid byte sequence" in error.what
    assert postgres.run("SELECT count(*) FROM recommendation_runs") == [(0,)]
