"""Reading text and Parquet files through DuckDB, and explaining why a file cannot be read.

Every column of a text file is read as VARCHAR: DuckDB infers no types, so no id changes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from shortlist.data.sql import literal
from shortlist.errors import InputError

_DELIMITERS = (",", "\t", ";", "|")


@dataclass(frozen=True)
class Text:
    """How a text file is divided into rows and columns.

    Parameters
    ----------
    columns
        The column names, from the header or, if the file has none, from its layout.
    header
        Whether the first row holds the column names.
    delimiter
        The separator of two columns; may be longer than one character (``::``).
    quote
        The quote character; empty if the format has no quoting.
    encoding
        ``utf-8`` (with or without a byte order mark) or ``latin-1``.
    """

    columns: tuple[str, ...]
    header: bool = True
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"

    def select_from(self, path: Path) -> str:
        """Return the SQL table function that reads the file, every column as VARCHAR."""
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.columns)
        return (
            f"read_csv({literal(_escape_glob(path))}, auto_detect = false, "
            f"header = {str(self.header).lower()}, delim = {literal(self.delimiter)}, "
            f"quote = {literal(self.quote)}, escape = {literal(self.quote)}, "
            f"encoding = {literal(self.encoding)}, columns = {{{columns}}})"
        )


def parquet(path: Path) -> str:
    """Return the SQL table function that reads a Parquet file."""
    return f"read_parquet({literal(_escape_glob(path))})"


def require_file(path: Path, label: str) -> None:
    """Raise an error unless the path is a file that is not empty.

    Raises
    ------
    InputError
        The path does not exist, is a folder, or is an empty file. The message begins with
        ``label``.
    """
    if path.is_dir():
        raise InputError(f"{label}: {path} is a folder", remedy="give the path of a file in it")
    if not path.is_file():
        raise InputError(f"{label}: there is no file {path}", remedy="check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{label}: the file {path} is empty", remedy="give a file with rows")


def header(path: Path, delimiter: str | None = None) -> tuple[tuple[str, ...], str]:
    """Read the column names from the first row of a UTF-8 file.

    Parameters
    ----------
    path
        The file.
    delimiter
        None: the most frequent of comma, tab, semicolon and vertical bar in the first row.

    Returns
    -------
    (names, delimiter)
        Unnamed columns are called ``column0``, ``column1``, ... by their position.

    Raises
    ------
    InputError
        The row is not UTF-8, or two columns have the same name.
    """
    with path.open("rb") as stream:
        line = stream.readline()
    try:
        first_row = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, 1) from error
    if delimiter is None:
        unquoted = re.sub(r'"[^"]*"', "", first_row)
        delimiter = max(_DELIMITERS, key=unquoted.count)
    cells = next(csv.reader([first_row], delimiter=delimiter), [])
    names = tuple(name.strip() or f"column{number}" for number, name in enumerate(cells))
    earlier: set[str] = set()
    for name in names:
        if name.lower() in earlier:
            raise InputError(
                f"two columns are named '{name}'",
                where=f"{path.name}, row 1",
                remedy="give each column a name of its own; upper and lower case do not differ",
            )
        earlier.add(name.lower())
    return names, delimiter


def latin_or_utf8(path: Path) -> str:
    """Return the encoding: latin-1 (ML-100K and ML-1M) or UTF-8 (ML-10M, same file names)."""
    try:
        path.read_text("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def explain(error: duckdb.Error, path: Path) -> InputError:
    """Convert an error of DuckDB about an unreadable file to an error of this library."""
    message = str(error)
    if path.suffix.lower() == ".parquet":
        return InputError(
            f"{path.name} is not a complete Parquet file: it is truncated or damaged",
            where=str(path),
            remedy="write or copy the file again",
        )
    line = re.search(r"CSV Error on Line: (\d+)", message)
    row = int(line[1]) if line else None
    if "Invalid unicode" in message and row is not None:
        return _not_utf8(path, row)
    where = f"{path.name}, row {row}" if row else str(path)
    count = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if count:
        return InputError(
            f"the row has {count[2]} columns instead of {count[1]}",
            where=where,
            remedy="give every row as many columns as the first; "
            "quote values that contain the delimiter",
        )
    if "unterminated quote" in message:
        return InputError(
            "a quoted value has no closing quote", where=where, remedy="add the closing quote"
        )
    return InputError(f"cannot read the file: {message.splitlines()[0]}", where=where)


def row_number(path: Path, text: Text, record: int) -> int:
    """Return the line (from 1, including the header) on which a record starts.

    Quoted line breaks and blank lines make record numbers and line numbers differ. Only error
    messages need the line number, so the file is read again instead of storing it with each row.

    Parameters
    ----------
    path, text
        The file and how it is read.
    record
        The number of the record, from 0, without the header.
    """
    target = record + int(text.header)
    with path.open(encoding=text.encoding.replace("utf-8", "utf-8-sig"), newline="") as stream:
        for number, line in enumerate(_record_lines(stream, text)):
            if number == target:
                return line
    return target + 1


def _record_lines(stream: Iterator[str], text: Text) -> Iterator[int]:
    """Yield the line on which each record starts; like DuckDB, skip blank lines."""
    if not text.quote:
        for line, content in enumerate(stream, start=1):
            if content.strip("\r\n") or len(text.columns) == 1:
                yield line
        return
    reader = csv.reader(stream, delimiter=text.delimiter, quotechar=text.quote)
    previous = 0
    for cells in reader:
        if cells or len(text.columns) == 1:
            yield previous + 1
        previous = reader.line_num


def _not_utf8(path: Path, row: int) -> InputError:
    return InputError(
        "the text is not UTF-8",
        where=f"{path.name}, row {row}",
        remedy="save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8')",
    )


def _escape_glob(path: Path) -> str:
    """Escape [, * and ?, which DuckDB would take as a pattern."""
    return re.sub(r"([\[*?])", r"[\1]", str(path))
