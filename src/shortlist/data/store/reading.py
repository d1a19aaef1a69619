"""What is read from a store: its views, or tables of one's own, whole or only what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.data.store.opened import OpenDatabase
from shortlist.data.store.recording import TABLE, Recorded, any_recorded, recorded, with_recorded
from shortlist.data.store.runs import Mark
from shortlist.errors import ConfigError, InputError

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset, Repeats
    from shortlist.data.store.pull import Pull


class ReadableStore(OpenDatabase):
    """The reading side of a :class:`shortlist.Store`."""

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
            from shortlist.data.store.own_tables import OwnTables

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
        mark: Mark | None = None,
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
        mark
            Where ``earlier`` ends, if it was kept with it: then the database is only read. None:
            the mark that the last run has left in the database.

        Returns
        -------
        Pull
            The data, and the mark to keep with the model made from it, or to write with its lists:
            ``store.write(lists.table, **lists.run, mark=pull.mark)``.

        Raises
        ------
        InputError
            No run has left a mark for these tables and columns, or ``earlier`` is not what it was
            made of; otherwise as :meth:`dataset`.

        Examples
        --------
        >>> import duckdb, tempfile
        >>> from pathlib import Path
        >>> import pyarrow as pa
        >>> from shortlist.data.store.store import Store
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
        from shortlist.data.store.own_tables import OwnTables
        from shortlist.data.store.pull import pull

        tables = OwnTables(interactions, users, items, user_id, item_id, weight, time, repeats)
        return pull(self._database, tables, by, earlier, mark)

    def recorded(self) -> list[Recorded]:
        """Give what :meth:`record` added, in that order."""
        self._require_interactions()
        with self._database.reading([TABLE]) as connection:
            return recorded(connection)
