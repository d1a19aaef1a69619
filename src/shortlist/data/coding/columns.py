"""The columns of a caller's table, cast to the few types that a Dataset has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from shortlist.data.formats import scan
from shortlist.data.formats.layouts import recognise
from shortlist.data.formats.source import Source
from shortlist.data.moments import LAST_SECOND
from shortlist.data.sources import relation
from shortlist.data.sql import quoted
from shortlist.errors import InputError, suggestion

_INT64 = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_INTEGERS = _INT64 | {"UBIGINT", "HUGEINT", "UHUGEINT"}
_NUMBERS = _INTEGERS | {"FLOAT", "DOUBLE"}


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
        cls, connection: duckdb.DuckDBPyConnection, table: Any, name: str, ids: Sequence[str]
    ) -> InputTable:
        """Create the view of a table of any kind; the values of the ``ids`` columns stay exact."""
        rows = relation(connection, table, label=name, ids=ids)
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
        return self.path is not None and self.path.suffix.lower() != ".parquet"

    def where(self, column: str, record: int | None = None, others: int = 0) -> str:
        """Return the location of a value for messages; see :meth:`Source.where`."""
        text = None
        if self.path is not None and self.is_text and record is not None:
            layout = recognise(self.path)
            text = None if layout is None else layout.text(self.path)
        return Source(self.label, self.view, self.path, text).where(record, column, others)

    def copy(self, name: str, columns: str) -> None:
        """Select into a new table; its ``rowid`` is the row number of the source, from 0."""
        try:
            self.connection.execute(
                f"CREATE TEMP TABLE {name} AS SELECT {columns} FROM {self.view}"
            )
        except duckdb.Error as error:
            if self.path is None:
                raise
            raise scan.explain(error, self.path) from error

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

    def weights(self, name: str) -> str:
        """Return SQL that casts a column to FLOAT; values out of range become NULL."""
        column, kind = self.column(name), self.types[name]
        if kind in _NUMBERS or kind == "BOOLEAN" or kind.startswith("DECIMAL"):
            return f"TRY_CAST({column} AS FLOAT)"
        self._refuse_text(name, "TRY_CAST({x} AS DOUBLE) IS NOT NULL", "a number")
        raise InputError(
            f"weights of type {kind} are not numbers",
            where=self.where(name),
            remedy="cast the column to a number, or pass weight=None",
        )

    def times(self, name: str) -> str:
        """Return SQL that casts a column to microseconds since 1970; NULL beyond the year 9999."""
        column, kind = self.column(name), self.types[name]
        if kind.startswith(("TIMESTAMP", "DATE")):
            return f"epoch_us(TRY_CAST({column} AS TIMESTAMP))"  # NULL if the timestamp is infinite
        if kind in _NUMBERS or kind.startswith("DECIMAL"):
            seconds = f"TRY_CAST({column} AS {'BIGINT' if kind in _INTEGERS else 'DOUBLE'})"
            in_range = f"{seconds} BETWEEN -{LAST_SECOND} AND {LAST_SECOND}"
            return f"CASE WHEN {in_range} THEN CAST({seconds} * 1000000 AS BIGINT) END"
        fits = "(TRY_CAST({x} AS DOUBLE) IS NOT NULL OR TRY_CAST({x} AS TIMESTAMPTZ) IS NOT NULL)"
        self._refuse_text(name, fits, "a date, a time, or seconds since 1970")
        raise InputError(
            f"times of type {kind} are neither timestamps nor seconds since 1970",
            where=self.where(name),
            remedy="cast the column to a timestamp",
        )

    def _refuse_text(self, name: str, fits: str, expected: str) -> None:
        """Raise an error that names the first text value that does not fit, if there is one."""
        if self.types[name] != "VARCHAR":
            return
        x = quoted(name)
        misfit = self.connection.execute(
            f"""
            SELECT record, value, count(*) OVER () - 1
            FROM (SELECT row_number() OVER () - 1 AS record, {x} AS value,
                         {fits.format(x=x)} AS fits FROM {self.view})
            WHERE value IS NOT NULL AND NOT fits ORDER BY record LIMIT 1
            """
        ).fetchone()
        if misfit is not None:
            record, value, others = misfit
            raise InputError(
                f"'{value}' is not {expected}",
                where=self.where(name, record, others),
                remedy="correct the value, or leave the row out",
            )
