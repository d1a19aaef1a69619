"""The columns of a caller's table, cast to the few types that a Dataset has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import duckdb

from shortlist.data.bad_rows import LONGEST_SHOWN, SHOWN, BadRows, Source
from shortlist.data.coding.reading import (
    FORMAT_REMEDY,
    Reading,
    is_number,
    microseconds,
    plain_number,
)
from shortlist.data.formats import scan
from shortlist.data.formats.layouts import table_layout
from shortlist.data.moments import FIRST_SECOND, LAST_SECOND
from shortlist.data.remote import is_remote, shown
from shortlist.data.sources import read
from shortlist.data.sql import Connection, quoted
from shortlist.errors import InputError, suggestion
from shortlist.text import shortened

_INT64 = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}


@dataclass(frozen=True)
class InputTable:
    """A caller's table as a DuckDB view, the SQL type of each column, and its bad rows."""

    connection: Connection
    source: Source  # its query is the name of the view
    types: dict[str, str]
    is_text: bool  # whether it is delimited text, so that the types of its columns are inferred
    notes: tuple[str, ...]  # on files that were left out
    reading: Reading
    bad: BadRows  # those of all tables that are read together

    @classmethod
    def read(
        cls,
        connection: Connection,
        table: Any,
        name: str,
        ids: Sequence[str],
        reading: Reading,
        bad: BadRows,
        texts: Sequence[str] = (),
    ) -> InputTable:
        """Create the view of the interactions, users or items.

        The values of the ``ids`` columns stay exact; the ``texts`` of a text file stay text.
        """
        encoding = reading.encoding
        rows, is_text, notes = read(
            connection, table, label=name, ids=ids, texts=texts, encoding=encoding, bad=bad
        )
        rows.create_view(f"input_{name}")
        types = dict(zip(rows.columns, map(str, rows.types), strict=True))
        source = Source(name, f"input_{name}")
        if isinstance(table, str | Path):
            path, text = Path(table), None
            if is_text and path.is_file():
                layout = table_layout(path, encoding)
                if layout is not None:
                    text = bad.as_read(path, layout.text(path, encoding))
            source = Source(f"{name} {path}", f"input_{name}", path, text)
            if is_remote(table):
                source = Source(f"{name} {shown(str(table))}", f"input_{name}")
        return cls(connection, source, types, is_text, notes, reading, bad)

    def copy(self, name: str, columns: str) -> None:
        """Select into a new table; its ``rowid`` is the row number of the source, from 0."""
        try:
            self.connection.execute(
                f"CREATE TEMP TABLE {name} AS SELECT {columns} FROM {self.source.query}"
            )
        except duckdb.Error as error:
            raise scan.explain(error, self.source.path, self.source.label) from error

    def column(self, name: str, remedy: str | None = None) -> str:
        """Return the quoted name of a column that must exist."""
        if name not in self.types:
            raise InputError(
                f"there is no column '{name}'",
                where=self.source.label,
                remedy="; ".join(filter(None, [suggestion(name, self.types), remedy])),
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
            where=self.source.where(None, name),
            remedy="cast the column to 64-bit integers or to text",
        )

    def value_of(self, role: str, name: str) -> str:
        """Return SQL of a weight as FLOAT or of a time as BIGINT.

        A value that cannot be used becomes NULL; :meth:`report` then explains each kind.
        """
        column, kind = self.column(name), self.types[name]
        if role == "weight":
            if is_number(kind) or kind == "BOOLEAN":
                return f"TRY_CAST({column} AS FLOAT)"
            if kind == "VARCHAR":
                number = plain_number(column, self.reading.decimal)
                return f"TRY_CAST(TRY_CAST({number} AS DOUBLE) AS FLOAT)"
            what = f"weights of type {kind} are not numbers"
            remedy = "cast the column to a number, or pass weight=None"
        else:
            if is_number(kind) or kind == "VARCHAR" or kind.startswith(("TIMESTAMP", "DATE")):
                rows, form = self.source.query, self.reading.time_format
                return microseconds(self.connection, rows, column, kind, form)
            what = f"times of type {kind} are neither timestamps nor seconds since 1970"
            remedy = "cast the column to a timestamp"
        raise InputError(what, where=self.source.where(None, name), remedy=remedy)

    def find_bad(self, copied: str, named: Mapping[str, str]) -> None:
        """Report unusable values in the table that :meth:`copy` made, of columns by their roles."""
        counts = ", ".join(f"count(*) FILTER ({RULES[role]})" for role in named)
        results = self.connection.execute(f"SELECT {counts} FROM {copied}").fetchall()[0]
        for role, count in zip(named, results, strict=True):
            if count:
                self._report(copied, role, named[role])
                self.bad.deletions.append(f"DELETE FROM {copied} WHERE {RULES[role]}")

    def _report(self, copied: str, role: str, name: str) -> None:
        """Report each kind of unusable values of a column."""
        x = self.column(name)
        kinds = _kinds(role, self.types[name])
        cases = " ".join(f"WHEN {kind} THEN {n}" for n, (kind, _, _) in enumerate(kinds))
        # DuckDB cannot convert every time of a frame to text.
        printable = is_number(self.types[name]) or self.types[name] == "VARCHAR"
        shown_value = "CAST(x AS VARCHAR)" if printable else "NULL"
        for kind, count, records, value in self.connection.execute(
            f"""
            SELECT kind, count(*), list(record ORDER BY record)[:{SHOWN}],
                   arg_min(value, record)
            FROM (SELECT record, {shown_value} AS value, CASE {cases} END AS kind
                  FROM (SELECT row_number() OVER () - 1 AS record, {x} AS x
                        FROM {self.source.query})
                  JOIN {copied} ON {copied}.rowid = record)
            WHERE kind IS NOT NULL GROUP BY kind ORDER BY min(record)
            """
        ).fetchall():
            what, remedy = _explanation(role, kinds[kind], value, self.reading)
            where = self.source.where(records[0], name, count - 1)
            error = InputError(what, where=where, remedy=remedy)
            self.bad.add(error, self.source, name, count, records)


_FILL_IN = "drop the row, fill it in, or leave out such rows: on_bad_row='skip'"
_Kind: TypeAlias = tuple[str, str, str]  # a condition, what is wrong, what to do

# The condition of values that cannot be used, over the columns of a copy.
RULES = {
    "user_id": "user_id IS NULL",
    "item_id": "item_id IS NULL",
    "weight": "weight IS NULL OR NOT isfinite(weight)",
    "time": f"time IS NULL OR time NOT BETWEEN {FIRST_SECOND}000000 AND {LAST_SECOND}999999",
}


def _kinds(role: str, sql_type: str) -> list[_Kind]:
    """Return the kinds of unusable values of a role; the first that applies to a value counts.

    The conditions are over ``x``, the value in the source, and the column of the role.
    """
    kinds: list[_Kind] = []
    if role == "weight":
        if sql_type == "VARCHAR":
            kinds = [("x IS NOT NULL AND weight IS NULL", "'{value}' is not a number", "")]
        kinds += [("x IS NULL", "the weight is missing", _FILL_IN)]
        what = "a weight must be a finite number"
        return [*kinds, (RULES[role], what, "drop the row, or correct its weight")]
    if role == "time":
        expected = "{value} is not a time in the form of the other values of its column"
        if sql_type == "VARCHAR":
            expected = "'{value}' is not a date, a time, or seconds since 1970"
            kinds = [("x IS NOT NULL AND time IS NULL", expected, "")]
        elif is_number(sql_type):
            in_range = f"TRY_CAST(x AS DOUBLE) BETWEEN {FIRST_SECOND} AND {LAST_SECOND}"
            kinds = [(f"time IS NULL AND {in_range}", expected, "")]
        what = (
            f"a time is missing, or not in the years 1 to 9999: from {FIRST_SECOND} to "
            f"{LAST_SECOND} seconds since 1970"
        )
        remedy = "drop the row, or correct its time; divide milliseconds by 1,000"
        return [*kinds, (RULES[role], what, remedy)]
    kind = role.removesuffix("_id")
    return [(RULES[role], f"the {kind} id is missing", _FILL_IN)]


def _explanation(role: str, kind: _Kind, shown: str, reading: Reading) -> tuple[str, str]:
    """Return what is wrong with a value and what to do, with the option that may help."""
    _, what, remedy = kind
    shown = shortened(str(shown), LONGEST_SHOWN)
    if not remedy:
        remedy = "correct the value, or leave the row out"
        if role == "weight" and shown.strip().lower() in ("true", "false", "yes", "no"):
            remedy = "write 1 for true and 0 for false"
        elif role == "weight" and re.search(r"[0-9]", shown):
            marks = {",": "numbers such as 3,5 and 1.000,50", ".": "$3.50 and 1,000"}
            marks.pop(reading.decimal or "", None)
            named = " or ".join(f"decimal={mark!r} for {what}" for mark, what in marks.items())
            remedy = f"pass {named}; or correct the value"
        elif role == "time" and re.search(r"[0-9]", shown):
            remedy = FORMAT_REMEDY
        if role == "time" and reading.time_format is not None:
            what = f"{shown!r} is not a time of the form {reading.time_format!r}"
            remedy = "correct the value, the row or time_format"
    return what.replace("{value}", shown), remedy
