"""A PostgreSQL server for the test run, and empty databases of every kind."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest

USER, PASSWORD = "keeper", "s3cret/@#:word"
ENCODED = "s3cret%2F%40%23%3Aword"
# The server ends when this process does, however it ends: then the pipe it reads from is closed.
_WATCHED = '"$@" & read -r _; kill -QUIT $!; wait; rm -rf -- "$0"'
_SETTINGS = (
    *("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=20"),
    *("autovacuum=off", "jit=off", "wal_level=minimal", "max_wal_senders=0"),
)

_numbers = count(1)


@dataclass(frozen=True)
class Server:
    """A running server; ``run`` reuses one connection, since connecting takes long."""

    port: int

    def url(self, database: str = "postgres", user: str = f"{USER}:{ENCODED}") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    @cached_property
    def connection(self) -> Any:
        from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

        return dbapi.connect(self.url(), autocommit=True)

    def run(self, *statements: str, schema: str = "public") -> list[tuple[Any, ...]]:
        return _executed(self.connection, (f"SET search_path = {schema}", *statements))

    def close(self) -> None:
        if "connection" in self.__dict__:
            self.connection.close()


@dataclass(frozen=True)
class EmptyDatabase:
    """A database without a store in it."""

    kind: str
    url: str
    path: Path | None = None
    server: Server | None = None
    schema: str = ""

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Execute statements as another program would; return the rows of the last one."""
        if self.server is not None:
            return self.server.run(*statements, schema=self.schema)
        if (
            self.kind == "sqlite"
        ):  # not sqlite3: two SQLites in one process see no lock of the other
            from adbc_driver_sqlite import dbapi

            with dbapi.connect(self.url, autocommit=True) as files:
                return _executed(files, statements)
        with duckdb.connect(self.url) as db:
            for statement in statements:
                found = db.execute(statement).fetchall()
            return found

    def insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
            self.run(f"INSERT INTO {table} VALUES {values}")


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def _executed(db: Any, statements: tuple[str, ...]) -> list[tuple[Any, ...]]:
    with db.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
        return rows


def new_database(kind: str, folder: Path, server: Server | None) -> EmptyDatabase:
    """Return an empty database."""
    if kind != "postgresql":
        path = folder / f"store{next(_numbers)}.{kind}"
        return EmptyDatabase(kind, str(path), path)
    assert server is not None
    name = f"of_test_{next(_numbers)}"
    server.run(f"CREATE SCHEMA {name}")
    url = f"{server.url()}?options=-csearch_path%3D{name}"
    return EmptyDatabase(kind, url, server=server, schema=name)


@contextmanager
def running() -> Iterator[Server]:
    """Start a server in a folder of its own, as another user where we are root; stop it."""
    programs = _programs()
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="shortlist-postgres-"))
    try:
        (folder / "password").write_text(PASSWORD)
        if account is not None:
            for path in (folder / "password", folder):
                os.chown(path, account.pw_uid, account.pw_gid)
        other: dict[str, Any] = {} if account is None else {"user": account.pw_uid}
        if account is not None:
            other |= {"group": account.pw_gid, "extra_groups": []}
        other |= {"stdout": subprocess.DEVNULL, "cwd": folder}
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", USER, "-E", "UTF8", "--no-locale",
             "--no-sync", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"],
            check=True, timeout=60, **other,
        )  # fmt: skip
        port = _free_port()
        command = [
            "sh",
            "-c",
            _WATCHED,
            str(folder),
            str(programs / "postgres"),
            "-D",
            str(folder / "data"),
        ]
        command += ["-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1"]
        command += [part for setting in _SETTINGS for part in ("-c", setting)]
        with (folder / "log").open("w") as log, subprocess.Popen[bytes](
            command, stdin=subprocess.PIPE, stderr=log, **other
        ) as watcher:  # fmt: skip
            try:
                _wait_for(folder / "data" / "postmaster.pid", folder / "log")
                server = Server(port)
                yield server
                server.close()
            finally:
                watcher.communicate(b"\n", timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Where initdb and postgres are; Debian keeps them off the path."""
    pytest.importorskip("adbc_driver_postgresql", reason="the extra sql is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).resolve().parent)
    for folder in reversed(found):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    pytest.skip("PostgreSQL is not installed: apt-get install postgresql")


def _account() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user nobody")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait_for(status: Path, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if status.exists() and status.read_text().rstrip().endswith("ready"):
            return
        time.sleep(0.02)
    raise TimeoutError(f"PostgreSQL did not start: {log.read_text()}")


def new_user(server: Server) -> tuple[str, str]:
    """A user who may do nothing but log in: the name and the password."""
    name, password = f"guest_{next(_numbers)}", secrets.token_hex(8)
    server.run(f"CREATE USER {name} PASSWORD '{password}'")
    return name, password
