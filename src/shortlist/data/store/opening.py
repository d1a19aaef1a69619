"""Where a store lives: a DuckDB file, a SQLite file, or a PostgreSQL database."""

from __future__ import annotations

from pathlib import Path

from shortlist.data.store.address import Address
from shortlist.data.store.database import Database


def open_database(target: str | Path, *, read_only: bool = False) -> Database:
    """Open the database that a path or a URL names.

    Raises
    ------
    InputError
        There is none, or the URL cannot be read.
    DatabaseError
        It cannot be reached, or refuses.
    ConfigError
        The extra ``sql`` is not installed.
    """
    address = Address.of(target)
    match address.kind:
        case "postgresql":
            from shortlist.data.store.postgresql import PostgreSQL

            return PostgreSQL(address, read_only=read_only)
        case "sqlite":
            from shortlist.data.store.sqlite import SQLite

            return SQLite(address, read_only=read_only)
        case _:
            from shortlist.data.store.duckdb_file import Local

            return Local(address, read_only=read_only)


def create_database(target: str | Path, schema: str | Path, version: int) -> None:
    """Make the tables of a schema, and the file they lie in if there is none; all or nothing.

    Raises
    ------
    InputError
        The schema is unknown or no valid SQL, or a table is there already.
    """
    address = Address.of(target)
    match address.kind:
        case "postgresql":
            from shortlist.data.store.postgresql import PostgreSQL

            with PostgreSQL(address) as database:
                database.create(schema, version)
        case "sqlite":
            from shortlist.data.store.sqlite import create

            create(address, schema, version)
        case _:
            from shortlist.data.store.duckdb_file import create

            create(address, schema, version)
