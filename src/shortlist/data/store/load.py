"""Files and frames into the tables of a database: everything, or nothing and a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import duckdb

from shortlist.data.formats.layout import Layout
from shortlist.data.sql import quoted, quoted_list
from shortlist.data.store.catalogue import Table
from shortlist.data.store.checks import check
from shortlist.data.store.inputs import Inputs, find, open_source
from shortlist.data.store.known import bring_known
from shortlist.data.store.staging import Staged, stage
from shortlist.progress import track

if TYPE_CHECKING:
    from shortlist.data.store.database import Database

Insert: TypeAlias = Callable[[Staged, str, str], int]
"""Insert rows: given the staged table, its columns as SQL, and what follows a SELECT of them."""

_BLOCK = 1_000_000  # rows written between two steps of the progress bar


@dataclass(frozen=True)
class LoadReport:
    """What a load did.

    Attributes
    ----------
    rows
        How many rows each table gained.
    repeated
        For each source, how many rows were left out because an equal one is there; only tables
        whose key is a running number have such rows.
    ignored
        For each source, its columns that fill nothing.

    Examples
    --------
    >>> print(LoadReport({"users": 943}, ignored={"u.csv": ("note",)}))
             943  users
    u.csv: ignored the columns note
    """

    rows: Mapping[str, int]
    repeated: Mapping[str, int] = field(default_factory=dict)
    ignored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{rows:>12,}  {table}" for table, rows in self.rows.items()]
        lines += [
            f"{label}: left out {n:,} repeated {'row' if n == 1 else 'rows'}"
            for label, n in self.repeated.items()
        ]
        lines += [
            f"{label}: ignored the columns {', '.join(n)}" for label, n in self.ignored.items()
        ]
        return "\n".join(lines)


def load(
    database: Database,
    inputs: Inputs,
    tables: Mapping[str, Table],
    published: Sequence[Layout],
) -> LoadReport:
    """Read, check and write, in that order; :meth:`shortlist.Store.load` is the way to call it.

    Parameters
    ----------
    database
        The database to write to.
    inputs
        Files and folders, or a path or a frame for each table name.
    tables
        The tables that may be filled, parents before children.
    published
        Layouts to recognise beside files that are named after a table.

    Raises
    ------
    InputError
        Whatever is wrong with the input. The database is as it was.
    """
    connection = database.bench
    with scratch(connection) as names:
        staged: list[Staged] = []
        implied: dict[str, Staged] = {}
        ignored: dict[str, tuple[str, ...]] = {}
        for found in track(find(inputs, tables, published), "reading"):
            opened = open_source(connection, found, names.frame())
            if opened.ignored:
                ignored[found.label] = opened.ignored
            for fill in opened.fills:
                rows = stage(connection, opened.source, fill, tables[fill.table], names.table())
                staged.append(rows)
                implied |= dict.fromkeys(opened.implied, rows)
        filled = {rows.table.name for rows in staged}
        for parent, rows in implied.items():
            if parent not in filled:
                staged.append(_mentioned(connection, rows, tables[parent], names.table()))
        staged.sort(key=lambda rows: list(tables).index(rows.table.name))
        with database.exclusive():
            bring_known(database, staged)
            check(connection, staged)
            return LoadReport(*database.keep(staged), ignored)


class Scratch:
    """Names for temporary tables and frames, so that all of them can be dropped."""

    def __init__(self) -> None:
        self.tables: list[str] = []
        self.frames: list[str] = []

    def table(self) -> str:
        """Name the next temporary table."""
        self.tables.append(f"staged_{len(self.tables)}")
        return self.tables[-1]

    def frame(self) -> str:
        """Name the next registered frame."""
        self.frames.append(f"frame_{len(self.frames)}")
        return self.frames[-1]


@contextmanager
def scratch(connection: duckdb.DuckDBPyConnection) -> Iterator[Scratch]:
    """Give names for temporary tables and frames, and drop those when the block ends."""
    names = Scratch()
    try:
        yield names
    finally:
        for name in names.tables:
            connection.execute(f"DROP TABLE IF EXISTS temp.{name}")
        for name in names.frames:
            connection.unregister(name)


def _mentioned(
    connection: duckdb.DuckDBPyConnection, rows: Staged, parent: Table, name: str
) -> Staged:
    """Stage the rows of a parent that its children mention and the database lacks."""
    key = next(key for key in rows.table.foreign_keys if key.parent == parent.name)
    pairs = list(zip(key.columns, key.parent_columns, strict=True))
    connection.execute(
        f"""
        CREATE TEMP TABLE {name} AS
        SELECT DISTINCT {", ".join(f"{quoted(c)} AS {quoted(p)}" for c, p in pairs)}
        FROM {rows.name} WHERE {" AND ".join(f"{quoted(c)} IS NOT NULL" for c, _ in pairs)}
        ORDER BY ALL
        """
    )
    columns = {parent_column: rows.columns[column] for column, parent_column in pairs}
    return Staged(parent, name, rows.source, columns, listed=True)


def write(
    connection: duckdb.DuckDBPyConnection, staged: Sequence[Staged], insert: Insert
) -> tuple[dict[str, int], dict[str, int]]:
    """Insert checked rows, in the order of their source.

    Parameters
    ----------
    connection
        Where they are staged.
    staged
        Every table, parents before children.
    insert
        Puts the rows of a query into the table, and says how many they are.

    Returns
    -------
    (written, repeated)
        How many rows each table gained, and how many each source repeats.
    """
    written: dict[str, int] = {}
    repeated: dict[str, int] = {}
    for rows, start, count in track(list(_blocks(connection, staged)), "writing"):
        columns = quoted_list(rows.columns)
        if rows.listed or rows.table.counted:
            query = _new_rows(rows)
        else:
            query = f"FROM {rows.name} WHERE rowid >= {start} AND rowid < {start + _BLOCK}"
        inserted = insert(rows, columns, query)
        written[rows.table.name] = written.get(rows.table.name, 0) + inserted
        if inserted < count and not rows.listed:
            repeated[rows.source.label] = count - inserted
    return written, repeated


def _blocks(
    connection: duckdb.DuckDBPyConnection, staged: Sequence[Staged]
) -> Iterator[tuple[Staged, int, int]]:
    """Cut the staged tables into blocks of rows; those that need a look at all rows stay whole."""
    for rows in staged:
        count = connection.execute(f"SELECT count(*) FROM {rows.name}").fetchall()[0][0]
        whole = rows.listed or rows.table.counted
        for start in range(0, count, max(count, 1) if whole else _BLOCK):
            yield rows, start, count if whole else min(_BLOCK, count - start)


def _new_rows(rows: Staged) -> str:
    """Select each row once, the first of equals, unless the table has its equal already."""
    columns = quoted_list(rows.columns)
    same = " AND ".join(
        f"staged.{quoted(c)} IS NOT DISTINCT FROM there.{quoted(c)}" for c in rows.columns
    )
    return f"""
        FROM (SELECT {columns}, min(rowid) AS first FROM {rows.name} GROUP BY {columns}) AS staged
        WHERE NOT EXISTS (FROM {quoted(rows.table.name)} AS there WHERE {same})
        ORDER BY first
        """
