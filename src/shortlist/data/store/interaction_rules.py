"""What a recorded interaction must satisfy: the rules of the table behind the view of interactions.

They are read from the schema of the store: types, conditions, and the table that lists the items.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from shortlist.data.coding.reading import is_number
from shortlist.data.sql import Connection, quoted, types_of
from shortlist.data.store.library_tables import RECORDED
from shortlist.data.store.schema import Check, ForeignKey, Table

_FIRST_YEAR, _LAST_YEAR = 1900, 2199
IDS = ("user_id", "item_id")
ROLES = (*IDS, "weight", "time")
_REMEDIES = {
    "user_id": "give an id",
    "item_id": "give an id",
    "weight": "give a weight within the bound",
    "time": "give the time of the interaction",
}
_VIEW_HEAD = re.compile(r'(?:[^"]|"[^"]*")*? AS ')  # before SELECT; a quoted name may hold AS


class Condition(NamedTuple):
    """A condition on a recorded line, in SQL, with its bound and a remedy for messages."""

    role: str
    sql: str
    bound: str
    remedy: str


@dataclass(frozen=True)
class InteractionRules:
    """The conditions on an interaction."""

    types: Mapping[str, str]  # the SQL types of user_id, item_id, weight and time
    columns: Mapping[str, str]
    """For each role the column of the table behind the view of interactions, if the view selects
    columns of one table."""
    checks: tuple[Check, ...] = ()  # the conditions of that table on these columns
    items: ForeignKey | None = None  # the reference of its item column to the table of items
    listing: frozenset[str] = frozenset()  # without it: the tables behind the view item_features
    unchecked: tuple[str, ...] = ()  # roles whose values the view computes from tables with checks

    @classmethod
    def read(cls, connection: Connection, tables: Mapping[str, Table]) -> InteractionRules:
        """Read the rules from the view of interactions and the table behind it."""
        types = types_of(connection, "interactions")
        table, columns, constants = _columns_behind(connection, list(types), tables)
        types = {name.lower(): kind for name, kind in types.items()}
        checks: tuple[Check, ...] = ()
        parents: list[ForeignKey] = []
        if table is not None:
            present, item = set(columns.values()), (columns.get("item_id", ""),)
            checks = tuple(check for check in table.checks if set(check.columns) <= present)
            parents = [key for key in table.foreign_keys if key.columns == item]
        computed = tuple(r for r in ("weight", "time") if r not in columns and r not in constants)
        conditions = (tables[n].checks for n in _tables_behind(connection, "interactions", tables))
        return cls(
            types,
            columns,
            checks,
            parents[0] if parents else None,
            frozenset() if parents else _tables_behind(connection, "item_features", tables),
            computed if any(conditions) else (),
        )

    def is_text(self, role: str) -> bool:
        """Return whether ids are texts in a data set: also UUIDs and the values of an ENUM."""
        return not is_number(self.types[role])

    def id_in_data(self, role: str, x: str) -> str:
        """Return SQL of an id as a data set has it."""
        return f"CAST({x} AS VARCHAR)" if self.is_text(role) else x

    def converted(self, source: str) -> str:
        """Return SQL for lines with converted values, also under the names that checks use."""
        values = {role: f"TRY_CAST(line.{role} AS {self.types[role]})" for role in IDS}
        ids = {role: self.id_in_data(role, values[role]) for role in IDS}
        values |= {"weight": "line.weight", "time": "line.time"}
        selected = ["line.record_id AS _record_id"]
        selected += [f"line.{role} AS _{role}_text" for role in IDS]
        selected += [f"{value} AS _{role}" for role, value in (values | ids).items()]
        selected += [f"{values[role]} AS {quoted(c)}" for role, c in self.columns.items()]
        return f"(SELECT {', '.join(selected)} FROM {source} AS line)"

    def conditions(self) -> list[Condition]:
        """Return the conditions on a converted line."""
        conditions = []
        for role in IDS:
            kind = self.types[role]
            fits, typed = f"_{role} IS NOT NULL", "give a whole number"
            if self.is_text(role):  # one id has one text, or a model would not know it
                fits = f"coalesce(_{role} = _{role}_text, false)"
                typed = "give a text" if kind == "VARCHAR" else "give one as text, in lower case"
                if kind.startswith("ENUM"):
                    typed = "give one of them, as text"
            conditions += [
                Condition(role, fits, f"the ids of this store are {kind}", typed),
                Condition(role, f"_{role}_text <> ''", "ids are not empty", "give an id"),
                Condition(
                    role,
                    f"NOT contains(_{role}_text, chr(0))",
                    "ids have no character NUL",
                    "give an id",
                ),
            ]
        finite, years = "_weight >= 0 AND _weight < 'inf'::FLOAT", f"{_FIRST_YEAR} to {_LAST_YEAR}"
        in_years = f"year(_time) BETWEEN {_FIRST_YEAR} AND {_LAST_YEAR}"
        bounds = [
            ("weight", finite, "weights are finite numbers, 0 or more"),
            ("time", in_years, f"times are in the years {years}"),
        ]
        roles = {column: role for role, column in self.columns.items()}
        for check in self.checks:
            role = roles[check.columns[0]]
            bounds.append((role, check.condition, f"the bound is {check.bound}"))
        return conditions + [Condition(*bound, _REMEDIES[bound[0]]) for bound in bounds]

    def passed(self) -> str:
        """Return the SQL condition that a converted line satisfies all conditions."""
        return " AND ".join(f"({rule.sql}) IS NOT FALSE" for rule in self.conditions())

    def valid(self) -> str:
        """Return SQL for the recorded interactions that satisfy all conditions."""
        return f"(FROM {self.converted(RECORDED)} WHERE {self.passed()})"


def _columns_behind(
    connection: Connection, names: Sequence[str], tables: Mapping[str, Table]
) -> tuple[Table | None, dict[str, str], set[str]]:
    """Return the table that the view of interactions reads, and its column of each role.

    ``names`` are the columns of the view. A view with anything but columns of one table has no such
    table. The third result is the roles that are constants, such as ``1::FLOAT AS weight``.
    """
    node = _parsed_views(connection)["interactions"]
    if node is None or node["type"] != "SELECT_NODE" or node["from_table"]["type"] != "BASE_TABLE":
        return None, {}, set()
    source = node["from_table"]
    table = _same_name(source["table_name"], tables)
    if table is None or source["column_name_alias"] or node["cte_map"]["map"]:
        return None, {}, set()
    own = {column.lower(): column for column in table.types}
    selected: list[tuple[str | None, bool]] = []  # the column, or whether it is a constant
    for expression in node["select_list"]:
        if expression["class"] == "STAR":
            # One that leaves out or replaces columns does not have as many as the view.
            changed = expression["replace_list"] or expression["expr"]
            selected += [(None if changed else column, False) for column in own.values()]
            continue
        inner = expression["child"] if expression["class"] == "CAST" else expression
        column = own.get(inner["column_names"][-1].lower()) if "column_names" in inner else None
        if column is not None and inner is not expression and not _is_ordered(table.types[column]):
            column = None
        selected.append((column, inner["class"] == "CONSTANT"))
    if len(selected) != len(names):
        return None, {}, set()
    roles = {name.lower(): found for name, found in zip(names, selected, strict=True)}
    columns = {role: roles[role][0] for role in ROLES}
    constants = {role for role in ROLES if roles[role][1]}
    return table, {role: c for role, c in columns.items() if c is not None}, constants


def _is_ordered(kind: str) -> bool:
    """Return whether a condition on a column holds for its values cast to a number or time, too."""
    return is_number(kind) or kind.startswith(("DATE", "TIMESTAMP"))


def _parsed_views(connection: Connection) -> dict[str, Any]:
    """Return the SELECT statement of each view, by its name in lower case; None: unknown syntax."""
    nodes: dict[str, Any] = {}
    for name, sql in connection.execute(
        "SELECT lower(view_name), sql FROM duckdb_views() WHERE NOT internal"
    ).fetchall():
        select = _VIEW_HEAD.sub("", sql, count=1).rstrip().rstrip(";")
        [(text,)] = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [select]).fetchall()
        parsed = json.loads(text)
        nodes[name] = None if parsed["error"] else parsed["statements"][0]["node"]
    return nodes


def _same_name(name: str, tables: Mapping[str, Table]) -> Table | None:
    """Return the table of a name; names do not differ by case."""
    return next((table for other, table in tables.items() if other.lower() == name.lower()), None)


def _tables_behind(
    connection: Connection, view: str, tables: Mapping[str, Table]
) -> frozenset[str]:
    """Return the tables that a view reads, also through other views."""
    views, names, found = _parsed_views(connection), [view], set[str]()
    while names:
        name = names.pop()
        if (table := _same_name(name, tables)) is not None:
            found.add(table.name)
        elif name.lower() in views:
            node = views.pop(name.lower())
            names += tables if node is None else _names_in(node)
    return frozenset(found)


def _names_in(node: Any) -> list[str]:
    """Return the tables and views that a part of a parsed statement names."""
    if isinstance(node, list):
        return [name for part in node for name in _names_in(part)]
    if not isinstance(node, dict):
        return []
    own = [node["table_name"]] if node.get("type") == "BASE_TABLE" else []
    return own + _names_in(list(node.values()))
