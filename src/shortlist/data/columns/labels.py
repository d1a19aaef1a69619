"""Labels of columns and of their values, which show codes as words: degree 4 is a bachelor's.

They come as a table ``column, value, label``; a row without a value labels the column itself. A
feature table carries its labels in the metadata of its schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa

from shortlist.data.sources import read
from shortlist.data.sql import Connection
from shortlist.errors import InputError, require_known

Labels: TypeAlias = Mapping[str, Mapping[str, str]]  # by column, by value as text; "": the column

COLUMNS = ("column", "value", "label")
_KEY = b"labels"


def read_labels(connection: Connection, table: Any, encoding: str | None = None) -> Labels:
    """Read a table of labels; an InputError if it lacks a column, a name or a label."""
    rows = read(connection, table, label="labels", texts=COLUMNS, encoding=encoding).rows
    for name in COLUMNS:
        if name not in rows.columns:
            raise InputError(
                f"there is no column {name!r}",
                where="labels",
                remedy="give the columns column, value and label; a row without a value labels "
                "the column itself",
            )
    labels: dict[str, dict[str, str]] = {}
    records = rows.select(*COLUMNS).to_arrow_table().to_pylist()
    for number, row in enumerate(records, start=1):
        if row["column"] is None or row["label"] is None:
            raise InputError(
                "a label needs a column and a text",
                where=f"labels, record {number}",
                remedy="fill them in, or leave the row out",
            )
        value = "" if row["value"] is None else str(row["value"])
        labels.setdefault(str(row["column"]), {})[value] = str(row["label"])
    return labels


def with_labels(tables: Sequence[pa.Table | None], labels: Labels) -> list[pa.Table | None]:
    """Add labels to the feature tables that have the columns; each column must be in one."""
    names = {name for table in tables if table is not None for name in table.column_names}
    for column in labels:
        require_known(column, names, f"there is no feature {column!r} to label", where="labels")
    labelled = []
    for table in tables:
        if table is not None:
            own = {name: labels[name] for name in table.column_names if name in labels}
            metadata = {**(table.schema.metadata or {}), _KEY: json.dumps(own).encode()}
            table = table.replace_schema_metadata(metadata) if own else table
        labelled.append(table)
    return labelled


def labels_of(features: pa.Table | None) -> Labels:
    """Return the labels that a feature table carries."""
    metadata = {} if features is None else features.schema.metadata or {}
    labels: Labels = json.loads(metadata.get(_KEY, b"{}"))
    return labels


def column_label(labels: Labels, column: str) -> str:
    """Return the label of a column, or its name with blanks.

    >>> column_label({"degree": {"": "education"}}, "degree"), column_label({}, "job_code")
    ('education', 'job code')
    """
    return labels.get(column, {}).get("", column.replace("_", " "))


def value_label(labels: Labels, column: str, value: Any) -> str:
    """Return the label of a value, or the value as text.

    >>> value_label({"degree": {"4": "bachelor"}}, "degree", 4), value_label({}, "degree", 4)
    ('bachelor', '4')
    """
    text = str(value)
    return labels.get(column, {}).get(text, text)
