"""The schemas as SQL: making a store from one, in DuckDB, PostgreSQL or SQLite, and its tables.

The ``.sql`` files are the only source, and the rules (types, keys, conditions) are read from the
database, so a new schema needs no Python. DuckDB runs the script and describes the tables; a
:class:`Dialect` (types, a few expressions, generated keys) turns the descriptions into statements
for another database. Foreign keys delete children with their parent there. The views stay in
DuckDB, which evaluates them over the fetched tables, so views may be written in any DuckDB SQL.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from graphlib import TopologicalSorter
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from shortlist.data.sql import Connection, connect, quoted, quoted_list, transaction, types_of
from shortlist.errors import InputError, suggestion

VERSION = 2
"""Version of the tables that every store has. A new version needs a file upgrade_to_VERSION.sql."""

SCHEMAS = ("jobs", "movies", "runs")
INFO = "shortlist_store"  # the table that holds the schema and the version of a store
_VIEWS = {
    "interactions": ("user_id", "item_id", "weight", "time"),
    "item_features": ("item_id",),
    "user_features": ("user_id",),
}
"""The views of a schema, each with the columns that it must have."""


def schema_sql(name: str | Path) -> str:
    """Return the DDL of a schema: ``movies``, ``jobs`` or ``runs``, or a ``.sql`` file of your own.

    Such a file must define the views ``interactions`` (user_id, item_id, weight, time),
    ``user_features`` (user_id and features) and ``item_features`` (item_id and features).
    """
    if _is_own(name):
        if not Path(name).is_file():
            raise InputError(f"there is no file {name}", remedy="check the path of the schema")
        try:
            return Path(name).read_text("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(
                f"the schema is not UTF-8 text: byte {error.object[error.start]:#04x} "
                f"at position {error.start}",
                where=str(name),
                remedy="save the file as UTF-8",
            ) from error
    if name not in SCHEMAS:
        raise InputError(
            f"there is no schema '{name}'",
            remedy=f"{suggestion(str(name), SCHEMAS)}, or a .sql file",
        )
    return _sql_file(str(name))


def create_tables(connection: Connection, schema: str | Path) -> None:
    """Create the tables and views of a store in an empty database; refuse a wrong schema."""
    name = _name_of(schema)
    parts = [schema_sql(schema), *([] if name == "runs" else [_sql_file("runs")])]
    script = "\n;\n".join([*parts, _sql_file("store")])  # the last statement may lack its semicolon
    [(main,)] = connection.execute("SELECT current_database()").fetchall()
    try:
        connection.execute(script)
    except duckdb.Error as error:
        raise InputError(
            f"the schema is not valid: {str(error).splitlines()[0]}", where=str(schema)
        ) from error
    _require_lasting(connection, main, str(schema))
    if name != "runs":
        _require_views(connection, str(schema))
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    connection.execute(f"INSERT INTO {INFO} VALUES (?, ?, ?, ?)", [name, VERSION, now, script])


def _is_own(schema: str | Path) -> bool:
    """Return whether a schema is a file, not one of the library's."""
    return str(schema).endswith(".sql")


def _name_of(schema: str | Path) -> str:
    """Return the name that a store keeps: a file called like a built-in schema is not that one."""
    path = Path(schema)
    return path.name if _is_own(schema) and path.stem in SCHEMAS else path.stem


def _require_lasting(connection: Connection, main: str, where: str) -> None:
    """Refuse a script whose tables would be gone, or not be found, when the store is opened.

    ``main`` is the name of the database that was opened; the script may have attached others.
    """
    try:
        connection.begin()
    except duckdb.TransactionException as error:
        raise InputError(
            "the schema begins a transaction and does not end it",
            where=where,
            remedy="leave out BEGIN TRANSACTION, or end the file with COMMIT",
        ) from error
    connection.commit()
    made = " UNION ALL ".join(
        f"SELECT database_name, schema_name, {kind}_name AS name FROM duckdb_{kind}s() "
        "WHERE NOT internal"
        for kind in ("table", "view")
    )
    others = connection.execute(
        "SELECT if(database_name = 'temp', 'temp', schema_name) || '.' || name "
        f"FROM ({made}) WHERE schema_name <> 'main' OR database_name <> ? ORDER BY ALL",
        [main],
    ).fetchall()
    if others:
        raise InputError(
            f"the schema makes {others[0][0]}, and a store is read from main",
            where=where,
            remedy="leave out CREATE SCHEMA, USE, ATTACH and TEMP",
        )


def _require_views(connection: Connection, where: str) -> None:
    """Refuse a schema without one of the views, or one of their columns."""
    views = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    present = {view.lower() for (view,) in views}  # names do not differ by case
    for view, needed in _VIEWS.items():
        if view not in present:
            raise InputError(
                f"the schema lacks the view {view}",
                where=where,
                remedy=f"define the views {', '.join(sorted(_VIEWS))}",
            )
        try:
            columns = {column.lower() for column in types_of(connection, view)}
        except duckdb.Error as error:
            raise InputError(
                f"the view {view} cannot be read: {str(error).splitlines()[0]}",
                where=where,
                remedy="correct the view",
            ) from error
        for column in needed:
            if column not in columns:
                raise InputError(
                    f"the view {view} lacks the column {column}",
                    where=where,
                    remedy=_WITHOUT.get(column, f"name its id: AS {column}"),
                )


_WITHOUT = {
    "weight": "add it; without weights write 1::FLOAT AS weight",
    "time": "add it; without times write NULL::TIMESTAMP AS time",
}


def upgrade_tables(connection: Connection, version: int) -> None:
    """Upgrade a store of an older version, one version after the other, in one transaction."""
    with transaction(connection):
        for target in range(version + 1, VERSION + 1):
            connection.execute(_sql_file(f"upgrade_to_{target}"))
        connection.execute(f"UPDATE {INFO} SET version = ?", [VERSION])


def _sql_file(name: str) -> str:
    return files("shortlist.data").joinpath("schemas", f"{name}.sql").read_text("utf-8")


@dataclass(frozen=True)
class ForeignKey:
    """Columns whose values must be those of a row of another table."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """A CHECK constraint: an SQL condition on one row."""

    condition: str
    columns: tuple[str, ...]

    @property
    def bound(self) -> str:
        """The condition for messages: without the brackets around the whole."""
        depth = 0
        for position, character in enumerate(self.condition):
            depth += {"(": 1, ")": -1}.get(character, 0)
            if depth == 0 and position < len(self.condition) - 1:
                return self.condition
        return self.condition[1:-1]


@dataclass(frozen=True)
class Table:
    """A table and its constraints."""

    name: str
    types: dict[str, str]  # the SQL type of each column, in order
    required: frozenset[str] = frozenset()  # columns that may not be NULL
    defaults: dict[str, str] = field(default_factory=dict)  # as SQL, where there is one
    keys: tuple[tuple[str, ...], ...] = ()  # the primary key and other unique sets of columns
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def generated_key(self) -> frozenset[str]:
        """Key columns that the database numbers itself, so that rows may repeat."""
        return frozenset(c for key in self.keys if set(key) <= set(self.defaults) for c in key)


def read_tables(connection: Connection) -> dict[str, Table]:
    """Read the tables of a DuckDB database and their constraints, parents before children."""
    columns = connection.execute(
        """
        SELECT table_name,
               list((column_name, data_type, is_nullable, column_default) ORDER BY column_index)
        FROM duckdb_columns() JOIN duckdb_tables() USING (database_name, schema_name, table_name)
        WHERE database_name = current_database() AND NOT duckdb_tables.temporary
        GROUP BY table_name ORDER BY table_name
        """
    ).fetchall()
    constraints = dict(
        connection.execute(
            """
            SELECT table_name,
                   list((constraint_type, constraint_column_names, expression, referenced_table,
                         referenced_column_names) ORDER BY constraint_index)
            FROM duckdb_constraints() WHERE database_name = current_database() GROUP BY table_name
            """
        ).fetchall()
    )
    tables = {
        name: _table(name, described, constraints.get(name, [])) for name, described in columns
    }
    parents = {
        name: [key.parent for key in table.foreign_keys if key.parent != name]
        for name, table in tables.items()
    }
    return {name: tables[name] for name in TopologicalSorter(parents).static_order()}


def _table(
    name: str,
    columns: list[tuple[str, str, bool, str | None]],
    constraints: list[tuple[str, list[str], str, str, list[str]]],
) -> Table:
    by_kind: dict[str, list[list[Any]]] = defaultdict(list)
    for kind, *constraint in constraints:
        by_kind["KEY" if kind in ("PRIMARY KEY", "UNIQUE") else kind].append(constraint)
    return Table(
        name,
        {column: kind for column, kind, _, _ in columns},
        frozenset(column for column, _, nullable, _ in columns if not nullable),
        {column: default for column, _, _, default in columns if default is not None},
        tuple(tuple(names) for names, *_ in by_kind["KEY"]),
        tuple(
            ForeignKey(tuple(names), parent, tuple(parent_columns))
            for names, _, parent, parent_columns in by_kind["FOREIGN KEY"]
        ),
        tuple(Check(sql, tuple(dict.fromkeys(names))) for names, sql, *_ in by_kind["CHECK"]),
    )


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
