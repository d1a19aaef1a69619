"""The forms in which a column of text writes times, guessed from its values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb

from shortlist.data.coding.reading import BETWEEN_FORMS, YEAR_1000, parsed_time
from shortlist.data.sql import column_batches, quoted
from shortlist.progress import track

_ISO = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
_DAYS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d",
    "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%y/%m/%d", "%y.%m.%d",
    "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y",
    "%Y. %m. %d.", "%Y. %m. %d", "%Y년 %m월 %d일",
)  # fmt: skip
_HOURS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_FORMS = tuple(day + hour for day in _DAYS for hour in _HOURS)
_SAMPLE = 1_000  # values that every form is tried on
_MOST_FORMS = 4  # in one column
_LEAST = 0.1  # share of these values that a form reads, so that it is worth a look at all values
_ALL = 0.999  # of the values are read: the rest are errors


def form_of_times(
    connection: duckdb.DuckDBPyConnection, rows: str, column: str, example: str
) -> tuple[str | None, str]:
    """Return the ``time_format`` of a column of text and a note; one of the two is empty.

    Both are empty if the values are ISO times or numbers. The note says why no form is sure.
    """
    x = quoted(column)
    iso = f"epoch_us(TRY_CAST({x} AS TIMESTAMPTZ)) >= {YEAR_1000}"
    plain = f"coalesce({iso}, false) OR TRY_CAST({x} AS DOUBLE) IS NOT NULL"
    (plain_share,) = _shares(connection, rows, x, [plain])
    if plain_share >= _ALL:
        return None, ""
    forms, share, either = _forms(connection, rows, x)
    name_it = f"name time={column!r} and time_format="
    if plain_share > 0.5 and share <= plain_share:
        return None, ""
    if share > 0.5 and not either:
        return BETWEEN_FORMS.join(forms), ""
    if either:
        way = f"may be written as {' or '.join(either)}, and no value tells which"
        return None, f"time: {example!r} {way}: {name_it}"
    what = "is in no known form, and the column is left out"
    return None, f"time: {example!r} {what}: to use it, {name_it}"


def first_with_times(
    connection: duckdb.DuckDBPyConnection, rows: str, columns: Iterable[str]
) -> str | None:
    """Return the first column of text of whose first values one form reads most."""
    for some in track(column_batches(columns, 100), "looking for times"):
        # Every form has two numbers. To look for them takes a hundredth of trying all forms.
        tests = [f"regexp_matches({quoted(name)}, '[0-9][^0-9]+[0-9]')" for name in some]
        averages = ", ".join(f"avg(CAST({test} AS INTEGER))" for test in tests)
        query = f"SELECT {averages} FROM (FROM {rows} LIMIT {_SAMPLE})"
        for name, share in zip(some, connection.execute(query).fetchall()[0], strict=True):
            if share is None or share > 0.5:  # None: there is no value in these rows
                x = quoted(name)
                if max(_read_by(connection, _first(rows, x), x, _FORMS).values()) > 0.5:
                    return name
    return None


def _forms(
    connection: duckdb.DuckDBPyConnection, rows: str, x: str
) -> tuple[list[str], float, list[str]]:
    """Return forms that together read a column, and the share of its values that they read.

    Each form is the one that reads most of what the earlier ones do not read. If forms that differ
    read equally many values, such as 03/04/2024, these forms are returned as well.
    """
    chosen: list[str] = []
    while len(chosen) < _MOST_FORMS:
        unread = " AND ".join(
            [f"{x} IS NOT NULL", *(f"{parsed_time(x, f)} IS NULL" for f in chosen)]
        )
        rest = f"(SELECT {x} FROM {rows} WHERE {unread})"
        sampled = _read_by(connection, _first(rest, x), x, _ISO + _FORMS)
        likely = [form for form, share in sampled.items() if share > _LEAST]
        if not likely:
            break
        shares = _read_by(connection, rest, x, likely)
        best = max(likely, key=shares.__getitem__)
        tied = [form for form in likely if form != best and shares[form] == shares[best]]
        either = [form for form in tied if _disagree(connection, rest, x, best, form)]
        if either:
            return chosen, 0.0, [best, *either]
        if any(_disagree(connection, rows, x, best, form) for form in chosen):
            break  # such as days before months and months before days: these rows are errors
        chosen.append(best)
        if shares[best] == 1:
            break
    read = " OR ".join(f"{parsed_time(x, form)} IS NOT NULL" for form in chosen) or "false"
    (share,) = _shares(connection, rows, x, [read])
    return chosen, share, []


def _first(rows: str, x: str) -> str:
    return f"(SELECT {x} FROM {rows} WHERE {x} IS NOT NULL LIMIT {_SAMPLE})"


def _disagree(
    connection: duckdb.DuckDBPyConnection, rows: str, x: str, first: str, second: str
) -> bool:
    """Return whether both forms read some value, as different times."""
    query = f"SELECT count(*) FROM {rows} WHERE {parsed_time(x, first)} != {parsed_time(x, second)}"
    count: int = connection.execute(query).fetchall()[0][0]
    return count > 0


def _read_by(
    connection: duckdb.DuckDBPyConnection, rows: str, x: str, forms: Sequence[str]
) -> dict[str, float]:
    """Return the share of the values of a column that each form reads, with a year of our time."""
    # One expression over a list: the planner takes 20 times as long for one a form.
    query = f"""
        SELECT form, avg(CAST(coalesce(year(time) BETWEEN 1900 AND 2100, false) AS INTEGER))
        FROM (
            SELECT unnest(range({len(forms)})) AS form,
                unnest([{", ".join(parsed_time(x, form) for form in forms)}]) AS time
            FROM {rows} WHERE {x} IS NOT NULL
        )
        GROUP BY form
    """
    shares: dict[int, float] = dict(connection.execute(query).fetchall())
    return {form: shares.get(number, 0.0) for number, form in enumerate(forms)}


def _shares(
    connection: duckdb.DuckDBPyConnection, rows: str, x: str, tests: Iterable[str]
) -> tuple[float, ...]:
    """Return the share of the values of a column that pass each test."""
    averages = ", ".join(f"coalesce(avg(CAST({test} AS INTEGER)), 0)" for test in tests)
    query = f"SELECT {averages} FROM {rows} WHERE {x} IS NOT NULL"
    shares: tuple[float, ...] = connection.execute(query).fetchall()[0]
    return shares
