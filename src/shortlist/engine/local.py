"""Blocks of rows on this machine, one after another; within a block kernels use all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

from shortlist.progress import track

T = TypeVar("T")

BLOCK_BYTES = 64 * 2**20  # memory of a block; larger than the caches, more gains nothing


class Engine(Protocol):
    """Runs a task over blocks of rows.

    A task is a pure function of a ``range`` of rows: it depends on nothing but its arguments, so
    neither the engine nor the block size changes a result.
    """

    def map_rows(
        self, task: Callable[[range], T], n_rows: int, bytes_per_row: int, description: str
    ) -> Iterator[T]:
        """Yield the result of the task for each block, in the order of the rows.

        Parameters
        ----------
        task
            Is called with the rows of a block.
        n_rows, bytes_per_row
            The number of rows, and the memory that one takes while the task runs.
        description
            What the progress bar says.
        """
        ...


class LocalEngine:
    """Runs a task over blocks of rows, one after another, on this machine.

    Parameters
    ----------
    block_bytes
        The most memory that the rows of a block may take.

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
        """Yield the result of the task for each block, in the order of the rows."""
        size = max(1, self.block_bytes // max(1, bytes_per_row))
        blocks = [range(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]
        for block in track(blocks, description):
            yield task(block)


_current: ContextVar[Engine] = ContextVar("engine", default=LocalEngine())  # noqa: B039 - stateless


def current() -> Engine:
    """Return the engine in use."""
    return _current.get()


@contextmanager
def use(engine: Engine) -> Iterator[None]:
    """Use an engine for everything inside the ``with`` block."""
    token = _current.set(engine)
    try:
        yield
    finally:
        _current.reset(token)
