"""Interactions into the store, several requests in one transaction, and into memory after that."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from shortlist.data.store.library_tables import Recorded
from shortlist.data.store.store import Store
from shortlist.errors import InputError, ShortlistError
from shortlist.serving.limits import Limits
from shortlist.serving.metrics import Metrics
from shortlist.serving.recent import Recent
from shortlist.serving.troubles import OverloadedError

_IDLE_SECONDS = 1.0  # after which the file is closed, so that other programs can fit on it
_PATIENCE = 5.0  # seconds to wait for a program that has the file open
_TOGETHER = 10_000  # interactions in one transaction

_Work = tuple[Sequence[Recorded], "asyncio.Future[None]"]


class Recorder:
    """Writes in a thread of its own; a request is answered once its rows are on disk.

    Parameters
    ----------
    database
        The store. It is open only while something is written: others may read it meanwhile.
    recent
        What remembers the rows.
    limits, metrics
        How many may wait; where to count.

    Raises
    ------
    InputError
        It is no store, or cannot hold interactions.
    """

    def __init__(
        self, database: str | Path, recent: Recent, limits: Limits, metrics: Metrics
    ) -> None:
        self._database, self._recent, self._metrics = database, recent, metrics
        with Store(database, read_only=True) as store:
            recent.add(store.recorded())
            self.place = store.place  # what may be shown: a URL can hold a password
        self._work: queue.Queue[_Work | None] = queue.Queue(limits.slow)
        self._store: Store | None = None
        self._thread = threading.Thread(target=self._write_all, name="recorder", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to write for the requests of an event loop."""
        self._loop = loop
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, close the store, and stop."""
        self._work.put(None)
        self._thread.join()

    def submit(self, rows: Sequence[Recorded]) -> asyncio.Future[None]:
        """Line rows up; what comes back is done when they are on disk and in memory.

        Raises
        ------
        OverloadedError
            Too many requests wait already, or memory has no room for more.
        """
        self._recent.require_room(len(rows))
        done: asyncio.Future[None] = self._loop.create_future()
        try:
            self._work.put_nowait((rows, done))
        except queue.Full:
            raise OverloadedError("too many interactions wait to be written") from None
        return done

    def _write_all(self) -> None:
        going = True
        while going:
            try:
                taken = [self._work.get(timeout=_IDLE_SECONDS if self._store else None)]
            except queue.Empty:
                self._close()
                continue
            count = 0
            while taken[-1] is not None and count < _TOGETHER and not self._work.empty():
                count += len(taken[-1][0])
                taken.append(self._work.get())
            going = taken[-1] is not None
            self._write([one for one in taken if one is not None])
        self._close()

    def _write(self, work: Sequence[_Work]) -> None:
        """Write all of it in one transaction, or each for itself if one of them is wrong."""
        try:
            self._record([row for rows, _ in work for row in rows])
        except Exception as error:  # a thread hands over whatever goes wrong
            if len(work) > 1 and isinstance(error, InputError):
                for one in work:
                    self._write([one])
                return
            if not isinstance(error, InputError):
                self._close()  # whatever is wrong with the file, the next try opens it afresh
            self._deliver(work, error)
        else:
            self._deliver(work, None)

    def _record(self, rows: Sequence[Recorded]) -> None:
        if not rows:
            return
        if self._store is None:
            self._store = self._opened()
        self._store.record(rows)
        self._recent.add(rows)
        self._metrics.recorded.inc(len(rows))

    def _opened(self) -> Store:
        deadline = time.monotonic() + _PATIENCE
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

    def _deliver(self, work: Sequence[_Work], error: Exception | None) -> None:
        def deliver() -> None:
            for _, done in work:
                if done.done():  # who asked has gone
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)

        self._loop.call_soon_threadsafe(deliver)
