"""What an engine does: it runs tasks over pieces of work, and holds states that steps change.

The local engine runs pieces one after another; within one, kernels use all cores.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from shortlist.engine.held import Held, State
from shortlist.progress import track

P = TypeVar("P")
T = TypeVar("T")
S = TypeVar("S", bound=State)

BLOCK_BYTES = 64 * 2**20  # memory of a block; larger than the caches, more gains nothing
FEWEST_QUERIES = 16  # scored together: each block may read all that a model has learned


class Engine(ABC):
    """Runs a task over blocks of rows, or over other independent pieces of work.

    A task depends on nothing but its arguments, so neither the engine nor the block size changes a
    result. ``block_bytes`` is the most memory that the rows of a block may take; None: 64 MiB,
    except where a task wants more rows.
    """

    block_bytes: int | None = None

    @abstractmethod
    def map(
        self, task: Callable[[P], T], pieces: Sequence[P], bytes_each: int, description: str
    ) -> Iterator[T]:
        """Yield the result of the task for each piece, in order.

        The task carries what all pieces need; pieces are small. ``bytes_each`` is the memory that
        one takes at most while the task runs, if it is known. Messages begin with the description.
        """

    def block_rows(self, n_rows: int, bytes_per_row: int, least: int) -> int:
        """Return how many rows a block has; at least ``least``, unless ``block_bytes`` is given."""
        if self.block_bytes is None:
            return max(least, BLOCK_BYTES // max(1, bytes_per_row))
        return max(1, self.block_bytes // max(1, bytes_per_row))

    def map_rows(
        self,
        task: Callable[[range], T],
        n_rows: int,
        bytes_per_row: int,
        description: str,
        least: int = 1,
    ) -> Iterator[T]:
        """Yield the result of the task for each block, a ``range``, in the order of the rows.

        ``bytes_per_row`` is the memory that a row takes while the task runs. The progress bar shows
        the description.
        """
        size = self.block_rows(n_rows, bytes_per_row, least)
        blocks = [range(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]
        results = self.map(task, blocks, size * bytes_per_row, description)
        return track(results, description, len(blocks))

    def hold(
        self, cut: Callable[[range], S], work: Sequence[int]
    ) -> AbstractContextManager[Held[S]]:
        """Hold shards of the rows until the end of the ``with`` block: here all, in this process.

        ``cut(shards)`` returns the state of some consecutive shards. It is called in this process;
        the state then lives where it is held. ``work`` is that of each shard, such as its number of
        interactions.
        """
        return nullcontext(Held(cut(range(len(work)))))


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
