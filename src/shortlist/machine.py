"""Properties of the machine."""

from __future__ import annotations

import os


def memory_bytes() -> int | None:
    """Return the size of the main memory, or None if the system does not report it."""
    if not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
