"""Interactions that a running service records, in a table of their own.

They must satisfy what rows of the schema's interactions must satisfy: types, conditions, and items
that exist. Users may be new. Lines that do not (older versions wrote some) stay in the table; they
are skipped, and a warning reports them.
"""

from __future__ import annotations

import datetime as dt
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

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
    """For each role the column of the table behind the view of interactions, if the view only
    renames columns of one table."""
    checks: tuple[Check, ...] = ()  # the conditions of that table on these columns
    items: ForeignKey | None = None  # the reference of its item column to the table of items

    @classmethod
    def read(cls, connection: Connection, tables: Mapping[str, Table]) -> InteractionRules:
        """Read the rules from the view of interactions and the table behind it."""
        types = types_of(connection, "interactions")
        name, columns = _columns_behind(connection)
        if name not in tables:
            return cls(types, {})
        table, present = tables[name], set(columns.values())
        checks = tuple(check for check in table.checks if set(check.columns) <= present)
        item = (columns.get("item_id", ""),)
        parents = [key for key in table.foreign_keys if key.columns == item]
        return cls(types, columns, checks, parents[0] if parents else None)

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


def _columns_behind(connection: Connection) -> tuple[str, dict[str, str]]:
    """Return the table that the view of interactions renames the columns of, and these columns.

    A view with anything but columns of one table has no such table.
    """
    [(sql,)] = connection.execute(
        "SELECT sql FROM duckdb_views() WHERE view_name = 'interactions' AND NOT internal"
    ).fetchall()
    select = sql[sql.upper().index(" AS ") + 4 :].rstrip().rstrip(";")
    [(text,)] = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [select]).fetchall()
    parsed = json.loads(text)
    if parsed["error"] or len(parsed["statements"]) != 1:
        return "", {}
    node = parsed["statements"][0]["node"]
    if node["type"] != "SELECT_NODE" or node["from_table"]["type"] != "BASE_TABLE":
        return "", {}
    columns = {}
    for expression in node["select_list"]:
        if expression["class"] == "COLUMN_REF":
            column = expression["column_names"][-1]
            columns[expression["alias"] or column] = column
    return node["from_table"]["table_name"], {r: c for r, c in columns.items() if r in _ROLES}


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
        try:
            with database.transaction():
                _require_items(database, frame, interactions, rules)
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
    database: Database, frame: str, interactions: Sequence[Recorded], rules: InteractionRules
) -> None:
    if rules.items is None:
        return
    parent, (column,) = database.tables()[rules.items.parent], rules.items.parent_columns
    ids = {interaction.item_id for interaction in interactions}
    listed = ", ".join(literal(key) if isinstance(key, str) else str(key) for key in ids)
    database.copy_to_staging(parent, [column], f"{quoted(column)} IN ({listed})")
    for (number,) in database.staging.execute(
        f"SELECT record_id FROM {frame} AS line "
        f"ANTI JOIN {quoted(parent.name)} AS parent "
        f"ON TRY_CAST(line.item_id AS {rules.types['item_id']}) = parent.{quoted(column)} "
        "ORDER BY record_id LIMIT 1"
    ).fetchall():
        bound, remedy = f"it is not in {parent.name}", "give an item that the store has"
        raise _refusal(interactions, number, Condition("item_id", "", bound, remedy))


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
        "SELECT count(*) FROM information_schema.tables WHERE table_name = 'labels'"
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
        return connection.sql("FROM interactions"), connection.sql("FROM user_features")
    _report_skipped(connection, rules)
    valid = f"{rules.valid()} WHERE _item_id IN (SELECT item_id FROM item_features)"
    return connection.sql(
        f"""
        SELECT user_id, item_id, weight, time FROM interactions
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
