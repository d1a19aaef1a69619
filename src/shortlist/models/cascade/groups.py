"""Features that compare a user with the users of an item, and an item with those of a history.

Column by column: for numbers and dates the distance to the group's mean, plain and divided by its
spread; for categories the share of the group with the same value; for lists and texts the cosine to
the centroid of the group.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.arrow_types import is_text
from shortlist.data.features import FeatureEncoder
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import row_means

Doubles = NDArray[np.float64]

MAX_CATEGORIES = 100  # a text column with more values is close to an id, useless for new rows
DAY = 86_400_000_000  # microseconds
PRIOR = 2.0  # members that a group's spread is pulled towards that of all by
PAIRS = 50_000  # compared at a time


@dataclass(frozen=True)
class TableColumns:
    """The columns of a feature table that trees can split on."""

    names: tuple[str, ...]  # (c,): their names
    # The values of each text column; None for other columns.
    categories: tuple[pa.Array | None, ...]  # (c,)

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
            if is_text(column.type):
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


class Members(NamedTuple):
    """Rows to compare: encoded, and their numbers."""

    rows: csr_array  # (n, d)
    numbers: Doubles  # (n, c)


@dataclass(frozen=True)
class Group:
    """The mean of several members' rows, for each of g groups."""

    centroids: csr_array  # (g, d): the mean of the encoded rows
    # Of each number among members that have it; NaN for none.
    means: Doubles  # (g, c)
    spreads: Doubles


@dataclass(frozen=True)
class GroupComparison:
    """Compares rows of a feature table with groups of the table's own rows."""

    encoder: FeatureEncoder  # encodes categories, lists and texts
    number_columns: TableColumns  # the numbers and dates
    own: Members  # the rows of the table

    @classmethod
    def of(cls, table: pa.Table | None) -> GroupComparison | None:
        """Learn to compare the rows of a table; None without a column to compare."""
        if table is None or not table.num_columns:
            return None
        kinds = FeatureEncoder.fit(table).kinds
        left_out = {name: None for name, spec in kinds.items() if spec.kind == "number"}
        encoder = FeatureEncoder.fit(table, left_out)
        scalars = [field.name for field in table.schema if is_scalar(field.type)]
        columns = TableColumns.of(table.select(scalars))
        if not encoder.parts and not columns.names:
            return None
        empty = Members(csr_array((0, 0)), np.empty((0, 0)))
        unused = cls(encoder, columns, empty)
        return cls(encoder, columns, unused.members(table))

    def members(self, table: pa.Table) -> Members:
        """Encode rows of a table with the same columns."""
        rows = self.encoder.transform(table)
        return Members(rows, self.number_columns.numbers(table).astype(np.float64))

    @property
    def names(self) -> list[str]:
        """The name of each column."""
        names = [f"{name}, likeness" for name in self.encoder.blocks]
        names += [f"{name}, distance" for name in self.number_columns.names]
        return names + [f"{name}, distance in spreads" for name in self.number_columns.names]

    @cached_property
    def _all_spreads(self) -> Doubles:
        """The standard deviation of each number."""  # (c,)
        known = ~np.isnan(self.own.numbers)
        counts = np.maximum(known.sum(axis=0), 1)
        centred = np.where(known, self.own.numbers - self._centres, 0)
        deviations: Doubles = np.sqrt((centred**2).sum(axis=0) / counts)
        return np.maximum(deviations, 1e-12)

    @cached_property
    def _centres(self) -> Doubles:
        known = ~np.isnan(self.own.numbers)
        sums = np.where(known, self.own.numbers, 0).sum(axis=0)
        centres: Doubles = sums / np.maximum(known.sum(axis=0), 1)
        return centres

    def groups(self, members: csr_array) -> Group:
        """Describe groups of rows of the table, given by ones."""  # (g, n)
        members = members.astype(np.float64)
        known = ~np.isnan(self.own.numbers)
        centred = np.where(known, self.own.numbers - self._centres, 0)
        counts = members @ known.astype(np.float64)  # (g, c)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = (members @ centred) / counts
            squares = (members @ centred**2) / counts - means**2
        prior = PRIOR * self._all_spreads**2
        spreads = np.sqrt((np.nan_to_num(counts * squares).clip(0) + prior) / (counts + PRIOR))
        return Group(row_means(members, self.own.rows), means + self._centres, spreads)

    def columns(
        self,
        members: Members,
        groups: Group,
        row_of: NDArray[np.integer],
        group_of: NDArray[np.integer],
    ) -> Floats:
        """Compare pairs of a member and a group, given by position."""  # (n, len(names))
        likeness = self._likeness(members.rows, groups.centroids, row_of, group_of)
        distance = np.abs(members.numbers[row_of] - groups.means[group_of])
        in_spreads = distance / groups.spreads[group_of]
        return np.concatenate([likeness, distance, in_spreads], axis=1).astype(np.float32)

    def _likeness(
        self,
        rows: csr_array,
        centroids: csr_array,
        row_of: NDArray[np.integer],
        group_of: NDArray[np.integer],
    ) -> Doubles:
        """Return the dot products of each column's blocks."""  # (n, columns of the encoder)
        widths = [block.stop - block.start for block in self.encoder.blocks.values()]
        column_of = np.repeat(np.arange(len(widths)), widths)
        products = np.zeros((len(row_of), len(widths)))
        for start in range(0, len(row_of) if widths else 0, PAIRS):
            pairs = slice(start, start + PAIRS)
            left, right = rows[row_of[pairs]], centroids[group_of[pairs]]
            product = csr_array(left.multiply(right)).tocoo()
            cells = product.row.astype(np.intp) * len(widths) + column_of[product.col]
            sums = np.bincount(cells, product.data, products[pairs].size)
            products[pairs] = sums.reshape(-1, len(widths))
        return products
