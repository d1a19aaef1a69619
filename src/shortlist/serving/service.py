"""The parts of the service that endpoints use: models, threads, recorder, limits, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError
from shortlist.serving.batching import Batcher
from shortlist.serving.errors import RequestError, RequestErrorCode
from shortlist.serving.limits import Limits
from shortlist.serving.metrics import Metrics
from shortlist.serving.model_store import ModelStore
from shortlist.serving.recent import RecentInteractions
from shortlist.serving.recording import Recorder
from shortlist.serving.workers import WorkerPool

WATCH_SECONDS = 1.0
_WORKERS = 2
_SEARCHERS = 2  # of their own: a search waits for no slower request


class Service:
    """A running service.

    ``bundles`` has the folder of each bundle by name, the default first. Interactions are recorded
    in ``database``, if there is one. Newer bundles are looked for every ``watch_seconds``. An
    InputError is raised if a bundle or the database cannot be opened.
    """

    def __init__(
        self,
        bundles: Mapping[str, Path],
        *,
        database: str | Path | None = None,
        limits: Limits | None = None,
        watch_seconds: float = WATCH_SECONDS,
    ) -> None:
        self.limits = limits or Limits()
        self.metrics = Metrics()
        self.recent = RecentInteractions(self.limits.unfitted)
        self.models = ModelStore(bundles, self.metrics)
        self.batcher = Batcher(self.limits, self.metrics)
        self.workers = WorkerPool(_WORKERS, self.limits.slow)
        self.searchers = WorkerPool(_SEARCHERS, self.limits.slow)
        self._recorder = None
        if database is not None:
            self._recorder = Recorder(
                database, self.recent, self._datasets, self.limits, self.metrics
            )
        self._watch_seconds = watch_seconds
        self.running = False
        self.stopping = False
        if len(self.recent) > self.limits.unfitted:
            raise InputError(
                f"{len(self.recent):,} interactions were recorded since the bundles were fitted; "
                f"at most {self.limits.unfitted:,} are kept in memory",
                where=None if self._recorder is None else self._recorder.location,
                remedy="fit the bundles again: shortlist fit DB",
            )

    @property
    def records(self) -> bool:
        """Whether interactions are recorded."""
        return self._recorder is not None

    @property
    def recorder(self) -> Recorder:
        """The writer of interactions; a RequestError if the service has no database."""
        if self._recorder is None:
            what = "this service has no database to record into"
            raise RequestError(what, code=RequestErrorCode.NO_DATABASE)
        return self._recorder

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Answer requests while the block runs; at its end, finish those that were accepted."""
        loop = asyncio.get_running_loop()
        self.batcher.start()
        if self._recorder is not None:
            self._recorder.start()
        self.models.start(self._watch_seconds, self._refill)
        self.running = True
        try:
            yield
        finally:
            self.running = False
            parts = (self.models, self.batcher, self._recorder, self.workers, self.searchers)
            for part in parts:
                if part is not None:
                    await loop.run_in_executor(None, part.stop)

    def _datasets(self) -> list[Dataset]:
        return [served.data for served in self.models.all()]

    def _refill(self) -> None:
        """Keep the recorded interactions in memory that a bundle was not fitted on."""
        if self._recorder is not None:
            self._recorder.refill()
