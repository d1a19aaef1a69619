"""Interactions that a running service records, one by one, beside the tables of the schema.

They lie in a table of their own, so that every schema can have them: it needs no parent rows, keeps
what is repeated, and is only ever added to. ``Store.dataset`` puts them behind the interactions of
the schema.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pyarrow as pa

from shortlist.data.vocabulary import Id
from shortlist.errors import InputError, ShortlistError

if TYPE_CHECKING:
    from shortlist.data.store.database import Database

TABLE = "recorded_interactions"


class Recorded(NamedTuple):
    """An interaction as it is recorded.

    Attributes
    ----------
    user_id, item_id
        Ids of the type that the schema's interactions have.
    weight
        Finite and not negative.
    time
        With a time zone.
    """

    user_id: Id
    item_id: Id
    weight: float
    time: dt.datetime


def record(database: Database, rows: Sequence[Recorded]) -> None:
    """Do the work of :meth:`shortlist.Store.record`, which documents it."""
    for name, kind in zip(("user_id", "item_id"), _types(database.described()), strict=True):
        wanted = str if kind == "VARCHAR" else int
        for number, row in enumerate(rows):
            if type(getattr(row, name)) is not wanted:
                raise InputError(
                    f"{name} {getattr(row, name)!r}: the ids of this store are {kind}",
                    where=f"interaction {number}",
                    remedy="give a text" if wanted is str else "give a whole number",
                )
    columns = {
        "user_id": pa.array([str(row.user_id) for row in rows], pa.string()),
        "item_id": pa.array([str(row.item_id) for row in rows], pa.string()),
        "weight": pa.array([row.weight for row in rows], pa.float32()),
        "time": pa.array([_utc(row.time) for row in rows], pa.timestamp("us")),
    }
    try:
        with database.exclusive():
            database.append(database.catalogue()[TABLE], pa.table(columns))
    except duckdb.ConstraintException as error:
        raise InputError(
            f"an interaction is out of bounds: {str(error).splitlines()[0]}",
            remedy="weights are finite numbers, 0 or more",
        ) from None
    except duckdb.Error as error:  # the disk is full, the file is gone
        raise ShortlistError(
            f"the interactions could not be written: {str(error).splitlines()[0]}",
            remedy="see that the disk has room and the database may be written",
        ) from error


def recorded(db: duckdb.DuckDBPyConnection) -> list[Recorded]:
    """Give what was recorded, in that order."""
    if not any_recorded(db):
        return []
    user, item = _types(db)
    found = db.execute(
        f"SELECT CAST(user_id AS {user}), CAST(item_id AS {item}), weight, time "
        f"FROM {TABLE} ORDER BY record_id"
    ).fetchall()
    return [
        Recorded(user_id, item_id, weight, time.replace(tzinfo=dt.UTC))
        for user_id, item_id, weight, time in found
    ]


def any_recorded(db: duckdb.DuckDBPyConnection) -> bool:
    """Say whether anything was recorded."""
    made = db.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = ?", [TABLE]
    ).fetchall()
    return bool(made[0][0] and db.execute(f"FROM {TABLE} LIMIT 1").fetchall())


def with_recorded(
    db: duckdb.DuckDBPyConnection,
) -> tuple[duckdb.DuckDBPyRelation, duckdb.DuckDBPyRelation]:
    """Give the interactions and the user features of the schema, and what was recorded behind them.

    A user who occurs nowhere but here has no features. What was recorded of an item that the schema
    no longer has is left out.
    """
    user, item = _types(db)
    interactions = db.sql(
        f"""
        SELECT user_id, item_id, weight, time FROM interactions
        UNION ALL
        (SELECT CAST(user_id AS {user}), CAST(item_id AS {item}), weight, time FROM {TABLE}
         WHERE TRY_CAST(item_id AS {item}) IN (SELECT item_id FROM item_features)
         ORDER BY record_id)
        """
    )
    features = db.sql(
        f"""
        FROM user_features
        UNION ALL BY NAME
        (SELECT DISTINCT CAST(user_id AS {user}) AS user_id FROM {TABLE}
         WHERE CAST(user_id AS {user}) NOT IN (SELECT user_id FROM user_features)
           AND TRY_CAST(item_id AS {item}) IN (SELECT item_id FROM item_features))
        """
    )
    return interactions, features


def _types(db: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    """Give the SQL types of the ids of users and items."""
    kinds = {name: kind for name, kind, *_ in db.execute("DESCRIBE FROM interactions").fetchall()}
    return kinds["user_id"], kinds["item_id"]


def _utc(time: dt.datetime) -> dt.datetime:
    return time.astimezone(dt.UTC).replace(tzinfo=None)
