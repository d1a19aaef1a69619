"""Interactions that a running service records, in a table of their own.

They must satisfy what rows of the schema's interactions must satisfy: types, conditions, and items
that exist. Users may be new. Lines that do not (older versions wrote some) stay in the table; they
are skipped, and a warning reports them.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from shortlist.data.coding.reading import is_number
from shortlist.data.formats import scan
from shortlist.data.sql import Connection, literal, quoted, types_of
from shortlist.data.store.database import Database
from shortlist.data.store.library_tables import RECORDED
from shortlist.data.store.schema import Check, ForeignKey, Table
from shortlist.data.store.staging import temporary_names
from shortlist.data.vocabulary import Id
from shortlist.errors import InputError, ShortlistError
from shortlist.text import counted

FIRST_YEAR, LAST_YEAR = 1900, 2199
_IDS = ("user_id", "item_id")
_ROLES = (*_IDS, "weight", "time")
_REMEDIES = {
    "user_id": "give an id",
    "item_id": "give an id",
    "weight": "give a weight within the bound",
    "time": "give the time of the interaction",
}
_VIEW_HEAD = re.compile(r'(?:[^"]|"[^"]*")*? AS ')  # before SELECT; a quoted name may hold AS
_SHOWN = 3  # skipped lines that a warning names


class Recorded(NamedTuple):
    """An interaction that a service records; the types of its ids are those of the schema."""

    user_id: Id
    item_id: Id
    weight: float  # finite, not negative, and within the bounds of the schema
    time: dt.datetime  # with a time zone


class Condition(NamedTuple):
    """A condition on a recorded line, in SQL, with its bound and a remedy for messages."""

    role: str
    sql: str
    bound: str
    remedy: str


class SkippedLinesWarning(UserWarning):
    """Recorded interactions that violate the rules of the schema were skipped."""


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

    def converted(self, source: str) -> str:
        """Return SQL for lines with converted values, also under the names that checks use."""
        values = {role: f"TRY_CAST(line.{role} AS {self.types[role]})" for role in _IDS}
        values |= {"weight": "line.weight", "time": "line.time"}
        selected = ["line.record_id AS _record_id"]
        selected += [f"line.{role} AS _{role}_text" for role in _IDS]
        selected += [f"{value} AS _{role}" for role, value in values.items()]
        selected += [f"{values[role]} AS {quoted(c)}" for role, c in self.columns.items()]
        return f"(SELECT {', '.join(selected)} FROM {source} AS line)"

    def conditions(self) -> list[Condition]:
        """Return the conditions on a converted line."""
        conditions = []
        for role in _IDS:
            kind = self.types[role]
            typed = "give a text" if kind == "VARCHAR" else "give a whole number"
            conditions += [
                Condition(role, f"_{role} IS NOT NULL", f"the ids of this store are {kind}", typed),
                Condition(role, f"_{role}_text <> ''", "ids are not empty", "give an id"),
                Condition(
                    role,
                    f"NOT contains(_{role}_text, chr(0))",
                    "ids have no character NUL",
                    "give an id",
                ),
            ]
        finite, years = "_weight >= 0 AND _weight < 'inf'::FLOAT", f"{FIRST_YEAR} to {LAST_YEAR}"
        in_years = f"year(_time) BETWEEN {FIRST_YEAR} AND {LAST_YEAR}"
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
    columns = {role: roles[role][0] for role in _ROLES}
    constants = {role for role in _ROLES if roles[role][1]}
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


def record(
    database: Database, interactions: Sequence[Recorded], rules: InteractionRules
) -> list[int]:
    """Write recorded interactions; see :meth:`shortlist.Store.record`."""
    if not interactions:
        return []
    for role in _IDS:
        expected = str if rules.types[role] == "VARCHAR" else int
        for number, interaction in enumerate(interactions):
            if type(getattr(interaction, role)) is not expected:
                typed = next(rule for rule in rules.conditions() if rule.role == role)
                raise _refusal(interactions, number, typed)
    times = [row.time.astimezone(dt.UTC).replace(tzinfo=None) for row in interactions]
    rows = pa.table(
        {
            "record_id": pa.array(range(len(interactions)), pa.int64()),
            "user_id": pa.array([str(row.user_id) for row in interactions], pa.string()),
            "item_id": pa.array([str(row.item_id) for row in interactions], pa.string()),
            "weight": pa.array([row.weight for row in interactions], pa.float32()),
            "time": pa.array(times, pa.timestamp("us")),
        }
    )
    with temporary_names(database.staging) as names:
        frame = next(names)
        database.staging.register(frame, rows)
        _require_conditions(database.staging, frame, interactions, rules)
        if rules.items is None:
            _require_listed(database, interactions, rules)
        try:
            with database.transaction():
                if rules.items is not None:
                    _require_items(database, frame, interactions, rules, rules.items)
                table, columns = database.tables()[RECORDED], rows.column_names[1:]
                database.insert(table, columns, f"FROM {frame} ORDER BY record_id")
                # The transaction keeps other writers out, so the new ids follow each other.
                [row] = database.fetch(f"SELECT max(record_id) AS last FROM {RECORDED}").to_pylist()
        except duckdb.Error as error:  # the disk is full, or the file is gone
            raise ShortlistError(
                f"the interactions could not be written: {str(error).splitlines()[0]}",
                remedy="check that the disk has room and that the database may be written to",
            ) from error
    last = int(row["last"])
    return list(range(last - len(interactions) + 1, last + 1))


def _require_conditions(
    staging: Connection, frame: str, interactions: Sequence[Recorded], rules: InteractionRules
) -> None:
    conditions = rules.conditions()
    cases = " ".join(f"WHEN NOT ({rule.sql}) THEN {n}" for n, rule in enumerate(conditions))
    for number, violated in staging.execute(
        f"SELECT _record_id, CASE {cases} END AS violated FROM {rules.converted(frame)} "
        "WHERE violated IS NOT NULL ORDER BY _record_id LIMIT 1"
    ).fetchall():
        raise _refusal(interactions, number, conditions[violated])


def _require_items(
    database: Database,
    frame: str,
    interactions: Sequence[Recorded],
    rules: InteractionRules,
    items: ForeignKey,
) -> None:
    parent, (column,) = database.tables()[items.parent], items.parent_columns
    database.copy_to_staging(parent, [column], f"{quoted(column)} IN ({_item_ids(interactions)})")
    for (number,) in database.staging.execute(
        f"SELECT record_id FROM {frame} AS line "
        f"ANTI JOIN {quoted(parent.name)} AS parent "
        f"ON TRY_CAST(line.item_id AS {rules.types['item_id']}) = parent.{quoted(column)} "
        "ORDER BY record_id LIMIT 1"
    ).fetchall():
        raise _unknown_item(interactions, number, parent.name)


def _require_listed(
    database: Database, interactions: Sequence[Recorded], rules: InteractionRules
) -> None:
    """Refuse items that the view item_features lacks: :func:`read_views` leaves them out."""
    item = f"CAST(item_id AS {rules.types['item_id']})"
    translated = scan.translated("the view item_features")
    with translated, database.reading(rules.listing) as connection:
        rows = connection.execute(
            f"SELECT {item} FROM item_features WHERE {item} IN ({_item_ids(interactions)})"
        ).fetchall()
    known = {item for (item,) in rows}
    for number, interaction in enumerate(interactions):
        if interaction.item_id not in known:
            raise _unknown_item(interactions, number, "item_features")


def _item_ids(interactions: Sequence[Recorded]) -> str:
    ids = {interaction.item_id for interaction in interactions}
    return ", ".join(literal(key) if isinstance(key, str) else str(key) for key in ids)


def _unknown_item(interactions: Sequence[Recorded], number: int, table: str) -> InputError:
    bound, remedy = f"it is not in {table}", "give an item that the store has"
    return _refusal(interactions, number, Condition("item_id", "", bound, remedy))


def _refusal(interactions: Sequence[Recorded], number: int, violated: Condition) -> InputError:
    value = getattr(interactions[number], violated.role)
    text = value.isoformat() if isinstance(value, dt.datetime) else repr(value)
    return InputError(
        f"{violated.role} {text}: {violated.bound}",
        where=f"interaction {number}",
        remedy=violated.remedy,
    )


def remove(database: Database, record_id: int) -> bool:
    """Remove a recorded interaction; see :meth:`shortlist.Store.unrecord`."""
    if not 0 < record_id < 2**63:
        return False
    with database.transaction():
        gone = database.fetch(
            f"DELETE FROM {RECORDED} WHERE record_id = {record_id} RETURNING record_id"
        )
    return bool(gone.num_rows)


def journal(connection: Connection, rules: InteractionRules) -> dict[int, Recorded]:
    """Return the recorded interactions by id, in the order of recording."""
    if not any_recorded(connection):
        return {}
    _report_skipped(connection, rules)
    rows = connection.execute(
        f"SELECT _record_id, _user_id, _item_id, _weight, _time FROM {rules.valid()} "
        "ORDER BY _record_id"
    ).fetchall()
    return {
        number: Recorded(user, item, weight, time.replace(tzinfo=dt.UTC))
        for number, user, item, weight, time in rows
    }


def any_recorded(connection: Connection) -> bool:
    """Return whether interactions have been recorded; a store of version 1 has no such table."""
    tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    return (RECORDED,) in tables and bool(connection.execute(f"FROM {RECORDED} LIMIT 1").fetchall())


def read_views(connection: Connection, rules: InteractionRules, place: str) -> dict[str, Any]:
    """Return the arguments of :meth:`Dataset.from_tables` for the views of the schema.

    Recorded interactions follow those of the schema.
    """
    with scan.translated("the view interactions"):
        [(count, times)] = connection.execute(
            "SELECT count(*), count(time) FROM interactions"
        ).fetchall()
    if not count and not any_recorded(connection):
        raise InputError(
            "the store has no interactions yet",
            where=place,
            remedy="load some: shortlist load DB PATH...",
        )
    [(labels,)] = connection.execute(
        "SELECT count(*) FROM information_schema.tables WHERE lower(table_name) = 'labels'"
    ).fetchall()
    interactions, users = _with_recorded(connection, rules)
    return {
        "interactions": interactions,
        "users": users,
        "items": connection.sql("FROM item_features"),
        "weight": "weight",
        "time": "time" if times or not count else None,
        "labels": connection.sql("FROM labels") if labels else None,
    }


def _with_recorded(
    connection: Connection, rules: InteractionRules
) -> tuple[duckdb.DuckDBPyRelation, duckdb.DuckDBPyRelation]:
    """Return the interactions of the schema followed by recorded ones, and the user features.

    Users who occur only in recorded interactions have no features. Recorded interactions with an
    item that the schema no longer has are left out.
    """
    if not any_recorded(connection):
        columns = ", ".join(
            f"{quoted(name)} AS {quoted(name.lower() if name.lower() in _ROLES else name)}"
            for name in types_of(connection, "interactions")
        )
        return (
            connection.sql(f"SELECT {columns} FROM interactions"),
            connection.sql("FROM user_features"),
        )
    _report_skipped(connection, rules)
    valid = f"{rules.valid()} WHERE _item_id IN (SELECT item_id FROM item_features)"
    return connection.sql(
        f"""
        SELECT {", ".join(f"{role} AS {role}" for role in _ROLES)} FROM interactions
        UNION ALL
        (SELECT _user_id, _item_id, _weight, _time FROM {valid} ORDER BY _record_id)
        """
    ), connection.sql(
        f"""
        FROM user_features
        UNION ALL BY NAME
        (SELECT DISTINCT _user_id AS user_id FROM {valid}
           AND _user_id NOT IN (SELECT user_id FROM user_features))
        """
    )


def _report_skipped(connection: Connection, rules: InteractionRules) -> None:
    rows = connection.execute(
        "SELECT count(*) OVER (), _record_id, _user_id_text, _item_id_text, _weight, "
        f"_time::VARCHAR FROM {rules.converted(RECORDED)} WHERE NOT ({rules.passed()}) "
        f"ORDER BY _record_id LIMIT {_SHOWN}"
    ).fetchall()
    if rows:
        shown = "; ".join(
            f"record_id {number}: user {user!r}, item {item!r}, weight {weight:g}, time {time}"
            for _, number, user, item, weight, time in rows
        )
        warnings.warn(
            f"{counted(rows[0][0], 'recorded interaction')} skipped, which the schema does not "
            f"allow ({shown}); they stay in the table {RECORDED}: correct or delete them there",
            SkippedLinesWarning,
            stacklevel=2,
        )
