"""Text and Parquet files as SQL that DuckDB can select from, and their errors in our words.

Text is read as text: every column is VARCHAR, so nothing is guessed and no id changes.
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
    """How the text of one file is divided into rows and columns.

    Parameters
    ----------
    columns
        The names of the columns, from the header or, where the file has none, from its format.
    header
        Whether the first row holds the names.
    delimiter
        What stands between two columns; more than one character is possible (``::``).
    quote
        What surrounds a value that contains the delimiter; empty where the format knows no quotes.
    encoding
        ``utf-8`` (a byte order mark is skipped) or ``latin-1``.
    """

    columns: tuple[str, ...]
    header: bool = True
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"

    def select_from(self, path: Path) -> str:
        """Give the table function that reads the file, every column as VARCHAR."""
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.columns)
        return (
            f"read_csv({literal(_escape_glob(path))}, auto_detect = false, "
            f"header = {str(self.header).lower()}, delim = {literal(self.delimiter)}, "
            f"quote = {literal(self.quote)}, escape = {literal(self.quote)}, "
            f"encoding = {literal(self.encoding)}, columns = {{{columns}}})"
        )


def parquet(path: Path) -> str:
    """Give the table function that reads a Parquet file."""
    return f"read_parquet({literal(_escape_glob(path))})"


def require_file(path: Path, label: str) -> None:
    """Refuse what is not there, is a folder, or holds no byte.

    Raises
    ------
    InputError
        Naming ``label`` and the path.
    """
    if path.is_dir():
        raise InputError(f"{label}: {path} is a folder", remedy="name one file in it")
    if not path.is_file():
        raise InputError(f"{label}: there is no file {path}", remedy="check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{label}: the file {path} is empty", remedy="give a file with rows")


def header(path: Path, delimiter: str | None = None) -> tuple[tuple[str, ...], str]:
    """Read the names in the first row of a UTF-8 file.

    Parameters
    ----------
    path
        The file.
    delimiter
        None: the most frequent of comma, tab, semicolon and bar in that row.

    Returns
    -------
    (names, delimiter)
        A column without a name is called ``column0``, ``column1``, ... by its position.

    Raises
    ------
    InputError
        The row is not UTF-8, or a name is there twice.
    """
    with path.open("rb") as stream:
        line = stream.readline()
    try:
        first = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise _undecodable(path, 1) from error
    if delimiter is None:
        unquoted = re.sub(r'"[^"]*"', "", first)
        delimiter = max(_DELIMITERS, key=unquoted.count)
    cells = next(csv.reader([first], delimiter=delimiter), [])
    names = tuple(name.strip() or f"column{at}" for at, name in enumerate(cells))
    for at, name in enumerate(names):
        if name.lower() in {other.lower() for other in names[:at]}:
            raise InputError(
                f"the column '{name}' is there twice",
                where=f"{path.name}, row 1",
                remedy="give every column its own name (upper and lower case count as the same)",
            )
    return names, delimiter


def latin_or_utf8(path: Path) -> str:
    """Tell ML-100K and ML-1M (latin-1) from ML-10M (UTF-8), which use the same file names."""
    try:
        path.read_text("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def explain(error: duckdb.Error, path: Path) -> InputError:
    """Turn what DuckDB says about an unreadable file into our two or three lines."""
    message = str(error)
    if path.suffix.lower() == ".parquet":
        return InputError(
            f"{path.name} is not a whole Parquet file: it is cut short or damaged",
            where=str(path),
            remedy="write or copy the file again",
        )
    line = re.search(r"CSV Error on Line: (\d+)", message)
    row = int(line[1]) if line else None
    if "Invalid unicode" in message and row is not None:
        return _undecodable(path, row)
    where = f"{path.name}, row {row}" if row else str(path)
    count = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if count:
        return InputError(
            f"the row has {count[2]} columns instead of {count[1]}",
            where=where,
            remedy="every row needs the columns of the first; "
            "quote a value that contains the delimiter",
        )
    if "unterminated quote" in message:
        return InputError("a quote is opened and not closed", where=where, remedy="close it")
    return InputError(f"cannot read the file: {message.splitlines()[0]}", where=where)


def row_number(path: Path, text: Text, record: int) -> int:
    """Find the line (from 1, the header counted) on which a record starts.

    Only an error needs this, so the file is read once more instead of every row carrying its
    number: quoted line breaks and blank lines make the two differ.

    Parameters
    ----------
    path, text
        The file and how it is read.
    record
        Which record, from 0, the header not counted.
    """
    wanted = record + int(text.header)
    with path.open(encoding=text.encoding.replace("utf-8", "utf-8-sig"), newline="") as stream:
        for at, line in enumerate(_record_lines(stream, text)):
            if at == wanted:
                return line
    return wanted + 1


def _record_lines(stream: Iterator[str], text: Text) -> Iterator[int]:
    """Yield the line each record starts on, skipping blank lines as DuckDB does."""
    if not text.quote:
        for line, content in enumerate(stream, start=1):
            if content.strip("\r\n") or len(text.columns) == 1:
                yield line
        return
    reader = csv.reader(stream, delimiter=text.delimiter, quotechar=text.quote)
    before = 0
    for cells in reader:
        if cells or len(text.columns) == 1:
            yield before + 1
        before = reader.line_num


def _undecodable(path: Path, row: int) -> InputError:
    return InputError(
        "the text is not UTF-8",
        where=f"{path.name}, row {row}",
        remedy="save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8')",
    )


def _escape_glob(path: Path) -> str:
    """Keep DuckDB from reading [, * and ? in a file name as a pattern."""
    return re.sub(r"([\[*?])", r"[\1]", str(path))
