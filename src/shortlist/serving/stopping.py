"""Stopping work in a thread once nobody waits for its result.

A thread cannot be interrupted from outside. Its work looks at a signal between two blocks of rows
or two items of a list, and raises :class:`WorkStoppedError` if the signal is set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TypeVar

from shortlist.engine import LocalEngine

T = TypeVar("T")


class WorkStoppedError(Exception):
    """The work was stopped because its request has ended."""


class StopSignal:
    """The signal of one call.

    Examples
    --------
    >>> signal = StopSignal()
    >>> signal.check()
    >>> signal.stop()
    >>> signal.check()
    Traceback (most recent call last):
    shortlist.serving.stopping.WorkStoppedError
    """

    def __init__(self) -> None:
        self._stopped = False

    def stop(self) -> None:
        """Set the signal."""
        self._stopped = True

    def check(self) -> None:
        """Raise WorkStoppedError if the signal is set."""
        if self._stopped:
            raise WorkStoppedError


_current: ContextVar[StopSignal | None] = ContextVar("stop signal", default=None)


def use_signal(signal: StopSignal) -> None:
    """Let :func:`check_stopped` look at this signal in the current context."""
    _current.set(signal)


def check_stopped() -> None:
    """Raise WorkStoppedError if the request of the current work has ended."""
    signal = _current.get()
    if signal is not None:
        signal.check()


class StoppableEngine(LocalEngine):
    """An engine that looks at a signal before each block of rows."""

    def __init__(self, signal: StopSignal) -> None:
        super().__init__()
        self._signal = signal

    def map_rows(
        self, task: Callable[[range], T], n_rows: int, bytes_per_row: int, description: str
    ) -> Iterator[T]:
        """Yield the task's result for each block, in the order of the rows."""

        def stoppable(block: range) -> T:
            self._signal.check()
            return task(block)

        return super().map_rows(stoppable, n_rows, bytes_per_row, description)
