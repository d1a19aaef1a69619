"""Whether staged rows keep the rules of their table: set-based, before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import duckdb

from shortlist.data.sql import quoted, quoted_list
from shortlist.data.store.catalogue import Check, ForeignKey
from shortlist.data.store.staging import Staged
from shortlist.errors import InputError


def check(connection: duckdb.DuckDBPyConnection, staged: Sequence[Staged]) -> None:
    """Refuse the first row, in the order of the tables, that breaks a rule of its table.

    Parameters
    ----------
    connection
        The database the rows are meant for.
    staged
        Every table of the load, parents before children: a child may refer to a row that comes
        with it.

    Raises
    ------
    InputError
        A required value is missing, a condition is broken, a key is there twice, or a reference
        leads nowhere.
    """
    for rows in staged:
        _missing_values(connection, rows)
        for rule in rows.table.checks:
            _condition(connection, rows, rule)
        if not rows.listed:
            for key in rows.table.keys:
                if set(key) <= set(rows.columns):
                    incoming = [other for other in staged if other.table == rows.table]
                    _repeated_key(connection, rows, key, incoming)
                    _known_key(connection, rows, key)
        for reference in rows.table.foreign_keys:
            parents = [s for s in staged if s.table.name == reference.parent]
            _dangling(connection, rows, reference, parents)


def _as_text(columns: Sequence[str], table: str) -> str:
    return ", ".join(f"CAST({table}.{quoted(column)} AS VARCHAR)" for column in columns)


def _missing_values(connection: duckdb.DuckDBPyConnection, rows: Staged) -> None:
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


def _condition(connection: duckdb.DuckDBPyConnection, rows: Staged, rule: Check) -> None:
    if not set(rule.columns) <= set(rows.columns):
        return  # a column that is not filled is NULL, and NULL keeps every condition
    found = connection.execute(
        f"""
        SELECT rowid, count(*) OVER () - 1, {_as_text(rule.columns, rows.name)} FROM {rows.name}
        WHERE NOT ({rule.condition}) ORDER BY rowid LIMIT 1
        """
    ).fetchall()
    if found:
        record, others, *values = found[0]
        named = zip((rows.columns[column] for column in rule.columns), values, strict=True)
        raise InputError(
            f"{' and '.join(f'{name} is {value}' for name, value in named)}; "
            f"the bound is {rule.bound}",
            where=_where(rows, record, rule.columns[0], others),
            remedy="correct the value, or leave it empty if it is not known"
            if rule.columns[0] not in rows.table.required
            else "correct the value, or leave the row out",
        )


def _repeated_key(
    connection: duckdb.DuckDBPyConnection,
    rows: Staged,
    key: tuple[str, ...],
    incoming: Sequence[Staged],
) -> None:
    """Look for a key in two rows of the sources."""
    columns = quoted_list(key)
    every = " UNION ALL ".join(
        f"SELECT {at} AS source, rowid AS record, {columns} FROM {other.name}"
        for at, other in enumerate(incoming)
    )
    found = connection.execute(
        f"""
        WITH repeated AS (SELECT {columns} FROM ({every}) GROUP BY ALL HAVING count(*) > 1)
        SELECT list((source, record) ORDER BY source, record)[:2], count(*) OVER () - 1,
               {_as_text(key, "every")}
        FROM ({every}) AS every SEMI JOIN repeated USING ({columns}) GROUP BY {columns}
        ORDER BY min((source, record)) LIMIT 1
        """
    ).fetchall()
    if found:
        (first, second), others, *values = found[0]
        at, earlier = incoming[second[0]], incoming[first[0]]
        raise InputError(
            f"{_values(rows, key, values)} is there twice; {_values(rows, key)} must be unique",
            where=f"{_where(at, second[1], key[0], others)}; "
            f"first in {earlier.source.label}, row {earlier.source.row(first[1])}",
            remedy="keep one of the rows",
        )


def _known_key(connection: duckdb.DuckDBPyConnection, rows: Staged, key: tuple[str, ...]) -> None:
    """Look for a key that the database has already."""
    found = connection.execute(
        f"""
        SELECT rowid, count(*) OVER () - 1, {_as_text(key, rows.name)}
        FROM {rows.name} SEMI JOIN {quoted(rows.table.name)} USING ({quoted_list(key)})
        ORDER BY rowid LIMIT 1
        """
    ).fetchall()
    if found:
        record, others, *values = found[0]
        raise InputError(
            f"{_values(rows, key, values)} is in the table {rows.table.name} already",
            where=_where(rows, record, key[0], others),
            remedy="leave out what was loaded before, or load into a new database",
        )


def _dangling(
    connection: duckdb.DuckDBPyConnection,
    rows: Staged,
    reference: ForeignKey,
    parents: Sequence[Staged],
) -> None:
    if not set(reference.columns) <= set(rows.columns):
        return
    known = " UNION ALL ".join(
        f"SELECT {quoted_list(reference.parent_columns)} FROM {name}"
        for name in (quoted(reference.parent), *(parent.name for parent in parents))
    )
    pairs = zip(reference.columns, reference.parent_columns, strict=True)
    found = connection.execute(
        f"""
        SELECT child.rowid, count(*) OVER () - 1,
               {_as_text(reference.columns, "child")}
        FROM {rows.name} AS child ANTI JOIN ({known}) AS parent
        ON {" AND ".join(f"child.{quoted(c)} = parent.{quoted(p)}" for c, p in pairs)}
        WHERE {" AND ".join(f"child.{quoted(column)} IS NOT NULL" for column in reference.columns)}
        ORDER BY child.rowid LIMIT 1
        """
    ).fetchall()
    if found:
        record, others, *values = found[0]
        raise InputError(
            f"{_values(rows, reference.columns, values)} is not in {reference.parent}",
            where=_where(rows, record, reference.columns[0], others),
            remedy=f"load the {reference.parent} it belongs to as well, or leave the row out",
        )


def _values(rows: Staged, columns: Sequence[str], values: Sequence[str] = ()) -> str:
    """Name columns as the source does, each with its value if there is one."""
    named = (rows.columns[column] for column in columns)
    pairs = zip_longest(named, values, fillvalue="")
    return " and ".join(f"{name} {value}".rstrip() for name, value in pairs)


def _where(rows: Staged, record: int, column: str, others: int) -> str:
    return rows.source.where(None if rows.listed else record, rows.columns[column], others)
