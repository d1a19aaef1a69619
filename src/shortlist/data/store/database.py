"""What a store asks of the database it lives in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Self

import duckdb
import pyarrow as pa

from shortlist.data.store.address import Address
from shortlist.data.store.catalogue import Table
from shortlist.data.store.staging import Staged

Name = tuple[str, ...]  # of a table: perhaps its schema, and itself


class Origin(NamedTuple):
    """What a store was made from."""

    schema: str
    version: int


class After(NamedTuple):
    """Rows whose value in a column is greater than one that was seen before.

    Attributes
    ----------
    column
        It is never NULL.
    last
        The value, as the database writes it.
    """

    column: str
    last: str


class Extent(NamedTuple):
    """How far a table goes.

    Attributes
    ----------
    last
        The greatest value of a column, as the database writes it; None where there are no rows.
    rows, missing
        How many rows there are, and how many have no value in the column.
    before
        How many rows are not after the value that was asked about.
    """

    last: str | None
    rows: int
    missing: int
    before: int


class Database(ABC):
    """One open database.

    Rows are read from files, checked and put in order by DuckDB, on the *bench*. For a DuckDB file
    the bench is the file itself; for any other database it lives in memory, and the tables that
    a check needs are brought to it.

    Attributes
    ----------
    address
        Where it is; ``address.place`` is what messages call it.
    read_only
        Whether it refuses to be written to.
    bench
        The DuckDB connection.
    """

    address: Address
    read_only: bool
    bench: duckdb.DuckDBPyConnection

    @abstractmethod
    def origin(self) -> Origin | None:
        """Say what the store was made from; None where the database holds no store."""

    @abstractmethod
    def catalogue(self) -> dict[str, Table]:
        """Describe the tables of the store, parents before their children."""

    @abstractmethod
    def described(self) -> duckdb.DuckDBPyConnection:
        """Give a connection whose views have the types of the store's, but perhaps no rows."""

    @abstractmethod
    def reading(
        self, only: Collection[str] | None = None
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Give a connection with the tables, as they are at one moment, and the views over them.

        Parameters
        ----------
        only
            The tables whose rows are needed; None: all.
        """

    @abstractmethod
    def exclusive(self) -> AbstractContextManager[None]:
        """Keep other writers of the store out, and keep everything the block writes, or nothing."""

    @abstractmethod
    def bring(
        self, table: Table, columns: Collection[str], where: Mapping[str, int] | None = None
    ) -> None:
        """Make these columns of a table readable on the bench, of all rows or of some."""

    @abstractmethod
    def keep(self, staged: Sequence[Staged]) -> tuple[dict[str, int], dict[str, int]]:
        """Insert checked rows; call it within :meth:`exclusive`.

        Returns
        -------
        (written, repeated)
            As :func:`shortlist.data.store.load.write`.
        """

    @abstractmethod
    def append(self, table: Table, rows: pa.Table) -> None:
        """Insert rows of the right types unchecked; call it within :meth:`exclusive`."""

    @abstractmethod
    def upgrade(self, version: int) -> None:
        """Bring a store that an older shortlist made to this version."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[None]:
        """Let every read of the block see the same moment."""

    @abstractmethod
    def columns(self, table: Name) -> dict[str, str]:
        """Give the columns of a table or view, each with its type.

        Raises
        ------
        InputError
            There is no such table.
        """

    @abstractmethod
    def rows(
        self,
        table: Name,
        columns: Sequence[str],
        *,
        exact: Collection[str] = (),
        after: After | None = None,
        order: Sequence[str] = (),
    ) -> Any:
        """Read columns, which must exist, into something :meth:`Dataset.from_tables` takes.

        Parameters
        ----------
        table, columns
            What to read.
        exact
            Columns whose every digit counts: ids.
        after
            Only these rows.
        order
            The columns to sort by; none: as the database keeps them.
        """

    @abstractmethod
    def extent(self, table: Name, column: str, last: str | None) -> Extent:
        """Count the rows of a table along a column.

        Raises
        ------
        InputError
            The column holds no whole numbers, times or text.
        """

    @abstractmethod
    def close(self) -> None:
        """Close it; closing it again does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
