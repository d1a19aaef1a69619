"""Pieces of work on this machine, one after another; within one, kernels use all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from shortlist.engine.base import Engine

P = TypeVar("P")
T = TypeVar("T")


class LocalEngine(Engine):
    """Runs a task over pieces of work, one after another, on this machine.

    Parameters
    ----------
    block_bytes
        The most memory that the rows of a block may take. None: 64 MiB, except where a task wants
        more rows.

    Examples
    --------
    >>> list(LocalEngine(block_bytes=80).map_rows(len, n_rows=25, bytes_per_row=8, description=""))
    [10, 10, 5]
    """

    def __init__(self, block_bytes: int | None = None) -> None:
        self.block_bytes = block_bytes

    def map(
        self, task: Callable[[P], T], pieces: Sequence[P], bytes_each: int, description: str
    ) -> Iterator[T]:
        """Yield the result of the task for each piece; it runs when its result is asked for."""
        return map(task, pieces)
