"""The service as a process: uvicorn, signals, and a graceful stop."""

from __future__ import annotations

import logging
import socket
import sys

import uvicorn
from starlette.types import ASGIApp

from shortlist.errors import ConfigError
from shortlist.serving.model_store import freeze

_STOP_SECONDS = 30  # for running requests when the process is told to stop
_MAX_CONNECTIONS = 4_000  # idle ones included; the limits of the service are lower
_BACKLOG = 1_024
_SWITCH_SECONDS = 0.0005


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Parameters
    ----------
    host, port
        The address and the port; port 0: any free port.

    Raises
    ------
    ConfigError
        The address is in use, or is not an address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {host} port {port}: {error}",
            remedy="stop what listens there, or choose another: --port",
        ) from None
    listener.listen(_BACKLOG)  # requests wait in the backlog until the service runs
    return listener


def run(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until the process gets SIGINT or SIGTERM, then finish the running requests."""
    # By default a thread that waits for the interpreter lock gets it after 5 ms. The event loop and
    # the thread that scores would wait that long for each other, several times per request.
    sys.setswitchinterval(_SWITCH_SECONDS)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        ws="none",
        proxy_headers=False,
        limit_concurrency=_MAX_CONNECTIONS,
    )
    config.load()  # makes uvicorn import its modules before freeze
    freeze()
    uvicorn.Server(config).run(sockets=[listener])
