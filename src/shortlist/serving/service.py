"""What every route works with: bundles, the batcher, the recorder, limits and counters."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from shortlist.errors import InputError
from shortlist.serving.batching import Batcher
from shortlist.serving.lane import Lane
from shortlist.serving.limits import Limits
from shortlist.serving.metrics import Metrics
from shortlist.serving.recent import Recent
from shortlist.serving.recorder import Recorder
from shortlist.serving.shelf import Shelf
from shortlist.serving.troubles import RefusedError

WATCH_SECONDS = 1.0
_LANE_THREADS = 2


class Service:
    """The parts of a running service.

    Parameters
    ----------
    bundles
        The folder of each bundle by name; the first is the default.
    database
        The store that interactions are recorded in; None: none are.
    limits
        How much may be asked for.
    watch_seconds
        How often to look for newer bundles.

    Raises
    ------
    InputError
        A bundle or the store cannot be opened.
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
        self.recent = Recent(self.limits.unfitted)
        self.shelf = Shelf(bundles, self.metrics)
        self.batcher = Batcher(self.limits, self.metrics)
        self.lane = Lane(_LANE_THREADS, self.limits.slow)
        self._recorder = None
        if database is not None:
            self._recorder = Recorder(database, self.recent, self.limits, self.metrics)
        self._watch_seconds = watch_seconds
        self.running = False
        self._forget()
        if len(self.recent) > self.limits.unfitted:
            raise InputError(
                f"{len(self.recent):,} interactions were recorded since the bundles were fitted; "
                f"at most {self.limits.unfitted:,} are kept in memory",
                where=None if self._recorder is None else self._recorder.place,
                remedy="fit the bundles again: shortlist fit DB",
            )

    @property
    def records(self) -> bool:
        """Whether interactions are recorded."""
        return self._recorder is not None

    @property
    def recorder(self) -> Recorder:
        """What writes interactions.

        Raises
        ------
        RefusedError
            The service has no store.
        """
        if self._recorder is None:
            raise RefusedError(
                409,
                "this service has no database to record into",
                remedy="start it with --database DB",
            )
        return self._recorder

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Work while the block runs; what was accepted is finished at its end."""
        loop = asyncio.get_running_loop()
        self.batcher.start(loop)
        if self._recorder is not None:
            self._recorder.start(loop)
        watching = asyncio.create_task(self.shelf.watch(self._watch_seconds, self._forget))
        self.running = True
        try:
            yield
        finally:
            self.running = False
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            for part in (self.batcher, self._recorder, self.lane, self.shelf):
                if part is not None:
                    await loop.run_in_executor(None, part.stop)

    def _forget(self) -> None:
        """Drop recorded interactions that every bundle was fitted on."""
        self.recent.forget([served.data for served in self.shelf.all()])
