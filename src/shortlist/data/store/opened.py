"""An open database, and what it was made from."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from shortlist.data.store.opening import open_database
from shortlist.errors import InputError, ShortlistError

VERSION = 2  # of the tables that this library writes; raised when a schema changes


class OpenDatabase:
    """The connection of a :class:`shortlist.Store`, which says what can be done with it."""

    def __init__(self, database: str | Path, *, read_only: bool = False) -> None:
        self._database = open_database(database, read_only=read_only)
        self.place = self._database.address.place
        try:
            self.schema = self._made_from()
        except ShortlistError:
            self.close()
            raise

    def close(self) -> None:
        """Close the database; closing it again does nothing."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.place!r}, schema={self.schema!r})"

    @property
    def path(self) -> Path:
        """The file.

        Raises
        ------
        InputError
            The database is on a server.
        """
        path = self._database.address.path
        if path is None:
            raise InputError(f"{self.place} is no file", remedy="use place")
        return path

    def _made_from(self) -> str:
        origin = self._database.origin()
        if origin is None:
            return ""
        if origin.version > VERSION:
            raise InputError(
                f"{self.place} has version {origin.version}; this shortlist reads up to {VERSION}",
                remedy="install a newer shortlist",
            )
        if origin.version < VERSION and not self._database.read_only:
            self._database.upgrade(VERSION)
        return origin.schema

    def _require_store(self) -> None:
        if not self.schema:
            raise InputError(
                f"{self.place} is a database, but not one of shortlist's",
                remedy="create one: shortlist init DB --schema NAME",
            )

    def _require_interactions(self) -> None:
        self._require_store()
        if self.schema == "runs":
            raise InputError(
                "a store of the schema runs has no interactions",
                where=self.place,
                remedy="open the store the tables were loaded into",
            )

    def _require_writable(self) -> None:
        self._require_store()
        if self._database.read_only:
            raise InputError(f"{self.place} was opened to read only", remedy="open it to write")
