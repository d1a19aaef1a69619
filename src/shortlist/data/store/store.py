"""A database that was made from one of the schemas, and the few things done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shortlist.data.formats.layouts import LAYOUTS
from shortlist.data.store.ddl import schema_sql as schema_sql
from shortlist.data.store.inputs import Inputs
from shortlist.data.store.load import LoadReport, load
from shortlist.data.store.opened import VERSION
from shortlist.data.store.opening import create_database
from shortlist.data.store.reading import ReadableStore
from shortlist.data.store.recording import TABLE as RECORDED
from shortlist.data.store.recording import Recorded as Recorded
from shortlist.data.store.recording import record
from shortlist.data.store.runs import LISTS, MARKS, RUNS, Mark, write_run

_OWN = {"shortlist_store", RUNS, LISTS, MARKS, RECORDED}


class Store(ReadableStore):
    """Open a database; use it as a context manager, or call :meth:`close`.

    Parameters
    ----------
    database
        A DuckDB or SQLite file, ``sqlite:///FILE``, or ``postgresql://USER@HOST/DATABASE``. A
        password is best kept in ``PGPASSWORD`` or ``~/.pgpass``; no message shows one. SQLite and
        PostgreSQL need the extra ``sql``.
    read_only
        Share a file with other programs that only read; refuse to write.

    Attributes
    ----------
    place
        What messages call the database: the file, or the server and the database.
    schema
        The name of the schema it was made from; empty where :meth:`create` made nothing in it: then
        only tables that are named can be read.

    Raises
    ------
    InputError
        The file does not exist, is no database, is of a newer version, or is in use.
    DatabaseError
        The server cannot be reached, or refuses.
    ConfigError
        The extra ``sql`` is not installed.

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

    @classmethod
    def create(cls, database: str | Path, schema: str | Path) -> Store:
        """Make an empty store and open it. It appears whole, or not at all.

        Parameters
        ----------
        database
            A file that does not exist yet, or a SQLite or PostgreSQL database without a store.
        schema
            As in :func:`schema_sql`. In PostgreSQL and SQLite the tables are made from it; the
            views are evaluated here. Children go with their parents there.

        Raises
        ------
        InputError
            The DuckDB file or a table exists, the folder does not, or the schema is unknown, no
            valid SQL, or has a type that the database cannot keep.
        """
        create_database(database, schema, VERSION)
        return cls(database)

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
        known = self._database.catalogue()
        fillable = {name: table for name, table in known.items() if name not in _OWN}
        return load(self._database, inputs, fillable, LAYOUTS.get(self.schema, ()))

    def record(self, interactions: Sequence[Recorded]) -> None:
        """Add interactions, all of them or none; they are on disk when this returns.

        They need no rows in the tables of the schema, and a pair may be there already: a model
        that is fitted on :meth:`dataset` afterwards learns from the latest.

        Parameters
        ----------
        interactions
            In the order in which they happened.

        Raises
        ------
        InputError
            An id is not of the type that the store's interactions have, or a weight is negative or
            not finite. Nothing has changed.

        Examples
        --------
        >>> import datetime as dt, tempfile
        >>> now = dt.datetime(2024, 5, 31, tzinfo=dt.UTC)
        >>> with Store.create(Path(tempfile.mkdtemp()) / "films.duckdb", "movies") as store:
        ...     store.record([Recorded(1, 10, 4.5, now)])
        ...     store.recorded()[0].item_id
        10
        """
        self._require_writable()
        self._require_interactions()
        record(self._database, interactions)

    def write(
        self,
        recommendations: Any,
        *,
        model: str,
        config: Mapping[str, Any] | None = None,
        k: int | None = None,
        run_id: int | None = None,
        mark: Mark | None = None,
    ) -> int:
        """Add one run of recommendations, all of its rows or none, in one transaction.

        Whoever reads the tables sees the whole run, or nothing of it.

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
        run_id
            The number of the run; None: the next. A run that is there already with the same lists
            is not written again, so whoever does not know whether a write came through repeats it.
        mark
            How far the interactions were read, from :meth:`pull`; kept in the same transaction.

        Returns
        -------
        int
            The number of the run: ``run_id`` in the tables recommendation_runs and recommendations.

        Raises
        ------
        InputError
            A column is missing or of the wrong type, a value is missing or out of its bounds, a
            rank or an item is there twice for one user, or the run is there with other lists.
        DatabaseError
            The database failed or was lost; nothing of the run is there.
        """
        self._require_writable()
        return write_run(
            self._database,
            recommendations,
            model=model,
            config=dict(config or {}),
            k=k,
            run_id=run_id,
            mark=mark,
        )
