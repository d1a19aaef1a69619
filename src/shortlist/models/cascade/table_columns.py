"""The columns of a feature table as numbers that trees can split on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.scoring.scores import Floats

MAX_CATEGORIES = 100  # a text column with more values is close to an id, useless for new rows
DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class TableColumns:
    """The columns of a feature table that trees can split on.

    Attributes
    ----------
    names
        Their names.  # (c,)
    categories
        The values of each text column; None for other columns.  # (c,)
    """

    names: tuple[str, ...]
    categories: tuple[pa.Array | None, ...]

    @classmethod
    def of(cls, table: pa.Table | None) -> TableColumns:
        """Select the columns that are not constant and whose texts are not too many."""
        names: list[str] = []
        categories: list[pa.Array | None] = []
        if table is None:
            return cls((), ())
        for name in table.column_names:
            column = table.column(name).combine_chunks()
            values = None
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                values = pc.drop_null(column.unique())
                if len(values) > MAX_CATEGORIES:
                    continue
                values = values.take(pc.array_sort_indices(values))
            elif not is_numeric(column.type):
                continue
            numbers = numbers_of(column, values)
            present = numbers[~np.isnan(numbers)]
            if len(present) and (present.min() < present.max() or len(present) < len(numbers)):
                names.append(name)
                categories.append(values)
        return cls(tuple(names), tuple(categories))

    def numbers(self, table: pa.Table) -> Floats:
        """Return the columns of a table; NaN for a missing value and an unknown category."""
        columns = [
            numbers_of(table.column(name).combine_chunks(), values)
            for name, values in zip(self.names, self.categories, strict=True)
        ]
        if not columns:
            return np.empty((table.num_rows, 0), dtype=np.float32)
        return np.stack(columns, axis=1).astype(np.float32)


def is_numeric(kind: pa.DataType) -> bool:
    """Return whether :func:`numbers_of` can convert the values of a column that is not text."""
    names = ("integer", "floating", "boolean", "timestamp", "date", "list", "large_list")
    return any(getattr(pa.types, f"is_{name}")(kind) for name in names)


def is_scalar(kind: pa.DataType) -> bool:
    """Return whether a column holds numbers or dates."""
    names = ("integer", "floating", "timestamp", "date")
    return any(getattr(pa.types, f"is_{name}")(kind) for name in names)


def numbers_of(column: pa.Array, categories: pa.Array | None) -> NDArray[np.float64]:
    """Convert a column to numbers, NaN where it is empty."""
    kind = column.type
    if categories is not None:
        column = pc.index_in(column, categories)
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        moments = column.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64(), safe=False)
        column = pc.divide(moments, float(DAY))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        column = pc.list_value_length(column)
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    numbers: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy(
        zero_copy_only=False
    )
    return numbers
