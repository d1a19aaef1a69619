"""A layout: the names of the files of one kind, their columns, and the tables that they fill.

:mod:`shortlist.data.formats.layouts` lists the published layouts and recognises files by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from shortlist.data.formats.delimited import Text, column_names
from shortlist.data.formats.text_files import encoding_of, latin_or_utf8
from shortlist.data.sql import literal, quoted

_SAMPLE = 1_000  # rows that tell how the values of a list are separated
_SEPARATORS = (";", "|", ",")


@dataclass(frozen=True)
class Fill:
    """The columns of a table of the schema that a file fills, as SQL over the columns of the file.

    With ``each``, SQL of a list, the table gets one row per element, which is called ``each``.
    """

    table: str
    columns: Mapping[str, str]
    each: str | None = None


def same(*columns: str) -> dict[str, str]:
    """Return the expressions that fill columns from file columns of the same name."""
    return {column: quoted(column) for column in columns}


@dataclass(frozen=True)
class Layout:
    """One kind of file."""

    files: tuple[str, ...]  # patterns of the name, in lower case
    columns: tuple[str, ...] = ()  # the required ones; without a header, all in order
    header: bool = True  # whether the first row holds the column names
    typed: bool = False  # whether the names have the form ``name:type``, as in RecBole files
    delimiter: str | None = None  # None: detected from the header
    quote: str = '"'
    latin: bool = False  # latin-1, unless the file is valid UTF-8
    decisive: bool = False  # whether a file of this name is never read with another layout
    select: Mapping[str, str] = field(default_factory=dict)
    """SQL that replaces columns; without a header, the columns to show instead of the originals."""
    optional: tuple[str, ...] = ()  # columns that the file may have
    lists: Mapping[str, str] = field(default_factory=dict)  # columns of several values: separators
    fills: tuple[Fill, ...] = ()
    implied: tuple[str, ...] = ()
    """Tables whose keys the file mentions, as a rating mentions its user. They get rows with the
    key alone, if no other file of a load fills them."""

    def names(self, path: Path) -> bool:
        """Return whether the file name matches; Parquet also matches, if there is a header."""
        name = path.name.lower().removesuffix(".gz")
        if self.header and name.endswith(".parquet"):
            name = name.removesuffix(".parquet") + ".csv"
        return any(fnmatch(name, pattern) for pattern in self.files)

    def text(self, path: Path, encoding: str | None = None) -> Text:
        """Return how a file is read; ``encoding`` is that of files that are not UTF-8."""
        if encoding is None and self.latin:
            encoding = latin_or_utf8(path)
        encoding = encoding_of(path, encoding)
        if self.header:
            columns, delimiter = column_names(path, self.delimiter, encoding)
            return Text(columns, True, delimiter, self.quote, encoding)
        return Text(self.columns, False, self.delimiter or ",", self.quote, encoding)

    def describes(self, path: Path, encoding: str | None = None) -> bool:
        """Return whether a file has these columns and no others, and separates lists like this."""
        text = self.text(path, encoding)
        names = set(self.selection(dict.fromkeys(text.columns, "VARCHAR")))
        if not set(self.columns) <= names <= {*self.columns, *self.optional}:
            return False
        for column, separator in self.lists.items():
            values = "".join(text.first_values(path, column, _SAMPLE))
            if separator not in values and any(mark in values for mark in _SEPARATORS):
                return False
        return True

    def selection(self, types: Mapping[str, str]) -> dict[str, str]:
        """Return the columns that this layout shows, with the SQL expression of each.

        ``types`` holds the SQL type of each column of the file; VARCHAR in text files.
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
                shown[name] = _split(name, separator)
        return shown


def _split(column: str, separator: str) -> str:
    """Return SQL that splits a text into a sorted list of its distinct, trimmed values."""
    parts = f"string_split({quoted(column)}, {literal(separator)})"
    trimmed = f"list_transform({parts}, lambda v: trim(v))"
    return f"list_sort(list_distinct(list_filter({trimmed}, lambda v: v <> '')))"


def _recbole_column(header: str) -> tuple[str, str]:
    """Split ``name:type`` and return name and SQL; sequences are separated by spaces."""
    name, _, kind = header.partition(":")
    if kind == "token_seq":
        return name, f"string_split({quoted(header)}, ' ')"
    if kind == "float_seq":
        return name, f"CAST(string_split({quoted(header)}, ' ') AS DOUBLE[])"
    return name, quoted(header)


RECBOLE = Layout(("*.inter", "*.item", "*.user"), typed=True, delimiter="\t", quote="")
TABLE = Layout(("*.csv", "*.tsv"))
