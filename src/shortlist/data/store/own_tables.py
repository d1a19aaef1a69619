"""A team's own tables, by their names: what to read of them, and how a Dataset is made of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from shortlist.data.dataset import Dataset, Repeats
from shortlist.data.formats.layout import Fill, same
from shortlist.data.sql import dotted_name
from shortlist.data.store.catalogue import Table
from shortlist.data.store.database import After, Database, Name
from shortlist.data.store.load import scratch
from shortlist.data.store.staging import Source, stage
from shortlist.errors import InputError, suggestion

_LIFE = ("valid_from", "valid_to")  # features that are moments


@dataclass(frozen=True)
class OwnTables:
    """Which tables or views hold what, as in :meth:`Dataset.from_tables`.

    Attributes
    ----------
    interactions, users, items
        Their names: ``table``, ``schema.table``, or with double quotes around a part.
    user_id, item_id, weight, time
        Columns.
    repeats
        How the weights of a repeated pair become one.
    """

    interactions: str
    users: str | None
    items: str | None
    user_id: str
    item_id: str
    weight: str | None
    time: str | None
    repeats: Repeats

    def source(self, by: str) -> str:
        """Say as JSON what is read and how, so that two pulls can be told to be of one kind."""
        return json.dumps(asdict(self) | {"by": by}, sort_keys=True, ensure_ascii=False)

    def read(self, database: Database) -> Dataset:
        """Read all of it, as it is at one moment."""
        with database.snapshot():
            log = self.log(database)
            users, items = self.features(database)
        return self.coded(log, users, items)

    def log(
        self, database: Database, *, after: After | None = None, order: Sequence[str] = ()
    ) -> pa.Table:
        """Read the interactions, or those after a value, sorted or as the database keeps them."""
        table = dotted_name(self.interactions)
        wanted = [c for c in (self.user_id, self.item_id, self.weight, self.time) if c is not None]
        self.require(database, table, [*wanted, *order])
        log = database.rows(
            table,
            list(dict.fromkeys(wanted)),
            exact=(self.user_id, self.item_id),
            after=after,
            order=order,
        )
        return log if self.time is None else _with_moments(database, log, table, (self.time,))

    def features(self, database: Database) -> tuple[pa.Table | None, pa.Table | None]:
        """Read the tables of users and items, where there are any."""
        return (
            self._features(database, self.users, self.user_id),
            self._features(database, self.items, self.item_id),
        )

    def _features(self, database: Database, name: str | None, key: str) -> pa.Table | None:
        if name is None:
            return None
        table = dotted_name(name)
        self.require(database, table, [key])
        rows = database.rows(table, list(database.columns(table)), exact=(key,))
        return _with_moments(database, rows, table, _LIFE)

    def coded(self, log: Any, users: Any, items: Any) -> Dataset:
        """Make the Dataset of tables with our columns."""
        return Dataset.from_tables(
            log,
            users,
            items,
            user_id=self.user_id,
            item_id=self.item_id,
            weight=self.weight,
            time=self.time,
            repeats=self.repeats,
        )

    @staticmethod
    def require(database: Database, table: Name, columns: Sequence[str]) -> None:
        """Refuse a table that lacks a column, and name the nearest."""
        there = database.columns(table)
        for column in columns:
            if column not in there:
                raise InputError(
                    f"the table {'.'.join(table)} has no column '{column}'",
                    where=database.address.place,
                    remedy=suggestion(column, there)
                    + "; where the names differ from table to table, read views",
                )


def _with_moments(
    database: Database, rows: pa.Table, table: Name, columns: Sequence[str]
) -> pa.Table:
    """Make moments of text: SQLite has no type for them."""
    found = [
        column
        for column in columns
        if column in rows.column_names and rows.schema.field(column).type == pa.string()
    ]
    if not found or not rows.num_rows:
        return rows
    bench = database.bench
    with scratch(bench) as names:
        frame, staged = names.frame(), names.table()
        bench.register(frame, rows)
        described = bench.execute(f"DESCRIBE FROM {frame}").fetchall()
        kinds = {name: kind for name, kind, *_ in described} | dict.fromkeys(found, "TIMESTAMP")
        typed = Table(".".join(table), kinds, frozenset(), frozenset(), (), (), ())
        source = Source(f"table {'.'.join(table)} of {database.address.place}", frame)
        stage(bench, source, Fill(typed.name, same(*rows.column_names)), typed, staged)
        return bench.sql(f"FROM {staged} ORDER BY rowid").to_arrow_table()
