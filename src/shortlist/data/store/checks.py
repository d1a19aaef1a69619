"""Check of a load: staged rows must satisfy the constraints of their tables before any is written.

Each constraint is checked for all rows at once, in SQL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from shortlist.data.bad_rows import SHOWN, BadRows, SkippedRows
from shortlist.data.sql import Connection, quoted, quoted_list
from shortlist.data.store.database import Database
from shortlist.data.store.schema import Check, ForeignKey, Table
from shortlist.data.store.staging import StagedRows
from shortlist.errors import InputError


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

    They are one error, or are left out if ``bad`` says so.

    ``staged`` holds the rows of all tables of the load, parents before children: a row may refer to
    a parent that is loaded with it. Call :func:`copy_keys` first.

    Raises
    ------
    InputError
        A required value is missing, a condition is false, a key is not unique, or a reference has
        no parent row.
    """
    bad = bad or BadRows()
    for rows in staged:
        for column in rows.table.types:
            if column in rows.table.required and column in rows.columns:
                _check_required(connection, rows, column, bad)
        for condition in rows.table.checks:
            if set(condition.columns) <= set(rows.columns):  # else NULL, which satisfies it
                _check_condition(connection, rows, condition, bad)
        for key in _keys(rows):
            same_table = [other for other in staged if other.table == rows.table]
            _check_unique(connection, rows, key, same_table, bad)
            _check_not_stored(connection, rows, key, bad)
        for reference in _references(rows):
            parents = [other for other in staged if other.table.name == reference.parent]
            _check_parents(connection, rows, reference, parents, bad)
    bad.require_none()


def _report(
    connection: Connection,
    rows: StagedRows,
    column: str,
    source: str,
    error: InputError,
    bad: BadRows,
) -> None:
    """Report the rows that ``source`` selects; delete them if bad rows are left out."""
    count, records = connection.execute(
        f"SELECT count(*), list(staged.rowid ORDER BY staged.rowid)[:{SHOWN}] FROM {source}"
    ).fetchall()[0]
    if not count:  # the row at fault is one of another file
        return
    if rows.from_lists:
        numbers: tuple[int, ...] = ()
    else:
        numbers = tuple(map(rows.source.row, records))
    name = rows.columns[column]
    bad.add(error, SkippedRows(rows.source.label, name, error.what, count, numbers))
    if bad.skip:
        connection.execute(
            f"DELETE FROM {rows.name} WHERE rowid IN (SELECT staged.rowid FROM {source})"
        )


def _keys(rows: StagedRows) -> list[tuple[str, ...]]:
    """Return the keys that must be unique; those of list elements are made unique later."""
    keys = () if rows.from_lists else rows.table.keys
    return [key for key in keys if set(key) <= set(rows.columns)]


def _references(rows: StagedRows) -> list[ForeignKey]:
    return [key for key in rows.table.foreign_keys if set(key.columns) <= set(rows.columns)]


def _check_required(connection: Connection, rows: StagedRows, column: str, bad: BadRows) -> None:
    source = f"{rows.name} AS staged WHERE {quoted(column)} IS NULL"
    for record, others, _ in _first(connection, [column], source):
        error = InputError(
            f"{rows.columns[column]} is empty; every row of {rows.table.name} needs one",
            where=_where(rows, record, column, others),
            remedy="fill it in, or leave the row out",
        )
        _report(connection, rows, column, source, error, bad)


def _check_condition(connection: Connection, rows: StagedRows, check: Check, bad: BadRows) -> None:
    source = f"{rows.name} AS staged WHERE NOT ({check.condition})"
    for record, others, *values in _first(connection, check.columns, source):
        named = zip((rows.columns[column] for column in check.columns), values, strict=True)
        required = check.columns[0] in rows.table.required
        otherwise = "leave the row out" if required else "leave it empty if it is not known"
        error = InputError(
            f"{' and '.join(f'{name} is {value}' for name, value in named)}; "
            f"the bound is {check.bound}",
            where=_where(rows, record, check.columns[0], others),
            remedy=f"correct the value, or {otherwise}",
        )
        _report(connection, rows, check.columns[0], source, error, bad)


def _check_unique(
    connection: Connection,
    rows: StagedRows,
    key: tuple[str, ...],
    same_table: Sequence[StagedRows],
    bad: BadRows,
) -> None:
    """Refuse a key that occurs twice among the sources of a table."""
    columns = quoted_list(key)
    every = " UNION ALL ".join(
        f"SELECT {position} AS source, rowid AS record, {columns} FROM {other.name}"
        for position, other in enumerate(same_table)
    )
    for (first, second), others, *values in connection.execute(
        f"""
        WITH repeated AS (SELECT {columns} FROM ({every}) GROUP BY ALL HAVING count(*) > 1)
        SELECT list((source, record) ORDER BY source, record)[:2], count(*) OVER () - 1,
               {_as_text(key)}
        FROM ({every}) AS staged SEMI JOIN repeated USING ({columns}) GROUP BY {columns}
        ORDER BY min((source, record)) LIMIT 1
        """
    ).fetchall():
        earlier = same_table[first[0]].source
        error = InputError(
            f"{_named(rows, key, values)} occurs twice; {_named(rows, key)} must be unique",
            where=f"{_where(same_table[second[0]], second[1], key[0], others)}; "
            f"first in {earlier.label}, row {earlier.row(first[1])}",
            remedy="keep one of the rows",
        )
        number = same_table.index(rows)
        later = f"""
            (SELECT record AS rowid FROM (
                SELECT source, record, row_number() OVER (
                    PARTITION BY {columns} ORDER BY source, record) AS occurrence
                FROM ({every})
                WHERE {" AND ".join(f"{quoted(column)} IS NOT NULL" for column in key)}
            ) WHERE occurrence > 1 AND source = {number}) AS staged
        """
        _report(connection, rows, key[0], later, error, bad)


def _check_not_stored(
    connection: Connection, rows: StagedRows, key: tuple[str, ...], bad: BadRows
) -> None:
    """Refuse a key that the database has already."""
    stored = f"{quoted(rows.table.name)} USING ({quoted_list(key)})"
    source = f"{rows.name} AS staged SEMI JOIN {stored}"
    for record, others, *values in _first(connection, key, source):
        error = InputError(
            f"{_named(rows, key, values)} is in the table {rows.table.name} already",
            where=_where(rows, record, key[0], others),
            remedy="leave out what was loaded before, or load into a new database",
        )
        _report(connection, rows, key[0], source, error, bad)


def _check_parents(
    connection: Connection,
    rows: StagedRows,
    reference: ForeignKey,
    parents: Sequence[StagedRows],
    bad: BadRows,
) -> None:
    """Refuse a reference to a row that is neither stored nor loaded now."""
    present = " UNION ALL ".join(
        f"SELECT {quoted_list(reference.parent_columns)} FROM {name}"
        for name in (quoted(reference.parent), *(parent.name for parent in parents))
    )
    pairs = zip(reference.columns, reference.parent_columns, strict=True)
    equal = " AND ".join(f"staged.{quoted(c)} = parent.{quoted(p)}" for c, p in pairs)
    filled = " AND ".join(f"staged.{quoted(column)} IS NOT NULL" for column in reference.columns)
    source = f"{rows.name} AS staged ANTI JOIN ({present}) AS parent ON {equal} WHERE {filled}"
    for record, others, *values in _first(connection, reference.columns, source):
        error = InputError(
            f"{_named(rows, reference.columns, values)} is not in {reference.parent}",
            where=_where(rows, record, reference.columns[0], others),
            remedy=f"load the {reference.parent} it belongs to as well, or leave the row out",
        )
        _report(connection, rows, reference.columns[0], source, error, bad)


def _first(connection: Connection, columns: Sequence[str], source: str) -> list[tuple[Any, ...]]:
    """Return the first violating row, if any: its record, the number of others, and values."""
    return connection.execute(
        f"SELECT staged.rowid, count(*) OVER () - 1, {_as_text(columns)} FROM {source} "
        "ORDER BY staged.rowid LIMIT 1"
    ).fetchall()


def _as_text(columns: Sequence[str]) -> str:
    return ", ".join(f"CAST(staged.{quoted(column)} AS VARCHAR)" for column in columns)


def _named(rows: StagedRows, columns: Sequence[str], values: Sequence[str] = ()) -> str:
    """Return the names of columns in the source, each with its value if there is one."""
    names = (rows.columns[column] for column in columns)
    pairs = zip_longest(names, values, fillvalue="")
    return " and ".join(f"{name} {value}".rstrip() for name, value in pairs)


def _where(rows: StagedRows, record: int, column: str, others: int) -> str:
    return rows.source.where(None if rows.from_lists else record, rows.columns[column], others)
