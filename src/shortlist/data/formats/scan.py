"""Reading text and Parquet files through DuckDB, and explaining why a file cannot be read.

Every column of a text file is read as VARCHAR: DuckDB infers no types, so no id changes.
"""

from __future__ import annotations

import codecs
import csv
import glob
import os
import re
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from shortlist.data.formats.text_files import is_utf8, not_encoded, open_bytes, open_text
from shortlist.data.sql import literal
from shortlist.errors import InputError, ShortlistError
from shortlist.system import system_error

LONGEST_ROW = 2_000_000  # bytes of a row of a text file, the bound of DuckDB
_DELIMITERS = (",", "\t", ";", "|")
_NATIVE = ("utf-8", "latin-1")  # the encodings that DuckDB reads; others are converted first
_CHUNK = 1 << 20
AS_CSV = "open it in a spreadsheet, and save it as 'CSV UTF-8'"
# How files that are no tables begin, in lower case: what they are, and what to do.
_OTHER_KINDS = {
    b"pk\x03\x04": (
        "an Excel file or another archive",
        f"{AS_CSV}; or pass pandas.read_excel(...)",
    ),
    b"\xd0\xcf\x11\xe0": ("an old Excel file", f"{AS_CSV}; or pass pandas.read_excel(...)"),
    **dict.fromkeys(
        (b"<html", b"<!doctype", b"<?xml", b"<table"),
        ("a web page or XML, which some sites export as .xls", AS_CSV),
    ),
    b"%pdf": ("a PDF", "ask for the data as CSV"),
    b"sqlite format 3": ("an SQLite database", "give its address, sqlite:///PATH"),
}
_KINDS_BY_NAME = {b"PAR1": (".parquet",), b"\x1f\x8b": (".gz",)}
_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
LARGEST_RATIO = 1_000  # bytes that a byte of a Parquet file may unpack to, beyond the next bound
LARGEST_UNPACKED = 1 << 30
MOST_ROWS = 2**31 - 1  # in a file of any size
_LIBRARY_ERRORS = (
    pa.ArrowException, ArithmeticError, BufferError, EOFError, LookupError, RuntimeError,
    SystemError, TypeError, ValueError, csv.Error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Text:
    """How a text file is divided into rows and columns.

    A delimiter may be longer than one character (``::``). No quote character: no quoting.
    """

    columns: tuple[str, ...]
    header: bool = True
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"

    def select_from(self, path: Path) -> str:
        """Return the SQL table function that reads the file, every column as VARCHAR."""
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.columns)
        native = self.encoding in _NATIVE
        if native:
            _refuse_nul_bytes(path)
        path = path if native else self._utf8_copy(path)
        return (
            f"read_csv({literal(sql_path(path))}, auto_detect = false, "
            f"header = {str(self.header).lower()}, delim = {literal(self.delimiter)}, "
            f"quote = {literal(self.quote)}, escape = {literal(self.quote)}, "
            f"encoding = {literal(self.encoding if native else 'utf-8')}, "
            f"columns = {{{columns}}})"
        )

    def _utf8_copy(self, path: Path) -> Path:
        """Convert the file to UTF-8; the copy is deleted together with this object."""
        handle, name = tempfile.mkstemp(suffix=".csv")
        os.close(handle)
        copy = Path(name)
        weakref.finalize(self, copy.unlink, missing_ok=True)
        row = 1
        try:
            with open_text(path, self.encoding) as source, copy.open("w", encoding="utf-8") as new:
                while chunk := source.read(_CHUNK):
                    new.write(chunk)
                    row += chunk.count("\n")
        except UnicodeError as error:
            raise not_encoded(path, self.encoding, row) from error
        return copy


def _refuse_nul_bytes(path: Path) -> None:
    """Refuse a text file with NUL bytes: it is damaged, or UTF-16 without a byte order mark."""
    if path.suffix.lower() == ".gz":
        return
    row = 1
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                if (position := chunk.find(b"\0")) >= 0:
                    row += chunk.count(b"\n", 0, position)
                    raise InputError(
                        "the text has NUL bytes",
                        where=f"{path.name}, row {row}",
                        remedy="remove them; or pass encoding='utf-16-le' if it is UTF-16 "
                        "without a byte order mark",
                    )
                row += chunk.count(b"\n")
    except OSError as error:
        raise unreadable(path, error) from error


def parquet(path: Path) -> str:
    """Return the SQL table function that reads a Parquet file."""
    return f"read_parquet({literal(sql_path(path))})"


def is_pattern(path: Path) -> bool:
    """Return whether a path is a pattern of several files, and not the name of one file."""
    return bool(re.search(r"[*?]", str(path))) and not path.exists()


def files_of(path: Path, label: str) -> list[Path]:
    """Return the tables of a folder (and its folders) or of a pattern, sorted by path."""
    if path.is_dir():
        candidates = [
            file
            for file in path.rglob("*")
            if not any(part.startswith((".", "_")) for part in file.relative_to(path).parts)
        ]
    else:
        candidates = [Path(name) for name in glob.glob(str(path), recursive=True)]  # noqa: PTH207
    files = sorted(
        file
        for file in candidates
        if file.is_file()
        and file.name.lower().removesuffix(".gz").endswith(_TABLES)
        and file.stat().st_size
    )
    if not files:
        raise InputError(
            f"{label}: {path} holds no table" if path.is_dir() else f"{label}: no file is {path}",
            remedy=f"give a folder or a pattern of files that end in {', '.join(_TABLES)}",
        )
    return files


def is_json_array(path: Path) -> bool:
    """Return whether a JSON file holds one array of records, and not a record on each line."""
    try:
        with open_bytes(path) as stream:
            return stream.read(512).lstrip(codecs.BOM_UTF8 + b" \t\r\n").startswith(b"[")
    except (EOFError, OSError, zlib.error) as error:
        raise unreadable(path, error) from error


def check_parquet(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Refuse a Parquet file whose content is out of all proportion to its size."""
    file = literal(sql_path(path))
    [(unpacked, rows)] = connection.execute(
        f"SELECT (SELECT coalesce(sum(total_uncompressed_size), 0) FROM parquet_metadata({file})), "
        f"(SELECT coalesce(sum(num_rows), 0) FROM parquet_file_metadata({file}))"
    ).fetchall()
    size = path.stat().st_size
    bytes_bound = max(LARGEST_UNPACKED, LARGEST_RATIO * size)
    rows_bound = max(MOST_ROWS, LARGEST_RATIO * size)
    if unpacked > bytes_bound or rows > rows_bound:
        raise InputError(
            f"the file of {size:,} bytes would unpack to {unpacked:,} bytes and {rows:,} rows; "
            f"the bounds are {bytes_bound:,} bytes and {rows_bound:,} rows",
            where=str(path),
            remedy="check the source of the file, or pass a DuckDB relation of it",
        )


def require_file(path: Path, label: str) -> None:
    """Refuse a path unless it is a file with content; the message begins with ``label``."""
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError as error:  # such as a name that is too long
        raise system_error(error, path) from error
    if is_folder:
        raise InputError(f"{label}: {path} is a folder", remedy="give the path of a file in it")
    if not is_file:
        raise InputError(f"{label}: there is no file {path}", remedy="check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{label}: the file {path} is empty", remedy="give a file with rows")
    _require_table(path, label)


def _require_table(path: Path, label: str) -> None:
    """Refuse a file that begins like another kind of file than its name says."""
    try:
        with path.open("rb") as stream:
            start = stream.read(512).lstrip(codecs.BOM_UTF8 + b" \t\r\n")
    except OSError as error:
        raise unreadable(path, error) from error
    for beginning, (kind, remedy) in _OTHER_KINDS.items():
        if start.lower().startswith(beginning):
            raise InputError(f"{label}: {path.name} is {kind}", where=str(path), remedy=remedy)
    for beginning, endings in _KINDS_BY_NAME.items():
        if start.startswith(beginning) and not path.name.lower().endswith(endings):
            raise InputError(
                f"{label}: {path.name} is a {endings[0]} file under another name",
                where=str(path),
                remedy=f"let its name end in {endings[0]}",
            )


def header(
    path: Path, delimiter: str | None = None, encoding: str | None = None
) -> tuple[tuple[str, ...], str]:
    """Read the column names from the first row of a text file; return them and the delimiter.

    Without a delimiter, it is the most frequent of comma, tab, semicolon and vertical bar. Unnamed
    columns are called ``column0``, ``column1``, ... by their position.
    """
    first_row = _first_row(path, encoding or "utf-8").rstrip("\r\n")
    if not first_row.strip() or re.fullmatch(r"sep=.", first_row.strip()):
        raise InputError(
            "the first row has no column names",
            where=f"{path.name}, row 1",
            remedy="delete the rows above the names",
        )
    if delimiter is None:
        unquoted = re.sub(r'"[^"]*"', "", first_row)
        delimiter = max(_DELIMITERS, key=unquoted.count)
    try:
        cells = next(csv.reader([first_row], delimiter=delimiter), [])
    except csv.Error as error:
        raise InputError(
            f"the column names cannot be read: {error}".split(" - ")[0],
            where=f"{path.name}, row 1",
            remedy="end every row with a line feed (or carriage return and line feed), and shorten "
            "names beyond 131,072 characters",
        ) from error
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


def _first_row(path: Path, encoding: str) -> str:
    """Read the first row, of a bounded length."""
    try:
        if is_utf8(encoding):
            with open_bytes(path) as stream:
                line = stream.readline(LONGEST_ROW + 1)
            too_long, text = len(line) > LONGEST_ROW, line.decode("utf-8-sig")
        else:
            with open_text(path, encoding) as characters:
                text = characters.readline(LONGEST_ROW + 1)
            too_long = len(text) > LONGEST_ROW
    except UnicodeError as error:
        raise not_encoded(path, encoding, 1) from error
    except (EOFError, OSError, zlib.error) as error:
        raise unreadable(path, error) from error
    if too_long:
        raise _too_long(path, 1)
    return text


@contextmanager
def translated(label: str, path: Path | None = None) -> Iterator[None]:
    """Convert the errors of DuckDB, Arrow, the system and decoders in the block to our own.

    ``label`` is the name of the table in messages, and ``path`` its file, if it has one.
    """
    try:
        yield
    except (ShortlistError, BrokenPipeError):
        raise
    except MemoryError as error:
        raise ShortlistError(
            f"{label} does not fit in memory",
            where=None if path is None else str(path),
            remedy="leave out the columns that are not needed, or use a machine with more memory",
        ) from error
    except duckdb.Error as error:
        raise explain(error, path, label) from error
    except OSError as error:
        if error.errno is None:  # raised by Arrow and gzip for damaged files
            raise unreadable(path or Path(label), error) from error
        raise system_error(error, path) from error
    except _LIBRARY_ERRORS as error:
        reason = (", ".join(map(str, error.args)) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{label}: cannot read the table: {reason}",
            where=None if path is None else str(path),
            remedy="check that the file or frame is complete, and give each column values of a "
            "single type: numbers, text, times, or lists of these",
        ) from error


def explain(error: duckdb.Error, path: Path | None, label: str = "") -> ShortlistError:
    """Convert an error of DuckDB about an unreadable file to an error of this library."""
    message = str(error)
    if "No space left" in message or "failed to offload" in message.lower():
        return ShortlistError(
            f"the disk is full: {message.splitlines()[0]}",
            remedy="free some space; DuckDB keeps temporary data in the folder .tmp",
        )
    if path is None:
        return InputError(
            f"{label}: cannot read the table: {message.splitlines()[0]}",
            remedy="check its columns and values",
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return InputError(
            f"{path.name} does not fit in memory: {message.splitlines()[0]}",
            where=str(path),
            remedy="leave out the columns that are not needed, or load the file into a database",
        )
    if path.suffix.lower() == ".parquet":
        return InputError(
            f"{path.name} is not a complete Parquet file: it is truncated or damaged",
            where=str(path),
            remedy="write or copy the file again",
        )
    line = re.search(r"CSV Error on Line: (\d+)", message)
    row = int(line[1]) if line else None
    if "Invalid unicode" in message and row is not None:
        return not_encoded(path, "utf-8", row)
    if "line size" in message.lower():
        return _too_long(path, row)
    what, remedy = (
        f"cannot read the file: {message.splitlines()[0]}",
        "write or copy the file again",
    )
    if count := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message):
        what = f"the row has {count[2]} columns instead of {count[1]}"
        remedy = (
            "give every row as many columns as the first; quote values that contain the delimiter"
        )
    elif "unterminated quote" in message:
        what, remedy = "a quoted value has no closing quote", "add the closing quote"
    return InputError(what, where=f"{path.name}, row {row}" if row else str(path), remedy=remedy)


def unreadable(path: Path, error: Exception) -> InputError:
    """Return the error for a file that the system or a decompressor cannot read."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return InputError(
        f"cannot read the file: {reason}",
        where=str(path),
        remedy="check that the file is complete and that you may read it",
    )


def _too_long(path: Path, row: int | None) -> InputError:
    return InputError(
        f"a row is longer than {LONGEST_ROW:,} bytes",
        where=f"{path.name}, row {row}" if row else str(path),
        remedy="shorten it, or check that quotes are closed and that rows end with a line feed",
    )


def sql_path(path: Path) -> str:
    """Return a path as DuckDB takes it: patterns are escaped, and ``~`` is a plain character."""
    text = re.sub(r"([\[*?])", r"[\1]", str(path))
    return f"./{text}" if text.startswith("~") else text
