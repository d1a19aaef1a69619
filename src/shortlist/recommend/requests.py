"""From users and queries in the caller's ids to requests in rows, and to blocks of profiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data.arrow_types import is_list, is_number
from shortlist.data.coding.tidy import flattened_values
from shortlist.data.dataset import Dataset
from shortlist.data.features.cells import LARGEST
from shortlist.data.rules.given_values import given_value, is_missing
from shortlist.data.vocabulary import UNKNOWN, Id, Rows, Vocabulary, distinct
from shortlist.data.written.number_units import unit_and_currency
from shortlist.data.written.numbers import MAX, MIN, ends_of
from shortlist.errors import (
    CapabilityError,
    ConfigError,
    ErrorCode,
    InputError,
    require_known,
    suggestion,
)
from shortlist.recommend.query import OnUnknown, Query
from shortlist.recommend.rules import Rules
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scorer import Scorer, known_profiles


@dataclass(frozen=True)
class Requests:
    """Q requests for a list, in rows of the training data."""

    label: str  # the name of the first column of the result
    labels: pa.Array  # its value for each request, (Q,)
    users: Rows  # the row of a known user, -1 for a new user, (Q,)
    history: csr_array | None = None  # given in queries, (Q, n_items)
    recency: csr_array | None = None  # the position of each entry, counted back from the latest
    features: pa.Table | None = None  # of users; those that queries give replace those of the data
    rules: tuple[Rules, ...] | None = None  # of each query, (Q,)
    given: tuple[frozenset[str], ...] = ()  # the names of the features that each query gives, (Q,)
    disliked: csr_array | None = None  # given in queries; None: there are none, (Q, n_items)

    def __len__(self) -> int:
        return len(self.users)

    def profiles(self, block: range, model: Scorer) -> Profiles:
        """Return a block of requests as the model sees them."""
        span = slice(block.start, block.stop)
        known = known_profiles(model, self.users[span])
        if self.history is None or self.recency is None:
            return known
        given, recency, features = self.history[span], known.recency, known.features
        rejected = None if self.disliked is None else self.disliked[span]
        named = given if rejected is None else _joined(given, rejected)
        kept = _without(known.history, named)
        if recency is not None:
            recency = _aged(_without(recency, named), np.diff(given.indptr))
            recency = _joined(recency, self.recency[span])
        disliked = rejected
        if known.disliked is not None:
            disliked = _without(known.disliked, named)
            disliked = disliked if rejected is None else _joined(disliked, rejected)
        if self.features is not None:
            features = self.features.slice(block.start, len(block))
        lost = np.diff(kept.indptr) < np.diff(known.history.indptr)
        changed = known.changed | (np.diff(given.indptr) > 0) | lost
        return Profiles(known.users, _joined(kept, given), changed, features, recency, disliked)


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
    what = f"on_unknown={on_unknown!r} does not exist"
    require_known(on_unknown, get_args(OnUnknown), what, ConfigError)


def _cells(matrix: csr_array) -> NDArray[np.int64]:
    """Number the entries of a matrix by row and column."""  # (n,)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    cells: NDArray[np.int64] = rows * matrix.shape[1] + matrix.indices
    return cells


def _of_cells(cells: NDArray[np.int64], data: NDArray[Any], shape: tuple[int, int]) -> csr_array:
    """Build a matrix from ascending cells."""
    indptr = np.searchsorted(cells, np.arange(shape[0] + 1) * shape[1])
    return csr_array((data, cells % shape[1], indptr), shape=shape)


def _joined(first: csr_array, second: csr_array) -> csr_array:
    """Return the entries of two matrices that share none."""
    cells = np.concatenate([_cells(first), _cells(second)])
    order = np.argsort(cells)
    return _of_cells(cells[order], np.concatenate([first.data, second.data])[order], first.shape)


def _without(matrix: csr_array, named: csr_array) -> csr_array:
    """Return the entries of a matrix whose cells hold nothing in another one.

    What a query says of an item replaces all that the data says of it.
    """
    cells = _cells(matrix)
    kept = ~np.isin(cells, _cells(named))
    return _of_cells(cells[kept], matrix.data[kept], matrix.shape)


def _aged(recency: csr_array, added: NDArray[np.integer]) -> csr_array:
    """Count positions from the latest again, behind those that a query adds to each row."""
    rows = np.repeat(np.arange(len(added)), np.diff(recency.indptr))
    positions = np.empty(len(rows), dtype=np.int32)
    positions[np.lexsort((recency.data, rows))] = np.arange(len(rows)) - recency.indptr[rows] + 1
    positions += added[rows].astype(np.int32)
    return csr_array((positions, recency.indices, recency.indptr), shape=recency.shape)


def _as_array(ids: Sequence[Id], vocabulary: Vocabulary) -> pa.Array:
    """Convert ids, some of them unknown, to an array of the vocabulary's type."""
    with suppress(pa.ArrowException, ValueError, TypeError, OverflowError):
        array = pa.array(ids, vocabulary.ids.type)
        if None not in ids and array.to_pylist() == list(ids):  # 1.5 would become 1
            return array
    raise InputError(
        f"{vocabulary.kind} ids here are {vocabulary.ids.type}; some of yours are not",
        remedy="convert them, or pass on_unknown='skip'",
    )


def resolve(
    model: Scorer,
    users: Iterable[Id] | None,
    queries: Iterable[Query] | None,
    on_unknown: OnUnknown,
) -> Requests:
    """Look up all ids; :meth:`Model.recommend` documents the arguments.

    A user that is named twice gets one list. With ``on_unknown="raise"`` an unknown id and
    features that the model cannot use are errors; a wrong feature always is.
    """
    if queries is None:
        return of_ids(model.data.users, "user_id", users, on_unknown)
    if users is not None:
        raise InputError("both users and queries were given", remedy="pass one of the two")
    listed = list(queries) if isinstance(queries, Iterable) else [None]
    if not all(isinstance(query, Query) for query in listed):
        raise InputError("queries must be a list of Query", remedy="pass [Query(...), ...]")
    check_on_unknown(on_unknown)
    return _of_queries(model, listed, on_unknown)


def _of_queries(model: Scorer, queries: Sequence[Query], on_unknown: OnUnknown) -> Requests:
    data, strict = model.data, on_unknown == "raise"
    lookup = Vocabulary.require if strict else Vocabulary.rows
    kept: list[int] = []
    users: list[int] = []
    histories: list[tuple[Rows, NDArray[np.float32]]] = []
    rejected: list[tuple[Rows, NDArray[np.float32]]] = []
    for position, query in enumerate(queries):
        if strict and query.features is not None and not model.uses_features:
            raise CapabilityError(
                f"{model.name} cannot use features",
                where=f"query {position}",
                remedy="leave features out, choose a model that uses them, "
                "or pass on_unknown='skip' or 'fallback'",
                code=ErrorCode.FEATURES_UNSUPPORTED,
                parameter="features",
            )
        weights = query.weighted_by(data.typical_weight)
        user = lookup(data.users, [] if query.user is None else [query.user])
        items = lookup(data.items, list(weights))
        known = items != UNKNOWN
        dislikes = _known(lookup(data.items, list(query.dislikes)), query.dislikes)
        usable_features = query.features is not None and model.uses_features
        usable = known.any() or (user != UNKNOWN).any() or usable_features or len(dislikes[0])
        unknown = not known.all() or UNKNOWN in user or query.features is not None
        unknown = unknown or len(dislikes[0]) < len(query.dislikes)
        if on_unknown == "skip" and unknown and not usable:
            continue  # every part of this query is unknown
        kept.append(position)
        users.append(int(user[0]) if len(user) else UNKNOWN)
        histories.append(_known(items, weights))
        rejected.append(dislikes)
    rows = np.array(users, dtype=np.int32)
    rules = tuple(queries[position].rules for position in kept)
    given, recency = _given(histories, data.n_items)
    features = [_by_column(data, queries[position].features) for position in kept]
    return Requests(
        "query",
        pa.array(kept, pa.int64()),
        rows,
        given,
        recency,
        with_given(data, rows, features, kept) if model.uses_features else None,
        None if all(rule.empty for rule in rules) else rules,
        tuple(frozenset(values or ()) for values in features),
        _given(rejected, data.n_items)[0] if any(len(items) for items, _ in rejected) else None,
    )


def _known(items: Rows, weights: Mapping[Id, float]) -> tuple[Rows, NDArray[np.float32]]:
    """Return the rows and weights of the items that are known."""
    values = np.fromiter(weights.values(), dtype=np.float32, count=len(weights))
    return items[items != UNKNOWN], values[items != UNKNOWN]


def _given(
    histories: list[tuple[Rows, NDArray[np.float32]]], n_items: int
) -> tuple[csr_array, csr_array]:
    """Build the histories as sparse rows: weights, and positions counted back from the latest."""
    shape = (len(histories), n_items)
    lengths = [len(items) for items, _ in histories]
    indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    indices = np.concatenate([np.empty(0, dtype=np.int32), *(items for items, _ in histories)])
    weights = np.concatenate([np.empty(0, dtype=np.float32), *(values for _, values in histories)])
    positions = np.repeat(indptr[1:], lengths) - np.arange(indptr[-1])
    given = csr_array((weights, indices, indptr), shape=shape)
    recency = csr_array((positions.astype(np.int32), indices.copy(), indptr), shape=shape)
    given.sort_indices()
    recency.sort_indices()
    return given, recency


def _by_column(data: Dataset, features: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the features of a query by column: of records the fields, of ranges the ends."""
    known = () if data.user_features is None else data.user_features.column_names
    if features is None or all(name in known for name in features):
        return features
    by_column: dict[str, Any] = {}
    for name, value in flattened_values(features).items():
        low, high = f"{name}{MIN}", f"{name}{MAX}"
        if name in known or low not in known or high not in known:
            by_column[name] = value
        else:
            ends = ends_of(value) if isinstance(value, str) else (value, value)
            by_column |= zip((low, high), ends, strict=True)
    return by_column


def with_given(
    data: Dataset,
    users: Rows,
    features: Sequence[Mapping[str, Any] | None],
    positions: Sequence[int],
) -> pa.Table | None:
    """Return the users' features, with the features given in queries in place of the data's.

    ``users`` are the rows of the queries' users, -1 for a new user, and ``positions`` the numbers
    of the queries, for messages.
    """
    given = [values or {} for values in features]
    if data.user_features is None:
        if any(given):
            raise InputError(
                "a query has features, but the data has no user features",
                remedy="fit on data with a users table, or leave features out",
                code=ErrorCode.NO_USER_FEATURES,
                parameter="features",
            )
        return None
    table = data.user_features.take(pa.array(users, mask=users == UNKNOWN))
    for name in dict.fromkeys(name for values in given for name in values):
        rows = [row for row, values in enumerate(given) if name in values]
        if name not in table.column_names:
            raise InputError(
                f"users have no feature {name!r}",
                where=f"query {positions[rows[0]]}",
                remedy=suggestion(name, table.column_names),
                code=ErrorCode.UNKNOWN_FEATURE,
                parameter="features",
                allowed=table.column_names,
            )
        kind = table.schema.field(name).type
        values = table.column(name).to_pylist()
        for row in rows:
            value = given_value(given[row][name], data.user_features, name)
            values[row] = None if is_missing(value) else value
        column = _column(values, kind)
        if column is None:
            wrong = next(row for row in rows if _column([values[row]], kind) is None)
            unit = str(unit_and_currency(data.user_features, name))
            expected = f"{kind}, in {unit}" if unit else str(kind)
            what = f"value of type {kind}"
            if is_number(kind):
                what = f"number without quotes, of at most {LARGEST:g} in magnitude"
            raise InputError(
                f"feature {name!r} is {values[wrong]!r}; it has type {expected}",
                where=f"query {positions[wrong]}",
                remedy=f"give a {what}, in {unit}" if unit else f"give a {what}",
            )
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def _column(values: Sequence[Any], kind: pa.DataType) -> pa.Array | None:
    """Return values as a column of a type, or None; numbers that it cannot hold are floats."""
    number = is_number(kind)
    if number and not all(value is None or _is_bounded(value) for value in values):
        return None
    column = _of_type(values, kind)
    if column is None and number:  # 5.5 in a column of integers or decimals
        floats = [None if value is None else float(value) for value in values]
        return pa.array(floats, pa.float64())
    return column


def _is_bounded(value: Any) -> bool:
    """Return whether a value is a number that features may have; NaN is missing."""
    is_number = isinstance(value, Real | Decimal) and not isinstance(value, bool)
    return is_number and not abs(value) > LARGEST


def _of_type(values: Sequence[Any], kind: pa.DataType) -> pa.Array | None:
    """Return values as a column of exactly this type, or None."""
    if is_list(kind):
        parts = [part for value in values if isinstance(value, Iterable) for part in value]
        if _of_type(parts, kind.value_type) is None:
            return None
    is_fraction = any(isinstance(value, Real | Decimal) and value % 1 for value in values)
    if pa.types.is_integer(kind) and is_fraction:
        return None  # Arrow would truncate 7.5 to 7
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return None
