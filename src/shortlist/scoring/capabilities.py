"""Capabilities that only some models have, as protocols. Test for them with ``isinstance``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.vocabulary import Id, Rows, Vocabulary
from shortlist.errors import CapabilityError
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats, Scores
from shortlist.scoring.selection import Best, Eligible


@runtime_checkable
class ComparesItems(Protocol):
    """Scores the similarity of two items."""

    def similar_scores(self, items: Rows) -> Scores:
        """Score the whole catalogue by its similarity to each of these items."""  # (B, n_items)
        ...


@runtime_checkable
class HasVectors(Protocol):
    """Represents users and items as vectors whose dot product is the score."""

    def user_vectors(self) -> Floats:
        """Return the vector of every user of the training data."""  # (n_users, f)
        ...

    def item_vectors(self) -> Floats:
        """Return the vector of every item."""  # (n_items, f)
        ...


@runtime_checkable
class ReadsFeatures(Protocol):
    """Knows which values of user features have no effect on its scores."""

    @property
    def features_with_history(self) -> bool:
        """Whether features have an effect where there is a history, too."""
        ...

    def unused_features(self, table: pa.Table) -> dict[str, str]:
        """Return why values of columns have no effect, by column; only columns with such values."""
        ...


@runtime_checkable
class Shortlists(Protocol):
    """Selects the best items itself, instead of scoring the whole catalogue."""

    def best(self, profiles: Profiles, eligible: Eligible, k: int) -> Best:
        """Return the ``k`` best eligible items of each query, best first."""
        ...

    def ranked_scores(self, profiles: Profiles, eligible: Eligible, k: int) -> Scores:
        """Score the whole catalogue so that the ``k`` best eligible items are those of ``best``.

        Evaluation ranks held-out items by these scores.
        """  # (B, n_items)
        ...


@runtime_checkable
class ScoresPairs(Protocol):
    """Scores single pairs at less cost than the whole catalogue, with the same numbers."""

    def pair_scores(self, profiles: Profiles, queries: Rows, items: Rows) -> Floats:
        """Score item ``items[n]`` for query ``queries[n]`` of the block."""  # (n,)
        ...


class Parts(NamedTuple):
    """Terms whose sum is a score, or a part of it.

    ``kind`` is what they stand for ("chosen item", "similar user", "feature", ...), ``names`` are
    the caller's ids or the names of the terms (n,), and ``amounts`` what each adds to the score
    (n,).
    """

    kind: str
    names: pa.Array
    amounts: NDArray[np.float64]

    @classmethod
    def nonzero(
        cls,
        kind: str,
        vocabulary: Vocabulary,
        rows: Rows,
        amounts: NDArray[np.floating],
        factor: float = 1.0,
    ) -> Parts:
        """Return ``factor * amounts`` of these rows of a vocabulary, without zero amounts."""
        kept = amounts != 0
        scaled = factor * amounts[kept].astype(np.float64)
        return cls(kind, vocabulary.take(rows[kept]), scaled)


@runtime_checkable
class Explains(Protocol):
    """Splits scores into their terms."""

    def parts_of(self, profiles: Profiles, items: Rows) -> Iterator[list[Parts]]:
        """Split the scores of one query (B = 1) for these item rows; the parts add up to each.

        The work that the items share is done once, before the first is yielded.
        """
        ...


@runtime_checkable
class ExplainsShortlists(Protocol):
    """Explains scores that depend on which items are eligible, such as those of candidates."""

    def explained(
        self, profiles: Profiles, eligible: Eligible, items: Rows
    ) -> tuple[Floats, Iterator[list[Parts]]]:
        """Return the scores of items in a list for one query (B = 1), and the parts of each."""
        ...


@runtime_checkable
class PredictsRatings(Protocol):
    """Predicts the weight (rating) that a user would give an item."""

    def predict(self, users: Iterable[Id], items: Iterable[Id]) -> NDArray[np.float32]:
        """Predict the weight of each (user, item) pair."""  # (n,)
        ...


_ABILITY: dict[type, str] = {
    ComparesItems: "compare items",
    HasVectors: "give vectors",
    Explains: "explain its scores",
    PredictsRatings: "predict ratings",
}


def cannot(model: Any, capability: type) -> CapabilityError:
    """Return the error for a model that lacks a capability."""
    return CapabilityError(
        f"{model.name} cannot {_ABILITY[capability]}",
        remedy=f"choose a model that can (docs: capability {capability.__name__})",
    )
