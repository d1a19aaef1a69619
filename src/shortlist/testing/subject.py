"""The model under test."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getattr_static
from typing import Any, ClassVar

import pyarrow as pa

from shortlist.models.base import Model
from shortlist.testing.worlds import World, small_world


class Subject:
    """Says which model is tested, and hands it out.

    Attributes
    ----------
    model
        Its class, or ``partial(class, hyper-parameter=...)``: small ones, so that tests stay fast.
    user_is_history
        Whether a known user gets the list that a query with their history gets. False where a
        model leaves a known user out of their own neighbours.
    """

    model: ClassVar[Callable[[], Model[Any, Any]]]
    user_is_history: ClassVar[bool] = True
    _fitted: ClassVar[Model[Any, Any]]

    @classmethod
    def fresh(cls) -> Model[Any, Any]:
        """Make an unfitted model."""
        # Looked up as it stands: from Python 3.14 on, a partial in a class is a method of it.
        make: Callable[[], Model[Any, Any]] = getattr_static(cls, "model")
        return make()

    @classmethod
    def kind(cls) -> type[Model[Any, Any]]:
        """Give the model's class."""
        return type(cls.fresh())

    @classmethod
    def falls_back(cls) -> bool:
        """Whether somebody of whom nothing is known gets what is popular."""
        return cls.kind().needs_history

    @classmethod
    def fitted(cls) -> Model[Any, Any]:
        """Give the model, fitted on the small world once for all tests of the class."""
        if "_fitted" not in cls.__dict__:
            cls._fitted = cls.fresh().fit(small_world().data)
        return cls._fitted

    @classmethod
    def learn(cls, world: World) -> Model[Any, Any]:
        """Fit a new model on a world."""
        return cls.fresh().fit(world.data)


def lists_of(model: Model[Any, Any], k: int = 7) -> dict[str, pa.Table]:
    """Ask a model for every kind of list it can make."""
    from shortlist.recommend.query import Query
    from shortlist.scoring.capabilities import ComparesItems

    items = model.data.items.ids.to_pylist()
    queries = [
        Query(history=items[:3]),
        Query(user=model.data.users.ids[0].as_py(), deny=items[:9]),
    ]
    asked = {
        "recommend": model.recommend(k=k),
        "queries": model.recommend(queries=queries, k=k),
        "audience": model.audience(items, k=k),
    }
    if isinstance(model, ComparesItems):
        asked["similar"] = model.similar(items, k=k)
    return {name: result.to_arrow() for name, result in asked.items()}


def assert_same_lists(one: Model[Any, Any], other: Model[Any, Any]) -> None:
    """Two models list the same, to the last bit of every score."""
    lists, others = lists_of(one), lists_of(other)
    for name, table in lists.items():
        assert table.equals(others[name]), name
