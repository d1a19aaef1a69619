"""A database that was made from one of the schemas, and the few things done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from shortlist.data.databases import create_database, open_database
from shortlist.data.ddl import schema_sql as schema_sql
from shortlist.data.formats.layouts import LAYOUTS
from shortlist.data.loading.inputs import Inputs
from shortlist.data.loading.load import LoadReport, load
from shortlist.data.loading.runs import LISTS, MARKS, RUNS, Mark, write_run
from shortlist.data.recording import TABLE as RECORDED
from shortlist.data.recording import Recorded as Recorded
from shortlist.data.recording import any_recorded, record, recorded, with_recorded
from shortlist.errors import ConfigError, InputError, ShortlistError

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset, Repeats
    from shortlist.data.pull import Pull

VERSION = 2  # of the tables that this library writes; raised when a schema changes
_OWN = {"shortlist_store", RUNS, LISTS, MARKS, RECORDED}


class Store:
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

    def __init__(self, database: str | Path, *, read_only: bool = False) -> None:
        self._database = open_database(database, read_only=read_only)
        self.place = self._database.address.place
        try:
            self.schema = self._made_from()
        except ShortlistError:
            self.close()
            raise

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

    def close(self) -> None:
        """Close the database; closing it again does nothing."""
        self._database.close()

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

    def dataset(
        self,
        interactions: str | None = None,
        users: str | None = None,
        items: str | None = None,
        *,
        user_id: str = "user_id",
        item_id: str = "item_id",
        weight: str | None = None,
        time: str | None = None,
        repeats: Repeats = "last",
    ) -> Dataset:
        """Code the interactions and features of the store's three views, or of tables of your own.

        Interactions that a service recorded come behind those of the schema; of a repeated pair the
        latest counts.

        Parameters
        ----------
        interactions, users, items
            Names of tables or views of the database: ``orders``, ``sales.orders``,
            ``sales."Orders 2024"``. They are read as they are at one moment. None: the views.
        user_id, item_id, weight, time, repeats
            As in :meth:`Dataset.from_tables`; only with ``interactions``.

        Returns
        -------
        Dataset
            Every user and item of the store, with interactions or without; the times are left out
            where no interaction has one.

        Raises
        ------
        InputError
            The store has no interactions; a table or a column is missing, or holds values of
            several types.
        """
        if interactions is not None:
            from shortlist.data.own import OwnTables

            return OwnTables(
                interactions, users, items, user_id, item_id, weight, time, repeats
            ).read(self._database)
        if (users, items, user_id, item_id, weight, time, repeats) != (
            None, None, "user_id", "item_id", None, None, "last",
        ):  # fmt: skip
            raise ConfigError(
                "tables and columns are named, but not the interactions",
                remedy="add interactions=, or leave the rest out: the views of the schema are read",
            )
        from shortlist.data.dataset import Dataset

        self._require_interactions()
        with self._database.reading() as connection:
            log = connection.sql("FROM interactions")
            user_features = connection.sql("FROM user_features")
            any_more = any_recorded(connection)
            if any_more:
                log, user_features = with_recorded(connection)
            count, timed = connection.execute(
                "SELECT count(*), count(time) FROM interactions"
            ).fetchall()[0]
            if not count and not any_more:
                raise InputError(
                    "the store has no interactions yet",
                    where=self.place,
                    remedy="load some: shortlist load DB PATH...",
                )
            return Dataset.from_tables(
                log,
                user_features,
                connection.sql("FROM item_features"),
                weight="weight",
                time="time" if timed or not count else None,
            )

    def pull(
        self,
        interactions: str,
        users: str | None = None,
        items: str | None = None,
        *,
        by: str,
        user_id: str = "user_id",
        item_id: str = "item_id",
        weight: str | None = None,
        time: str | None = None,
        repeats: Repeats = "last",
        earlier: Dataset | None = None,
    ) -> Pull:
        """Read tables of your own, and of the interactions only what is newer than the last run.

        The result is what :meth:`dataset` would give (sums of fractions up to rounding), but for
        rows that came late or were deleted or changed since; late and deleted ones are counted in
        ``Pull.missed``. Where that is not 0, leave ``earlier`` out: everything is read.

        Parameters
        ----------
        interactions, users, items, user_id, item_id, weight, time, repeats
            As in :meth:`dataset`; users and items are always read whole. ``mean`` cannot be merged.
        by
            A column of the interactions that only grows, never NULL: a running number or the time
            of entry. Rows with a greater value than the last mark's are new.
        earlier
            The data of the last run: ``sl.load(bundle).data``. None: read everything.

        Returns
        -------
        Pull
            The data, and the mark to write with the run made from it:
            ``store.write(lists.table, **lists.run, mark=pull.mark)``.

        Raises
        ------
        InputError
            No run has left a mark for these tables and columns, or ``earlier`` is not what it was
            made of; otherwise as :meth:`dataset`.

        Examples
        --------
        >>> import duckdb, tempfile
        >>> import pyarrow as pa
        >>> path = Path(tempfile.mkdtemp()) / "shop.duckdb"
        >>> with Store.create(path, "runs") as store:
        ...     pass
        >>> with duckdb.connect(str(path)) as db:
        ...     _ = db.execute("CREATE TABLE orders AS SELECT 1 AS no, 7 AS buyer, 8 AS thing")
        >>> columns = {"by": "no", "user_id": "buyer", "item_id": "thing"}
        >>> lists = pa.table({"user_id": [7], "item_id": [9], "rank": [1], "score": [0.5],
        ...                   "source": ["mine"]})
        >>> with Store(path) as store:
        ...     first = store.pull("orders", **columns)
        ...     run = store.write(lists, model="mine", mark=first.mark)
        >>> with duckdb.connect(str(path)) as db:
        ...     _ = db.execute("INSERT INTO orders VALUES (2, 7, 9)")
        >>> with Store(path) as store:
        ...     second = store.pull("orders", **columns, earlier=first.data)
        >>> second.new, second.data
        (1, Dataset(1 users, 2 items, 2 interactions))
        """
        from shortlist.data.own import OwnTables
        from shortlist.data.pull import pull

        tables = OwnTables(interactions, users, items, user_id, item_id, weight, time, repeats)
        return pull(self._database, tables, by, earlier)

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

    def recorded(self) -> list[Recorded]:
        """Give what :meth:`record` added, in that order."""
        self._require_interactions()
        with self._database.reading([RECORDED]) as connection:
            return recorded(connection)

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
