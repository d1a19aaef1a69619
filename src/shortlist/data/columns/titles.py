"""The titles of items: the feature that the caller named, or the one whose name says so."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.arrow_types import is_text
from shortlist.data.columns.names import names_items, names_titles
from shortlist.errors import InputError

TITLES = ("title", "name")  # names of columns that hold titles for certain
_MARK = b"title"  # the key of the schema's metadata that names the column


def title_column(features: pa.Table | None) -> str | None:
    """Return the column of the titles: the one that was named, or else the first that says so."""
    if features is None:
        return None
    names: Sequence[str] = features.column_names
    marked = (features.schema.metadata or {}).get(_MARK)
    if marked is not None and (name := str(marked, "utf-8")) in names:
        return name
    sure = [name for name in TITLES if name in names]
    likely = [name for name in names if names_titles(name) and _is_text(features, name)]
    likely += [name for name in names if names_items(name) and _differs(features, name)]
    return sure[0] if sure else next(iter(likely), None)


def with_title(features: pa.Table, column: str) -> pa.Table:
    """Name the column of the titles; it must exist."""
    metadata = {**(features.schema.metadata or {}), _MARK: column.encode()}
    return features.replace_schema_metadata(metadata)


def titles(features: pa.Table | None) -> pa.Array | None:
    """Return the titles as text, null where there is none; None if no column holds any.

    An InputError if they are bytes that are no text.
    """
    column = title_column(features)
    if features is None or column is None or pa.types.is_nested(features[column].type):
        return None
    try:
        return features.column(column).combine_chunks().cast(pa.string())
    except pa.ArrowInvalid:
        raise InputError(
            "a title is not text in UTF-8",
            where=f"items, column {column!r}",
            remedy="decode the bytes to text first "
            f"(pandas: frame[{column!r}].str.decode('cp1252')), or leave the column out",
        ) from None


def _differs(features: pa.Table, name: str) -> bool:
    """Return whether a column has texts, and most rows have one of their own."""
    if not _is_text(features, name):
        return False
    different: int = pc.count_distinct(features.column(name)).as_py()
    return bool(2 * different > features.num_rows)


def _is_text(features: pa.Table, name: str) -> bool:
    return is_text(features.schema.field(name).type)
