"""The queries of a block as models see them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import UNKNOWN, Rows
from shortlist.scoring.sparse import binary, pointers


@dataclass(frozen=True)
class Profiles:
    """A block of B queries, in rows of the training data.

    The history of a known user is that of the training data, and what the query adds. ``changed``
    is true where it differs from the training data, and for new users: a model may use what it
    learned about a user only where this is false.
    """

    users: Rows  # the row of a user of the training data, -1 for a new user, (B,)
    history: csr_array  # chosen items with their weights, (B, n_items)
    changed: NDArray[np.bool_]  # (B,)
    features: pa.Table | None = None  # of users, B rows; None: the model or the data has none
    recency: csr_array | None = None  # positions counted back from the latest; if order is used
    disliked: csr_array | None = None  # of the users and of queries; None: none, (B, n_items)

    def __len__(self) -> int:
        return len(self.users)

    @property
    def has_history(self) -> NDArray[np.bool_]:
        """Whether each query has a history."""  # (B,)
        lengths: NDArray[np.integer] = np.diff(self.history.indptr)
        return lengths > 0

    @property
    def excluded(self) -> csr_array:
        """What a list without seen items leaves out: histories and dislikes."""  # (B, n_items)
        if self.disliked is None:
            return self.history
        both = csr_array(binary(self.history) + binary(self.disliked))
        both.sort_indices()
        return both

    @classmethod
    def new(cls, history: csr_array) -> Profiles:
        """Return profiles of new users who have nothing but a history."""
        count = history.shape[0]
        return cls(np.full(count, UNKNOWN, dtype=np.int32), history, np.ones(count, dtype=bool))

    @classmethod
    def known(
        cls, data: Dataset, users: Rows, *, features: bool = True, order: bool = True
    ) -> Profiles:
        """Return profiles of users (B,) of the data, -1 for a new user without anything."""
        table, new = data.user_features if features else None, users == UNKNOWN
        return cls(
            users,
            _rows_of(data.matrix, users),
            new,
            None if table is None else table.take(pa.array(users, mask=new)),
            _rows_of(data.recency, users) if order else None,
            None if data.dislikes is None else _rows_of(data.dislikes.matrix, users),
        )

    def take(self, queries: NDArray[np.intp]) -> Profiles:
        """Return the selected queries, in that order."""
        return Profiles(
            self.users[queries],
            self.history[queries],
            self.changed[queries],
            None if self.features is None else self.features.take(pa.array(queries)),
            None if self.recency is None else self.recency[queries],
            None if self.disliked is None else self.disliked[queries],
        )


def _rows_of(matrix: csr_array, users: Rows) -> csr_array:
    """Return a copy of the rows of known users, and empty rows for new users."""
    known = users != UNKNOWN
    own = matrix[users[known]]
    lengths = np.zeros(len(users), dtype=np.int64)
    lengths[known] = np.diff(own.indptr)
    return csr_array(
        (own.data, own.indices, pointers(lengths)), shape=(len(users), matrix.shape[1])
    )
