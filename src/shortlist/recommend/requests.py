"""Users and queries, resolved once into rows; everything after this speaks rows only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import UNKNOWN, Id, Rows, Vocabulary
from shortlist.errors import CapabilityError, ConfigError, InputError, suggestion
from shortlist.models.base import Model
from shortlist.models.profiles import Profiles
from shortlist.recommend.query import OnUnknown, Query
from shortlist.recommend.rules import Rules


@dataclass(frozen=True)
class Requests:
    """Q requests for a list.

    Attributes
    ----------
    label
        The name of the result's first column, which says who a list is for.
    labels
        What stands in it for each request.  # (Q,)
    users
        The row of a known user, -1 for somebody new.  # (Q,)
    given
        Histories that queries bring along, or None.  # (Q, n_items)
    rules
        The rules that each query brings along, or None.  # (Q,)
    """

    label: str
    labels: pa.Array
    users: Rows
    given: csr_array | None = None
    rules: tuple[Rules, ...] | None = None

    def __len__(self) -> int:
        return len(self.users)

    def profiles(self, block: range, data: Dataset) -> Profiles:
        """Give a block of requests as a model sees them."""
        span = slice(block.start, block.stop)
        users = self.users[span]
        known = users != UNKNOWN
        own = data.matrix[users[known]]
        lengths = np.zeros(len(users), dtype=np.int64)
        lengths[known] = np.diff(own.indptr)
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        history = csr_array((own.data, own.indices, indptr), shape=(len(users), data.n_items))
        if self.given is None:
            return Profiles(users, history, ~known)
        given = self.given[span]
        return Profiles(users, _overlaid(history, given), ~known | (np.diff(given.indptr) > 0))


def resolve(
    model: Model[Any, Any],
    users: Iterable[Id] | None,
    queries: Iterable[Query] | None,
    on_unknown: OnUnknown,
) -> Requests:
    """Look up every id once; :meth:`Model.recommend` says what may be asked.

    A user who is asked for twice gets one list.

    Raises
    ------
    UnknownIdError
        A user or an item of a history is unknown, and ``on_unknown`` is ``"raise"``.
    CapabilityError
        A query brings features, the model uses none, and ``on_unknown`` is ``"raise"``.
    """
    if queries is None:
        return of_ids(model.data.users, "user_id", users, on_unknown)
    if users is not None:
        raise InputError("both users and queries were given", remedy="pass one of the two")
    queries = list(queries) if isinstance(queries, Iterable) else [queries]
    if not all(isinstance(query, Query) for query in queries):
        raise InputError("queries must be a list of Query", remedy="pass [Query(...), ...]")
    check_on_unknown(on_unknown)
    return _of_queries(model, queries, on_unknown)


def of_ids(
    vocabulary: Vocabulary, label: str, ids: Iterable[Id] | None, on_unknown: OnUnknown
) -> Requests:
    """Make one request for each distinct id; None: for every id of the vocabulary."""
    check_on_unknown(on_unknown)
    if ids is None:
        return Requests(label, vocabulary.ids, np.arange(len(vocabulary), dtype=np.int32))
    asked = vocabulary.distinct(ids)
    rows = vocabulary.require(asked) if on_unknown == "raise" else vocabulary.rows(asked)
    known = rows != UNKNOWN
    if on_unknown == "skip" or known.all():
        return Requests(label, vocabulary.take(rows[known]), rows[known])
    return Requests(label, _as_array(asked, vocabulary), rows)


def check_on_unknown(on_unknown: OnUnknown) -> None:
    """Refuse anything but raise, skip and fallback."""
    if on_unknown not in get_args(OnUnknown):
        raise ConfigError(
            f"on_unknown={on_unknown!r} is no way to treat unknown ids",
            remedy=suggestion(str(on_unknown), get_args(OnUnknown)),
        )


def _of_queries(
    model: Model[Any, Any], queries: Sequence[Query], on_unknown: OnUnknown
) -> Requests:
    data, strict = model.data, on_unknown == "raise"
    positions, users, indptr = [], [], [0]
    indices: list[Rows] = []
    weights: list[NDArray[np.float32]] = []
    for position, query in enumerate(queries):
        if query.features is not None and strict:
            raise CapabilityError(
                f"{model.name} cannot use features",
                where=f"query {position}",
                remedy="leave features out, choose a model that uses them, "
                "or pass on_unknown='skip' or 'fallback'",
            )
        asked = [] if query.user is None else [query.user]
        lookup = Vocabulary.require if strict else Vocabulary.rows
        user = lookup(data.users, asked)
        items = lookup(data.items, list(query.weights))
        known = items != UNKNOWN
        complete = query.features is None and bool(known.all()) and UNKNOWN not in user
        if on_unknown == "skip" and not complete and not (known.any() or (user >= 0).any()):
            continue  # nothing of this query is known here
        positions.append(position)
        users.append(user[0] if len(user) else UNKNOWN)
        order = np.argsort(items[known])
        indices.append(items[known][order])
        weights.append(np.array(list(query.weights.values()), dtype=np.float32)[known][order])
        indptr.append(indptr[-1] + int(known.sum()))
    given = csr_array(
        (
            np.concatenate([np.empty(0, dtype=np.float32), *weights]),
            np.concatenate([np.empty(0, dtype=np.int32), *indices]),
            indptr,
        ),
        shape=(len(positions), data.n_items),
    )
    rules = tuple(queries[position].rules for position in positions)
    return Requests(
        "query",
        pa.array(positions, pa.int64()),
        np.array(users, dtype=np.int32),
        given,
        None if all(one.empty for one in rules) else rules,
    )


def _as_array(ids: Sequence[Id], vocabulary: Vocabulary) -> pa.Array:
    """Put ids, some of them unknown, into one column of the vocabulary's type."""
    try:
        return pa.array(ids, vocabulary.ids.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        raise InputError(
            f"{vocabulary.kind} ids here are {vocabulary.ids.type}; some of yours are not",
            remedy="convert them, or pass on_unknown='skip'",
        ) from None


def _overlaid(history: csr_array, given: csr_array) -> csr_array:
    """Add the given interactions to a history; where both have an item, the given weight counts."""
    rows = [np.repeat(np.arange(one.shape[0]), np.diff(one.indptr)) for one in (given, history)]
    keys = np.concatenate(rows) * history.shape[1] + np.concatenate(
        [given.indices, history.indices]
    )
    kept, first = np.unique(keys, return_index=True)
    indptr = np.searchsorted(kept, np.arange(history.shape[0] + 1) * history.shape[1])
    data = np.concatenate([given.data, history.data])[first]
    return csr_array((data, kept % history.shape[1], indptr), shape=history.shape)
