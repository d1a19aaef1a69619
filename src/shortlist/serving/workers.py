"""Threads for slow calls, which stop once their result is no longer wanted.

A thread cannot be interrupted from outside. Its work looks at a signal between two blocks of rows
or two items of a list, and raises :class:`WorkStoppedError` if the signal is set.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

from shortlist import engine
from shortlist.serving.errors import OverloadedError

P = TypeVar("P")
T = TypeVar("T")

_NEVER = threading.Event()
_stop_signal: ContextVar[threading.Event] = ContextVar("stop signal", default=_NEVER)


class WorkStoppedError(Exception):
    """The work was stopped because its request has ended."""


def check_stopped() -> None:
    """Raise WorkStoppedError if the request of the current work has ended."""
    if _stop_signal.get().is_set():
        raise WorkStoppedError


class StoppableEngine(engine.LocalEngine):
    """An engine that looks at the signal before each piece of work."""

    def map(
        self, task: Callable[[P], T], pieces: Sequence[P], bytes_each: int, description: str
    ) -> Iterator[T]:
        """Yield the result of the task for each piece; it runs when its result is asked for."""

        def stoppable(piece: P) -> T:
            check_stopped()
            return task(piece)

        return super().map(stoppable, pieces, bytes_each, description)


class WorkerPool:
    """Threads with a bounded queue: at most ``limit`` calls run or wait.

    If the task that waits for a call is cancelled, the call does not begin, or stops where it calls
    :func:`check_stopped`.
    """

    def __init__(self, threads: int, limit: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._limit, self._count = limit, 0
        self._lock = threading.Lock()  # of the count

    async def run(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Make a call in a thread, in the context of the caller."""
        if self._count >= self._limit:
            raise OverloadedError(f"{self._count} slow requests wait already")
        signal, context = threading.Event(), copy_context()
        context.run(_stop_signal.set, signal)

        def stoppable() -> T:
            check_stopped()
            with engine.use(StoppableEngine()):
                return call(*arguments, **named)

        with self._lock:
            self._count += 1
        future = self._pool.submit(context.run, stoppable)
        future.add_done_callback(self._finished)  # a call that was cancelled may still run
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            signal.set()
            raise

    def _finished(self, _: Any) -> None:
        with self._lock:
            self._count -= 1

    def stop(self) -> None:
        """Finish the calls, then stop."""
        self._pool.shutdown(cancel_futures=True)


def deliver(outcomes: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    """Set the results or the exceptions of futures, in their event loop."""
    outcomes[0][0].get_loop().call_soon_threadsafe(_set, outcomes)


def _set(outcomes: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, outcome in outcomes:
        if future.done():  # the client has gone
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
