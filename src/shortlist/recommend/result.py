"""Ranked lists: one tidy table, for one query or for a million users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.columns.titles import titles
from shortlist.data.vocabulary import Rows
from shortlist.errors import InputError
from shortlist.files import atomic_file
from shortlist.frames import SHOWN_ROWS, Tabular
from shortlist.recommend.targets import is_database
from shortlist.scoring.scorer import Scorer
from shortlist.scoring.selection import Best
from shortlist.text import TextTable, cells

TITLE = "title"  # the name of the column of titles
FALLBACK = "popularity"  # the source of items for queries that the model cannot score


@dataclass(frozen=True)
class Recommendations(Tabular):
    """Ranked lists in the caller's ids.

    Attributes
    ----------
    table
        One row per recommended item: whose list it is on (``user_id``; for queries ``query``, the
        position of the query; for similar items ``query_item_id``), ``item_id``, ``rank`` from 1,
        ``score`` (comparable within one list) and ``source``: the model's name, or ``popularity``
        where the model could not score the query.
    run
        The model's name, its config, and k, for the run tables of a store.
    notes
        Sentences about features of queries that had no effect: values that the training data does
        not have, columns without weight, queries whose lists do not depend on features, or that got
        popular items instead. And about a rule of the call that no item meets, or that every item
        meets.
    titles
        The title of the item in each row, where the items have titles; see :meth:`titled`.

    Examples
    --------
    >>> table = pa.table({"user_id": [1, 1], "item_id": [8, 9], "rank": [1, 2]})
    >>> len(Recommendations(table))
    2
    """

    table: pa.Table
    run: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    titles: pa.ChunkedArray | None = field(default=None, repr=False, compare=False)

    @classmethod
    def assemble(
        cls,
        blocks: Iterable[tuple[Best, NDArray[np.bool_]]],
        labels: tuple[str, pa.Array],
        model: Scorer,
        k: int,
        items: Rows | None = None,
    ) -> Recommendations:
        """Build the table from blocks of lists, and of whether a list holds popular items instead.

        ``labels`` is the name of the first column, with its value for each list. Lists are of
        items; or of users, where ``items`` is the item of each list.
        """
        data = model.data
        listed = ("item_id", data.items.ids) if items is None else ("user_id", data.users.ids)
        of_items = titles(data.item_features)
        ids = {name: column.type for name, column in (labels, listed)}
        rest = {"rank": pa.int32(), "score": pa.float32(), "source": pa.string()}
        schema = pa.schema(ids | rest)
        chunks, start, sources = [], 0, pa.array([model.name, FALLBACK])
        titled: list[pa.DictionaryArray] = []
        for best, fallback in blocks:
            filled = best.rows >= 0
            query = np.repeat(np.arange(len(filled)), np.count_nonzero(filled, axis=1))
            ranks = np.arange(1, filled.shape[1] + 1, dtype=np.int32)
            rows = best.rows[filled]
            source = pa.repeat(sources[0], len(rows))  # a third of the time of looking each up
            if fallback.any():
                source = sources.take(pa.array(fallback[query].astype(np.int8)))
            columns = [
                labels[1].take(pa.array(query + start)),
                listed[1].take(pa.array(rows)),
                pa.array(np.broadcast_to(ranks, filled.shape)[filled]),
                pa.array(best.scores[filled]),
                source,
            ]
            chunks.append(pa.Table.from_arrays(columns, schema=schema))
            if of_items is not None:
                named = rows if items is None else items[query + start]
                titled.append(pa.DictionaryArray.from_arrays(pa.array(named), of_items))
            start += len(best.rows)
        run = {"model": model.name, "config": dict(model.settings), "k": k}
        table = pa.concat_tables(chunks or [schema.empty_table()])
        if of_items is None:
            return cls(table, run)
        kind = pa.dictionary(pa.int32(), pa.string())
        return cls(table, run, titles=pa.chunked_array(titled, kind))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        who = self.table.column_names[0]
        lists = len(self.table.column(0).unique())
        noted = "".join(f"\n  note: {note}" for note in self.notes)
        return f"Recommendations({len(self)} rows, {lists} lists by {who}){noted}"

    def content(self) -> list[str | TextTable]:
        """Return the table of the first rows, and how many more there are."""
        table = self.first(SHOWN_ROWS)
        rest = len(self) - table.num_rows
        more = [f"and {rest:,} more rows"] if rest else []
        return [TextTable(table.column_names, cells(table.to_pylist())), *more, repr(self)]

    def column(self, name: str) -> list[Any]:
        """Return one column as Python values."""
        values: list[Any] = self.table.column(name).to_pylist()
        return values

    def to_arrow(self) -> pa.Table:
        """Return the table."""
        return self.table

    def titled(self) -> pa.Table:
        """Return the table with the title of each item in a last column, ``title``.

        Where the items have no titles, it is the table itself. Data frames and files have this
        form.

        Examples
        --------
        >>> import shortlist as sl
        >>> lists = sl.Popularity().fit(sl.films()).recommend([1], k=1)
        >>> lists.titled().column("title").to_pylist()
        ['Forrest Gump']
        """
        if self.titles is None:
            return self.table
        return self.table.append_column(TITLE, self.titles.cast(pa.string()))

    def _frame(self) -> pa.Table:
        return self.titled()

    def first(self, count: int) -> pa.Table:
        """Return the first rows, with titles after the ids."""
        names = self.table.column_names
        if self.titles is None:
            return self.table.slice(0, count)
        rows = replace(self, table=self.table.slice(0, count), titles=self.titles.slice(0, count))
        return rows.titled().select([*names[:2], TITLE, *names[2:]])

    def write(self, target: str | Path) -> Path | str:
        """Write the lists to a ``.parquet`` or ``.csv`` file, or as a run into a store.

        Files have the columns of :meth:`titled`.

        Parameters
        ----------
        target
            A file, or the database of a store: a ``.duckdb``, ``.sqlite`` or ``.db`` file, or a
            URL that :class:`shortlist.Store` accepts.

        Returns
        -------
        Path or str
            The file, or the address of a database server without user and password.

        Raises
        ------
        InputError
            The suffix is unknown, or the folder does not exist. Nothing has been written.
        DatabaseError
            The database cannot be reached, or refuses. Nothing has been written.
        """
        if is_database(target):
            place = self._write_run(target)
            return place if isinstance(target, str) and "://" in target else Path(target)
        target = Path(target)
        with atomic_file(target) as partial:
            if target.suffix.lower() == ".parquet":
                import pyarrow.parquet

                pyarrow.parquet.write_table(self.titled(), partial, compression="zstd")
            else:
                import pyarrow.csv

                pyarrow.csv.write_csv(self.titled(), partial)
        return target

    def _write_run(self, database: str | Path) -> str:
        from shortlist.data.store.store import Store  # only this target needs the database

        if self.table.column_names[0] not in ("user_id", "query"):
            raise InputError(
                "a store keeps lists of items for users or queries, and these are others",
                where=f"columns {', '.join(self.table.column_names[:2])}",
                remedy="name a .parquet or .csv file",
            )
        with Store(database) as store:
            store.write(self.table, **self.run)
            return store.place
