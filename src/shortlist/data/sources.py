"""Tables that a caller may pass, as DuckDB relations with unchanged ids and inferred types."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from shortlist.data.formats import scan
from shortlist.data.formats.layout import TABLE, Layout
from shortlist.data.formats.layouts import READABLE, recognise
from shortlist.data.sql import literal, quoted
from shortlist.errors import InputError


class _Type(NamedTuple):
    """A SQL type: the condition that text must meet to have it, and the cast."""

    fits: str
    cast: str


# The types of a text column, in order of preference: the first that all of its values fit is taken.
# Integers must convert back to the same text, so '007' stays text and no id changes. WHOLE is for
# ids alone: pandas writes the integers of a column with missing values as 17850.0.
_TYPES = {
    "BIGINT": _Type("CAST(TRY_CAST({x} AS BIGINT) AS VARCHAR) = {x}", "CAST({x} AS BIGINT)"),
    "UBIGINT": _Type("CAST(TRY_CAST({x} AS UBIGINT) AS VARCHAR) = {x}", "CAST({x} AS UBIGINT)"),
    "WHOLE": _Type(
        "(CAST(TRY_CAST(regexp_replace({x}, '\\.0$', '') AS BIGINT) AS VARCHAR) "
        "= regexp_replace({x}, '\\.0$', ''))",
        "CAST(regexp_replace({x}, '\\.0$', '') AS BIGINT)",
    ),
    "DOUBLE": _Type(
        "regexp_full_match({x}, "
        "'[+-]?(((0|[1-9][0-9]*)(\\.[0-9]*)?|\\.[0-9]+)(e[+-]?[0-9]+)?|nan|inf)', 'i')",
        "CAST({x} AS DOUBLE)",
    ),
    "TIMESTAMP": _Type(
        "(starts_with(substr({x}, 5), '-') AND TRY_CAST({x} AS TIMESTAMPTZ) IS NOT NULL)",
        "(CAST({x} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')",
    ),
    "VARCHAR": _Type("true", "{x}"),
}
_ID_TYPES = ("BIGINT", "UBIGINT", "WHOLE", "VARCHAR")
_VALUE_TYPES = ("BIGINT", "UBIGINT", "DOUBLE", "TIMESTAMP", "VARCHAR")
_SAMPLE = 20_000  # rows from which types are first guessed; then all rows are checked
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")

_table_numbers = count()


class _Kept(NamedTuple):
    """The columns of a text file whose values must not change."""

    ids: Collection[str]
    texts: Collection[str]

    def types(self, name: str) -> list[str]:
        """Return the types that a column may have, in order of preference."""
        if name in self.texts:
            return ["VARCHAR"]
        return list(_ID_TYPES if name in self.ids else _VALUE_TYPES)


def relation(
    connection: duckdb.DuckDBPyConnection,
    table: Any,
    *,
    label: str,
    ids: Collection[str] = (),
    texts: Collection[str] = (),
    encoding: str | None = None,
) -> duckdb.DuckDBPyRelation:
    """Read a table of any kind as a relation of a connection.

    Parameters
    ----------
    connection
        Opened by :func:`shortlist.data.sql.connect`, so that times are UTC. Text files become
        temporary tables of this connection.
    table
        A path (CSV with or without a byte order mark, TSV, JSON lines, each perhaps with ``.gz``;
        Parquet; a GroupLens or RecBole file), a folder or a pattern (``logs/*.csv``) of such files,
        an Arrow, pandas or polars frame (anything with ``__arrow_c_stream__``), or a DuckDB
        relation of this or another connection.
    label
        The name of the table in messages, such as ``"interactions"``.
    ids
        Columns of a text file whose values must not change: they become 64-bit integers or stay
        text, and never become floating-point numbers or times.
    texts
        Columns of a text file that stay text.
    encoding
        The encoding of a text file; None: UTF-8, or that of its layout.

    Returns
    -------
    duckdb.DuckDBPyRelation
        At least one row, in the order of the source. A column of a text file is BIGINT, UBIGINT,
        DOUBLE or TIMESTAMP (UTC) if all its values are, and VARCHAR otherwise.

    Raises
    ------
    InputError
        The file is missing, empty, truncated, not UTF-8, without rows, or of an unsupported type;
        a frame has a column of mixed or unsupported type; or ``table`` is none of the above.

    Examples
    --------
    >>> from shortlist.data.sql import connect
    >>> with connect() as db:
    ...     relation(db, pa.table({"user_id": ["ann"], "item_id": [7]}), label="log").fetchall()
    [('ann', 7)]
    """
    path = Path(table) if isinstance(table, str | Path) else None
    if path is not None and not scan.is_pattern(path) and not path.is_dir():
        scan.require_file(path, label)
    with scan.translated(label, path):
        rows = _rows(connection, table, label, _Kept(ids, texts), encoding)
        empty = not connection.execute("SELECT 1 FROM rows LIMIT 1").fetchall()
    if empty:
        raise InputError(
            f"{label}: the table has no rows",
            where=None if path is None else str(path),
            remedy="pass at least one row",
        )
    return rows


def is_table(source: str) -> bool:
    """Return whether a text names table files (a file, a folder, a pattern) and no database.

    Examples
    --------
    >>> is_table("orders.csv"), is_table("logs/*.parquet"), is_table("shop.duckdb")
    (True, True, False)
    """
    path = Path(source)
    if "://" in source:
        return False
    if scan.is_pattern(path) or path.is_dir() or _kind(path) in (".csv", ".parquet", ".jsonl"):
        return True
    return path.is_file() and recognise(path) is not None


def _rows(
    connection: duckdb.DuckDBPyConnection,
    table: Any,
    label: str,
    kept: _Kept,
    encoding: str | None,
) -> duckdb.DuckDBPyRelation:
    """Read a table of any kind, perhaps without rows."""
    if isinstance(table, str | Path):
        path = Path(table)
        if path.is_dir() or scan.is_pattern(path):
            return _read_files(connection, path, label, kept, encoding)
        return _read_file(connection, path, label, kept, encoding)
    if isinstance(table, duckdb.DuckDBPyRelation):
        return _read_relation(connection, table)
    if hasattr(table, "__arrow_c_stream__"):
        return _read_frame(connection, table, label)
    raise InputError(
        f"{label}: cannot read a table from an object of type {type(table).__name__}",
        remedy="pass a path, an Arrow, pandas or polars frame, or a DuckDB relation",
    )


def _read_files(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    label: str,
    kept: _Kept,
    encoding: str | None,
) -> duckdb.DuckDBPyRelation:
    """Read the files of a folder or a pattern as one table; they must have the same columns.

    Parquet files may be partitioned: folders like ``year=2024`` become a column.
    """
    files = scan.files_of(path, label)
    kinds = {_kind(file) for file in files}
    if kinds == {".parquet"}:
        names = ", ".join(literal(scan.sql_path(file)) for file in files)
        return connection.sql(
            f"FROM read_parquet([{names}], hive_partitioning = true, union_by_name = true)"
        )
    if kinds != {".csv"}:
        return connection.sql(
            " UNION ALL BY NAME ".join(
                f"FROM {quoted(_table(connection, file, label, kept, encoding))}" for file in files
            )
        )
    return _typed_text(connection, _csv_sources(files, encoding), kept)


def _csv_sources(files: Sequence[Path], encoding: str | None) -> list[tuple[Path, scan.Text]]:
    """Return how each file is read; all must have the columns of the first."""
    sources = [(file, TABLE.text(file, encoding)) for file in files]
    first, text = sources[0]
    for file, other in sources:
        if set(other.columns) != set(text.columns):
            raise InputError(
                f"the columns of {file.name} are not those of {first.name}",
                where=str(file),
                remedy=f"give all files the columns {', '.join(text.columns)}",
            )
    return sources


def _kind(path: Path) -> str:
    """Return the ending of a file name in lower case, without ``.gz``."""
    name = path.name.lower().removesuffix(".gz")
    kind = Path(name).suffix
    return {".tsv": ".csv", ".ndjson": ".jsonl"}.get(kind, kind)


def _table(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    label: str,
    kept: _Kept,
    encoding: str | None,
) -> str:
    """Read a file as a named view."""
    name = f"file_{next(_table_numbers)}"
    _read_file(connection, path, label, kept, encoding).create_view(name)
    return name


def _read_file(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    label: str,
    kept: _Kept,
    encoding: str | None,
) -> duckdb.DuckDBPyRelation:
    """Read a file."""
    if _kind(path) == ".parquet":
        scan.check_parquet(connection, path)
        return connection.sql(f"FROM {scan.parquet(path)}")
    if _kind(path) == ".jsonl":
        return _read_jsonl(connection, path)
    return _read_text(connection, path, label, kept, encoding)


def _read_jsonl(connection: duckdb.DuckDBPyConnection, path: Path) -> duckdb.DuckDBPyRelation:
    """Read a file with one JSON object per line; texts stay texts, except times."""
    name = f"text_{next(_table_numbers)}"
    connection.execute(
        f"CREATE TEMP TABLE {name} AS FROM read_json({literal(scan.sql_path(path))}, "
        f"format = 'newline_delimited', sample_size = -1, "
        f"maximum_object_size = {scan.LONGEST_ROW})"
    )
    return connection.table(name)


def _read_relation(
    connection: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyRelation
) -> duckdb.DuckDBPyRelation:
    """Use a relation of this connection directly, and copy others through Arrow."""
    try:
        return connection.sql("FROM other")
    except duckdb.InvalidInputException:
        return connection.from_arrow(other.to_arrow_table())


def _read_frame(
    connection: duckdb.DuckDBPyConnection, frame: Any, label: str
) -> duckdb.DuckDBPyRelation:
    """Read a frame without the index that pandas adds as a column after a filter or a sort."""
    try:
        table = pa.table(frame)
        index = [name for name in table.column_names if _PANDAS_INDEX.fullmatch(name)]
        return connection.from_arrow(table.drop_columns(index))
    except Exception as error:  # the frame may be of any library
        reason = (", ".join(map(str, error.args)) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{label}: cannot read the frame: {reason}",
            remedy="give each column a name of its own and values of a single type: numbers, text, "
            "times, or lists of these",
        ) from error


def _read_text(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    label: str,
    kept: _Kept,
    encoding: str | None,
) -> duckdb.DuckDBPyRelation:
    """Copy a text file to a temporary table, each column with the first type that fits."""
    layout = recognise(path)
    if layout is None:
        raise InputError(
            f"{label}: files of the type of {path.name} cannot be read",
            where=str(path),
            remedy=f"give {READABLE}",
        )
    return _typed_text(connection, [(path, layout.text(path, encoding))], kept, layout)


def _typed_text(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[tuple[Path, scan.Text]],
    kept: _Kept,
    layout: Layout = TABLE,
) -> duckdb.DuckDBPyRelation:
    """Copy text files to a temporary table, each column with the first type that fits."""
    selections = []
    for path, text in files:
        shown = layout.selection(dict.fromkeys(files[0][1].columns, "VARCHAR"))
        columns = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in shown.items())
        selections.append(f"SELECT {columns} FROM {text.select_from(path)}")
    source = f"({' UNION ALL '.join(selections)})"
    candidates = _candidate_types(connection, source, kept)
    name = f"text_{next(_table_numbers)}"
    while misfit := _create_table(connection, name, source, candidates):
        candidates[misfit].pop(0)
    return connection.table(name)


def _candidate_types(
    connection: duckdb.DuckDBPyConnection, source: str, kept: _Kept
) -> dict[str, list[str]]:
    """Return the types that fit the first rows of each text column, in order of preference."""
    head = f"(FROM {source} LIMIT {_SAMPLE})"
    candidates = {
        name: kept.types(name)
        for name, kind, *_ in connection.execute(f"DESCRIBE FROM {head}").fetchall()
        if kind == "VARCHAR"
    }
    if not candidates:
        return {}
    tests = ", ".join(
        f"bool_and({_TYPES[kind].fits.format(x=quoted(name))}) FILTER ({quoted(name)} IS NOT NULL)"
        for name, kinds in candidates.items()
        for kind in kinds
    )
    results = iter(connection.execute(f"SELECT {tests} FROM {head}").fetchall()[0])
    # The result is None for a column without values, which fits any type.
    return {
        name: [kind for kind in kinds if next(results) is not False]
        for name, kinds in candidates.items()
    }


def _create_table(
    connection: duckdb.DuckDBPyConnection, name: str, source: str, candidates: dict[str, list[str]]
) -> str | None:
    """Create the table with the first candidate types, or return a column that does not fit."""
    values = []
    for number, (column, kinds) in enumerate(candidates.items()):
        x = quoted(column)
        fits, cast = (part.format(x=x) for part in _TYPES[kinds[0]])
        failure = f"error('column {number} is not {kinds[0]}')"
        value = f"CASE WHEN {x} IS NULL THEN NULL WHEN {fits} THEN {cast} ELSE {failure} END"
        values.append(f"{x if kinds[0] == 'VARCHAR' else value} AS {x}")
    replaced = f"REPLACE ({', '.join(values)})" if values else ""
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * {replaced} FROM {source}"
        )
    except duckdb.InvalidInputException as error:
        misfit = re.search(r"column (\d+) is not", str(error))
        if misfit is None:
            raise
        return list(candidates)[int(misfit[1])]
    return None
