"""Times in columns of any type: the unit of numbers is recognised, and values become microseconds.

The unit of a column of numbers is found from all of its values:

- calendar years (1900 to 2100) or dates written as yyyymmdd, if most values have that form;
- milliseconds, microseconds or nanoseconds since 1970, if every value is too large for the smaller
  unit (seconds end with the year 9999);
- seconds since 1970 otherwise.

A value that does not fit the unit of its column is not a time, so its row is refused or skipped.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import duckdb

from shortlist.data.moments import LAST_SECOND
from shortlist.data.sql import literal
from shortlist.errors import ConfigError

Unit: TypeAlias = Literal["s", "ms", "us", "ns", "year", "yyyymmdd"]
UNITS: tuple[str, ...] = get_args(Unit)

INTEGERS = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "HUGEINT", "UHUGEINT",
}  # fmt: skip
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_SECONDS_AMONG_YEARS = "s without years"  # seconds where a value that looks like a date is refused
_CLEARLY_SECONDS = 100_000_000  # the year 1973: a column with such values holds seconds, not years
_YEAR = "({n} = floor({n}) AND {n} BETWEEN 1900 AND 2100)"
_DAY = (
    "({n} = floor({n}) AND {n} BETWEEN 19000101 AND 21001231 AND floor({n} / 100) % 100 "
    "BETWEEN 1 AND 12 AND {n} % 100 BETWEEN 1 AND 31)"
)
_IS_NUMBER = "(TRY_CAST({x} AS DOUBLE) IS NOT NULL)"
_IS_ISO = "(TRY_CAST({x} AS TIMESTAMPTZ) IS NOT NULL)"

FORMAT_REMEDY = "pass time_format, such as '%d/%m/%Y' or '%m/%d/%Y %H:%M', or correct the value"


def is_number(kind: str) -> bool:
    """Return whether a SQL type is numeric."""
    return kind in INTEGERS or kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL")


def check_format(connection: duckdb.DuckDBPyConnection, time_format: str | None) -> None:
    """Refuse a ``time_format`` that is neither a unit nor a format of strptime.

    Raises
    ------
    ConfigError
        The text is neither.
    """
    if time_format is None or time_format in UNITS:
        return
    reason = ""
    if isinstance(time_format, str) and "%" in time_format:
        try:
            connection.execute(f"SELECT try_strptime('', {literal(time_format)})").fetchall()
            return
        except duckdb.Error as error:
            reason = f": {str(error).splitlines()[0]}"
    raise ConfigError(
        f"time_format={time_format!r} is not a format of times{reason}",
        remedy=f"give a unit ({', '.join(UNITS)}), or the parts of the text, such as '%d/%m/%Y'",
    )


def microseconds(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    x: str,
    kind: str,
    time_format: str | None = None,
) -> str:
    """Return SQL that casts a column to microseconds since 1970; NULL where a value is no time.

    Parameters
    ----------
    rows
        What the column is selected from: a view, or a query in brackets.
    x, kind
        The column, quoted, and its type: a time, a number or text.
    time_format
        A unit, a format of strptime, or None to recognise the unit.
    """
    if kind.startswith(("TIMESTAMP", "DATE")):
        return f"epoch_us(TRY_CAST({x} AS TIMESTAMP))"  # NULL if the timestamp is infinite
    if time_format is not None and time_format not in UNITS:
        parsed = f"try_strptime(trim(CAST({x} AS VARCHAR)), {literal(time_format)})"
        return f"epoch_us(CAST({parsed} AS TIMESTAMPTZ))"
    if is_number(kind):
        unit = time_format or _unit(connection, rows, x)
        return _number(x, unit, kind in INTEGERS)
    iso = f"epoch_us(TRY_CAST({x} AS TIMESTAMPTZ))"
    number_unit: str | None = time_format
    if number_unit is None:
        numbers, texts = connection.execute(
            f"SELECT count(*) FILTER ({_IS_NUMBER.format(x=x)}), "
            f"count(*) FILTER (NOT {_IS_NUMBER.format(x=x)} AND {_IS_ISO.format(x=x)}) FROM {rows}"
        ).fetchall()[0]
        if texts:  # numbers among dates are refused, unless they are clearly seconds
            n = f"TRY_CAST({x} AS DOUBLE)"
            clear = f"{n} >= {_CLEARLY_SECONDS}"
            return (
                f"CASE WHEN NOT {_IS_NUMBER.format(x=x)} THEN {iso} "
                f"WHEN {clear} THEN {_number(x, 's', False)} END"
            )
        number_unit = _unit(connection, rows, x) if numbers else "s"
    integer = f"regexp_full_match(trim({x}), '[+-]?[0-9]{{1,19}}')"
    whole, fraction = (_number(x, number_unit, exact) for exact in (True, False))
    return f"CASE WHEN {integer} THEN {whole} ELSE {fraction} END"


def _unit(connection: duckdb.DuckDBPyConnection, rows: str, x: str) -> str:
    """Return the unit of a column of numbers."""
    year, day = _YEAR.format(n="n"), _DAY.format(n="n")
    count, years, days, least, most = connection.execute(
        f"""
        SELECT count(*), count(*) FILTER ({year}), count(*) FILTER ({day}),
               min(abs(n)), max(abs(n))
        FROM (SELECT TRY_CAST({x} AS DOUBLE) AS n FROM {rows}) WHERE isfinite(n)
        """
    ).fetchall()[0]
    if 2 * years > count:
        return "year"
    if 2 * days > count:
        return "yyyymmdd"
    for smaller, unit in (("s", "ms"), ("ms", "us"), ("us", "ns")):
        above = LAST_SECOND * _PER_SECOND[smaller]
        if count and least > above and (unit == "ns" or most <= LAST_SECOND * _PER_SECOND[unit]):
            return unit
    return _SECONDS_AMONG_YEARS if years + days and most >= _CLEARLY_SECONDS else "s"


def _number(x: str, unit: str, whole: bool) -> str:
    """Return SQL that casts a number of a unit to microseconds."""
    n = f"TRY_CAST({x} AS {'BIGINT' if whole else 'DOUBLE'})"
    if unit == "year":
        valid = f"{n} = floor({n}) AND {n} BETWEEN 1 AND 9999"
        return f"CASE WHEN {valid} THEN epoch_us(make_date(CAST({n} AS BIGINT), 1, 1)) END"
    if unit == "yyyymmdd":
        valid = f"{n} = floor({n}) AND {n} BETWEEN 10000101 AND 99991231"
        parsed = f"try_strptime(CAST(CAST({n} AS BIGINT) AS VARCHAR), '%Y%m%d')"
        return f"CASE WHEN {valid} THEN epoch_us({parsed}) END"
    refused = ""
    if unit == _SECONDS_AMONG_YEARS:
        refused = f" AND NOT {_YEAR.format(n=n)} AND NOT {_DAY.format(n=n)}"
        unit = "s"
    scale = _PER_SECOND[unit]
    in_range = f"{n} BETWEEN -{LAST_SECOND * scale} AND {LAST_SECOND * scale}{refused}"
    if unit == "ns":
        in_range = f"{n} IS NOT NULL" if whole else f"abs({n}) < 9.2e18"
        value = f"CAST(floor(CAST({n} AS DECIMAL(38, 3)) / 1000) AS BIGINT)"
        if whole:
            value = f"({n} - (({n} % 1000) + 1000) % 1000) // 1000"
    else:
        value = f"CAST({n} * {1_000_000 // scale} AS BIGINT)"
    return f"CASE WHEN {in_range} THEN {value} END"
