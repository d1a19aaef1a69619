"""What a schema demands of its tables, read from the database itself.

Because the rules come from the DDL, a new schema needs no new Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter

import duckdb


@dataclass(frozen=True)
class ForeignKey:
    """Columns that must name a row of another table."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """A condition on one row, as SQL."""

    condition: str
    columns: tuple[str, ...]

    @property
    def bound(self) -> str:
        """The condition for people: without the brackets around all of it."""
        depth = 0
        for at, character in enumerate(self.condition):
            depth += {"(": 1, ")": -1}.get(character, 0)
            if depth == 0 and at < len(self.condition) - 1:
                return self.condition
        return self.condition[1:-1]


@dataclass(frozen=True)
class Table:
    """One table and its rules.

    Attributes
    ----------
    types
        The SQL type of each column, in order.
    required
        Columns that may not be NULL.
    given
        Columns that the database fills in when a row does not.
    keys
        The primary key and every other set of columns that no two rows share.
    foreign_keys, checks
        The other constraints.
    """

    name: str
    types: dict[str, str]
    required: frozenset[str]
    given: frozenset[str]
    keys: tuple[tuple[str, ...], ...]
    foreign_keys: tuple[ForeignKey, ...]
    checks: tuple[Check, ...]

    @property
    def counted(self) -> bool:
        """Whether the key is a running number that the database gives: rows may then repeat."""
        return any(set(key) <= self.given for key in self.keys)


def tables(connection: duckdb.DuckDBPyConnection) -> dict[str, Table]:
    """Describe the tables of the open database, parents before their children.

    Examples
    --------
    >>> from shortlist.data.sql import connect
    >>> with connect() as db:
    ...     _ = db.execute("CREATE TABLE a (id INT PRIMARY KEY, b INT CHECK (b > 0))")
    ...     tables(db)["a"].checks[0].bound
    'b > 0'
    """
    columns: dict[str, list[tuple[str, str, bool, bool]]] = {}
    for table, *column in connection.execute(
        """
        SELECT table_name, column_name, data_type, is_nullable, column_default IS NOT NULL
        FROM duckdb_columns() JOIN duckdb_tables() USING (database_name, schema_name, table_name)
        WHERE database_name = current_database() AND NOT duckdb_tables.temporary
        ORDER BY table_name, column_index
        """
    ).fetchall():
        columns.setdefault(table, []).append(tuple(column))
    constraints: dict[str, list[tuple[str, list[str], str, str, list[str]]]] = {}
    for table, *constraint in connection.execute(
        """
        SELECT table_name, constraint_type, constraint_column_names, expression,
               referenced_table, referenced_column_names
        FROM duckdb_constraints() WHERE database_name = current_database()
        ORDER BY table_name, constraint_index
        """
    ).fetchall():
        constraints.setdefault(table, []).append(tuple(constraint))
    found = {name: _table(name, columns[name], constraints.get(name, [])) for name in columns}
    order = TopologicalSorter(
        {
            name: [key.parent for key in table.foreign_keys if key.parent != name]
            for name, table in found.items()
        }
    )
    return {name: found[name] for name in order.static_order()}


def _table(
    name: str,
    columns: list[tuple[str, str, bool, bool]],
    constraints: list[tuple[str, list[str], str, str, list[str]]],
) -> Table:
    return Table(
        name,
        {column: kind for column, kind, _, _ in columns},
        frozenset(column for column, _, nullable, _ in columns if not nullable),
        frozenset(column for column, _, _, given in columns if given),
        tuple(tuple(names) for kind, names, *_ in constraints if kind in ("PRIMARY KEY", "UNIQUE")),
        tuple(
            ForeignKey(tuple(names), parent, tuple(parent_columns))
            for kind, names, _, parent, parent_columns in constraints
            if kind == "FOREIGN KEY"
        ),
        tuple(
            Check(expression, tuple(dict.fromkeys(names)))
            for kind, names, expression, *_ in constraints
            if kind == "CHECK"
        ),
    )
