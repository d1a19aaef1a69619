"""The metrics of the service, for Prometheus."""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache, partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from shortlist._version import __version__

answering_model: ContextVar[str] = ContextVar("answering model", default="")
"""The name of the model that answers the request of the current context; empty: none."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_LISTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The metrics of one service; each service of a process has its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        counter = partial(Counter, registry=self._registry)
        gauge = partial(Gauge, registry=self._registry)
        histogram = partial(Histogram, registry=self._registry)
        self._requests = counter(
            "shortlist_requests", "Requests answered.", ["route", "model", "status"]
        )
        self._seconds = histogram(
            "shortlist_request_seconds",
            "From the head of a request to the end of its reply.",
            ["route", "model"],
            buckets=_SECONDS,
        )
        self.batch = histogram(
            "shortlist_batch_lists", "Lists that were scored together.", buckets=_LISTS
        )
        self.waiting = gauge("shortlist_waiting_lists", "Lists that wait to be scored.")
        self.open = gauge("shortlist_open_requests", "Requests that are being answered.")
        self.reloads = counter(
            "shortlist_reloads", "Newer bundles, taken over or refused.", ["model", "outcome"]
        )
        self.recorded = counter(
            "shortlist_interactions_recorded", "Interactions written to the store."
        )
        gauge("shortlist_info", "The version of shortlist.", ["version"]).labels(__version__).set(1)
        ProcessCollector(registry=self._registry)  # memory, processor time, open files
        PlatformCollector(registry=self._registry)
        self._of_route = cache(self._labelled)  # labels() takes a lock and converts the labels

    def observe(self, route: str, model: str, status: int, seconds: float) -> None:
        """Count a request; the model is empty if none answered."""
        requests, times = self._of_route(route, model, status)
        requests.inc()
        times.observe(seconds)

    def _labelled(self, route: str, model: str, status: int) -> tuple[Counter, Histogram]:
        requests = self._requests.labels(route, model, str(status))
        return requests, self._seconds.labels(route, model)

    def exposition(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        text: bytes = generate_latest(self._registry)
        return text
