"""A first look at a table of interactions: its columns, their roles, and its problems."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.bad_rows import BadRows, LeftOutByRule
from shortlist.data.coding.reading import INTEGERS, is_number
from shortlist.data.columns.roles import Column, Roles, columns_of, guess_roles, is_rating
from shortlist.data.columns.titles import title_column
from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureEncoder
from shortlist.data.features.cells import family_of
from shortlist.data.formats import scan
from shortlist.data.formats.text_files import NotEncodedError
from shortlist.data.moments import LIFE_SPAN
from shortlist.data.rules.text import written_word
from shortlist.data.sources import read
from shortlist.data.sql import connect
from shortlist.errors import ShortlistError
from shortlist.frames import Tabular
from shortlist.text import TextTable, shortened

_LONGEST_EXAMPLE = 24
_ROWS = 20_000  # from which the use of a feature is found
_SEPARATED = 100_000  # numbers from here on have separators: smaller ones may be years or codes
_WORDS = {
    "whole": "integer", "number": "number", "truth": "true or false", "text": "text",
    "date": "date", "list": "list", "vector": "list", "nothing": "nothing",
}  # fmt: skip
_EMPTY = "empty"  # instead of the type of a column without values
_MOST_RATINGS = 21  # different values of a scale, such as 0 to 10 in halves


@dataclass(frozen=True)
class Look(Tabular):
    """What a table of interactions holds.

    Attributes
    ----------
    rows
        The number of rows.
    columns
        The columns of the table.
    roles
        The columns that hold users, items, weights and times.
    data
        The data set that these roles give; ``data.skipped`` reports the rows that were left out.
    encoding
        The encoding of text files that are not UTF-8, as given or found; None: all are.
    """

    rows: int
    columns: tuple[Column, ...]
    roles: Roles
    data: Dataset
    encoding: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of ``Dataset.from_tables`` that read the tables as this look did."""
        options = self.roles.options
        if not all(isinstance(rows, LeftOutByRule) for rows in self.data.skipped):
            options["on_bad_row"] = "skip"
        if self.encoding is not None:
            options["encoding"] = self.encoding
        return options

    def content(self) -> list[str | TextTable]:
        """Return the columns, the features of users and items, and what they hold."""
        content: list[str | TextTable] = [self._columns(), ""]
        tables = {"user": self.data.user_features, "item": self.data.item_features}
        for kind, table in tables.items():
            if table is not None:
                content += [*features_seen(kind, table), ""]
        return [*content, *self._facts()]

    def to_arrow(self) -> pa.Table:
        """Return the columns: column, type, missing, different, example, role."""
        named = {**self.roles.roles, "title": self.roles.title}
        role_of = {column: role for role, column in named.items()}
        return pa.table(
            {
                "column": [column.name for column in self.columns],
                "type": [
                    _type(column.kind) if column.filled else _EMPTY for column in self.columns
                ],
                "missing": [self.rows - column.filled for column in self.columns],
                "different": [min(column.distinct, column.filled) for column in self.columns],
                "example": [_example(column.example)[:_LONGEST_EXAMPLE] for column in self.columns],
                "role": [role_of.get(column.name, "") for column in self.columns],
            }
        )

    def _columns(self) -> TextTable:
        table = self.to_arrow()
        rows = [
            [f"{value:,}" if isinstance(value, int) else value for value in row.values()]
            for row in table.to_pylist()
        ]
        return TextTable(table.column_names, rows)

    def _facts(self) -> list[str]:
        data = self.data
        counts = data.user_counts[data.user_counts > 0]
        left_out = sum(
            rows.count
            for rows in data.skipped
            if rows.table.startswith("interactions") and rows.column is not None
        )
        pairs = data.n_interactions + len(data.dislikes or ())
        repeated = self.rows - left_out - pairs
        facts = [
            f"{data.n_users:,} users, {data.n_items:,} items, {data.n_interactions:,} pairs of a "
            f"user and an item",
            f"items of a user: {np.median(counts):.0f} in the median, {counts.max():,} at most; "
            f"{_of_users(int((counts == 1).sum()))} one",
        ]
        if repeated > 0:
            combined = (
                "their weights are added" if self.roles.repeats == "sum" else "the last counts"
            )
            rows = "row repeats" if repeated == 1 else "rows repeat"
            facts.append(f"{repeated:,} {rows} a pair: {combined}")
        if data.dislikes is not None:
            why = "not meeting the rule" if self.roles.positive else "with a weight below 0"
            facts.append(f"dislikes: {len(data.dislikes):,} pairs {why}")
        elif (rule := self._suggested_rule()) is not None:
            facts.append(
                f"{self.roles.weight}: ratings from {data.weights.min():g} to "
                f"{data.weights.max():g}, and low ones are choices too; to make only high ones "
                f"choices and the others dislikes, add --positive {shlex.quote(rule)}"
            )
        if data.times is not None:
            first, last = (
                datetime.fromtimestamp(moment / 1e6, UTC).date()
                for moment in (data.times.min(), data.times.max())
            )
            facts.append(f"from {first} to {last}")
        if self.encoding is not None:
            facts.append(f"text that is not UTF-8 is read as {self.encoding}: check the examples")
        return [*facts, *map(str, data.skipped), *data.notes, *self.roles.notes]

    def _suggested_rule(self) -> str | None:
        """Return a rule for the upper quarter of the scale, where the weights are ratings."""
        name = self.roles.weight
        if name is None or not is_rating(name):
            return None
        values = np.unique(self.data.weights)
        if not 1 < len(values) <= _MOST_RATINGS:
            return None
        least = values[np.searchsorted(values, values[0] + 0.75 * (values[-1] - values[0]))]
        return f"{written_word(name)} >= {least:g}"


def look(
    table: Any,
    *,
    users: Any = None,
    items: Any = None,
    encoding: str | None = None,
    **given: Any,
) -> Look:
    """Look at a table of interactions: guess the roles of its columns, and read it.

    Parameters
    ----------
    table
        A path, a frame or a relation, as ``Dataset.from_tables`` reads it.
    users, items
        Tables of features, to see what of them is missing.
    encoding
        The encoding of text files that are not UTF-8. None: it is guessed.
    given
        What is known already, as for ``Dataset.from_tables``: ``user_id``, ``item_id``, ``weight``,
        ``time``, ``title``, ``labels``, ``only``, ``positive``, ``half_life``, ``repeats``,
        ``on_bad_row``, ``time_format``, ``decimal``. The rest is guessed.

    Returns
    -------
    Look
        To print, and with ``options`` for ``Dataset.from_tables``.

    Raises
    ------
    InputError
        The table cannot be read, no column looks like the ids of users, or of items, or the table
        lists users or items and not who chose what.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = pa.table({"Customer No": [7, 7, 8], "SKU": ["a", "b", "a"], "qty": [1, 2, 1]})
    >>> look(table).options
    {'user_id': 'Customer No', 'item_id': 'SKU', 'weight': 'qty', 'repeats': 'sum'}
    """
    try:
        return _look(table, users, items, encoding, given)
    except NotEncodedError as error:
        if encoding is not None or error.likely is None:
            raise
        return _look(table, users, items, error.likely, given)


def _look(table: Any, users: Any, items: Any, encoding: str | None, given: dict[str, Any]) -> Look:
    """Look at tables, in which the text that is not UTF-8 has the encoding."""
    with connect() as db, scan.translated("the table"):
        listed = read(db, table, label="interactions", encoding=encoding, bad=BadRows("skip")).rows
        listed.create_view("looked_at")
        rows, columns = columns_of(db, "looked_at")
        if items is not None:
            given = {"title": None} | given  # its titles are found by their name
        roles = guess_roles(db, "looked_at", given)
    options = roles.options | {"encoding": encoding, "on_bad_row": "skip"}
    data = Dataset.from_tables(table, users, items, **options)
    return Look(rows, tuple(columns), roles, data, encoding)


def _of_users(count: int) -> str:
    return "1 user has" if count == 1 else f"{count:,} users have"


def _type(kind: str) -> str:
    """Return the word for a SQL type."""
    if kind in INTEGERS:
        return "integer"
    if is_number(kind):
        return "number"
    return {"VARCHAR": "text", "BOOLEAN": "true or false"}.get(kind, kind.lower())


def features_seen(kind: str, features: pa.Table) -> list[str | TextTable]:
    """Return a table with a row for each feature, and why some are left out.

    >>> [table] = features_seen("user", pa.table({"city": ["York", "Bath", "York", "Bath"]}))
    >>> print(table.text())
    user feature | type | missing | different | example |  used as
    -------------+------+---------+-----------+---------+---------
    city         | text |       0 |         2 |    York | category
    """
    head = features.slice(0, _ROWS)
    try:
        encoder = FeatureEncoder.fit(head)
        uses, left_out = {name: spec.kind for name, spec in encoder.kinds.items()}, encoder.left_out
    except ShortlistError as error:  # fitting a model would fail with it
        uses, left_out = {}, dict.fromkeys(features.column_names, str(error).splitlines()[0])
    title = title_column(features) if kind == "item" else None
    rows: list[list[str]] = []
    names: dict[str, list[str]] = {}
    for name in features.column_names:
        column = features.column(name)
        use = uses.get(name, "left out")
        if name == title:
            use = "title"
        elif name in LIFE_SPAN and kind == "item":
            use = "life span"
        elif name in left_out:
            names.setdefault(left_out[name], []).append(name)
        rows.append([name, *_feature_facts(column), use])
    header = [f"{kind} feature", "type", "missing", "different", "example", "used as"]
    lines = [f"{', '.join(listed)}: left out, {why}" for why, listed in names.items()]
    return [TextTable(header, rows), *lines]


def _feature_facts(column: pa.ChunkedArray) -> list[str]:
    """Return the type, the missing and the different values, and the first value."""
    family = family_of(column.type)
    try:
        different = f"{pc.count_distinct(column, mode='only_valid').as_py():,}"
    except pa.ArrowException:  # lists are not counted
        different = ""
    present = column.drop_null()
    example = _example(present[0].as_py()) if len(present) else ""
    return [
        _EMPTY if not len(present) else str(column.type) if family is None else _WORDS[family],
        f"{column.null_count:,}",
        different,
        shortened(example, _LONGEST_EXAMPLE),
    ]


def _example(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, int | float) and abs(value) >= _SEPARATED:
        return f"{value:,}"
    if isinstance(value, datetime):
        value = value.replace(tzinfo=None)
    return " ".join(str(value).removesuffix(" 00:00:00").split())
