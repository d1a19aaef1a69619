"""The model under test, all lists that it can make, and what they should be by brute force."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import getattr_static
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.vocabulary import Id
from shortlist.models.base import Model
from shortlist.recommend.query import Query
from shortlist.recommend.recommender import dense_scores
from shortlist.scoring.capabilities import ComparesItems
from shortlist.scoring.selection import dense
from shortlist.testing.worlds import Ids, World, small_world

Entries = list[tuple[Id, Id, int, float]]  # query, listed id, rank, score


class ModelUnderTest:
    """Base of the contract tests: makes and fits the model under test.

    Attributes
    ----------
    model
        The model's class, or ``partial(class, hyper_parameter=...)`` with small sizes, so that
        tests stay fast.
    user_is_history
        Whether a known user gets the same list as a query with their history. False for a model
        that excludes a known user from their own neighbours.
    """

    model: ClassVar[Callable[[], Model[Any, Any]]]
    user_is_history: ClassVar[bool] = True
    _fitted: ClassVar[dict[Ids, Model[Any, Any]]]

    @classmethod
    def fresh(cls) -> Model[Any, Any]:
        """Return an unfitted model."""
        # Looked up statically: from Python 3.14 on, a partial in a class body becomes a method.
        make: Callable[[], Model[Any, Any]] = getattr_static(cls, "model")
        return make()

    @classmethod
    def kind(cls) -> type[Model[Any, Any]]:
        """Return the model's class."""
        return type(cls.fresh())

    @classmethod
    def falls_back(cls) -> bool:
        """Return whether users without a history or features get popular items."""
        return cls.kind().needs_history

    @classmethod
    def fitted(cls, ids: Ids = "text") -> Model[Any, Any]:
        """Return the model, fitted on the small world once for all tests of the class."""
        if "_fitted" not in cls.__dict__:
            cls._fitted = {}
        if ids not in cls._fitted:
            cls._fitted[ids] = cls.learn(small_world(ids))
        return cls._fitted[ids]

    @classmethod
    def learn(cls, world: World) -> Model[Any, Any]:
        """Return a new model fitted on a world."""
        return cls.fresh().fit(world.data)


def lists_of(model: Model[Any, Any], k: int = 7) -> dict[str, pa.Table]:
    """Return every kind of list that a model can make, by name."""
    items = model.data.items.ids.to_pylist()
    queries = [
        Query(history=items[:3]),
        Query(user=model.data.users.ids[0].as_py(), deny=items[:9]),
    ]
    results = {
        "recommend": model.recommend(k=k),
        "queries": model.recommend(queries=queries, k=k),
        "audience": model.audience(items, k=k),
    }
    if isinstance(model, ComparesItems):
        results["similar"] = model.similar(items, k=k)
    return {name: result.to_arrow() for name, result in results.items()}


def assert_same_lists(first: Model[Any, Any], second: Model[Any, Any]) -> None:
    """Assert that two models give the same lists, to the last bit of every score."""
    expected = lists_of(second)
    for name, table in lists_of(first).items():
        assert table.equals(expected[name]), name


def rows_of(table: pa.Table) -> Entries:
    """Return the first four columns of a result, row by row: query, listed id, rank, score."""
    columns = [table.column(position).to_pylist() for position in range(4)]
    return list(zip(*columns, strict=True))


def best_items(
    model: Model[Any, Any],
    k: int,
    *,
    exclude_seen: bool = True,
    eligible: NDArray[np.bool_] | None = None,
) -> Entries:
    """List the ``k`` best items of every user in training.

    ``exclude_seen`` leaves out the training items of each user; ``eligible`` tells whether each
    item may be listed (n_items,).
    """
    data = model.data
    scores = dense_scores(model, np.arange(data.n_users, dtype=np.int32))
    allowed = np.ones(scores.shape, dtype=bool)
    if eligible is not None:
        allowed &= eligible
    if exclude_seen:
        allowed[data.user_rows, data.item_rows] = False
    users, items = data.users.ids.to_pylist(), data.items.ids.to_pylist()
    return _entries(users, items, scores, allowed, data.popularity_order, k)


def best_users(
    model: Model[Any, Any], items: Sequence[Id], k: int, *, exclude_seen: bool
) -> Entries:
    """List the ``k`` users with the highest scores for each item; ties by id."""
    data = model.data
    scores = dense_scores(model, np.arange(data.n_users, dtype=np.int32)).T
    allowed = np.ones(scores.shape, dtype=bool)
    has_features = model.uses_features and data.user_features is not None
    if model.needs_history and not has_features:  # users without a history have no score
        allowed[:, data.user_counts == 0] = False
    if exclude_seen:
        allowed[data.item_rows, data.user_rows] = False
    item_rows = data.items.require(items)
    users, order = data.users.ids.to_pylist(), np.arange(data.n_users)
    return _entries(items, users, scores[item_rows], allowed[item_rows], order, k)


def like_items(model: Any, items: Sequence[Id], k: int) -> Entries:
    """List the ``k`` items most similar to each item, by a model that compares items."""
    data = model.data
    item_rows = data.items.require(items)
    scores = dense(model.similar_scores(item_rows))
    allowed = np.arange(data.n_items) != item_rows[:, np.newaxis]
    return _entries(items, data.items.ids.to_pylist(), scores, allowed, data.popularity_order, k)


def _entries(
    queries: Sequence[Id],
    ids: Sequence[Id],
    scores: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    order: NDArray[Any],
    k: int,
) -> Entries:
    entries: Entries = []
    for query, values, mask in zip(queries, scores, allowed, strict=True):
        best = [row for row in np.lexsort((order, -values)) if mask[row]][:k]
        entries += [(query, ids[row], rank, float(values[row])) for rank, row in enumerate(best, 1)]
    return entries
