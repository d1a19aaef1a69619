"""A store in a DuckDB file, which is its own staging database."""

# ruff: noqa: D102 - the methods are documented in Database

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import duckdb
import pyarrow as pa

from shortlist.data.formats import scan
from shortlist.data.sql import Connection, connect, quoted, quoted_list, transaction, types_of
from shortlist.data.store.address import Address
from shortlist.data.store.database import Database, TableName, Texts, dotted, unordered_column
from shortlist.data.store.schema import Table, create_tables, read_tables, upgrade_tables
from shortlist.errors import DatabaseError, InputError
from shortlist.files import atomic_file

_ORDERED = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "DATE", "VARCHAR")


class DuckDBFile(Database):
    """An open DuckDB file. No other program can write to it meanwhile."""

    def __init__(self, address: Address, *, read_only: bool = False) -> None:
        self.address, self.read_only = address, read_only
        path = address.require_file()
        try:
            self.staging = connect(str(path), read_only=read_only)
        except duckdb.Error as error:
            raise _explained(error, address.place) from error

    @classmethod
    def create(cls, address: Address, schema: str | Path) -> None:
        path = address.path
        assert path is not None
        if path.exists():
            raise InputError(
                f"{address.place} exists already",
                remedy="load into it, or name a file that does not exist",
            )
        with _writing(address.place), atomic_file(path) as partial:
            path.with_name(f"{path.name}.wal").unlink(missing_ok=True)  # of a deleted database
            partial.unlink()  # DuckDB makes its own file and refuses an empty one
            with connect(str(partial)) as db:
                create_tables(db, schema)

    def upgrade(self, version: int) -> None:
        try:
            upgrade_tables(self.staging, version)
        except duckdb.Error as error:
            raise InputError(
                f"the tables of version {version} cannot be upgraded: {str(error).splitlines()[0]}",
                where=self.address.place,
                remedy="nothing has changed: restore the tables, or load into a new store",
            ) from error

    def close(self) -> None:
        self.staging.close()

    def tables(self) -> dict[str, Table]:
        return read_tables(self.staging)

    def reading(self, only: Collection[str] | None = None) -> AbstractContextManager[Connection]:
        return nullcontext(self.staging)

    def snapshot(self) -> AbstractContextManager[None]:
        return nullcontext()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with _writing(self.address.place), transaction(self.staging):
            yield

    def copy_to_staging(self, table: Table, columns: Collection[str], where: str = "") -> None:
        """Do nothing: the tables are in the staging database."""

    def insert(self, table: Table, columns: Sequence[str], query: str) -> int:
        names = quoted_list(columns)
        [(count,)] = self.staging.execute(
            f"INSERT INTO {quoted(table.name)} ({names}) SELECT {names} {query}"
        ).fetchall()
        return int(count)

    def fetch(self, query: str, values: Sequence[str | None] = ()) -> pa.Table:
        with scan.translated(self.address.place):
            return self.staging.sql(query, params=list(values) or None).to_arrow_table()

    def describe(self, table: TableName) -> dict[str, str]:
        with scan.translated(self.address.place):
            try:
                return types_of(self.staging, dotted(table))
            except duckdb.CatalogException:
                names = (name.lower() for name in self.table_names(None))
                if table[-1].lower() in names:  # a view over a table that is gone
                    raise
                return {}

    def table_names(self, schema: str | None) -> list[str]:
        names = self.staging.execute("SELECT table_name FROM information_schema.tables").fetchall()
        return [name for (name,) in names]

    def select(
        self, table: TableName, columns: Texts, exact: Texts, clauses: str = "", values: Texts = ()
    ) -> pa.Table:
        return self.fetch(f"SELECT {quoted_list(columns)} FROM {dotted(table)}{clauses}", values)

    def ordered_parameter(self, table: TableName, column: str) -> str:
        kind = self.columns(table)[column]
        if not kind.startswith("TIMESTAMP") and kind not in _ORDERED:
            raise unordered_column(table, column, kind)
        return f"CAST(? AS {kind})"


@contextmanager
def _writing(place: str) -> Iterator[None]:
    """Explain why a file cannot be written, such as a full disk."""
    try:
        yield
    except (duckdb.IOException, duckdb.FatalException, duckdb.TransactionException) as error:
        full = "No space left" in str(error)
        raise DatabaseError(
            "the disk is full" if full else f"DuckDB failed: {str(error).splitlines()[0]}",
            where=place,
            remedy="free some space, and open the database again: it holds all of a load or run, "
            "or nothing of it",
        ) from error


def _explained(error: duckdb.Error, place: str) -> InputError:
    """Turn a failure to open the file into an error of this library."""
    message = str(error)
    what = f"{place} is not a valid DuckDB database: {message.splitlines()[0]}"
    remedy = "name a file that shortlist init made"
    if "lock" in message:
        what = f"{place} is in use by another program"
        remedy = "close that program, or open the file read-only in both"
    elif "different configuration" in message:
        what = f"{place} is open in this program already, with another value of read_only"
        remedy = "close that store first, or open both with the same value"
    return InputError(what, remedy=remedy)
