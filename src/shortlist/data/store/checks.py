"""Check of a load: staged rows must satisfy the constraints of their tables before any is written.

Each constraint is checked for all rows at once, in SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import duckdb

from shortlist.data.sql import quoted, quoted_list
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
    needed: dict[str, set[str]] = {}
    for rows in staged:
        columns = needed.setdefault(rows.table.name, set())
        if rows.may_repeat:
            columns.update(rows.columns)
        for key in _keys(rows):
            columns.update(key)
        for reference in rows.table.foreign_keys:
            if set(reference.columns) <= set(rows.columns):
                needed.setdefault(reference.parent, set()).update(reference.parent_columns)
    for name, columns in needed.items():
        if columns:
            database.copy_to_staging(tables[name], columns)


def check(connection: duckdb.DuckDBPyConnection, staged: Sequence[StagedRows]) -> None:
    """Refuse the first row, in the order of the tables, that violates a constraint of its table.

    Parameters
    ----------
    connection
        The staging database, after :func:`copy_keys`.
    staged
        The rows of all tables of the load, parents before children: a row may refer to a parent
        that is loaded with it.

    Raises
    ------
    InputError
        A required value is missing, a condition is false, a key is not unique, or a reference has
        no parent row.
    """
    for rows in staged:
        _check_required(connection, rows)
        for condition in rows.table.checks:
            _check_condition(connection, rows, condition)
        for key in _keys(rows):
            same_table = [other for other in staged if other.table == rows.table]
            _check_unique(connection, rows, key, same_table)
            _check_not_stored(connection, rows, key)
        for reference in rows.table.foreign_keys:
            parents = [other for other in staged if other.table.name == reference.parent]
            _check_parents(connection, rows, reference, parents)


def _keys(rows: StagedRows) -> list[tuple[str, ...]]:
    """Return the keys that must be unique; those of list elements are made unique later."""
    if rows.from_lists:
        return []
    return [key for key in rows.table.keys if set(key) <= set(rows.columns)]


def _as_text(columns: Sequence[str], table: str) -> str:
    return ", ".join(f"CAST({table}.{quoted(column)} AS VARCHAR)" for column in columns)


def _check_required(connection: duckdb.DuckDBPyConnection, rows: StagedRows) -> None:
    for column in rows.table.types:
        if column not in rows.table.required or column not in rows.columns:
            continue
        record, count = connection.execute(
            f"SELECT min(rowid), count(*) FROM {rows.name} WHERE {quoted(column)} IS NULL"
        ).fetchall()[0]
        if count:
            raise InputError(
                f"{rows.columns[column]} is empty; every row of {rows.table.name} needs one",
                where=_where(rows, record, column, count - 1),
                remedy="fill it in, or leave the row out",
            )


def _check_condition(connection: duckdb.DuckDBPyConnection, rows: StagedRows, check: Check) -> None:
    if not set(check.columns) <= set(rows.columns):
        return  # a column that is not filled is NULL, and NULL satisfies every condition
    violations = connection.execute(
        f"""
        SELECT rowid, count(*) OVER () - 1, {_as_text(check.columns, rows.name)} FROM {rows.name}
        WHERE NOT ({check.condition}) ORDER BY rowid LIMIT 1
        """
    ).fetchall()
    if violations:
        record, others, *values = violations[0]
        pairs = zip((rows.columns[column] for column in check.columns), values, strict=True)
        optional = check.columns[0] not in rows.table.required
        raise InputError(
            f"{' and '.join(f'{name} is {value}' for name, value in pairs)}; "
            f"the bound is {check.bound}",
            where=_where(rows, record, check.columns[0], others),
            remedy="correct the value, or leave it empty if it is not known"
            if optional
            else "correct the value, or leave the row out",
        )


def _check_unique(
    connection: duckdb.DuckDBPyConnection,
    rows: StagedRows,
    key: tuple[str, ...],
    same_table: Sequence[StagedRows],
) -> None:
    """Refuse a key that occurs twice among the sources of a table."""
    columns = quoted_list(key)
    every = " UNION ALL ".join(
        f"SELECT {position} AS source, rowid AS record, {columns} FROM {other.name}"
        for position, other in enumerate(same_table)
    )
    violations = connection.execute(
        f"""
        WITH repeated AS (SELECT {columns} FROM ({every}) GROUP BY ALL HAVING count(*) > 1)
        SELECT list((source, record) ORDER BY source, record)[:2], count(*) OVER () - 1,
               {_as_text(key, "every")}
        FROM ({every}) AS every SEMI JOIN repeated USING ({columns}) GROUP BY {columns}
        ORDER BY min((source, record)) LIMIT 1
        """
    ).fetchall()
    if violations:
        ((first, first_record), (second, second_record)), others, *values = violations[0]
        earlier = same_table[first].source
        raise InputError(
            f"{_named(rows, key, values)} occurs twice; {_named(rows, key)} must be unique",
            where=f"{_where(same_table[second], second_record, key[0], others)}; "
            f"first in {earlier.label}, row {earlier.row(first_record)}",
            remedy="keep one of the rows",
        )


def _check_not_stored(
    connection: duckdb.DuckDBPyConnection, rows: StagedRows, key: tuple[str, ...]
) -> None:
    """Refuse a key that the database has already."""
    violations = connection.execute(
        f"""
        SELECT rowid, count(*) OVER () - 1, {_as_text(key, rows.name)}
        FROM {rows.name} SEMI JOIN {quoted(rows.table.name)} USING ({quoted_list(key)})
        ORDER BY rowid LIMIT 1
        """
    ).fetchall()
    if violations:
        record, others, *values = violations[0]
        raise InputError(
            f"{_named(rows, key, values)} is in the table {rows.table.name} already",
            where=_where(rows, record, key[0], others),
            remedy="leave out what was loaded before, or load into a new database",
        )


def _check_parents(
    connection: duckdb.DuckDBPyConnection,
    rows: StagedRows,
    reference: ForeignKey,
    parents: Sequence[StagedRows],
) -> None:
    """Refuse a reference to a row that is neither stored nor loaded now."""
    if not set(reference.columns) <= set(rows.columns):
        return
    present = " UNION ALL ".join(
        f"SELECT {quoted_list(reference.parent_columns)} FROM {name}"
        for name in (quoted(reference.parent), *(parent.name for parent in parents))
    )
    pairs = zip(reference.columns, reference.parent_columns, strict=True)
    violations = connection.execute(
        f"""
        SELECT child.rowid, count(*) OVER () - 1,
               {_as_text(reference.columns, "child")}
        FROM {rows.name} AS child ANTI JOIN ({present}) AS parent
        ON {" AND ".join(f"child.{quoted(c)} = parent.{quoted(p)}" for c, p in pairs)}
        WHERE {" AND ".join(f"child.{quoted(column)} IS NOT NULL" for column in reference.columns)}
        ORDER BY child.rowid LIMIT 1
        """
    ).fetchall()
    if violations:
        record, others, *values = violations[0]
        raise InputError(
            f"{_named(rows, reference.columns, values)} is not in {reference.parent}",
            where=_where(rows, record, reference.columns[0], others),
            remedy=f"load the {reference.parent} it belongs to as well, or leave the row out",
        )


def _named(rows: StagedRows, columns: Sequence[str], values: Sequence[str] = ()) -> str:
    """Return the names of columns in the source, each with its value if there is one."""
    names = (rows.columns[column] for column in columns)
    pairs = zip_longest(names, values, fillvalue="")
    return " and ".join(f"{name} {value}".rstrip() for name, value in pairs)


def _where(rows: StagedRows, record: int, column: str, others: int) -> str:
    return rows.source.where(None if rows.from_lists else record, rows.columns[column], others)
