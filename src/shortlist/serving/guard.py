"""The checks that every request passes (access, number, length, deadline), and reply headers.

ASGI middleware around the application: it costs a few microseconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shortlist.serving.access import OPEN_FOLDER, OPEN_PATHS, Access
from shortlist.serving.compression import compressing
from shortlist.serving.errors import OverloadedError, RequestError, RequestErrorCode, error_response
from shortlist.serving.limits import Limits
from shortlist.serving.logs import id_of_request, request_id
from shortlist.serving.metrics import Metrics, answering_model
from shortlist.serving.operations import SLASH

Header: TypeAlias = tuple[bytes, bytes]

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
_CLOSE = (b"connection", b"close")
_STATE_PATHS = frozenset({"/health", "/ready", "/metrics"})
_RESERVED = 100  # requests for these paths, beyond the limit of open requests
_DISCARDED = 8  # times the allowed length; a body up to that is read, and then refused
_GONE_STATUS = 499  # in the metrics: the client left before the reply
_UNWATCHED_SECONDS = 0.05  # most requests end earlier, and starting to watch takes longer


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
            what = f"the request was not answered within {self._seconds:g} seconds"
            self.end(RequestError(what, code=RequestErrorCode.DEADLINE))
        else:
            self.end(RequestEndedError())


class Guard:
    """The outermost layer of the service, around its application."""

    def __init__(self, app: ASGIApp, access: Access, limits: Limits, metrics: Metrics) -> None:
        self.app, self._access, self._limits, self._metrics = app, access, limits, metrics
        self._lives: set[RequestLife] = set()
        self._held = 0  # bytes of bodies
        self._closing = False
        metrics.open.set_function(lambda: len(self._lives))

    def close_connections(self) -> None:
        """Ask clients to close their connections: the service is about to stop."""
        self._closing = True

    def end_requests(self) -> None:
        """End the requests that are still being answered, with 503."""
        for life in list(self._lives):
            life.end(RequestError("the service is stopping", code=RequestErrorCode.STOPPING))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the application, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        headers = dict(scope["headers"])  # the names are in lower case
        identifier = id_of_request(headers.get(b"x-request-id"))
        request_id.set(identifier)
        answering_model.set("")
        app = compressing(self.app, _text(headers, b"accept-encoding"))

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._reply_headers(
                    message.get("headers", ()), scope["path"], identifier
                )
            await send(message)

        body = bytearray()
        life = RequestLife(self._limits.request_seconds)
        self._lives.add(life)
        try:
            try:
                _decode_path(scope)
                self._check(scope, headers)
                await self._read(scope, headers, receive, body)
                life.watch(receive)
                await app(scope, _replayed(body, receive), sending)
            except RequestError as error:
                await error_response(error)(scope, receive, sending)
            except asyncio.CancelledError:
                reason = life.reason
                if reason is None or status or isinstance(reason, RequestEndedError):
                    _abort(scope)  # there is nobody to reply to, or a reply is half sent
                if reason is None:  # the server cancelled the request
                    raise
                life.resume()
                if not status and not isinstance(reason, RequestEndedError):
                    await error_response(reason)(scope, receive, sending)
        except RequestEndedError:  # in the middle of its body
            _abort(scope)
        finally:
            life.close()
            self._lives.discard(life)
            self._held -= len(body)
            seconds = time.perf_counter() - started
            model = answering_model.get()
            self._metrics.observe(_route(scope), model, status or _GONE_STATUS, seconds)

    def _reply_headers(self, own: Iterable[Header], path: str, identifier: str) -> list[Header]:
        """Add the headers of every reply to a reply's own."""
        headers = [*own, *SECURITY_HEADERS, (b"x-request-id", identifier.encode("ascii"))]
        if all(name != b"cache-control" for name, _ in headers):
            is_page = path == "/" or path.startswith(OPEN_FOLDER)
            headers.append(_REVALIDATE if is_page else _NO_STORE)
        if self._closing:
            headers.append(_CLOSE)
        return headers

    def _check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        limit = self._limits.open_requests
        if len(self._lives) > limit + (_RESERVED if scope["path"] in _STATE_PATHS else 0):
            raise OverloadedError(f"{limit} requests are being answered")
        if sum(name == b"host" for name, _ in scope["headers"]) > 1:
            what, remedy = "the request has more than one Host header", "send one"
            raise RequestError(what, code=RequestErrorCode.WRONG_HOST, remedy=remedy)
        host = _text(headers, b"host")
        if not self._access.knows_host(host):
            remedy = "start the service with --name NAME to allow another host name"
            what = f"the host name {host!r} is not allowed"
            raise RequestError(what, code=RequestErrorCode.WRONG_HOST, remedy=remedy)
        if not self._access.admits(scope["path"], _text(headers, b"authorization")):
            raise RequestError("the token is missing or wrong", code=RequestErrorCode.UNAUTHORIZED)

    async def _read(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, body: bytearray
    ) -> None:
        """Read the whole body into memory, within the limits."""
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return
        declared = _text(headers, b"content-length")
        length = int(declared) if declared.isdecimal() else 0
        # A client that is still sending when the connection closes does not see the reply.
        most = 0 if b"expect" in headers else _DISCARDED * self._limits.body_bytes
        too_long = self._is_too_long(length, most)
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                length, more = 0, True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise RequestEndedError
                    chunk, more = message.get("body", b""), message.get("more_body", False)
                    length += len(chunk)
                    too_long = self._is_too_long(length, most) or too_long
                    if too_long:
                        continue
                    body += chunk
                    self._held += len(chunk)
                    if self._held > self._limits.held_bytes:
                        raise OverloadedError("too many long requests are being answered")
        except TimeoutError:
            what = f"the body did not arrive within {self._limits.body_seconds:g} seconds"
            raise RequestError(what, code=RequestErrorCode.BODY_TIMEOUT) from None
        if too_long:
            raise self._too_long()

    def _is_too_long(self, length: int, most: int) -> bool:
        """Return whether a body is too long; an error if it is too long even to discard."""
        if length > max(most, self._limits.body_bytes):
            raise self._too_long()
        return length > self._limits.body_bytes

    def _too_long(self) -> RequestError:
        what = f"the body is longer than {self._limits.body_bytes:,} bytes"
        return RequestError(what, code=RequestErrorCode.BODY_TOO_LONG)


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


def _decode_path(scope: Scope) -> None:
    """Keep a slash in an id (``%2F``) apart from the slashes between the parts of the path."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%2f" in raw or b"%2F" in raw:
        kept = raw.replace(b"%2f", b"%2F").decode("ascii", "replace").split("%2F")
        scope["path"] = SLASH.join(unquote(part) for part in kept)


def _abort(scope: Scope) -> None:
    """Close the connection of a request at once."""
    connection = scope.get("state", {}).get("connection")
    if connection is not None:
        connection.abort()


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")


def _route(scope: Scope) -> str:
    """Return the path of the route for the metrics; it is "other" for all unknown addresses."""
    path: str | None = getattr(scope.get("endpoint"), "path", None)  # of an operation
    return path or (scope["path"] if scope["path"] in OPEN_PATHS else "other")
