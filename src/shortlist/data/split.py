"""Splits into training and test data, which share their vocabularies and features.

Random choices depend on the seed alone, and no test pair (user, item) is in the training data.
Dislikes are split in the same way: by the moment from which a user's interactions are held out, at
random, or by the cold user or item.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.coding.pairs import last_of_runs
from shortlist.data.dataset import Dataset, require_dataset
from shortlist.data.moments import When, moment
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import ConfigError, InputError, require_known

Order = Literal["time", "row", "random"]
Split: TypeAlias = tuple[Dataset, Dataset]

_DISLIKES = 1  # makes the draws of dislikes independent of those of interactions


def leave_last_out(data: Dataset, n: int = 1, order: Order = "time", seed: int = 0) -> Split:
    """Hold out the last ``n`` interactions of every user who has more than ``n``.

    Parameters
    ----------
    data
        The data to split.
    n
        The number of interactions to hold out of each user.
    order
        The order that defines "last": ``"time"``, ``"row"`` of the source, or ``"random"``. Ties of
        time are broken at random. (Files are often sorted by item within a user, so breaking ties
        by row would favour some items: on ML-100K, it moves the hit rate of popularity between .05
        and .11.)
    seed
        Seed of the random choices.

    Raises
    ------
    InputError
        The order is ``"time"`` and the data has no times, or no user has more than ``n``
        interactions.
    ConfigError
        ``n`` is out of range, or there is no such order.

    Examples
    --------
    >>> log = pa.table({"user_id": [1, 1, 2], "item_id": [5, 6, 5], "at": [20, 10, 30]})
    >>> train, test = leave_last_out(Dataset.from_tables(log, time="at"))
    >>> test.to_arrow().column("item_id").to_pylist()  # user 2 has only one: it stays in train
    [5]
    """
    require_dataset(data)
    _require(n >= 1, f"n={n}", "hold out at least 1 interaction")
    require_known(order, get_args(Order), f"order={order!r} is not a known order", ConfigError)
    if order == "time" and data.times is None:
        raise InputError(
            "the data has no times, so the last interactions by time are unknown",
            remedy="name the time column (time=...), or split with order='row' or 'random'",
        )
    shuffled = np.random.default_rng(seed).permutation(data.n_interactions)
    keys = [data.positions] if order == "row" else [shuffled]
    if order == "time" and data.times is not None:
        keys = [data.times, shuffled]
    held = np.zeros(data.n_interactions, dtype=bool)
    lengths = data.user_counts[data.user_counts > 0]
    starts = np.cumsum(lengths) - lengths
    for _ in range(n):
        held |= last_of_runs(starts, lengths, keys, ~held)
    held &= (data.user_counts > n)[data.user_rows]
    return hold_out(data, held, order, seed)


def hold_out(data: Dataset, held: NDArray[np.bool_], order: Order, seed: int = 0) -> Split:
    """Hold out some interactions of users, ``held`` (n_interactions,), and dislikes with them.

    By time or row, these are the dislikes from a user's first interaction that is held out; at
    random, the same share of a user's dislikes as of the interactions.
    """
    if order == "random":
        counts = np.bincount(data.user_rows[held], minlength=data.n_users)
        return _split(data, held, _drawn(data, counts / np.maximum(data.user_counts, 1), seed))
    name: Literal["times", "positions"] = "times" if order == "time" else "positions"
    return _split(data, held, _from_first_held(data, held, name))


def random(data: Dataset, fraction: float = 0.2, seed: int = 0) -> Split:
    """Hold out a random fraction of all interactions."""
    require_dataset(data)
    _require_fraction(fraction)
    held = drawn(data, fraction, seed)
    return _split(data, held, _drawn(data, np.full(data.n_users, fraction), seed))


def drawn(data: Dataset, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Draw a fraction of all interactions."""  # (n_interactions,)
    held = np.zeros(data.n_interactions, dtype=bool)
    n_held = round(fraction * data.n_interactions)
    held[np.random.default_rng(seed).permutation(data.n_interactions)[:n_held]] = True
    return held


def by_time(data: Dataset, at: When) -> Split:
    """Train on the interactions before a point in time, test on those from that time on.

    Parameters
    ----------
    data
        The data to split; it must have times.
    at
        A date, a time, ISO text, or seconds since 1970 (UTC).

    Raises
    ------
    InputError
        The data has no times, or no interactions on one side of the split.
    """
    require_dataset(data)
    if data.times is None:
        raise InputError("the data has no times", remedy="name the time column (time=...)")
    start, dislikes = moment(at), data.dislikes
    later = None if dislikes is None or dislikes.times is None else dislikes.times >= start
    return _split(data, data.times >= start, later)


def cold_users(data: Dataset, fraction: float = 0.1, seed: int = 0) -> Split:
    """Hold out every interaction of a random fraction of the users who have any."""
    return _cold(data, "user", fraction, seed)


def cold_items(data: Dataset, fraction: float = 0.1, seed: int = 0) -> Split:
    """Hold out every interaction with a random fraction of the items that have any."""
    return _cold(data, "item", fraction, seed)


def k_folds(data: Dataset, folds: int = 5, seed: int = 0) -> Iterator[Split]:
    """Yield ``folds`` splits; each interaction is a test interaction in exactly one of them."""
    require_dataset(data)
    _require(
        2 <= folds <= data.n_interactions,
        f"folds={folds}",
        f"choose a number from 2 to {data.n_interactions}, the number of interactions",
    )
    fold_of = np.random.default_rng(seed).permutation(data.n_interactions) % folds
    count = 0 if data.dislikes is None else len(data.dislikes)
    disliked_in = np.random.default_rng([seed, _DISLIKES]).permutation(count) % folds
    return (_split(data, fold_of == fold, disliked_in == fold) for fold in range(folds))


def given(train: Dataset, test: Dataset) -> Split:
    """Use an existing split; encode both data sets with the ids of either.

    Features are merged: if both data sets describe an id, the description of ``train`` is kept.

    Raises
    ------
    InputError
        A test interaction is also a training interaction, the types of the ids differ, or a feature
        has types that cannot be merged.
    """
    require_dataset(train)
    require_dataset(test)
    users, user_features = _merge(train.users, train.user_features, test.users, test.user_features)
    items, item_features = _merge(train.items, train.item_features, test.items, test.item_features)
    train, test = (
        replace(
            _recoded(part, users, items), user_features=user_features, item_features=item_features
        )
        for part in (train, test)
    )
    shared = np.intersect1d(train.cells, test.cells)
    if len(shared):
        user, item = users.ids[shared[0] // len(items)], items.ids[shared[0] % len(items)]
        raise InputError(
            f"{len(shared)} of {len(test)} test interactions are also in the training data, "
            f"for example user {user.as_py()!r}, item {item.as_py()!r}",
            remedy="remove them from one of the two data sets",
        )
    return train, test


def _recoded(data: Dataset, users: Vocabulary, items: Vocabulary) -> Dataset:
    """Return the data in the rows of larger vocabularies."""
    return replace(
        data,
        users=users,
        items=items,
        user_rows=users.rows(data.users.ids)[data.user_rows],
        item_rows=items.rows(data.items.ids)[data.item_rows],
        dislikes=None if data.dislikes is None else _recoded(data.dislikes, users, items),
    )


def _drawn(data: Dataset, shares: NDArray[np.float64], seed: int) -> NDArray[np.bool_] | None:
    """Draw the dislikes to hold out, a share of each user's."""  # shares (n_users,)
    if data.dislikes is None:
        return None
    drawn = np.random.default_rng([seed, _DISLIKES]).random(len(data.dislikes))
    return np.asarray(drawn < shares[data.dislikes.user_rows])


def _from_first_held(
    data: Dataset, held: NDArray[np.bool_], name: Literal["times", "positions"]
) -> NDArray[np.bool_] | None:
    """Return which dislikes are not before the first interaction that is held out of the user."""
    if data.dislikes is None:
        return None
    first = np.full(data.n_users, np.iinfo(np.int64).max)
    np.minimum.at(first, data.user_rows[held], getattr(data, name)[held])
    return np.asarray(getattr(data.dislikes, name) >= first[data.dislikes.user_rows])


def _split(
    data: Dataset, held: NDArray[np.bool_], disliked: NDArray[np.bool_] | None = None
) -> Split:
    """Split by what is held out: ``held`` of the interactions, ``disliked`` of the dislikes."""
    if held.all() or not held.any():
        empty = "training" if held.all() else "test"
        raise InputError(
            f"the split leaves no {empty} interactions ({len(held)} in all)",
            remedy="choose another fraction, time or n",
        )
    train, test = data.select(~held), data.select(held)
    if data.dislikes is None or disliked is None:
        return train, replace(test, dislikes=None)
    kept, later = data.dislikes.select(~disliked), data.dislikes.select(disliked)
    return replace(train, dislikes=kept if len(kept) else None), replace(
        test, dislikes=later if len(later) else None
    )


def _cold(data: Dataset, kind: Literal["user", "item"], fraction: float, seed: int) -> Split:
    """Hold out all interactions and dislikes of a random fraction of the active users or items."""
    require_dataset(data)
    _require_fraction(fraction)
    counts: NDArray[np.int64] = getattr(data, f"{kind}_counts")
    active = np.flatnonzero(counts)
    cold = np.zeros(len(counts), dtype=bool)
    n_cold = round(fraction * len(active))
    cold[np.random.default_rng(seed).permutation(active)[:n_cold]] = True
    held, dislikes = cold[getattr(data, f"{kind}_rows")], data.dislikes
    return _split(data, held, None if dislikes is None else cold[getattr(dislikes, f"{kind}_rows")])


def _require(valid: bool, what: str, remedy: str) -> None:
    if not valid:
        raise ConfigError(f"{what} is out of range", remedy=remedy)


def _require_fraction(fraction: float) -> None:
    _require(0 < fraction < 1, f"fraction={fraction}", "choose a number between 0 and 1")


def _merge(
    first: Vocabulary,
    first_features: pa.Table | None,
    second: Vocabulary,
    second_features: pa.Table | None,
) -> tuple[Vocabulary, pa.Table | None]:
    """Merge two vocabularies and their features; the first description of an id is kept.

    The result is sorted like both vocabularies, so the order of the interactions stays valid.
    """
    if first.equals(second) and (second_features is None or first_features is not None):
        return first, first_features
    if first.ids.type != second.ids.type:
        raise InputError(
            f"{first.kind} ids are {first.ids.type} in train and {second.ids.type} in test",
            remedy="cast one of them to the type of the other",
        )
    merged = first.union(second)
    described = [
        (vocabulary.ids, table)
        for vocabulary, table in ((first, first_features), (second, second_features))
        if table is not None
    ]
    if not described:
        return merged, None
    rows = merged.rows(pa.concat_arrays([ids for ids, _ in described]))
    source = np.full(len(merged), -1)  # the row of the joined tables that describes each id
    source[rows[::-1]] = np.arange(len(rows))[::-1]  # the first of repeated rows is written last
    try:
        joined = pa.concat_tables([table for _, table in described], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(
            f"the {first.kind} features of train and test do not fit together: {error}",
            remedy="give both the same columns and types",
        ) from error
    return merged, joined.take(pa.array(source, mask=source < 0))
