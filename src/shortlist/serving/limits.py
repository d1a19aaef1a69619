"""The bounds of requests and queues; they bound the memory of the service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The bounds of the service; a request beyond one is refused with a message that names it.

    Attributes
    ----------
    body_bytes
        The longest request body.
    held_bytes
        The largest total length of the request bodies in memory.
    k
        The longest list.
    queries
        How many lists one request may ask for.
    listed
        How many items the lists of one request may have in total.
    entries
        How many item ids the histories, allow and deny lists of one request may have in total.
    reasons
        How many reasons one request may ask for: its lists times ``k``.
    search
        How many results a search may return.
    waiting
        How many lists may wait to be scored; further requests get 503.
    wait_seconds
        How long a request may wait before it is scored; then it gets 503.
    batch
        How many lists are scored in one call.
    slow
        How many of the slower requests (similar items, audiences, reasons) may wait, and how many
        searches.
    open_requests
        How many requests of any kind may be read, scored or answered at once.
    request_seconds
        How long a request may take from the end of its head to the end of its reply; then it gets
        503, and its work stops.
    body_seconds
        How long the body of a request may take to arrive.
    interactions
        How many interactions one request may record.
    unfitted
        How many interactions are kept in memory because a bundle was not fitted on them.
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
    request_seconds: float = 10.0
    body_seconds: float = 10.0
    interactions: int = 1_000
    unfitted: int = 1_000_000
