"""A database that DuckDB cannot open: tables go to a bench in memory and back, as Arrow."""

# ruff: noqa: D102 - what a method does is said where the base declares it

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import duckdb
import pyarrow as pa

from shortlist.data.formats.layout import Fill, same
from shortlist.data.sql import connect, quoted, quoted_list
from shortlist.data.store.address import Address
from shortlist.data.store.catalogue import Table
from shortlist.data.store.database import After, Database, Name, Origin
from shortlist.data.store.definition import Definition, Dialect
from shortlist.data.store.driver import Driver
from shortlist.data.store.load import write
from shortlist.data.store.staging import Source, Staged, stage
from shortlist.errors import InputError, suggestion

NOTE = "shortlist_store"  # the table that says what a store was made from


class Remote(Database):
    """What PostgreSQL and SQLite have in common."""

    dialect: ClassVar[Dialect]

    def __init__(self, address: Address, driver: Driver, *, read_only: bool) -> None:
        self.address, self.driver, self.read_only = address, driver, read_only
        self.bench = connect()

    @abstractmethod
    def find(self, table: Name) -> dict[str, str] | None:
        """Give the columns of a table or view, each with its type; None where there is none."""

    @abstractmethod
    def known(self, schema: str | None) -> list[str]:
        """List the tables and views of a schema, or those that can be named without one."""

    @abstractmethod
    def fetch(
        self,
        table: Name,
        columns: Sequence[str],
        exact: Collection[str],
        where: str = "",
        values: Sequence[str | int] = (),
    ) -> pa.Table:
        """Read columns; ``where`` is what follows the name of the table in the statement."""

    @abstractmethod
    def _cast(self, table: Name, column: str) -> str:
        """Write the one value of a statement, given as text, as a value of this column."""

    def rows(
        self,
        table: Name,
        columns: Sequence[str],
        *,
        exact: Collection[str] = (),
        after: After | None = None,
        order: Sequence[str] = (),
    ) -> pa.Table:
        where, values = "", []
        if after is not None:
            where = f" WHERE {quoted(after.column)} > {self._cast(table, after.column)}"
            values = [after.last]
        if order:
            where += f" ORDER BY {quoted_list(order)}"
        return self.fetch(table, columns, exact, where, values)

    @abstractmethod
    def exclusive(self) -> AbstractContextManager[None]:
        """As the base says; reads of the block see what other writers have finished."""

    def create(self, schema: str | Path, version: int) -> None:
        """Make the tables of a schema in a database that has no store yet; all or nothing."""
        definition, name = Definition.of_schema(schema, version)
        statements = definition.statements(self.dialect)
        with self.exclusive():
            if self.find((NOTE,)) is not None:
                raise InputError(
                    f"{self.address.place} has a store already",
                    remedy="load into it: shortlist load",
                )
            for statement in statements:
                self.driver.run(statement)
            now = dt.datetime.now(dt.UTC).replace(tzinfo=None).isoformat(" ")
            self._note(name, version, now, definition.script)

    @abstractmethod
    def _note(self, *values: str | int) -> None:
        """Insert the row of the table that says what the store was made from."""

    def origin(self) -> Origin | None:
        if self.find((NOTE,)) is None:
            return None
        found = self.driver.fetch(f"SELECT schema, version FROM {NOTE}").to_pylist()
        return Origin(found[0]["schema"], int(found[0]["version"])) if found else None

    @cached_property
    def definition(self) -> Definition:
        """What the store was made from."""
        [row] = self.driver.fetch(f"SELECT ddl FROM {NOTE}").to_pylist()
        return Definition(row["ddl"])

    def catalogue(self) -> dict[str, Table]:
        return self.definition.tables

    def described(self) -> duckdb.DuckDBPyConnection:
        return self.definition.empty

    @contextmanager
    def reading(self, only: Collection[str] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        with self.definition.unfilled() as db:
            with self.snapshot():
                for table in self.catalogue().values():
                    if only is None or table.name in only:
                        self._bring(db, table, list(table.types))
                    else:
                        _without_rows(db, table, table.types)
            yield db

    def bring(
        self, table: Table, columns: Collection[str], where: Mapping[str, int] | None = None
    ) -> None:
        self._bring(self.bench, table, [c for c in table.types if c in columns], where)

    def _bring(
        self,
        db: duckdb.DuckDBPyConnection,
        table: Table,
        columns: Sequence[str],
        where: Mapping[str, int] | None = None,
    ) -> None:
        """Fetch into a temporary table of the same name, with the types of the definition."""
        there = self.columns((table.name,))
        for column in columns:
            if column not in there:
                raise InputError(
                    f"the table {table.name} has no column '{column}' any more",
                    where=self.address.place,
                    remedy="put it back, or make a new store and load the tables into it",
                )
        chosen = "".join(
            f" {'AND' if at else 'WHERE'} {quoted(column)} = {int(value)}"
            for at, (column, value) in enumerate((where or {}).items())
        )
        rows = self.fetch((table.name,), columns, columns, chosen)
        if not rows.num_rows:
            _without_rows(db, table, columns)
            return
        db.register("brought", rows)
        try:
            source = Source(f"table {table.name} of {self.address.place}", "brought")
            stage(db, source, Fill(table.name, same(*columns)), table, quoted(table.name))
        finally:
            db.unregister("brought")

    def keep(self, staged: Sequence[Staged]) -> tuple[dict[str, int], dict[str, int]]:
        return write(self.bench, staged, self._insert)

    def append(self, table: Table, rows: pa.Table) -> None:
        self.bench.register("appended", rows)
        try:
            self._send(table, rows.column_names, "FROM appended")
        finally:
            self.bench.unregister("appended")

    def _insert(self, rows: Staged, columns: str, query: str) -> int:
        return self._send(rows.table, rows.columns, query)

    def _send(self, table: Table, columns: Iterable[str], query: str) -> int:
        values = ", ".join(
            f"{self.dialect.types[table.types[column]].sent.format(x=quoted(column))} "
            f"AS {quoted(column)}"
            for column in columns
        )
        rows = self.bench.sql(f"SELECT {values} {query}").to_arrow_table()
        return self.driver.append(table.name, rows)

    def upgrade(self, version: int) -> None:
        """There is no older version: the first that had these databases wrote this one."""

    def columns(self, table: Name) -> dict[str, str]:
        found = self.find(table)
        if found is None:
            raise InputError(
                f"there is no table {'.'.join(table)}",
                where=self.address.place,
                remedy=suggestion(table[-1], self.known(*table[:-1] or (None,))),
            )
        return found

    def close(self) -> None:
        self.bench.close()
        self.driver.close()


def dotted(table: Name) -> str:
    """Quote the name of a table, with its schema if it has one."""
    return ".".join(map(quoted, table))


def _without_rows(db: duckdb.DuckDBPyConnection, table: Table, columns: Iterable[str]) -> None:
    empty = ", ".join(f"{quoted(column)} {table.types[column]}" for column in columns)
    db.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(table.name)} ({empty})")
