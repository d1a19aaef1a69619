"""The tables of a schema in PostgreSQL and SQLite, derived from its DuckDB script.

The ``.sql`` files are the only source. DuckDB runs the script and describes the tables; a
:class:`Dialect` (types, a few expressions, generated keys) turns the descriptions into statements
for another database. Foreign keys delete children with their parent there. The views stay in
DuckDB, which evaluates them over the fetched tables, so views may be written in any DuckDB SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import duckdb

from shortlist.data.sql import Connection, connect, quoted, quoted_list
from shortlist.data.store.schema import Table, create_tables, read_tables
from shortlist.errors import InputError


class StoredType(NamedTuple):
    """How a database stores the values of a DuckDB type."""

    name: str  # of the type of the column
    value: str  # DuckDB SQL that converts a value {x} before it is sent


@dataclass(frozen=True)
class Dialect:
    """How the SQL of a database differs from DuckDB's."""

    title: str  # the name of the database, for messages
    types: Mapping[str, StoredType]  # how each DuckDB type is stored; other types are refused
    generated_key: str  # the type of a primary key that the database numbers itself
    expressions: Mapping[str, str]  # parts of conditions and defaults, with their translations

    def translate(self, expression: str) -> str:
        """Translate a condition or a default value."""
        for duckdb_sql, translation in self.expressions.items():
            expression = expression.replace(duckdb_sql, translation)
        return expression

    def create_table(self, table: Table) -> str:
        """Return the CREATE TABLE statement; refuse types that the database cannot store."""
        lines = []
        for column, kind in table.types.items():
            if column in table.generated_key:
                lines.append(f"{quoted(column)} {self.generated_key}")
                continue
            if kind not in self.types:
                raise InputError(
                    f"{self.title} cannot store the type {kind}",
                    where=f"table {table.name}, column '{column}'",
                    remedy=f"use one of {', '.join(sorted(self.types))}",
                )
            line = f"{quoted(column)} {self.types[kind].name}"
            if column in table.required:
                line += " NOT NULL"
            if column in table.defaults:
                line += f" DEFAULT ({self.translate(table.defaults[column])})"
            lines.append(line)
        for position, key in enumerate(table.keys):
            if not table.generated_key:
                primary = position == 0 and set(key) <= table.required
                lines.append(f"{'PRIMARY KEY' if primary else 'UNIQUE'} ({quoted_list(key)})")
        lines += [f"CHECK ({self.translate(check.condition)})" for check in table.checks]
        lines += [
            f"FOREIGN KEY ({quoted_list(key.columns)}) REFERENCES {quoted(key.parent)} "
            f"({quoted_list(key.parent_columns)}) ON DELETE CASCADE"
            for key in table.foreign_keys
        ]
        return f"CREATE TABLE {quoted(table.name)} (\n    " + ",\n    ".join(lines) + "\n)"


@dataclass(frozen=True)
class StoreScript:
    """The DuckDB script that makes the tables and views of a store.

    It may come out of somebody's database, so it runs without access to files.
    """

    text: str

    @classmethod
    def of_schema(cls, schema: str | Path) -> tuple[StoreScript, str]:
        """Read and check a schema as :func:`create_tables` does; return its script and name."""
        with _without_file_access() as db:
            create_tables(db, schema)
            name, text = db.execute("SELECT schema, ddl FROM shortlist_store").fetchall()[0]
        return cls(text), name

    @property
    def tables(self) -> dict[str, Table]:
        """The tables, parents before children."""
        return _tables(self.text)

    def views_only(self) -> Connection:
        """Return a database in memory with the views; the tables they read have to be added."""
        db = _execute(self.text)
        for name in reversed(self.tables):
            db.execute(f"DROP TABLE {quoted(name)}")
        return db

    def statements(self, dialect: Dialect) -> list[str]:
        """Return the statements that make the tables and indexes in another database."""
        tables = [dialect.create_table(table) for table in self.tables.values()]
        with _execute(self.text) as db:
            indexes = db.execute("SELECT sql FROM duckdb_indexes() ORDER BY index_oid").fetchall()
        return tables + [sql for (sql,) in indexes]


@lru_cache(maxsize=8)
def _tables(script: str) -> dict[str, Table]:
    """Cached: a store is opened more often than its tables change."""
    with _execute(script) as db:
        return read_tables(db)


def _execute(script: str) -> Connection:
    db = _without_file_access()
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


def _without_file_access() -> Connection:
    """Open a database in memory that can neither read nor write a file."""
    db = connect()
    db.execute("SET enable_external_access = false")
    db.execute("SET lock_configuration = true")
    return db
