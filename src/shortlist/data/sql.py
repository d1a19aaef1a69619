"""Quoting of names and values in SQL, and opening DuckDB connections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import duckdb

from shortlist.errors import InputError

Connection: TypeAlias = duckdb.DuckDBPyConnection


def quoted(name: str) -> str:
    """Quote a table or column name."""
    return '"' + name.replace('"', '""') + '"'


def quoted_list(names: Iterable[str]) -> str:
    """Quote and join names for a SELECT or an INSERT."""
    return ", ".join(quoted(name) for name in names)


def column_batches(names: Iterable[str], size: int) -> list[list[str]]:
    """Divide columns for queries that summarise them: their cost grows faster than linearly."""
    listed = [*names]
    return [listed[start : start + size] for start in range(0, len(listed), size)]


def dotted_name(text: str) -> tuple[str, ...]:
    """Split the name of a table into schema (if any) and table; double quotes are allowed.

    >>> dotted_name('sales."Orders 2024.05"')
    ('sales', 'Orders 2024.05')
    """
    part = r'"((?:[^"]|"")+)"|([^".]+)'
    if not re.fullmatch(rf"(?:{part})(?:\.(?:{part}))?", text):
        raise InputError(
            f"{text!r} is not the name of a table", remedy='write table, schema.table or "my table"'
        )
    return tuple(bare or inside.replace('""', '"') for inside, bare in re.findall(part, text))


def literal(value: str) -> str:
    """Quote a text value."""
    return "'" + value.replace("'", "''") + "'"


def connect(path: str = ":memory:", *, read_only: bool = False) -> Connection:
    """Open a DuckDB file, or a database in memory, without network access, in the time zone UTC."""
    connection = duckdb.connect(
        path,
        read_only=read_only,
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"},
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")  # DuckDB would draw it on stdout
    return connection


def types_of(connection: Connection, rows: str) -> dict[str, str]:
    """Return the SQL type of each column of a table or a query in brackets."""
    described = connection.execute(f"DESCRIBE FROM {rows}").fetchall()
    return {name: kind for name, kind, *_ in described}


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Keep everything that the block writes, or nothing."""
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def sql_path(path: Path) -> str:
    """Return a path as DuckDB takes it: patterns are escaped, and ``~`` is a plain character."""
    text = re.sub(r"([\[*?])", r"[\1]", str(path))
    return f"./{text}" if text.startswith("~") else text
