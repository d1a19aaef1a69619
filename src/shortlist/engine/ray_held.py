"""States on the nodes of a Ray cluster: an actor on each node, with all its cores."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NoReturn, TypeVar

import numpy as np

from shortlist._version import __version__
from shortlist.engine.held import Held, State
from shortlist.engine.ray_errors import cause_of, failed, lost, lost_too_often, refused, warn
from shortlist.engine.ray_worker import DONE, RAISED
from shortlist.engine.shipping import serialize
from shortlist.errors import ShortlistError
from shortlist.progress import track

S = TypeVar("S", bound=State)
T = TypeVar("T")
Q = TypeVar("Q")
A = TypeVar("A")

ATTEMPTS = 4  # how often a step is tried while its workers die
_PATIENCE = 30.0  # seconds without an actor after which that is said


class _LostError(ShortlistError):
    """A node, or its actor, died."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"a state was lost to {cause_of(cause)}", remedy="run it again")
        self.cause = cause


class RayHeld(Held[S]):
    """States on the nodes of a cluster.

    What steps change is copied into the object store of the same node after each step. Where an
    actor dies, the step begins again from these copies, and a warning says so; where a node is gone
    with its copy, all steps are taken again on the other nodes.
    """

    def __init__(self, ray: Any, cut: Callable[[range], S], work: Sequence[int]) -> None:
        self._ray, self._cut, self._work = ray, cut, work
        self._actors: list[Any] = []
        self._nodes: dict[str, int] = {}
        self._kept: list[Any] = []  # of the last step
        self._text = "holding states"
        self._start()

    def __len__(self) -> int:
        return len(self._actors)

    def close(self) -> None:
        """Give the nodes back."""
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors = []

    def each(self, task: Callable[[S], T]) -> list[T]:
        """Return the result of the task for each state, in order."""
        head, buffers = serialize(task, self._ray.cloudpickle.dumps)
        parts = [self._put(head), *map(self._put, buffers)]
        running = [actor.call.remote("each", *parts) for actor in self._actors]
        return [self._content(reference) for reference in running]

    def add_up(
        self,
        add: Callable[[S, Q, A | None], A],
        questions: Sequence[Q],
        turn: Callable[[int, A], Q | None],
    ) -> None:
        """Pass each question along the nodes; an answer goes from one to the next, not here."""
        task = self._put(self._ray.cloudpickle.dumps(add))
        asked = {self._ask(task, question): n for n, question in enumerate(questions)}
        while asked:
            [reference], _ = self._ray.wait(list(asked), num_returns=1)
            number = asked.pop(reference)
            following = turn(number, self._content(reference))
            if following is not None:
                asked[self._ask(task, following)] = number

    def steps(
        self, step: Callable[[int, T], T], first: T, numbers: range, text: str
    ) -> Iterator[T]:
        """Yield the value after each step."""
        self._text, value, broken = text, first, False
        for number in track(numbers, text):
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    if broken:
                        value = self._begin_again(step, first, numbers, number, value)
                        broken = False
                    following = step(number, value)
                    if number != numbers[-1]:
                        self._keep()
                    break
                except _LostError as error:
                    what = f"{text}: step {number} of {numbers[-1]}"
                    if attempt == ATTEMPTS:
                        raise lost_too_often(f"{what} was", error.cause, ATTEMPTS) from error
                    warn(
                        f"{what} was lost to {cause_of(error.cause)}; it runs again "
                        f"(attempt {attempt + 1} of {ATTEMPTS})"
                    )
                    broken = True
            value = following
            yield value

    def _begin_again(
        self, step: Callable[[int, T], T], first: T, numbers: range, number: int, value: T
    ) -> T:
        """Bring the states to where they were before a step; return the value there."""
        before, kept = self._nodes, self._kept
        self.close()
        self._start()
        if kept and self._nodes == before:
            try:
                for actor, changed in zip(self._actors, kept, strict=True):
                    self._content(actor.call.remote("restore", changed))
            except _LostError:
                self.close()
                self._start()
            else:
                return value
        self._kept = []
        if number > numbers.start:
            warn(f"{self._text}: a node is gone with its copy; all steps run again")
        value = first
        for earlier in range(numbers.start, number):
            value = step(earlier, value)
        self._keep()
        return value

    def _start(self) -> None:
        """Start an actor on each node, and send it its state; again, if one dies meanwhile."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._send()
                break
            except _LostError as error:
                if attempt == ATTEMPTS:
                    raise lost_too_often("the data was", error.cause, ATTEMPTS) from error
                warn(f"the data was lost to {cause_of(error.cause)}; it is sent again")
                self.close()
                time.sleep(attempt)  # until the cluster has noticed what is gone

    def _send(self) -> None:
        """Start the actors, each on its node, and send the states."""
        strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        patience = _PATIENCE
        while not (alive := self._alive()):
            time.sleep(0.1)
            patience -= 0.1
            if patience < 0:
                warn("no node has a core; waiting for one to join")
                patience = np.inf
        self._nodes = alive
        shares = shares_of(self._work, list(self._nodes.values()))
        kind = self._ray.remote(max_restarts=0)(_by_value(__version__))
        chosen = [pair for pair in zip(self._nodes.items(), shares, strict=True) if pair[1]]
        self._actors = [
            kind.options(num_cpus=cores, scheduling_strategy=strategy(node, soft=False)).remote()
            for (node, cores), _ in chosen
        ]
        for actor, ((_, cores), shards) in zip(self._actors, chosen, strict=True):
            head, buffers = serialize(self._cut(shards), self._ray.cloudpickle.dumps)
            begun = actor.begin.remote(cores, self._put(head), *map(self._put, buffers))
            while not self._ray.wait([begun], timeout=_PATIENCE)[0]:
                warn("waiting until all cores of a node are free")
            self._content(begun)

    def _alive(self) -> dict[str, int]:
        """Return the nodes that have cores, and how many."""
        return {
            node["NodeID"]: int(node["Resources"].get("CPU", 0))
            for node in self._ray.nodes()
            if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
        }

    def _keep(self) -> None:
        """Copy what has changed into the object store of each node."""
        kept = [actor.call.options(num_returns=2).remote("changed") for actor in self._actors]
        for done, _ in kept:
            self._content(done)
        self._kept = [copy for _, copy in kept]

    def _ask(self, task: Any, question: Any) -> Any:
        reference, answer = self._put(question), None
        for actor in self._actors:
            answer = actor.call.remote("add", task, reference, answer)
        return answer

    def _put(self, part: Any) -> Any:
        try:
            return self._ray.put(part)
        except Exception as error:
            raise failed(self._ray, self._text, error) from error

    def _content(self, reference: Any) -> Any:
        """Return what a call returned, or raise its error."""
        try:
            kind, content = self._ray.get(reference)
        except Exception as error:
            self._raise(error)
        if kind == DONE:
            return content
        if kind == RAISED:
            raise pickle.loads(content)  # noqa: S301 - from a worker of this run
        raise refused(content)

    def _raise(self, error: Exception) -> NoReturn:
        cause = getattr(error, "cause", None)  # of a call whose argument was lost
        for each in (error, cause):
            if isinstance(each, lost(self._ray)):
                raise _LostError(each) from error
        raise failed(self._ray, self._text, error) from error


def shares_of(work: Sequence[int], cores: Sequence[int]) -> list[range]:
    """Cut shards into consecutive shares, of work in proportion to the cores; some may be empty."""
    done = np.concatenate([[0.0], np.cumsum(work, dtype=np.float64)])
    wanted = done[-1] * np.cumsum(cores[:-1]) / sum(cores)
    cuts = np.searchsorted((done[1:] + done[:-1]) / 2, wanted)
    return [range(*map(int, pair)) for pair in pairwise([0, *cuts, len(work)])]


def _by_value(version: str) -> type[Any]:
    """Return the class that Ray sends to workers by value: it explains a missing library."""

    class Holder:
        holder: Any = None

        def begin(self, threads: int, head: Any, *buffers: Any) -> Any:
            import socket

            node = socket.gethostname()
            try:
                from shortlist._version import __version__
                from shortlist.engine import ray_worker
            except ImportError as error:
                return "refused", f"node {node} cannot import shortlist ({error})"
            if __version__ != version:
                return "refused", f"node {node} has shortlist {__version__}, and this is {version}"
            self.holder = ray_worker.Holder(threads)
            return self.holder.begin(head, *buffers)

        def call(self, method: str, *arguments: Any) -> Any:
            return getattr(self.holder, method)(*arguments)

    return Holder
