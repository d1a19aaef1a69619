"""Tables that a caller may pass, as DuckDB relations with unchanged ids and inferred types."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data import remote
from shortlist.data.bad_rows import BadRows
from shortlist.data.formats import scan
from shortlist.data.formats.delimited import Text, require_distinct
from shortlist.data.formats.json_files import json_rows
from shortlist.data.formats.layout import TABLE, Layout
from shortlist.data.formats.layouts import READABLE, recognise, table_layout
from shortlist.data.sql import Connection, literal, quoted, sql_path, types_of
from shortlist.data.text_types import typed
from shortlist.errors import InputError
from shortlist.progress import track


class Read(NamedTuple):
    """A table that was read: its rows, and what the types of its columns mean."""

    rows: duckdb.DuckDBPyRelation
    is_text: bool  # all of it is delimited text, in which no column has a type
    notes: tuple[str, ...]  # on files that were left out


_EXACT = {"DOUBLE": 2**53, "FLOAT": 2**24}  # integers below are all floats; these may be rounded
_EXACT_HALF = 2**11
_SPREADSHEETS = (".xls", ".xlsx", ".ods", ".numbers")
HISTORIES = "; for {user: [item, ...], ...} call Dataset.from_histories"
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")

_table_numbers = count()


def read(
    connection: Connection,
    table: Any,
    *,
    label: str,
    ids: Collection[str] = (),
    texts: Collection[str] = (),
    encoding: str | None = None,
    bad: BadRows | None = None,
) -> Read:
    """Read a table of any kind as a relation of a connection, in the order of the source.

    The table is a path (CSV with or without a byte order mark, TSV, JSON lines or an array,
    each perhaps with ``.gz``; Parquet; a GroupLens or RecBole file), a folder or a pattern
    (``logs/*.csv``) of such files, the URI of one (``s3://``, ``gs://``, ``file://``), an Arrow,
    pandas or polars frame (anything with ``__arrow_c_stream__``), or a DuckDB relation of this or
    another connection. It must have a row. ``label`` is its name in messages.

    A column of a text file is BIGINT, UBIGINT, DOUBLE or TIMESTAMP (UTC) if all its values are, and
    VARCHAR otherwise. The values of ``ids`` must not change: they become 64-bit integers or stay
    text. The columns ``texts`` stay text. Text files become temporary tables of the connection.
    ``bad`` says whether rows with more or fewer columns than the header are left out; it reports
    them. None: they are an error.
    """
    reader = _Reader(connection, label, ids, texts, encoding, bad or BadRows())
    if not remote.is_remote(table):
        return reader.read(table)
    with remote.fetched(table, label) as local:
        name = f"text_{next(_table_numbers)}"
        fetched = reader.read(local)
        fetched.rows.create(name)  # the files are removed
        return fetched._replace(rows=connection.table(name))


def _whole_ids(rows: duckdb.DuckDBPyRelation, ids: Collection[str]) -> duckdb.DuckDBPyRelation:
    """Return the rows with ids that are floats without a fraction as integers, and NaN as NULL.

    pandas holds integers as floats where one is missing. Floats from the bound on skip integers.
    """
    for name, kind in zip(rows.columns, map(str, rows.types), strict=True):
        if name in ids and kind in _EXACT:
            x = quoted(name)
            whole = f"isnan({x}) OR (floor({x}) = {x} AND abs({x}) < {_EXACT[kind]})"
            if rows.aggregate(f"bool_and({whole})").fetchall() == [(True,)]:
                integer = f"CASE WHEN NOT isnan({x}) THEN CAST({x} AS BIGINT) END"
                rows = rows.project(f"* REPLACE ({integer} AS {x})")
    return rows


def is_table(source: str) -> bool:
    """Return whether a text names table files (a file, a folder, a pattern) and no database.

    An existing file that is neither counts as a table: to read it explains what it is.

    >>> is_table("orders.csv"), is_table("s3://logs/2024"), is_table("shop.duckdb")
    (True, True, False)
    """
    path = Path(source)
    if "://" in source:
        return remote.is_remote(source)
    if scan.is_pattern(path) or path.is_dir():
        return True
    if _kind(path) in (".csv", ".parquet", ".jsonl", *_SPREADSHEETS):
        return True
    return path.is_file() and (recognise(path) is not None or not _is_database(path))


def _is_database(path: Path) -> bool:
    """Return whether a file is a database, by its name or its first bytes; an empty one may be."""
    if path.suffix.lower() in (".db", ".duckdb", ".sqlite", ".sqlite3"):
        return True
    with path.open("rb") as file:
        start = file.read(16)
    return not start or start.startswith(b"SQLite format 3") or start[8:12] == b"DUCK"


class _Reader(NamedTuple):
    """Reads tables into a connection; the fields are the parameters of :func:`read`."""

    connection: Connection
    label: str
    ids: Collection[str]
    texts: Collection[str]
    encoding: str | None
    bad: BadRows

    def read(self, table: Any) -> Read:
        """Read a table of any kind on this machine; refuse one without rows."""
        path = Path(table) if isinstance(table, str | Path) else None
        if path is not None and not scan.is_pattern(path) and not path.is_dir():
            scan.require_file(path, self.label)
        with scan.translated(self.label, path):
            read = Read(self._object(table), False, ()) if path is None else self._path(path)
            rows = _whole_ids(read.rows, self.ids)
            empty = not self.connection.execute("SELECT 1 FROM rows LIMIT 1").fetchall()
        if empty:
            raise InputError(
                f"{self.label}: the table has no rows",
                where=None if path is None else str(path),
                remedy="pass at least one row",
            )
        return read._replace(rows=rows)

    def _path(self, path: Path) -> Read:
        """Read a file, or the files of a folder or a pattern."""
        if path.is_dir() or scan.is_pattern(path):
            files, notes = scan.files_of(path, self.label)
            rows = self._files(files)
        else:
            files, notes, rows = [path], (), self._file(path)
        return Read(rows, all(_kind(file) not in (".parquet", ".jsonl") for file in files), notes)

    def _object(self, table: Any) -> duckdb.DuckDBPyRelation:
        if isinstance(table, duckdb.DuckDBPyRelation):
            given = table
            require_distinct(given.columns, self.label)
            try:
                return self.connection.sql("FROM given")
            except duckdb.InvalidInputException:  # it belongs to another connection
                return self.connection.from_arrow(given.to_arrow_table())
        if hasattr(table, "collect_schema") and hasattr(table, "collect"):
            table = table.collect()  # a lazy frame of polars
        if hasattr(table, "__arrow_c_stream__") or isinstance(table, Mapping):
            return self._frame(table)
        if isinstance(table, list) and table and all(isinstance(row, Mapping) for row in table):
            names = dict.fromkeys(name for row in table for name in row)
            return self._frame({name: [row.get(name) for row in table] for name in names})
        raise InputError(
            f"{self.label}: cannot read a table from an object of type {type(table).__name__}",
            remedy="for a matrix of users and items, call Dataset.from_matrix"
            if getattr(table, "ndim", None) == 2
            else "pass a path, an Arrow, pandas or polars frame, a dictionary of columns, a list "
            "of rows as dictionaries, or a DuckDB relation",
        )

    def _files(self, files: Sequence[Path]) -> duckdb.DuckDBPyRelation:
        """Read files as one table; they must have the same columns.

        Parquet files may be partitioned: folders like ``year=2024`` become a column.
        """
        kinds = {_kind(file) for file in files}
        if kinds == {".parquet"}:
            for file in track(files, "checking files"):
                scan.check_parquet(self.connection, file)
                scan.check_partitions(self.connection, file)
            names = ", ".join(literal(sql_path(file)) for file in files)
            return self.connection.sql(
                f"FROM read_parquet([{names}], hive_partitioning = true, union_by_name = true)"
            )
        if kinds == {".csv"}:
            return self._typed_text(files, TABLE)
        views = [f"file_{next(_table_numbers)}" for _ in files]
        for view, file in zip(views, files, strict=True):
            self._file(file).create_view(view)
        return self.connection.sql(" UNION ALL BY NAME ".join(f"FROM {view}" for view in views))

    def _file(self, path: Path) -> duckdb.DuckDBPyRelation:
        if _kind(path) == ".parquet":
            scan.check_parquet(self.connection, path)
            return self.connection.sql(f"FROM {scan.parquet(path)}")
        if _kind(path) == ".jsonl":
            return self._json(path)
        layout = table_layout(path, self.encoding)
        if layout is None:
            raise InputError(
                f"{self.label}: files of the type of {path.name} cannot be read",
                where=str(path),
                remedy=scan.AS_CSV if _kind(path) in _SPREADSHEETS else f"give {READABLE}",
            )
        return self._typed_text([path], layout)

    def _json(self, path: Path) -> duckdb.DuckDBPyRelation:
        """Copy a JSON file to a temporary table; texts in ISO 8601 become times, except ids."""
        rows = f"text_{next(_table_numbers)}"
        with json_rows(self.connection, path, self.encoding) as query:
            self.connection.execute(f"CREATE TEMP TABLE {rows} AS {query}")
        columns = types_of(self.connection, rows)
        table = typed(
            self.connection,
            rows,
            columns,
            self.ids,
            self.texts,
            of_ids=("VARCHAR",),
            of_values=("TIMESTAMP", "VARCHAR"),
        )
        self.connection.execute(f"DROP TABLE {rows}")
        return table

    def _frame(self, frame: Any) -> duckdb.DuckDBPyRelation:
        """Read a frame without the index that pandas adds as a column after a filter or a sort.

        An index with a name is a column.
        """
        try:
            if getattr(getattr(frame, "index", None), "name", None) is not None:
                frame = frame.reset_index()  # Arrow would drop one of numbers without gaps
            if hasattr(frame, "select_dtypes"):  # periods of pandas: Arrow would number them
                periods = frame.dtypes.index[frame.dtypes.astype(str).str.startswith("period")]
                frame = frame.assign(**{name: frame[name].dt.to_timestamp() for name in periods})
            table = pa.table(frame)
            require_distinct(table.column_names, self.label)
            index = [name for name in table.column_names if _PANDAS_INDEX.fullmatch(name)]
            for position, field in enumerate(table.schema):
                if pa.types.is_float16(field.type):  # DuckDB has no such type
                    single = table.column(position).cast(pa.float32())
                    if field.name in self.ids:
                        self._require_exact(field.name, single)
                    table = table.set_column(position, field.name, single)
            return self.connection.from_arrow(table.drop_columns(index))
        except InputError:
            raise
        except Exception as error:  # the frame may be of any library
            reason = (", ".join(map(str, error.args)) or type(error).__name__).splitlines()[0]
            mixed = re.search(r"Conversion failed for column (.+) with type object", reason)
            hint = f"convert it: frame[{mixed[1]!r}].astype(str); " if mixed else ""
            raise InputError(
                f"{self.label}: cannot read the frame: {reason}",
                remedy=f"{hint}give each column a name of its own and values of a single type: "
                "numbers, text, times, or lists of these"
                + (HISTORIES if isinstance(frame, Mapping) else ""),
            ) from error

    def _require_exact(self, name: str, halves: pa.ChunkedArray) -> None:
        """Refuse ids that half floats may have rounded."""
        largest = pc.max(pc.abs(halves)).as_py()
        if largest is not None and largest >= _EXACT_HALF:
            raise InputError(
                f"ids of half floats are kept exactly below {_EXACT_HALF:,} only; "
                f"there is {largest:,.0f}",
                where=f"{self.label}, column '{name}'",
                remedy="make the column of 64-bit integers or of text, from the original ids",
            )

    def _typed_text(self, files: Sequence[Path], layout: Layout) -> duckdb.DuckDBPyRelation:
        """Copy text files to a temporary table, each column with the first type that fits."""
        sources = {file: layout.text(file, self.encoding) for file in files}
        try:
            return self._table_of(sources, layout)
        except duckdb.InvalidInputException as error:
            if not scan.is_ragged(error):
                raise
        sources = {
            file: self.bad.without_ragged(f"{self.label} {file}", file, text)
            for file, text in sources.items()
        }
        return self._table_of(sources, layout)

    def _table_of(self, sources: Mapping[Path, Text], layout: Layout) -> duckdb.DuckDBPyRelation:
        (first, first_text), *_ = sources.items()
        names = first_text.columns
        shown = layout.selection(dict.fromkeys(names, "VARCHAR"))
        columns = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in shown.items())
        selections = []
        for file, text in sources.items():
            if set(text.columns) != set(names):
                raise InputError(
                    f"the columns of {file.name} are not those of {first.name}",
                    where=str(file),
                    remedy=f"give all files the columns {', '.join(names)}",
                )
            selections.append(f"SELECT {columns} FROM {text.select_from(file)}")
        source = f"({' UNION ALL '.join(selections)})"
        return typed(self.connection, source, shown, self.ids, self.texts)


def _kind(path: Path) -> str:
    """Return the ending of a file name in lower case, without ``.gz``."""
    kind = Path(path.name.lower().removesuffix(".gz")).suffix
    return {".tsv": ".csv", ".txt": ".csv", ".ndjson": ".jsonl", ".json": ".jsonl"}.get(kind, kind)
