"""Requests for lists in rows: users and queries after all ids have been looked up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from shortlist.data.vocabulary import UNKNOWN, Id, Rows, Vocabulary, distinct
from shortlist.errors import ConfigError, InputError, suggestion
from shortlist.recommend.query import OnUnknown
from shortlist.recommend.rules import Rules
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scorer import Scorer


@dataclass(frozen=True)
class Requests:
    """Q requests for a list.

    Attributes
    ----------
    label
        The name of the result's first column, which identifies the request.
    labels
        The values of that column.  # (Q,)
    users
        The row of a known user, -1 for a new user.  # (Q,)
    history
        Histories given in queries, or None.  # (Q, n_items)
    recency
        The position of each of their entries, counted back from the latest.  # (Q, n_items)
    features
        User features, where queries give features; they replace those of the data.  # Q rows
    rules
        The rules of each query, or None.  # (Q,)
    """

    label: str
    labels: pa.Array
    users: Rows
    history: csr_array | None = None
    recency: csr_array | None = None
    features: pa.Table | None = None
    rules: tuple[Rules, ...] | None = None

    def __len__(self) -> int:
        return len(self.users)

    def profiles(self, block: range, model: Scorer) -> Profiles:
        """Return a block of requests as the model sees them."""
        span, data = slice(block.start, block.stop), model.data
        users = self.users[span]
        history = _rows_of(data.matrix, users)
        recency = _rows_of(data.recency, users) if model.uses_order else None
        changed = users == UNKNOWN
        if self.history is not None:
            given = self.history[span]
            added = np.diff(given.indptr)
            changed = changed | (added > 0)
            if recency is not None and self.recency is not None:
                recency.data += np.repeat(added.astype(np.int32), np.diff(recency.indptr))
                recency = overlaid(recency, self.recency[span])
            history = overlaid(history, given)
        features = None
        if model.uses_features and data.user_features is not None:
            if self.features is not None:
                features = self.features.slice(block.start, len(block))
            else:
                features = data.user_features.take(pa.array(users, mask=users == UNKNOWN))
        return Profiles(users, history, changed, features, recency)


def of_ids(
    vocabulary: Vocabulary, label: str, ids: Iterable[Id] | None, on_unknown: OnUnknown
) -> Requests:
    """Return one request for each distinct id; None: for every id of the vocabulary."""
    check_on_unknown(on_unknown)
    if ids is None:
        return Requests(label, vocabulary.ids, np.arange(len(vocabulary), dtype=np.int32))
    wanted = distinct(ids)
    rows = vocabulary.require(wanted) if on_unknown == "raise" else vocabulary.rows(wanted)
    known = rows != UNKNOWN
    if on_unknown == "skip" or known.all():
        return Requests(label, vocabulary.take(rows[known]), rows[known])
    return Requests(label, _as_array(wanted, vocabulary), rows)


def check_on_unknown(on_unknown: OnUnknown) -> None:
    """Raise a ConfigError unless the value is raise, skip or fallback."""
    if on_unknown not in get_args(OnUnknown):
        raise ConfigError(
            f"on_unknown={on_unknown!r} does not exist",
            remedy=suggestion(str(on_unknown), get_args(OnUnknown)),
        )


def overlaid(history: csr_array, given: csr_array) -> csr_array:
    """Add given entries to a history; they replace entries of the same item."""
    rows = [
        np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)) for matrix in (given, history)
    ]
    columns = np.concatenate([given.indices, history.indices])
    keys = np.concatenate(rows) * history.shape[1] + columns
    kept, first = np.unique(keys, return_index=True)
    indptr = np.searchsorted(kept, np.arange(history.shape[0] + 1) * history.shape[1])
    data = np.concatenate([given.data, history.data])[first]
    return csr_array((data, kept % history.shape[1], indptr), shape=history.shape)


def _rows_of(matrix: csr_array, users: Rows) -> csr_array:
    """Return the rows of known users, and empty rows for new users."""
    known = users != UNKNOWN
    own = matrix[users[known]]
    lengths = np.zeros(len(users), dtype=np.int64)
    lengths[known] = np.diff(own.indptr)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    return csr_array((own.data, own.indices, indptr), shape=(len(users), matrix.shape[1]))


def _as_array(ids: Sequence[Id], vocabulary: Vocabulary) -> pa.Array:
    """Convert ids, some of them unknown, to an array of the vocabulary's type."""
    try:
        return pa.array(ids, vocabulary.ids.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        raise InputError(
            f"{vocabulary.kind} ids here are {vocabulary.ids.type}; some of yours are not",
            remedy="convert them, or pass on_unknown='skip'",
        ) from None
