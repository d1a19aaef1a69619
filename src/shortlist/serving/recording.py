"""New interactions: written to the database, and kept in memory so that lists consider them.

The memory holds the interactions that at least one bundle was not fitted on.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import queue
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

from shortlist.data.dataset import Dataset
from shortlist.data.store.library_tables import Recorded
from shortlist.data.store.store import Store
from shortlist.data.vocabulary import UNKNOWN, Id
from shortlist.errors import InputError, ShortlistError
from shortlist.recommend.query import Query
from shortlist.serving.errors import OverloadedError
from shortlist.serving.limits import Limits
from shortlist.serving.metrics import Metrics

_IDLE_SECONDS = 1.0  # after which the file is closed, so that other programs can fit on it
_OPEN_SECONDS = 5.0  # to wait for another program that has the file open
_MAX_TRANSACTION = 10_000  # interactions


class RecentInteraction(NamedTuple):
    """The latest interaction of a user with an item."""

    weight: float
    time: dt.datetime


class RecentInteractions:
    """Interactions in memory that at least one bundle was not fitted on.

    Parameters
    ----------
    capacity
        The largest number of interactions.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._by_user: dict[Id, dict[Id, RecentInteraction]] = {}
        self._count = 0
        self._lock = threading.Lock()  # of changes; readers need none

    def __len__(self) -> int:
        return self._count

    def require_room(self, count: int) -> None:
        """Check that there is room for more interactions.

        Raises
        ------
        OverloadedError
            There is no room.
        """
        if self._count + count > self._capacity:
            raise OverloadedError(
                f"{self._count} interactions were recorded since the bundle was fitted; "
                "fit it again"
            )

    def add(self, rows: Iterable[Recorded]) -> None:
        """Add recorded interactions; a later interaction with the same item replaces the former."""
        with self._lock:
            for row in rows:
                items = dict(self._by_user.get(row.user_id, {}))
                self._count -= items.pop(row.item_id, None) is not None
                items[row.item_id] = RecentInteraction(row.weight, row.time)  # the latest is last
                self._by_user[row.user_id] = items  # a new dict: readers need no lock
                self._count += 1

    def drop_fitted(self, datasets: Iterable[Dataset]) -> None:
        """Drop the interactions that all of these data sets contain."""
        fitted = list(datasets)
        for user in self.users():
            with self._lock:  # taken for each user, so that no request waits for the whole loop
                items = self._by_user[user]
                missing = {item for data in fitted for item in not_in(data, user, items)}
                kept = {item: latest for item, latest in items.items() if item in missing}
                self._count -= len(items) - len(kept)
                self._by_user[user] = kept
                if not kept:
                    del self._by_user[user]

    def of(self, user: Id) -> dict[Id, RecentInteraction]:
        """Return the interactions of a user by item, the latest last."""
        return self._by_user.get(user, {})

    def users(self) -> list[Id]:
        """Return the users with interactions in memory."""
        return list(self._by_user)

    def extended(self, query: Query, data: Dataset) -> Query:
        """Return the query with the interactions of its user that a data set lacks.

        They go before the history of the query, whose weights count for items in both. A user whom
        the data set lacks becomes a history without a user.
        """
        if query.user is None or not (items := self._by_user.get(query.user)):
            return query
        missing = not_in(data, query.user, items)
        if not missing:
            return query
        own = query.weights
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


_Request: TypeAlias = tuple[Sequence[Recorded], "asyncio.Future[None]"]


class Recorder:
    """Writes interactions in its own thread; a request is answered once its rows are on disk.

    The requests that wait are written in one transaction.

    Parameters
    ----------
    database
        The store. It is open only during writing, so that other programs can read it.
    recent
        The memory that the rows are added to.
    limits, metrics
        How many requests may wait; where rows are counted.

    Attributes
    ----------
    location
        The store as messages may show it: without a user or a password.

    Raises
    ------
    InputError
        It is not a store, or it cannot hold interactions.
    """

    def __init__(
        self,
        database: str | Path,
        recent: RecentInteractions,
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        self._database, self._recent, self._metrics = database, recent, metrics
        with Store(database, read_only=True) as store:
            recent.add(store.recorded())
            self.location = store.place
        self._requests: queue.Queue[_Request | None] = queue.Queue(limits.slow)
        self._store: Store | None = None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start to write for the requests of an event loop."""
        self._loop = loop
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, close the store, and stop."""
        self._requests.put(None)
        self._thread.join()

    def submit(self, rows: Sequence[Recorded]) -> asyncio.Future[None]:
        """Queue rows; the future is done when they are on disk and in memory.

        Raises
        ------
        OverloadedError
            Too many requests wait already, or the memory has no room for more rows.
        """
        self._recent.require_room(len(rows))
        done: asyncio.Future[None] = self._loop.create_future()
        try:
            self._requests.put_nowait((rows, done))
        except queue.Full:
            raise OverloadedError("too many interactions wait to be written") from None
        return done

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
                count += len(taken[-1][0])
                taken.append(self._requests.get())
            running = taken[-1] is not None
            self._write([request for request in taken if request is not None])
        self._close()

    def _write(self, requests: Sequence[_Request]) -> None:
        """Write requests in one transaction, or one by one if one of them is wrong."""
        try:
            self._record([row for rows, _ in requests for row in rows])
        except Exception as error:  # whatever it is, the requests are told
            if len(requests) > 1 and isinstance(error, InputError):
                for request in requests:
                    self._write([request])
                return
            if not isinstance(error, InputError):
                self._close()  # the next request opens the file again
            self._deliver(requests, error)
        else:
            self._deliver(requests, None)

    def _record(self, rows: Sequence[Recorded]) -> None:
        if not rows:
            return
        if self._store is None:
            self._store = self._open()
        self._store.record(rows)
        self._recent.add(rows)
        self._metrics.recorded.inc(len(rows))

    def _open(self) -> Store:
        deadline = time.monotonic() + _OPEN_SECONDS
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

    def _deliver(self, requests: Sequence[_Request], error: Exception | None) -> None:
        def deliver() -> None:
            for _, done in requests:
                if done.done():  # the client has gone
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)

        self._loop.call_soon_threadsafe(deliver)
