"""A store: a database made from a schema, or any database with a team's own tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shortlist.data.bad_rows import OnBadRow
from shortlist.data.coding.reading import Reading
from shortlist.data.dataset import Dataset, Repeats
from shortlist.data.formats.layouts import LAYOUTS
from shortlist.data.rules.where import Where
from shortlist.data.store import library_tables, recorded
from shortlist.data.store.address import Address
from shortlist.data.store.library_tables import Mark
from shortlist.data.store.load import Inputs, LoadReport, load
from shortlist.data.store.opened import DATABASES, OpenStore
from shortlist.data.store.own_tables import OwnTables, Pull, pull
from shortlist.data.store.recorded import Recorded
from shortlist.data.table_options import TableOptions
from shortlist.errors import ConfigError


class Store(OpenStore):
    """Open a database; use it as a context manager, or call :meth:`close`.

    Parameters
    ----------
    database
        A DuckDB or SQLite file, ``sqlite:///FILE``, or ``postgresql://USER@HOST/DATABASE``. Keep
        the password in ``PGPASSWORD`` or ``~/.pgpass``; no message shows it. SQLite and PostgreSQL
        need the extra ``sql``.
    read_only
        Refuse to write. Several programs can open a DuckDB file read-only at the same time.

    Attributes
    ----------
    place
        The name of the database in messages: the file, or the server and the database.
    schema
        The name of the schema the store was made from. It is empty for a database that
        :meth:`create` did not make: then only your own tables can be read, by their names.

    Raises
    ------
    InputError
        The file does not exist, is not a database, has a newer version, or is in use.
    DatabaseError
        The server cannot be reached, or refuses the connection.
    ConfigError
        The extra ``sql`` is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa
    >>> tables = {"users": pa.table({"user_id": [1]}), "items": pa.table({"item_id": [10]})}
    >>> tables["ratings"] = pa.table({"user_id": [1], "item_id": [10], "rating": [4.5]})
    >>> with Store.create(Path(tempfile.mkdtemp()) / "films.duckdb", "movies") as store:
    ...     print(store.load(tables))
               1  items
               1  users
               1  ratings
    """

    @classmethod
    def create(cls, database: str | Path, schema: str | Path) -> Store:
        """Make an empty store and open it. A failure leaves nothing behind.

        Parameters
        ----------
        database
            A file that does not exist yet, or a SQLite or PostgreSQL database without a store.
        schema
            ``movies``, ``jobs``, ``runs``, or a path to a ``.sql`` file of your own. PostgreSQL and
            SQLite get its tables, with foreign keys that delete children with their parents; its
            views are evaluated in DuckDB.

        Raises
        ------
        InputError
            The file or a table exists, the folder does not exist, or the schema is unknown, is not
            valid SQL, or has a type that the database cannot store.
        """
        address = Address.of(database)
        DATABASES[address.kind].create(address, schema)
        store = cls(database)
        if store.schema != "runs":
            store._warn_of_unchecked()
        return store

    def load(
        self,
        inputs: Inputs,
        *,
        on_bad_row: OnBadRow = "raise",
        time_format: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
    ) -> LoadReport:
        """Check and add the rows of files or frames, all of them or none.

        Parameters
        ----------
        inputs
            A file or a folder, several of them, or a mapping from table names to paths or frames
            (Arrow, pandas, polars, DuckDB relations). Files are recognised by name and header:
            those of MovieLens (100K, 1M, 10M, latest), RecBole atomic files, the seven files of the
            job competition, and CSV or Parquet files named after a table.
        on_bad_row
            ``"raise"``: bad rows are one error, which reports every kind of them. ``"skip"``: they
            are left out, and the report counts them.
        time_format, decimal, encoding
            As in :meth:`Dataset.from_tables`.

        Returns
        -------
        LoadReport
            The rows that each table gained, repeated and bad rows left out, columns ignored.

        Raises
        ------
        InputError
            A file is not recognised, is damaged or empty; a column is missing, misspelt or of the
            wrong type; a key is empty or not unique; a foreign key has no parent row; a value
            violates a condition. The message names file, row and column. Nothing has changed.
        """
        self._require(writable=True)
        tables = self._database.tables()
        tables = {n: t for n, t in tables.items() if n not in library_tables.LIBRARY_TABLES}
        published = LAYOUTS.get(Path(self.schema).stem, ())  # of movies.sql, too: see _fits
        reading = Reading(time_format, decimal, encoding)
        return load(self._database, inputs, tables, published, reading, on_bad_row)

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
        title: str | None = None,
        only: Where | None = None,
        positive: Where | None = None,
        half_life: float | None = None,
        repeats: Repeats = "last",
        on_bad_row: OnBadRow = "raise",
        time_format: str | None = None,
        decimal: str | None = None,
    ) -> Dataset:
        """Read interactions and features from the views of the schema, or from your own tables.

        Recorded interactions follow those of the schema; of a repeated pair the latest counts.

        Parameters
        ----------
        interactions, users, items
            Names of tables or views of the database: ``orders``, ``sales.orders``,
            ``sales."Orders 2024"``. All are read as they are at one moment. None: the views of the
            schema.
        user_id, item_id, weight, time, title, repeats, on_bad_row, time_format, decimal
            As in :meth:`Dataset.from_tables`; only with ``interactions``.
        only, positive, half_life
            As in :meth:`Dataset.from_tables`. The columns of the schema's view of interactions
            are user_id, item_id, weight and time.

        Returns
        -------
        Dataset
            Every user and item of the store, with interactions or without; times if there are any.
            A view or table ``labels`` (column, value, label) gives the words for codes.

        Raises
        ------
        InputError
            There are no interactions; a table or column is missing, or has values of several types.
        """
        options = TableOptions(
            user_id=user_id,
            item_id=item_id,
            weight=weight,
            time=time,
            title=title,
            repeats=repeats,
            on_bad_row=on_bad_row,
            time_format=time_format,
            decimal=decimal,
            only=only,
            positive=positive,
            half_life=half_life,
        )
        if interactions is not None:
            return OwnTables(interactions, users, items, options).read(self._database)
        rules: dict[str, Any] = {"only": only, "positive": positive, "half_life": half_life}
        if (users, items, options) != (None, None, TableOptions(**rules)):
            raise ConfigError(
                "tables and columns are named, but not the interactions",
                remedy="add interactions=, or leave the rest out: the views of the schema are read",
            )
        self._require(interactions=True)
        with self._database.reading() as connection:
            views = recorded.read_views(connection, self._rules, self.place)
            return Dataset.from_tables(**views, **rules)

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
        on_bad_row: OnBadRow = "raise",
        time_format: str | None = None,
        decimal: str | None = None,
        earlier: Dataset | None = None,
        mark: Mark | None = None,
    ) -> Pull:
        """Read your own tables, but of the interactions only the rows since the last pull.

        The result equals that of :meth:`dataset` (sums of fractions up to rounding), except for
        rows that came late or were deleted or changed since; see :class:`Pull`.

        Parameters
        ----------
        interactions, users, items, user_id, item_id, weight, time
            As in :meth:`dataset`. Users and items are always read whole.
        repeats, on_bad_row, time_format, decimal
            As in :meth:`dataset`; ``mean`` cannot be merged.
        by
            A column of the interactions that only grows and is never NULL: a running number or the
            time of entry. Rows with a greater value than at the last mark are new.
        earlier
            The data of the last pull: ``sl.load(bundle).data``. None: read everything.
        mark
            Where ``earlier`` ends, if it was kept with it; then the database is only read. None:
            the mark that the last run has left in the database.

        Returns
        -------
        Pull
            The data, and the mark to keep with the model made from it, or to write with its lists:
            ``store.write(lists.table, **lists.run, mark=pull.mark)``.

        Raises
        ------
        InputError
            No run has left a mark for these tables and columns, or ``earlier`` is other data than
            the mark is of; otherwise as :meth:`dataset`.

        Examples
        --------
        >>> import duckdb, tempfile
        >>> import pyarrow as pa
        >>> path = Path(tempfile.mkdtemp()) / "shop.duckdb"
        >>> with duckdb.connect(str(path)) as db:
        ...     _ = db.execute("CREATE TABLE orders AS SELECT 1 AS no, 7 AS buyer, 8 AS thing")
        >>> columns = {"by": "no", "user_id": "buyer", "item_id": "thing"}
        >>> with Store(path) as store:
        ...     first = store.pull("orders", **columns)
        >>> with duckdb.connect(str(path)) as db:
        ...     _ = db.execute("INSERT INTO orders VALUES (2, 7, 9)")
        >>> with Store(path) as store:
        ...     second = store.pull("orders", **columns, earlier=first.data, mark=first.mark)
        >>> second.new, second.data
        (1, Dataset(1 users, 2 items, 2 interactions))
        """
        options = TableOptions(
            user_id=user_id,
            item_id=item_id,
            weight=weight,
            time=time,
            repeats=repeats,
            on_bad_row=on_bad_row,
            time_format=time_format,
            decimal=decimal,
        )
        own = OwnTables(interactions, users, items, options)
        return pull(self._database, own, by, earlier, mark)

    def record(self, interactions: Sequence[Recorded]) -> list[int]:
        """Add interactions, all of them or none; they are on disk when this returns.

        Parameters
        ----------
        interactions
            In the order in which they happened. Users may be new, and a pair may repeat:
            :meth:`dataset` uses the latest.

        Returns
        -------
        list[int]
            The id of each, for :meth:`unrecord`.

        Raises
        ------
        InputError
            An id is not of the type that the store's interactions have, an item is not in the
            store, or a weight or time is out of bounds. Nothing has changed.

        Examples
        --------
        >>> import datetime as dt, tempfile
        >>> import pyarrow as pa
        >>> now = dt.datetime(2024, 5, 31, tzinfo=dt.UTC)
        >>> with Store.create(Path(tempfile.mkdtemp()) / "films.duckdb", "movies") as store:
        ...     _ = store.load({"items": pa.table({"item_id": [10], "title": ["Heat"]})})
        ...     ids = store.record([Recorded(1, 10, 4.5, now)])
        ...     print(store.recorded()[0].item_id, store.unrecord(ids[0]), store.recorded())
        10 True []
        """
        self._require(interactions=True, writable=True)
        return recorded.record(self._database, interactions, self._rules)

    def unrecord(self, record_id: int) -> bool:
        """Remove an interaction that :meth:`record` added; return whether it was there.

        A model that was fitted with it uses it until the next fit.
        """
        self._require(interactions=True, writable=True)
        return recorded.remove(self._database, record_id)

    def recorded(self) -> list[Recorded]:
        """Return the interactions that :meth:`record` added, in that order.

        Those that violate the rules of the schema are skipped with a warning.
        """
        return list(self.journal().values())

    def journal(self) -> dict[int, Recorded]:
        """Return the interactions that :meth:`record` added by id, in the order of recording."""
        self._require(interactions=True)
        with self._database.reading([library_tables.RECORDED]) as connection:
            return recorded.journal(connection, self._rules)

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
        """Add a run of recommendations in one transaction: readers see all of it, or nothing.

        Parameters
        ----------
        recommendations
            A frame with the columns user_id (or query), item_id, rank (from 1), score and source.
            Ids are stored as text; the run stores their type.
        model
            The name of the model.
        config
            Its settings, as JSON can hold them.
        k
            How many items were asked for; None: the largest rank.
        run_id
            The number of the run; None: the next one. A run that exists already with the same lists
            is not written again, so a write whose outcome is unknown can be repeated.
        mark
            How far the interactions were read, from :meth:`pull`; written in the same transaction.

        Returns
        -------
        int
            The number of the run: ``run_id`` in the tables recommendation_runs and recommendations.

        Raises
        ------
        InputError
            A column is missing or of the wrong type, a value is missing or out of bounds, a rank or
            an item occurs twice for one user, or the run exists with other lists.
        DatabaseError
            The database failed. Nothing of the run has been written.
        """
        self._require(writable=True)
        return library_tables.write_run(
            self._database, recommendations, model, config or {}, k, run_id, mark
        )
