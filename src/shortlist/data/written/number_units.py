"""The units and currencies of columns that were read from text, kept with their table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from shortlist.data.written.numbers import NumberForm

_KEY = b"units"  # of the metadata of the schema


class ColumnUnit(NamedTuple):
    """The unit and the currency of a column, "" where it has none."""

    unit: str = ""
    currency: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, self))


def with_units(features: pa.Table, forms: Mapping[str, NumberForm]) -> pa.Table:
    """Note the unit and the currency of columns in the metadata of their table."""
    units = {name: ColumnUnit(form.unit, form.currency) for name, form in forms.items()}
    units = {name: unit for name, unit in units.items() if any(unit)}
    if not units:
        return features
    metadata = {**(features.schema.metadata or {}), _KEY: json.dumps(units).encode()}
    return features.replace_schema_metadata(metadata)


def unit_and_currency(features: pa.Table, name: str) -> ColumnUnit:
    """Return the unit and the currency of a column."""
    units = json.loads((features.schema.metadata or {}).get(_KEY, b"{}"))
    return ColumnUnit(*units.get(name, ()))
