"""A store in a SQLite file. A column there may hold values of any type, so columns are inspected.

The driver brings a SQLite of its own. Locks keep programs apart, but not two SQLite libraries in
one program: do not hold the same file open with Python's ``sqlite3`` meanwhile.
"""

# ruff: noqa: D102 - the methods are documented in Database

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from shortlist.data.sql import quoted
from shortlist.data.store.address import Address
from shortlist.data.store.database import TableName, Texts, dotted, unordered_column
from shortlist.data.store.remote import Remote
from shortlist.data.store.schema import Dialect, StoredType
from shortlist.errors import DatabaseError, InputError, ShortlistError
from shortlist.extras import require
from shortlist.files import atomic_file
from shortlist.text import more_rows

_BUSY_TIMEOUT = 4_000  # milliseconds to wait for another writer; requests to a service wait 10 s
_VALUE_TYPES = ("integer", "real", "text", "blob")  # the results of typeof()
_ROWS_PER_BATCH = "adbc.sqlite.query.batch_rows"

_TEXT = StoredType("TEXT", "CAST({x} AS VARCHAR)")
_WHOLE = "CAST({x} AS BIGINT)"
_WHOLE_TYPES = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT")

DIALECT = Dialect(
    "SQLite",
    {
        **{kind: StoredType(kind, _WHOLE) for kind in _WHOLE_TYPES},
        "UINTEGER": StoredType("BIGINT", _WHOLE),
        "BOOLEAN": StoredType("BOOLEAN", _WHOLE),
        "FLOAT": StoredType("REAL", "{x}"),
        "DOUBLE": StoredType("REAL", "{x}"),
        "VARCHAR": StoredType("TEXT", "{x}"),
        "JSON": _TEXT,
        "DATE": _TEXT,
        "TIMESTAMP": StoredType("TEXT", "strftime({x}, '%Y-%m-%d %H:%M:%S.%f')"),
    },
    "INTEGER PRIMARY KEY AUTOINCREMENT",  # the number of a deleted row is not used again
    {
        "isfinite(score)": "abs(score) < 9e999",
        "CAST('inf' AS FLOAT)": "9e999",
        "timezone('UTC', now())": "strftime('%Y-%m-%d %H:%M:%f', 'now')",
    },
)


class SQLite(Remote):
    """An open SQLite file."""

    dialect = DIALECT
    info_values = "?, ?, ?, ?"
    begin = ("BEGIN IMMEDIATE",)
    begin_snapshot = "BEGIN"

    def _connect(self) -> tuple[Any, Texts]:
        from adbc_driver_sqlite import dbapi

        file = self.address.require_file().resolve()
        # What a killed writer left unfinished is undone by the first program that may write.
        unfinished = file.with_name(f"{file.name}-journal").exists() and os.access(file, os.W_OK)
        path, mode = quote(str(file)), "ro" if self.read_only and not unfinished else "rw"
        return dbapi.connect(f"file:{path}?mode={mode}", autocommit=True), (
            f"PRAGMA busy_timeout = {_BUSY_TIMEOUT}",
            "PRAGMA foreign_keys = ON",
            "SELECT count(*) FROM sqlite_master",  # fails if the file is damaged
        )

    @classmethod
    def create(cls, address: Address, schema: str | Path) -> None:
        """Create the tables in an existing file, or in a new one that appears complete."""
        require("sql", "a SQLite database")
        path = address.path
        assert path is not None
        if path.exists():
            super().create(address, schema)
            return
        with atomic_file(path) as partial:
            super().create(Address("sqlite", str(path), partial), schema)

    def describe(self, table: TableName) -> dict[str, str]:
        *schema, name = table
        columns = self.fetch(
            "SELECT name, type FROM pragma_table_xinfo(?, ?) WHERE hidden <> 1",  # 2, 3: generated
            [name, schema[0] if schema else "main"],
        )
        return {row["name"]: row["type"] for row in columns.to_pylist()}

    def table_names(self, schema: str | None) -> list[str]:
        rows = self.fetch(
            "SELECT name FROM pragma_table_list WHERE schema = ? AND name NOT LIKE 'sqlite%'",
            [schema or "main"],
        )
        return [row["name"] for row in rows.to_pylist()]

    def ordered_parameter(self, table: TableName, column: str) -> str:
        types, _ = self._value_types(table, [column])
        if types[column] - {"integer"} and types[column] != {"text"}:
            raise unordered_column(table, column, "REAL")
        return f"CAST(? AS {'TEXT' if types[column] == {'text'} else 'INTEGER'})"

    def select(
        self, table: TableName, columns: Texts, exact: Texts, clauses: str = "", values: Texts = ()
    ) -> pa.Table:
        types, count = self._value_types(table, columns)
        selected = ", ".join(
            f"CAST({quoted(c)} AS REAL) AS {quoted(c)}"
            if types[c] == {"integer", "real"}
            else quoted(c)
            for c in columns
        )
        # The driver takes the type of a column from its first batch, where all may be NULL.
        options = {_ROWS_PER_BATCH: str(max(count, 1))}
        query = f"SELECT {selected} FROM {dotted(table)}{clauses}"
        rows = self.fetch(query, values, options)
        for position, column in enumerate(columns):
            if not types[column] or (types[column] == {"text"} and not rows.num_rows):
                rows = rows.set_column(position, column, pa.nulls(rows.num_rows, pa.string()))
        return rows

    def _value_types(
        self, table: TableName, columns: Sequence[str]
    ) -> tuple[dict[str, set[str]], int]:
        """Return the types of the values of each column, and the number of rows.

        Refuse a column that holds raw bytes, or text and numbers.
        """
        counts = ["count(*) AS count"] + [
            f"total(typeof({quoted(column)}) = '{kind}') AS k{position}_{kind}"
            for position, column in enumerate(columns)
            for kind in _VALUE_TYPES
        ]
        query = f"SELECT {', '.join(counts)} FROM {dotted(table)}"
        [totals] = self.fetch(query).to_pylist()
        types = {
            column: {kind for kind in _VALUE_TYPES if totals[f"k{position}_{kind}"]}
            for position, column in enumerate(columns)
        }
        for column, present in types.items():
            if "blob" in present:
                why = "raw bytes can be neither an id nor a feature"
                raise self._unreadable(table, column, ("blob",), why)
            if "text" in present and len(present) > 1:
                declared = self.columns(table)[column].upper()
                if any(word in declared for word in ("CHAR", "TEXT", "CLOB")):
                    numbers = ("integer", "real")
                    raise self._unreadable(table, column, numbers, "the other values are text")
                raise self._unreadable(table, column, ("text",), "the other values are numbers")
        return types, int(totals["count"])

    def _unreadable(
        self, table: TableName, column: str, wrong: tuple[str, ...], why: str
    ) -> InputError:
        """Return the error that shows the first value of a wrong type."""
        x = quoted(column)
        rows = self.fetch(
            f"SELECT row, value FROM (SELECT row_number() OVER () AS row, typeof({x}) AS kind, "
            f"quote({x}) AS value FROM {dotted(table)}) "
            f"WHERE kind IN ({', '.join('?' for _ in wrong)}) ORDER BY row",
            wrong,
        )
        first = rows.slice(0, 1).to_pylist()[0]
        others = more_rows(rows.num_rows - 1)
        return InputError(
            f"{first['value'][:80]} in the column '{column}': {why}",
            where=f"{self.address.place}, table {'.'.join(table)}, row {first['row']}{others}",
            remedy="correct the value, or read a view that casts it or leaves it out",
        )

    def _explained(self, error: Exception) -> ShortlistError:
        message = str(error).split("Query was:")[0].strip()
        line = (message or type(error).__name__).splitlines()[0]
        for pattern, (kind, what, remedy) in _EXPLANATIONS.items():
            if re.search(pattern, message.lower()):
                where = None if "{place}" in what else self.address.place
                what = what.format(place=self.address.place, line=line)
                return kind(what, where=where, remedy=remedy)
        return DatabaseError(
            f"SQLite failed: {line}",
            where=self.address.place,
            remedy="the step that failed has written nothing; see the message",
        )


_EXPLANATIONS: dict[str, tuple[type[ShortlistError], str, str]] = {
    "locked|busy": (
        DatabaseError,
        f"{{place}} is in use: another program wrote to it for {_BUSY_TIMEOUT // 1000} seconds",
        "try again, or close that program",
    ),
    "not a database|malformed": (
        InputError,
        "{place} is not a valid SQLite database: {line}",
        "name a file that SQLite or shortlist init made, or restore it",
    ),
    "constraint failed": (
        InputError,
        "the database refuses a row: {line}",
        "nothing has been written; correct the row and try again",
    ),
    "readonly": (
        DatabaseError,
        "{place} may not be written to",
        "check the permissions of the file",
    ),
    "disk is full": (
        DatabaseError,
        "the disk is full",
        "free some space; the step that failed has written nothing",
    ),
}
