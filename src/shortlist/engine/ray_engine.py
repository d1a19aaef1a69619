"""Pieces of work on a Ray cluster: bit for bit the same results as on this machine."""

from __future__ import annotations

import os
import pickle
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from shortlist import extras
from shortlist._version import __version__
from shortlist.engine.base import BLOCK_BYTES, Engine
from shortlist.engine.held import Held, State
from shortlist.engine.ray_errors import cause_of, failed, lost, lost_too_often, refused, warn
from shortlist.engine.ray_held import ATTEMPTS, RayHeld
from shortlist.engine.ray_worker import DONE, RAISED, Outcome
from shortlist.engine.shipping import digest, serialize
from shortlist.errors import ConfigError, ShortlistError

P = TypeVar("P")
T = TypeVar("T")
S = TypeVar("S", bound=State)

_PER_WORKER = 4  # blocks for each worker, so that a slow one does not delay the rest
_FEWEST_ROWS = 64  # of a block: a smaller one costs more to send than to compute
_KEPT_TASKS = 4  # tasks whose arrays stay in the cluster, to be used again
_PATIENCE = 30.0  # seconds without a result after which the cluster is looked at


class RayEngine(Engine):
    """Runs a task over pieces of work on the workers of a Ray cluster.

    The arrays of a task are put into the object store once; all workers of a node share one copy.
    An array with the same content as an earlier one is not sent again. A piece whose worker died
    runs again on another one, and a warning says so.

    Parameters
    ----------
    address
        ``ray://host:port`` of a cluster. None: the cluster that ``RAY_ADDRESS`` names or that runs
        on this machine; else one that is started here and ends with this process.
    block_bytes
        The most memory that the rows of a block may take. None: 64 MiB, except where a task wants
        more rows.

    Raises
    ------
    ConfigError
        Ray is not installed, or this process is connected to another cluster.
    ShortlistError
        The cluster does not answer.
    """

    def __init__(self, address: str | None = None, *, block_bytes: int | None = None) -> None:
        extras.require("ray", "engine 'ray'")
        self.block_bytes = block_bytes
        self._ray = _connected(address)
        self._run = self._ray.remote(num_cpus=1, max_retries=0)(_by_value(__version__))
        self._kept: deque[dict[bytes, Any]] = deque(maxlen=_KEPT_TASKS)  # references by digest
        self._nodes, self._looked = [_Node(1, 0)], -np.inf

    def map(
        self, task: Callable[[P], T], pieces: Sequence[P], bytes_each: int, description: str
    ) -> Iterator[T]:
        """Yield the result of the task for each piece, in order.

        At most two pieces for each core are under way or wait to be asked for. Where there are
        fewer pieces than cores, each gets several. A single piece runs in this process, and so do
        pieces that need more memory than the smallest node has.
        """
        memory = bytes_each if bytes_each > BLOCK_BYTES else 0  # that Ray keeps free for a piece
        if len(pieces) < 2 or memory > min(node.memory for node in self._look()):
            yield from map(task, pieces)
            return
        submit = partial(self._submit, self._send(task, description), len(pieces), memory)
        waiting = iter(pieces)
        running: deque[Any] = deque()
        try:
            for number, piece in enumerate(pieces):
                room = max(0, 2 * self._count_workers() - len(running))
                running.extend(map(submit, islice(waiting, room)))
                what = f"{description}: {_called(piece, number, len(pieces))}"
                yield self._result(running, partial(submit, piece), what, description)
        finally:
            for reference in running:
                self._ray.cancel(reference)

    def block_rows(self, n_rows: int, bytes_per_row: int, least: int) -> int:
        """Return how many rows a block has: so few that every worker gets several blocks."""
        fair = max(_FEWEST_ROWS, -(-n_rows // (_PER_WORKER * self._count_workers())))
        return min(super().block_rows(n_rows, bytes_per_row, least), fair)

    @contextmanager
    def hold(self, cut: Callable[[range], S], work: Sequence[int]) -> Iterator[Held[S]]:
        """Hold shards on the nodes, an actor on each with all its cores; a single one here."""
        if len(work) < 2:
            with super().hold(cut, work) as here:
                yield here
            return
        held = RayHeld(self._ray, cut, work)
        try:
            yield held
        finally:
            held.close()

    def _look(self) -> list[_Node]:
        """Return the nodes that have cores; or, without any, one of the size that may join."""
        if time.monotonic() - self._looked > 1:
            resources = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            found = [_Node(int(each.get("CPU", 0)), each.get("memory", 0)) for each in resources]
            self._nodes = [node for node in found if node.cores > 0] or [_Node(1, np.inf)]
            self._looked = time.monotonic()
        return self._nodes

    def _count_workers(self) -> int:
        """Return the number of cores of the cluster, which may grow and shrink."""
        return sum(node.cores for node in self._look())

    def _send(self, task: Callable[[Any], Any], description: str) -> tuple[Any, ...]:
        """Put a task into the object store; return the arguments of its pieces."""
        head, buffers = serialize(task, self._ray.cloudpickle.dumps)
        parts = [np.frombuffer(head, np.uint8), *buffers]
        digests = [digest(part) for part in parts]
        known = {key: reference for kept in self._kept for key, reference in kept.items()}
        used: dict[bytes, Any] = {}
        for key, part in zip(digests, parts, strict=True):
            if key not in used:
                used[key] = known[key] if key in known else self._put(part, description)
        self._kept.append(used)
        return digest(b"".join(digests)), *(used[key] for key in digests)

    def _put(self, part: Any, description: str) -> Any:
        try:
            return self._ray.put(part)
        except Exception as error:
            raise failed(self._ray, description, error) from error

    def _submit(self, arguments: tuple[Any, ...], n_pieces: int, memory: int, piece: Any) -> Any:
        key, *references = arguments
        cores = cores_each([node.cores for node in self._look()], n_pieces)
        run = self._run.options(num_cpus=cores, memory=memory or None)
        return run.remote(key, self._ray.cloudpickle.dumps(piece), cores, *references)

    def _result(
        self, running: deque[Any], submit: Callable[[], Any], what: str, description: str
    ) -> Any:
        """Return the result of the first running piece, which runs again if its worker dies."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                kind, content = self._wait_for(running[0], description)
            except lost(self._ray) as error:
                if attempt == ATTEMPTS:
                    raise lost_too_often(what, error, ATTEMPTS) from error
                warn(
                    f"{what} lost to {cause_of(error)}; running again "
                    f"(attempt {attempt + 1} of {ATTEMPTS})"
                )
                running[0] = submit()
            except Exception as error:
                raise failed(self._ray, description, error) from error
            else:
                break
        running.popleft()
        if kind == DONE:
            return pickle.loads(content)  # noqa: S301 - from a worker of this run
        if kind == RAISED:
            raise pickle.loads(content)  # noqa: S301 - from a worker of this run
        raise refused(content)

    def _wait_for(self, reference: Any, description: str) -> Any:
        reported = False
        while not self._ray.wait([reference], timeout=_PATIENCE)[0]:
            if not reported and self._ray.cluster_resources().get("CPU", 0) < 1:
                warn(f"{description}: no node has a core; waiting for one to join")
                reported = True
        return self._ray.get(reference)


class _Node(NamedTuple):
    cores: int
    memory: float  # bytes


def cores_each(nodes: Sequence[int], n_pieces: int) -> int:
    """Return how many cores each piece gets, so that all run at a time on any of the nodes.

    >>> cores_each([16, 16], 5), cores_each([16, 16], 100), cores_each([8, 2], 2)
    (5, 1, 2)
    """
    most = range(min(nodes), 1, -1)
    return next((n for n in most if sum(cores // n for cores in nodes) >= n_pieces), 1)


def _called(piece: Any, number: int, n_pieces: int) -> str:
    """Return what a message calls a piece, and its verb."""
    if isinstance(piece, range):
        return f"rows {piece.start} to {piece.stop - 1} were"
    return f"part {number + 1} of {n_pieces} was"


def _by_value(version: str) -> Callable[..., Outcome]:
    """Return the function that Ray sends to workers by value: it explains a missing library."""

    def run_block(
        key: bytes, content: bytes, threads: int, head: Any, *buffers: NDArray[np.uint8]
    ) -> Outcome:
        import signal
        import socket

        # To cancel a piece Ray interrupts it. An interrupted import would leave halves of modules
        # in this process, which the next piece would stumble over: the interrupt waits for its end.
        interrupts: list[int] = []
        before = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
        node = socket.gethostname()
        try:
            from shortlist._version import __version__
            from shortlist.engine.ray_worker import run, take

            if __version__ != version:
                return "refused", f"node {node} has shortlist {__version__}, and this is {version}"
            refused, piece = take(key, content, head, buffers)
        except ImportError as error:
            return "refused", f"node {node} cannot import shortlist ({error})"
        finally:
            signal.signal(signal.SIGINT, before)
        if interrupts:
            raise KeyboardInterrupt
        return refused or run(key, piece, threads)

    return run_block


_addresses: list[str | None] = []  # that this process has connected to


def _connected(address: str | None) -> Any:
    """Connect this process to a cluster, unless it is connected; return the module ``ray``."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to Ray's makers
    import ray  # slow to import
    import ray.cloudpickle
    import ray.util.scheduling_strategies

    if ray.is_initialized():
        if address is not None and address not in _addresses:
            raise ConfigError(
                f"this process is connected to another Ray cluster than {address}",
                remedy="call ray.shutdown() first, or write engine='ray' to use that cluster",
            )
        return ray
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise ShortlistError(
            f"no Ray cluster answers at {address or 'this machine'}: {cause_of(error)}",
            remedy="check the address and the port (10001 unless --ray-client-server-port is "
            "given); if the cluster asks for a token, set RAY_AUTH_MODE=token",
        ) from error
    _addresses[:] = [address]
    return ray
