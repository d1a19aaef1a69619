"""Finding files of tables, and explaining why one cannot be read."""

from __future__ import annotations

import codecs
import csv
import glob
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from shortlist.data.formats.delimited import Record, Text, row_too_long
from shortlist.data.formats.text_files import not_encoded, unreadable
from shortlist.data.sql import literal, quoted, sql_path, types_of
from shortlist.errors import InputError, ShortlistError
from shortlist.system import system_error
from shortlist.text import counted, first_few, more_rows

AS_CSV = "open it in a spreadsheet, and save it as 'CSV UTF-8'"
# How files that are no tables begin, in lower case: what they are, and what to do.
_OTHER_KINDS = {
    b"pk\x03\x04": (
        "an Excel file or another archive",
        f"{AS_CSV}; or pass pandas.read_excel(...); unpack an archive",
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
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
_TEXT = ".txt"  # a table, or a text about the tables beside it
LARGEST_RATIO = 1_000  # bytes that a byte of a Parquet file may unpack to, beyond the next bound
LARGEST_UNPACKED = 1 << 30
MOST_ROWS = 2**31 - 1  # in a file of any size
_LIBRARY_ERRORS = (
    pa.ArrowException, ArithmeticError, BufferError, EOFError, LookupError, RuntimeError,
    SystemError, TypeError, ValueError, csv.Error, zlib.error,
)  # fmt: skip


def parquet(path: Path) -> str:
    """Return the SQL table function that reads a Parquet file, whatever its folder is called."""
    return f"read_parquet({literal(sql_path(path))}, hive_partitioning = false)"


def is_pattern(path: Path) -> bool:
    """Return whether a path is a pattern of several files, and not the name of one file."""
    return bool(re.search(r"[*?]", str(path))) and not path.exists()


def files_of(path: Path, label: str) -> tuple[list[Path], tuple[str, ...]]:
    """Return the tables of a folder (and its folders) or of a pattern, sorted by path; and notes.

    A folder with other tables may explain them in a ``.txt`` file: such files are left out, with a
    note. A pattern names them.
    """
    is_folder = path.is_dir()
    if is_folder:
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
        if file.is_file() and _ends_in(file, *_TABLES, _TEXT) and file.stat().st_size
    )
    if not files:
        endings = ", ".join((*_TABLES, _TEXT))
        raise InputError(
            f"{label}: {path} holds no table" if is_folder else f"{label}: no file is {path}",
            remedy=f"give a folder or a pattern of files that end in {endings}",
        )
    texts = [file for file in files if _ends_in(file, _TEXT)]
    if not is_folder or len(texts) in (0, len(files)):
        return files, ()
    names = first_few([file.relative_to(path) for file in texts])
    note = (
        f"{label}: left out {counted(len(texts), 'text file')} beside other tables ({names}); "
        "where one is a table, let its name end in .csv"
    )
    return [file for file in files if not _ends_in(file, _TEXT)], (note,)


def _ends_in(path: Path, *endings: str) -> bool:
    """Return whether the name of a file has one of the endings, perhaps with ``.gz``."""
    return path.name.lower().removesuffix(".gz").endswith(endings)


def check_parquet(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Refuse a Parquet file with two columns of one name, or out of all proportion to its size."""
    file = literal(sql_path(path))
    names = {
        name
        for (name,) in connection.execute(f"SELECT name FROM parquet_schema({file})").fetchall()
    }
    for name in types_of(connection, parquet(path)):
        if name not in names:  # DuckDB renames the second
            raise InputError(
                f"two columns are named {name.rpartition('_')[0]!r}",
                where=str(path),
                remedy="give each a name of its own; upper and lower case do not differ",
            )
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


def check_partitions(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Refuse a Parquet file with a column to which a folder like ``year=2024`` gives other values.

    DuckDB takes those of the folder.
    """
    folders = {part.partition("=")[0].lower(): part for part in path.parent.parts if "=" in part}
    file = f"read_parquet({literal(sql_path(path))}, hive_partitioning = true)"
    for name in types_of(connection, parquet(path)) if folders else ():
        if (folder := folders.get(name.lower())) is None:
            continue
        value = f"SELECT CAST({quoted(name)} AS VARCHAR)"
        differing = connection.execute(
            f"SELECT own FROM ({value} AS own FROM {parquet(path)}) "
            f"POSITIONAL JOIN ({value} AS taken FROM {file}) "
            "WHERE own IS DISTINCT FROM taken LIMIT 1"
        ).fetchone()
        if differing is not None:
            raise InputError(
                f"the column {name!r} has the value {differing[0]!r} in a folder '{folder}'",
                where=str(path),
                remedy="leave the column out of the files to read the value of the folder, or "
                "rename the folder, without =, to read the values of the files",
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


@contextmanager
def translated(label: str, path: Path | None = None, text: Text | None = None) -> Iterator[None]:
    """Convert the errors of DuckDB, Arrow, the system and decoders in the block to our own.

    ``label`` is the name of the table in messages, ``path`` its file, if it has one, and ``text``
    how it is divided, if it is a text file.
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
        raise explain(error, path, label, text) from error
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


def is_ragged(error: duckdb.Error) -> bool:
    """Return whether the error is that a row has more or fewer cells than there are columns."""
    return "Expected Number of Columns" in str(error)


def ragged(path: Path, text: Text, rows: Sequence[Record]) -> InputError:
    """Return the error for rows that have more or fewer cells than there are columns."""
    return InputError(
        f"the row has {counted(rows[0].cells, 'column')} instead of {len(text.columns)}",
        where=f"{path.name}, row {rows[0].line}{more_rows(len(rows) - 1)}",
        remedy="give every row as many columns as the first, and quote values that contain the "
        "delimiter; or leave such rows out: on_bad_row='skip'",
    )


def explain(
    error: duckdb.Error, path: Path | None, label: str = "", text: Text | None = None
) -> ShortlistError:
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
    clash = re.search(r"Unimplemented type for cast \((.+?) -> (.+?)\)", message)
    if clash and not path.is_file():
        named = re.search(r'column "(.+?)"|column (.+)', message)
        column = f" {named[1] or named[2]!r}" if named else ""
        return InputError(
            f"the column{column} is {clash[1]} in one file and {clash[2]} in another",
            where=str(path),
            remedy="write it alike in all files: all numbers, all text, or all times such as "
            "2024-05-31T18:00",
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
        return row_too_long(path, row)
    what, remedy = (
        f"cannot read the file: {message.splitlines()[0]}",
        "write or copy the file again",
    )
    if text is not None and is_ragged(error) and (rows := text.ragged(path)):
        return ragged(path, text, rows)
    if "unterminated quote" in message:
        what, remedy = "a quoted value has no closing quote", "add the closing quote"
    elif "invalid state" in message:
        what = "its rows end in different ways (\\n, \\r\\n, \\r)"
        remedy = "end all rows alike, and quote values that hold line breaks"
    return InputError(what, where=f"{path.name}, row {row}" if row else str(path), remedy=remedy)
