"""Interactions that were recorded since the bundles were fitted: the lists know them at once."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from shortlist.data.dataset import Dataset
from shortlist.data.store.library_tables import Recorded
from shortlist.data.vocabulary import UNKNOWN, Id
from shortlist.recommend.query import Query
from shortlist.serving.troubles import OverloadedError


class Choice(NamedTuple):
    """The latest of what a user did with an item."""

    weight: float
    time: dt.datetime


class Recent:
    """What users chose lately, in memory; the store has it, too.

    Parameters
    ----------
    most
        How many choices to hold.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._of_user: dict[Id, dict[Id, Choice]] = {}
        self._count = 0
        self._changing = threading.Lock()

    def __len__(self) -> int:
        return self._count

    def require_room(self, count: int) -> None:
        """Refuse more than there is room for.

        Raises
        ------
        OverloadedError
            There is no room.
        """
        if self._count + count > self._most:
            raise OverloadedError(
                f"{self._count} interactions were recorded since the bundle was fitted; "
                "fit it again"
            )

    def add(self, rows: Iterable[Recorded]) -> None:
        """Take over what was recorded; of a repeated pair the later one counts."""
        with self._changing:
            for row in rows:
                chosen = dict(self._of_user.get(row.user_id, {}))
                self._count -= chosen.pop(row.item_id, None) is not None
                chosen[row.item_id] = Choice(row.weight, row.time)  # the latest comes last
                self._of_user[row.user_id] = chosen  # replaced whole: readers need no lock
                self._count += 1

    def forget(self, fitted: Iterable[Dataset]) -> None:
        """Drop what all of these data sets have."""
        data = list(fitted)
        for user in self.users():
            with self._changing:  # a user at a time: nobody waits for the whole of it
                chosen = self._of_user[user]
                wanted = {item for one in data for item in new_to(one, user, chosen)}
                kept = {item: one for item, one in chosen.items() if item in wanted}
                self._count -= len(chosen) - len(kept)
                self._of_user[user] = kept
                if not kept:
                    del self._of_user[user]

    def of(self, user: Id) -> dict[Id, Choice]:
        """Give the choices of a user, the latest last."""
        return self._of_user.get(user, {})

    def users(self) -> list[Id]:
        """Give the users who have some."""
        return list(self._of_user)

    def known_by(self, data: Dataset, query: Query) -> Query:
        """Add to a query what its user chose since the data was made.

        A user the data does not know, but who has chosen something since, is known from here on.
        """
        if query.user is None or not (chosen := self._of_user.get(query.user)):
            return query
        fresh = new_to(data, query.user, chosen)
        if not fresh:
            return query
        own = query.weights
        earlier = {item: one.weight for item, one in fresh.items() if item not in own}
        known = query.user in data.users
        return replace(query, user=query.user if known else None, history=earlier | own)


def new_to(data: Dataset, user: Id, chosen: dict[Id, Choice]) -> dict[Id, Choice]:
    """Give the choices that a data set could have, and has not, or with another weight."""
    row = int(data.users.rows([user])[0])
    fitted: dict[int, float] = {}
    if row != UNKNOWN:
        matrix = data.matrix
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        fitted = dict(zip(matrix.indices[span].tolist(), matrix.data[span].tolist(), strict=True))
    rows = data.items.rows(chosen)
    return {
        item: one
        for (item, one), place in zip(chosen.items(), rows.tolist(), strict=True)
        if place != UNKNOWN and not _same(fitted.get(place), one.weight)
    }


def _same(fitted: float | None, weight: float) -> bool:
    return fitted is not None and abs(fitted - weight) <= 1e-6 * max(1.0, abs(weight))
