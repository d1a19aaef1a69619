"""One connection of an ADBC driver: Arrow in, Arrow out, and failures in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa
from adbc_driver_manager import Error

from shortlist.errors import ShortlistError

FAILURES = (Error, OSError, pa.ArrowException)  # a failure while rows come in is Arrow's
Explain = Callable[[Exception], ShortlistError]


class Driver:
    """Statements and tables over one connection.

    Parameters
    ----------
    connect
        Opens the connection, which commits every statement on its own unless told otherwise.
    explain
        Turns what the driver raises into an error that holds no secret.
    """

    def __init__(self, connect: Callable[[], Any], explain: Explain) -> None:
        self._explain = explain
        with self._told():
            self._connection = connect()
        self._open = True

    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Execute a statement that gives no rows, or whose rows do not matter."""
        with self._told(), self._connection.cursor() as cursor:
            cursor.execute(statement, parameters=tuple(values) or None)

    def fetch(
        self, query: str, values: Sequence[Any] = (), options: Mapping[str, str] | None = None
    ) -> pa.Table:
        """Give the rows of a query."""
        with self._told(), self._connection.cursor() as cursor:
            if options:
                cursor.adbc_statement.set_options(**options)
            cursor.execute(query, parameters=tuple(values) or None)
            return cursor.fetch_arrow_table()

    def append(self, table: str, rows: pa.Table) -> int:
        """Insert rows into a table that exists, by the names of their columns."""
        with self._told(), self._connection.cursor() as cursor:
            cursor.adbc_ingest(table, rows, mode="append")
        return int(rows.num_rows)

    @contextmanager
    def transaction(self, begin: str) -> Iterator[None]:
        """Keep everything the block writes, or nothing of it."""
        self.run(begin)
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            with suppress(ShortlistError):  # a lost connection has been rolled back by the server
                self.run("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the connection; closing it again does nothing."""
        if self._open:
            self._open = False
            self._connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            # Not chained: the driver's own words may hold what was in the URL.
            raise self._explain(error) from None
