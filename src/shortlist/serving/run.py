"""The service as a process: uvicorn, signals, and a stop that loses no request."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from types import FrameType

import uvicorn
from threadpoolctl import threadpool_limits

from shortlist.errors import ConfigError
from shortlist.serving.guard import Guard
from shortlist.serving.logs import configure_logging
from shortlist.serving.model_store import freeze
from shortlist.serving.service import Service

try:
    from shortlist.serving import connections
except ImportError:  # there is no httptools on Windows: the connections are those of uvicorn
    connections = None  # type: ignore[assignment]

_FINISH_SECONDS = 5.0  # for requests that are being answered when the port is closed
_BACKLOG = 1_024
_SWITCH_SECONDS = 0.0005
_SPARE_FILES = 256  # open files besides connections


def bind(host: str, port: int) -> socket.socket:
    """Take an address, without accepting connections yet; port 0: any free port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise _cannot_listen(host, port, error) from None
    return listener


def listen(listener: socket.socket) -> None:
    """Accept connections; they wait in the backlog until the service runs."""
    try:
        listener.listen(_BACKLOG)
    except OSError as error:  # another process has begun to listen in the meantime
        host, port = listener.getsockname()[:2]
        listener.close()
        raise _cannot_listen(host, port, error) from None


def _cannot_listen(host: str, port: int, error: Exception) -> ConfigError:
    return ConfigError(
        f"cannot listen on {host} port {port}: {error}",
        remedy="stop what listens there, or choose another: --port",
    )


class Server(uvicorn.Server):
    """A server that closes its port ``drain_seconds`` after SIGTERM.

    Whoever sends requests (a load balancer) needs that time to notice that ``/ready`` is 503.
    SIGINT and a second signal close the port at once.
    """

    def __init__(
        self, config: uvicorn.Config, service: Service, app: Guard, drain_seconds: float
    ) -> None:
        super().__init__(config)
        self._service, self._app, self._drain_seconds = service, app, drain_seconds
        self._close_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self._service.stopping = True
        self._app.close_connections()
        if self._close_at is None and sig == signal.SIGTERM:
            self._close_at = time.monotonic() + self._drain_seconds
            self._captured_signals.append(sig)
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Do what is due ten times a second; return whether to stop."""
        if self._close_at is not None and time.monotonic() >= self._close_at:
            self.should_exit = True
        if counter % 10 == 0 and connections is not None:
            connections.close_late(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the port, finish the requests that were accepted, and stop the service."""
        loop = asyncio.get_running_loop()
        ending = loop.call_later(_FINISH_SECONDS, self._app.end_requests)
        await super().shutdown(sockets)
        ending.cancel()


def run(app: Guard, service: Service, listener: socket.socket, drain_seconds: float) -> None:
    """Serve until the process gets SIGINT or SIGTERM, then finish the running requests."""
    # By default a thread that waits for the interpreter lock gets it after 5 ms. The event loop and
    # the thread that scores would wait that long for each other, several times per request.
    sys.setswitchinterval(_SWITCH_SECONDS)
    # The products of one request are small: the threads of BLAS would only wait for each other.
    threadpool_limits(1, user_api="blas")
    configure_logging()
    if connections is not None:
        most = min(connections.MAX_CONNECTIONS, _open_files() - _SPARE_FILES)
        connections.Connection.max_connections = most
    config = uvicorn.Config(
        app,
        http="auto" if connections is None else connections.Connection,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=int(_FINISH_SECONDS) + 1,
        ws="none",
        proxy_headers=False,
    )
    config.load()  # makes uvicorn import its modules before freeze
    freeze()
    Server(config, service, app, drain_seconds).run(sockets=[listener])


def _open_files() -> int:
    """Allow as many open files as possible, and return their number."""
    try:
        import resource
    except ImportError:  # Windows
        return 2**16
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return 2**16 if hard == resource.RLIM_INFINITY else hard
