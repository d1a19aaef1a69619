"""What an engine does: it runs tasks over pieces of work; some hold states that steps change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar, runtime_checkable

from shortlist.engine.held import Held, State

P = TypeVar("P")
T = TypeVar("T")
S = TypeVar("S", bound=State)

BLOCK_BYTES = 64 * 2**20  # memory of a block; larger than the caches, more gains nothing
FEWEST_QUERIES = 16  # scored together: each block may read all that a model has learned


class Engine(Protocol):
    """Runs a task over blocks of rows, or over other independent pieces of work.

    A task depends on nothing but its arguments, so neither the engine nor the block size changes a
    result.
    """

    def map(
        self, task: Callable[[P], T], pieces: Sequence[P], bytes_each: int, description: str
    ) -> Iterator[T]:
        """Yield the result of the task for each piece, in order.

        The task carries what all pieces need; pieces are small. ``bytes_each`` is the memory that
        one takes at most while the task runs, if it is known. Messages begin with the description.
        """
        ...

    def map_rows(
        self,
        task: Callable[[range], T],
        n_rows: int,
        bytes_per_row: int,
        description: str,
        least: int = 1,
    ) -> Iterator[T]:
        """Yield the result of the task for each block, a ``range``, in the order of the rows.

        ``bytes_per_row`` is the memory that a row takes while the task runs. A block has at least
        ``least`` rows, unless the engine was given a size. The progress bar shows the description.
        """
        ...


@runtime_checkable
class HoldingEngine(Engine, Protocol):
    """Also holds states, which steps change where they are."""

    def hold(
        self, cut: Callable[[range], S], work: Sequence[int]
    ) -> AbstractContextManager[Held[S]]:
        """Hold shards of the rows until the end of the ``with`` block.

        ``cut(shards)`` returns the state of some consecutive shards. It is called in this process;
        the state then lives where it is held. ``work`` is that of each shard, such as its number of
        interactions.
        """
        ...


def rows_per_block(block_bytes: int | None, bytes_per_row: int, least: int) -> int:
    """Return how many rows fit into ``block_bytes``; None: into 64 MiB, but at least some."""
    if block_bytes is None:
        return max(least, BLOCK_BYTES // max(1, bytes_per_row))
    return max(1, block_bytes // max(1, bytes_per_row))


def blocks_of(n_rows: int, size: int) -> list[range]:
    """Cut rows into blocks of ``size``; the last one may be shorter."""
    return [range(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]
