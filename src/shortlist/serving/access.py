"""Who may ask: a bearer token, and the names this host goes by."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from shortlist.errors import ConfigError

OPEN_PATHS = (
    "/",
    "/docs",
    "/docs.css",
    "/openapi.json",
    "/health",
    "/ready",
    "/favicon.ico",
)  # nothing of the data is there
OPEN_FOLDER = "/static/"
LEAST_TOKEN = 16


@dataclass(frozen=True)
class Access:
    """The rules.

    Attributes
    ----------
    token
        What ``Authorization: Bearer ...`` must say; None: nothing.
    hosts
        The names that the ``Host`` header may say, in lower case; None: any. A page of another
        site whose name was made to lead here (DNS rebinding) says its own.
    """

    token: str | None = None
    hosts: frozenset[str] | None = None

    def knows_host(self, header: str) -> bool:
        """Say whether a ``Host`` header names this host.

        Examples
        --------
        >>> access = Access(hosts=frozenset({"localhost", "::1"}))
        >>> [access.knows_host(name) for name in ("LocalHost:8000", "[::1]:8000", "evil.example")]
        [True, True, False]
        """
        if self.hosts is None:
            return True
        name = header[: header.rfind("]") + 1] or header.partition(":")[0]
        return name.strip("[]").lower() in self.hosts

    def admits(self, path: str, authorization: str) -> bool:
        """Say whether a request may pass: the token is compared in constant time.

        Examples
        --------
        >>> access = Access(token="0123456789abcdef")
        >>> access.admits("/items", "Bearer 0123456789abcdef"), access.admits("/items", "")
        (True, False)
        >>> access.admits("/health", "")
        True
        """
        if self.token is None or path in OPEN_PATHS or path.startswith(OPEN_FOLDER):
            return True
        scheme, _, given = authorization.partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self.token.encode())
        return right and scheme.lower() == "bearer"


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0")]
    [True, True, True, False]
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def access_to(host: str, token: str | None, names: Iterable[str] = ()) -> Access:
    """Make the rules for an address.

    Parameters
    ----------
    host
        What the service listens on.
    token
        The token, or None for none.
    names
        Further names of this host. On loopback, the names of loopback are known; elsewhere no
        names mean any.

    Raises
    ------
    ConfigError
        The token is too short, or cannot be sent in a header.
    """
    if token is not None and (
        len(token) < LEAST_TOKEN or not (token.isascii() and token.isprintable()) or " " in token
    ):
        raise ConfigError(
            f"the token has {len(token)} characters",
            remedy=f"use at least {LEAST_TOKEN} ASCII letters, figures and signs, without blanks",
        )
    hosts = {name.lower() for name in names}
    if is_loopback(host):
        hosts |= {"localhost", "127.0.0.1", "::1", host.lower()}
    return Access(token, frozenset(hosts) or None)


def new_token() -> str:
    """Draw a token that nobody guesses: 256 bits.

    Examples
    --------
    >>> len(new_token())
    43
    """
    return secrets.token_urlsafe(32)
