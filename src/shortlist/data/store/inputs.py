"""Inputs of a load: finding the sources, and matching each with a layout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import duckdb

from shortlist.data.formats import scan
from shortlist.data.formats.layout import Fill, Layout, same
from shortlist.data.formats.source import Source
from shortlist.data.sources import relation
from shortlist.data.sql import Connection, quoted, types_of
from shortlist.data.store.schema import Table
from shortlist.errors import InputError, suggestion

Inputs: TypeAlias = str | Path | Iterable[str | Path] | Mapping[str, Any]


class Input(NamedTuple):
    """A file or a frame, and the layouts that it may have."""

    label: str
    content: Any
    layouts: tuple[Layout, ...]


class MatchedInput(NamedTuple):
    """An input with its layout, ready to be selected from."""

    source: Source
    fills: tuple[Fill, ...]  # without the optional columns that the source lacks
    implied: tuple[str, ...]  # tables whose keys it only mentions
    ignored: tuple[str, ...]  # columns that fill nothing


def find_inputs(
    inputs: Inputs, tables: Mapping[str, Table], published: Sequence[Layout]
) -> list[Input]:
    """List the sources of a load: files, recognised files of folders, or a frame per table name."""
    if isinstance(inputs, Mapping):
        unknown = next((name for name in inputs if name not in tables), None)
        if unknown is not None:
            raise InputError(f"there is no table '{unknown}'", remedy=suggestion(unknown, tables))
        sources = [
            Input(
                Path(content).name if isinstance(content, str | Path) else name,
                Path(content) if isinstance(content, str) else content,
                (_table_layout(tables[name]),),
            )
            for name, content in inputs.items()
        ]
    else:
        layouts = [layout for layout in published if layout.fills]
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
            only = next((one for one in named if one.decisive or not one.header), None)
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
    connection: Connection, given: Input, frame: str, encoding: str | None = None
) -> MatchedInput:
    """Match the columns of an input with the layout that fits best; register a frame."""
    if isinstance(given.content, Path):
        scan.require_file(given.content, given.label)
    else:
        rows = relation(connection, given.content, label=given.label)
        connection.register(frame, rows.to_arrow_table())
    attempts = [
        (layout, *_read(connection, given, layout, frame, encoding)) for layout in given.layouts
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
    return MatchedInput(source, fills, layout.implied, unknown if layout.header else ())


def _missing(layout: Layout, present: Iterable[str]) -> list[str]:
    """Return the columns that a layout with a header requires and that are not there."""
    return [name for name in layout.columns if name not in present] if layout.header else []


def _read(
    connection: Connection, given: Input, layout: Layout, frame: str, encoding: str | None
) -> tuple[Source, tuple[str, ...]]:
    """Read an input with a layout; return the source and the names of its columns."""
    path, text = given.content if isinstance(given.content, Path) else None, None
    if path is None:
        rows = quoted(frame)
    elif path.suffix.lower() == ".parquet":
        rows = scan.parquet(path)
    else:
        text = layout.text(path, encoding)
        rows = text.select_from(path)
    try:
        types = types_of(connection, rows)
    except duckdb.Error as error:
        raise scan.explain(error, path, given.label) from error
    selected = layout.selection(types)
    columns = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in selected.items())
    return Source(given.label, f"(SELECT {columns} FROM {rows})", path, text), tuple(selected)
