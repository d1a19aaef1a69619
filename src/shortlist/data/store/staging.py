"""Stage of a load: rows of a source become a temporary table with the types of their table.

A source is read once. If a value does not fit its type, the source is read again to find the row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import duckdb

from shortlist.data.bad_rows import SHOWN, BadRows, SkippedRows
from shortlist.data.coding.columns import Reading
from shortlist.data.coding.numbers import plain_number
from shortlist.data.coding.times import is_number, microseconds
from shortlist.data.formats import scan
from shortlist.data.formats.source import Source
from shortlist.data.sql import Connection, quoted
from shortlist.data.store.schema import Table
from shortlist.errors import InputError

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
_WHOLE = _BITS | {f"U{name}": bits for name, bits in _BITS.items()}
_FRACTIONS = ("FLOAT", "DOUBLE")
_LONGEST_SHOWN = 80  # characters of a value in a message


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
        with suppress(duckdb.FatalException):  # the disk is full; the error is on its way
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
    reading: Reading | None = None,
    bad: BadRows | None = None,
) -> StagedRows:
    """Cast rows of a source to the types of a table, into a temporary table.

    Call it outside a transaction: uncommitted rows have no ``rowid`` that counts from 0.

    Parameters
    ----------
    columns
        For each column to fill, a SQL expression over the columns of the source.
    each
        A SQL expression for a list: each element, called ``each`` in ``columns``, makes a row.
    reading
        How times and numbers are written.
    bad
        Collects the values that do not fit; their rows are left out of the table. None: the first
        one is an error.

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
            _Cast.make(
                connection,
                rows,
                column,
                (expression, kind[1], table.types[column]),
                reading or Reading(),
            )
            for (column, expression), kind in zip(columns.items(), described, strict=True)
        ]
        _create(connection, name, rows, casts, strict=True)
    except duckdb.Error as error:
        misfit = re.search(r"column (\d+) does not fit", str(error))
        if misfit is None:
            raise scan.explain(error, source.path, source.label) from error
        if bad is None:
            raise _misfit(connection, source, rows, casts[int(misfit[1])])[0] from None
        _create(connection, name, rows, casts, strict=False)
        for cast in casts:
            _collect(connection, source, rows, cast, name, bad)
        if not connection.execute(f"FROM {name} LIMIT 1").fetchall():
            bad.skip = False
            bad.require_none()
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
    value: str  # SQL of the cast value, NULL where the cast fails

    @property
    def source_name(self) -> str:
        """The name of the column in the source, if its values are used unchanged."""
        name = self.expression.strip('"')
        return name if re.fullmatch(r"\w+", name) else self.column

    @classmethod
    def make(
        cls,
        connection: Connection,
        rows: str,
        column: str,
        content: tuple[str, str, str],
        reading: Reading,
    ) -> _Cast:
        """Return the cast of an expression; ``content`` is it, its type and the target type."""
        expression, source_type, target_type = content
        value = f"TRY_CAST({expression} AS {target_type})"
        if target_type == "TIMESTAMP" and (source_type == "VARCHAR" or is_number(source_type)):
            time = microseconds(connection, rows, expression, source_type, reading.time_format)
            value = f"make_timestamp({time})"
        elif target_type in _FRACTIONS and source_type == "VARCHAR":
            value = f"TRY_CAST({plain_number(expression, reading.decimal)} AS {target_type})"
        return cls(column, expression, source_type, target_type, value)

    @property
    def fits(self) -> str:
        """SQL that is true if the cast succeeds and a whole number loses no fraction."""
        fits = f"{self.value} IS NOT NULL"
        if self.target_type in _WHOLE and self.source_type not in _WHOLE:
            fits += f" AND TRY_CAST({self.expression} AS DOUBLE) = CAST({self.value} AS DOUBLE)"
        return fits

    def checked(self, number: int, strict: bool) -> str:
        """SQL of the value; a misfit raises an error that contains the number of the column.

        If not ``strict``, a misfit becomes NULL.
        """
        if self.source_type == self.target_type:
            return f"{self.expression} AS {quoted(self.column)}"
        failure = f"error('column {number} does not fit')" if strict else "NULL"
        return (
            f"CASE WHEN {self.expression} IS NULL THEN NULL WHEN {self.fits} THEN {self.value} "
            f"ELSE {failure} END AS {quoted(self.column)}"
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


def _create(
    connection: Connection, name: str, rows: str, casts: Sequence[_Cast], *, strict: bool
) -> None:
    """Create the table of the cast values."""
    values = ", ".join(cast.checked(number, strict) for number, cast in enumerate(casts))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {values} FROM {rows}")


def _misfits(rows: str, cast: _Cast) -> str:
    """Return SQL of the values that do not fit, with their record numbers."""
    return f"""
        SELECT record, value
        FROM (SELECT row_number() OVER () - 1 AS record, {cast.fits} AS fits,
                     CAST({cast.expression} AS VARCHAR) AS value FROM {rows})
        WHERE value IS NOT NULL AND fits IS NOT TRUE
    """


def _misfit(
    connection: Connection, source: Source, rows: str, cast: _Cast
) -> tuple[InputError, int]:
    """Return the error that names the first value that does not fit, and their number."""
    record, value, others = connection.execute(
        f"SELECT *, count(*) OVER () - 1 FROM ({_misfits(rows, cast)}) ORDER BY record LIMIT 1"
    ).fetchall()[0]
    value = value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}..."
    error = InputError(
        f"'{value}' is not {cast.bound}",
        where=source.where(record, cast.source_name, others),
        remedy="correct the value, or leave it empty if it is not known",
    )
    return error, others + 1


def _collect(
    connection: Connection, source: Source, rows: str, cast: _Cast, name: str, bad: BadRows
) -> None:
    """Report the values of a column that do not fit, and delete their rows from the table."""
    if cast.source_type == cast.target_type:
        return
    records = [
        record
        for (record,) in connection.execute(
            f"SELECT record FROM ({_misfits(rows, cast)}) ORDER BY record LIMIT {SHOWN}"
        ).fetchall()
    ]
    if not records:
        return
    error, count = _misfit(connection, source, rows, cast)
    numbers = tuple(map(source.row, records))
    bad.add(error, SkippedRows(source.label, cast.source_name, error.what, count, numbers))
    connection.execute(
        f"DELETE FROM {name} WHERE rowid IN (SELECT record FROM ({_misfits(rows, cast)}))"
    )
