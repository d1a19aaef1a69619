"""What a worker of a Ray cluster does with a piece of work, or with a state that it holds."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from socket import gethostname
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.engine.shipping import deserialize
from shortlist.kernels.threads import thread_limit

DONE, RAISED, REFUSED = "done", "raised", "refused"
Outcome = tuple[str, Any]

# The last task of this process: the next piece of the same task finds what it computed once.
_last: dict[bytes, Callable[[Any], Any]] = {}


def take(
    key: bytes, piece: bytes, head: Any, buffers: Sequence[NDArray[np.uint8]]
) -> tuple[Outcome | None, Any]:
    """Take the task of a key, unless it is here, and a piece; or refuse what cannot be imported."""
    try:
        if key not in _last:
            _last.clear()
            _last[key] = deserialize(head, buffers)
        return None, pickle.loads(piece)  # noqa: S301 - from the driver of this run
    except ImportError as error:
        return (REFUSED, f"node {gethostname()} cannot import what the task needs ({error})"), None


def run(key: bytes, piece: Any, threads: int) -> Outcome:
    """Run the task of a key on a piece, with as many threads as the cores that it has."""
    try:
        with thread_limit(threads):
            return DONE, pickle.dumps(_last[key](piece), protocol=5)
    except Exception as error:
        return RAISED, _as_bytes(error)


class Holder:
    """Holds a state, and works on it with some threads."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._state: Any = None
        self._add: tuple[bytes, Any] = b"", None

    def begin(self, head: Any, *buffers: NDArray[np.uint8]) -> Outcome:
        """Take the state; refuse what cannot be imported here."""
        try:
            self._state = deserialize(head, buffers)
        except ImportError as error:
            return REFUSED, f"node {gethostname()} cannot import what the task needs ({error})"
        return DONE, None

    def each(self, head: Any, *buffers: NDArray[np.uint8]) -> Outcome:
        """Return the result of a task."""
        return self._outcome(lambda: deserialize(head, buffers)(self._state))

    def add(self, task: bytes, question: Any, answer: Outcome | None) -> Outcome:
        """Add to an answer; pass on the error of a holder before."""
        if answer is not None and answer[0] != DONE:
            return answer
        if self._add[0] != task:
            self._add = task, pickle.loads(task)  # noqa: S301 - from the driver of this run
        before = None if answer is None else answer[1]
        return self._outcome(lambda: self._add[1](self._state, question, before))

    def changed(self) -> tuple[Outcome, Any]:
        """Return what has changed, apart from the note that it is here."""
        return (DONE, None), self._state.changed()

    def restore(self, changed: Any) -> Outcome:
        """Take back what :meth:`changed` returned."""
        self._state.restore(changed)
        return DONE, None

    def _outcome(self, work: Callable[[], Any]) -> Outcome:
        try:
            with thread_limit(self._threads):
                return DONE, work()
        except Exception as error:
            return RAISED, _as_bytes(error)


def _as_bytes(error: Exception) -> bytes:
    try:
        content = pickle.dumps(error)
        pickle.loads(content)  # noqa: S301 - our own; some errors can be written but not read
    except Exception:
        content = pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return content
