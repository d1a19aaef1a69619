"""Recognise a file by its name and its header, and say which columns it holds.

A :class:`Layout` is a declaration; ``layouts.py`` lists those that are published. A file that no
layout names can still be read as a plain table if it is a CSV, a TSV or a RecBole file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from shortlist.data.formats import scan
from shortlist.data.sql import literal, quoted

READABLE = (
    ".csv, .tsv, .parquet, a GroupLens file (u.data, u.item, u.user, ratings.dat, movies.dat, "
    "users.dat) or a RecBole file (.inter, .item, .user)"
)


@dataclass(frozen=True)
class Fill:
    """Which columns of a database table a file fills, and with what.

    Parameters
    ----------
    table
        The table of the schema.
    columns
        For each of its columns, SQL over the columns of the file.
    each
        SQL for a list: the table gets one row per element, called ``each`` in ``columns``.
    """

    table: str
    columns: Mapping[str, str]
    each: str | None = None


def same(*columns: str) -> dict[str, str]:
    """Fill columns from those of the same name, as they stand.

    Examples
    --------
    >>> same("age")
    {'age': '"age"'}
    """
    return {column: quoted(column) for column in columns}


@dataclass(frozen=True)
class Layout:
    """One kind of file that somebody publishes.

    Parameters
    ----------
    title
        What messages call it.
    files
        Patterns of its name, in lower case.
    columns
        The columns it must have; for a file without a header, all of them in order.
    header
        Whether its first row holds the names.
    typed
        The names are written ``name:type``, as RecBole does.
    delimiter, quote
        As in ``scan.Text``; a delimiter of None is found in the header.
    latin
        Written in latin-1 unless it happens to be valid UTF-8.
    decisive
        No other layout is tried for a file of this name, whatever its columns.
    select
        Columns that are read through SQL instead of as they stand; for a file without a header,
        the columns to show in place of the published ones.
    optional
        Columns that may be there too.
    lists
        Columns that hold several values, and what stands between those.
    fills
        The tables of the schema it fills.
    implied
        Tables whose rows it only mentions, as a rating does its user. They get the key alone, and
        only where no other file of the load fills them.
    """

    title: str
    files: tuple[str, ...]
    columns: tuple[str, ...] = ()
    header: bool = True
    typed: bool = False
    delimiter: str | None = None
    quote: str = '"'
    latin: bool = False
    decisive: bool = False
    select: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    lists: Mapping[str, str] = field(default_factory=dict)
    fills: tuple[Fill, ...] = ()
    implied: tuple[str, ...] = ()

    def names(self, path: Path) -> bool:
        """Tell whether the file has a name of this layout (a header makes Parquet possible too)."""
        name = path.name.lower()
        if self.header and name.endswith(".parquet"):
            name = name.removesuffix(".parquet") + ".csv"
        return any(fnmatch(name, pattern) for pattern in self.files)

    def text(self, path: Path) -> scan.Text:
        """Find out how this file is divided: its header is read, or its encoding."""
        if self.header:
            columns, delimiter = scan.header(path, self.delimiter)
            return scan.Text(columns, True, delimiter, self.quote)
        encoding = scan.latin_or_utf8(path) if self.latin else "utf-8"
        return scan.Text(self.columns, False, self.delimiter or ",", self.quote, encoding)

    def selection(self, types: Mapping[str, str]) -> dict[str, str]:
        """Give the columns this layout shows of a table, and the SQL of each.

        Parameters
        ----------
        types
            The columns as they are read and their SQL types: VARCHAR for text.

        Examples
        --------
        >>> RECBOLE.selection({"item_id:token": "VARCHAR"})
        {'item_id': '"item_id:token"'}
        """
        if self.typed:
            shown = dict(_recbole_column(name) for name in types)
        else:
            shown = {name: quoted(name) for name in types}
        if self.header:
            shown |= {name: sql for name, sql in self.select.items() if name in shown}
        else:
            shown = dict(self.select) or shown
        for name, separator in self.lists.items():
            if types.get(name) == "VARCHAR":
                shown[name] = split(name, separator)
        return shown


def split(column: str, separator: str) -> str:
    """Give the SQL that cuts a messy list: trimmed, without blanks, each value once, sorted."""
    parts = f"string_split({quoted(column)}, {literal(separator)})"
    trimmed = f"list_transform({parts}, lambda v: trim(v))"
    return f"list_sort(list_distinct(list_filter({trimmed}, lambda v: v <> '')))"


def recognised(path: Path, layouts: Iterable[Layout]) -> Layout | None:
    """Find the layout of a text file; None for a file that cannot be read.

    Parameters
    ----------
    path
        A file that exists.
    layouts
        The published layouts to try. One with a header also needs its columns to be there.
    """
    for layout in layouts:
        if layout.names(path):
            shown = layout.selection(dict.fromkeys(layout.text(path).columns, "VARCHAR"))
            if not layout.header or set(layout.columns) <= set(shown):
                return layout
    return next((layout for layout in (RECBOLE, TABLE) if layout.names(path)), None)


def _recbole_column(header: str) -> tuple[str, str]:
    """Split ``name:type``; the values of a sequence are separated by spaces."""
    name, _, kind = header.partition(":")
    if kind == "token_seq":
        return name, f"string_split({quoted(header)}, ' ')"
    if kind == "float_seq":
        return name, f"CAST(string_split({quoted(header)}, ' ') AS DOUBLE[])"
    return name, quoted(header)


RECBOLE = Layout(
    "RecBole file", ("*.inter", "*.item", "*.user"), typed=True, delimiter="\t", quote=""
)
TABLE = Layout("table", ("*.csv", "*.tsv"))
