"""The checks that every request passes: access, number, length; and the headers of every reply.

ASGI middleware around the application: it costs a few microseconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shortlist.serving.access import OPEN_PATHS, Access
from shortlist.serving.errors import (
    OverloadedError,
    RequestError,
    RequestErrorCode,
    error_response,
)
from shortlist.serving.limits import Limits
from shortlist.serving.metrics import Metrics

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
_NO_STORE = (b"cache-control", b"no-store")
_REVALIDATE = (b"cache-control", b"no-cache")  # keep, and use while the ETag is the same


class Guard:
    """The outermost layer of the service.

    Parameters
    ----------
    app
        The application.
    access
        The rules of access.
    limits, metrics
        The bounds of requests; where they are counted.
    """

    def __init__(self, app: ASGIApp, access: Access, limits: Limits, metrics: Metrics) -> None:
        self.app, self._access, self._limits, self._metrics = app, access, limits, metrics
        self._open = 0
        self._held = 0  # bytes of bodies
        metrics.open.set_function(lambda: self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the application, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        headers = dict(scope["headers"])  # the names are in lower case
        is_page = scope["path"] == "/" or scope["path"].startswith("/static/")
        caching = _REVALIDATE if is_page else _NO_STORE  # unless the reply sets its own

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = message.get("headers", ())
                extra = [*SECURITY_HEADERS]
                if all(name != b"cache-control" for name, _ in own):
                    extra.append(caching)
                message["headers"] = [*own, *extra]
            await send(message)

        body = bytearray()
        self._open += 1
        try:
            try:
                self._check(scope, headers)
                await self._read(scope, headers, receive, body)
            except RequestError as error:
                await error_response(error)(scope, receive, sending)
            else:
                await self.app(scope, _replayed(body, receive), sending)
        finally:
            self._open -= 1
            self._held -= len(body)
            self._metrics.observe(_route(scope), status, time.perf_counter() - started)

    def _check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        if self._open > self._limits.open_requests:
            raise OverloadedError(f"{self._limits.open_requests} requests are being answered")
        host = _text(headers, b"host")
        if not self._access.knows_host(host):
            raise RequestError(
                RequestErrorCode.WRONG_HOST,
                f"this host is not called {host!r}",
                where="the Host header",
                remedy="start the service with --name NAME to let it be called so",
            )
        if not self._access.admits(scope["path"], _text(headers, b"authorization")):
            raise RequestError(
                RequestErrorCode.UNAUTHORIZED,
                "the token is missing or wrong",
                where="the Authorization header",
                remedy="send: Authorization: Bearer TOKEN",
            )
        if scope["method"] == "POST":
            kind = _text(headers, b"content-type").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise RequestError(
                    RequestErrorCode.WRONG_CONTENT_TYPE,
                    f"the body is {kind or 'of no kind'}, not JSON",
                    where="the Content-Type header",
                    remedy="send: Content-Type: application/json",
                )

    async def _read(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, body: bytearray
    ) -> None:
        """Read the whole body into memory, within the limits."""
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return
        limit = self._limits.body_bytes
        declared = _text(headers, b"content-length")
        if declared.isdecimal() and int(declared) > limit:
            raise self._too_long()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                more = True
                while more:
                    message = await receive()
                    chunk, more = message.get("body", b""), message.get("more_body", False)
                    body += chunk
                    self._held += len(chunk)
                    if len(body) > limit:
                        raise self._too_long()
                    if self._held > self._limits.held_bytes:
                        raise OverloadedError("too many long requests are being answered")
        except TimeoutError:
            raise RequestError(
                RequestErrorCode.BODY_TIMEOUT,
                f"the body did not arrive within {self._limits.body_seconds:g} seconds",
                where="the body",
                remedy="send it faster, or send less",
            ) from None

    def _too_long(self) -> RequestError:
        return RequestError(
            RequestErrorCode.BODY_TOO_LONG,
            f"the body is longer than {self._limits.body_bytes:,} bytes",
            where="the body",
            remedy="send several shorter requests",
        )


def _replayed(body: bytearray, receive: Receive) -> Receive:
    """Return a receiver of the body that was read already, then of later messages."""
    whole: Message | None = {"type": "http.request", "body": bytes(body), "more_body": False}

    async def received() -> Message:
        nonlocal whole
        if whole is None:
            return await receive()
        message, whole = whole, None
        return message

    return received


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")


def _route(scope: Scope) -> str:
    """Return the path of the route for the metrics; it is "other" for all unknown addresses."""
    path: str | None = getattr(scope.get("endpoint"), "path", None)  # of an operation
    return path or (scope["path"] if scope["path"] in OPEN_PATHS else "other")
