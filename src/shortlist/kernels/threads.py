"""Blocks of rows, side by side in ordinary threads.

Kernels release the interpreter lock, so plain threads keep every core busy. Against Numba's own
``prange`` this compiles in a fraction of the time, needs no threading layer (one of which ends the
process when two server threads call it at once, another after a fork), and can be interrupted.
A thread takes the next block when it is done with its last, so long rows do not pile up on one. The
calling thread works too, and the others are kept for the next call: a kernel that takes half a
millisecond does not wait for threads to start.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

from numba.core import config

_limit: ContextVar[int | None] = ContextVar("shortlist_thread_limit", default=None)


def thread_count() -> int:
    """Return how many threads kernels use now.

    That is every core this process may use, or ``NUMBA_NUM_THREADS`` where the environment sets
    it, or what the innermost :func:`thread_limit` says.
    """
    limit = _limit.get()
    if limit is not None:
        return limit
    return int(config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


@contextmanager
def thread_limit(count: int) -> Iterator[None]:
    """Let the kernels called inside use at most ``count`` threads. Results do not change.

    Examples
    --------
    >>> with thread_limit(1):
    ...     thread_count()
    1
    """
    token = _limit.set(count)
    try:
        yield
    finally:
        _limit.reset(token)


def over_rows(work: Callable[[int, int], None], n_rows: int, block: int) -> None:
    """Call ``work(start, stop)`` for every block of at most ``block`` rows, side by side.

    Parameters
    ----------
    work
        Handles rows ``start`` to ``stop - 1``; writes to those rows of its results only.
    n_rows, block
        How many rows there are, and how many a call gets at most.

    Examples
    --------
    >>> with thread_limit(1):
    ...     over_rows(lambda start, stop: print(start, stop), n_rows=5, block=2)
    0 2
    2 4
    4 5
    """
    starts = iter(range(0, n_rows, block))
    taking = threading.Lock()

    def take_blocks() -> None:
        while True:
            with taking:
                start = next(starts, None)
            if start is None:
                return
            work(start, min(start + block, n_rows))

    workers = min(thread_count(), -(-n_rows // block))
    helping = [_helpers().submit(take_blocks) for _ in range(workers - 1)]
    try:
        take_blocks()
    finally:
        # After an error or an interrupt the other threads stop at their next block. Those that
        # have not begun (busy for another caller) are not waited for: there is nothing left to do.
        with taking:
            starts = iter(())
        for one in helping:
            if not one.cancel():
                one.result()


_pools: list[ThreadPoolExecutor] = []
_making = threading.Lock()
_MOST_HELPERS = 256


def _helpers() -> ThreadPoolExecutor:
    """Return the threads that help; each is started when no other is idle."""
    with _making:
        if not _pools:
            _pools.append(ThreadPoolExecutor(_MOST_HELPERS, thread_name_prefix="shortlist"))
        return _pools[0]


if hasattr(os, "register_at_fork"):  # a forked process has none of the threads
    os.register_at_fork(after_in_child=_pools.clear)


def share(n_rows: int, most: int, multiple: int = 1) -> int:
    """Return a block size: at most ``most`` rows, and small enough that every thread gets some.

    Examples
    --------
    >>> with thread_limit(2):
    ...     share(1000, most=96), share(20, most=96), share(20, most=96, multiple=6)
    (96, 10, 12)
    """
    each = -(-n_rows // thread_count())
    return max(1, min(most, -(-each // multiple) * multiple))
