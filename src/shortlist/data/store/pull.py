"""Interactions since the last run, merged into those of before.

Rows are followed along a column that only grows: a running number, or the time of entry. A pull
reads the rows whose value is greater than that of the last run's mark. So it does not see

- late rows: those that were committed after the last pull with a value that is not greater;
- rows that were deleted or changed since.

The first and the last can be counted, and are: ``missed``. Where it is not 0, or once a week, pull
everything. Users and items are read whole each time: what is known of them is never old.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.sql import dotted_name
from shortlist.data.store.database import After, Database
from shortlist.data.store.own_tables import OwnTables
from shortlist.data.store.runs import Mark, last_mark
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import ConfigError, InputError

_FULL = "pull everything: leave earlier (--since) out"


@dataclass(frozen=True)
class Pull:
    """What a pull brought.

    Attributes
    ----------
    data
        All interactions: those of before and the new ones.
    mark
        Hand it to :meth:`Store.write` with the lists: then the next pull starts here.
    new
        How many rows were fetched.
    missed
        How many more rows the table has before the last mark than were read then: late rows; less
        than 0: rows that were deleted. They are not in ``data`` (or still are).
    gone
        How many interactions were dropped because their user or item is listed no more.
    """

    data: Dataset
    mark: Mark
    new: int
    missed: int = 0
    gone: int = 0


def pull(
    database: Database,
    tables: OwnTables,
    by: str,
    earlier: Dataset | None,
    given: Mark | None = None,
) -> Pull:
    """Do the work of :meth:`shortlist.Store.pull`, which documents it."""
    if earlier is not None and tables.repeats == "mean":
        raise ConfigError(
            "means cannot be merged: how many rows they are of is not kept",
            where="repeats='mean'",
            remedy=f"use last, sum or max, or {_FULL}",
        )
    source, name = tables.source(by), dotted_name(tables.interactions)
    mark = None if earlier is None else _mark_of(database, source, earlier, given)
    tables.require(database, name, [by])
    with database.snapshot():
        reached = database.extent(name, by, None if mark is None else mark.last_seen)
        if reached.missing:
            raise InputError(
                f"{reached.missing:,} rows have no value in '{by}': they would never be pulled",
                where=f"{database.address.place}, table {tables.interactions}",
                remedy="follow the rows along a column that is NOT NULL",
            )
        order = list(dict.fromkeys((by, tables.user_id, tables.item_id)))
        after = None if mark is None else After(by, mark.last_seen)
        log = tables.log(database, after=after, order=order)
        users, items = tables.features(database)
    if earlier is None or mark is None:
        data, missed, gone = tables.coded(log, users, items), 0, 0
    else:
        kept = _listed(earlier, users, items, tables)
        data = _merged(kept, mark.row_count, log, users, items, tables)
        missed, gone = reached.before - mark.row_count, len(earlier) - len(kept)
    count = log.num_rows + (0 if mark is None else mark.row_count)
    last = reached.last if log.num_rows or mark is None else mark.last_seen
    assert last is not None  # a table without rows has been refused
    left = Mark(source, last, count, data.fingerprint)
    return Pull(data, left, log.num_rows, missed, gone)


def _mark_of(database: Database, source: str, earlier: Dataset, given: Mark | None) -> Mark:
    if given is not None and given.source != source:
        raise InputError(
            "the mark is of other tables and columns",
            where=_changes(given.source, source),
            remedy=f"name the same, or {_FULL}",
        )
    mark = last_mark(database, source) if given is None else given
    if mark is None:
        raise InputError(
            "no run has left a mark for these tables and columns",
            where=database.address.place,
            remedy=f"{_FULL}; then write(..., mark=pull.mark)",
        )
    if mark.fingerprint != earlier.fingerprint:
        raise InputError(
            "the earlier data is not what the last run was made of",
            where=f"{len(earlier):,} interactions; the mark is at {mark.last_seen}",
            remedy=f"give the data of that run's model (sl.load(bundle).data), or {_FULL}",
        )
    return mark


def _changes(before: str, now: str) -> str:
    """Say what differs between two sources."""
    old, new = (json.loads(one) for one in (before, now))
    return ", ".join(
        f"{name} was {old.get(name)!r} and is {new[name]!r}"
        for name in new
        if old.get(name) != new[name]
    )


def _listed(
    earlier: Dataset, users: pa.Table | None, items: pa.Table | None, tables: OwnTables
) -> Dataset:
    """Drop the interactions of users and items that are listed no more."""
    keep = np.ones(len(earlier), dtype=np.bool_)
    for table, key, vocabulary, rows in (
        (users, tables.user_id, earlier.users, earlier.user_rows),
        (items, tables.item_id, earlier.items, earlier.item_rows),
    ):
        if table is not None:
            listed = _ids(table.column(key), vocabulary)
            known = pc.is_in(vocabulary.ids, value_set=listed)
            keep &= known.to_numpy(zero_copy_only=False)[rows]
    return earlier.select(keep)


def _ids(column: Any, vocabulary: Vocabulary) -> pa.Array:
    try:
        return pc.cast(column, vocabulary.ids.type).combine_chunks()
    except pa.ArrowInvalid:
        raise _changed(vocabulary, column.type) from None


def _changed(vocabulary: Vocabulary, kind: pa.DataType) -> InputError:
    return InputError(
        f"the {vocabulary.kind} ids are {kind} now; they were {vocabulary.ids.type}",
        remedy=_FULL,
    )


def _merged(
    earlier: Dataset,
    read: int,
    log: pa.Table,
    users: pa.Table | None,
    items: pa.Table | None,
    tables: OwnTables,
) -> Dataset:
    """Put new rows behind those of before, whose places in the source were below ``read``."""
    before, places = _in_order(earlier)
    parts, positions = [before], [places]
    if log.num_rows:
        fresh = tables.coded(log, None, None)
        for old, new in ((earlier.users, fresh.users), (earlier.items, fresh.items)):
            if old.ids.type != new.ids.type:
                raise _changed(old, new.ids.type)
        rows, places = _in_order(fresh)
        parts, positions = [before, rows], [positions[0], places + read]
    names: Mapping[str, str] = {"user_id": tables.user_id, "item_id": tables.item_id}
    whole = pa.concat_tables(parts)
    whole = whole.rename_columns([names.get(name, f"{name} ") for name in whole.column_names])
    merging = replace(
        tables, weight="weight ", time="time " if "time " in whole.column_names else None
    )
    data = merging.coded(whole, users, items)
    return replace(data, positions=np.concatenate(positions)[data.positions])


def _in_order(data: Dataset) -> tuple[pa.Table, NDArray[np.int64]]:
    """Give the interactions in the order of their source, and their places there."""
    order = np.argsort(data.positions)
    return data.to_arrow().take(pa.array(order)), data.positions[order]
