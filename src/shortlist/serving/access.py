"""Access control: a bearer token, and the host names that requests may use."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from shortlist.errors import ConfigError

OPEN_PATHS = ("/", "/docs", "/docs.css", "/openapi.json", "/health", "/ready", "/favicon.ico")
OPEN_FOLDER = "/static/"  # like the open paths, it reveals no data
MIN_LENGTH = 16


@dataclass(frozen=True)
class Access:
    """The rules of access.

    ``hosts`` stops DNS rebinding: the pages of another site, whose name was made to resolve to this
    machine, send the name of that site.
    """

    token: str | None = None  # in the header ``Authorization: Bearer ...``; None: not needed
    hosts: frozenset[str] | None = None  # in the header ``Host``, in lower case; None: any

    def knows_host(self, header: str) -> bool:
        """Return whether a ``Host`` header names this host."""
        if self.hosts is None:
            return True
        name = header[: header.rfind("]") + 1] or header.partition(":")[0]
        return name.strip("[]").lower() in self.hosts

    def admits(self, path: str, authorization: str) -> bool:
        """Return whether a request may pass. The token is compared in constant time."""
        if self.token is None or path in OPEN_PATHS or path.startswith(OPEN_FOLDER):
            return True
        scheme, _, given = authorization.partition(" ")
        correct = hmac.compare_digest(given.strip().encode(), self.token.encode())
        return correct and scheme.lower() == "bearer"


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def access_to(host: str, token: str | None, names: Iterable[str] = ()) -> Access:
    """Return the rules for an address that the service listens on.

    On loopback, the names of loopback are always allowed besides ``names``; on other addresses,
    without names, any name is. A token that is too short or does not fit into a header is refused.
    """
    if token is not None and (
        len(token) < MIN_LENGTH or not (token.isascii() and token.isprintable()) or " " in token
    ):
        raise ConfigError(
            f"the token has {len(token)} characters",
            remedy=f"use at least {MIN_LENGTH} ASCII letters, digits and signs, without blanks",
        )
    hosts = {name.lower() for name in names}
    if is_loopback(host):
        hosts |= {"localhost", "127.0.0.1", "::1", host.lower()}
    return Access(token, frozenset(hosts) or None)


def new_token() -> str:
    """Return a random token of 256 bits: 43 characters."""
    return secrets.token_urlsafe(32)
