"""The rows of one source, cast to the types of the table they are meant for.

A source is read once into a temporary table. A value that does not fit its type stops that, and
only then is the source read again to find the row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from shortlist.data.formats import scan
from shortlist.data.formats.layout import Fill
from shortlist.data.sql import quoted
from shortlist.data.store.catalogue import Table
from shortlist.errors import InputError

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
_WHOLE = _BITS | {f"U{name}": bits for name, bits in _BITS.items()}
_FRACTIONS = ("FLOAT", "DOUBLE")
_NUMBERS = (*_WHOLE, *_FRACTIONS)
_LAST_SECOND = 253_402_300_799  # 9999-12-31 23:59:59


@dataclass(frozen=True)
class Source:
    """A table as it comes in: a file or a frame, under the columns of its layout.

    Attributes
    ----------
    label
        What messages call it: the name of the file.
    query
        SQL that yields its rows in order.
    path, text
        Where it was read from and how it is divided; None for a frame, and for Parquet no text.
    """

    label: str
    query: str
    path: Path | None = None
    text: scan.Text | None = None

    def row(self, record: int) -> int:
        """Give the number a person counts: lines of a text file, rows of anything else, from 1."""
        if self.path is not None and self.text is not None:
            return scan.row_number(self.path, self.text, record)
        return record + 1

    def where(self, record: int | None, column: str, others: int = 0) -> str:
        """Say where a value stands, and in how many other rows the same is wrong."""
        row = "" if record is None else f", row {self.row(record)}"
        more = f" (and {others:,} more {'row' if others == 1 else 'rows'})" if others else ""
        return f"{self.label}{row}{more}, column '{column}'"


@dataclass(frozen=True)
class Staged:
    """Rows in a temporary table, typed and ready to be checked and inserted.

    Attributes
    ----------
    columns
        For each column of the target that is filled, its name in the source, for messages.
    listed
        They are the elements of lists: without a record number of their own, and each kept once.
    """

    table: Table
    name: str
    source: Source
    columns: Mapping[str, str]
    listed: bool


def stage(
    connection: duckdb.DuckDBPyConnection, source: Source, fill: Fill, table: Table, name: str
) -> Staged:
    """Cast the rows of a source into the temporary table ``name``.

    Call it outside a transaction: rows of an open one have no ``rowid`` to count by.

    Raises
    ------
    InputError
        A value is not of the type its column asks for; the source has no rows, or is damaged.
    """
    rows = source.query
    if fill.each:
        rows = f"(SELECT *, unnest({fill.each}) AS each FROM {rows})"
    try:
        described = connection.execute(
            f"DESCRIBE SELECT {', '.join(fill.columns.values())} FROM {rows}"
        ).fetchall()
        casts = [
            _Cast(column, expression, kind[1], table.types[column])
            for (column, expression), kind in zip(fill.columns.items(), described, strict=True)
        ]
        values = ", ".join(cast.checked(at) for at, cast in enumerate(casts))
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {values} FROM {rows}")
    except duckdb.Error as error:
        refused = re.search(r"column (\d+) does not fit", str(error))
        if refused is not None:
            raise _misfit(connection, source, rows, casts[int(refused[1])]) from None
        if source.path is None:
            raise
        raise scan.explain(error, source.path) from error
    if not fill.each and not connection.execute(f"FROM {name} LIMIT 1").fetchall():
        raise InputError(
            f"{source.label} has no rows",
            where=None if source.path is None else str(source.path),
            remedy="give at least one, or leave the file out",
        )
    shown = {cast.column: cast.shown for cast in casts}
    return Staged(table, name, source, shown, listed=fill.each is not None)


@dataclass(frozen=True)
class _Cast:
    """One column on its way from what it is to what it should be."""

    column: str
    expression: str
    have: str
    want: str

    @property
    def shown(self) -> str:
        """The name in the source where the value is taken as it stands."""
        bare = self.expression.strip('"')
        return bare if re.fullmatch(r"\w+", bare) else self.column

    @property
    def value(self) -> str:
        if self.have == self.want:
            return self.expression
        if self.want == "TIMESTAMP" and self.have in ("VARCHAR", *_NUMBERS):
            seconds = f"TRY_CAST({self.expression} AS DOUBLE)"
            moment = f"make_timestamp(CAST(round({seconds} * 1e6) AS BIGINT))"
            date = f"CAST(TRY_CAST(CAST({self.expression} AS VARCHAR) AS TIMESTAMPTZ) AS TIMESTAMP)"
            return (
                f"CASE WHEN {seconds} IS NULL THEN {date} "
                f"WHEN abs({seconds}) <= {_LAST_SECOND} THEN {moment} END"
            )
        return f"TRY_CAST({self.expression} AS {self.want})"

    @property
    def fits(self) -> str:
        """A whole number must not lose a fraction on the way; else the cast alone decides."""
        fits = f"{self.value} IS NOT NULL"
        if self.want in _WHOLE and self.have not in _WHOLE:
            fits += f" AND TRY_CAST({self.expression} AS DOUBLE) = CAST({self.value} AS DOUBLE)"
        return fits

    def checked(self, at: int) -> str:
        """Give the SQL of the value, which raises an error with the column's number otherwise."""
        if self.have == self.want:
            return f"{self.expression} AS {quoted(self.column)}"
        return (
            f"CASE WHEN {self.expression} IS NULL THEN NULL WHEN {self.fits} THEN {self.value} "
            f"ELSE error('column {at} does not fit') END AS {quoted(self.column)}"
        )

    @property
    def bound(self) -> str:
        """What the type admits, in words."""
        if self.want in _WHOLE:
            bits = _WHOLE[self.want]
            low = 0 if self.want.startswith("U") else -(2 ** (bits - 1))
            return f"a whole number from {low} to {low + 2**bits - 1}"
        if self.want in _FRACTIONS:
            return "a number"
        if self.want == "TIMESTAMP":
            return "a date, a time, or seconds since 1970"
        return f"a {self.want}"


def _misfit(
    connection: duckdb.DuckDBPyConnection, source: Source, rows: str, cast: _Cast
) -> InputError:
    record, value, others = connection.execute(
        f"""
        SELECT record, value, count(*) OVER () - 1
        FROM (SELECT row_number() OVER () - 1 AS record, {cast.fits} AS fits,
                     CAST({cast.expression} AS VARCHAR) AS value FROM {rows})
        WHERE value IS NOT NULL AND fits IS NOT TRUE ORDER BY record LIMIT 1
        """
    ).fetchall()[0]
    return InputError(
        f"'{value}' is not {cast.bound}",
        where=source.where(record, cast.shown, others),
        remedy="correct the value, or leave it empty if it is not known",
    )
