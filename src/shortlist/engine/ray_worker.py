"""What a worker of a Ray cluster does with a block of rows."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from socket import gethostname
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.engine.shipping import together
from shortlist.kernels.threads import thread_limit

DONE, RAISED, REFUSED = "done", "raised", "refused"
Outcome = tuple[str, bytes | str]

# The last task of this process: the next block of the same task finds what it computed once.
_last: dict[bytes, Callable[[range], Any]] = {}


def run(key: bytes, block: range, head: Any, buffers: Sequence[NDArray[np.uint8]]) -> Outcome:
    """Run the task of a key on a block, with one thread: each core has a worker of its own."""
    if key not in _last:
        _last.clear()
        try:
            _last[key] = together(head, buffers)
        except ImportError as error:
            return REFUSED, f"node {gethostname()} cannot import what the task needs ({error})"
    try:
        with thread_limit(1):
            return DONE, pickle.dumps(_last[key](block), protocol=5)
    except Exception as error:
        return RAISED, _as_bytes(error)


def _as_bytes(error: Exception) -> bytes:
    try:
        content = pickle.dumps(error)
        pickle.loads(content)  # noqa: S301 - our own; some errors can be written but not read
    except Exception:
        content = pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return content
