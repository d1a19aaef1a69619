"""Loading: find the inputs, stage their rows, check them, write them. All rows, or none.

Staging and checks have files of their own: :mod:`staging`, :mod:`checks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import duckdb

from shortlist.data.bad_rows import BadRows, OnBadRow, SkippedRows, Source
from shortlist.data.coding.reading import Reading
from shortlist.data.formats import scan
from shortlist.data.formats.layout import Fill, Layout, same
from shortlist.data.sources import read
from shortlist.data.sql import Connection, quoted, quoted_list, types_of
from shortlist.data.store.checks import check, copy_keys
from shortlist.data.store.database import Database
from shortlist.data.store.schema import Table
from shortlist.data.store.staging import StagedRows, stage, temporary_names
from shortlist.errors import InputError, require_known
from shortlist.progress import track
from shortlist.text import counted

_BLOCK_ROWS = 1_000_000  # rows written between two steps of the progress bar
Inputs: TypeAlias = str | Path | Iterable[str | Path] | Mapping[str, Any]


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
            f"{label}: left out {counted(n, 'repeated row')}" for label, n in self.repeated.items()
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
            source, layout, unknown = match_input(
                connection, given, next(names), reading.encoding, bad
            )
            if unknown:
                ignored[given.label] = unknown
            for fill in layout.fills:
                target, columns = tables[fill.table], fill.columns
                staging = (connection, source, target, columns, next(names), fill.each)
                with scan.translated(given.label, source.path, source.text):
                    rows = stage(*staging, reading, bad)
                staged.append(rows)
                mentioned |= dict.fromkeys(layout.implied, rows)
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


class Input(NamedTuple):
    """A file or a frame, and the layouts that it may have."""

    label: str
    content: Any
    layouts: tuple[Layout, ...]


def find_inputs(
    inputs: Inputs, tables: Mapping[str, Table], published: Sequence[Layout]
) -> list[Input]:
    """List the sources of a load: files, recognised files of folders, or a frame per table name."""
    if isinstance(inputs, Mapping):
        for name in inputs:
            require_known(name, tables, f"there is no table '{name}'")
        sources = [
            Input(
                Path(content).name if isinstance(content, str | Path) else name,
                Path(content) if isinstance(content, str) else content,
                (_table_layout(tables[name]),),
            )
            for name, content in inputs.items()
        ]
    else:
        layouts = [layout for layout in published if layout.fills and _fits(layout, tables)]
        layouts += [_table_layout(table) for table in tables.values()]
        paths = [inputs] if isinstance(inputs, str | Path) else list(inputs)
        # By resolved path: a file that is named twice is read once.
        files = dict(pair for path in paths for pair in _find_files(Path(path), layouts))
        sources = list(files.values())
    if not sources:
        raise InputError("there is nothing to load", remedy="name at least one file or folder")
    return sources


def _find_files(path: Path, layouts: Sequence[Layout]) -> list[tuple[Path, Input]]:
    """Return a file, or the recognised files of a folder, by their resolved paths."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file())
    else:
        scan.require_file(path, path.name)
        files = [path]
    recognised = []
    for file in files:
        if named := tuple(layout for layout in layouts if layout.names(file)):
            # The header decides among several, except where the name does.
            only = next((layout for layout in named if layout.decisive or not layout.header), None)
            possible = named if only is None else (only,)
            recognised.append((file.resolve(), Input(file.name, file, possible)))
    if not recognised:
        patterns = sorted({pattern for layout in layouts for pattern in layout.files})
        raise InputError(
            f"{path.name} holds no file that is recognised"
            if path.is_dir()
            else f"{path.name} is not a file that is recognised",
            where=str(path),
            remedy=f"known names, where .csv may also be .parquet: {', '.join(patterns)}",
        )
    return recognised


def _fits(layout: Layout, tables: Mapping[str, Table]) -> bool:
    """Return whether a layout fills these tables: a schema may be a changed copy of a built-in one.

    The tables that it implies must be referred to, as their keys are taken from there.
    """
    filled = [(tables.get(fill.table), fill.columns) for fill in layout.fills]
    if any(table is None or not columns.keys() <= table.types.keys() for table, columns in filled):
        return False
    parents = {key.parent for key in tables[layout.fills[-1].table].foreign_keys}
    return parents.issuperset(layout.implied)


def _table_layout(table: Table) -> Layout:
    """Return the layout of a file that is named after a table and has its columns."""
    columns = [column for column in table.types if column not in table.generated_key]
    required = [c for c in columns if c in table.required and c not in table.defaults]
    return Layout(
        (f"{table.name.lower()}.csv", f"{table.name.lower()}.tsv"),
        tuple(required),
        optional=tuple(column for column in columns if column not in required),
        fills=(Fill(table.name, same(*columns)),),
    )


def match_input(
    connection: Connection, given: Input, frame: str, encoding: str | None, bad: BadRows
) -> tuple[Source, Layout, tuple[str, ...]]:
    """Match the columns of an input with the layout that fits best; register a frame.

    Return the source, the layout without optional columns that the source lacks, and the columns
    that fill nothing.
    """
    if isinstance(given.content, Path):
        scan.require_file(given.content, given.label)
    else:
        rows = read(connection, given.content, label=given.label).rows
        connection.register(frame, rows.to_arrow_table())
    attempts = [
        (layout, *_read(connection, given, layout, frame, encoding, bad))
        for layout in given.layouts
    ]
    layout, source, present = min(attempts, key=lambda a: len(_missing(a[0], a[2])))
    unknown = tuple(name for name in present if name not in (*layout.columns, *layout.optional))
    absent = [name for name in layout.optional if name not in present]
    where = f"{source.label}, row 1" if source.text else source.label
    for name in _missing(layout, present):
        close = get_close_matches(name, unknown, n=1)
        raise InputError(
            f"the column '{name}' is missing",
            where=where,
            remedy=f"did you mean '{close[0]}'? Rename it to '{name}'"
            if close
            else f"add it; the columns are {', '.join(layout.columns)}",
        )
    for name in unknown if layout.header else ():
        if close := get_close_matches(name, absent, n=1):
            raise InputError(
                f"the column '{name}' is unknown",
                where=where,
                remedy=f"did you mean '{close[0]}'? Rename it, or leave it out",
            )
    omitted = {quoted(name) for name in absent}
    fills = tuple(
        replace(fill, columns={c: sql for c, sql in fill.columns.items() if sql not in omitted})
        for fill in layout.fills
    )
    return source, replace(layout, fills=fills), unknown if layout.header else ()


def _missing(layout: Layout, present: Iterable[str]) -> list[str]:
    """Return the columns that a layout with a header requires and that are not there."""
    return [name for name in layout.columns if name not in present] if layout.header else []


def _read(
    connection: Connection,
    given: Input,
    layout: Layout,
    frame: str,
    encoding: str | None,
    bad: BadRows,
) -> tuple[Source, tuple[str, ...]]:
    """Read an input with a layout; return the source and the names of its columns."""
    path, text = given.content if isinstance(given.content, Path) else None, None
    if path is None:
        rows = quoted(frame)
    elif path.suffix.lower() == ".parquet":
        rows = scan.parquet(path)
    else:
        text = bad.as_read(path, layout.text(path, encoding))
        rows = text.select_from(path)
        if bad.skip and _is_ragged(connection, rows):
            text = bad.without_ragged(given.label, path, text)
            rows = text.select_from(path)
    try:
        types = types_of(connection, rows)
    except duckdb.Error as error:
        raise scan.explain(error, path, given.label, text) from error
    selected = layout.selection(types)
    columns = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in selected.items())
    return Source(given.label, f"(SELECT {columns} FROM {rows})", path, text), tuple(selected)


def _is_ragged(connection: Connection, rows: str) -> bool:
    """Return whether a row of a text file has more or fewer cells than there are columns."""
    try:
        connection.execute(f"SELECT count(*) FROM {rows}")
    except duckdb.Error as error:  # reading the rows explains other errors
        return scan.is_ragged(error)
    return False
