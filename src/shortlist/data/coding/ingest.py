"""Encoding tables with any ids as the arrays of a Dataset; DuckDB does the relational work.

The interactions are copied once, with the columns that are needed, to the table ``log``. Its
``rowid`` is the row number of the source.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.bad_rows import SHOWN, BadRows, NoRowLeftError, SkippedRows
from shortlist.data.coding.columns import InputTable
from shortlist.data.coding.log_rules import LogRule
from shortlist.data.coding.lookalikes import note_on_lookalikes, note_on_missing
from shortlist.data.coding.pairs import merge_repeats
from shortlist.data.coding.tidy import tidied
from shortlist.data.columns.labels import read_labels, with_labels
from shortlist.data.columns.names import same_column
from shortlist.data.columns.titles import titles, with_title
from shortlist.data.formats import scan
from shortlist.data.interactions import Interactions
from shortlist.data.moments import LifeSpans
from shortlist.data.sources import HISTORIES
from shortlist.data.sql import Connection, connect, literal, quoted
from shortlist.data.table_options import TableOptions
from shortlist.data.vocabulary import Rows, Vocabulary
from shortlist.errors import InputError

_ENDLESS = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE")
_BATCH = 1_000_000  # rows that DuckDB hands over at a time


class EncodedTables(NamedTuple):
    """The fields of a Dataset; the dislikes are in the rows of the interactions."""

    interactions: Interactions
    dislikes: Interactions | None
    user_features: pa.Table | None
    item_features: pa.Table | None
    skipped: tuple[SkippedRows, ...]
    notes: tuple[str, ...]


def encode_tables(
    interactions: Any, users: Any, items: Any, options: TableOptions
) -> EncodedTables:
    """Encode the tables; :meth:`Dataset.from_tables` documents parameters and errors."""
    bad, reading = BadRows(options.on_bad_row), options.reading
    counted = LogRule.read("only", options.only, "which rows count, such as only='event = apply'")
    chosen = LogRule.read(
        "positive", options.positive, "which rows are choices, such as positive='rating >= 4'"
    )
    roles, title = options.roles, options.title
    with connect() as db, scan.translated("the tables"):
        options.check(db)
        keys = (options.user_id, options.item_id)
        explained = {"weight": reading.decimal, "time": reading.time_format}
        texts = [column for role, column in roles.items() if explained.get(role)]
        log = InputTable.read(db, interactions, "interactions", keys, reading, bad, texts)
        for role, column in roles.items():
            remedy = f"name the right one: {role}= (shortlist look guesses it)"
            log.column(column, remedy + (HISTORIES if isinstance(interactions, Mapping) else ""))
        user_ids = _Ids.read("user", users, keys[0], log)
        item_ids = _Ids.read("item", items, keys[1], log)
        columns = {"user_id": user_ids.in_log, "item_id": item_ids.in_log}
        for role in ("weight", "time"):
            if role in roles:
                columns[role] = log.value_of(role, roles[role])
        titled = title is not None and title in item_ids.columns
        if title is not None and not titled:
            column = log.column(title, "name the right one: title=")
            columns["title"] = f"CAST({column} AS VARCHAR)"
        for rule in (counted, chosen):
            if rule is not None:
                columns |= rule.columns(log, options.weight)
        log.copy("log", ", ".join(f"{value} AS {name}" for name, value in columns.items()))
        if counted is not None:
            counted.leave_out_others(log)
        log.find_bad("log", roles)
        for ids in (user_ids, item_ids):
            ids.find_bad(log)
        bad.require_none()
        _leave_out_bad(log)
        met = None if chosen is None else chosen.choices(log)
        user_vocabulary, user_features = user_ids.number(log)
        item_vocabulary, item_features = item_ids.number(log)
        tables = {"users": user_features, "items": item_features}
        untyped = [f"{ids.kind}s" for ids in (user_ids, item_ids) if ids.untyped]
        (user_features, item_features), notes = _finished(db, tables, options, titled, untyped)
        user_rows, item_rows, weights, times, records = _encode_log(db, columns)
    notes = log.notes + user_ids.notes + item_ids.notes + notes
    notes += note_on_lookalikes(user_vocabulary) + note_on_lookalikes(item_vocabulary)
    notes += note_on_missing(user_vocabulary, user_rows, keys[0])
    notes += note_on_missing(item_vocabulary, item_rows, keys[1])
    LifeSpans.of(item_features)  # raises an error now, not at the first query
    titles(item_features)
    shape = (len(user_vocabulary), len(item_vocabulary))
    entries = merge_repeats(user_rows, item_rows, weights, times, shape, options.repeats)
    if records is not None:
        entries = entries._replace(positions=records[entries.positions])
    pairs, dislikes = _separated(Interactions(user_vocabulary, item_vocabulary, *entries), met)
    return EncodedTables(pairs, dislikes, user_features, item_features, tuple(bad.skipped), notes)


def _separated(
    pairs: Interactions, met: NDArray[np.bool_] | None
) -> tuple[Interactions, Interactions | None]:
    """Separate choices and dislikes: weights below 0, and rows of the source that are not met."""
    disliked = pairs.weights < 0
    if met is not None:
        disliked |= ~met[pairs.positions]
    if not disliked.any():
        return pairs, None
    strengths = np.where(pairs.weights < 0, -pairs.weights, np.float32(1))
    return pairs.select(~disliked), replace(pairs, weights=strengths).select(disliked)


def _finished(
    db: Connection,
    tables: Mapping[str, pa.Table | None],
    options: TableOptions,
    titled: bool,
    untyped: Collection[str],
) -> tuple[list[pa.Table | None], tuple[str, ...]]:
    """Return the features of users and items with numbers, dates, titles and labels; and notes.

    ``titled``: the titles are in the table of the items, not in the log. ``untyped``: the tables
    that are text files.
    """
    (users, items), notes = tidied(db, tables, options, untyped)
    if options.title is not None:
        if not titled:
            items = _with_last_titles(db, items, options.title)
        items = with_title(items, options.title)
    if options.labels is None:
        return [users, items], notes
    return with_labels((users, items), read_labels(db, options.labels, options.encoding)), notes


def _leave_out_bad(log: InputTable) -> None:
    """Delete the bad rows of all tables, and raise an error if no interaction is left."""
    for deletion in log.bad.deletions:
        log.connection.execute(deletion)
    if log.bad.deletions and not log.connection.execute("SELECT 1 FROM log LIMIT 1").fetchall():
        error = log.bad.combined()
        raise NoRowLeftError(
            log.bad.skipped,
            f"no interaction is left when bad rows are left out: {error.what}",
            where=error.where or log.source.label,
            remedy=error.remedy,
        )


@dataclass(frozen=True)
class _Ids:
    """The ids of the users or of the items: those of the interactions and those of a list."""

    kind: str  # "user" or "item"
    key: str  # the id column of the interactions
    list_key: str  # that of the list
    in_log: str  # SQL that casts the id to a type that holds it unchanged
    in_list: str
    listed: InputTable | None  # the table that lists all ids

    @classmethod
    def read(cls, kind: str, table: Any, key: str, log: InputTable) -> _Ids:
        """Read the list of ids, and choose a type for the ids of both tables.

        Integers of a text file become text if the other table has text. Signed and unsigned
        integers are compared as they are.
        """
        log_type = list_type = log.id_type(key)
        listed, list_key = None, key
        if table is not None:
            listed = cls._read_list(kind, table, key, log)
            list_key = same_column(key, listed.types)
            list_type = listed.id_type(list_key)
        if listed is not None and (log_type == "VARCHAR") != (list_type == "VARCHAR"):
            if not (log if list_type == "VARCHAR" else listed).is_text:
                raise InputError(
                    f"'{list_key}' is {listed.types[list_key]} here and {log.types[key]} in the "
                    "interactions",
                    where=listed.source.where(None, list_key),
                    remedy="cast one of them to the type of the other",
                )
            log_type = list_type = "VARCHAR"
        in_log = f"CAST({quoted(key)} AS {log_type})"
        in_list = f"CAST({quoted(list_key)} AS {list_type})"
        return cls(kind, key, list_key, in_log, in_list, listed)

    @staticmethod
    def _read_list(kind: str, table: Any, key: str, log: InputTable) -> InputTable:
        """Read the list of ids; its id column may be spelled in another way."""

        def read(column: str) -> InputTable:
            return InputTable.read(
                log.connection, table, f"{kind}s", (column,), log.reading, log.bad
            )

        listed = read(key)
        list_key = same_column(key, listed.types)
        listed.column(list_key, f"name its id column {key}, or id")
        return listed if list_key == key else read(list_key)  # its ids stay as they are written

    @property
    def columns(self) -> Collection[str]:
        """The columns of the table that lists the ids, if there is one."""
        return () if self.listed is None else self.listed.types

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on files of the list that were left out."""
        return () if self.listed is None else self.listed.notes

    @property
    def untyped(self) -> bool:
        """Whether the table that lists the ids is a text file, in which no column has a type."""
        return self.listed is not None and self.listed.is_text

    def find_bad(self, log: InputTable) -> None:
        """Report missing and repeated ids in the list, and ids of the log that are not listed."""
        self._refuse_spellings(log)
        if self.listed is not None:
            copied, column = f"{self.kind}_list", f"{self.kind}_id"
            self.listed.copy(copied, f"{self.in_list} AS {column}")
            self.listed.find_bad(copied, {column: self.list_key})
            self._find_repeated(self.listed)
            self._find_unlisted(self.listed, log)

    def number(self, log: InputTable) -> tuple[Vocabulary, pa.Table | None]:
        """Create the table of ids and row numbers; return the vocabulary and its features."""
        db, kind, listed = log.connection, self.kind, self.listed
        source = "log" if listed is None else f"{kind}_list"
        ids = f"SELECT DISTINCT {kind}_id AS id FROM {source}"
        db.execute(
            f"CREATE TEMP TABLE {kind}_rows AS "
            f"SELECT id, CAST(row_number() OVER (ORDER BY id) - 1 AS INTEGER) AS row FROM ({ids})"
        )
        column = db.sql(f"SELECT id FROM {kind}_rows ORDER BY row").to_arrow_table().column("id")
        vocabulary = Vocabulary(column, kind=kind)
        if listed is None or len(listed.types) == 1:
            return vocabulary, None
        rows = listed.source.query
        [(count,)] = db.execute(f"SELECT count(*) FROM {rows}").fetchall()
        if count > len(vocabulary):  # bad rows are left out
            record = "record" + "_" * max(map(len, listed.types))  # no column has this name
            rows = (
                f"(SELECT * EXCLUDE ({record}) FROM "
                f"(SELECT *, row_number() OVER () - 1 AS {record} FROM {rows}) "
                f"WHERE {record} IN (SELECT rowid FROM {kind}_list))"
            )
        columns = f"* EXCLUDE ({quoted(self.list_key)}){_bounded(listed, self.list_key)}"
        features = f"SELECT {columns} FROM {rows} ORDER BY {self.in_list}"
        return vocabulary, db.sql(features).to_arrow_table()

    def _refuse_spellings(self, log: InputTable) -> None:
        """Raise an error if an id is written with and without ``.0``: it would be two ids."""
        if " AS VARCHAR)" not in self.in_log:
            return
        column = f"{self.kind}_id"
        first = log.connection.execute(
            f"SELECT {column}, min(rowid) FROM log WHERE regexp_full_match({column}, '[0-9]+\\.0') "
            f"AND regexp_replace({column}, '\\.0$', '') IN (SELECT {column} FROM log) "
            f"GROUP BY {column} ORDER BY min(rowid) LIMIT 1"
        ).fetchone()
        if first is not None:
            key, record = first
            raise InputError(
                f"{self.kind} {key!r} is also written {key.removesuffix('.0')!r}",
                where=log.source.where(record, self.key),
                remedy="write the ids without a fraction; pandas adds it to a column with missing "
                "values (keep the integers: astype('Int64'))",
            )

    def _find_repeated(self, listed: InputTable) -> None:
        kind = self.kind
        repeated = (
            f"SELECT {kind}_id, list(rowid ORDER BY rowid) AS records FROM {kind}_list "
            f"WHERE {kind}_id IS NOT NULL GROUP BY {kind}_id HAVING count(*) > 1"
        )
        first = listed.connection.execute(
            f"SELECT *, sum(len(records) - 1) OVER () FROM ({repeated}) ORDER BY records[2] LIMIT 1"
        ).fetchone()
        if first is None:
            return
        key, records, count = first
        error = InputError(
            f"{kind} {key!r} is listed {len(records)} times instead of once",
            where=listed.source.where(records[1], self.list_key),
            remedy="keep one row for each id, or leave out the others: on_bad_row='skip'",
        )
        reason, later = f"the {kind} id is listed before", records[1 : SHOWN + 1]
        listed.bad.add(error, listed.source, self.list_key, int(count), later, reason)
        listed.bad.deletions.append(
            f"DELETE FROM {kind}_list WHERE rowid IN (SELECT unnest(records[2:]) FROM ({repeated}))"
        )

    def _find_unlisted(self, listed: InputTable, log: InputTable) -> None:
        kind = self.kind
        first = log.connection.execute(
            f"SELECT {kind}_id, min(rowid) AS record, count(*) OVER (), sum(count(*)) OVER () "
            f"FROM log ANTI JOIN {kind}_list USING ({kind}_id) WHERE {kind}_id IS NOT NULL "
            f"GROUP BY {kind}_id ORDER BY record LIMIT 1"
        ).fetchone()
        if first is None:
            return
        key, record, count, rows = first
        not_listed = f"is not listed in {listed.source.label}"
        if count > 1:
            not_listed += f" ({count:,} such {kind}s)"
        error = InputError(
            f"{kind} {key!r} has interactions but {not_listed}",
            where=log.source.where(record, self.key),
            remedy=f"add the missing {kind}s, or leave their interactions out",
        )
        reason = f"{kind} {key!r} {not_listed}"
        log.bad.add(error, log.source, self.key, int(rows), [record], reason)
        log.bad.deletions.append(
            f"DELETE FROM log WHERE {kind}_id NOT IN "
            f"(SELECT {kind}_id FROM {kind}_list WHERE {kind}_id IS NOT NULL)"
        )


def _bounded(table: InputTable, key: str) -> str:
    """Return SQL that moves times without end, which Python cannot represent, to 1 and 9999."""
    columns = []
    for name, kind in table.types.items():
        if name != key and kind in _ENDLESS:
            x = quoted(name)
            first, last, after = (
                f"CAST({literal(day)} AS {kind})"
                for day in ("0001-01-01", "9999-12-31", "10000-01-01")
            )
            columns.append(
                f"CASE WHEN {x} >= {after} THEN {last} WHEN {x} < {first} THEN {first} "
                f"ELSE {x} END AS {x}"
            )
    return f" REPLACE ({', '.join(columns)})" if columns else ""


def _with_last_titles(db: Connection, features: pa.Table | None, name: str) -> pa.Table:
    """Add the last title of each item among the interactions to the features of the items."""
    titles = db.sql(
        "SELECT title FROM item_rows LEFT JOIN (SELECT item_id AS id, arg_max(title, rowid) AS "
        "title FROM log WHERE title IS NOT NULL GROUP BY item_id) USING (id) ORDER BY row"
    ).to_arrow_table()
    if features is None:
        return titles.rename_columns([name])
    return features.append_column(name, titles.column("title"))


def _encode_log(
    db: Connection, columns: Collection[str]
) -> tuple[Rows, Rows, NDArray[np.float32], NDArray[np.int64] | None, NDArray[np.int64] | None]:
    """Return user rows, item rows, weights and times, in the order of the source.

    The last array holds the rows of the source; it is None where no row is left out.
    """
    present, count = db.execute("SELECT count(*), max(rowid) + 1 FROM log").fetchall()[0]
    kept = np.zeros(count, dtype=bool)
    users, items = np.empty((2, count), dtype=np.int32)
    arrays: dict[str, NDArray[Any]] = {"u.row": users, "i.row": items}
    weights, times = np.ones(count, dtype=np.float32), None
    if "weight" in columns:
        arrays["weight"] = weights
    if "time" in columns:
        arrays["time"] = times = np.empty(count, dtype=np.int64)
    joined = db.sql(
        f"""
        SELECT log.rowid, {", ".join(arrays)}
        FROM log JOIN user_rows AS u ON u.id = user_id JOIN item_rows AS i ON i.id = item_id
        """
    )
    for batch in joined.to_arrow_reader(_BATCH):
        record, *values = (column.to_numpy() for column in batch.columns)
        for array, value in zip(arrays.values(), values, strict=True):
            array[record] = value  # a join keeps no order
        kept[record] = True
    if present == count:
        return users, items, weights, times, None
    records = np.flatnonzero(kept)
    times = None if times is None else times[records]
    return users[records], items[records], weights[records], times, records
