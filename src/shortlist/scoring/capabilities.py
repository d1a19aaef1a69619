"""What only some models can do. Ask with ``isinstance``; a missing capability is told by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.vocabulary import Id, Rows
from shortlist.errors import CapabilityError
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats, Scores
from shortlist.scoring.selection import Best, Eligible


@runtime_checkable
class ComparesItems(Protocol):
    """Scores how alike two items are."""

    def similar_scores(self, items: Rows) -> Scores:
        """Score the whole catalogue by likeness to each of these items."""  # (B, n_items)
        ...


@runtime_checkable
class HasVectors(Protocol):
    """Places users and items in one space, where a dot product is a score."""

    def user_vectors(self) -> Floats:
        """Give the vector of every user in the training data."""  # (n_users, f)
        ...

    def item_vectors(self) -> Floats:
        """Give the vector of every item."""  # (n_items, f)
        ...


@runtime_checkable
class Shortlists(Protocol):
    """Chooses candidates by itself, among the items that a query may get."""

    def best(self, profiles: Profiles, eligible: Eligible, k: int) -> Best:
        """Give the ``k`` best eligible items of each query, best first."""
        ...


@runtime_checkable
class ScoresPairs(Protocol):
    """Scores single pairs for less than the whole catalogue costs, to the same numbers."""

    def pair_scores(self, profiles: Profiles, queries: Rows, items: Rows) -> Floats:
        """Score item ``items[n]`` for query ``queries[n]`` of the block."""  # (n,)
        ...


class Parts(NamedTuple):
    """Some of what a score is the sum of.

    Attributes
    ----------
    kind
        What they are: ``"chosen item"``, ``"similar user"``, ``"feature"``, ``"popularity"``, ...
    names
        Their ids or names, as the caller knows them.  # (n,)
    amounts
        What each adds to the score, float64.  # (n,)
    """

    kind: str
    names: pa.Array
    amounts: NDArray[np.float64]


@runtime_checkable
class Explains(Protocol):
    """Says what a score is made of."""

    def parts(self, profiles: Profiles, item: int) -> list[Parts]:
        """Take the score of one query (B = 1) for one item row apart; the parts add up to it."""
        ...


@runtime_checkable
class PredictsRatings(Protocol):
    """Predicts what weight (rating) a user would give an item."""

    def predict(self, users: Iterable[Id], items: Iterable[Id]) -> NDArray[np.float32]:
        """Predict the weight of each (user, item) pair."""  # (n,)
        ...


_CAN: dict[type, str] = {
    ComparesItems: "compare items",
    HasVectors: "give vectors",
    Explains: "explain its scores",
    PredictsRatings: "predict ratings",
}


def cannot(model: Any, capability: type) -> CapabilityError:
    """Make the error that says a model lacks a capability."""
    return CapabilityError(
        f"{model.name} cannot {_CAN[capability]}",
        remedy=f"choose a model that can (docs: capability {capability.__name__})",
    )
