"""A DuckDB file that was made from one of the schemas, and the few things done with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import duckdb

from shortlist.data.ddl import make
from shortlist.data.ddl import schema_sql as schema_sql
from shortlist.data.formats.layouts import LAYOUTS
from shortlist.data.loading.catalogue import tables
from shortlist.data.loading.inputs import Inputs
from shortlist.data.loading.load import LoadReport, load
from shortlist.data.loading.runs import write_run
from shortlist.data.sql import connect
from shortlist.errors import InputError
from shortlist.files import atomic_file

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset

VERSION = 1  # of the tables that this library writes; raised when a schema changes


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
    >>> films = ["movieId,title,genres", "10,Heat (1995),Action|Crime"]
    >>> ratings = ["userId,movieId,rating,timestamp", "1,10,4.5,964982703"]
    >>> _ = (folder / "movies.csv").write_text(chr(10).join(films))
    >>> _ = (folder / "ratings.csv").write_text(chr(10).join(ratings))
    >>> with Store.create(folder / "films.duckdb", "movies") as store:
    ...     print(store.load(folder))
               2  genres
               1  items
               1  users
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
        path = Path(path)
        if path.exists():
            raise InputError(
                f"{path} exists already", remedy="load into it, or name a file that does not exist"
            )
        with atomic_file(path) as partial:
            partial.unlink()  # DuckDB makes its own file and refuses an empty one
            with connect(str(partial)) as db:
                make(db, schema, VERSION)
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
        known = tables(self._connection)
        own = {"shortlist_store", "recommendation_runs", "recommendations"}
        fillable = {name: table for name, table in known.items() if name not in own}
        return load(self._connection, inputs, fillable, LAYOUTS.get(self.schema, ()))

    def dataset(self) -> Dataset:
        """Code the interactions and features of the store's three views.

        Returns
        -------
        Dataset
            Every user and item of the store, with interactions or without; the times are left out
            where no interaction has one.

        Raises
        ------
        InputError
            The store has no interactions.
        """
        from shortlist.data.dataset import Dataset

        if self.schema == "runs":
            raise InputError(
                "a store of the schema runs has no interactions",
                where=str(self.path),
                remedy="open the store the tables were loaded into",
            )
        count, timed = self._connection.execute(
            "SELECT count(*), count(time) FROM interactions"
        ).fetchall()[0]
        if not count:
            raise InputError(
                "the store has no interactions yet",
                where=str(self.path),
                remedy="load some: shortlist load DB PATH...",
            )
        return Dataset.from_tables(
            self._connection.sql("FROM interactions"),
            self._connection.sql("FROM user_features"),
            self._connection.sql("FROM item_features"),
            weight="weight",
            time="time" if timed else None,
        )

    def write(
        self,
        recommendations: Any,
        *,
        model: str,
        config: Mapping[str, Any] | None = None,
        k: int | None = None,
    ) -> int:
        """Add one run of recommendations, all of its rows or none.

        Parameters
        ----------
        recommendations
            A frame with the columns user_id (or query), item_id, rank (from 1), score and source.
            Ids are kept as text; the run remembers their type.
        model
            The name of the model that made them.
        config
            Its settings, as JSON can hold them.
        k
            How many items were asked for; None: the largest rank.

        Returns
        -------
        int
            The number of the run: ``run_id`` in the tables recommendation_runs and recommendations.

        Raises
        ------
        InputError
            A column is missing or of the wrong type, a value is missing or out of its bounds, or a
            rank or an item is there twice for one user.
        """
        self._require_writable()
        return write_run(
            self._connection, recommendations, model=model, config=dict(config or {}), k=k
        )

    def _made_from(self) -> tuple[str, int]:
        try:
            found = self._connection.execute(
                "SELECT schema, version FROM shortlist_store"
            ).fetchall()
        except duckdb.CatalogException:
            found = []
        if not found:
            raise InputError(
                f"{self.path} is a database, but not one of shortlist's",
                remedy="create one: shortlist init DB --schema NAME",
            )
        schema, version = found[0]
        if version > VERSION:
            raise InputError(
                f"{self.path} has version {version}; this shortlist reads up to {VERSION}",
                remedy="install a newer shortlist",
            )
        return schema, version

    def _require_writable(self) -> None:
        if self._read_only:
            raise InputError(f"{self.path} was opened to read only", remedy="open it to write")


def _unopened(error: duckdb.Error, path: Path) -> InputError:
    message = str(error)
    if "lock" in message:
        return InputError(
            f"{path} is in use by another program",
            remedy="close that program, or let both open it to read only",
        )
    if "different configuration" in message:
        return InputError(
            f"{path} is open in this program already",
            remedy="close that store first, or open both alike (to read only, or not)",
        )
    return InputError(
        f"{path} is not a whole DuckDB database: {message.splitlines()[0]}",
        remedy="name a file that shortlist init made",
    )
