"""The types of columns of text: a temporary table with the first type that all values fit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import NamedTuple

import duckdb

from shortlist.data.sql import Connection, column_batches, literal, quoted, types_of
from shortlist.progress import track


class _Type(NamedTuple):
    """A SQL type: the condition that text must meet to have it, and the cast."""

    fits: str
    cast: str


# The types of a text column, in order of preference: the first that all of its values fit is taken.
# Integers must convert back to the same text, so '007' stays text and no id changes. WHOLE is for
# ids alone: pandas writes the integers of a column with missing values as 17850.0. More than 19
# digits, which may exceed 64 bits, are a code: as DOUBLE, different ones would become equal. So is
# 12e999, which would be infinite.
_TYPES = {
    "BIGINT": _Type("CAST(TRY_CAST({x} AS BIGINT) AS VARCHAR) = {x}", "CAST({x} AS BIGINT)"),
    "UBIGINT": _Type("CAST(TRY_CAST({x} AS UBIGINT) AS VARCHAR) = {x}", "CAST({x} AS UBIGINT)"),
    "WHOLE": _Type(
        "(CAST(TRY_CAST(regexp_replace({x}, '\\.0$', '') AS BIGINT) AS VARCHAR) "
        "= regexp_replace({x}, '\\.0$', ''))",
        "CAST(regexp_replace({x}, '\\.0$', '') AS BIGINT)",
    ),
    "DOUBLE": _Type(
        "(regexp_full_match({x}, "
        "'[+-]?(((0|[1-9][0-9]{{0,18}})(\\.[0-9]*)?|\\.[0-9]+)(e[+-]?[0-9]+)?|nan|inf)', 'i') "
        "AND (NOT isinf(TRY_CAST({x} AS DOUBLE)) OR {x} ILIKE '%inf'))",
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
_MISFIT = "a value is not of the type of its column"

_table_numbers = count()


def typed(
    connection: Connection,
    source: str,
    columns: Iterable[str],
    ids: Collection[str] = (),
    texts: Collection[str] = (),
    *,
    of_ids: Sequence[str] = _ID_TYPES,
    of_values: Sequence[str] = _VALUE_TYPES,
) -> duckdb.DuckDBPyRelation:
    """Copy the columns of a source, a table or a query in brackets, to a temporary table.

    A column of text gets the first type that all of its values fit: of ``of_ids`` if it is one of
    ``ids``, else of ``of_values``. The columns ``texts`` stay text.
    """
    head, name = (f"{kind}_{next(_table_numbers)}" for kind in ("head", "typed"))
    connection.execute(f"CREATE TEMP TABLE {head} AS FROM {source} LIMIT {_SAMPLE}")
    candidates: dict[str, Sequence[str]] = {
        column: ("VARCHAR",) if column in texts else of_ids if column in ids else of_values
        for column, kind in types_of(connection, head).items()
        if kind == "VARCHAR"
    }
    candidates = _fitting(connection, head, candidates, ids)
    connection.execute(f"DROP TABLE {head}")
    try:
        _create_table(connection, name, source, columns, candidates, ids)
    except duckdb.InvalidInputException as error:
        if _MISFIT not in str(error):
            raise
        # There may be misfits in many columns: all are found before the next attempt.
        candidates = _fitting(connection, source, candidates, ids)
        _create_table(connection, name, source, columns, candidates, ids)
    return connection.table(name)


def _fitting(
    connection: Connection,
    source: str,
    candidates: Mapping[str, Sequence[str]],
    ids: Collection[str],
) -> dict[str, Sequence[str]]:
    """Return those of the candidate types of each column that all of its values fit."""
    fitting = {name: kinds for name, kinds in candidates.items() if len(kinds) == 1}
    undecided = [name for name in candidates if name not in fitting]
    for some in track(column_batches(undecided, 10), "guessing types"):
        tests = ", ".join(
            f"bool_and(coalesce({_TYPES[kind].fits.format(x=x)}, false)) FILTER ({x} IS NOT NULL)"
            for x, kinds in ((_cell(name, ids), candidates[name]) for name in some)
            for kind in kinds
        )
        results = iter(connection.execute(f"SELECT {tests} FROM {source}").fetchall()[0])
        # The result is None for a column without values, which fits any type.
        for name in some:
            fitting[name] = [k for k in candidates[name] if next(results) is not False]
    return fitting


def _cell(column: str, ids: Collection[str]) -> str:
    """Return SQL of the text that tells the type of a cell; ids keep the blanks around them."""
    return quoted(column) if column in ids else f"nullif(trim({quoted(column)}), '')"


def _create_table(
    connection: Connection,
    name: str,
    source: str,
    columns: Iterable[str],
    candidates: Mapping[str, Sequence[str]],
    ids: Collection[str],
) -> None:
    """Create the table with the first candidate types; a value that does not fit is an error."""
    values = {column: quoted(column) for column in columns}
    for column, kinds in candidates.items():
        if kinds[0] == "VARCHAR":
            continue
        x = _cell(column, ids)
        fits, cast = (part.format(x=x) for part in _TYPES[kinds[0]])
        failure = f"error({literal(_MISFIT)})"
        value = f"CASE WHEN {x} IS NULL THEN NULL WHEN {fits} THEN {cast} ELSE {failure} END"
        values[column] = f"{value} AS {quoted(column)}"
    # All columns by name: DuckDB takes long to replace many of them in a *.
    selected = ", ".join(values.values())
    connection.execute(f"CREATE TEMP TABLE {name} AS SELECT {selected} FROM {source}")
