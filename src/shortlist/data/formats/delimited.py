"""Delimited text files: their columns, their records, and the SQL that reads them.

Every column is read as VARCHAR: DuckDB infers no types, so no id changes.
"""

from __future__ import annotations

import csv
import os
import re
import tempfile
import weakref
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

from shortlist.data.formats.text_files import (
    invalid_row,
    is_utf8,
    not_encoded,
    open_bytes,
    open_text,
    unreadable,
)
from shortlist.data.sql import literal, sql_path
from shortlist.errors import InputError

LONGEST_ROW = 2_000_000  # bytes of a row of a text file, the bound of DuckDB
_DELIMITERS = (",", "\t", ";", "|")
_NATIVE = ("utf-8", "latin-1")  # the encodings that DuckDB reads; others are converted first
_CHUNK = 1 << 20
_QUOTED = re.compile(r'"[^"]*"')
_OPENING = re.compile(rf'(?:^|[{"".join(_DELIMITERS)}])"')  # a quote that begins a cell


class Record(NamedTuple):
    """The lines of a record, from 1, and the number of its cells."""

    line: int
    last_line: int
    cells: int


@dataclass(frozen=True)
class Text:
    """How a text file is divided into rows and columns.

    A delimiter may be longer than one character (``::``). No quote character: no quoting. The lines
    of ``left_out`` are not read.
    """

    columns: tuple[str, ...]
    header: bool = True
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    left_out: frozenset[int] = frozenset()

    def select_from(self, path: Path) -> str:
        """Return the SQL table function that reads the file, every column as VARCHAR."""
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.columns)
        native = self.encoding in _NATIVE and not self.left_out
        if native:
            _refuse_nul_bytes(path)
        path = path if native else self._copy(path)
        return (
            f"read_csv({literal(sql_path(path))}, auto_detect = false, "
            f"header = {str(self.header).lower()}, delim = {literal(self.delimiter)}, "
            f"quote = {literal(self.quote)}, escape = {literal(self.quote)}, "
            f"encoding = {literal(self.encoding if native else 'utf-8')}, "
            f"columns = {{{columns}}}, hive_partitioning = false)"
        )

    def records(self, path: Path) -> Iterator[Record]:
        """Yield the records of a file, with that of the header; like DuckDB, skip blank lines.

        Quoted line breaks and blank lines make the numbers of records and of lines differ.

        Raises
        ------
        InputError
            If the text is not in its encoding, a quote is not closed, or a value is longer than
            131,072 characters.
        OSError
            If the file cannot be read.
        """
        single, start = len(self.columns) == 1, 1
        try:
            with open_text(path, self.encoding) as stream:
                for last_line, cells in self._cells(stream):
                    if (cells or single) and start not in self.left_out:
                        yield Record(start, last_line, max(cells, 1))
                    start = last_line + 1
        except UnicodeError as error:
            row = invalid_row(path) if is_utf8(self.encoding) else start
            raise not_encoded(path, self.encoding, row) from error
        except csv.Error as error:
            raise InputError(
                f"the row cannot be read: {error}",
                where=f"{path.name}, row {start}",
                remedy="close every quote, write quotes within a value twice, and shorten "
                "values beyond 131,072 characters",
            ) from error

    def first_values(self, path: Path, column: str, rows: int) -> list[str]:
        """Return the values of a column of a quoted text in the first rows that can be read."""
        position, values = self.columns.index(column), list[str]()
        with (
            suppress(UnicodeError, csv.Error, EOFError, OSError, zlib.error),
            open_text(path, self.encoding) as stream,
        ):
            records = csv.reader(stream, delimiter=self.delimiter, quotechar=self.quote)
            for cells in islice(records, int(self.header), rows):
                values += cells[position : position + 1]
        return values

    def _cells(self, stream: IO[str]) -> Iterator[tuple[int, int]]:
        """Yield the last line of each row and the number of its cells, 0 for a blank line."""
        if not self.quote:
            for number, line in enumerate(stream, start=1):
                yield number, line.count(self.delimiter) + 1 if line.strip("\r\n") else 0
            return
        rows = csv.reader(stream, delimiter=self.delimiter, quotechar=self.quote, strict=True)
        for cells in rows:
            yield rows.line_num, len(cells)

    def ragged(self, path: Path) -> list[Record]:
        """Return the records that have more or fewer cells than there are columns."""
        return [record for record in self.records(path) if record.cells != len(self.columns)]

    def line(self, path: Path, record: int) -> int:
        """Return the line on which a record starts, from 1; records are counted from 0.

        Only error messages need the line, so the file is read again instead of storing it with
        each row.
        """
        target = record + int(self.header)
        try:
            return next(islice(self.records(path), target, None)).line
        except (InputError, StopIteration, OSError):  # it is only part of a message
            return target + 1

    def _copy(self, path: Path) -> Path:
        """Copy the lines that are not left out, in UTF-8; the copy is deleted with this object."""
        handle, name = tempfile.mkstemp(suffix=".csv")
        os.close(handle)
        copy = Path(name)
        weakref.finalize(self, copy.unlink, missing_ok=True)
        row = 1
        try:
            with (
                open_text(path, self.encoding) as source,
                copy.open("w", encoding="utf-8", newline="") as new,
            ):
                for chunk in self._kept(source):
                    if (position := chunk.find("\0")) >= 0:
                        raise _nul_bytes(path, row + chunk.count("\n", 0, position))
                    new.write(chunk)
                    row += chunk.count("\n")
        except UnicodeError as error:
            raise not_encoded(path, self.encoding, row) from error
        return copy

    def _kept(self, source: IO[str]) -> Iterator[str]:
        """Yield the text that is not left out, in pieces."""
        if not self.left_out:
            return iter(partial(source.read, _CHUNK), "")
        return (line for number, line in enumerate(source, 1) if number not in self.left_out)


def _nul_bytes(path: Path, row: int) -> InputError:
    """Return the error for NUL bytes: a file is damaged, or UTF-16 without a byte order mark."""
    return InputError(
        "the text has NUL bytes",
        where=f"{path.name}, row {row}",
        remedy="remove them; or pass encoding='utf-16-le' if it is UTF-16 without a byte order "
        "mark",
    )


def _refuse_nul_bytes(path: Path) -> None:
    """Refuse a text file with NUL bytes."""
    row = 1
    try:
        with open_bytes(path) as stream:
            while chunk := stream.read(_CHUNK):
                if (position := chunk.find(b"\0")) >= 0:
                    raise _nul_bytes(path, row + chunk.count(b"\n", 0, position))
                row += chunk.count(b"\n")
    except (EOFError, OSError, zlib.error) as error:
        raise unreadable(path, error) from error


def row_too_long(path: Path, row: int | None) -> InputError:
    """Return the error for a row that is longer than DuckDB reads."""
    return InputError(
        f"a row is longer than {LONGEST_ROW:,} bytes",
        where=f"{path.name}, row {row}" if row else str(path),
        remedy="shorten it, or check that quotes are closed and that rows end with a line feed",
    )


def column_names(
    path: Path, delimiter: str | None = None, encoding: str | None = None
) -> tuple[tuple[str, ...], str]:
    """Read the column names from the first row of a text file; return them and the delimiter.

    Without a delimiter, it is the most frequent of comma, tab, semicolon and vertical bar. Unnamed
    columns are called ``column0``, ``column1``, ... by their position. A line break in a name
    becomes a blank.
    """
    first_row = _first_row(path, encoding or "utf-8").rstrip("\r\n")
    if not first_row.strip() or re.fullmatch(r"sep=.", first_row.strip()):
        raise InputError(
            "the first row has no column names",
            where=f"{path.name}, row 1",
            remedy="delete the rows above the names",
        )
    if delimiter is None:
        delimiter = max(_DELIMITERS, key=_QUOTED.sub("", first_row).count)
    try:
        cells = next(csv.reader([first_row], delimiter=delimiter), [])
    except csv.Error as error:
        raise InputError(
            f"the column names cannot be read: {error}".split(" - ")[0],
            where=f"{path.name}, row 1",
            remedy="end every row with a line feed (or carriage return and line feed), and shorten "
            "names beyond 131,072 characters",
        ) from error
    cells = [" ".join(filter(None, map(str.strip, name.splitlines()))) for name in cells]
    names = tuple(name or f"column{number}" for number, name in enumerate(cells))
    require_distinct(names, f"{path.name}, row 1")
    return names, delimiter


def require_distinct(names: Iterable[str], where: str) -> None:
    """Refuse columns whose names differ at most in case: DuckDB would rename the second."""
    earlier: set[str] = set()
    for name in names:
        if name.lower() in earlier:
            raise InputError(
                f"two columns are named {name!r}",
                where=where,
                remedy="give each column a name of its own; upper and lower case do not differ",
            )
        earlier.add(name.lower())


def _first_row(path: Path, encoding: str) -> str:
    """Read the first row, of a bounded length; a quoted name may hold line breaks."""
    lines: list[str] = []
    size, is_open = 0, True
    try:
        # A decoder would read ahead of the row.
        with open_bytes(path) if is_utf8(encoding) else open_text(path, encoding) as stream:
            while is_open and (line := stream.readline(LONGEST_ROW + 1 - size)):
                if (size := size + len(line)) > LONGEST_ROW:
                    raise row_too_long(path, 1)
                text = line.decode("utf-8-sig") if isinstance(line, bytes) else line
                is_open = _ends_in_quotes(text, is_open and bool(lines))
                lines.append(text)
    except UnicodeError as error:
        raise not_encoded(path, encoding, 1) from error
    except (EOFError, OSError, zlib.error) as error:
        raise unreadable(path, error) from error
    if lines and is_open:
        raise InputError(
            "a quoted column name has no closing quote",
            where=f"{path.name}, row 1",
            remedy="add the closing quote, or remove the opening one",
        )
    return "".join(lines)


def _ends_in_quotes(line: str, starts_in_quotes: bool) -> bool:
    """Return whether a quote that a line, or one before it, opens is still open at its end."""
    unquoted = _QUOTED.sub("", f'"{line}' if starts_in_quotes else line)
    return _OPENING.search(unquoted) is not None
