"""Ways to hold interactions out of training. Train and test share the vocabularies.

Every split is seeded, and no held-out (user, item) pair stays in the training data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.coding.pairs import last_of_runs
from shortlist.data.dataset import Dataset
from shortlist.data.moments import When, moment
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import ConfigError, InputError, suggestion

Order = Literal["time", "row", "random"]
Split: TypeAlias = tuple[Dataset, Dataset]


def leave_last_out(data: Dataset, n: int = 1, order: Order = "time", seed: int = 0) -> Split:
    """Hold out the last ``n`` interactions of every user who has more than ``n``.

    Parameters
    ----------
    data
        What to split.
    n
        How many to hold out of each user's interactions.
    order
        What "last" means: by ``"time"``, by ``"row"`` of the source, or in a ``"random"`` order.
        Equal times have no last: one is drawn. (Files are often sorted by item within a user, and
        taking the last row then favours some items: on ML-100K it moves the hit rate of popularity
        between .05 and .11.)
    seed
        Seeds the draw.

    Raises
    ------
    InputError
        The order is by time and the data has no times.

    Examples
    --------
    >>> log = pa.table({"user_id": [1, 1, 2], "item_id": [5, 6, 5], "at": [20, 10, 30]})
    >>> train, test = leave_last_out(Dataset.from_tables(log, time="at"))
    >>> test.to_arrow().column("item_id").to_pylist()  # user 2 has only one: it stays in train
    [5]
    """
    _require(n >= 1, f"n={n}", "hold out at least 1 interaction")
    if order not in get_args(Order):
        raise ConfigError(f"order={order!r} is no order", remedy=suggestion(order, get_args(Order)))
    if order == "time" and data.times is None:
        raise InputError(
            "the last interaction by time is asked for, and the data has no times",
            remedy="name the time column (time=...), or split with order='row' or 'random'",
        )
    drawn = np.random.default_rng(seed).permutation(data.n_interactions)
    keys = [data.positions] if order == "row" else [drawn]
    if order == "time" and data.times is not None:
        keys = [data.times, drawn]
    held = np.zeros(data.n_interactions, dtype=bool)
    lengths = data.user_counts[data.user_counts > 0]
    starts = np.cumsum(lengths) - lengths
    for _ in range(n):
        held |= last_of_runs(starts, lengths, keys, ~held)
    return _cut(data, held & (data.user_counts > n)[data.user_rows])


def random(data: Dataset, fraction: float = 0.2, seed: int = 0) -> Split:
    """Hold out a random fraction of all interactions."""
    _require_fraction(fraction)
    held = np.zeros(data.n_interactions, dtype=bool)
    chosen = round(fraction * data.n_interactions)
    held[np.random.default_rng(seed).permutation(data.n_interactions)[:chosen]] = True
    return _cut(data, held)


def by_time(data: Dataset, at: When) -> Split:
    """Train on what happened before a moment, test on what happened at it or later.

    Parameters
    ----------
    data
        What to split; it must have times.
    at
        A date, a time, ISO text, or seconds since 1970 (UTC).
    """
    if data.times is None:
        raise InputError("the data has no times", remedy="name the time column (time=...)")
    return _cut(data, data.times >= moment(at))


def cold_users(data: Dataset, fraction: float = 0.1, seed: int = 0) -> Split:
    """Hold out every interaction of a random fraction of the users who have any."""
    return _cut(data, _cold(data.user_counts, fraction, seed)[data.user_rows])


def cold_items(data: Dataset, fraction: float = 0.1, seed: int = 0) -> Split:
    """Hold out every interaction with a random fraction of the items that have any."""
    return _cut(data, _cold(data.item_counts, fraction, seed)[data.item_rows])


def k_folds(data: Dataset, folds: int = 5, seed: int = 0) -> Iterator[Split]:
    """Give ``folds`` splits, one at a time; each interaction is held out in exactly one of them."""
    _require(
        2 <= folds <= data.n_interactions,
        f"folds={folds}",
        f"choose 2 to {data.n_interactions} (the number of interactions)",
    )
    fold = np.random.default_rng(seed).permutation(data.n_interactions) % folds
    return (_cut(data, fold == one) for one in range(folds))


def given(train: Dataset, test: Dataset) -> Split:
    """Take a split that somebody else made; code both sides with the ids of either.

    Features are joined as well: where both sides describe an id, what train says counts.

    Raises
    ------
    InputError
        A test interaction is also a training interaction, the id types differ, or a feature has
        types that cannot be joined.
    """
    users, user_features = _union(
        (train.users, train.user_features), (test.users, test.user_features)
    )
    items, item_features = _union(
        (train.items, train.item_features), (test.items, test.item_features)
    )
    train, test = (
        replace(
            one,
            users=users,
            items=items,
            user_rows=users.rows(one.users.ids)[one.user_rows],
            item_rows=items.rows(one.items.ids)[one.item_rows],
            user_features=user_features,
            item_features=item_features,
        )
        for one in (train, test)
    )
    pairs = [one.user_rows.astype(np.int64) * len(items) + one.item_rows for one in (train, test)]
    shared = np.intersect1d(pairs[0], pairs[1])
    if len(shared):
        user, item = users.ids[shared[0] // len(items)], items.ids[shared[0] % len(items)]
        raise InputError(
            f"{len(shared)} of {len(test)} test interactions are also in the training data, "
            f"the first: user {user.as_py()!r}, item {item.as_py()!r}",
            remedy="leave them out of one of the two",
        )
    return train, test


def _cut(data: Dataset, held: NDArray[np.bool_]) -> Split:
    if held.all() or not held.any():
        side = "training" if held.all() else "test"
        raise InputError(
            f"the split leaves no {side} interactions ({len(held)} in all)",
            remedy="choose another fraction, moment or n",
        )
    return data.select(~held), data.select(held)


def _cold(counts: NDArray[np.int64], fraction: float, seed: int) -> NDArray[np.bool_]:
    _require_fraction(fraction)
    active = np.flatnonzero(counts)
    chosen = np.random.default_rng(seed).permutation(active)[: round(fraction * len(active))]
    cold = np.zeros(len(counts), dtype=bool)
    cold[chosen] = True
    return cold


def _require(fine: bool, what: str, remedy: str) -> None:
    if not fine:
        raise ConfigError(f"{what} is out of range", remedy=remedy)


def _require_fraction(fraction: float) -> None:
    _require(0 < fraction < 1, f"fraction={fraction}", "choose a number between 0 and 1")


Side: TypeAlias = tuple[Vocabulary, pa.Table | None]


def _union(train: Side, test: Side) -> Side:
    """Join two sorted vocabularies and their features; what train says of an id counts.

    Both stay sorted, so the interactions need no new order once their rows are recoded.
    """
    (one, features), (other, more) = train, test
    if one.equals(other) and (more is None or features is not None):
        return train
    if one.ids.type != other.ids.type:
        raise InputError(
            f"{one.kind} ids are {one.ids.type} in train and {other.ids.type} in test",
            remedy="cast one to the type of the other",
        )
    ids = pa.concat_arrays([one.ids, other.ids]).unique()
    vocabulary = Vocabulary(ids.take(pc.array_sort_indices(ids)), kind=one.kind)
    tables = [table for table in (features, more) if table is not None]
    if not tables:
        return vocabulary, None
    source = np.full(len(vocabulary), -1)  # the row of the joined tables that describes each id
    described = [side for side, table in (train, test) if table is not None]
    listed = vocabulary.rows(pa.concat_arrays([side.ids for side in described]))
    source[listed[::-1]] = np.arange(len(listed))[::-1]
    try:
        joined = pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(
            f"the {one.kind} features of train and test do not fit together: {error}",
            remedy="give both the same columns and types",
        ) from error
    return vocabulary, joined.take(pa.array(source, mask=source < 0))
