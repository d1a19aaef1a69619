"""Small data sets for tests: with known answers, or with the irregularities of real data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id, Vocabulary

Ids = Literal["text", "large"]

FIRST_LARGE = 2**62  # neighbouring integers here are equal as float64


@dataclass(frozen=True)
class World:
    """The tables of a small data set.

    Attributes
    ----------
    interactions
        ``user_id``, ``item_id``, ``weight`` and ``at``, a time.
    users, items
        The ids and their features.
    answers
        The best item for each user, if it is known.

    Examples
    --------
    >>> checkerboard().data
    Dataset(12 users, 12 items, 60 interactions)
    """

    interactions: pa.Table
    users: pa.Table
    items: pa.Table
    answers: Mapping[Id, Id] = field(default_factory=dict)

    @cached_property
    def data(self) -> Dataset:
        """The tables as a data set, with weights and times."""
        return Dataset.from_tables(
            self.interactions, self.users, self.items, weight="weight", time="at"
        )

    def shuffled(self, seed: int) -> World:
        """Return the same world with the rows of its tables in another order."""
        rng = np.random.default_rng(seed)
        interactions, users, items = (
            table.take(pa.array(rng.permutation(table.num_rows)))
            for table in (self.interactions, self.users, self.items)
        )
        return World(interactions, users, items, self.answers)


@cache
def checkerboard(side: int = 6) -> World:
    """Make two disjoint tastes: even users choose even items, odd users choose odd items.

    Each of the ``2 * side`` users has chosen all items of their taste except one, and each item is
    left out equally often. The left-out item is the answer: the other users of the same taste
    chose it, and no user of the other taste shares an item with this user.
    """
    users, items = _ids("u", 2 * side, "text"), _ids("i", 2 * side, "text")
    pairs, answers = [], {}
    for user in range(2 * side):
        for position in range(side):
            item = 2 * position + user % 2
            if position == user // 2:
                answers[users[user]] = items[item]
            else:
                pairs.append((user, item))
    return World(
        _log([(users[u], items[i], 1.0) for u, i in pairs]),
        pa.table({"user_id": users, "taste": ["even", "odd"] * side}),
        pa.table({"item_id": items, "taste": ["even", "odd"] * side}),
        answers,
    )


@cache
def small_world(ids: Ids = "text") -> World:
    """Make 40 users and 30 items with the irregularities of real tables.

    Users of two overlapping tastes; weights from 0 to 5; times; two users and two items without
    interactions; numbers, texts, lists, dates and missing values among the features; life spans.

    Parameters
    ----------
    ids
        Texts, or integers near 2**62, which are equal as floating-point numbers.
    """
    rng = np.random.default_rng(20)
    n_users, n_items = 40, 30
    likes = np.where(np.add.outer(np.arange(n_users), np.arange(n_items)) % 2 == 0, 0.35, 0.08)
    likes *= np.linspace(1.5, 0.5, n_items)  # the first items are the most popular
    likes[[5, 22]] = 0.0
    likes[:, [11, 28]] = 0.0
    users, items = _ids("u", n_users, ids), _ids("i", n_items, ids)
    pairs = np.argwhere(rng.random(likes.shape) < likes)
    rng.shuffle(pairs)
    weights = rng.integers(0, 11, len(pairs)) / 2
    log = [(users[u], items[i], w) for (u, i), w in zip(pairs.tolist(), weights, strict=True)]
    days = [dt.datetime(2024, 1, 1) + dt.timedelta(days=n) for n in range(n_items)]
    features = {
        "item_id": items,
        "year": [None if n % 9 == 4 else 1980 + n for n in range(n_items)],
        "taste": ["even" if n % 2 == 0 else "odd" for n in range(n_items)],
        "tags": [None if n % 7 == 3 else [f"t{n % 3}", f"t{n % 5}"] for n in range(n_items)],
        "valid_from": [None if n % 4 == 0 else day for n, day in enumerate(days)],
        "valid_to": [
            None if n % 3 == 0 else day + dt.timedelta(days=9) for n, day in enumerate(days)
        ],
    }
    city = [None if n % 10 == 7 else ("Seoul", "Busan")[n % 2] for n in range(n_users)]
    return World(_log(log), pa.table({"user_id": users, "city": city}), pa.table(features))


def tiny(*pairs: tuple[Id, Id], weight: Sequence[float] | None = None) -> Dataset:
    """Make a data set of a few (user, item) pairs.

    Parameters
    ----------
    pairs
        (user, item) pairs.
    weight
        One weight per pair; None: all 1.

    Examples
    --------
    >>> tiny(("ann", "tea"), ("bob", "rye"), weight=[2, 5]).matrix.toarray()
    array([[0., 2.],
           [5., 0.]], dtype=float32)
    """
    users, items = zip(*pairs, strict=True)
    if weight is None:
        return Dataset.from_tables(pa.table({"user_id": users, "item_id": items}))
    table = pa.table({"user_id": users, "item_id": items, "weight": weight})
    return Dataset.from_tables(table, weight="weight")


def of_matrix(weights: NDArray[Any], chosen: NDArray[np.bool_] | None = None) -> Dataset:
    """Make a data set from a matrix; its ids are 0, 1, 2, ...

    Parameters
    ----------
    weights
        Weight of each interaction.  # (n_users, n_items)
    chosen
        Whether there is an interaction; None: if the weight is not 0.  # (n_users, n_items)

    Examples
    --------
    >>> of_matrix(np.array([[0, 2], [1, 1], [0, 0]]))
    Dataset(3 users, 2 items, 3 interactions)
    """
    users, items = np.nonzero(weights if chosen is None else chosen)
    return Dataset(
        Vocabulary(pa.array(range(weights.shape[0]), pa.int64()), kind="user"),
        Vocabulary(pa.array(range(weights.shape[1]), pa.int64()), kind="item"),
        users.astype(np.int32),
        items.astype(np.int32),
        weights[users, items].astype(np.float32),
        None,
        np.arange(len(users), dtype=np.int64),
    )


def _ids(letter: str, count: int, kind: Ids) -> list[Id]:
    if kind == "text":
        return [f"{letter}{n:02}" for n in range(count)]
    return [FIRST_LARGE + n for n in range(count)]


def _log(rows: list[tuple[Id, Id, float]]) -> pa.Table:
    users, items, weights = zip(*rows, strict=True)
    start = dt.datetime(2024, 3, 1)
    times = [start + dt.timedelta(hours=n) for n in range(len(rows))]
    weight = pa.array(weights, pa.float32())
    return pa.table({"user_id": users, "item_id": items, "weight": weight, "at": times})
