"""Stage of a load: rows of a source become a temporary table with the types of their table.

A source is read once. If a value does not fit its type, the source is read again to find the row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from shortlist.data.formats import scan
from shortlist.data.formats.source import Source
from shortlist.data.sql import Connection, quoted
from shortlist.data.store.schema import Table
from shortlist.errors import InputError

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
_WHOLE = _BITS | {f"U{name}": bits for name, bits in _BITS.items()}
_FRACTIONS = ("FLOAT", "DOUBLE")
_NUMBERS = (*_WHOLE, *_FRACTIONS)
_LAST_SECOND = 253_402_300_799  # 9999-12-31 23:59:59


@dataclass(frozen=True)
class StagedRows:
    """Rows for a table in a temporary table, typed and ready to be checked and inserted.

    The ``rowid`` of a row is the number of its record in the source, from 0.
    """

    table: Table
    name: str  # of the temporary table
    source: Source
    columns: Mapping[str, str]  # the filled columns, each with its name in the source for messages
    from_lists: bool  # elements of lists: without a record number, and inserted once if equal

    @property
    def may_repeat(self) -> bool:
        """Whether equal rows are allowed in the source and inserted once."""
        return self.from_lists or bool(self.table.generated_key)


@contextmanager
def temporary_names(connection: Connection) -> Iterator[Iterator[str]]:
    """Provide names for temporary tables and registered frames, and drop these at the end."""
    used: list[str] = []

    def names() -> Iterator[str]:
        while True:
            used.append(f"staged_{len(used)}")
            yield used[-1]

    try:
        yield names()
    finally:
        for name in used:
            connection.unregister(name)
            connection.execute(f"DROP TABLE IF EXISTS temp.{name}")


def stage(
    connection: Connection,
    source: Source,
    table: Table,
    columns: Mapping[str, str],
    name: str,
    each: str | None = None,
) -> StagedRows:
    """Cast rows of a source to the types of a table, into a temporary table.

    Call it outside a transaction: uncommitted rows have no ``rowid`` that counts from 0.

    Parameters
    ----------
    columns
        For each column to fill, a SQL expression over the columns of the source.
    each
        A SQL expression for a list: each element, called ``each`` in ``columns``, makes a row.

    Raises
    ------
    InputError
        A value is not of the type of its column; the source has no rows, or is damaged.
    """
    rows = source.query
    if each is not None:
        rows = f"(SELECT *, unnest({each}) AS each FROM {rows})"
    try:
        described = connection.execute(
            f"DESCRIBE SELECT {', '.join(columns.values())} FROM {rows}"
        ).fetchall()
        casts = [
            _Cast(column, expression, kind[1], table.types[column])
            for (column, expression), kind in zip(columns.items(), described, strict=True)
        ]
        values = ", ".join(cast.checked(number) for number, cast in enumerate(casts))
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {values} FROM {rows}")
    except duckdb.Error as error:
        misfit = re.search(r"column (\d+) does not fit", str(error))
        if misfit is not None:
            raise _misfit(connection, source, rows, casts[int(misfit[1])]) from None
        if source.path is None:
            raise
        raise scan.explain(error, source.path) from error
    if each is None and not connection.execute(f"FROM {name} LIMIT 1").fetchall():
        raise InputError(
            f"{source.label} has no rows",
            where=None if source.path is None else str(source.path),
            remedy="give at least one, or leave the file out",
        )
    names = {cast.column: cast.source_name for cast in casts}
    return StagedRows(table, name, source, names, from_lists=each is not None)


@dataclass(frozen=True)
class _Cast:
    """A SQL expression of type ``source_type`` that becomes a column of type ``target_type``."""

    column: str
    expression: str
    source_type: str
    target_type: str

    @property
    def source_name(self) -> str:
        """The name of the column in the source, if its values are used unchanged."""
        name = self.expression.strip('"')
        return name if re.fullmatch(r"\w+", name) else self.column

    @property
    def value(self) -> str:
        """SQL of the cast value, NULL where the cast fails."""
        if self.target_type == "TIMESTAMP" and self.source_type in ("VARCHAR", *_NUMBERS):
            seconds = f"TRY_CAST({self.expression} AS DOUBLE)"
            moment = f"make_timestamp(CAST(round({seconds} * 1e6) AS BIGINT))"
            date = f"CAST(TRY_CAST(CAST({self.expression} AS VARCHAR) AS TIMESTAMPTZ) AS TIMESTAMP)"
            return (
                f"CASE WHEN {seconds} IS NULL THEN {date} "
                f"WHEN abs({seconds}) <= {_LAST_SECOND} THEN {moment} END"
            )
        return f"TRY_CAST({self.expression} AS {self.target_type})"

    @property
    def fits(self) -> str:
        """SQL that is true if the cast succeeds and a whole number loses no fraction."""
        fits = f"{self.value} IS NOT NULL"
        if self.target_type in _WHOLE and self.source_type not in _WHOLE:
            fits += f" AND TRY_CAST({self.expression} AS DOUBLE) = CAST({self.value} AS DOUBLE)"
        return fits

    def checked(self, number: int) -> str:
        """SQL of the value; a misfit raises an error that contains the number of the column."""
        if self.source_type == self.target_type:
            return f"{self.expression} AS {quoted(self.column)}"
        return (
            f"CASE WHEN {self.expression} IS NULL THEN NULL WHEN {self.fits} THEN {self.value} "
            f"ELSE error('column {number} does not fit') END AS {quoted(self.column)}"
        )

    @property
    def bound(self) -> str:
        """The values of the target type, in words."""
        if self.target_type in _WHOLE:
            bits = _WHOLE[self.target_type]
            low = 0 if self.target_type.startswith("U") else -(2 ** (bits - 1))
            return f"a whole number from {low} to {low + 2**bits - 1}"
        if self.target_type in _FRACTIONS:
            return "a number"
        if self.target_type == "TIMESTAMP":
            return "a date, a time, or seconds since 1970"
        return f"a {self.target_type}"


def _misfit(connection: Connection, source: Source, rows: str, cast: _Cast) -> InputError:
    """Return the error that names the first value that does not fit."""
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
        where=source.where(record, cast.source_name, others),
        remedy="correct the value, or leave it empty if it is not known",
    )
