"""The common part of PostgreSQL and SQLite: rows travel as Arrow tables through an ADBC driver.

The staging database lives in memory. Tables that a check or a view needs are copied into it.
"""

# ruff: noqa: D102 - the methods are documented in Database

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from shortlist.data.sql import Connection, connect, quoted
from shortlist.data.store.address import Address
from shortlist.data.store.database import Database
from shortlist.data.store.schema import INFO, VERSION, Dialect, StoreScript, Table
from shortlist.data.store.staging import stage_frame
from shortlist.errors import InputError, ShortlistError
from shortlist.extras import require


class Remote(Database):
    """A database behind an ADBC connection in autocommit mode."""

    dialect: ClassVar[Dialect]
    info_values: ClassVar[str]  # parameters for the columns of the table INFO
    begin: ClassVar[Sequence[str]]  # begin a transaction and keep other writers out
    begin_snapshot: ClassVar[str]  # begins a transaction whose reads see one moment

    def __init__(self, address: Address, *, read_only: bool = False) -> None:
        require("sql", f"a {self.dialect.title} database")
        from adbc_driver_manager import Error

        self.address, self.read_only = address, read_only
        self._failures = (Error, OSError, pa.ArrowException)  # Arrow's: failures while rows arrive
        self.staging = connect()
        self._connection: Any = None
        try:
            with self._explaining():
                self._connection, settings = self._connect()
            for setting in settings:
                self.run(setting)
        except ShortlistError:
            self.close()
            raise

    @abstractmethod
    def _connect(self) -> tuple[Any, Sequence[str]]:
        """Return a connection of the driver in autocommit mode, and statements that set it up."""

    @abstractmethod
    def _explained(self, error: Exception) -> ShortlistError:
        """Turn a failure of the driver into an error of this library."""

    @classmethod
    def create(cls, address: Address, schema: str | Path) -> None:
        """Create the tables of a schema in a database that exists, in one transaction."""
        database = cls(address)
        try:
            script, name = StoreScript.of_schema(schema)
            statements = script.statements(cls.dialect)
            with database.transaction():
                if database.describe((INFO,)):
                    raise InputError(
                        f"{address.place} has a store already",
                        remedy="load into it: shortlist load",
                    )
                for statement in statements:
                    database.run(statement)
                now = dt.datetime.now(dt.UTC).replace(tzinfo=None).isoformat(" ")
                database.run(
                    f"INSERT INTO {INFO} (schema, version, created_at, ddl) "
                    f"VALUES ({cls.info_values})",
                    (name, VERSION, now, script.text),
                )
        finally:
            database.close()

    def close(self) -> None:
        self.staging.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Execute a statement and ignore its rows."""
        with self._explaining(), self._connection.cursor() as cursor:
            cursor.execute(statement, parameters=tuple(values) or None)

    def fetch(
        self,
        query: str,
        values: Sequence[str | None] = (),
        options: Mapping[str, str] | None = None,
    ) -> pa.Table:
        with self._explaining(), self._connection.cursor() as cursor:
            if options:
                cursor.adbc_statement.set_options(**options)
            cursor.execute(query, parameters=tuple(values) or None)
            return cursor.fetch_arrow_table()

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except self._failures as error:
            # Not chained: the message of the driver may contain parts of the URL.
            raise self._explained(error) from None

    @contextmanager
    def _transaction(self, *begin: str) -> Iterator[None]:
        self.run(begin[0])
        try:
            for statement in begin[1:]:
                self.run(statement)
            yield
            self.run("COMMIT")
        except BaseException:
            with suppress(ShortlistError):  # the server has rolled back a lost connection
                self.run("ROLLBACK")
            raise

    def transaction(self) -> AbstractContextManager[None]:
        return self._transaction(*self.begin)

    def snapshot(self) -> AbstractContextManager[None]:
        return self._transaction(self.begin_snapshot)

    @cached_property
    def script(self) -> StoreScript:
        """The DuckDB script that the store was made from."""
        [row] = self.fetch(f"SELECT ddl FROM {INFO}").to_pylist()
        return StoreScript(row["ddl"])

    def tables(self) -> dict[str, Table]:
        return self.script.tables

    @contextmanager
    def reading(self, only: Collection[str] | None = None) -> Iterator[Connection]:
        with self.script.views_only() as db:
            with self.snapshot():
                for table in self.tables().values():
                    if only is None or table.name in only:
                        self._copy(db, table, list(table.types))
                    else:
                        _create_empty(db, table, table.types)
            yield db

    def copy_to_staging(self, table: Table, columns: Collection[str], where: str = "") -> None:
        self._copy(self.staging, table, [c for c in table.types if c in columns], where)

    def _copy(self, db: Connection, table: Table, columns: Sequence[str], where: str = "") -> None:
        """Copy into a temporary table of the same name, with the types of the schema."""
        present = self.columns((table.name,))
        for column in columns:
            if column not in present:
                raise InputError(
                    f"the table {table.name} has no column '{column}' any more",
                    where=self.address.place,
                    remedy="add it again, or make a new store and load the tables into it",
                )
        rows = self.select((table.name,), columns, columns, where and f" WHERE {where}")
        if not rows.num_rows:
            _create_empty(db, table, columns)
            return
        label = f"table {table.name} of {self.address.place}"
        stage_frame(db, rows, label, table, quoted(table.name))

    def insert(self, table: Table, columns: Sequence[str], query: str) -> int:
        values = ", ".join(
            f"{self.dialect.types[table.types[column]].value.format(x=quoted(column))} "
            f"AS {quoted(column)}"
            for column in columns
        )
        rows = self.staging.sql(f"SELECT {values} {query}").to_arrow_table()
        with self._explaining(), self._connection.cursor() as cursor:
            cursor.adbc_ingest(table.name, rows, mode="append")
        return int(rows.num_rows)


def _create_empty(db: Connection, table: Table, columns: Iterable[str]) -> None:
    types = ", ".join(f"{quoted(column)} {table.types[column]}" for column in columns)
    db.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(table.name)} ({types})")
