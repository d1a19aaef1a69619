"""What every request passes, whatever it is for: how many, from whom, how long, and what is said.

Plain ASGI around the application: it costs a few microseconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shortlist.serving.access import Access
from shortlist.serving.limits import Limits
from shortlist.serving.metrics import Metrics
from shortlist.serving.troubles import OverloadedError, RefusedError, reply

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
_NEVER_STORED = (b"cache-control", b"no-store")
_ASKED_AGAIN = (b"cache-control", b"no-cache")  # kept, and used where the ETag is still the same


class Guard:
    """The outermost layer of the service.

    Parameters
    ----------
    app
        What is guarded.
    access
        Who may ask.
    limits, metrics
        How much; where to count.
    """

    def __init__(self, app: ASGIApp, access: Access, limits: Limits, metrics: Metrics) -> None:
        self.app, self._access, self._limits, self._metrics = app, access, limits, metrics
        self._open = 0
        self._held = 0  # bytes of bodies
        metrics.open.set_function(lambda: self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500
        headers = dict(scope["headers"])  # the names are in lower case
        is_page = scope["path"] == "/" or scope["path"].startswith("/static/")
        caching = _ASKED_AGAIN if is_page else _NEVER_STORED  # unless the reply sets its own

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
            except (RefusedError, OverloadedError) as error:
                await reply(error)(scope, receive, sending)
            else:
                await self.app(scope, _again(body, receive), sending)
        finally:
            self._open -= 1
            self._held -= len(body)
            self._metrics.observe(_route(scope), status, time.perf_counter() - started)

    def _check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        if self._open > self._limits.open_requests:
            raise OverloadedError(f"{self._limits.open_requests} requests are being answered")
        host = _text(headers, b"host")
        if not self._access.knows_host(host):
            raise RefusedError(
                400,
                f"this host is not called {host!r}",
                where="the Host header",
                remedy="start the service with --name NAME to let it be called so",
            )
        if not self._access.admits(scope["path"], _text(headers, b"authorization")):
            raise RefusedError(
                401,
                "the token is missing or wrong",
                where="the Authorization header",
                remedy="send: Authorization: Bearer TOKEN",
            )
        if scope["method"] == "POST":
            kind = _text(headers, b"content-type").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise RefusedError(
                    400,
                    f"the body is {kind or 'of no kind'}, not JSON",
                    where="the Content-Type header",
                    remedy="send: Content-Type: application/json",
                )

    async def _read(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, body: bytearray
    ) -> None:
        """Read the body before anything is done with it, as far as the limits go."""
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return
        most = self._limits.body_bytes
        declared = _text(headers, b"content-length")
        if declared.isdecimal() and int(declared) > most:
            raise self._too_long()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                more = True
                while more:
                    message = await receive()
                    chunk, more = message.get("body", b""), message.get("more_body", False)
                    body += chunk
                    self._held += len(chunk)
                    if len(body) > most:
                        raise self._too_long()
                    if self._held > self._limits.held_bytes:
                        raise OverloadedError("too many long requests are being answered")
        except TimeoutError:
            raise RefusedError(
                400,
                f"the body did not arrive within {self._limits.body_seconds:g} seconds",
                where="the body",
                remedy="send it faster, or send less",
            ) from None

    def _too_long(self) -> RefusedError:
        return RefusedError(
            413,
            f"the body is longer than {self._limits.body_bytes:,} bytes",
            where="the body",
            remedy="send several shorter requests",
        )


def _again(body: bytearray, receive: Receive) -> Receive:
    """Give the body that was read already, then whatever comes after it."""
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
    """Name the route of a request; what leads nowhere is one route, however it is called."""
    known = scope.get("shortlist.route") or getattr(scope.get("route"), "path", None)
    return known or "other"
