"""JSON files: an array of records, or a record on each line, as SQL that yields their rows.

DuckDB finds out which fields there are. It would also read texts as dates, times and UUIDs, with
the day before the month, and write ids in another way; here they stay as they are written.
"""

from __future__ import annotations

import codecs
import os
import re
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import duckdb

from shortlist.data.formats.delimited import LONGEST_ROW, require_distinct
from shortlist.data.formats.text_files import (
    encoding_of,
    not_encoded,
    open_bytes,
    open_text,
    unreadable,
)
from shortlist.data.sql import Connection, literal, quoted, sql_path
from shortlist.errors import InputError

_NEVER: Final = "\ue000%Y"  # a form that no text has, so that DuckDB recognises no dates
_STRUCTURE: Final = (
    f"sample_size = -1, maximum_object_size = {LONGEST_ROW}, dateformat = '{_NEVER}', "
    f"timestampformat = '{_NEVER}', map_inference_threshold = 1000, field_appearance_threshold = 0"
)
# Types of which DuckDB changes the texts, outside the quoted names of fields. A JSON value of
# several types would keep the quotes of its texts.
_CHANGED: Final = re.compile(r'("(?:[^"]|"")*")|\b(?:JSON|TIME|UUID)\b(?=[\[,)]|$)')
_RENAMED: Final = re.compile(r"(.+?)(?:_\d+)+")
_CHUNK: Final = 1 << 20


@contextmanager
def json_rows(connection: Connection, path: Path, given: str | None) -> Iterator[str]:
    """Yield the query of the rows of a JSON file; ``given`` is the encoding if it is not UTF-8.

    Texts stay text, records are structs. A field with texts and lists of them is a list, one with
    other values of several types is text.

    Raises
    ------
    InputError
        The text is not JSON or not in its encoding, or two fields differ in case only.
    """
    encoding = encoding_of(path, given)
    with _in_utf8(path, encoding) as copy:
        form = "array" if _is_array(copy) else "newline_delimited"
        file = f"{literal(sql_path(copy))}, format = '{form}', hive_partitioning = false"
        try:
            yield _select(connection, file, path)
        except duckdb.Error as error:
            raise _explained(error, path, copy) from error


def _is_array(path: Path) -> bool:
    """Return whether a JSON file in UTF-8 holds one array of records, not a record on each line."""
    try:
        with open_bytes(path) as stream:
            return stream.read(512).lstrip().startswith(b"[")
    except (EOFError, OSError, zlib.error) as error:
        raise unreadable(path, error) from error


@contextmanager
def _in_utf8(path: Path, encoding: str) -> Iterator[Path]:
    """Yield the file, or a copy in UTF-8 without a byte order mark where it has another form."""
    with open_bytes(path) as stream:
        marked = stream.read(3) == codecs.BOM_UTF8
    if encoding == "utf-8" and not marked:
        yield path
        return
    handle, name = tempfile.mkstemp(suffix=".json")
    os.close(handle)
    copy, row = Path(name), 1
    try:
        with open_text(path, encoding) as source, copy.open("w", encoding="utf-8") as new:
            for chunk in iter(partial(source.read, _CHUNK), ""):
                new.write(chunk)
                row += chunk.count("\n")
        yield copy
    except UnicodeError as error:
        raise not_encoded(path, encoding, row) from error
    finally:
        copy.unlink(missing_ok=True)


def _select(connection: Connection, file: str, path: Path) -> str:
    described = connection.execute(f"DESCRIBE FROM read_json({file}, {_STRUCTURE})").fetchall()
    types = {name: kind for name, kind, *_ in described}
    _refuse_renamed(connection, file, path, [*types])
    mixed = [name for name, kind in types.items() if kind == "JSON"]
    lists = _with_lists(connection, file, mixed)
    kinds = {
        name: "JSON" if name in lists else _CHANGED.sub(lambda part: part[1] or "VARCHAR", kind)
        for name, kind in types.items()
    }
    shown = [
        f"CASE json_type({x}) WHEN 'ARRAY' THEN {x}->>'$[*]' ELSE "
        f"CASE WHEN {x} IS NOT NULL THEN [{x}->>'$'] END END AS {x}"
        if name in lists
        else x
        for name, x in ((name, quoted(name)) for name in types)
    ]
    return f"SELECT {', '.join(shown)} FROM {_read(file, kinds)}"


def _read(file: str, kinds: dict[str, str]) -> str:
    columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in kinds.items())
    return f"read_json({file}, maximum_object_size = {LONGEST_ROW}, columns = {{{columns}}})"


def _with_lists(connection: Connection, file: str, names: list[str]) -> set[str]:
    """Return which fields hold lists beside single values, and no records."""
    if not names:
        return set()
    found = ", ".join(f"list(DISTINCT json_type({quoted(name)}))" for name in names)
    rows = _read(file, dict.fromkeys(names, "JSON"))
    [kinds] = connection.execute(f"SELECT {found} FROM {rows}").fetchall()
    return {
        name
        for name, types in zip(names, kinds, strict=True)
        if types and "ARRAY" in types and "OBJECT" not in types
    }


def _refuse_renamed(connection: Connection, file: str, path: Path, names: list[str]) -> None:
    """Refuse fields whose names differ in case only: DuckDB would rename the second."""
    lower = {name.lower() for name in names}
    for name in names:
        base = _RENAMED.fullmatch(name)
        if base is None or base[1].lower() not in lower:
            continue
        pointer = "/" + name.replace("~", "~0").replace("/", "~1")
        objects = f"read_json_objects({file}, maximum_object_size = {LONGEST_ROW})"
        found = f"SELECT 1 FROM {objects} WHERE json_exists(json, {literal(pointer)}) LIMIT 1"
        if not connection.execute(found).fetchall():
            require_distinct([base[1], base[1]], str(path))


def _explained(error: duckdb.Error, path: Path, copy: Path) -> Exception:
    """Return the error with the line of a damaged record; DuckDB counts records, from 2."""
    repeated = re.search(r'has duplicate key "(.*)"', str(error))
    if repeated is not None:
        return InputError(
            f"a record has two fields named {repeated[1]!r}",
            where=str(path),
            remedy="give each a name of its own",
        )
    damaged = re.search(r"Malformed JSON .*, at byte \d+ in (\S+) (\d+): (.*)", str(error))
    if damaged is None:
        return error
    record = int(damaged[2]) - 1
    where = f"{path.name}, record {record}"
    if damaged[1] == "line":
        with open_bytes(copy) as stream:
            lines = (number for number, line in enumerate(stream, start=1) if line.strip())
            row = next(islice(lines, record - 1, None), record)
        if "UTF-8" in damaged[3] and copy == path:
            return not_encoded(path, "utf-8", row)
        where = f"{path.name}, row {row}"
    return InputError(
        f"the text is not JSON: {damaged[3].strip(' .')}",
        where=where,
        remedy="write a JSON object on each line, or one array of objects",
    )
