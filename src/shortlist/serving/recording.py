"""New interactions: written to the database, and kept in memory so that lists consider them.

The memory holds the interactions that at least one bundle was not fitted on.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import queue
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from shortlist.data.dataset import Dataset
from shortlist.data.store.recorded import Recorded, SkippedLinesWarning
from shortlist.data.store.store import Store
from shortlist.data.vocabulary import UNKNOWN, Id
from shortlist.errors import InputError, ShortlistError
from shortlist.recommend.query import Query
from shortlist.serving.errors import OverloadedError
from shortlist.serving.limits import Limits
from shortlist.serving.metrics import Metrics
from shortlist.serving.workers import deliver

log = logging.getLogger("shortlist.serving")

_IDLE_SECONDS = 1.0  # after which the file is closed, so that other programs can fit on it
_OPEN_SECONDS = 5.0  # to wait for another program that has the file open
_STOPPING_OPEN_SECONDS = 1.0
_MAX_TRANSACTION = 10_000  # interactions
_MOST_OF_ITEM = 9  # interactions of a user with an item


class RecentInteraction(NamedTuple):
    """An interaction of a user."""

    item_id: Id
    weight: float
    time: dt.datetime
    record_id: int | None  # in the database; None: it cannot be removed


class RecentInteractions:
    """At most ``capacity`` interactions in memory that at least one bundle was not fitted on.

    Of several interactions with an item the latest counts. Former ones are kept, because they count
    again if it is removed.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._by_user: dict[Id, Sequence[RecentInteraction]] = {}  # in the order of recording
        self._users: dict[int, Id] = {}  # by record_id
        self._count = 0  # of users and items
        self._lock = threading.Lock()  # of changes; readers need none

    def __len__(self) -> int:
        return self._count

    def require_room(self, count: int) -> None:
        """Check that there is room for more interactions."""
        if self._count + count > self._capacity:
            raise OverloadedError(
                f"{self._count} interactions were recorded since the bundle was fitted; "
                "fit it again"
            )

    def add(self, rows: Iterable[Recorded], record_ids: Iterable[int] = ()) -> None:
        """Add recorded interactions; without their ids in the database, they cannot be removed."""
        by_user: dict[Id, list[RecentInteraction]] = {}
        for row, number in zip_longest(rows, record_ids):
            entry = RecentInteraction(row.item_id, row.weight, row.time, number)
            by_user.setdefault(row.user_id, []).append(entry)
        with self._lock:
            for user, entries in by_user.items():
                self._replace(user, [*self._by_user.get(user, ()), *entries])

    def remove(self, record_id: int) -> None:
        """Remove an interaction, if it is in memory."""
        with self._lock:
            user = self._users.get(record_id)
            if user is not None:
                entries = self._by_user[user]
                self._replace(user, [entry for entry in entries if entry.record_id != record_id])

    def drop_fitted(self, datasets: Iterable[Dataset]) -> None:
        """Drop the interactions that all of these data sets contain."""
        fitted = list(datasets)
        for user in self.users():
            with self._lock:  # taken for each user, so that no request waits for the whole loop
                latest = self.of(user)
                missing = {item for data in fitted for item in not_in(data, user, latest)}
                entries = self._by_user.get(user, ())
                self._replace(user, [entry for entry in entries if entry.item_id in missing])

    def _replace(self, user: Id, entries: Sequence[RecentInteraction]) -> None:
        """Replace the interactions of a user; of each item, only the latest few are kept."""
        seen, kept = Counter[Id](), list[RecentInteraction]()
        for entry in reversed(entries):
            seen[entry.item_id] += 1
            if seen[entry.item_id] <= _MOST_OF_ITEM:
                kept.append(entry)
        self._count += len(seen) - len(self.of(user))
        for entry in self._by_user.get(user, ()):
            if entry.record_id is not None:
                self._users.pop(entry.record_id, None)
        self._users |= {entry.record_id: user for entry in kept if entry.record_id is not None}
        self._by_user[user] = kept[::-1]  # a new list: readers need no lock
        if not kept:
            del self._by_user[user]

    def of(self, user: Id) -> dict[Id, RecentInteraction]:
        """Return the latest interaction of a user with each item, the latest last."""
        latest: dict[Id, RecentInteraction] = {}
        for entry in self._by_user.get(user, ()):
            latest.pop(entry.item_id, None)
            latest[entry.item_id] = entry
        return latest

    def users(self) -> list[Id]:
        """Return the users with interactions in memory."""
        return list(self._by_user)

    def extended(self, query: Query, data: Dataset) -> Query:
        """Return the query with the interactions of its user that a data set lacks.

        They go before the history of the query, whose weights count for items in both. A user whom
        the data set lacks becomes a history without a user.
        """
        if query.user is None or query.user not in self._by_user:
            return query
        missing = not_in(data, query.user, self.of(query.user))
        if not missing:
            return query
        own = query.weights | {item: -weight for item, weight in query.dislikes.items()}
        earlier = {item: latest.weight for item, latest in missing.items() if item not in own}
        user = query.user if query.user in data.users else None
        return replace(query, user=user, history=earlier | own)


def not_in(
    data: Dataset, user: Id, items: dict[Id, RecentInteraction]
) -> dict[Id, RecentInteraction]:
    """Return the interactions with known items that a data set lacks or has another weight for."""
    row = int(data.users.rows([user])[0])
    fitted: dict[int, float] = {}
    if row != UNKNOWN:
        matrix = data.matrix
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        fitted = dict(zip(matrix.indices[span].tolist(), matrix.data[span].tolist(), strict=True))
    item_rows = data.items.rows(items).tolist()
    return {
        item: latest
        for (item, latest), item_row in zip(items.items(), item_rows, strict=True)
        if item_row != UNKNOWN and not _same_weight(fitted.get(item_row), latest.weight)
    }


def _same_weight(fitted: float | None, weight: float) -> bool:
    return fitted is not None and abs(fitted - weight) <= 1e-6 * max(1.0, abs(weight))


class _Request(NamedTuple):
    """Interactions to write, or the id of one to remove; and the future for the outcome."""

    rows: Sequence[Recorded]
    removed: int | None
    done: asyncio.Future[Any]


class Recorder:
    """Writes interactions in its own thread; a request is answered once its rows are on disk.

    The requests that wait are written in one transaction. The database is open only during writing,
    so that other programs can read it. The rows are added to ``recent`` as well.
    """

    def __init__(
        self, database: str | Path, recent: RecentInteractions, limits: Limits, metrics: Metrics
    ) -> None:
        self._database, self._recent, self._metrics = database, recent, metrics
        with Store(database, read_only=True) as store:
            with warnings.catch_warnings(record=True) as skipped:
                warnings.simplefilter("always", SkippedLinesWarning)
                journal = store.journal()
            recent.add(journal.values(), journal)
            for warning in skipped:
                log.warning("%s: %s", store.place, warning.message)
            self.location = store.place  # without a user or a password
        self._requests: queue.Queue[_Request | None] = queue.Queue(limits.slow)
        self._store: Store | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Start to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, close the store, and stop."""
        self._stopping = True
        self._requests.put(None)
        self._thread.join()

    def submit(self, rows: Sequence[Recorded]) -> asyncio.Future[list[int]]:
        """Queue rows; the future has their ids when they are on disk and in memory."""
        self._recent.require_room(len(rows))
        return self._queue(rows, None)

    def remove(self, record_id: int) -> asyncio.Future[bool]:
        """Queue a removal; the future tells whether there was such an interaction."""
        return self._queue((), record_id)

    def _queue(self, rows: Sequence[Recorded], removed: int | None) -> asyncio.Future[Any]:
        request = _Request(rows, removed, asyncio.get_running_loop().create_future())
        try:
            self._requests.put_nowait(request)
        except queue.Full:
            raise OverloadedError("too many interactions wait to be written") from None
        return request.done

    def _run(self) -> None:
        running = True
        while running:
            try:
                taken = [self._requests.get(timeout=_IDLE_SECONDS if self._store else None)]
            except queue.Empty:
                self._close()
                continue
            count = 0
            while taken[-1] is not None and count < _MAX_TRANSACTION and not self._requests.empty():
                count += max(1, len(taken[-1].rows))
                taken.append(self._requests.get())
            running = taken[-1] is not None
            requests = [request for request in taken if request is not None]
            self._answer([request for request in requests if request.removed is None])
            for request in requests:
                if request.removed is not None:
                    self._answer([request])
        self._close()

    def _answer(self, requests: Sequence[_Request]) -> None:
        """Write requests in one transaction, or one by one if one of them is wrong."""
        if not requests:
            return
        try:
            if self._store is None:
                self._store = self._open()
            outcomes = self._outcomes(requests, self._store)
        except Exception as error:  # whatever it is, the requests get it
            if not isinstance(error, InputError):
                self._close()  # the next request opens the file again
            elif len(requests) > 1:
                for request in requests:
                    self._answer([request])
                return
            outcomes = [error] * len(requests)
        deliver([(entry.done, outcome) for entry, outcome in zip(requests, outcomes, strict=True)])

    def _outcomes(self, requests: Sequence[_Request], store: Store) -> list[Any]:
        """Remove an interaction, or write those of several requests."""
        if (removed := requests[0].removed) is not None:
            was_there = store.unrecord(removed)
            self._recent.remove(removed)
            return [was_there]
        rows = [row for request in requests for row in request.rows]
        ids = store.record(rows)
        self._recent.add(rows, ids)
        self._metrics.recorded.inc(len(rows))
        left = iter(ids)
        return [list(islice(left, len(request.rows))) for request in requests]

    def _open(self) -> Store:
        seconds = _STOPPING_OPEN_SECONDS if self._stopping else _OPEN_SECONDS
        deadline = time.monotonic() + seconds
        while True:
            try:
                return Store(self._database)
            except ShortlistError as error:
                if time.monotonic() > deadline:
                    raise OverloadedError(error.what) from None
                time.sleep(0.05)

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
