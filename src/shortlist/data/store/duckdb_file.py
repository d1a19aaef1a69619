"""A DuckDB file: the bench is the file itself."""

# ruff: noqa: D102 - what a method does is said where the base declares it

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from shortlist.data.sql import connect, quoted, quoted_list, transaction
from shortlist.data.store.address import Address
from shortlist.data.store.catalogue import Table, tables
from shortlist.data.store.database import After, Database, Extent, Name, Origin
from shortlist.data.store.ddl import make, upgrade
from shortlist.data.store.load import write
from shortlist.data.store.staging import Staged
from shortlist.errors import InputError, suggestion
from shortlist.files import atomic_file

_ALONG = ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UBIGINT", "HUGEINT", "DATE", "VARCHAR")


def create(address: Address, schema: str | Any, version: int) -> None:
    """Make a file that does not exist yet. It appears whole, or not at all."""
    path = address.path
    assert path is not None
    if path.exists():
        raise InputError(
            f"{address.place} exists already",
            remedy="load into it, or name a file that does not exist",
        )
    with atomic_file(path) as partial:
        partial.unlink()  # DuckDB makes its own file and refuses an empty one
        with connect(str(partial)) as db:
            make(db, schema, version)


class Local(Database):
    """An open DuckDB file."""

    def __init__(self, address: Address, *, read_only: bool = False) -> None:
        self.address, self.read_only = address, read_only
        if address.path is None or not address.path.is_file():
            raise InputError(
                f"there is no database {address.place}",
                remedy="create it: shortlist init DB --schema NAME",
            )
        try:
            self.bench = connect(str(address.path), read_only=read_only)
        except duckdb.Error as error:
            raise _unopened(error, address.place) from error

    def origin(self) -> Origin | None:
        try:
            found = self.bench.execute("SELECT schema, version FROM shortlist_store").fetchall()
        except duckdb.CatalogException:
            return None
        return Origin(*found[0]) if found else None

    def catalogue(self) -> dict[str, Table]:
        return tables(self.bench)

    def described(self) -> duckdb.DuckDBPyConnection:
        return self.bench

    @contextmanager
    def reading(self, only: Collection[str] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        yield self.bench

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Nobody else can write to the file while it is open; :meth:`keep` is one transaction."""
        yield

    def bring(
        self, table: Table, columns: Collection[str], where: Mapping[str, int] | None = None
    ) -> None:
        """Everything is on the bench."""

    def keep(self, staged: Sequence[Staged]) -> tuple[dict[str, int], dict[str, int]]:
        def insert(rows: Staged, columns: str, query: str) -> int:
            [(count,)] = self.bench.execute(
                f"INSERT INTO {quoted(rows.table.name)} ({columns}) SELECT {columns} {query}"
            ).fetchall()
            return int(count)

        with transaction(self.bench):
            return write(self.bench, staged, insert)

    def append(self, table: Table, rows: pa.Table) -> None:
        names = quoted_list(rows.column_names)
        self.bench.register("appended", rows)
        try:
            self.bench.execute(
                f"INSERT INTO {quoted(table.name)} ({names}) SELECT {names} FROM appended"
            )
        finally:
            self.bench.unregister("appended")

    def upgrade(self, version: int) -> None:
        upgrade(self.bench, version)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Nobody else writes to the file while it is open."""
        yield

    def columns(self, table: Name) -> dict[str, str]:
        try:
            described = self.bench.execute(f"DESCRIBE FROM {_dotted(table)}").fetchall()
        except duckdb.CatalogException:
            known = self.bench.execute("SELECT table_name FROM information_schema.tables")
            raise InputError(
                f"there is no table {'.'.join(table)}",
                where=self.address.place,
                remedy=suggestion(table[-1], [name for (name,) in known.fetchall()]),
            ) from None
        return {name: kind for name, kind, *_ in described}

    def rows(
        self,
        table: Name,
        columns: Sequence[str],
        *,
        exact: Collection[str] = (),
        after: After | None = None,
        order: Sequence[str] = (),
    ) -> pa.Table:
        kinds = self.columns(table)
        query = f"SELECT {quoted_list(columns)} FROM {_dotted(table)}"
        if after is not None:
            query += f" WHERE {quoted(after.column)} > CAST(? AS {kinds[after.column]})"
        if order:
            query += f" ORDER BY {quoted_list(order)}"
        values = None if after is None else [after.last]
        return self.bench.sql(query, params=values).to_arrow_table()

    def extent(self, table: Name, column: str, last: str | None) -> Extent:
        kind = self.columns(table)[column]
        if kind not in _ALONG and not kind.startswith("TIMESTAMP"):
            raise InputError(
                f"rows cannot be followed along a column of type {kind}",
                where=f"{'.'.join(table)}, column '{column}'",
                remedy="name a column of whole numbers or of times that only grows",
            )
        x = quoted(column)
        [found] = self.bench.execute(
            f"SELECT CAST(max({x}) AS VARCHAR), count(*), count(*) - count({x}), "
            f"count(*) FILTER ({x} <= CAST(? AS {kind})) FROM {_dotted(table)}",
            [last],
        ).fetchall()
        return Extent(*found)

    def close(self) -> None:
        self.bench.close()


def _dotted(table: Name) -> str:
    return ".".join(map(quoted, table))


def _unopened(error: duckdb.Error, place: str) -> InputError:
    message = str(error)
    if "lock" in message:
        return InputError(
            f"{place} is in use by another program",
            remedy="close that program, or let both open it to read only",
        )
    if "different configuration" in message:
        return InputError(
            f"{place} is open in this program already",
            remedy="close that store first, or open both alike (to read only, or not)",
        )
    return InputError(
        f"{place} is not a whole DuckDB database: {message.splitlines()[0]}",
        remedy="name a file that shortlist init made",
    )
