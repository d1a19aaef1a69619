"""The life of a request: it ends with its reply, at its deadline, or when the client leaves."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Receive

from shortlist.serving.errors import RequestError, RequestErrorCode

_UNWATCHED_SECONDS = 0.05  # most requests end earlier, and starting to watch takes longer than they


class RequestEndedError(Exception):
    """The client has closed the connection."""


class RequestLife:
    """Cancels the task that answers a request, once its deadline passes or the client leaves.

    Create it in that task. ``reason`` is why it was cancelled; None: not by this object.
    """

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._seconds, self._deadline = seconds, self._loop.time() + seconds
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[Any] | None = None
        self.reason: RequestError | RequestEndedError | None = None

    def watch(self, receive: Receive) -> None:
        """Watch the request from now on; its body has been read, or is not needed."""
        self._timer = self._loop.call_later(_UNWATCHED_SECONDS, self._start, receive)

    def end(self, reason: RequestError | RequestEndedError) -> None:
        """Cancel the task."""
        if self._task is not None and self.reason is None:
            self.reason = reason
            self._task.cancel()

    def resume(self) -> None:
        """Let the task go on after its cancellation, to reply to the client."""
        if self._task is not None:
            self._task.uncancel()

    def close(self) -> None:
        """Stop to watch."""
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def _start(self, receive: Receive) -> None:
        self._watcher = self._loop.create_task(self._wait(receive))

    async def _wait(self, receive: Receive) -> None:
        try:
            async with asyncio.timeout_at(self._deadline):
                while (await receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            self.end(
                RequestError(
                    f"the request was not answered within {self._seconds:g} seconds",
                    code=RequestErrorCode.DEADLINE,
                    remedy="try again, ask for less at once, or raise the limit request_seconds",
                )
            )
        else:
            self.end(RequestEndedError())
