"""Properties of the machine."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, suppress
from functools import cache
from pathlib import Path

from threadpoolctl import ThreadpoolController

from shortlist.errors import ShortlistError

_ROOT = Path("/")
_CGROUPS = {  # by version: folder, the files with the limit and the use, the cache in memory.stat
    1: ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    2: ("sys/fs/cgroup", "memory.max", "memory.current", ""),
}


def memory_bytes() -> int | None:
    """Return the size of the main memory, or None if the system does not report it."""
    if not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available_memory() -> int | None:
    """Return the memory that this process may still take: what is free, within its cgroups.

    Where the system does not report what is free, this is the size of the main memory.
    """
    try:
        available = _entry("proc/meminfo", "MemAvailable:") * 1024
    except (OSError, ValueError):
        return memory_bytes()
    with suppress(OSError):
        for line in (_ROOT / "proc/self/cgroup").read_text().splitlines():
            _, controllers, name = line.split(":", 2)
            if not controllers or "memory" in controllers.split(","):
                left = _left_in_cgroup(2 if not controllers else 1, name)
                available = min([available, *left])
    return max(available, 0)


def require_memory(who: str, needed: int, remedy: str) -> None:
    """Refuse work that needs more memory than this process may still take, before it begins."""
    available = available_memory()
    if available is not None and needed > available:
        raise ShortlistError(
            f"{who} needs {gigabytes(needed)} of memory; {gigabytes(available)} are free",
            remedy=remedy,
        )


def one_blas_thread() -> AbstractContextManager[object]:
    """Let NumPy's BLAS use one thread inside: with more, the last bits depend on their number.

    The libraries are looked for once, which takes longer than a small product: this is not for
    those that may be loaded later.
    """
    limited: AbstractContextManager[object] = _libraries().limit(limits=1, user_api="blas")
    return limited


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def gigabytes(count: int) -> str:
    """Return a number of bytes as text: ``0.3 GB``, ``17 GB``."""
    size = count / 2**30
    return f"{size:.1f} GB" if size < 10 else f"{size:.0f} GB"


def _left_in_cgroup(version: int, name: str) -> list[int]:
    """Return what a cgroup and each one around it leave below their limits."""
    root, limit, use, prefix = _CGROUPS[version]
    parts = Path(name.strip("/")).parts  # a container may see its own cgroup as the root
    left = []
    for depth in range(len(parts) + 1):
        folder = Path(root, *parts[:depth])
        with suppress(OSError, ValueError):  # it is elsewhere, or has no limit ("max")
            most = int((_ROOT / folder / limit).read_text())
            used = int((_ROOT / folder / use).read_text())
            cache = _entry(str(folder / "memory.stat"), f"{prefix}inactive_file")
            left.append(most - used + cache)
    return left


def _entry(file: str, name: str) -> int:
    """Return a number of a file with lines of a name and a number."""
    for line in (_ROOT / file).read_text().splitlines():
        words = line.split()
        if words[:1] == [name]:
            return int(words[1])
    raise ValueError(f"{file} has no entry {name}")
