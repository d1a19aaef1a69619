"""A DuckDB file that was made from one of the schemas, and the few things done with it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from shortlist.data.catalogue import tables
from shortlist.data.checks import check
from shortlist.data.formats import Fill
from shortlist.data.inputs import Inputs
from shortlist.data.layouts import LAYOUTS
from shortlist.data.load import LoadReport, load, scratch
from shortlist.data.sources import relation
from shortlist.data.sql import connect, transaction
from shortlist.data.staging import Source, stage
from shortlist.errors import InputError, suggestion
from shortlist.files import atomic_file

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset

SCHEMAS = ("jobs", "movies", "runs")
VERSION = 1  # of the tables that this library writes; raised when a schema changes

_VIEWS = frozenset({"interactions", "user_features", "item_features"})
_OWN = """
CREATE TABLE shortlist_store (
    schema      VARCHAR NOT NULL,   -- the name of the schema the file was made from
    version     INTEGER NOT NULL,
    created_at  TIMESTAMP NOT NULL  -- UTC
);
"""
_ID_TYPES = {
    **dict.fromkeys(["TINYINT", "SMALLINT", "INTEGER", "BIGINT"], "BIGINT"),
    **dict.fromkeys(["UTINYINT", "USMALLINT", "UINTEGER"], "BIGINT"),
    "UBIGINT": "UBIGINT",
    "VARCHAR": "VARCHAR",
}


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
            f"there is no schema '{name}'", remedy=f"{suggestion(str(name), SCHEMAS)}, or a .sql file"
        )
    return files("shortlist.data").joinpath("schemas", f"{name}.sql").read_text("utf-8")


class Store:
    """Open the DuckDB file of a schema; use it as a context manager, or call :meth:`close`.

    Parameters
    ----------
    path
        The file, made by :meth:`create`.
    read_only
        Share it with other programs that only read.

    Attributes
    ----------
    path
        The file.
    schema
        The name of the schema it was made from.

    Raises
    ------
    InputError
        The file does not exist, is no store, is of a newer version, or is in use.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\\n1,10,4.5,964982703")
    >>> _ = (folder / "movies.csv").write_text("movieId,title,genres\\n10,Heat (1995),Action|Crime")
    >>> with Store.create(folder / "films.duckdb", "movies") as store:
    ...     print(store.load(folder))
               1  users
               1  items
               2  genres
               2  item_genres
               1  ratings
    """

    def __init__(self, path: str | Path, *, read_only: bool = False) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(
                f"there is no database {path}", remedy="create it: shortlist init DB --schema NAME"
            )
        try:
            self._connection = connect(str(path), read_only=read_only)
        except duckdb.Error as error:
            raise _unopened(error, self.path) from error
        try:
            self.schema, self._version = self._made_from()
        except InputError:
            self.close()
            raise
        self._read_only = read_only

    @classmethod
    def create(cls, path: str | Path, schema: str | Path) -> Store:
        """Make an empty store and open it. The file appears whole, or not at all.

        Parameters
        ----------
        path
            A file that does not exist yet.
        schema
            As in :func:`schema_sql`.

        Raises
        ------
        InputError
            The file exists, its folder does not, or the schema is unknown or no valid SQL.
        """
        path, ddl = Path(path), schema_sql(schema)
        if path.exists():
            raise InputError(
                f"{path} exists already", remedy="load into it, or name a file that does not exist"
            )
        name = Path(schema).stem
        with atomic_file(path) as partial, connect(str(partial)) as db:
            try:
                db.execute(ddl)
                if name != "runs":
                    db.execute(schema_sql("runs"))
            except duckdb.Error as error:
                raise InputError(
                    f"the schema is not valid: {str(error).splitlines()[0]}", where=str(schema)
                ) from error
            views = db.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
            absent = _VIEWS - {view for (view,) in views}
            if absent and name != "runs":
                raise InputError(
                    f"the schema lacks the view {min(absent)}",
                    where=str(schema),
                    remedy=f"define the views {', '.join(sorted(_VIEWS))}",
                )
            db.execute(_OWN)
            db.execute("INSERT INTO shortlist_store VALUES (?, ?, ?)", [name, VERSION, _now()])
        return cls(path)

    def close(self) -> None:
        """Close the file; closing it again does nothing."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r}, schema={self.schema!r})"

    def load(self, inputs: Inputs) -> LoadReport:
        """Check and add the rows of files or frames, all of them or none.

        Parameters
        ----------
        inputs
            A file or a folder, several of them, or a mapping from table names to paths or frames
            (Arrow, pandas, polars, DuckDB relations). Files are recognised by their name and
            header: those of MovieLens (100K, 1M, 10M, latest), RecBole atomic files, the seven
            files of the job competition, and CSV or Parquet files named after a table.

        Returns
        -------
        LoadReport
            The rows each table gained, repeated rows left out, columns ignored.

        Raises
        ------
        InputError
            A file is not recognised, damaged or empty; a column is missing, misspelt or of the
            wrong type; a key is there twice or empty; a reference leads nowhere; a value is out of
            its bounds. The message names file, row, column, value, bound and remedy, and nothing
            has changed.
        """
        self._require_writable()
        mine = {table[0] for table in _run_tables()}
        fillable = {
            name: table for name, table in tables(self._connection).items() if name not in mine
        }
        return load(self._connection, inputs, fillable, LAYOUTS.get(self.schema, ()))
