"""The protocol between scores and lists: what ``recommend`` needs from a model."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Scores


class FittedModel(Protocol):
    """The name, settings and data of a fitted model."""

    @property
    def name(self) -> str:
        """The name of its class, which lists give as the source of an item."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of the constructor, as plain JSON values."""
        ...

    @property
    def data(self) -> Dataset:
        """The training data: catalogue, histories, features."""
        ...


class Scorer(FittedModel, Protocol):
    """A fitted model, as far as lists are concerned.

    Optional capabilities (:mod:`shortlist.scoring.capabilities`) are asked for with ``isinstance``.
    """

    @property
    def uses_features(self) -> bool:
        """Whether profiles need user features."""
        ...

    @property
    def uses_order(self) -> bool:
        """Whether profiles need the order of the history."""
        ...

    @property
    def bytes_per_query(self) -> int:
        """The memory that scoring one query takes; used to size query blocks."""
        ...

    def can_score(self, profiles: Profiles) -> NDArray[np.bool_]:
        """Return which queries the model can score; popularity scores the others."""  # (B,)
        ...

    def score(self, profiles: Profiles) -> Scores:
        """Score the whole catalogue for each query."""  # (B, n_items)
        ...


def known_profiles(model: Scorer, users: Rows) -> Profiles:
    """Return profiles of users (B,) of the training data as the model sees them; -1: a new user."""
    return Profiles.known(model.data, users, features=model.uses_features, order=model.uses_order)
