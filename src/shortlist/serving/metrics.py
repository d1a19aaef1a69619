"""The metrics of the service, for Prometheus."""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache

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
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "shortlist_requests",
            "Requests answered.",
            ["route", "model", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "shortlist_request_seconds",
            "From the head of a request to the end of its reply.",
            ["route", "model"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch = Histogram(
            "shortlist_batch_lists",
            "Lists that were scored together.",
            buckets=_LISTS,
            registry=self.registry,
        )
        self.waiting = Gauge(
            "shortlist_waiting_lists", "Lists that wait to be scored.", registry=self.registry
        )
        self.open = Gauge(
            "shortlist_open_requests", "Requests that are being answered.", registry=self.registry
        )
        self.reloads = Counter(
            "shortlist_reloads",
            "Newer bundles, taken over or refused.",
            ["model", "outcome"],
            registry=self.registry,
        )
        self.recorded = Counter(
            "shortlist_interactions_recorded",
            "Interactions written to the store.",
            registry=self.registry,
        )
        version = Gauge(
            "shortlist_info", "The version of shortlist.", ["version"], registry=self.registry
        )
        version.labels(__version__).set(1)
        ProcessCollector(registry=self.registry)  # memory, processor time, open files
        PlatformCollector(registry=self.registry)
        self._of_route = cache(self._labelled)  # labels() takes a lock and converts the labels

    def observe(self, route: str, model: str, status: int, seconds: float) -> None:
        """Count a request; the model is empty if none answered."""
        requests, times = self._of_route(route, model, status)
        requests.inc()
        times.observe(seconds)

    def _labelled(self, route: str, model: str, status: int) -> tuple[Counter, Histogram]:
        requests = self.requests.labels(route, model, str(status))
        return requests, self.seconds.labels(route, model)

    def exposition(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        text: bytes = generate_latest(self.registry)
        return text
