"""What is known of users and items, as numbers that trees can be grown on.

A number stays as it is, a date is in days, a text is a category; of a list, only its length counts.
What is missing stays missing. Two numbers more say how alike a user and an item are: the likeness
of the item to what the user chose, by the features of items, and of the user to those who chose the
item, by the features of users.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import UNKNOWN, Rows
from shortlist.models.likeness import Likeness
from shortlist.models.weighting import binary
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import inverse, row_scaled, transposed

MOST = 100  # categories of a text: beyond that it tells rows apart, and says nothing of a new one
DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class Side:
    """The columns of a table that trees can be grown on.

    Attributes
    ----------
    names
        Their names.  # (c,)
    categories
        The values of each that is a text; None for numbers and lengths.  # (c,)
    """

    names: tuple[str, ...]
    categories: tuple[pa.Array | None, ...]

    @classmethod
    def of(cls, table: pa.Table | None) -> Side:
        """Choose the columns of a table: those with at least two values, and not too many texts."""
        names: list[str] = []
        categories: list[pa.Array | None] = []
        if table is None:
            return cls((), ())
        for name in table.column_names:
            column = table.column(name).combine_chunks()
            kind = column.type
            values = None
            if pa.types.is_string(kind) or pa.types.is_large_string(kind):
                values = pc.drop_null(column.unique())
                if len(values) > MOST:
                    continue
                values = values.take(pc.array_sort_indices(values))
            elif not _counted(kind):
                continue
            numbers = _numbers(column, values)
            known = numbers[~np.isnan(numbers)]
            if len(known) and (known.min() < known.max() or len(known) < len(numbers)):
                names.append(name)
                categories.append(values)
        return cls(tuple(names), tuple(categories))

    def numbers(self, table: pa.Table) -> Floats:
        """Write the rows of a table out; NaN is missing, and a text that is none of them."""
        columns = [
            _numbers(table.column(name).combine_chunks(), values)
            for name, values in zip(self.names, self.categories, strict=True)
        ]
        if not columns:
            return np.empty((table.num_rows, 0), dtype=np.float32)
        return np.stack(columns, axis=1).astype(np.float32)


@dataclass(frozen=True)
class Features:
    """The features of a data set, for the candidates of its users."""

    data: Dataset
    seed: int

    @cached_property
    def _sides(self) -> tuple[Side, Side]:
        return Side.of(self.data.user_features), Side.of(self.data.item_features)

    @property
    def names(self) -> list[str]:
        """A name for each column."""
        users, items = self._sides
        names = [f"user: {name}" for name in users.names] + [
            f"item: {name}" for name in items.names
        ]
        if self._by_items is not None:
            names.append("likeness to the history")
        if self._by_users is not None:
            names.append("likeness to who chose it")
        return names

    @property
    def categorical(self) -> list[int]:
        """Which columns are categories."""
        users, items = self._sides
        values = (*users.categories, *items.categories)
        return [place for place, one in enumerate(values) if one is not None]

    def columns(self, profiles: Profiles, owners: NDArray[np.intp], items: Rows) -> Floats:
        """Write out a row for each candidate."""  # (n, len(names))
        of_users, of_items = self._sides
        blocks: list[Floats] = []
        table = self._described(profiles)
        if of_users.names:
            blocks.append(of_users.numbers(table)[owners])
        if of_items.names:
            blocks.append(self._item_numbers[items])
        if self._by_items is not None:
            history = binary(profiles.history)
            lengths = np.diff(history.indptr).astype(np.float64)
            tastes = row_scaled(csr_array(history @ self._by_items), inverse(lengths))
            blocks.append(_products(tastes, owners, self._by_items, items))
        if self._by_users is not None:
            likeness, choosers = self._by_users
            blocks.append(_products(likeness.rows(table), owners, choosers, items))
        return np.concatenate([np.empty((len(items), 0), dtype=np.float32), *blocks], axis=1)

    def _described(self, profiles: Profiles) -> pa.Table:
        """Give what the query says of somebody, or else what the data does."""
        if profiles.features is not None:
            return profiles.features
        if self.data.user_features is None:
            return pa.table({})
        missing = profiles.users == UNKNOWN
        return self.data.user_features.take(pa.array(profiles.users, mask=missing))

    @cached_property
    def _item_numbers(self) -> Floats:
        return self._sides[1].numbers(self.data.item_features)

    @cached_property
    def _by_items(self) -> csr_array | None:
        """The items, so that dot products are likenesses."""  # (n_items, d)
        features, choosers = self.data.item_features, transposed(self.data.choices)
        likeness = Likeness.learn(features, choosers, seed=self.seed)
        return None if likeness is None else likeness.rows(features)

    @cached_property
    def _by_users(self) -> tuple[Likeness, csr_array] | None:
        """How users are compared, and the mean of the users who chose each item."""
        features, choices = self.data.user_features, self.data.choices
        likeness = Likeness.learn(features, choices, seed=self.seed)
        if likeness is None:
            return None
        choosers = csr_array(transposed(choices) @ likeness.rows(features))
        return likeness, row_scaled(choosers, inverse(self.data.item_counts.astype(np.float64)))


def _counted(kind: pa.DataType) -> bool:
    """Say whether a column can be written out as numbers."""
    asked = ("integer", "floating", "boolean", "timestamp", "date", "list", "large_list")
    return any(getattr(pa.types, f"is_{one}")(kind) for one in asked)


def _numbers(column: pa.Array, values: pa.Array | None) -> NDArray[np.float64]:
    """Write a column out as numbers, NaN where it is empty."""
    kind = column.type
    if values is not None:
        column = pc.index_in(column, values)
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


def _products(
    left: csr_array, owners: NDArray[np.intp], right: csr_array, items: Rows
) -> NDArray[Any]:
    """Multiply the rows of pairs, added up in float64."""  # (n, 1)
    product = csr_array(left.astype(np.float64)[owners].multiply(right[items]))
    return np.asarray(product.sum(axis=1), dtype=np.float32)[:, np.newaxis]
