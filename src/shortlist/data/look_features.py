"""What a table of features holds, and how models that read features would use each column."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.features import FeatureEncoder
from shortlist.data.features.cells import family_of
from shortlist.data.moments import LIFE_SPAN
from shortlist.data.titles import title_column
from shortlist.errors import ShortlistError
from shortlist.text import text_table

_ROWS = 20_000  # from which the use of a column is found
_LONGEST_EXAMPLE = 24
_SEPARATED = 100_000  # numbers from here on have separators: smaller ones may be years or codes
_WORDS = {
    "whole": "integer", "number": "number", "truth": "true or false", "text": "text",
    "date": "date", "list": "list", "vector": "list", "nothing": "nothing",
}  # fmt: skip


def features_seen(kind: str, features: pa.Table) -> str:
    """Return a table with a row for each feature, and why some are left out.

    >>> print(features_seen("user", pa.table({"city": ["York", "Bath", "York", "Bath"]})))
    user feature | type | missing | different | example |  used as
    -------------+------+---------+-----------+---------+---------
    city         | text |       0 |         2 |    York | category
    """
    head = features.slice(0, _ROWS)
    try:
        encoder = FeatureEncoder.fit(head)
        uses, left_out = {name: spec.kind for name, spec in encoder.kinds.items()}, encoder.left_out
    except ShortlistError as error:  # fitting a model would say the same
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
        rows.append([name, *_facts(column), use])
    header = [f"{kind} feature", "type", "missing", "different", "example", "used as"]
    lines = [f"{', '.join(listed)}: left out, {why}" for why, listed in names.items()]
    return "\n".join([text_table(header, rows), *lines])


def _facts(column: pa.ChunkedArray) -> list[str]:
    """Return the type, the missing and the different values, and the first value."""
    family = family_of(column.type)
    try:
        different = f"{pc.count_distinct(column, mode='only_valid').as_py():,}"
    except pa.ArrowException:  # lists are not counted
        different = ""
    present = column.drop_null()
    example = _example(present[0].as_py()) if len(present) else ""
    return [
        str(column.type) if family is None else _WORDS[family],
        f"{column.null_count:,}",
        different,
        example if len(example) <= _LONGEST_EXAMPLE else f"{example[: _LONGEST_EXAMPLE - 3]}...",
    ]


def _example(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, int | float) and abs(value) >= _SEPARATED:
        return f"{value:,}"
    if isinstance(value, datetime):
        value = value.replace(tzinfo=None)
    return " ".join(str(value).removesuffix(" 00:00:00").split())
