"""Numbers and times as people write them in text, as SQL that casts them.

Thousands separators and currency signs are understood where the mark before the fraction is given:
3,5 and 1.000,50 and $3.50. The unit of a column of times in numbers is found from all of its
values:

- calendar years (1900 to 2100), or dates and times written as yyyymm, yyyymmdd, yyyymmddhhmm
  or yyyymmddhhmmss, if most values have that form;
- milliseconds, microseconds or nanoseconds since 1970, if every value is too large for the smaller
  unit (seconds end with the year 9999);
- seconds since 1970 otherwise.

A value that does not fit the unit of its column is not a time, so its row is refused or skipped.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from shortlist.data.moments import FIRST_SECOND, LAST_SECOND, WRITTEN
from shortlist.data.sql import Connection, literal
from shortlist.data.written.numbers import SPACES
from shortlist.errors import ConfigError

UNITS = ("s", "ms", "us", "ns", "year", *WRITTEN)
INTEGERS = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "HUGEINT", "UHUGEINT",
}  # fmt: skip
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_SECONDS_AMONG_YEARS = "s without years"  # seconds where a value that looks like a date is refused
_CLEARLY_SECONDS = 100_000_000  # the year 1973: a column with such values holds seconds, not years
_FIRST_YEAR, _LAST_DAY = 1900, 21001231  # what looks like a year or a day lies between
_YEAR = f"({{n}} = floor({{n}}) AND {{n}} BETWEEN {_FIRST_YEAR} AND 2100)"
_DAY = (
    f"({{n}} = floor({{n}}) AND {{n}} BETWEEN 19000101 AND {_LAST_DAY} "
    "AND floor({n} / 100) % 100 BETWEEN 1 AND 12 AND {n} % 100 BETWEEN 1 AND 31)"
)
_OTHER_FORMS = {  # 1900 to 2100; as seconds or milliseconds these are 1970 or the far future
    "yyyymm": "(n BETWEEN 190001 AND 210012)",
    "yyyymmddhhmm": "(n BETWEEN 190001010000 AND 210012312359)",
    "yyyymmddhhmmss": "(n BETWEEN 19000101000000 AND 21001231235959)",
}
_IS_NUMBER = "(TRY_CAST({x} AS DOUBLE) IS NOT NULL)"
_IS_ISO = "(TRY_CAST({x} AS TIMESTAMPTZ) IS NOT NULL)"

YEAR_1000 = -30_610_224_000_000_000  # DuckDB takes 01/02/24 for a day in the year 1

_CURRENCIES = "$€£¥₩₹"
BETWEEN_FORMS = "|"  # a column may hold times in several forms
FORMAT_REMEDY = (
    "pass time_format, such as '%d/%m/%Y', or several, such as '%Y-%m-%d|%d %b %Y', or correct "
    "the value"
)


@dataclass(frozen=True)
class Reading:
    """How the text of a table is read; :meth:`Dataset.from_tables` documents the fields."""

    time_format: str | None = None
    decimal: str | None = None
    encoding: str | None = None

    def check(self, connection: Connection) -> None:
        """Refuse a value that is not known."""
        _check_time_format(connection, self.time_format)
        if self.decimal not in (None, ".", ","):
            raise ConfigError(
                f"decimal={self.decimal!r} is not a mark before the fraction of a number",
                remedy="give '.' or ','; the other of the two then separates thousands",
            )
        try:
            "".encode("utf-8" if self.encoding is None else self.encoding)
        except (LookupError, TypeError, ValueError):
            raise ConfigError(
                f"encoding={self.encoding!r} is not a known encoding",
                remedy="give one such as utf-8, utf-16, cp1252, latin-1, cp949 or shift_jis",
            ) from None


def _check_time_format(connection: Connection, time_format: str | None) -> None:
    """Refuse a format that is neither a unit nor one of strptime."""
    if time_format is None or time_format in UNITS:
        return
    reason = ""
    if isinstance(time_format, str) and "%" in time_format:
        try:
            connection.execute(f"SELECT {parsed_time(literal(''), time_format)}").fetchall()
            return
        except duckdb.Error as error:
            reason = f": {str(error).splitlines()[0]}"
    raise ConfigError(
        f"time_format={time_format!r} is not a format of times{reason}",
        remedy=f"give a unit ({', '.join(UNITS)}), or the parts of the text, such as '%d/%m/%Y'",
    )


def parsed_time(x: str, time_format: str) -> str:
    """Return SQL of the time that a text writes in the first form that reads it."""
    forms = ", ".join(literal(form.strip()) for form in time_format.split(BETWEEN_FORMS))
    return f"try_strptime(trim({x}), [{forms}])"


def is_number(kind: str) -> bool:
    """Return whether a SQL type is numeric."""
    return kind in INTEGERS or kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL")


def plain_number(x: str, decimal: str | None) -> str:
    """Return SQL that rewrites the number in a text so that SQL can cast it; else NULL.

    Where the mark before the fraction is given, thousands may be separated by the other mark or by
    a space, also one that does not break, and a currency sign may stand before or after the number.

    >>> sql = plain_number("x", ",")
    >>> rows = "(VALUES ('3,5'), ('€ 1.000,50'), ('1\u00a0000,5'), ('1.5')) AS rows(x)"
    >>> duckdb.sql(f"SELECT {sql} FROM {rows}").fetchall()
    [('3.5',), ('1000.50',), ('1000.5',), (None,)]
    """
    if decimal is None:
        return x
    group = "," if decimal == "." else "."
    sign = f"[{_CURRENCIES}]"
    x = f"translate({x}, '{SPACES}', '{' ' * len(SPACES)}')"
    bare = f"regexp_replace(trim({x}), '^([-+]?)\\s*{sign}\\s*|\\s*{sign}$', '\\1')"
    digits = rf"([0-9]+|[0-9]{{1,3}}([{group} ][0-9]{{3}})+)"
    form = rf"[-+]?({digits}([{decimal}][0-9]*)?|[{decimal}][0-9]+)([eE][-+]?[0-9]+)?"
    rewritten = f"translate({bare}, '{decimal}{group} ', '.')"
    return f"CASE WHEN regexp_full_match({bare}, '{form}') THEN {rewritten} END"


def microseconds(
    connection: Connection, rows: str, x: str, kind: str, time_format: str | None = None
) -> str:
    """Return SQL that casts a column to microseconds since 1970; NULL where a value is not a time.

    The column ``x``, of the type ``kind`` (a time, a number or text), is selected from ``rows``: a
    view, or a query in brackets. Without ``time_format``, the unit is recognised.
    """
    if kind.startswith(("TIMESTAMP", "DATE")):
        if kind == "TIMESTAMPTZ_NS":  # DuckDB casts it to TIMESTAMP in two steps only
            x = f"TRY_CAST({x} AS TIMESTAMPTZ)"
        return f"epoch_us(TRY_CAST({x} AS TIMESTAMP))"  # NULL if the timestamp is infinite
    if time_format is not None and time_format not in UNITS:
        parsed = parsed_time(f"CAST({x} AS VARCHAR)", time_format)
        return f"epoch_us(CAST({parsed} AS TIMESTAMPTZ))"
    if is_number(kind):
        unit = time_format or _unit(connection, rows, x)
        return _number(x, unit, kind in INTEGERS)
    parsed = f"epoch_us(TRY_CAST({x} AS TIMESTAMPTZ))"
    iso = f"CASE WHEN {parsed} >= {YEAR_1000} THEN {parsed} END"
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


def _unit(connection: Connection, rows: str, x: str) -> str:
    """Return the unit of a column of numbers."""
    numbers = f"(SELECT TRY_CAST({x} AS DOUBLE) AS n FROM {rows}) WHERE isfinite(n)"
    like_dates = f"n BETWEEN {_FIRST_YEAR} AND {_LAST_DAY}"
    other_forms = " OR ".join(_OTHER_FORMS.values())
    count, candidates, others, least, most = connection.execute(
        f"SELECT count(*), count(*) FILTER ({like_dates}), count(*) FILTER ({other_forms}), "
        f"min(abs(n)), max(abs(n)) FROM {numbers}"
    ).fetchall()[0]
    years = days = 0
    if candidates:  # a second pass, which is slower: most columns need none
        year, day = _YEAR.format(n="n"), _DAY.format(n="n")
        years, days = connection.execute(
            f"SELECT count(*) FILTER ({year}), count(*) FILTER ({day}) FROM {numbers} "
            f"AND {like_dates}"
        ).fetchall()[0]
    if 2 * years > count:
        return "year"
    if 2 * days > count:
        return "yyyymmdd"
    for unit, in_range in _OTHER_FORMS.items() if 2 * others > count else ():
        times = f"count({_written('n', unit)}) FILTER ({in_range})"
        if connection.execute(f"SELECT 2 * {times} > count(*) FROM {numbers}").fetchall()[0][0]:
            return unit
    for smaller, unit in (("s", "ms"), ("ms", "us"), ("us", "ns")):
        above = LAST_SECOND * _PER_SECOND[smaller]
        if count and least > above and (unit == "ns" or most <= LAST_SECOND * _PER_SECOND[unit]):
            return unit
    return _SECONDS_AMONG_YEARS if years + days and most >= _CLEARLY_SECONDS else "s"


def _written(n: str, unit: str) -> str:
    """Return SQL of the microseconds of a time that is written as a number; else NULL."""
    least = 10 ** (len(unit) - 1)
    valid = f"{n} = floor({n}) AND {n} BETWEEN {least} AND {10 * least - 1}"
    parsed = f"try_strptime(CAST(CAST({n} AS BIGINT) AS VARCHAR), {literal(WRITTEN[unit])})"
    return f"CASE WHEN {valid} THEN epoch_us({parsed}) END"


def _number(x: str, unit: str, whole: bool) -> str:
    """Return SQL that casts a number of a unit to microseconds."""
    n = f"TRY_CAST({x} AS {'BIGINT' if whole else 'DOUBLE'})"
    if unit == "year":
        valid = f"{n} = floor({n}) AND {n} BETWEEN 1 AND 9999"
        return f"CASE WHEN {valid} THEN epoch_us(make_date(CAST({n} AS BIGINT), 1, 1)) END"
    if unit in WRITTEN:
        return _written(n, unit)
    refused = ""
    if unit == _SECONDS_AMONG_YEARS:
        refused = f" AND NOT {_YEAR.format(n=n)} AND NOT {_DAY.format(n=n)}"
        unit = "s"
    scale = _PER_SECOND[unit]
    in_range = f"{n} BETWEEN {FIRST_SECOND * scale} AND {LAST_SECOND * scale}{refused}"
    if unit == "ns":
        in_range = f"{n} IS NOT NULL" if whole else f"abs({n}) < 9.2e18"
        value = f"CAST(floor(CAST({n} AS DECIMAL(38, 3)) / 1000) AS BIGINT)"
        if whole:
            value = f"({n} - (({n} % 1000) + 1000) % 1000) // 1000"
    else:
        value = f"CAST({n} * {1_000_000 // scale} AS BIGINT)"
    return f"CASE WHEN {in_range} THEN {value} END"
