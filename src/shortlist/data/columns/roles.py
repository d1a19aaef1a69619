"""The roles of a table's columns, guessed from their names and values."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from shortlist.data.coding.reading import INTEGERS, is_number
from shortlist.data.columns.names import (
    BIRTH,
    COUNTS,
    DOCUMENTS,
    EVENTS,
    IDS,
    NAMES,
    OUTCOMES,
    RATINGS,
    ROLES,
    has_word,
    is_label,
    names_items,
    names_titles,
    words,
)
from shortlist.data.rules.text import written_word
from shortlist.data.sql import column_batches, quoted
from shortlist.data.table_options import TableOptions
from shortlist.data.written.times import first_with_times, form_of_times
from shortlist.errors import InputError
from shortlist.progress import track

_TITLE_WORDS = NAMES | {"description", "desc"}
_MOST_REPEATS = 1.1  # of ids, in a table that lists users or items
_MOST_EVENTS = 12  # different values of a column that says what users did
_MOST_TITLES = 1.5  # of an item, on average: exports of shops spell titles in several ways
_HEAD = 1_000  # rows of which the first values are examples
# Distinct values of longer or wider tables are estimated.
_EXACT_ROWS = 5_000_000
_EXACT_COLUMNS = 100


@dataclass(frozen=True)
class Column:
    """A column of a table and what its values look like."""

    name: str
    kind: str  # the SQL type
    filled: int  # the number of values that are there
    distinct: int  # how many of them differ (about, in long tables)
    example: str  # the first value, as text

    @property
    def words(self) -> list[str]:
        """The words of the name in lower case: ``CustomerID`` has the words customer and id."""
        return words(self.name)

    @property
    def may_be_id(self) -> bool:
        """Whether the values may be ids: whole numbers or text, and more than one."""
        return self.distinct > 1 and (self.kind in INTEGERS or self.kind in ("VARCHAR", "UUID"))

    def rank(self, role: str) -> int | None:
        """Return how well the name suits a role, 0 the best; None if it does not."""
        parts = self.words
        hits = [n for n, word in enumerate(ROLES[role]) if has_word(parts, [word])]
        if not hits:
            return None
        is_id = has_word(parts, IDS)
        if role.endswith("_id"):
            return 100 * (not is_id) + 1000 * is_label(self.name) + hits[0]
        return 1000 * is_id + hits[0]


@dataclass(frozen=True, kw_only=True)
class Roles(TableOptions):
    """Which columns hold users, items, weights and times, as arguments of ``from_tables``."""

    notes: tuple[str, ...] = ()  # sentences about what is uncertain

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of ``Dataset.from_tables`` that differ from its defaults."""
        default = vars(Roles())
        return {
            name: value
            for name, value in vars(self).items()
            if name != "notes" and value != default[name]
        }


def is_rating(name: str) -> bool:
    """Return whether the name of a column says that its values are ratings."""
    return has_word(words(name), RATINGS)


def columns_of(connection: duckdb.DuckDBPyConnection, rows: str) -> tuple[int, list[Column]]:
    """Return the number of rows of a view, and its columns."""
    described = connection.execute(f"DESCRIBE FROM {rows}").fetchall()
    [(count,)] = connection.execute(f"SELECT count(*) FROM {rows}").fetchall()
    exact = count <= _EXACT_ROWS and len(described) <= _EXACT_COLUMNS
    differing = "count(DISTINCT {})" if exact else "approx_count_distinct({})"
    names = [quoted(name) for name, *_ in described]
    # So few rows keep their order; over the whole table, threads would return any first value.
    head = f"(FROM {rows} LIMIT {_HEAD})"
    values: list[int] = []
    examples: list[str | None] = []
    for some in track(column_batches(names, 100), "looking at columns"):
        facts = ", ".join(f"count({x}), {differing.format(x)}" for x in some)
        values += connection.execute(f"SELECT {facts} FROM {rows}").fetchall()[0]
        firsts = ", ".join(f"CAST(first({x}) FILTER ({x} IS NOT NULL) AS VARCHAR)" for x in some)
        examples += connection.execute(f"SELECT {firsts} FROM {head}").fetchall()[0]
    columns = []
    for n, (name, kind, *_) in enumerate(described):
        filled, distinct = values[2 * n : 2 * n + 2]
        example = examples[n]
        if example is None and filled:
            [(example,)] = connection.execute(
                f"SELECT min(CAST({names[n]} AS VARCHAR)) FROM {rows}"
            ).fetchall()
        columns.append(Column(name, kind, filled, distinct, example or ""))
    return count, columns


def guess_roles(
    connection: duckdb.DuckDBPyConnection, rows: str, given: Mapping[str, Any]
) -> Roles:
    """Guess the roles of the columns of a view; ``given`` are fields of the result that are known.

    An InputError if no column looks like the ids of users, or of items, or a given one is missing.
    """
    count, columns = columns_of(connection, rows)
    by_name = {column.name: column for column in columns}
    taken = {role: _given(by_name, role, given[role]) for role in ROLES if role in given}
    notes: list[str] = []
    for role in ROLES:
        if role in taken:
            continue
        free = [column for column in columns if column not in taken.values()]
        suited = [(column.rank(role), n, column) for n, column in enumerate(free)]
        ranked = sorted(
            (rank, n, column)
            for rank, n, column in suited
            if rank is not None and _may_have(column, role)
        )
        if ranked:
            taken[role] = ranked[0][2]
    if "time" not in taken and (dated := _dated(connection, rows, columns, taken)):
        taken["time"] = dated
        notes.append(f"time: no name says so; {dated.name!r} is the first column of times")
    for role in ("user_id", "item_id"):
        if role not in taken:
            _require_interactions(taken, role, given)
            free = [column for column in columns if column not in taken.values()]
            taken[role] = _first_repeating(free, role, count)
            notes.append(
                f"{role}: no name says so; {taken[role].name!r} is the first column of ids that "
                "repeat"
            )
    weight = taken.get("weight")
    guessed: dict[str, Any] = {role: column.name for role, column in taken.items()}
    if weight is not None:
        guessed["repeats"] = "sum" if has_word(weight.words, COUNTS) else "last"
        guessed["decimal"] = _decimal(connection, rows, weight)
    if "title" not in given:
        free = [column for column in columns if column not in taken.values()]
        guessed["title"] = _title(connection, rows, taken["item_id"], free)
    if "time" in taken and "time_format" not in given:
        guessed |= _time(connection, rows, taken["time"], notes)
    if "only" not in given:
        free = [column for column in columns if column not in taken.values()]
        notes += _kinds_of_events(connection, rows, free)
    return Roles(**{**guessed, **given, "notes": tuple(notes)})


def _given(columns: Mapping[str, Column], role: str, name: str) -> Column:
    if name not in columns:
        raise InputError(
            f"there is no column {name!r} for {role}", remedy=f"name one of: {', '.join(columns)}"
        )
    return columns[name]


def _may_have(column: Column, role: str) -> bool:
    """Return whether the values of a column suit a role."""
    if role.endswith("_id"):
        return column.may_be_id or (column.kind == "DOUBLE" and column.distinct > 1)
    if role == "weight":
        return is_number(column.kind) or bool(re.fullmatch(r"[\d.,]+", column.example))
    return column.distinct > 0 and column.kind != "BOOLEAN"


def _require_interactions(
    taken: Mapping[str, Column], missing: str, given: Mapping[str, Any]
) -> None:
    """Raise an InputError if the table lists users or items instead of who chose what.

    In such a table one kind of id has a name that says so and does not repeat, and no column is
    named after the other kind.
    """
    listed = "item_id" if missing == "user_id" else "user_id"
    ids = taken.get(listed)
    if ids is None or listed in given or ids.filled > _MOST_REPEATS * ids.distinct:
        return
    kinds, others = listed.replace("_id", "s"), missing.replace("_id", "s")
    raise InputError(
        f"this is a table of {kinds}, not of who chose what: {ids.name!r} hardly repeats, and no "
        f"column is named after {others}",
        remedy=f"look at the table of who chose what, and give it this one: {kinds}=; or name the "
        f"column of {others}: {missing}=",
    )


def _title(
    connection: duckdb.DuckDBPyConnection, rows: str, item: Column, columns: Iterable[Column]
) -> str | None:
    """Return the column of texts that names the items."""
    named = [c for c in columns if c.kind == "VARCHAR" and has_word(c.words, _TITLE_WORDS)]
    named += [c for c in columns if c.kind == "VARCHAR" and names_titles(c.name)]
    named += [c for c in columns if c.kind == "VARCHAR" and names_items(c.name)]
    for column in sorted(named, key=lambda column: not names_titles(column.name)):
        pair = f"({quoted(item.name)}, {quoted(column.name)})"
        test = f"{quoted(item.name)} IS NOT NULL AND {quoted(column.name)} IS NOT NULL"
        [(pairs, titled, titles)] = connection.execute(
            f"SELECT count(DISTINCT {pair}), count(DISTINCT {quoted(item.name)}), "
            f"count(DISTINCT {quoted(column.name)}) FROM {rows} WHERE {test}"
        ).fetchall()
        if pairs <= _MOST_TITLES * titled and 2 * titles > titled:
            return column.name
    return None


def _kinds_of_events(
    connection: duckdb.DuckDBPyConnection, rows: str, columns: Iterable[Column]
) -> Iterator[str]:
    """Yield a note for each column that says what the users did."""
    for column in columns:
        outcome = has_word(column.words, OUTCOMES)
        if (
            column.kind == "VARCHAR"
            and (outcome or set(column.words) <= EVENTS)
            and 1 < column.distinct <= _MOST_EVENTS
        ):
            name = quoted(column.name)
            counts = connection.execute(
                f"SELECT {name}, count(*) AS n FROM {rows} WHERE {name} IS NOT NULL "
                f"GROUP BY 1 ORDER BY n DESC, 1"
            ).fetchall()
            listed = ", ".join(f"{value} {n:,}" for value, n in counts)
            # A purchase is rarer than a view, and a cancelled order rarer than a completed one.
            wanted, _ = counts[0 if outcome else -1]
            rule = " = ".join(map(written_word, (column.name, wanted)))
            yield (
                f"{column.name}: rows of every value count alike ({listed}); to count some of "
                f"them, add --only {shlex.quote(rule)}"
            )


def _first_repeating(columns: Iterable[Column], role: str, count: int) -> Column:
    """Return the first column whose values may be ids and occur more than once.

    Numbers of orders are the last resort.
    """
    columns = sorted(columns, key=lambda column: has_word(column.words, DOCUMENTS))
    for column in columns:
        if column.may_be_id and column.rank("weight") is None and column.distinct < 0.8 * count:
            return column
    raise InputError(
        f"no column looks like the ids of {'users' if role == 'user_id' else 'items'}",
        remedy=f"name it: {role}=",
    )


def _time(
    connection: duckdb.DuckDBPyConnection, rows: str, column: Column, notes: list[str]
) -> dict[str, str | None]:
    """Return the format of times in text if it is not ISO; leave out what cannot be read."""
    if column.kind != "VARCHAR":
        return {}
    form, note = form_of_times(connection, rows, column.name, column.example)
    if note:
        notes.append(note)
        return {"time": None}
    return {} if form is None else {"time_format": form}


def _dated(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    columns: Iterable[Column],
    taken: Mapping[str, Column],
) -> Column | None:
    """Return the first free column of times, whatever its name; no dates of birth."""
    texts: dict[str, Column] = {}
    dated: Column | None = None
    for column in columns:
        if column in taken.values() or has_word(column.words, BIRTH) or not column.distinct:
            continue
        if column.kind.startswith(("TIMESTAMP", "DATE")):
            dated = column
            break
        if column.kind == "VARCHAR":
            texts[column.name] = column
    name = first_with_times(connection, rows, texts)
    return dated if name is None else texts[name]


def _decimal(connection: duckdb.DuckDBPyConnection, rows: str, weight: Column) -> str | None:
    """Return the decimal mark of weights that are written as text."""
    if weight.kind != "VARCHAR":
        return None
    x = quoted(weight.name)
    comma, point = connection.execute(
        f"SELECT avg(CAST(regexp_full_match({x}, '[^,]*,[0-9]{{1,2}}') AS INTEGER)), "
        f"avg(CAST(regexp_full_match({x}, '.*\\.[0-9]{{1,2}}') AS INTEGER)) FROM {rows}"
    ).fetchall()[0]
    return "," if comma > point else "."
