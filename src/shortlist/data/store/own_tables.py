"""Reading a team's own tables by their names: all rows, or only those since the last pull.

An incremental pull reads the interactions whose value in a column that only grows (a running number
or the time of entry) is greater than at the last pull, and merges them with the earlier data. It
misses

- late rows: rows committed after the last pull with a value that is not greater;
- rows that were deleted or changed since.

Late and deleted rows are counted in ``Pull.missed``. If it is not 0, and once a week anyway, pull
everything. Tables of users and items are always read whole.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.bad_rows import NoRowLeftError, SkippedRows
from shortlist.data.dataset import Dataset
from shortlist.data.moments import LIFE_SPAN
from shortlist.data.rules.where import columns_of, parse_where
from shortlist.data.sql import dotted_name, quoted, quoted_list, types_of
from shortlist.data.store.database import Database, TableName
from shortlist.data.store.library_tables import Mark, last_mark
from shortlist.data.store.schema import Table
from shortlist.data.store.staging import stage_frame, temporary_names
from shortlist.data.table_options import TableOptions
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import ConfigError, InputError, suggestion

_PULL_ALL = "pull everything: leave earlier (--since) out"
_OF_PULLS = (
    "user_id", "item_id", "weight", "time", "repeats", "on_bad_row", "time_format", "decimal",
)  # fmt: skip


@dataclass(frozen=True)
class OwnTables:
    """The names of tables or views, and what is said about their columns."""

    interactions: str
    users: str | None
    items: str | None
    options: TableOptions

    def read(self, database: Database) -> Dataset:
        """Read all rows, as they are at one moment."""
        with database.snapshot():
            log = self.log(database)
            users, items = self.features(database)
        return self.dataset(log, users, items)

    def log(self, database: Database, by: str | None = None, after: str | None = None) -> pa.Table:
        """Read the interactions, as they are or sorted by a column, perhaps those after a value."""
        options, table = self.options, dotted_name(self.interactions)
        rules = [rule for rule in (options.only, options.positive) if rule is not None]
        compared = [column for rule in rules for column in columns_of(parse_where(rule))]
        titles = [options.title] if options.title and not self._lists_titles(database) else []
        columns = list(dict.fromkeys([*options.roles.values(), *titles, *compared]))
        self.require(database, table, columns)
        clauses = ""
        if by is not None:
            if after is not None:
                clauses = f" WHERE {quoted(by)} > {database.ordered_parameter(table, by)}"
            clauses += f" ORDER BY {quoted_list(dict.fromkeys((by, *self._keys)))}"
        values = () if after is None else (after,)
        rows = database.select(table, columns, self._keys, clauses, values)
        if options.time is None or options.time_format is not None:
            return rows
        try:
            return _with_times(database, rows, table, (options.time,))
        except InputError:
            return rows  # the data set names each value that is no time, or leaves its row out

    @property
    def _keys(self) -> tuple[str, str]:
        return self.options.user_id, self.options.item_id

    def _lists_titles(self, database: Database) -> bool:
        """Return whether the table of items has the titles."""
        items = None if self.items is None else dotted_name(self.items)
        return items is not None and self.options.title in database.columns(items)

    def features(self, database: Database) -> list[pa.Table | None]:
        """Read the tables of users and items, where there are any."""
        features: list[pa.Table | None] = []
        for name, key in zip((self.users, self.items), self._keys, strict=True):
            rows = None
            if name is not None:
                table = dotted_name(name)
                self.require(database, table, [key])
                rows = database.select(table, list(database.columns(table)), (key,))
                rows = _with_times(database, rows, table, LIFE_SPAN)
            features.append(rows)
        return features

    def dataset(self, log: Any, users: Any, items: Any) -> Dataset:
        """Make a dataset from tables with these columns."""
        return Dataset.from_tables(log, users, items, **vars(self.options))

    @staticmethod
    def require(database: Database, table: TableName, columns: Sequence[str]) -> None:
        """Refuse a table that lacks a column; the message names the nearest."""
        present = database.columns(table)
        for column in columns:
            if column not in present:
                raise InputError(
                    f"the table {'.'.join(table)} has no column '{column}'",
                    where=database.address.place,
                    remedy=suggestion(column, present)
                    + "; where the names differ from table to table, read views",
                )


def _with_times(
    database: Database, rows: pa.Table, table: TableName, columns: Sequence[str]
) -> pa.Table:
    """Cast text columns to times: SQLite has no type for them."""
    strings = [field.name for field in rows.schema if field.type == pa.string()]
    texts = [column for column in columns if column in strings]
    if not texts or not rows.num_rows:
        return rows
    db, name = database.staging, ".".join(table)
    db.register("staged_frame", rows)
    types = types_of(db, "staged_frame") | dict.fromkeys(texts, "TIMESTAMP")
    with temporary_names(db) as names:
        label = f"table {name} of {database.address.place}"
        staged = stage_frame(db, rows, label, Table(name, types), next(names))
        return db.sql(f"FROM {staged.name} ORDER BY rowid").to_arrow_table()


@dataclass(frozen=True)
class Pull:
    """The result of a pull.

    Attributes
    ----------
    data
        All interactions: the earlier ones and the new ones.
    mark
        Where the next pull starts. Keep it with the model, or give it to :meth:`Store.write`.
    new
        The number of rows that were fetched.
    missed
        How many more rows the table has up to the last mark than were read then: late rows, which
        are not in ``data``. Less than 0: deleted rows, which still are.
    gone
        The number of interactions that were dropped because their user or item is no longer listed.
    """

    data: Dataset
    mark: Mark
    new: int
    missed: int = 0
    gone: int = 0


def pull(
    database: Database, tables: OwnTables, by: str, earlier: Dataset | None, given: Mark | None
) -> Pull:
    """Pull interactions; see :meth:`shortlist.Store.pull`."""
    if earlier is not None and tables.options.repeats == "mean":
        raise ConfigError(
            "means cannot be merged: the number of rows behind each is not stored",
            where="repeats='mean'",
            remedy=f"use last, sum or max, or {_PULL_ALL}",
        )
    named = {"interactions": tables.interactions, "users": tables.users, "items": tables.items}
    named |= {"by": by, **{name: getattr(tables.options, name) for name in _OF_PULLS}}
    source = json.dumps(named, sort_keys=True, ensure_ascii=False)
    mark = None if earlier is None else _start(database, source, earlier, given)
    name = dotted_name(tables.interactions)
    tables.require(database, name, [by])
    with database.snapshot():
        start = None if mark is None else mark.last_seen
        reached, missing, before = database.row_range(name, by, start)
        if missing:
            raise InputError(
                f"{missing:,} rows have no value in '{by}': they would never be pulled",
                where=f"{database.address.place}, table {tables.interactions}",
                remedy="name a column that is NOT NULL",
            )
        log = tables.log(database, by, start)
        users, items = tables.features(database)
    if earlier is None or mark is None:
        data = tables.dataset(log, users, items)
        assert reached is not None  # a table without rows has been refused
        return Pull(data, Mark(source, reached, log.num_rows, data.fingerprint), log.num_rows)
    kept = _still_listed(earlier, users, items, tables)
    data = _merged(kept, mark.row_count, log, users, items, tables)
    last = reached if log.num_rows and reached is not None else mark.last_seen
    return Pull(
        data,
        Mark(source, last, mark.row_count + log.num_rows, data.fingerprint),
        new=log.num_rows,
        missed=before - mark.row_count,
        gone=len(earlier) - len(kept),
    )


def _start(database: Database, source: str, earlier: Dataset, given: Mark | None) -> Mark:
    """Return the mark to start from; refuse one of other tables or other data."""
    if given is not None and given.source != source:
        old, new = json.loads(given.source), json.loads(source)
        changes = [
            f"{name} was {old.get(name)!r} and is {value!r}"
            for name, value in new.items()
            if old.get(name) != value
        ]
        raise InputError(
            "the mark is of other tables and columns",
            where=", ".join(changes),
            remedy=f"name the same, or {_PULL_ALL}",
        )
    mark = last_mark(database, source) if given is None else given
    if mark is None:
        raise InputError(
            "no run has left a mark for these tables and columns",
            where=database.address.place,
            remedy=f"{_PULL_ALL}; then write(..., mark=pull.mark)",
        )
    if mark.fingerprint != earlier.fingerprint:
        raise InputError(
            "the earlier data is not the data of the last run",
            where=f"{len(earlier):,} interactions; the mark is at {mark.last_seen}",
            remedy=f"give the data of that run's model (sl.load(bundle).data), or {_PULL_ALL}",
        )
    return mark


def _still_listed(
    earlier: Dataset, users: pa.Table | None, items: pa.Table | None, tables: OwnTables
) -> Dataset:
    """Drop the interactions of users and items that their tables no longer list."""
    if earlier.dislikes is not None:
        dislikes = _still_listed(earlier.dislikes, users, items, tables)
        earlier = replace(earlier, dislikes=dislikes if len(dislikes) else None)
    keep = np.ones(len(earlier), dtype=np.bool_)
    for table, key, vocabulary, rows in (
        (users, tables.options.user_id, earlier.users, earlier.user_rows),
        (items, tables.options.item_id, earlier.items, earlier.item_rows),
    ):
        if table is not None:
            try:
                listed = pc.cast(table.column(key), vocabulary.ids.type).combine_chunks()
            except pa.ArrowInvalid:
                raise _type_changed(vocabulary, table.column(key).type) from None
            present = pc.is_in(vocabulary.ids, value_set=listed)
            keep &= present.to_numpy(zero_copy_only=False)[rows]
    return earlier.select(keep)


def _type_changed(vocabulary: Vocabulary, kind: pa.DataType) -> InputError:
    return InputError(
        f"the {vocabulary.kind} ids are {kind} now; they were {vocabulary.ids.type}",
        remedy=_PULL_ALL,
    )


def _merged(
    earlier: Dataset,
    read: int,
    log: pa.Table,
    users: pa.Table | None,
    items: pa.Table | None,
    tables: OwnTables,
) -> Dataset:
    """Append new rows to earlier ones, whose positions in the source were below ``read``."""
    rows, positions = _in_source_order(earlier)
    new, skipped = _new_rows(log, tables)
    if new is not None:
        for before, after in ((earlier.users, new.users), (earlier.items, new.items)):
            if before.ids.type != after.ids.type:
                raise _type_changed(before, after.ids.type)
        new_rows, new_positions = _in_source_order(new)
        rows = pa.concat_tables([rows, new_rows])
        positions = np.concatenate([positions, new_positions + read])
    # The space keeps weight and time apart from id columns that may have these names.
    names = {"user_id": tables.options.user_id, "item_id": tables.options.item_id}
    rows = rows.rename_columns([names.get(name, f"{name} ") for name in rows.column_names])
    time = "time " if "time " in rows.column_names else None
    read_already = replace(
        tables.options, weight="weight ", time=time, time_format=None, decimal=None
    )
    data = replace(tables, options=read_already).dataset(rows, users, items)
    data = replace(data, skipped=(*skipped, *data.skipped))
    if data.dislikes is not None:
        moved = replace(data.dislikes, positions=positions[data.dislikes.positions])
        data = replace(data, dislikes=moved)
    return replace(data, positions=positions[data.positions])


def _new_rows(log: pa.Table, tables: OwnTables) -> tuple[Dataset | None, tuple[SkippedRows, ...]]:
    """Return the readable new rows, if there are any, and those that were skipped."""
    if not log.num_rows:
        return None, ()
    try:
        new = tables.dataset(log, None, None)
    except NoRowLeftError as error:
        return None, error.skipped
    return new, new.skipped


def _in_source_order(data: Dataset) -> tuple[pa.Table, NDArray[np.int64]]:
    """Return interactions and dislikes in the order of their source, and their positions there."""
    table, positions = data.to_arrow(), data.positions
    if data.dislikes is not None:
        rejected = data.dislikes.to_arrow()
        negative = pc.negate(rejected.column("weight"))
        rejected = rejected.set_column(rejected.column_names.index("weight"), "weight", negative)
        table = pa.concat_tables([table, rejected])
        positions = np.concatenate([positions, data.dislikes.positions])
    order = np.argsort(positions)
    return table.take(pa.array(order)), positions[order]
