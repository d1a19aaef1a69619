"""New interactions, written to the database in a thread of their own."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from shortlist.data.dataset import Dataset
from shortlist.data.store.recorded import Recorded, SkippedLinesWarning
from shortlist.data.store.store import Store
from shortlist.errors import DatabaseError, InputError, ShortlistError
from shortlist.serving.errors import OverloadedError
from shortlist.serving.limits import Limits
from shortlist.serving.metrics import Metrics
from shortlist.serving.recent import RecentInteractions
from shortlist.serving.workers import deliver

log = logging.getLogger("shortlist.serving")

_IDLE_SECONDS = 1.0  # after which the file is closed, so that other programs can fit on it
_OPEN_SECONDS = 5.0  # to wait for another program that has the file open
_STOPPING_OPEN_SECONDS = 1.0
_MAX_TRANSACTION = 10_000  # interactions


class _Request(NamedTuple):
    """Interactions to write, or the id of one to remove; and the future for the outcome."""

    rows: Sequence[Recorded]
    removed: int | None
    done: asyncio.Future[Any]


class Recorder:
    """Writes interactions in its own thread; a request is answered once its rows are on disk.

    The requests that wait are written in one transaction. The database is open only during writing,
    so that other programs can read it. The rows are added to ``recent`` as well, which begins with
    what the database has and the ``datasets`` of the bundles lack.
    """

    def __init__(
        self,
        database: str | Path,
        recent: RecentInteractions,
        datasets: Callable[[], Sequence[Dataset]],
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        self._database, self._recent, self._metrics = database, recent, metrics
        with Store(database, read_only=True) as store:
            with warnings.catch_warnings(record=True) as skipped:
                warnings.simplefilter("always", SkippedLinesWarning)
                journal = store.journal()
            recent.refill(journal, datasets())
            for warning in skipped:
                log.warning("%s: %s", store.place, warning.message)
            self.location = store.place  # without a user or a password
        self._datasets, self._refilling = datasets, threading.Event()
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

    def refill(self) -> None:
        """Fill the memory anew, soon: other bundles may lack what the former ones had."""
        self._refilling.set()

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
            self._refill()
            try:
                taken = [self._requests.get(timeout=_IDLE_SECONDS)]
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

    def _refill(self) -> None:
        """Fill the memory anew if a bundle was loaded; later if the database cannot be read now."""
        if not self._refilling.is_set():
            return
        self._refilling.clear()
        try:
            self._close()  # a file cannot be open to write and to read in one program
            with Store(self._database, read_only=True) as store:
                journal = store.journal()
            self._recent.refill(journal, self._datasets())
        except Exception as error:  # whatever it is, recording goes on
            log.debug("the recorded interactions could not be read: %s", error)
            self._refilling.set()

    def _answer(self, requests: Sequence[_Request]) -> None:
        """Write requests in one transaction, or one by one if one of them is wrong.

        Those whose client has gone are not written: it may have sent them again.
        """
        requests = [request for request in requests if not request.done.done()]
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
            if isinstance(error, DatabaseError):  # it is in use, full, or away: not a fault here
                log.warning("the interactions could not be written: %s", error.what)
                error = OverloadedError(error.what)
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
