"""The model under test, and all lists that it can make."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getattr_static
from typing import Any, ClassVar

import pyarrow as pa

from shortlist.models.base import Model
from shortlist.recommend.query import Query
from shortlist.scoring.capabilities import ComparesItems
from shortlist.testing.worlds import World, small_world


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
    _fitted: ClassVar[Model[Any, Any]]

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
    def fitted(cls) -> Model[Any, Any]:
        """Return the model, fitted on the small world once for all tests of the class."""
        if "_fitted" not in cls.__dict__:
            cls._fitted = cls.fresh().fit(small_world().data)
        return cls._fitted

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
