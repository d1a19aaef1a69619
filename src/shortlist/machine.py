"""What this machine has."""

from __future__ import annotations

import os


def memory_bytes() -> int | None:
    """Give the size of the main memory, or None where the system does not tell."""
    if not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
