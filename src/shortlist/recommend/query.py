"""A query: a known user, a history, raw features, or a mix of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, TypeAlias

import numpy as np

from shortlist.data.rules.where import Where
from shortlist.data.vocabulary import Id, distinct, plain
from shortlist.errors import InputError
from shortlist.recommend.rules import Rules
from shortlist.text import shown

OnUnknown: TypeAlias = Literal["raise", "skip", "fallback"]
OnUnknownItem: TypeAlias = Literal["raise", "skip"]

_HEAVIEST = float(np.finfo(np.float32).max)  # weights are kept in 32 bits


@dataclass(frozen=True)
class Query:
    """One request for a list.

    Attributes
    ----------
    user
        The id of a user in the training data; their history is used, and excluded.
    history
        Item ids that were chosen, the latest last (a repeated one counts once, at its last place),
        or a mapping from item id to weight. Items without weights count as typical interactions:
        by the mean weight of the training data. Added to the user's own, and what it says of an
        item replaces what the data says. An item with a weight below 0 is disliked.
    features
        User features by name; for models that use features.
    allow, deny, where
        Rules for this query alone; the rules of the call hold as well (see ``Model.recommend``).

    Raises
    ------
    InputError
        There is no user, history or features, a weight is not finite or beyond 32 bits, or the
        features have no names.

    Examples
    --------
    >>> Query(history=["R01", "R02"]).weights
    {'R01': 1.0, 'R02': 1.0}
    """

    user: Id | None = None
    history: Iterable[Id] | Mapping[Id, float] | None = None
    features: Mapping[str, Any] | None = None
    allow: Iterable[Id] | None = None
    deny: Iterable[Id] | None = None
    where: Where | None = None

    def __post_init__(self) -> None:
        if self.user is None and self.history is None and self.features is None:
            raise InputError(
                "an empty query", remedy="give a user, a history, features, or several of them"
            )
        if isinstance(self.user, list | tuple | set | Mapping):
            raise InputError(
                f"user={shown(self.user)} is not the id of a user",
                remedy="pass the items that somebody chose as history=[...]",
            )
        if isinstance(self.history, str):
            raise InputError(
                f"history={self.history!r} is a text, not a list of item ids",
                remedy=f"pass [{self.history!r}] for one item",
            )
        for name in ("history", "allow", "deny"):  # read once: they may be iterators
            given = getattr(self, name)
            if given is not None and not isinstance(given, Mapping):
                latest = distinct(plain(given)[::-1])[::-1]  # a repeated item has its last place
                object.__setattr__(self, name, tuple(latest))
        if isinstance(self.history, Mapping):
            for item, weight in self.history.items():
                if not _is_weight(weight):
                    raise InputError(
                        f"weight {shown(weight)} of item {item!r} in the history",
                        remedy=f"weights are finite numbers of at most {_HEAVIEST:.2g} in "
                        "magnitude; those below 0 are dislikes",
                    )
        if self.features is not None:
            _require_names(self.features)

    @property
    def weights(self) -> dict[Id, float]:
        """The history as item id to weight; 1 for items without weights."""
        return self.weighted_by(1.0)

    def weighted_by(self, typical: float) -> dict[Id, float]:
        """Return the history as item id to weight, ``typical`` for items without weights."""
        if self.history is None:
            return {}
        if isinstance(self.history, Mapping):
            return {item: float(weight) for item, weight in self.history.items() if weight >= 0}
        return dict.fromkeys(self.history, typical)

    @property
    def dislikes(self) -> dict[Id, float]:
        """The disliked items of the history, and how much they are disliked."""
        if not isinstance(self.history, Mapping):
            return {}
        return {item: -float(weight) for item, weight in self.history.items() if weight < 0}

    @property
    def rules(self) -> Rules:
        """The rules of this query."""
        return Rules(allow=self.allow, deny=self.deny, where=self.where)


def _is_weight(value: Any) -> bool:
    is_number = isinstance(value, Real)
    return is_number and bool(abs(value) <= _HEAVIEST)


def _require_names(features: Any) -> None:
    """Raise an InputError unless every feature has a name."""
    if not isinstance(features, Mapping):
        what = f"features={shown(features)} is not a mapping from names to values"
    elif wrong := [name for name in features if not isinstance(name, str)]:
        what = f"{shown(wrong[0])} is not the name of a feature: names are text"
    else:
        return
    raise InputError(what, remedy="pass a dictionary such as {'age': 3}")
