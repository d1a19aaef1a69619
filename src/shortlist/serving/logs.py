"""The lines of the log: time, level, request id, logger, message."""

from __future__ import annotations

import itertools
import logging
import re
import secrets
import time
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request id", default="-")
"""The id of the request that the current context answers."""

_FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s [%(request_id)s] %(name)s: %(message)s"
_TIME = "%Y-%m-%dT%H:%M:%S"
_USABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PREFIX = secrets.token_hex(4)  # tells the requests of this process from those of others
_numbers = itertools.count(1)


def id_of_request(header: bytes | None) -> str:
    """Return the id that a client gave in ``X-Request-Id``, or a new one."""
    if header is not None and _USABLE.fullmatch(header):
        return header.decode("ascii")
    return f"{_PREFIX}-{next(_numbers)}"


class RequestIdFilter(logging.Filter):
    """Adds the id of the request to each line; it is ``-`` outside requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set ``record.request_id``; pass every record."""
        record.request_id = request_id.get()
        return True


def configure_logging() -> None:
    """Write the log to stderr, with times in UTC."""
    formatter = logging.Formatter(_FORMAT, _TIME)
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    handler.addFilter(RequestIdFilter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
