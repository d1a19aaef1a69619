"""What goes wrong on a Ray cluster, in words."""

from __future__ import annotations

import warnings
from typing import Any

from shortlist._version import __version__
from shortlist.errors import ConfigError, ShortlistError


def lost(ray: Any) -> tuple[type[Exception], ...]:
    """Return the errors of work that was lost with its worker or node, and can be done again."""
    errors = ray.exceptions
    return (
        errors.WorkerCrashedError,
        errors.RayActorError,
        errors.NodeDiedError,
        errors.OutOfMemoryError,
        errors.ObjectLostError,
    )


def lost_too_often(what: str, error: BaseException, attempts: int) -> ShortlistError:
    """Return the error of work that was lost each time."""
    return ShortlistError(
        f"{what} lost {attempts} times, the last time to {cause_of(error)}",
        remedy="give the workers more memory, or start fewer on a machine",
    )


def refused(content: Any) -> ConfigError:
    """Return the error of a node that lacks what the work needs."""
    return ConfigError(
        f"engine 'ray': {content}",
        remedy=f"install shortlist {__version__}, and modules of your own, on every node",
    )


def failed(ray: Any, description: str, error: Exception) -> ShortlistError:
    """Return the error of a cluster that failed."""
    full = ray.exceptions.ObjectStoreFullError, ray.exceptions.OutOfDiskError
    cause = getattr(error, "cause", error)
    if isinstance(cause, full):
        return ShortlistError(
            f"{description}: the object store of a node is full ({cause_of(cause)})",
            remedy="start the nodes with a larger --object-store-memory, and with room on the "
            "disk that Ray spills to",
        )
    return ShortlistError(
        f"{description}: the Ray cluster failed: {cause_of(error)}",
        remedy="look at `ray status` and the logs of the nodes, and run it again",
    )


def cause_of(error: BaseException) -> str:
    """Return the kind of an error, and the first and last lines of its text."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join([f"{type(error).__name__}:", *dict.fromkeys([*lines[:1], *lines[-1:]])])


def warn(text: str) -> None:
    """Warn of something that does not change the result."""
    warnings.warn(text, RuntimeWarning, stacklevel=3)
