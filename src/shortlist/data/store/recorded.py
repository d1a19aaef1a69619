"""Interactions that a running service records, in a table of their own.

They must satisfy what rows of the schema's interactions must satisfy: types, conditions, and items
that exist. Users may be new. Lines that do not (older versions wrote some) stay in the table; they
are skipped, and a warning reports them.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from shortlist.data.formats import scan
from shortlist.data.sql import Connection, literal, quoted, types_of
from shortlist.data.store.database import Database
from shortlist.data.store.interaction_rules import (
    IDS,
    ROLES,
    Condition,
    InteractionRules,
)
from shortlist.data.store.library_tables import RECORDED
from shortlist.data.store.schema import ForeignKey
from shortlist.data.store.staging import temporary_names
from shortlist.data.vocabulary import Id
from shortlist.errors import InputError, ShortlistError
from shortlist.text import counted

_SHOWN = 3  # skipped lines that a warning names


class Recorded(NamedTuple):
    """An interaction that a service records; the types of its ids are those of the schema."""

    user_id: Id
    item_id: Id
    weight: float  # finite, not negative, and within the bounds of the schema
    time: dt.datetime  # with a time zone


class SkippedLinesWarning(UserWarning):
    """Recorded interactions that violate the rules of the schema were skipped."""


def record(
    database: Database, interactions: Sequence[Recorded], rules: InteractionRules
) -> list[int]:
    """Write recorded interactions; see :meth:`shortlist.Store.record`."""
    if not interactions:
        return []
    for role in IDS:
        expected = str if rules.is_text(role) else int
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
    item = rules.id_in_data("item_id", f"CAST(item_id AS {rules.types['item_id']})")
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
            f"{quoted(name)} AS {quoted(name.lower() if name.lower() in ROLES else name)}"
            for name in types_of(connection, "interactions")
        )
        return (
            connection.sql(f"SELECT {columns} FROM interactions"),
            connection.sql("FROM user_features"),
        )
    _report_skipped(connection, rules)
    user, item = (rules.id_in_data(role, role) for role in IDS)
    valid = f"{rules.valid()} WHERE _item_id IN (SELECT {item} FROM item_features)"
    return connection.sql(
        f"""
        SELECT {", ".join(f"{role} AS {role}" for role in ROLES)} FROM interactions
        UNION ALL
        (SELECT _user_id, _item_id, _weight, _time FROM {valid} ORDER BY _record_id)
        """
    ), connection.sql(
        f"""
        FROM user_features
        UNION ALL BY NAME
        (SELECT DISTINCT _user_id AS user_id FROM {valid}
           AND _user_id NOT IN (SELECT {user} FROM user_features))
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
