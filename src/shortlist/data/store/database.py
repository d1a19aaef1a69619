"""The operations that a store needs from its database, whichever it is.

Rows are read, checked and sorted by DuckDB in the *staging database*. For a DuckDB file that is the
file itself. For any other database it lives in memory, and the rows that a check needs are copied
there first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from shortlist.data.sql import Connection, quoted
from shortlist.data.store.address import Address
from shortlist.data.store.schema import INFO, Table
from shortlist.errors import InputError, suggestion

Texts: TypeAlias = Sequence[str]
TableName: TypeAlias = tuple[str, ...]
"""The name of a table, perhaps after the name of its schema."""


class Database(ABC):
    """An open database: a DuckDB file, a SQLite file or a PostgreSQL database."""

    address: Address
    read_only: bool
    staging: Connection  # to the staging database

    @abstractmethod
    def __init__(self, address: Address, *, read_only: bool = False) -> None:
        """Open a database that exists."""

    @classmethod
    @abstractmethod
    def create(cls, address: Address, schema: str | Path) -> None:
        """Make an empty store: all of its tables, or nothing if the schema or a table is wrong."""

    def upgrade(self, version: int) -> None:  # noqa: B027
        """Upgrade the store from an older version; only DuckDB files can have one."""

    @abstractmethod
    def close(self) -> None:
        """Close the database; closing it again does nothing."""

    @abstractmethod
    def tables(self) -> dict[str, Table]:
        """Return the tables of the store, parents before children."""

    @abstractmethod
    def reading(self, only: Collection[str] | None = None) -> AbstractContextManager[Connection]:
        """Open a connection with the tables, as they are at one moment, and the views over them.

        With ``only``, the other tables may be empty.
        """

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[None]:
        """Let all reads of the block see the same moment."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """Keep everything that the block writes, or nothing; other writers of the store wait."""

    @abstractmethod
    def copy_to_staging(self, table: Table, columns: Collection[str], where: str = "") -> None:
        """Make columns of a table readable in the staging database; ``where`` selects rows."""

    @abstractmethod
    def insert(self, table: Table, columns: Sequence[str], query: str) -> int:
        """Insert rows of the staging database, within :meth:`transaction`; return their number.

        ``query`` is what follows ``SELECT columns`` in the SQL that yields the rows.
        """

    @abstractmethod
    def fetch(self, query: str, values: Sequence[str | None] = ()) -> pa.Table:
        """Return the rows of a query with parameters."""

    @abstractmethod
    def describe(self, table: TableName) -> dict[str, str]:
        """Return the columns of a table or view, each with its type; none if it does not exist."""

    @abstractmethod
    def table_names(self, schema: str | None) -> list[str]:
        """Return the tables and views of a schema, or those that need no schema before them."""

    @abstractmethod
    def select(
        self, table: TableName, columns: Texts, exact: Texts, clauses: str = "", values: Texts = ()
    ) -> pa.Table:
        """Read columns; ``clauses`` follow the name of the table in the SELECT statement.

        Columns in ``exact`` are ids, in which no digit may be lost.
        """

    @abstractmethod
    def ordered_parameter(self, table: TableName, column: str) -> str:
        """Return SQL that casts a text parameter to the type of a column.

        Raise :func:`unordered_column` unless it holds whole numbers, times or text.
        """

    def info(self) -> tuple[str, int] | None:
        """Return the schema that a store was made from and its version; None: it is not a store."""
        if not self.describe((INFO,)):
            return None
        rows = self.fetch(f"SELECT schema, version FROM {INFO}").to_pylist()
        return (rows[0]["schema"], int(rows[0]["version"])) if rows else None

    def columns(self, table: TableName) -> dict[str, str]:
        """Return the columns of a table or view that must exist, each with its type."""
        columns = self.describe(table)
        if not columns:
            raise InputError(
                f"there is no table {'.'.join(table)}",
                where=self.address.place,
                remedy=suggestion(table[-1], self.table_names(*table[:-1] or (None,))),
            )
        return columns

    def row_range(
        self, table: TableName, column: str, last: str | None
    ) -> tuple[str | None, int, int]:
        """Return how far a table reaches along a column (None without rows), as text.

        Count also its rows without a value there, and those with a value up to ``last``.
        """
        x, parameter = quoted(column), self.ordered_parameter(table, column)
        [row] = self.fetch(
            f"SELECT CAST(max({x}) AS TEXT) AS last, count(*) - count({x}) AS missing, "
            f"count(*) FILTER (WHERE {x} <= {parameter}) AS before FROM {dotted(table)}",
            [last],
        ).to_pylist()
        return row["last"], row["missing"], row["before"]


def dotted(table: TableName) -> str:
    """Quote the name of a table for SQL."""
    return ".".join(map(quoted, table))


def unordered_column(table: TableName, column: str, kind: str) -> InputError:
    """Return the error for a column along which new rows cannot be found."""
    return InputError(
        f"new rows cannot be found along a column of type {kind}",
        where=f"{'.'.join(table)}, column '{column}'",
        remedy="name a column of whole numbers or times that only grows",
    )
