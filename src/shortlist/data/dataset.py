"""The immutable thing models learn from: who chose what, with ids coded as rows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.moments import LifeSpans
from shortlist.data.vocabulary import Rows, Vocabulary

Repeats = Literal["last", "sum", "max", "mean"]
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Interactions of users with items, and what is known about both.

    One entry for each (user, item) pair, sorted by user row, then item row. Make one with
    :meth:`from_tables` or ``Store(...).dataset()``; arrays are read-only.

    Attributes
    ----------
    users, items
        The vocabularies: every id, whether it has interactions or not.
    user_rows, item_rows
        Rows into the vocabularies, int32.  # (n_interactions,)
    weights
        How strong each interaction is, float32, finite and not negative.  # (n_interactions,)
    times
        Microseconds since 1970 (UTC), int64, or None.  # (n_interactions,)
    positions
        The row of the source each came from, int64, counted from 0.  # (n_interactions,)
    user_features, item_features
        What is known of each user and item: row i describes ``users.ids[i]``. None if no table was
        given, or one of ids alone. Item columns ``valid_from`` and ``valid_to`` (dates or times)
        bound an item's life.

    Examples
    --------
    >>> table = pa.table({"user_id": ["ann", "bob", "ann"], "item_id": [7, 7, 9]})
    >>> data = Dataset.from_tables(table)
    >>> data
    Dataset(2 users, 2 items, 3 interactions)
    >>> data.matrix.toarray()
    array([[1., 1.],
           [1., 0.]], dtype=float32)
    """

    users: Vocabulary
    items: Vocabulary
    user_rows: Rows
    item_rows: Rows
    weights: NDArray[np.float32]
    times: NDArray[np.int64] | None
    positions: NDArray[np.int64]
    user_features: pa.Table | None = None
    item_features: pa.Table | None = None

    def __post_init__(self) -> None:
        for array in (self.user_rows, self.item_rows, self.weights, self.times, self.positions):
            if array is not None:
                _locked(array)

    @classmethod
    def from_tables(
        cls,
        interactions: Any,
        users: Any = None,
        items: Any = None,
        *,
        user_id: str = "user_id",
        item_id: str = "item_id",
        weight: str | None = None,
        time: str | None = None,
        repeats: Repeats = "last",
    ) -> Dataset:
        """Code the ids of the tables you have and merge repeated pairs.

        Parameters
        ----------
        interactions, users, items
            Each a path (CSV, Parquet), an Arrow, pandas or polars frame, or a DuckDB relation.
            A ``users`` or ``items`` table must list every id that the interactions use, once; its
            other columns are features. It may list ids that have no interactions.
        user_id, item_id
            The id columns, by the same name in every table: 64-bit integers or text (of a text
            file: integers if all of them are; ``007`` is none). Every character counts.
        weight
            The column that says how strong an interaction is. None: each counts 1.
        time
            The column that says when: a timestamp, a date, or seconds since 1970 (UTC). What has no
            time zone is taken as UTC.
        repeats
            How the weights of a repeated pair become one: that of the last (by time, then by row),
            their sum, the largest, or the mean. The pair's time and position are the last one's.

        Raises
        ------
        InputError
            A column is missing or of the wrong type; an id is missing, listed twice, or not listed;
            a weight or a time is missing or out of bounds; there are no rows. The message names the
            file, the row (of a text file: the line) and the column.
        """
        from shortlist.data.coding.ingest import code_tables

        return code_tables(
            interactions,
            users,
            items,
            user_id=user_id,
            item_id=item_id,
            weight=weight,
            time=time,
            repeats=repeats,
        )

    @property
    def n_users(self) -> int:
        """How many users the vocabulary holds."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """How many items the vocabulary holds."""
        return len(self.items)

    @property
    def n_interactions(self) -> int:
        """How many distinct (user, item) pairs there are."""
        return len(self.user_rows)

    def __len__(self) -> int:
        return self.n_interactions

    def __repr__(self) -> str:
        return (
            f"Dataset({self.n_users} users, {self.n_items} items, "
            f"{self.n_interactions} interactions)"
        )

    @cached_property
    def user_counts(self) -> NDArray[np.int64]:
        """Interactions of each user."""  # (n_users,)
        return _locked(np.bincount(self.user_rows, minlength=self.n_users))

    @cached_property
    def item_counts(self) -> NDArray[np.int64]:
        """Interactions with each item."""  # (n_items,)
        return _locked(np.bincount(self.item_rows, minlength=self.n_items))

    @cached_property
    def popularity_order(self) -> Rows:
        """The place of each item when sorted by interactions, most first, then by row.

        Items with equal scores are listed in this order.
        """  # (n_items,)
        order = np.empty(self.n_items, dtype=np.int32)
        order[np.argsort(-self.item_counts, kind="stable")] = np.arange(self.n_items)
        return _locked(order)

    @cached_property
    def matrix(self) -> csr_array:
        """The weights as a sparse float32 matrix, users by items."""  # (n_users, n_items)
        # SciPy gives both index arrays the wider type: 64-bit pointers would copy the item rows.
        narrow = self.n_interactions <= np.iinfo(np.int32).max
        indptr = np.zeros(self.n_users + 1, dtype=np.int32 if narrow else np.int64)
        np.cumsum(self.user_counts, out=indptr[1:])
        shape = (self.n_users, self.n_items)
        return csr_array((self.weights, self.item_rows, _locked(indptr)), shape=shape)

    @cached_property
    def choices(self) -> csr_array:
        """The same with a 1 for each interaction, whatever its weight."""  # (n_users, n_items)
        ones = np.ones(self.n_interactions, dtype=np.float32)
        return csr_array((ones, self.matrix.indices, self.matrix.indptr), shape=self.matrix.shape)

    @cached_property
    def recency(self) -> csr_array:
        """The place of each interaction of a user counted back from the latest, which is 1.

        By time where there are times (equal ones by position), otherwise by position.
        """  # (n_users, n_items)
        times = () if self.times is None else (self.times,)
        keys = (self.positions, *times, self.user_rows)
        places = np.empty(self.n_interactions, dtype=np.int32)
        ends = np.cumsum(self.user_counts)[self.user_rows]  # of each user's entries, once sorted
        places[np.lexsort(keys)] = ends - np.arange(self.n_interactions)
        shape = (self.n_users, self.n_items)
        return csr_array((places, self.item_rows, self.matrix.indptr), shape=shape)

    @cached_property
    def life_spans(self) -> LifeSpans | None:
        """When each item is live, if the item table says so."""
        return LifeSpans.of(self.item_features)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of ids, interactions, weights and times: equal data, equal fingerprint.

        The order of the source does not count, and neither do the features.
        """
        digest = hashlib.sha256()
        for vocabulary in (self.users, self.items):
            digest.update(json.dumps(vocabulary.ids.to_pylist()).encode())
        for array in (self.user_rows, self.item_rows, self.weights, self.times):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def select(self, chosen: NDArray[np.bool_]) -> Dataset:
        """Keep the chosen interactions; vocabularies and features stay whole."""
        return replace(
            self,
            user_rows=self.user_rows[chosen],
            item_rows=self.item_rows[chosen],
            weights=self.weights[chosen],
            times=None if self.times is None else self.times[chosen],
            positions=self.positions[chosen],
        )

    def to_arrow(self) -> pa.Table:
        """Give the interactions back in the caller's ids: user_id, item_id, weight, time."""
        columns = {
            "user_id": self.users.take(self.user_rows),
            "item_id": self.items.take(self.item_rows),
            "weight": pa.array(self.weights),
        }
        if self.times is not None:
            columns["time"] = pa.array(self.times, pa.timestamp("us", tz="UTC"))
        return pa.table(columns)


def _locked(array: NDArray[T]) -> NDArray[T]:
    array.flags.writeable = False
    return array
