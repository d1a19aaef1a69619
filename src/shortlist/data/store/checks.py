"""Check of a load: staged rows must satisfy the constraints of their tables before any is written.

Each constraint is checked for all rows at once, in SQL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shortlist.data.bad_rows import SHOWN, BadRows
from shortlist.data.sql import Connection, quoted, quoted_list
from shortlist.data.store.database import Database
from shortlist.data.store.schema import ForeignKey, Table
from shortlist.data.store.staging import StagedRows
from shortlist.errors import InputError

_FIRST_RECORDS = f"list(staged.rowid ORDER BY staged.rowid)[:{SHOWN}]"


def copy_keys(
    database: Database, tables: Mapping[str, Table], staged: Sequence[StagedRows]
) -> None:
    """Copy the stored keys that staged rows may repeat or refer to into the staging database.

    Rows without a key of their own are compared as a whole, so all their columns are copied.
    """
    needed: dict[str, set[str]] = defaultdict(set)
    for rows in staged:
        needed[rows.table.name].update(rows.columns if rows.may_repeat else (), *_keys(rows))
        for reference in _references(rows):
            needed[reference.parent].update(reference.parent_columns)
    for name, columns in needed.items():
        if columns:
            database.copy_to_staging(tables[name], columns)


def check(connection: Connection, staged: Sequence[StagedRows], bad: BadRows | None = None) -> None:
    """Find rows, in the order of the tables, that violate a constraint of their table.

    They are one error, or are left out if ``bad`` says so. ``staged`` holds the rows of all tables
    of the load, parents before children: a row may refer to a parent that is loaded with it. Call
    :func:`copy_keys` first.
    """
    bad = bad or BadRows()
    for rows in staged:
        checked = _Checked(connection, rows, staged, bad)
        checked.check_values()
        for key in _keys(rows):
            checked.check_unique(key)
            checked.check_not_stored(key)
        for reference in _references(rows):
            checked.check_parents(reference)
    bad.require_none()


def _keys(rows: StagedRows) -> list[tuple[str, ...]]:
    """Return the keys that must be unique; those of list elements are made unique later."""
    keys = () if rows.from_lists else rows.table.keys
    return [key for key in keys if set(key) <= set(rows.columns)]


def _references(rows: StagedRows) -> list[ForeignKey]:
    return [key for key in rows.table.foreign_keys if set(key.columns) <= set(rows.columns)]


@dataclass(frozen=True)
class _Checked:
    """The rows of one source, which are checked."""

    connection: Connection
    rows: StagedRows
    staged: Sequence[StagedRows]
    bad: BadRows

    def check_values(self) -> None:
        """Refuse empty values where one is required, and values that violate a condition."""
        columns, table = self.rows.columns, self.rows.table
        for column in table.types:
            if column in table.required and column in columns:
                problem = f" is empty; every row of {table.name} needs one"
                remedy = "fill it in, or leave the row out"
                self._refuse([column], f"WHERE {quoted(column)} IS NULL", problem, remedy, None)
        for check in table.checks:
            if set(check.columns) <= set(columns):  # else NULL, which satisfies it
                problem = f"; the bound is {check.bound}"
                remedy = "correct the value, or leave it empty if it is not known"
                if check.columns[0] in table.required:
                    remedy = "correct the value, or leave the row out"
                self._refuse(
                    check.columns, f"WHERE NOT ({check.condition})", problem, remedy, " is "
                )

    def check_unique(self, key: tuple[str, ...]) -> None:
        """Refuse a key that occurs twice among the sources of a table."""
        rows, columns = self.rows, quoted_list(key)
        same_table = [other for other in self.staged if other.table == rows.table]
        every = " UNION ALL ".join(
            f"SELECT {position} AS source, rowid AS record, {columns} FROM {other.name}"
            for position, other in enumerate(same_table)
        )
        for (first, second), others, values in self.connection.execute(
            f"""
            WITH repeated AS (SELECT {columns} FROM ({every}) GROUP BY ALL HAVING count(*) > 1)
            SELECT list((source, record) ORDER BY source, record)[:2], count(*) OVER () - 1,
                   {_as_texts(key)}
            FROM ({every}) AS staged SEMI JOIN repeated USING ({columns}) GROUP BY {columns}
            ORDER BY min((source, record)) LIMIT 1
            """
        ).fetchall():
            earlier, later = same_table[first[0]].source, same_table[second[0]]
            error = InputError(
                f"{self._named(key, values, ' ')} occurs twice; {self._named(key)} must be unique",
                where=f"{later.source.where(second[1], later.columns[key[0]], others)}; "
                f"first in {earlier.label}, row {earlier.row(first[1])}",
                remedy="keep one of the rows",
            )
            repeated = f"""
                (SELECT record AS rowid FROM (
                    SELECT source, record, row_number() OVER (
                        PARTITION BY {columns} ORDER BY source, record) AS occurrence
                    FROM ({every})
                    WHERE {" AND ".join(f"{quoted(column)} IS NOT NULL" for column in key)}
                ) WHERE occurrence > 1 AND source = {same_table.index(rows)}) AS staged
            """
            [(count, records)] = self.connection.execute(
                f"SELECT count(*), {_FIRST_RECORDS} FROM {repeated}"
            ).fetchall()
            if count:  # else the row at fault is one of another file
                self._report(key[0], repeated, error, count, records)

    def check_not_stored(self, key: tuple[str, ...]) -> None:
        """Refuse a key that the database has already."""
        table = self.rows.table.name
        stored = f"SEMI JOIN {quoted(table)} USING ({quoted_list(key)})"
        remedy = "leave out what was loaded before, or load into a new database"
        self._refuse(key, stored, f" is in the table {table} already", remedy)

    def check_parents(self, reference: ForeignKey) -> None:
        """Refuse a reference to a row that is neither stored nor loaded now."""
        parent = reference.parent
        loaded = [other.name for other in self.staged if other.table.name == parent]
        present = " UNION ALL ".join(
            f"SELECT {quoted_list(reference.parent_columns)} FROM {name}"
            for name in (quoted(parent), *loaded)
        )
        pairs = zip(reference.columns, reference.parent_columns, strict=True)
        equal = " AND ".join(f"staged.{quoted(c)} = parent.{quoted(p)}" for c, p in pairs)
        filled = " AND ".join(f"staged.{quoted(c)} IS NOT NULL" for c in reference.columns)
        absent = f"ANTI JOIN ({present}) AS parent ON {equal} WHERE {filled}"
        remedy = f"load the {parent} it belongs to as well, or leave the row out"
        self._refuse(reference.columns, absent, f" is not in {parent}", remedy)

    def _refuse(
        self,
        columns: Sequence[str],
        condition: str,
        problem: str,
        remedy: str,
        verb: str | None = " ",
    ) -> None:
        """Report the rows that meet a condition; the problem follows the columns of the first."""
        source = f"{self.rows.name} AS staged {condition}"
        count, records, values = self.connection.execute(
            f"SELECT count(*), {_FIRST_RECORDS}, arg_min({_as_texts(columns)}, staged.rowid) "
            f"FROM {source}"
        ).fetchall()[0]
        if count:
            record = None if self.rows.from_lists else records[0]
            where = self.rows.source.where(record, self.rows.columns[columns[0]], count - 1)
            what = f"{self._named(columns, values, verb)}{problem}"
            error = InputError(what, where=where, remedy=remedy)
            self._report(columns[0], source, error, count, records)

    def _report(
        self, column: str, source: str, error: InputError, count: int, records: Sequence[int]
    ) -> None:
        """Report the rows of a source; delete them if bad rows are left out."""
        rows = self.rows
        shown = () if rows.from_lists else records
        self.bad.add(error, rows.source, rows.columns[column], count, shown)
        if self.bad.skip:
            self.connection.execute(
                f"DELETE FROM {rows.name} WHERE rowid IN (SELECT staged.rowid FROM {source})"
            )

    def _named(
        self, columns: Sequence[str], values: Sequence[str] = (), verb: str | None = None
    ) -> str:
        """Return the names of columns in the source, each with its value after a verb."""
        names = [self.rows.columns[column] for column in columns]
        if verb is not None:
            names = [f"{name}{verb}{value}" for name, value in zip(names, values, strict=True)]
        return " and ".join(names)


def _as_texts(columns: Sequence[str]) -> str:
    return f"[{', '.join(f'CAST(staged.{quoted(column)} AS VARCHAR)' for column in columns)}]"
