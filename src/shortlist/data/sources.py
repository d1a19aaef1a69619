"""Any table a caller may hand over, as a DuckDB relation with exact ids and useful types."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from shortlist.data.formats import scan
from shortlist.data.formats.layout import READABLE, recognised
from shortlist.data.formats.layouts import LAYOUTS
from shortlist.data.sql import quoted
from shortlist.errors import InputError


class _Type(NamedTuple):
    """What every value must satisfy to become this type, and how it then becomes it."""

    fits: str
    cast: str


# What a text column may become, the first that fits all of it. Whole numbers must read back as the
# same text: '007' and '1.0' stay as they are, so no id changes.
_TYPES = {
    "BIGINT": _Type("CAST(TRY_CAST({x} AS BIGINT) AS VARCHAR) = {x}", "CAST({x} AS BIGINT)"),
    "UBIGINT": _Type("CAST(TRY_CAST({x} AS UBIGINT) AS VARCHAR) = {x}", "CAST({x} AS UBIGINT)"),
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
_ID_TYPES = ("BIGINT", "UBIGINT", "VARCHAR")
_SAMPLE = 20_000  # rows that choose the first guess; all rows must agree with it
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")

_numbers = count()


def relation(
    connection: duckdb.DuckDBPyConnection,
    table: Any,
    *,
    label: str,
    ids: Collection[str] = (),
) -> duckdb.DuckDBPyRelation:
    """Read a table of any kind into a relation of ``connection``.

    Parameters
    ----------
    connection
        Open it with :func:`shortlist.data.sql.connect`, so that times are UTC. Text files become
        temporary tables of it, which live as long as it does.
    table
        A path (CSV with or without a byte order mark, TSV, Parquet, a GroupLens or RecBole file),
        an Arrow, pandas or polars frame (anything with ``__arrow_c_stream__``), or a DuckDB
        relation, of this connection or another.
    label
        What messages call the table, such as ``"interactions"``.
    ids
        Columns of a text file that must keep every character: 64-bit integers or text, never
        floating point or time.

    Returns
    -------
    duckdb.DuckDBPyRelation
        At least one row, in the order of the source. Text columns are BIGINT, UBIGINT, DOUBLE or
        TIMESTAMP (UTC) where every value is one, and VARCHAR otherwise.

    Raises
    ------
    InputError
        The file is missing, empty, without rows, cut short, not UTF-8 or not a kind of file that
        is known; a frame has a column of mixed or unknown type; or ``table`` is none of the above.

    Examples
    --------
    >>> from shortlist.data.sql import connect
    >>> with connect() as db:
    ...     relation(db, pa.table({"user_id": ["ann"], "item_id": [7]}), label="log").fetchall()
    [('ann', 7)]
    """
    if isinstance(table, str | Path):
        path = Path(table)
        scan.require_file(path, label)
        if path.suffix.lower() == ".parquet":
            rows = _query(connection, f"FROM {scan.parquet(path)}", path)
        else:
            rows = _text(connection, path, label, ids)
        where: str | None = str(path)
    elif isinstance(table, duckdb.DuckDBPyRelation):
        rows, where = _adopt(connection, table), None
    elif hasattr(table, "__arrow_c_stream__"):
        rows, where = _frame(connection, table, label), None
    else:
        raise InputError(
            f"{label}: a table cannot be read from a {type(table).__name__}",
            remedy="give a path, an Arrow, pandas or polars frame, or a DuckDB relation",
        )
    if not connection.execute("SELECT 1 FROM rows LIMIT 1").fetchall():
        raise InputError(f"{label}: the table has no rows", where=where, remedy="give at least one")
    return rows


def _query(
    connection: duckdb.DuckDBPyConnection, query: str, path: Path
) -> duckdb.DuckDBPyRelation:
    try:
        return connection.sql(query)
    except duckdb.Error as error:
        raise scan.explain(error, path) from error


def _adopt(
    connection: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyRelation
) -> duckdb.DuckDBPyRelation:
    """Take a relation as it is where both read one database, and through Arrow otherwise."""
    try:
        return connection.sql("FROM other")
    except duckdb.InvalidInputException:
        return connection.from_arrow(other.to_arrow_table())


def _frame(
    connection: duckdb.DuckDBPyConnection, table: Any, label: str
) -> duckdb.DuckDBPyRelation:
    """Read a frame whose columns all have a type that Arrow and DuckDB know."""
    try:
        return connection.from_arrow(_without_index(pa.table(table)))
    except (ValueError, TypeError, duckdb.NotImplementedException) as error:  # Arrow's are these
        reason = ", ".join(map(str, error.args)).splitlines()[0]
        raise InputError(
            f"{label}: the frame cannot be read: {reason}",
            remedy="give every column its own name and values of one type: numbers, text, times, "
            "or lists of them",
        ) from error


def _without_index(frame: pa.Table) -> pa.Table:
    """Drop the row labels that pandas adds as a column after a filter or a sort."""
    return frame.drop_columns([c for c in frame.column_names if _PANDAS_INDEX.fullmatch(c)])


def _text(
    connection: duckdb.DuckDBPyConnection, path: Path, label: str, ids: Collection[str]
) -> duckdb.DuckDBPyRelation:
    """Keep a text file as a temporary table, each column under the first type that fits it all."""
    layout = recognised(path, chain.from_iterable(LAYOUTS.values()))
    if layout is None:
        raise InputError(
            f"{label}: {path.name} is no kind of file that can be read",
            where=str(path),
            remedy=f"give {READABLE}",
        )
    text = layout.text(path)
    shown = layout.selection(dict.fromkeys(text.columns, "VARCHAR"))
    columns = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in shown.items())
    source = f"(SELECT {columns} FROM {text.select_from(path)})"
    try:
        guesses = _first_guess(connection, source, ids)
        name = f"text_{next(_numbers)}"
        while refused := _keep(connection, name, source, guesses):
            guesses[refused].pop(0)
    except duckdb.Error as error:
        raise scan.explain(error, path) from error
    return connection.table(name)


def _first_guess(
    connection: duckdb.DuckDBPyConnection, source: str, ids: Collection[str]
) -> dict[str, list[str]]:
    """Give the types that the first rows of each text column allow, the best first."""
    head = f"(FROM {source} LIMIT {_SAMPLE})"
    guesses = {
        name: [kind for kind in _TYPES if name not in ids or kind in _ID_TYPES]
        for name, kind, *_ in connection.execute(f"DESCRIBE FROM {head}").fetchall()
        if kind == "VARCHAR"
    }
    if not guesses:
        return {}
    tests = ", ".join(
        f"bool_and({_TYPES[kind].fits.format(x=quoted(name))})"
        for name, kinds in guesses.items()
        for kind in kinds
    )
    results = iter(connection.execute(f"SELECT {tests} FROM {head}").fetchall()[0])
    # A column of NULLs has no verdict: any type fits it.
    return {
        name: [kind for kind in kinds if next(results) is not False]
        for name, kinds in guesses.items()
    }


def _keep(
    connection: duckdb.DuckDBPyConnection, name: str, source: str, guesses: dict[str, list[str]]
) -> str | None:
    """Create the table, or name the column that has a value its type does not fit."""
    values = []
    for at, (column, kinds) in enumerate(guesses.items()):
        x = quoted(column)
        fits, cast = (part.format(x=x) for part in _TYPES[kinds[0]])
        refusal = f"error('column {at} is not {kinds[0]}')"
        value = f"CASE WHEN {x} IS NULL THEN NULL WHEN {fits} THEN {cast} ELSE {refusal} END"
        values.append(f"{x if kinds[0] == 'VARCHAR' else value} AS {x}")
    replaced = f"REPLACE ({', '.join(values)})" if values else ""
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * {replaced} FROM {source}"
        )
    except duckdb.InvalidInputException as error:
        refused = re.search(r"column (\d+) is not", str(error))
        if refused is None:
            raise
        return list(guesses)[int(refused[1])]
    return None
