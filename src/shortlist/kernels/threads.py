"""Blocks of rows, side by side in ordinary threads.

Kernels release the interpreter lock, so plain threads keep all cores busy. Compared with Numba's
``prange`` this compiles in a fraction of the time, can be interrupted, and needs no threading layer
(one of these ends the process when two server threads call it at once, another after a fork).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVarTuple

from numba.core import config

Ts = TypeVarTuple("Ts")

_MOST_HELPERS = 256
_limit: ContextVar[int | None] = ContextVar("shortlist_thread_limit", default=None)
_pools: list[ThreadPoolExecutor] = []  # one, once a thread was needed
_creating = threading.Lock()


def thread_count() -> int:
    """Return how many threads kernels use now.

    That is the limit of the innermost :func:`thread_limit`; else ``NUMBA_NUM_THREADS`` where the
    environment sets it; else every core this process may use.
    """
    limit = _limit.get()
    if limit is not None:
        return limit
    return int(config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


@contextmanager
def thread_limit(count: int) -> Iterator[None]:
    """Let the kernels called inside use at most ``count`` threads. Results do not change."""
    token = _limit.set(count)
    try:
        yield
    finally:
        _limit.reset(token)


def over_rows(
    work: Callable[[int, int, *Ts], None],
    n_rows: int,
    most: int,
    *args: *Ts,
    multiple: int = 1,
    least: int = 1,
) -> None:
    """Call ``work(start, stop, *args)`` for every block of at most ``most`` rows, side by side.

    Each call writes to its own rows of the results only. Every thread gets a block of at least
    ``least`` rows, so that waking threads up costs less than the work; the size of a block is a
    ``multiple`` where that does not exceed ``most``.
    """
    each = max(least, -(-n_rows // thread_count()))
    block = max(1, min(most, -(-each // multiple) * multiple))
    starts = iter(range(0, n_rows, block))  # taken one by one: long rows do not delay the rest
    taking = threading.Lock()

    def take_blocks() -> None:
        while True:
            with taking:
                start = next(starts, None)
            if start is None:
                return
            work(start, min(start + block, n_rows), *args)

    workers = min(thread_count(), -(-n_rows // block))
    helpers = [_pool().submit(take_blocks) for _ in range(workers - 1)]
    try:
        take_blocks()
    finally:
        # After an error or an interrupt the other threads stop at their next block. Helpers that
        # have not begun (the pool is busy) are cancelled: there is nothing left for them to do.
        with taking:
            starts = iter(())
        for helper in helpers:
            if not helper.cancel():
                helper.result()


def _pool() -> ThreadPoolExecutor:
    """Return the helper threads, which are kept: starting them can take longer than a kernel."""
    with _creating:
        if not _pools:
            _pools.append(ThreadPoolExecutor(_MOST_HELPERS, thread_name_prefix="shortlist"))
        return _pools[0]


if hasattr(os, "register_at_fork"):  # a forked process has none of the threads
    os.register_at_fork(after_in_child=_pools.clear)
