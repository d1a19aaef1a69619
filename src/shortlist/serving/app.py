"""The service as an ASGI application: one Starlette application behind the guard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from shortlist.serving import openapi, page
from shortlist.serving.access import Access
from shortlist.serving.endpoints import operations
from shortlist.serving.errors import FAILED, RequestError, RequestErrorCode, error_response
from shortlist.serving.guard import Guard
from shortlist.serving.operations import SLASH
from shortlist.serving.service import Service


def create_app(service: Service, access: Access | None = None) -> Guard:
    """Return the application of a service; without ``access``, everybody may use it."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with service.run():
            yield

    available = operations(service)
    app = Starlette(
        routes=[
            *(operation.route() for operation in available),
            *openapi.routes(available, service.limits),
            *page.routes(),
        ],
        lifespan=lifespan,
        exception_handlers={HTTPException: _no_route, Exception: _failed},
    )
    app.router.redirect_slashes = False  # its addresses are absolute, and wrong behind a proxy
    return Guard(app, access or Access(), service.limits, service.metrics)


async def _no_route(request: Request, error: Exception) -> Response:
    """Answer a request that no route accepts."""
    refused = cast(HTTPException, error)
    if refused.status_code == 404 and (shorter := _without_slash(request)) is not None:
        return Response(status_code=307, headers={"Location": shorter})
    if refused.status_code == 405:
        code, what = RequestErrorCode.METHOD_NOT_ALLOWED, "this method is not for"
    else:
        code, what = RequestErrorCode.NOT_FOUND, "there is nothing at"
    reply = RequestError(
        f"{what} {request.url.path}",
        code=code,
        where=request.method,
        remedy="see the documentation: /docs",
    )
    return error_response(reply, refused.headers)


def _without_slash(request: Request) -> str | None:
    """Return the relative address without the slash at its end, if a route has that address."""
    path = request.url.path.removesuffix("/")  # of several, clients resolve ".." differently
    if path in ("", request.url.path):
        return None
    scope = {**request.scope, "path": path}
    if all(route.matches(scope)[0] is Match.NONE for route in request.app.routes):
        return None
    last = quote(path.rpartition("/")[2].replace(SLASH, "/"), safe="")
    query = f"?{request.url.query}" if request.url.query else ""
    return f"../{last}{query}"


async def _failed(_: Request, __: Exception) -> Response:
    return error_response(FAILED)
