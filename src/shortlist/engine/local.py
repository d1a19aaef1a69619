"""Pieces of work on this machine, one after another; within one, kernels use all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from shortlist.engine.held import LocalHeld, State
from shortlist.engine.protocol import blocks_of, rows_per_block
from shortlist.progress import track

P = TypeVar("P")
T = TypeVar("T")
S = TypeVar("S", bound=State)


class LocalEngine:
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

    def map_rows(
        self,
        task: Callable[[range], T],
        n_rows: int,
        bytes_per_row: int,
        description: str,
        least: int = 1,
    ) -> Iterator[T]:
        """Yield the result of the task for each block, in the order of the rows."""
        size = rows_per_block(self.block_bytes, bytes_per_row, least)
        blocks = blocks_of(n_rows, size)
        results = self.map(task, blocks, size * bytes_per_row, description)
        return track(results, description, len(blocks))

    def hold(
        self, cut: Callable[[range], S], work: Sequence[int]
    ) -> AbstractContextManager[LocalHeld[S]]:
        """Hold all shards as one state, in this process."""
        return nullcontext(LocalHeld(cut(range(len(work)))))
