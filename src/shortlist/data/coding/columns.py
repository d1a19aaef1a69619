"""The columns a caller supplies, cast to the few types that a Dataset knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb

from shortlist.data.formats import scan
from shortlist.data.formats.layout import recognised
from shortlist.data.formats.layouts import LAYOUTS
from shortlist.data.formats.source import Source
from shortlist.data.moments import LAST_SECOND
from shortlist.data.sources import relation
from shortlist.data.sql import quoted
from shortlist.errors import InputError, suggestion

_SMALL = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_WHOLE = _SMALL | {"UBIGINT", "HUGEINT", "UHUGEINT"}
_NUMBER = _WHOLE | {"FLOAT", "DOUBLE"}


@dataclass(frozen=True)
class Supplied:
    """A caller's table as a DuckDB view.

    Attributes
    ----------
    name
        What it is: interactions, users or items.
    view
        The view that shows its rows, in the order of the source.
    types
        The SQL type of each column.
    path
        The file it is read from, if it is one.
    """

    connection: duckdb.DuckDBPyConnection
    name: str
    view: str
    types: dict[str, str]
    path: Path | None

    @classmethod
    def read(
        cls, connection: duckdb.DuckDBPyConnection, table: Any, name: str, ids: Sequence[str]
    ) -> Supplied:
        """Show a table of any kind; ``ids`` are the columns that must be kept exactly."""
        rows = relation(connection, table, label=name, ids=ids)
        rows.create_view(f"supplied_{name}")
        types = dict(zip(rows.columns, map(str, rows.types), strict=True))
        path = Path(table) if isinstance(table, str | Path) else None
        return cls(connection, name, f"supplied_{name}", types, path)

    @property
    def label(self) -> str:
        """What messages call the table."""
        return self.name if self.path is None else f"{self.name} {self.path}"

    @property
    def is_text(self) -> bool:
        """Whether its values were text, and their types are only a reading of it."""
        return self.path is not None and self.path.suffix.lower() != ".parquet"

    def where(self, column: str, record: int | None = None, others: int = 0) -> str:
        """Say where a value stands: lines of a text file, rows of anything else, from 1."""
        text = None
        if self.path is not None and self.is_text and record is not None:
            layout = recognised(self.path, chain.from_iterable(LAYOUTS.values()))
            text = None if layout is None else layout.text(self.path)
        return Source(self.label, self.view, self.path, text).where(record, column, others)

    def copy(self, name: str, columns: str) -> None:
        """Select into a new table, whose ``rowid`` is then the number of the row in the source."""
        try:
            self.connection.execute(
                f"CREATE TEMP TABLE {name} AS SELECT {columns} FROM {self.view}"
            )
        except duckdb.Error as error:
            if self.path is None:
                raise
            raise scan.explain(error, self.path) from error

    def column(self, name: str) -> str:
        """Quote a column that must exist.

        Raises
        ------
        InputError
            It does not; the message suggests the nearest name.
        """
        if name not in self.types:
            raise InputError(
                f"there is no column '{name}'",
                where=self.label,
                remedy=suggestion(name, self.types),
            )
        return quoted(name)

    def id_type(self, name: str) -> str:
        """Give the one type that keeps these ids exactly: BIGINT, UBIGINT or VARCHAR."""
        self.column(name)
        kind = self.types[name]
        if kind in _SMALL:
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
        """Cast a column to FLOAT; what lies beyond its range is NULL."""
        column, kind = self.column(name), self.types[name]
        if kind in _NUMBER or kind == "BOOLEAN" or kind.startswith("DECIMAL"):
            return f"TRY_CAST({column} AS FLOAT)"
        self._refuse(name, "TRY_CAST({x} AS DOUBLE) IS NOT NULL", "a number")
        raise InputError(
            f"weights of type {kind} are not numbers",
            where=self.where(name),
            remedy="cast the column to a number, or pass weight=None",
        )

    def moments(self, name: str) -> str:
        """Cast a column to microseconds since 1970; what lies beyond the year 9999 is NULL."""
        column, kind = self.column(name), self.types[name]
        if kind.startswith(("TIMESTAMP", "DATE")):
            return f"epoch_us(TRY_CAST({column} AS TIMESTAMP))"  # NULL where it is infinite
        if kind in _NUMBER or kind.startswith("DECIMAL"):
            seconds = f"TRY_CAST({column} AS {'BIGINT' if kind in _WHOLE else 'DOUBLE'})"
            inside = f"{seconds} BETWEEN -{LAST_SECOND} AND {LAST_SECOND}"
            return f"CASE WHEN {inside} THEN CAST({seconds} * 1000000 AS BIGINT) END"
        fits = "(TRY_CAST({x} AS DOUBLE) IS NOT NULL OR TRY_CAST({x} AS TIMESTAMPTZ) IS NOT NULL)"
        self._refuse(name, fits, "a date, a time, or seconds since 1970")
        raise InputError(
            f"times of type {kind} are neither timestamps nor seconds since 1970",
            where=self.where(name),
            remedy="cast the column to a timestamp",
        )

    def _refuse(self, name: str, fits: str, wanted: str) -> None:
        """Name the first text that is not what it should be, if there is one."""
        if self.types[name] != "VARCHAR":
            return
        x = quoted(name)
        found = self.connection.execute(
            f"""
            SELECT record, value, count(*) OVER () - 1
            FROM (SELECT row_number() OVER () - 1 AS record, {x} AS value,
                         {fits.format(x=x)} AS fits FROM {self.view})
            WHERE value IS NOT NULL AND NOT fits ORDER BY record LIMIT 1
            """
        ).fetchone()
        if found is not None:
            record, value, others = found
            raise InputError(
                f"'{value}' is not {wanted}",
                where=self.where(name, record, others),
                remedy="correct the value, or leave the row out",
            )
