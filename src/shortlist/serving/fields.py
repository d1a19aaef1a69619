"""What a form or a filter needs to know of the features of users and the fields of items."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shortlist.serving.plain import plain_value

MOST_VALUES = 200  # a text with more different values than that is free text; of lists, the top


def describe(features: pa.Table | None) -> list[dict[str, Any]]:
    """Describe each column: its name, its kind, and its values or bounds.

    Examples
    --------
    >>> describe(pa.table({"year": [1995, 2006], "genres": [["War"], ["War", "Crime"]]}))
    ... # doctest: +NORMALIZE_WHITESPACE
    [{'name': 'year', 'kind': 'number', 'min': 1995, 'max': 2006},
     {'name': 'genres', 'kind': 'list', 'values': ['War', 'Crime']}]
    """
    if features is None:
        return []
    return [{"name": name, **_described(features.column(name))} for name in features.column_names]


def _described(column: pa.ChunkedArray) -> dict[str, Any]:
    kind = column.type
    if pa.types.is_boolean(kind):
        return {"kind": "flag"}
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return {"kind": "number", **_bounds(column)}
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return {"kind": "date", **_bounds(column)}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return {"kind": "list", "values": _frequent(pc.list_flatten(column))[:MOST_VALUES]}
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        values = _frequent(column)
        if len(values) <= min(MOST_VALUES, max(2, len(column) // 2)):
            return {"kind": "category", "values": values}
    return {"kind": "text"}


def _bounds(column: pa.ChunkedArray) -> dict[str, Any]:
    if pa.types.is_floating(column.type):
        column = column.filter(pc.is_finite(column))
    bounds = pc.min_max(column).as_py()
    return {"min": plain_value(bounds["min"]), "max": plain_value(bounds["max"])}


def _frequent(column: pa.ChunkedArray) -> list[Any]:
    """Give the values, the most frequent first, equally frequent ones in order."""
    counted = pc.value_counts(column.drop_null())
    values, counts = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
    pairs = sorted(zip(values, counts, strict=True), key=lambda pair: (-pair[1], str(pair[0])))
    return [plain_value(value) for value, _ in pairs]
