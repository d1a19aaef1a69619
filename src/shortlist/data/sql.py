"""The two ways text may enter a SQL statement, and the one way a connection is opened."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import duckdb

from shortlist.errors import InputError


def quoted(name: str) -> str:
    """Quote a table or column name.

    Examples
    --------
    >>> quoted('the "new" column')
    '"the ""new"" column"'
    """
    return '"' + name.replace('"', '""') + '"'


def quoted_list(names: Iterable[str]) -> str:
    """Quote and join names for a SELECT or an INSERT.

    Examples
    --------
    >>> quoted_list(["a", "b"])
    '"a", "b"'
    """
    return ", ".join(quoted(name) for name in names)


def dotted_name(text: str) -> tuple[str, ...]:
    """Read the name of a table, with its schema if it has one; a name may stand in double quotes.

    Raises
    ------
    InputError
        It is empty, or has a quote that is not closed.

    Examples
    --------
    >>> dotted_name('sales."Orders 2024.05"')
    ('sales', 'Orders 2024.05')
    """
    part = r'"((?:[^"]|"")+)"|([^".]+)'
    if not re.fullmatch(rf"(?:{part})(?:\.(?:{part}))?", text):
        raise InputError(
            f"{text!r} is no name of a table", remedy='write table, schema.table or "my table"'
        )
    return tuple(bare or inside.replace('""', '"') for inside, bare in re.findall(part, text))


def literal(value: str) -> str:
    """Quote a text value.

    Examples
    --------
    >>> literal("Schindler's List")
    "'Schindler''s List'"
    """
    return "'" + value.replace("'", "''") + "'"


def connect(path: str = ":memory:", *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB database that never reaches for the network and whose clock is UTC.

    Parameters
    ----------
    path
        A database file, made if it does not exist; the default lives in memory.
    read_only
        Share the file with other readers, and refuse to write.

    Returns
    -------
    duckdb.DuckDBPyConnection
        Timestamps with an offset, and text without one, are read as UTC through it.

    Examples
    --------
    >>> with connect() as db:
    ...     db.execute("SELECT CAST('2024-05-01 09:00:00+09' AS TIMESTAMPTZ)::VARCHAR").fetchall()
    [('2024-05-01 00:00:00+00',)]
    """
    connection = duckdb.connect(
        path,
        read_only=read_only,
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"},
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")  # DuckDB would draw it on stdout
    return connection


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Keep everything the block writes, or nothing of it."""
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
