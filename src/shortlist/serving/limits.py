"""How much one request may ask for, and how much may wait: memory is bounded by these."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The bounds of the service; what is beyond one is refused with a message that names it.

    Attributes
    ----------
    body_bytes
        The longest request body.
    held_bytes
        How long all request bodies that are being answered may be together.
    k
        The longest list.
    queries
        How many lists one request may ask for.
    listed
        How many items the lists of one request may have together.
    entries
        How many items all histories and all allow and deny lists of one request may name together.
    reasons
        How many reasons one request may ask for: its lists times ``k``.
    search
        How many hits a search returns.
    waiting
        How many lists may wait to be scored; a request beyond it is answered with 503.
    wait_seconds
        How long a request may wait before it is scored; then it is answered with 503, too.
    batch
        How many lists are scored in one call.
    slow
        How many of the slower requests (similar items, audiences, reasons, searches) may wait.
    open_requests
        How many requests may be read, scored or written at once, whatever they ask for.
    body_seconds
        How long the body of a request may take to arrive.
    interactions
        How many interactions one request may record.
    unfitted
        How many recorded interactions that no bundle was fitted on are kept in memory.
    """

    body_bytes: int = 2**20
    held_bytes: int = 64 * 2**20
    k: int = 1_000
    queries: int = 100
    listed: int = 10_000
    entries: int = 10_000
    reasons: int = 100
    search: int = 100
    waiting: int = 2_000
    wait_seconds: float = 10.0
    batch: int = 256
    slow: int = 64
    open_requests: int = 1_000
    body_seconds: float = 10.0
    interactions: int = 1_000
    unfitted: int = 1_000_000
