"""Calls that take longer, in threads beside the event loop; only so many may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from shortlist.serving.troubles import OverloadedError

T = TypeVar("T")


class Lane:
    """A few threads with a bounded queue.

    Parameters
    ----------
    threads
        How many calls run side by side.
    most
        How many may run or wait; one more is refused.

    Examples
    --------
    >>> async def doubled():
    ...     return await Lane(threads=1, most=2).run(lambda value: 2 * value, 21)
    >>> asyncio.run(doubled())
    42
    """

    def __init__(self, threads: int, most: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="lane")
        self._most, self._count = most, 0

    async def run(self, call: Callable[..., T], *arguments: Any) -> T:
        """Make a call in a thread.

        Raises
        ------
        OverloadedError
            Too many wait already.
        """
        if self._count >= self._most:
            raise OverloadedError(f"{self._count} slow requests wait already")
        self._count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call, *arguments)
        finally:
            self._count -= 1

    def stop(self) -> None:
        """Finish what runs, then stop."""
        self._pool.shutdown()
