"""Loading: find the inputs, stage their rows, check them, write them. All rows, or none.

Each step has a file: :mod:`inputs`, :mod:`staging`, :mod:`checks`; writing is in this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shortlist.data.bad_rows import BadRows, OnBadRow, SkippedRows
from shortlist.data.coding.reading import Reading
from shortlist.data.formats import scan
from shortlist.data.formats.layout import Layout
from shortlist.data.sql import Connection, quoted, quoted_list
from shortlist.data.store.checks import check, copy_keys
from shortlist.data.store.database import Database
from shortlist.data.store.inputs import Inputs, find_inputs, match_input
from shortlist.data.store.schema import Table
from shortlist.data.store.staging import StagedRows, stage, temporary_names
from shortlist.progress import track

_BLOCK_ROWS = 1_000_000  # rows written between two steps of the progress bar


@dataclass(frozen=True)
class LoadReport:
    """The result of a load.

    Attributes
    ----------
    rows
        The number of rows that each table gained.
    repeated
        For each source, the number of rows that were left out because an equal row is stored. Only
        tables whose key the database numbers have such rows.
    ignored
        For each source, the columns that fill nothing.
    skipped
        The rows that were left out because they are bad, by reason.

    Examples
    --------
    >>> print(LoadReport({"users": 943}, ignored={"u.csv": ("note",)}))
             943  users
    u.csv: ignored the columns note
    """

    rows: Mapping[str, int]
    repeated: Mapping[str, int] = field(default_factory=dict)
    ignored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skipped: tuple[SkippedRows, ...] = ()

    def __str__(self) -> str:
        lines = [f"{rows:>12,}  {table}" for table, rows in self.rows.items()]
        lines += [
            f"{label}: left out {n:,} repeated {'row' if n == 1 else 'rows'}"
            for label, n in self.repeated.items()
        ]
        lines += [
            f"{label}: ignored the columns {', '.join(n)}" for label, n in self.ignored.items()
        ]
        return "\n".join([*lines, *map(str, self.skipped)])


def load(
    database: Database,
    inputs: Inputs,
    tables: Mapping[str, Table],
    published: Sequence[Layout],
    reading: Reading,
    on_bad_row: OnBadRow,
) -> LoadReport:
    """Load files or frames into tables, given parents first; see :meth:`shortlist.Store.load`.

    Files are recognised by the published layouts, or by the name of their table.
    """
    connection = database.staging
    bad = BadRows(on_bad_row)
    reading.check(connection)
    with temporary_names(connection) as names:
        staged: list[StagedRows] = []
        mentioned: dict[str, StagedRows] = {}
        ignored: dict[str, tuple[str, ...]] = {}
        for given in track(find_inputs(inputs, tables, published), "reading"):
            matched = match_input(connection, given, next(names), reading.encoding)
            if matched.ignored:
                ignored[given.label] = matched.ignored
            for fill in matched.fills:
                target, columns = tables[fill.table], fill.columns
                staging = (connection, matched.source, target, columns, next(names), fill.each)
                with scan.translated(given.label, matched.source.path):
                    rows = stage(*staging, reading, bad)
                staged.append(rows)
                mentioned |= dict.fromkeys(matched.implied, rows)
        bad.require_none()
        filled = {rows.table.name for rows in staged}
        for parent, rows in mentioned.items():
            if parent not in filled:
                staged.append(_stage_keys(connection, rows, tables[parent], next(names)))
        staged.sort(key=lambda rows: list(tables).index(rows.table.name))
        with database.transaction():
            copy_keys(database, tables, staged)
            check(connection, staged, bad)
            written, repeated = write(database, staged)
    return LoadReport(written, repeated, ignored, tuple(bad.skipped))


def _stage_keys(connection: Connection, rows: StagedRows, parent: Table, name: str) -> StagedRows:
    """Stage the keys of a parent table that rows mention; stored ones are left out later."""
    key = next(key for key in rows.table.foreign_keys if key.parent == parent.name)
    pairs = list(zip(key.columns, key.parent_columns, strict=True))
    connection.execute(
        f"""
        CREATE TEMP TABLE {name} AS
        SELECT DISTINCT {", ".join(f"{quoted(c)} AS {quoted(p)}" for c, p in pairs)}
        FROM {rows.name} WHERE {" AND ".join(f"{quoted(c)} IS NOT NULL" for c, _ in pairs)}
        ORDER BY ALL
        """
    )
    columns = {parent_column: rows.columns[column] for column, parent_column in pairs}
    return StagedRows(parent, name, rows.source, columns, from_lists=True)


def write(
    database: Database, staged: Sequence[StagedRows]
) -> tuple[dict[str, int], dict[str, int]]:
    """Insert checked rows in the order of their sources, parents first, within a transaction.

    Return the number of rows that each table gained, and that were left out of each source.
    """
    written: dict[str, int] = {}
    repeated: dict[str, int] = {}
    for rows, block in track(list(_blocks(database.staging, staged)), "writing"):
        query = _distinct_new_rows(rows) if rows.may_repeat else block
        inserted = database.insert(rows.table, list(rows.columns), query)
        written[rows.table.name] = written.get(rows.table.name, 0) + inserted
        [(count,)] = database.staging.execute(f"SELECT count(*) {block}").fetchall()
        if inserted < count and not rows.from_lists:
            repeated[rows.source.label] = count - inserted
    return written, repeated


def _blocks(
    connection: Connection, staged: Sequence[StagedRows]
) -> Iterator[tuple[StagedRows, str]]:
    """Cut rows into blocks, as SQL from FROM on, except where all have to be compared."""
    for rows in staged:
        [(total,)] = connection.execute(
            f"SELECT coalesce(max(rowid) + 1, 0) FROM {rows.name}"
        ).fetchall()
        size = max(total, 1) if rows.may_repeat else _BLOCK_ROWS
        for start in range(0, total, size):
            yield rows, f"FROM {rows.name} WHERE rowid >= {start} AND rowid < {start + size}"


def _distinct_new_rows(rows: StagedRows) -> str:
    """Select the first of equal rows, unless the table has an equal row already."""
    columns = quoted_list(rows.columns)
    equal = " AND ".join(
        f"staged.{quoted(c)} IS NOT DISTINCT FROM stored.{quoted(c)}" for c in rows.columns
    )
    return f"""
        FROM (SELECT {columns}, min(rowid) AS first FROM {rows.name} GROUP BY {columns}) AS staged
        WHERE NOT EXISTS (FROM {quoted(rows.table.name)} AS stored WHERE {equal})
        ORDER BY first
        """
