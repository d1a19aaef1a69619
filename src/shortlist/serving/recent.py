"""Recorded interactions in memory, so that lists consider those that a bundle was not fitted on."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import pyarrow as pa

from shortlist.data.dataset import Dataset
from shortlist.data.moments import DAY, moment
from shortlist.data.store.recorded import Recorded
from shortlist.data.vocabulary import UNKNOWN, Id
from shortlist.recommend.query import Query
from shortlist.serving.errors import OverloadedError

_MOST_OF_ITEM = 9  # interactions of a user with an item
_SECOND = 1_000_000  # microseconds


class RecentInteraction(NamedTuple):
    """An interaction of a user."""

    item_id: Id
    weight: float
    time: dt.datetime
    record_id: int  # in the database


class Unfitted(NamedTuple):
    """An interaction that a data set lacks, and how much it counts there; below 0: a dislike."""

    entry: RecentInteraction
    strength: float


class RecentInteractions:
    """At most ``capacity`` interactions in memory that at least one bundle was not fitted on.

    Of several interactions with an item the latest counts. Former ones are kept, because they count
    again if it is removed. One thread makes all changes; readers in other threads need no lock.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._by_user: dict[Id, Sequence[RecentInteraction]] = {}  # in the order of recording
        self._users: dict[int, Id] = {}  # by record_id
        self._count = 0  # of users and items

    def __len__(self) -> int:
        return self._count

    def require_room(self, count: int) -> None:
        """Check that there is room for more interactions."""
        if self._count + count > self._capacity:
            raise OverloadedError(
                f"{self._count} interactions were recorded since the bundle was fitted; "
                "fit it again"
            )

    def add(self, rows: Iterable[Recorded], record_ids: Iterable[int]) -> None:
        """Add recorded interactions with their ids in the database."""
        for user, entries in _by_user(rows, record_ids).items():
            self._replace(user, [*self._by_user.get(user, ()), *entries])

    def remove(self, record_id: int) -> None:
        """Remove an interaction, if it is in memory."""
        user = self._users.get(record_id)
        if user is not None:
            entries = self._by_user[user]
            self._replace(user, [entry for entry in entries if entry.record_id != record_id])

    def refill(self, journal: Mapping[int, Recorded], datasets: Iterable[Dataset]) -> None:
        """Keep exactly the interactions of a journal that at least one of the data sets lacks."""
        recorded = _by_user(journal.values(), journal)
        flat = [(user, entry) for user, entries in recorded.items() for entry in entries]
        rated = [(data, iter(_strengths(data, flat))) for data in datasets]
        for user, entries in recorded.items():
            missing: set[Id] = set()
            for data, strengths in rated:
                missing |= _lacking(data, user, entries, islice(strengths, len(entries))).keys()
            self._replace(user, [entry for entry in entries if entry.item_id in missing])
        for user in self.users():
            if user not in recorded:
                self._replace(user, ())

    def _replace(self, user: Id, entries: Sequence[RecentInteraction]) -> None:
        """Replace the interactions of a user; of each item, only the latest few are kept."""
        before = self._by_user.get(user, ())
        latest = {*_latest_few(entries), *_latest_few(sorted(entries, key=_time))}
        kept = [entry for entry in entries if entry in latest]
        self._count += len({entry.item_id for entry in kept})
        self._count -= len({entry.item_id for entry in before})
        for entry in before:
            self._users.pop(entry.record_id, None)
        self._users |= {entry.record_id: user for entry in kept}
        if kept:
            self._by_user[user] = kept  # a new list: readers need no lock
        else:
            self._by_user.pop(user, None)

    def users(self) -> list[Id]:
        """Return the users with interactions in memory."""
        return list(self._by_user)

    def lacking(self, data: Dataset, user: Id) -> dict[Id, Unfitted]:
        """Return the interactions of a user that count and that a data set lacks, the latest last.

        Of each item there is one, the latest: by time as in a fit, or in the order of recording if
        the data set has no times. Items that the data set does not know are left out.
        """
        entries = self._by_user.get(user, ())
        strengths = _strengths(data, [(user, entry) for entry in entries])
        return _lacking(data, user, entries, strengths)

    def extended(self, query: Query, data: Dataset) -> Query:
        """Return the query with the interactions of its user that a data set lacks.

        They go before the history of the query, whose weights count for items in both. A user whom
        the data set lacks becomes a history without a user.
        """
        if query.user is None or query.user not in self._by_user:
            return query
        missing = self.lacking(data, query.user)
        if not missing:
            return query
        own = query.weighted_by(data.typical_weight)
        own |= {item: -weight for item, weight in query.dislikes.items()}
        earlier = {item: each.strength for item, each in missing.items() if item not in own}
        user = query.user if query.user in data.users else None
        return replace(query, user=user, history=earlier | own)

    def takers(self, data: Dataset, item: Id) -> set[Id]:
        """Return the users with an interaction with an item that a data set lacks."""
        return {
            user
            for user, entries in list(self._by_user.items())
            if any(entry.item_id == item for entry in entries) and item in self.lacking(data, user)
        }


def _by_user(
    rows: Iterable[Recorded], record_ids: Iterable[int]
) -> dict[Id, list[RecentInteraction]]:
    by_user: dict[Id, list[RecentInteraction]] = {}
    for row, number in zip(rows, record_ids, strict=True):
        entry = RecentInteraction(row.item_id, row.weight, row.time, number)
        by_user.setdefault(row.user_id, []).append(entry)
    return by_user


def _time(entry: RecentInteraction) -> dt.datetime:
    return entry.time


def _latest_few(entries: Sequence[RecentInteraction]) -> list[RecentInteraction]:
    """Return the last few interactions with each item."""
    seen, kept = Counter[Id](), list[RecentInteraction]()
    for entry in reversed(entries):
        seen[entry.item_id] += 1
        if seen[entry.item_id] <= _MOST_OF_ITEM:
            kept.append(entry)
    return kept


def _strengths(
    data: Dataset, entries: Sequence[tuple[Id, RecentInteraction]]
) -> Sequence[float | None]:
    """Return how much interactions of users count by the rules that a data set was read with."""
    if data.counting is None or not entries:
        return [entry.weight for _, entry in entries]
    return data.counting.strengths(_table(entries))


def unapplied_rules(data: Dataset) -> list[str]:
    """Return which rules of a data set cannot be applied to recorded interactions."""
    if data.counting is None:
        return []
    example = RecentInteraction(data.items.ids[0].as_py(), 1.0, dt.datetime.now(dt.UTC), 0)
    return data.counting.not_applied(_table([(data.users.ids[0].as_py(), example)]))


def _table(entries: Sequence[tuple[Id, RecentInteraction]]) -> pa.Table:
    columns = {
        "user_id": pa.array([user for user, _ in entries]),
        "item_id": pa.array([entry.item_id for _, entry in entries]),
        "weight": pa.array([entry.weight for _, entry in entries], pa.float32()),
        "time": pa.array([entry.time for _, entry in entries], pa.timestamp("us", "UTC")),
    }
    return pa.table(columns)


def _lacking(
    data: Dataset,
    user: Id,
    entries: Sequence[RecentInteraction],
    strengths: Iterable[float | None],
) -> dict[Id, Unfitted]:
    """Return the latest interaction with each known item if a data set lacks it.

    A data set has it if it has the pair from a later time, or from this time with this strength.
    """
    counted = [
        Unfitted(entry, strength)
        for entry, strength in zip(entries, strengths, strict=True)
        if strength is not None
    ]
    if data.times is not None:
        counted.sort(key=lambda each: each.entry.time)  # stable: of one time, the last recorded
    latest: dict[Id, Unfitted] = {}
    for each in counted:
        latest.pop(each.entry.item_id, None)
        latest[each.entry.item_id] = each
    row = int(data.users.rows([user])[0])
    fitted: dict[int, tuple[float, int | None]] = {}
    if row != UNKNOWN:
        fitted = _pairs(data, row, 1)
        if data.dislikes is not None:
            fitted |= _pairs(data.dislikes, row, -1)
    rows = data.items.rows(latest).tolist()
    return {
        item: each
        for (item, each), item_row in zip(latest.items(), rows, strict=True)
        if item_row != UNKNOWN and not _is_fitted(each, fitted.get(item_row))
    }


def _pairs(data: Dataset, user: int, sign: int) -> dict[int, tuple[float, int | None]]:
    """Return the weight, with a sign, and the time of each item of a user, by row."""
    span = slice(int(data.matrix.indptr[user]), int(data.matrix.indptr[user + 1]))
    weights = (sign * data.weights[span]).tolist()
    times = [None] * len(weights) if data.times is None else data.times[span].tolist()
    pairs = zip(weights, times, strict=True)
    return dict(zip(data.item_rows[span].tolist(), pairs, strict=True))


def _is_fitted(recorded: Unfitted, fitted: tuple[float, int | None] | None) -> bool:
    if fitted is None:
        return False
    strength, time = fitted
    same = abs(strength - recorded.strength) <= 1e-5 * max(1.0, abs(strength))
    if time is None:
        return same
    passed = moment(recorded.entry.time) - time  # microseconds
    rounded = _SECOND if time % DAY else DAY  # a table may keep seconds only, or days
    return passed < 0 or (same and passed < rounded)
