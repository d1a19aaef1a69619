"""Ranked lists: one tidy table, for one query or for a million users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.errors import InputError
from shortlist.files import atomic_file
from shortlist.frames import Tabular
from shortlist.scoring.scorer import Scorer
from shortlist.scoring.selection import Best

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
        not have, columns without weight, queries that got popular items instead.

    Examples
    --------
    >>> table = pa.table({"user_id": [1, 1], "item_id": [8, 9], "rank": [1, 2]})
    >>> len(Recommendations(table))
    2
    """

    table: pa.Table
    run: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def assemble(
        cls,
        blocks: Iterable[tuple[Best, NDArray[np.bool_]]],
        labels: tuple[str, pa.Array],
        listed: tuple[str, pa.Array],
        model: Scorer,
        k: int,
    ) -> Recommendations:
        """Build the table from blocks of lists, and of whether a list holds popular items instead.

        ``labels`` is the name of the first column, with its value for each list; ``listed`` is the
        name of the second, with the id of each row.
        """
        ids = {name: column.type for name, column in (labels, listed)}
        rest = {"rank": pa.int32(), "score": pa.float32(), "source": pa.string()}
        schema = pa.schema(ids | rest)
        chunks, start, sources = [], 0, pa.array([model.name, FALLBACK])
        for best, fallback in blocks:
            query, rank = np.nonzero(best.rows >= 0)
            columns = [
                labels[1].take(pa.array(query + start)),
                listed[1].take(pa.array(best.rows[query, rank])),
                pa.array(rank + 1, pa.int32()),
                pa.array(best.scores[query, rank]),
                sources.take(pa.array(fallback[query].astype(np.int8))),
            ]
            chunks.append(pa.Table.from_arrays(columns, schema=schema))
            start += len(best.rows)
        run = {"model": model.name, "config": dict(model.settings), "k": k}
        return cls(pa.concat_tables(chunks or [schema.empty_table()]), run)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        who = self.table.column_names[0]
        lists = len(self.table.column(0).unique())
        noted = "".join(f"\n  note: {note}" for note in self.notes)
        return f"Recommendations({len(self)} rows, {lists} lists by {who}){noted}"

    def column(self, name: str) -> list[Any]:
        """Return one column as Python values."""
        values: list[Any] = self.table.column(name).to_pylist()
        return values

    def to_arrow(self) -> pa.Table:
        """Return the table."""
        return self.table

    def write(self, target: str | Path) -> Path | str:
        """Write the lists to a ``.parquet`` or ``.csv`` file, or as a run into a store.

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
        if isinstance(target, str) and "://" in target:
            return self._write_run(target)
        target = Path(target)
        match target.suffix.lower():
            case ".parquet":
                import pyarrow.parquet

                with atomic_file(target) as partial:
                    pyarrow.parquet.write_table(self.table, partial, compression="zstd")
            case ".csv":
                import pyarrow.csv

                with atomic_file(target) as partial:
                    pyarrow.csv.write_csv(self.table, partial)
            case ".duckdb" | ".db" | ".sqlite" | ".sqlite3":
                self._write_run(target)
            case other:
                raise InputError(
                    f"cannot tell from {other!r} how to write {target}",
                    remedy="name a .parquet, .csv, .duckdb or .sqlite file, or a database's URL",
                )
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
