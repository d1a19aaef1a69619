"""An open database of any kind: what it was made from, and what may be done with it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Self

from shortlist.data.store.address import Address, Kind
from shortlist.data.store.database import Database
from shortlist.data.store.duckdb_file import DuckDBFile
from shortlist.data.store.interaction_rules import InteractionRules
from shortlist.data.store.postgresql import PostgreSQL
from shortlist.data.store.schema import VERSION
from shortlist.data.store.sqlite import SQLite
from shortlist.errors import InputError, ShortlistError
from shortlist.files import refuse_bundle

DATABASES: Mapping[Kind, type[Database]]
DATABASES = {"duckdb": DuckDBFile, "sqlite": SQLite, "postgresql": PostgreSQL}


class OpenStore:
    """The base of :class:`~shortlist.data.store.store.Store`: opening, closing, permissions."""

    def __init__(self, database: str | Path, *, read_only: bool = False) -> None:
        address = Address.of(database)
        if address.path is not None and not read_only:
            refuse_bundle(address.path.parent)
        self._database = DATABASES[address.kind](address, read_only=read_only)
        self.place = address.place
        try:
            self.schema = self._check_version()
        except ShortlistError:
            self.close()
            raise

    def close(self) -> None:
        """Close the database; closing it again does nothing."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.place!r}, schema={self.schema!r})"

    @property
    def path(self) -> Path:
        """The file; an InputError if the database is on a server."""
        path = self._database.address.path
        if path is None:
            raise InputError(f"{self.place} is not a file", remedy="use the attribute place")
        return path

    @cached_property
    def _rules(self) -> InteractionRules:
        with self._database.reading([]) as connection:
            return InteractionRules.read(connection, self._database.tables())

    def _warn_of_unchecked(self) -> None:
        """Warn if recorded interactions cannot be held to the conditions of the tables."""
        if computed := " and ".join(self._rules.unchecked):
            warnings.warn(
                "recorded interactions are not held to the conditions of the tables on their "
                f"{computed}: the view interactions does not select {computed} as columns of one "
                "table",
                stacklevel=3,
            )

    def _check_version(self) -> str:
        """Upgrade an older store and refuse a newer one; return the name of the schema."""
        info = self._database.info()
        if info is None:
            return ""
        schema, version = info
        if version > VERSION:
            raise InputError(
                f"{self.place} has version {version}; this shortlist reads up to {VERSION}",
                remedy="install a newer shortlist",
            )
        if version < VERSION and not self._database.read_only:
            self._database.upgrade(version)
        return schema

    def require_runs(self) -> None:
        """Raise an InputError unless the database has the tables that :meth:`write` fills."""
        self._require(remedy=f"create those of runs: shortlist init {self.place} --schema runs")

    def _require(
        self,
        *,
        interactions: bool = False,
        writable: bool = False,
        remedy: str = "create them: shortlist init DB --schema NAME",
    ) -> None:
        if not self.schema:
            what = f"{self.place} is a database without the tables of shortlist"
            raise InputError(what, remedy=remedy)
        if interactions and self.schema == "runs":
            raise InputError(
                "a store of the schema runs has no interactions",
                where=self.place,
                remedy="open the store that the tables were loaded into",
            )
        if writable and self._database.read_only:
            raise InputError(f"{self.place} was opened read-only", remedy="open it to write")
