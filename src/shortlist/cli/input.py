"""Input of the commands: ids and objects from files, or from stdin."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shortlist.cli.output import remark
from shortlist.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from shortlist.data.vocabulary import Id, Vocabulary

_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


def read_ids(source: Path, vocabulary: Vocabulary) -> list[Id]:
    """Read ids from a file with one on each line, or from stdin if it is ``-``.

    Of a table with several columns, they are the column with the most known ids.
    """
    if columns := _columns(source):
        return _most_known(columns, source, vocabulary)
    text = _read(source, "one id per line")
    lines = _cells(text, source) if _is_table(source) else text.splitlines()
    ids = vocabulary.parse(filter(None, map(str.strip, lines)))
    if len(ids) > 1 and ids[0] not in vocabulary and _names_ids(str(ids[0]), vocabulary.kind):
        remark(f"{source}: the first row, {ids[0]}, is the name of the column")
        del ids[0]
    if not ids:
        raise InputError("there are no ids", where=str(source), remedy="write one id per line")
    return ids


def _columns(source: Path) -> dict[str, list[str]]:
    """Read the columns of a table as texts; none if the file has one id on each line."""
    from shortlist.data.formats.delimited import column_names
    from shortlist.data.formats.text_files import encoding_of
    from shortlist.data.sources import read
    from shortlist.data.sql import connect, quoted

    if not _is_table(source):
        return {}
    with connect() as db:
        if source.name.lower().removesuffix(".gz").endswith((".csv", ".tsv")):
            names = [*column_names(source, encoding=encoding_of(source, None))[0]]
            if len(names) == 1:
                return {}
        else:
            names = read(db, source, label=source.name).rows.columns
        rows = read(db, source, label=source.name, ids=names).rows  # 007 and 17850.0 are ids
        texts = ", ".join(
            f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}" for name in rows.columns
        )
        columns: dict[str, list[str]] = rows.project(texts).to_arrow_table().to_pydict()
    return columns


def _cells(text: str, source: Path) -> list[str]:
    """Read the cells of a CSV file with one column; they may be quoted, and hold delimiters."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter="\x1f", strict=True)
    try:
        return [cell for row in rows for cell in row]
    except csv.Error as error:
        raise InputError(
            f"the row cannot be read: {error}",
            where=f"{source.name}, row {rows.line_num}",
            remedy="close every quote, and write quotes within a value twice",
        ) from error


def _rows(source: Path, known: pa.Table) -> list[dict[str, Any]]:
    """Read the values of each row of a table that are not missing."""
    import pyarrow as pa

    from shortlist.data.sources import read
    from shortlist.data.sql import connect, quoted_list

    texts = [field.name for field in known.schema if pa.types.is_string(field.type)]
    with connect() as db:
        rows = read(db, source, label=source.name, texts=texts).rows
        names = [name for name in rows.columns if name in known.column_names]
        others = [name for name in rows.columns if name not in names]
        if not names:
            raise InputError(
                f"no column is a feature of users: {', '.join(others)}",
                where=str(source),
                remedy=f"the features are {', '.join(known.column_names)}",
            )
        if others:
            remark(f"{source}: left out {', '.join(others)}: not a feature of users")
        people = rows.project(quoted_list(names)).to_arrow_table().to_pylist()
    return [
        {name: value for name, value in person.items() if value is not None} for person in people
    ]


def _is_table(source: Path) -> bool:
    """Return whether a path names a table: a ``.txt`` has a value a line, a ``.json`` objects."""
    return source.name.lower().removesuffix(".gz").endswith(_TABLES)


def _names_ids(text: str, kind: str) -> bool:
    """Return whether a text is the name of a column of ids, such as ``customer_id``."""
    from shortlist.data.columns.names import ROLES, has_word, words

    return not any(map(str.isdigit, text)) and has_word(words(text), ROLES[f"{kind}_id"])


def _most_known(columns: dict[str, list[str]], source: Path, vocabulary: Vocabulary) -> list[Id]:
    """Return the distinct ids of the column with the most known ids."""
    parsed = {name: vocabulary.parse(filter(None, texts)) for name, texts in columns.items()}
    known = {name: sum(key in vocabulary for key in ids) for name, ids in parsed.items()}
    name = max(known, key=known.__getitem__)
    for key in vocabulary.parse(columns):
        if key in vocabulary:
            raise InputError(
                f"the first row has no column names: {key!r} is a {vocabulary.kind} id",
                where=str(source),
                remedy="add a row of column names, or write one id per line",
            )
    if not known[name]:
        raise InputError(
            f"no column holds {vocabulary.kind} ids that the model knows: {', '.join(columns)}",
            where=str(source),
            remedy="give a table with a column of such ids, or a file with one id per line",
        )
    remark(f"{source}: the {vocabulary.kind} ids are the column '{name}'")
    return list(dict.fromkeys(parsed[name]))


def _read(source: Path, content: str) -> str:
    """Read a text file, or stdin if it is ``-``."""
    if str(source) == "-":
        if sys.stdin.isatty():
            remark(f"reading {content} from the keyboard; Ctrl-D ends it")
        return sys.stdin.read()
    if not source.is_file():
        raise InputError(
            f"there is no file {source}",
            remedy=f"name a file with {content}, or - to give it on stdin",
        )
    from shortlist.data.formats.text_files import encoding_of, open_text

    try:
        with open_text(source, encoding_of(source, None)) as stream:
            return stream.read()
    except UnicodeError as error:
        raise InputError(
            "the text is not UTF-8", where=str(source), remedy="save the file as UTF-8"
        ) from error


def read_features(source: str, known: pa.Table | None) -> list[dict[str, Any]]:
    """Read the features of users: a JSON object or a list of objects, or the path of a file.

    The file has JSON or is a table, of which the columns that are no ``known`` feature are left
    out. ``-`` is stdin.
    """
    given = source.lstrip()[:1] in ("{", "[")
    if not given and _is_table(Path(source)):
        if known is None:
            raise InputError(
                "the users of this bundle have no features",
                remedy="describe new users by --history",
            )
        return _rows(Path(source), known)
    text = source if given else _read(Path(source), "a JSON object")
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(
            f"not JSON: {error}", where=source, remedy='write an object like {"degree": 4}'
        ) from None
    objects = content if isinstance(content, list) else [content]
    if not objects or not all(isinstance(each, dict) for each in objects):
        raise InputError(
            "neither a JSON object nor a list of objects",
            where=source,
            remedy='write an object like {"degree": 4}',
        )
    return objects
