"""The service as a process: uvicorn, signals, and a graceful end."""

from __future__ import annotations

import logging
import socket
import sys

import uvicorn
from starlette.types import ASGIApp

from shortlist.errors import ConfigError
from shortlist.serving.garbage import settle

_STOP_SECONDS = 30  # for requests that are under way when the process is asked to stop
_MOST_CONNECTIONS = 4_000  # idle ones count; the limits of the service bite long before
_BACKLOG = 1_024
_SWITCH_SECONDS = 0.0005


def listen(host: str, port: int) -> socket.socket:
    """Take an address.

    Parameters
    ----------
    host, port
        Where to listen; port 0: any free one.

    Raises
    ------
    ConfigError
        The address is taken, or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
    except (OSError, OverflowError) as error:
        taken.close()
        raise ConfigError(
            f"cannot listen on {host} port {port}: {error}",
            remedy="stop what listens there, or choose another: --port",
        ) from None
    taken.listen(_BACKLOG)  # from here on requests wait for the service; none is turned away
    return taken


def run(app: ASGIApp, taken: socket.socket) -> None:
    """Serve until the process gets SIGINT or SIGTERM; what is under way then is finished."""
    # Python hands its lock over every 5 ms by default: with a thread that scores beside one that
    # talks, each would wait that long for the other, many times a request.
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
        limit_concurrency=_MOST_CONNECTIONS,
    )
    config.load()  # imports what uvicorn needs, so that nothing is left to load
    settle()
    uvicorn.Server(config).run(sockets=[taken])
