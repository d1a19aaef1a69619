"""One definition for every database: the DuckDB script of a schema, and its tables elsewhere.

The ``.sql`` files are the only source. DuckDB reads the script and says what it made; from that the
statements for another database are written. What differs between databases is a :class:`Dialect`:
types, a few functions, and how a running number is kept. Foreign keys delete the children with the
parent. The three views are not made there: DuckDB evaluates them over the tables it fetched, so a
schema of one's own works everywhere, whatever its views are written in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import duckdb

from shortlist.data.sql import connect, quoted, quoted_list
from shortlist.data.store.catalogue import ForeignKey, Table, tables
from shortlist.data.store.ddl import make
from shortlist.errors import InputError


class Kept(NamedTuple):
    """How a database keeps the values of a DuckDB type.

    Attributes
    ----------
    column
        The type of the column there.
    sent
        DuckDB SQL of the value as it is sent, over ``{x}``.
    """

    column: str
    sent: str


@dataclass(frozen=True)
class Dialect:
    """What a database says differently from DuckDB.

    Attributes
    ----------
    title
        Its name, for messages.
    types
        How it keeps each DuckDB type; other types are refused.
    counted
        A column that holds a running number and is the primary key.
    spelling
        Pieces of conditions and defaults, as DuckDB writes them, and what stands for them there.
    """

    title: str
    types: Mapping[str, Kept]
    counted: str
    spelling: Mapping[str, str]

    def spelled(self, expression: str) -> str:
        """Translate a condition or a default."""
        for ours, theirs in self.spelling.items():
            expression = expression.replace(ours, theirs)
        return expression


@dataclass(frozen=True)
class Definition:
    """A script that makes the tables and views of a store.

    Attributes
    ----------
    script
        DuckDB SQL. It may come out of a database, so it runs where no file can be reached.
    """

    script: str

    @classmethod
    def of_schema(cls, schema: str | Path, version: int) -> tuple[Definition, str]:
        """Read and check a schema; give its definition and its name.

        Raises
        ------
        InputError
            As :func:`shortlist.data.store.ddl.make`.
        """
        with _locked() as db:
            make(db, schema, version)
            name, script = db.execute("SELECT schema, ddl FROM shortlist_store").fetchall()[0]
        return cls(script), name

    @cached_property
    def empty(self) -> duckdb.DuckDBPyConnection:
        """A database that was made from the script and holds nothing."""
        return _made(self.script)

    @property
    def tables(self) -> dict[str, Table]:
        """The tables, parents before their children."""
        return _catalogue(self.script)

    def unfilled(self) -> duckdb.DuckDBPyConnection:
        """Give a database with the views, but without the tables: they are to be put there."""
        db = _made(self.script)
        for name in reversed(self.tables):
            db.execute(f"DROP TABLE {quoted(name)}")
        return db

    def statements(self, dialect: Dialect) -> list[str]:
        """Write what makes the tables and indexes in another database.

        Raises
        ------
        InputError
            A column has a type that it cannot keep.
        """
        defaults = {
            (table, column): default
            for table, column, default in self.empty.execute(
                "SELECT table_name, column_name, column_default FROM duckdb_columns() "
                "WHERE NOT internal AND column_default IS NOT NULL"
            ).fetchall()
        }
        made = [_create(table, dialect, defaults) for table in self.tables.values()]
        indexes = self.empty.execute("SELECT sql FROM duckdb_indexes() ORDER BY index_oid")
        return made + [sql for (sql,) in indexes.fetchall()]


@lru_cache(maxsize=8)
def _catalogue(script: str) -> dict[str, Table]:
    """Read the rules once a script: a store is opened more often than its tables change."""
    with _made(script) as db:
        return tables(db)


def _made(script: str) -> duckdb.DuckDBPyConnection:
    db = _locked()
    try:
        db.execute(script)
    except duckdb.Error as error:
        db.close()
        raise InputError(
            f"the definition of the store is damaged: {str(error).splitlines()[0]}",
            where="shortlist_store, column 'ddl'",
            remedy="make a new store from the schema: shortlist init DB --schema NAME",
        ) from error
    return db


def _locked() -> duckdb.DuckDBPyConnection:
    """Open a database in memory that can neither read nor write a file."""
    db = connect()
    db.execute("SET enable_external_access = false")
    db.execute("SET lock_configuration = true")
    return db


def _create(table: Table, dialect: Dialect, defaults: Mapping[tuple[str, str], str]) -> str:
    lines = []
    for column, kind in table.types.items():
        default = defaults.get((table.name, column), "")
        if default.startswith("nextval("):
            lines.append(f"{quoted(column)} {dialect.counted}")
            continue
        if kind not in dialect.types:
            raise InputError(
                f"{dialect.title} cannot keep the type {kind}",
                where=f"table {table.name}, column '{column}'",
                remedy=f"use one of {', '.join(sorted(dialect.types))}",
            )
        line = f"{quoted(column)} {dialect.types[kind].column}"
        if column in table.required:
            line += " NOT NULL"
        if default:
            line += f" DEFAULT ({dialect.spelled(default)})"
        lines.append(line)
    for at, key in enumerate(table.keys):
        if not table.counted:
            primary = at == 0 and set(key) <= table.required
            lines.append(f"{'PRIMARY KEY' if primary else 'UNIQUE'} ({quoted_list(key)})")
    lines += [f"CHECK ({dialect.spelled(rule.condition)})" for rule in table.checks]
    lines += map(_reference, table.foreign_keys)
    return f"CREATE TABLE {quoted(table.name)} (\n    " + ",\n    ".join(lines) + "\n)"


def _reference(key: ForeignKey) -> str:
    return (
        f"FOREIGN KEY ({quoted_list(key.columns)}) REFERENCES {quoted(key.parent)} "
        f"({quoted_list(key.parent_columns)}) ON DELETE CASCADE"
    )
