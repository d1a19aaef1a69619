"""Stage of a load: rows of a source become a temporary table with the types of their table.

A source is read once. If a value does not fit its type, the source is read again to find the row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from shortlist.data.bad_rows import LONGEST_SHOWN, SHOWN, BadRows, Source
from shortlist.data.coding.reading import (
    FORMAT_REMEDY,
    Reading,
    is_number,
    microseconds,
    plain_number,
)
from shortlist.data.formats import scan
from shortlist.data.formats.layout import same
from shortlist.data.sql import Connection, quoted
from shortlist.data.store.schema import Table
from shortlist.errors import InputError
from shortlist.text import shortened

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
_WHOLE = _BITS | {f"U{name}": bits for name, bits in _BITS.items()}
_COARSE_TIMES = ("DATE", "TIMESTAMP_S", "TIMESTAMP_MS")
_TIMES = (*_COARSE_TIMES, "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE")
_PREFIX = "_shortlist_staged_"  # a temporary table hides a table of the same name
_FRAME = f"{_PREFIX}frame"
_PLAIN = Reading()


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
            used.append(f"{_PREFIX}{len(used)}")
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

    ``columns`` holds a SQL expression over the columns of the source for each column to fill. With
    ``each``, SQL of a list, each of its elements (``each`` in ``columns``) makes a row. Values that
    do not fit are reported to ``bad`` and their rows left out; without it, the first is an error.
    ``reading`` is how a person says that texts are written; None: the caller cannot say it.
    Call this outside a transaction: uncommitted rows have no ``rowid`` that counts from 0.
    """
    rows = source.query
    if each is not None:
        rows = f"(SELECT *, unnest({each}) AS each FROM {rows})"
    try:
        described = connection.execute(
            f"DESCRIBE SELECT {', '.join(columns.values())} FROM {rows}"
        ).fetchall()
        casts = []
        for (column, x), (_, kind, *_) in zip(columns.items(), described, strict=True):
            target = table.types[column]
            read = _read(connection, rows, x, kind, target, reading or _PLAIN)
            casts.append(_Cast(column, x, kind, target, read))
        _create(connection, name, rows, casts, strict=True)
    except duckdb.Error as error:
        misfit = re.search(r"column (\d+) does not fit", str(error))
        if misfit is None:
            raise scan.explain(error, source.path, source.label, source.text) from error
        if bad is None:
            bad = BadRows()
            _report(connection, source, rows, casts[int(misfit[1])], reading, bad)
            raise bad.combined() from None
        _create(connection, name, rows, casts, strict=False)
        for cast in casts:
            if _report(connection, source, rows, cast, reading, bad):
                records = f"SELECT record FROM ({_misfits(rows, cast)})"
                connection.execute(f"DELETE FROM {name} WHERE rowid IN ({records})")
        if not connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchall():
            raise bad.combined() from None
    if each is None and not connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchall():
        raise InputError(
            f"{source.label} has no rows",
            where=None if source.path is None else str(source.path),
            remedy="give at least one, or leave the file out",
        )
    names = {cast.column: cast.source_name for cast in casts}
    return StagedRows(table, name, source, names, from_lists=each is not None)


def stage_frame(
    connection: Connection,
    rows: pa.Table,
    label: str,
    table: Table,
    name: str,
    columns: Mapping[str, str] | None = None,
) -> StagedRows:
    """Stage the rows of a frame, by default its columns of the same name; see :func:`stage`."""
    connection.register(_FRAME, rows)
    try:
        columns = columns or same(*rows.column_names)
        return stage(connection, Source(label, _FRAME), table, columns, name)
    finally:
        connection.unregister(_FRAME)


@dataclass(frozen=True)
class _Cast:
    """A SQL expression of type ``source_type`` that becomes a column of type ``target_type``."""

    column: str
    expression: str
    source_type: str
    target_type: str
    read: str  # SQL of what the expression says, NULL where it cannot be read

    @property
    def source_name(self) -> str:
        """The name of the column in the source, if its values are used unchanged."""
        name = self.expression.strip('"')
        return name if re.fullmatch(r"\w+", name) else self.column

    @property
    def present(self) -> str:
        """SQL that is true if there is a value: blank text is none where no text is wanted."""
        if self.source_type == "VARCHAR" and self.target_type != "VARCHAR":
            return f"coalesce(trim({self.expression}) <> '', false)"
        return f"{self.expression} IS NOT NULL"

    @property
    def value(self) -> str:
        """SQL of the cast value, NULL where the cast fails."""
        return f"TRY_CAST({self.read} AS {self.target_type})"

    @property
    def fits(self) -> str:
        """SQL that is true if the cast succeeds and loses no fraction, time of day or element."""
        fits, finer = f"{self.value} IS NOT NULL", None
        element = self.target_type.removesuffix("[]")
        to_whole = element in _WHOLE and self.source_type not in _WHOLE
        if to_whole or (element == "BOOLEAN" and is_number(self.source_type)):
            finer = "DOUBLE"
        elif element in _COARSE_TIMES:
            finer = "TIMESTAMP"
        if element != self.target_type and element != "VARCHAR":  # elements may become NULL
            fits += (
                f" AND list_count({self.value}) = list_count(TRY_CAST({self.read} AS VARCHAR[]))"
            )
            finer = finer and f"{finer}[]"
        if finer is not None:
            fits += f" AND TRY_CAST({self.read} AS {finer}) = CAST({self.value} AS {finer})"
        return fits

    def checked(self, number: int, strict: bool) -> str:
        """SQL of the value; a misfit raises an error with the number of the column, or is NULL."""
        if self.source_type == self.target_type:
            return f"{self.expression} AS {quoted(self.column)}"
        failure = f"error('column {number} does not fit')" if strict else "NULL"
        return (
            f"CASE WHEN NOT ({self.present}) THEN NULL WHEN {self.fits} THEN {self.value} "
            f"ELSE {failure} END AS {quoted(self.column)}"
        )

    @property
    def bound(self) -> str:
        """The values of the target type, in words."""
        if self.target_type in _WHOLE:
            bits = _WHOLE[self.target_type]
            low = 0 if self.target_type.startswith("U") else -(2 ** (bits - 1))
            return f"a whole number from {low} to {low + 2**bits - 1}"
        if self.target_type in ("FLOAT", "DOUBLE"):
            return "a number"
        if self.target_type.startswith("DECIMAL") and not self.target_type.endswith("]"):
            return f"a number within {self.target_type}"
        if self.target_type == "BOOLEAN":
            return "true or false, yes or no, 1 or 0"
        if self.target_type == "DATE":
            return "a date without a time of day (a column of type TIMESTAMP takes one)"
        if self.target_type in _TIMES:
            return "a date, a time, or seconds since 1970"
        return f"a {self.target_type}"


def _read(
    connection: Connection, rows: str, x: str, kind: str, target: str, reading: Reading
) -> str:
    """Return SQL of the number or time that an expression says, ready to be cast to a type."""
    is_timestamp = kind.startswith("TIMESTAMP")
    if target in _TIMES and (kind == "VARCHAR" or is_timestamp or is_number(kind)):
        return f"make_timestamp({microseconds(connection, rows, x, kind, reading.time_format)})"
    if is_number(target) and not target.endswith("]") and kind == "VARCHAR":
        return plain_number(x, reading.decimal)
    return x


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
        FROM (SELECT row_number() OVER () - 1 AS record, {cast.present} AS present,
                     {cast.fits} AS fits, CAST({cast.expression} AS VARCHAR) AS value FROM {rows})
        WHERE present AND fits IS NOT TRUE
    """


def _report(
    connection: Connection,
    source: Source,
    rows: str,
    cast: _Cast,
    reading: Reading | None,
    bad: BadRows,
) -> bool:
    """Report the values of a column that do not fit; return whether there are any."""
    if cast.source_type == cast.target_type:
        return False
    count, records, value = connection.execute(
        f"SELECT count(*), list(record ORDER BY record)[:{SHOWN}], arg_min(value, record) "
        f"FROM ({_misfits(rows, cast)})"
    ).fetchall()[0]
    if not count:
        return False
    remedy = "correct the value, or leave it empty if it is not known"
    is_text = cast.source_type == "VARCHAR" and re.search(r"[0-9]", value)
    if is_text and cast.target_type in _TIMES and reading and reading.time_format is None:
        remedy = FORMAT_REMEDY
    error = InputError(
        f"'{shortened(value, LONGEST_SHOWN)}' is not {cast.bound}",
        where=source.where(records[0], cast.source_name, count - 1),
        remedy=remedy,
    )
    bad.add(error, source, cast.source_name, count, records)
    return True
