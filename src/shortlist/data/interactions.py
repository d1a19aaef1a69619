"""Interactions of users with items, as arrays of rows and as sparse matrices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.vocabulary import Rows, Vocabulary

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Interactions:
    """Pairs of a user and an item, sorted by user row, then item row; the base of a data set.

    :class:`~shortlist.data.dataset.Dataset` documents the arrays.
    """

    users: Vocabulary
    items: Vocabulary
    user_rows: Rows
    item_rows: Rows
    weights: NDArray[np.float32]
    times: NDArray[np.int64] | None
    positions: NDArray[np.int64]

    def __post_init__(self) -> None:
        for array in (self.user_rows, self.item_rows, self.weights, self.times, self.positions):
            if array is not None:
                _read_only(array)

    @property
    def n_users(self) -> int:
        """The number of users, with or without interactions."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """The number of items, with or without interactions."""
        return len(self.items)

    @property
    def n_interactions(self) -> int:
        """The number of distinct (user, item) pairs."""
        return len(self.user_rows)

    def __len__(self) -> int:
        return self.n_interactions

    @cached_property
    def user_counts(self) -> NDArray[np.int64]:
        """The number of interactions of each user."""  # (n_users,)
        return _read_only(np.bincount(self.user_rows, minlength=self.n_users))

    @cached_property
    def item_counts(self) -> NDArray[np.int64]:
        """The number of interactions of each item."""  # (n_items,)
        return _read_only(np.bincount(self.item_rows, minlength=self.n_items))

    @property
    def cells(self) -> NDArray[np.int64]:
        """The cell of each interaction in the matrix, counted row by row; ascending."""  # (n,)
        return self.user_rows.astype(np.int64) * self.n_items + self.item_rows

    @cached_property
    def popularity_order(self) -> Rows:
        """The popularity rank of each item, from 0: most interactions first, then lowest row.

        Recommendation lists break ties of scores in this order.
        """  # (n_items,)
        order = np.empty(self.n_items, dtype=np.int32)
        order[np.argsort(-self.item_counts, kind="stable")] = np.arange(self.n_items)
        return _read_only(order)

    @cached_property
    def matrix(self) -> csr_array:
        """The weights as a sparse float32 matrix."""  # (n_users, n_items)
        indptr = _read_only(pointers(self.user_counts))
        shape = (self.n_users, self.n_items)
        return csr_array((self.weights, self.item_rows, indptr), shape=shape)

    @cached_property
    def choices(self) -> csr_array:
        """The interactions as a sparse float32 matrix of ones."""  # (n_users, n_items)
        ones = np.ones(self.n_interactions, dtype=np.float32)
        return csr_array((ones, self.matrix.indices, self.matrix.indptr), shape=self.matrix.shape)

    @cached_property
    def weights_differ(self) -> bool:
        """Whether some interactions weigh more than others."""
        return bool(self.n_interactions) and bool(self.weights.min() != self.weights.max())

    @cached_property
    def recency(self) -> csr_array:
        """The recency rank of each interaction within its user: 1 is the latest.

        The order is by time, then by position in the source; without times, by position.
        """  # (n_users, n_items)
        times = () if self.times is None else (self.times,)
        keys = (self.positions, *times, self.user_rows)
        ranks = np.empty(self.n_interactions, dtype=np.int32)
        ends = np.cumsum(self.user_counts)[self.user_rows]  # end of the user's sorted entries
        ranks[np.lexsort(keys)] = ends - np.arange(self.n_interactions)
        shape = (self.n_users, self.n_items)
        return csr_array((ranks, self.item_rows, self.matrix.indptr), shape=shape)

    def select(self, mask: NDArray[np.bool_]) -> Self:
        """Return the interactions of a mask; vocabularies, features and dislikes stay complete."""
        return replace(
            self,
            user_rows=self.user_rows[mask],
            item_rows=self.item_rows[mask],
            weights=self.weights[mask],
            times=None if self.times is None else self.times[mask],
            positions=self.positions[mask],
        )

    def to_arrow(self) -> pa.Table:
        """Return the interactions with the caller's ids: user_id, item_id, weight, time."""
        columns = {
            "user_id": self.users.take(self.user_rows),
            "item_id": self.items.take(self.item_rows),
            "weight": pa.array(self.weights),
        }
        if self.times is not None:
            columns["time"] = pa.array(self.times, pa.timestamp("us", tz="UTC"))
        return pa.table(columns)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Export :meth:`to_arrow` through Arrow's C interface, which polars and others read."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)


def pointers(lengths: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return where each of some rows starts and ends, from their lengths.

    With 32 bits where they suffice: SciPy uses one type for both index arrays, and would make the
    columns as wide as the pointers.
    """  # (n_rows + 1,)
    fits = int(lengths.sum()) <= np.iinfo(np.int32).max
    kind = np.int32 if fits else np.int64
    indptr: NDArray[np.integer] = np.zeros(len(lengths) + 1, dtype=kind)
    np.cumsum(lengths, out=indptr[1:])
    return indptr


def _read_only(array: NDArray[T]) -> NDArray[T]:
    array.flags.writeable = False
    return array
