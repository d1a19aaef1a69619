"""The metrics of the service, for Prometheus."""

from __future__ import annotations

import math
import time
from collections import Counter as Counts
from collections import defaultdict
from collections.abc import Iterator, Mapping
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
from prometheus_client.samples import Sample

from shortlist._version import __version__
from shortlist.serving.replies import Traffic

answering_model: ContextVar[str] = ContextVar("answering model", default="")
"""The name of the model that answers the request of the current context; empty: none."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_LISTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def _samples(metric: Counter | Histogram) -> Iterator[Sample]:
    for family in metric.collect():
        yield from family.samples


def _quantile(cumulative: Mapping[float, int], share: float) -> float | None:
    """Return a quantile of times by linear interpolation in buckets (bound: count up to it).

    None: it is longer than the last bucket.

    >>> _quantile({0.1: 2, 0.2: 4, float("inf"): 4}, 0.75)
    0.15
    """
    bounds = sorted(cumulative)
    wanted = share * cumulative[bounds[-1]]
    low, below = 0.0, 0
    for bound in bounds:
        if cumulative[bound] >= wanted > below:
            within = (wanted - below) / (cumulative[bound] - below)
            return round(low + within * (bound - low), 9) if math.isfinite(bound) else None
        low, below = bound, cumulative[bound]
    return None


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds


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
        self._lists = counter(
            "shortlist_lists", "Lists answered, by the model or by popularity.", ["model", "source"]
        )
        self._started = time.monotonic()
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

    def count_lists(self, model: str, listed: int, popular: int) -> None:
        """Count lists of a model, and how many of them fell back to popularity."""
        for source, count in (("model", listed - popular), ("popularity", popular)):
            if count:
                self._lists.labels(model, source).inc(count)

    def lists(self, model: str) -> tuple[int, int]:
        """Return the number of lists of a model, and how many fell back to popularity."""
        counts = {
            sample.labels["source"]: int(sample.value)
            for sample in _samples(self._lists)
            if sample.labels["model"] == model and sample.name.endswith("_total")
        }
        popular = counts.get("popularity", 0)
        return popular + counts.get("model", 0), popular

    @property
    def seconds(self) -> float:
        """Seconds since the service was made."""
        return time.monotonic() - self._started

    def routes(self) -> list[Traffic]:
        """Return the traffic of each route, the most requests first."""
        requests: Counts[str] = Counts()
        failed: Counts[str] = Counts()
        buckets: defaultdict[str, Counts[float]] = defaultdict(Counts)
        for sample in _samples(self._requests):
            if sample.name.endswith("_total"):
                route = sample.labels["route"]
                requests[route] += int(sample.value)
                failed[route] += int(sample.value) if sample.labels["status"] >= "500" else 0
        for sample in _samples(self._seconds):
            if sample.name.endswith("_bucket"):
                buckets[sample.labels["route"]][float(sample.labels["le"])] += int(sample.value)
        return [
            {
                "route": route,
                "requests": n,
                "failed": failed[route],
                "median_ms": _milliseconds(_quantile(buckets[route], 0.5)),
                "p95_ms": _milliseconds(_quantile(buckets[route], 0.95)),
            }
            for route, n in requests.most_common()
            if n
        ]

    def exposition(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        text: bytes = generate_latest(self._registry)
        return text
