"""Row-blocks on this machine, one after another; the kernels use all its cores within a block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

from shortlist.progress import track

T = TypeVar("T")

BLOCK_BYTES = 64 * 2**20  # what a block may take; beyond the caches, larger blocks gain nothing


class Engine(Protocol):
    """Runs a task over blocks of rows.

    A task is a pure function of a ``range`` of rows that depends on nothing but its arguments, so
    that neither the engine nor the block size changes a result.
    """

    def map_rows(
        self, task: Callable[[range], T], n_rows: int, bytes_per_row: int, description: str
    ) -> Iterator[T]:
        """Yield the task's result for each block, in the order of the rows."""
        ...


class LocalEngine:
    """Blocks one after another on this machine.

    Parameters
    ----------
    block_bytes
        How much memory the rows of one block may take together.

    Examples
    --------
    >>> list(LocalEngine(block_bytes=80).map_rows(len, n_rows=25, bytes_per_row=8, description=""))
    [10, 10, 5]
    """

    def __init__(self, block_bytes: int = BLOCK_BYTES) -> None:
        self.block_bytes = block_bytes

    def map_rows(
        self, task: Callable[[range], T], n_rows: int, bytes_per_row: int, description: str
    ) -> Iterator[T]:
        """Yield the task's result for each block, in the order of the rows."""
        size = max(1, self.block_bytes // max(1, bytes_per_row))
        blocks = [range(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]
        for block in track(blocks, description):
            yield task(block)


_current: ContextVar[Engine] = ContextVar("engine", default=LocalEngine())  # noqa: B039 - stateless


def current() -> Engine:
    """Give the engine in use."""
    return _current.get()


@contextmanager
def use(engine: Engine) -> Iterator[None]:
    """Run everything inside the block on this engine."""
    token = _current.set(engine)
    try:
        yield
    finally:
        _current.reset(token)
