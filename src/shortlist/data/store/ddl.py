"""The schemas as plain SQL, and a database made from one."""

from __future__ import annotations

import datetime as dt
from importlib.resources import files
from pathlib import Path

import duckdb

from shortlist.data.sql import transaction
from shortlist.errors import InputError, suggestion

SCHEMAS = ("jobs", "movies", "runs")

RECORDED = """
CREATE SEQUENCE IF NOT EXISTS recorded_interaction_id;
CREATE TABLE IF NOT EXISTS recorded_interactions (
    record_id    BIGINT PRIMARY KEY DEFAULT nextval('recorded_interaction_id'),
    user_id      VARCHAR NOT NULL,                              -- as text, whatever its type is
    item_id      VARCHAR NOT NULL,
    weight       FLOAT NOT NULL CHECK (weight >= 0 AND weight < 'inf'::FLOAT),
    time         TIMESTAMP NOT NULL,                            -- UTC
    recorded_at  TIMESTAMP NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);
"""
_IF_ABSENT = "CREATE TABLE IF NOT EXISTS"
_VIEWS = frozenset({"interactions", "user_features", "item_features"})
_OWN = """
CREATE TABLE shortlist_store (
    schema      VARCHAR NOT NULL,   -- the name of the schema the file was made from
    version     INTEGER NOT NULL,
    created_at  TIMESTAMP NOT NULL, -- UTC
    ddl         VARCHAR             -- the statements that made it, this table included
);
"""


def schema_sql(name: str | Path) -> str:
    """Give the DDL of a schema.

    Parameters
    ----------
    name
        ``movies``, ``jobs`` or ``runs``, or a path to a ``.sql`` file of your own, which must
        define the views ``interactions`` (user_id, item_id, weight, time), ``user_features`` and
        ``item_features`` (their first column is the id).

    Raises
    ------
    InputError
        There is no such schema or file.

    Examples
    --------
    >>> schema_sql("runs").splitlines()[0]
    '-- runs: the lists that were made, one row per run and one per recommended item. For DuckDB.'
    """
    if str(name).endswith(".sql"):
        if not Path(name).is_file():
            raise InputError(f"there is no file {name}", remedy="check the path of the schema")
        return Path(name).read_text("utf-8")
    if name not in SCHEMAS:
        raise InputError(
            f"there is no schema '{name}'",
            remedy=f"{suggestion(str(name), SCHEMAS)}, or a .sql file",
        )
    return files("shortlist.data").joinpath("schemas", f"{name}.sql").read_text("utf-8")


def make(db: duckdb.DuckDBPyConnection, schema: str | Path, version: int) -> None:
    """Fill an empty database with a schema, the run tables, and a note of where it came from.

    Raises
    ------
    InputError
        The schema is unknown, is no valid SQL, or lacks a view that the library reads.
    """
    name, ddl = Path(schema).stem, schema_sql(schema)
    runs = "" if name == "runs" else schema_sql("runs")
    script = "\n".join((ddl, runs, RECORDED, _OWN))
    try:
        for statements in (ddl, script.removeprefix(ddl)):
            db.execute(statements)
    except duckdb.Error as error:
        raise InputError(
            f"the schema is not valid: {str(error).splitlines()[0]}", where=str(schema)
        ) from error
    found = db.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    absent = sorted(_VIEWS - {view for (view,) in found})
    if runs and absent:
        raise InputError(
            f"the schema lacks the view {absent[0]}",
            where=str(schema),
            remedy=f"define the views {', '.join(sorted(_VIEWS))}",
        )
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    db.execute("INSERT INTO shortlist_store VALUES (?, ?, ?, ?)", [name, version, now, script])


def upgrade(db: duckdb.DuckDBPyConnection, version: int) -> None:
    """Bring the tables that every store has to the present version.

    Raises
    ------
    duckdb.Error
        The database cannot be written to.
    """
    with transaction(db):
        for statement in duckdb.extract_statements(schema_sql("runs") + RECORDED):
            db.execute(statement.query.replace("CREATE TABLE rec", f"{_IF_ABSENT} rec"))
        db.execute("ALTER TABLE shortlist_store ADD COLUMN IF NOT EXISTS ddl VARCHAR")
        db.execute("UPDATE shortlist_store SET version = ?", [version])
