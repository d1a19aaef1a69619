"""A SQLite file. Any value may stand in any column there, so columns are looked at first.

The driver brings a SQLite of its own. Locks keep programs apart, but not two SQLites in one
program: do not hold the same file open with Python's ``sqlite3`` meanwhile.
"""

# ruff: noqa: D102 - what a method does is said where the base declares it

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from shortlist.data.sql import quoted
from shortlist.data.store.address import Address
from shortlist.data.store.database import Extent, Name
from shortlist.data.store.definition import Dialect, Kept
from shortlist.data.store.driver import Driver
from shortlist.data.store.refusals import explained_sqlite
from shortlist.data.store.remote import NOTE, Remote, dotted
from shortlist.errors import InputError, ShortlistError
from shortlist.extras import require
from shortlist.files import atomic_file

_PATIENCE = 10_000  # milliseconds to wait for another writer
_KINDS = ("integer", "real", "text", "blob")  # what SQLite calls the type of a value
_MOMENT = "strftime({x}, '%Y-%m-%d %H:%M:%S.%f')"
_TEXT = "CAST({x} AS VARCHAR)"
_WHOLE = "CAST({x} AS BIGINT)"
_BYTE_ROWS = "adbc.sqlite.query.batch_rows"

DIALECT = Dialect(
    "SQLite",
    {
        **{
            kind: Kept(kind, _WHOLE)
            for kind in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT")
        },
        "UINTEGER": Kept("BIGINT", _WHOLE),
        "BOOLEAN": Kept("BOOLEAN", _WHOLE),
        "FLOAT": Kept("REAL", "{x}"),
        "DOUBLE": Kept("REAL", "{x}"),
        "VARCHAR": Kept("TEXT", "{x}"),
        "JSON": Kept("TEXT", _TEXT),
        "DATE": Kept("TEXT", _TEXT),
        "TIMESTAMP": Kept("TEXT", _MOMENT),
    },
    "INTEGER PRIMARY KEY",
    {
        "isfinite(score)": "abs(score) < 9e999",
        "CAST('inf' AS FLOAT)": "9e999",
        "timezone('UTC', now())": "strftime('%Y-%m-%d %H:%M:%f', 'now')",
    },
)


def create(address: Address, schema: str | Path, version: int) -> None:
    """Make the tables of a schema: in a new file that appears whole, or in one that is there."""
    require("sql", "a SQLite database")
    path = address.path
    assert path is not None
    if path.exists():
        with SQLite(address) as database:
            database.create(schema, version)
        return
    with atomic_file(path) as partial, SQLite(Address("sqlite", str(path), partial)) as database:
        database.create(schema, version)


class SQLite(Remote):
    """An open SQLite file."""

    dialect = DIALECT

    def __init__(self, address: Address, *, read_only: bool = False) -> None:
        require("sql", "a SQLite database")
        from adbc_driver_sqlite import dbapi

        path = address.path
        if path is None or not path.is_file():
            raise InputError(
                f"there is no database {address.place}",
                remedy="create it: shortlist init DB --schema NAME",
            )
        uri = f"file:{quote(str(path.resolve()))}?mode={'ro' if read_only else 'rw'}"

        def explain(error: Exception) -> ShortlistError:
            return explained_sqlite(error, address.place, _PATIENCE // 1000)

        driver = Driver(lambda: dbapi.connect(uri, autocommit=True), explain)
        super().__init__(address, driver, read_only=read_only)
        try:
            driver.run(f"PRAGMA busy_timeout = {_PATIENCE}")
            driver.run("PRAGMA foreign_keys = ON")
            driver.fetch("SELECT count(*) FROM sqlite_master")  # now a damaged file says so
        except ShortlistError:
            self.close()
            raise

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        with self.driver.transaction("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self.driver.transaction("BEGIN"):
            yield

    def find(self, table: Name) -> dict[str, str] | None:
        *schema, name = table
        found = self.driver.fetch(
            "SELECT name, type FROM pragma_table_info(?, ?)",
            [name, schema[0] if schema else "main"],
        ).to_pylist()
        return {row["name"]: row["type"] for row in found} or None

    def known(self, schema: str | None) -> list[str]:
        return [
            row["name"]
            for row in self.driver.fetch(
                "SELECT name FROM pragma_table_list WHERE schema = ? AND name NOT LIKE 'sqlite%'",
                [schema or "main"],
            ).to_pylist()
        ]

    def _note(self, *values: str | int) -> None:
        self.driver.run(
            f"INSERT INTO {NOTE} (schema, version, created_at, ddl) VALUES (?, ?, ?, ?)", values
        )

    def _cast(self, table: Name, column: str) -> str:
        return f"CAST(? AS {self._along(table, column)})"

    def fetch(
        self,
        table: Name,
        columns: Sequence[str],
        exact: Collection[str],
        where: str = "",
        values: Sequence[str | int] = (),
    ) -> pa.Table:
        kinds, count = self._kinds(table, columns)
        shown = ", ".join(
            f"CAST({quoted(c)} AS REAL) AS {quoted(c)}"
            if kinds[c] == {"integer", "real"}
            else quoted(c)
            for c in columns
        )
        # The driver takes the type of a column from its first batch, where all may be NULL.
        options = {_BYTE_ROWS: str(max(count, 1))}
        rows = self.driver.fetch(f"SELECT {shown} FROM {dotted(table)}{where}", values, options)
        for at, column in enumerate(columns):
            if kinds[column] == set() or (kinds[column] == {"text"} and not rows.num_rows):
                rows = rows.set_column(at, column, pa.nulls(rows.num_rows, pa.string()))
        return rows

    def extent(self, table: Name, column: str, last: str | None) -> Extent:
        kind, x = self._along(table, column), quoted(column)
        [found] = self.driver.fetch(
            f"SELECT CAST(max({x}) AS TEXT) AS last, count(*) AS rows, "
            f"count(*) - count({x}) AS missing, "
            f"count(*) FILTER (WHERE {x} <= CAST(? AS {kind})) AS before FROM {dotted(table)}",
            [last],
        ).to_pylist()
        return Extent(**found)

    def _along(self, table: Name, column: str) -> str:
        """Give the one type of the values of a column that rows can be followed along."""
        kinds, _ = self._kinds(table, [column])
        if kinds[column] - {"integer"} and kinds[column] != {"text"}:
            raise InputError(
                "rows cannot be followed along a column of fractions",
                where=f"{'.'.join(table)}, column '{column}'",
                remedy="name a column of whole numbers or of times that only grows",
            )
        return "TEXT" if kinds[column] == {"text"} else "INTEGER"

    def _kinds(self, table: Name, columns: Sequence[str]) -> tuple[dict[str, set[str]], int]:
        """Look which types the values of each column have; refuse what no column can be."""
        asked = [
            f"total(typeof({quoted(column)}) = '{kind}')" for column in columns for kind in _KINDS
        ]
        names = ", ".join(f"{sql} AS k{at}" for at, sql in enumerate(asked))
        [found] = self.driver.fetch(
            f"SELECT count(*) AS count{', ' if names else ''}{names} FROM {dotted(table)}"
        ).to_pylist()
        counts = iter(found[f"k{at}"] for at in range(len(asked)))
        kinds = {column: {kind for kind in _KINDS if next(counts)} for column in columns}
        for column, there in kinds.items():
            if "blob" in there:
                raise self._misfit(table, column, "blob", "raw bytes are neither id nor feature")
            if "text" in there and len(there) > 1:
                raise self._misfit(table, column, *self._odd(table, column))
        return kinds, int(found["count"])

    def _odd(self, table: Name, column: str) -> tuple[str, str]:
        """Say which of the values of a mixed column are the wrong ones."""
        declared = self.columns(table)[column].upper()
        if any(word in declared for word in ("CHAR", "TEXT", "CLOB")):
            return "number", "the other values are text"
        return "text", "the other values are numbers"

    def _misfit(self, table: Name, column: str, kind: str, why: str) -> InputError:
        x = quoted(column)
        wrong = f"typeof({x}) IN ('integer', 'real')" if kind == "number" else f"typeof({x}) = ?"
        values: list[Any] = [] if kind == "number" else [kind]
        found = self.driver.fetch(
            f"SELECT row, value FROM (SELECT row_number() OVER () AS row, {x} AS raw, "
            f"quote({x}) AS value FROM {dotted(table)}) "
            f"WHERE {wrong.replace(x, 'raw')} ORDER BY row",
            values,
        )
        row, others = found.slice(0, 1).to_pylist()[0], found.num_rows - 1
        more = f" (and {others:,} more {'row' if others == 1 else 'rows'})" if others else ""
        return InputError(
            f"{row['value'][:80]} in the column '{column}': {why}",
            where=f"{self.address.place}, table {'.'.join(table)}, row {row['row']}{more}",
            remedy="correct the value, or read a view that casts or leaves it out",
        )
