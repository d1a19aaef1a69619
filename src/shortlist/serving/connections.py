"""The connections of the service: how long one may be without a request, and how many there are.

uvicorn closes connections that are idle after a reply. It lets a client take as long as it likes
for the head of a request, and for reading a reply; this module does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0  # for the head of a request, from the connection or the last reply
CLOSING_SECONDS = 10.0  # for a client to read the rest of its replies
HEAD_BYTES = 2**16
MAX_CONNECTIONS = 4_000
_SHED = 0.1  # the share of waiting connections that is closed if there are too many


class Connection(HttpToolsProtocol):
    """A connection that knows since when it waits for the head of a request.

    Times are those of the clock of the event loop.
    """

    max_connections = MAX_CONNECTIONS

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.waiting_since: float | None = self.loop.time()  # None: a request is being answered
        self.closing_since: float | None = None  # when it was first seen closing
        self._head_bytes = 0

    def connection_made(self, transport: Any) -> None:
        """Make room for a new connection, if necessary."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            shed(self.connections)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request."""
        super().data_received(data)
        if self.waiting_since is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response(
                    f"The head of the request is longer than {HEAD_BYTES} bytes."
                )

    def on_headers_complete(self) -> None:
        """Start to answer a request."""
        self.waiting_since, self._head_bytes = None, 0
        self.scope["state"]["connection"] = self
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.waiting_since = self.loop.time()
        super().on_response_complete()

    def abort(self) -> None:
        """Close the connection at once, whatever the client has not read yet."""
        self.transport.abort()

    @property
    def waits(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or bool(self.cycle.response_complete)


def close_late(connections: Iterable[Any], now: float) -> None:
    """Close the connections that have waited too long for a head, or for a client to read."""
    for connection in list(connections):
        if connection.transport.is_closing():
            if connection.closing_since is None:
                connection.closing_since = now
            elif now - connection.closing_since > CLOSING_SECONDS:
                connection.abort()
        elif connection.waits and now - (connection.waiting_since or now) > HEAD_SECONDS:
            connection.transport.close()


def shed(connections: Iterable[Any]) -> None:
    """Close a tenth of the connections without a request, those that have waited longest first."""
    waiting = [connection for connection in connections if connection.waits]
    waiting.sort(key=lambda connection: connection.waiting_since or 0.0)
    for connection in waiting[: max(1, int(len(waiting) * _SHED))]:
        connection.abort()
