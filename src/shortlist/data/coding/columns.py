"""The columns of a caller's table, cast to the few types that a Dataset has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import duckdb

from shortlist.data.bad_rows import SHOWN, SkippedRows
from shortlist.data.coding.numbers import check_decimal, plain_number
from shortlist.data.coding.times import FORMAT_REMEDY, check_format, is_number, microseconds
from shortlist.data.formats import scan
from shortlist.data.formats.layouts import recognise
from shortlist.data.formats.source import Source
from shortlist.data.moments import LAST_SECOND
from shortlist.data.sources import relation
from shortlist.data.sql import quoted
from shortlist.errors import InputError, suggestion

_INT64 = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
LONGEST_SHOWN = 80  # characters of a value in a message


@dataclass(frozen=True)
class Reading:
    """How the text of a table is read; :meth:`Dataset.from_tables` documents the fields.

    Attributes
    ----------
    time_format, decimal, encoding
        The form of times, the mark before the fraction of numbers, and the encoding of files.
    """

    time_format: str | None = None
    decimal: str | None = None
    encoding: str | None = None

    def check(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Refuse a value that is not known.

        Raises
        ------
        ConfigError
            ``time_format``, ``decimal`` or ``encoding`` is not known.
        """
        check_format(connection, self.time_format)
        check_decimal(self.decimal)
        scan.check_encoding(self.encoding)


@dataclass(frozen=True)
class InputTable:
    """A caller's table as a DuckDB view.

    Attributes
    ----------
    name
        Its role: interactions, users or items.
    view
        The view of its rows, in the order of the source.
    types
        The SQL type of each column.
    path
        The file, if the table is one.
    """

    connection: duckdb.DuckDBPyConnection
    name: str
    view: str
    types: dict[str, str]
    path: Path | None

    @classmethod
    def read(
        cls,
        connection: duckdb.DuckDBPyConnection,
        table: Any,
        name: str,
        ids: Sequence[str],
        *,
        texts: Sequence[str] = (),
        encoding: str | None = None,
    ) -> InputTable:
        """Create the view of a table of any kind; the values of the ``ids`` columns stay exact.

        The columns ``texts`` of a text file stay text.
        """
        rows = relation(connection, table, label=name, ids=ids, texts=texts, encoding=encoding)
        rows.create_view(f"input_{name}")
        types = dict(zip(rows.columns, map(str, rows.types), strict=True))
        path = Path(table) if isinstance(table, str | Path) else None
        return cls(connection, name, f"input_{name}", types, path)

    @property
    def label(self) -> str:
        """The name of the table in messages."""
        return self.name if self.path is None else f"{self.name} {self.path}"

    @property
    def is_text(self) -> bool:
        """Whether the table is a text file, so that the types of its columns are inferred."""
        return self.path is not None and self.path.suffix.lower() not in (".parquet", ".jsonl")

    def where(self, column: str, record: int | None = None, others: int = 0) -> str:
        """Return the location of a value for messages; see :meth:`Source.where`."""
        return self._source(record is not None).where(record, column, others)

    def row(self, record: int) -> int:
        """Return the number of a row as a person counts; see :meth:`Source.row`."""
        return self._source(True).row(record)

    def _source(self, lines: bool) -> Source:
        text = None
        if self.path is not None and self.path.is_file() and self.is_text and lines:
            layout = recognise(self.path)
            text = None if layout is None else layout.text(self.path)
        return Source(self.label, self.view, self.path, text)

    def copy(self, name: str, columns: str) -> None:
        """Select into a new table; its ``rowid`` is the row number of the source, from 0."""
        try:
            self.connection.execute(
                f"CREATE TEMP TABLE {name} AS SELECT {columns} FROM {self.view}"
            )
        except duckdb.Error as error:
            raise scan.explain(error, self.path, self.label) from error

    def column(self, name: str) -> str:
        """Return the quoted name of a column.

        Raises
        ------
        InputError
            There is no such column; the message suggests the closest name.
        """
        if name not in self.types:
            raise InputError(
                f"there is no column '{name}'",
                where=self.label,
                remedy=suggestion(name, self.types),
            )
        return quoted(name)

    def id_type(self, name: str) -> str:
        """Return BIGINT, UBIGINT or VARCHAR, whichever holds the ids of a column unchanged."""
        self.column(name)
        kind = self.types[name]
        if kind in _INT64:
            return "BIGINT"
        if kind == "UBIGINT":
            return "UBIGINT"
        if kind in ("VARCHAR", "UUID") or kind.startswith("ENUM"):
            return "VARCHAR"
        raise InputError(
            f"ids of type {kind} cannot be kept exactly",
            where=self.where(name),
            remedy="cast the column to 64-bit integers or to text",
        )

    def value_of(self, role: str, name: str, reading: Reading) -> str:
        """Return SQL of a column in its role: an id as it is, a weight as FLOAT, a time as BIGINT.

        A value that cannot be used becomes NULL; :meth:`problems` then explains each kind.
        """
        if role == "weight":
            return self._weights(name, reading.decimal)
        if role == "time":
            return self._times(name, reading.time_format)
        return self.column(name)

    def _weights(self, name: str, decimal: str | None) -> str:
        column, kind = self.column(name), self.types[name]
        if is_number(kind) or kind == "BOOLEAN":
            return f"TRY_CAST({column} AS FLOAT)"
        if kind == "VARCHAR":
            return f"TRY_CAST(TRY_CAST({plain_number(column, decimal)} AS DOUBLE) AS FLOAT)"
        raise InputError(
            f"weights of type {kind} are not numbers",
            where=self.where(name),
            remedy="cast the column to a number, or pass weight=None",
        )

    def _times(self, name: str, time_format: str | None) -> str:
        column, kind = self.column(name), self.types[name]
        if is_number(kind) or kind == "VARCHAR" or kind.startswith(("TIMESTAMP", "DATE")):
            return microseconds(self.connection, self.view, column, kind, time_format)
        raise InputError(
            f"times of type {kind} are neither timestamps nor seconds since 1970",
            where=self.where(name),
            remedy="cast the column to a timestamp",
        )

    def problems(self, copied: str, role: str, name: str, reading: Reading) -> list[BadValues]:
        """Find the kinds of unusable values of a column, each with its first row.

        Parameters
        ----------
        copied
            The table that :meth:`copy` made; its columns are named after roles.
        role, name
            The role of the column, and its name.
        """
        x = self.column(name)
        kinds = _kinds(role, self.types[name])
        cases = " ".join(f"WHEN {kind} THEN {n}" for n, (kind, _, _) in enumerate(kinds))
        # DuckDB cannot convert every time of a frame to text.
        printable = is_number(self.types[name]) or self.types[name] == "VARCHAR"
        shown_value = "CAST(x AS VARCHAR)" if printable else "NULL"
        found = self.connection.execute(
            f"""
            SELECT kind, count(*), list(record ORDER BY record)[:{SHOWN}],
                   arg_min(value, record)
            FROM (SELECT record, {shown_value} AS value, CASE {cases} END AS kind
                  FROM (SELECT row_number() OVER () - 1 AS record, {x} AS x FROM {self.view})
                  JOIN {copied} ON {copied}.rowid = record)
            WHERE kind IS NOT NULL GROUP BY kind ORDER BY min(record)
            """
        ).fetchall()
        return [
            BadValues(self, name, *_explanation(role, kinds[kind], shown, reading), count, records)
            for kind, count, records, shown in found
        ]


class BadValues(NamedTuple):
    """The unusable values of a column, of one kind."""

    table: InputTable
    column: str
    what: str
    remedy: str
    total: int
    records: list[int]

    def error(self) -> InputError:
        """Return the error that names the first row."""
        where = self.table.where(self.column, self.records[0], self.total - 1)
        return InputError(self.what, where=where, remedy=self.remedy)

    def skipped(self) -> SkippedRows:
        """Return the report on these rows, which were left out."""
        rows = tuple(map(self.table.row, self.records))
        return SkippedRows(self.table.label, self.column, self.what, self.total, rows)


_Kind: TypeAlias = tuple[str, str, str]  # a condition, what is wrong, what to do

# Which values cannot be used, over the columns of a copy.
RULES = {
    "user_id": "user_id IS NULL",
    "item_id": "item_id IS NULL",
    "weight": "weight IS NULL OR NOT isfinite(weight) OR weight < 0",
    "time": f"time IS NULL OR time NOT BETWEEN -{LAST_SECOND}000000 AND {LAST_SECOND}999999",
}


def _kinds(role: str, sql_type: str) -> list[_Kind]:
    """Return the kinds of unusable values of a role; the first that applies to a value counts.

    The conditions are over ``x``, the value in the source, and the column of the role.
    """
    kinds: list[_Kind] = []
    if role == "weight":
        if sql_type == "VARCHAR":
            kinds = [("x IS NOT NULL AND weight IS NULL", "'{value}' is not a number", "")]
        what = "a weight must be a finite number, 0 or more"
        return [*kinds, (RULES[role], what, "drop the row, or correct its weight")]
    if role == "time":
        expected = "{value} is not a time in the form of the other values of its column"
        if sql_type == "VARCHAR":
            expected = "'{value}' is not a date, a time, or seconds since 1970"
            kinds = [("x IS NOT NULL AND time IS NULL", expected, "")]
        elif is_number(sql_type):
            in_range = f"abs(TRY_CAST(x AS DOUBLE)) <= {LAST_SECOND}"
            kinds = [(f"time IS NULL AND {in_range}", expected, "")]
        what = f"a time is missing, or more than {LAST_SECOND} seconds from 1970 (the year 9999)"
        remedy = "drop the row, or correct its time; divide milliseconds by 1,000"
        return [*kinds, (RULES[role], what, remedy)]
    kind = role.removesuffix("_id")
    return [(RULES[role], f"the {kind} id is missing", "drop the row, or fill it in")]


def _explanation(role: str, kind: _Kind, shown: str, reading: Reading) -> tuple[str, str]:
    """Return what is wrong with a value and what to do, with the option that may help."""
    _, what, remedy = kind
    shown = str(shown) if len(str(shown)) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}..."
    if not remedy:
        remedy = "correct the value, or leave the row out"
        if role == "weight" and shown.strip().lower() in ("true", "false", "yes", "no"):
            remedy = "write 1 for true and 0 for false"
        elif role == "weight" and re.search(r"[0-9]", shown):
            remedy = (
                "pass decimal=',' for numbers such as 3,5 and 1.000,50, or decimal='.' for $3.50 "
                "and 1,000; or correct the value"
            )
        elif role == "time" and re.search(r"[0-9]", shown):
            remedy = FORMAT_REMEDY
        if role == "time" and reading.time_format is not None:
            what = f"{shown!r} is not a time of the form {reading.time_format!r}"
            remedy = "correct the value, the row or time_format"
    return what.replace("{value}", shown), remedy
