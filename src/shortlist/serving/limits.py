"""The bounds of requests and queues; they bound the memory of the service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The bounds of the service; a request beyond one is refused with a message that names it."""

    body_bytes: int = 2**20  # of a request body
    held_bytes: int = 64 * 2**20  # of all request bodies in memory
    k: int = 1_000  # items of a list
    queries: int = 100  # lists of a request
    listed: int = 10_000  # items of all lists of a request
    entries: int = 10_000  # item ids in the histories, allow and deny lists of a request
    reasons: int = 100  # reasons of a request: its lists times k
    search: int = 100  # results of a search
    waiting: int = 2_000  # lists that wait to be scored; further requests get 503
    wait_seconds: float = 10.0  # before a list is scored; then its request gets 503
    batch: int = 256  # lists that are scored in one call
    slow: int = 64  # slower requests (similar items, audiences, reasons) that wait; also searches
    open_requests: int = 1_000  # requests that are read, scored or answered at once
    request_seconds: float = 10.0  # from head to reply; then it gets 503, and its work stops
    body_seconds: float = 10.0  # in which the body of a request must arrive
    interactions: int = 1_000  # interactions to record in a request
    unfitted: int = 1_000_000  # interactions in memory because a bundle was not fitted on them
