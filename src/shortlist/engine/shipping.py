"""Serialization of tasks: large arrays are kept apart, so that each is sent to a node once."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_LARGE = 1 << 16  # bytes from which an array is sent apart


class Parts(NamedTuple):
    """An object as bytes, and the large buffers that it refers to."""

    head: bytes
    buffers: list[NDArray[np.uint8]]


def serialize(content: Any, dumps: Callable[..., bytes]) -> Parts:
    """Write an object as bytes; its large arrays (NumPy, SciPy, Arrow) are not copied.

    ``dumps`` is ``pickle.dumps`` or one with the same arguments.
    """
    buffers: list[NDArray[np.uint8]] = []

    def keep_inside(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < _LARGE:
            return True
        buffers.append(np.frombuffer(raw, np.uint8))
        return False

    return Parts(dumps(content, protocol=5, buffer_callback=keep_inside), buffers)


def deserialize(head: Any, buffers: Sequence[NDArray[np.uint8]]) -> Any:
    """Return the object of :func:`serialize`; its large arrays are the buffers, read-only.

    Bytes come from another process of the same run, never from a file or a request.
    """
    return pickle.loads(head, buffers=buffers)  # noqa: S301


def digest(buffer: Any) -> bytes:
    """Return the SHA-256 of a buffer: equal content is sent once, whatever object holds it."""
    return hashlib.sha256(buffer).digest()
