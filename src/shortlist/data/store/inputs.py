"""The sources of a load, and the layout that each of them follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

import duckdb

from shortlist.data.formats import scan
from shortlist.data.formats.layout import Fill, Layout
from shortlist.data.sources import relation
from shortlist.data.sql import quoted
from shortlist.data.store.catalogue import Table
from shortlist.data.store.staging import Source
from shortlist.errors import InputError, suggestion

Inputs: TypeAlias = str | Path | Iterable[str | Path] | Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A source that was named, and the layouts it may have."""

    label: str
    content: Any
    layouts: tuple[Layout, ...]


@dataclass(frozen=True)
class Opened:
    """A source that can be selected from.

    Attributes
    ----------
    source
        Its query, with the columns its layout shows.
    fills
        The tables it fills, without the columns it does not have.
    implied
        The tables it only mentions rows of.
    ignored
        Its columns that fill nothing.
    """

    source: Source
    fills: tuple[Fill, ...]
    implied: tuple[str, ...]
    ignored: tuple[str, ...]


def find(inputs: Inputs, tables: Mapping[str, Table], published: Sequence[Layout]) -> list[Found]:
    """List the sources: files, the recognised files of folders, or a table or path per table name.

    Raises
    ------
    InputError
        A file does not exist or is not recognised, a folder holds nothing that is, there is no
        table of that name, or nothing was given.
    """
    if isinstance(inputs, Mapping):
        unknown = next((name for name in inputs if name not in tables), None)
        if unknown is not None:
            raise InputError(f"there is no table '{unknown}'", remedy=suggestion(unknown, tables))
        found = [
            Found(
                Path(content).name if isinstance(content, str | Path) else name,
                Path(content) if isinstance(content, str) else content,
                (_named_after(tables[name]),),
            )
            for name, content in inputs.items()
        ]
    else:
        layouts = [layout for layout in published if layout.fills]
        layouts += [_named_after(table) for table in tables.values()]
        paths = [inputs] if isinstance(inputs, str | Path) else list(inputs)
        files = dict(pair for path in paths for pair in _files(Path(path), layouts))
        found = list(files.values())
    if not found:
        raise InputError("there is nothing to load", remedy="name at least one file or folder")
    return found


def _files(path: Path, layouts: Sequence[Layout]) -> list[tuple[Path, Found]]:
    """Give a file, or the files of a folder that any layout names."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file())
    else:
        scan.require_file(path, path.name)
        files = [path]
    found = [
        (file.resolve(), Found(file.name, file, named))
        for file in files
        if (named := _naming(file, layouts))
    ]
    if not found:
        patterns = sorted({pattern for layout in layouts for pattern in layout.files})
        raise InputError(
            f"{path.name} holds no file that is recognised"
            if path.is_dir()
            else f"{path.name} is not a file that is recognised",
            where=str(path),
            remedy=f"known names, where .csv may also be .parquet: {', '.join(patterns)}",
        )
    return found


def _naming(file: Path, layouts: Sequence[Layout]) -> tuple[Layout, ...]:
    """Give the layouts a file may have; without a header only its name can tell."""
    named = tuple(layout for layout in layouts if layout.names(file))
    return next(((layout,) for layout in named if layout.decisive or not layout.header), named)


def _named_after(table: Table) -> Layout:
    """Recognise a file by the name of a table: its columns are the table's."""
    counted = {column for key in table.keys for column in key} & table.given
    columns = tuple(column for column in table.types if column not in counted)
    required = tuple(c for c in columns if c in table.required and c not in table.given)
    return Layout(
        (f"{table.name.lower()}.csv", f"{table.name.lower()}.tsv"),
        required,
        optional=tuple(column for column in columns if column not in required),
        fills=(Fill(table.name, {column: quoted(column) for column in columns}),),
    )


def open_source(connection: duckdb.DuckDBPyConnection, found: Found, frame: str) -> Opened:
    """Read the columns of a source and match them with the layout they fit best.

    Parameters
    ----------
    connection
        Where it will be selected from.
    found
        The source.
    frame
        The name under which a frame is registered.

    Raises
    ------
    InputError
        A column is missing or misspelt, or the file cannot be read.
    """
    if isinstance(found.content, Path):
        scan.require_file(found.content, found.label)
    else:
        rows = relation(connection, found.content, label=found.label)
        connection.register(frame, rows.to_arrow_table())
    attempts = [(layout, *_read(connection, found, layout, frame)) for layout in found.layouts]
    layout, source, shown = min(attempts, key=lambda a: len(_missing(a[0], a[2])))
    unknown = tuple(name for name in shown if name not in (*layout.columns, *layout.optional))
    absent = [name for name in layout.optional if name not in shown]
    for name in _missing(layout, shown):
        close = get_close_matches(name, unknown, n=1)
        raise InputError(
            f"the column '{name}' is missing",
            where=f"{source.label}, row 1" if source.text else source.label,
            remedy=f"did you mean '{close[0]}'? Rename it to '{name}'"
            if close
            else f"add it; the columns are {', '.join(layout.columns)}",
        )
    for name in unknown if layout.header else ():
        if close := get_close_matches(name, absent, n=1):
            raise InputError(
                f"the column '{name}' is unknown",
                where=f"{source.label}, row 1" if source.text else source.label,
                remedy=f"did you mean '{close[0]}'? Rename it, or leave it out",
            )
    fills = tuple(
        replace(fill, columns={c: sql for c, sql in fill.columns.items() if sql not in omitted})
        for omitted in [{quoted(name) for name in absent}]
        for fill in layout.fills
    )
    return Opened(source, fills, layout.implied, unknown if layout.header else ())


def _missing(layout: Layout, shown: Iterable[str]) -> list[str]:
    """Name the columns a layout with a header needs and does not find."""
    return [name for name in layout.columns if name not in shown] if layout.header else []


def _read(
    connection: duckdb.DuckDBPyConnection, found: Found, layout: Layout, frame: str
) -> tuple[Source, tuple[str, ...]]:
    """Give the source as one layout sees it, and the columns that shows."""
    path, text = found.content if isinstance(found.content, Path) else None, None
    if path is None:
        rows = quoted(frame)
    elif path.suffix.lower() == ".parquet":
        rows = scan.parquet(path)
    else:
        text = layout.text(path)
        rows = text.select_from(path)
    try:
        described = connection.execute(f"DESCRIBE FROM {rows}").fetchall()
    except duckdb.Error as error:
        if path is None:
            raise
        raise scan.explain(error, path) from error
    shown = layout.selection({name: kind for name, kind, *_ in described})
    columns = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in shown.items())
    return Source(found.label, f"(SELECT {columns} FROM {rows})", path, text), tuple(shown)
