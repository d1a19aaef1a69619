"""The service as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shortlist._version import __version__
from shortlist.errors import ShortlistError
from shortlist.serving import docs, page, troubles
from shortlist.serving.access import Access
from shortlist.serving.express import Express
from shortlist.serving.guard import Guard
from shortlist.serving.routes import catalogue, lists, state
from shortlist.serving.service import Service


def create_app(service: Service, access: Access | None = None) -> Guard:
    """Make the application of a service: the guard, the express, and behind them FastAPI.

    Parameters
    ----------
    service
        What it answers from.
    access
        Who may ask; None: everybody who reaches it.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.run():
            yield

    app = FastAPI(
        title="shortlist",
        version=__version__,
        summary="Ranked lists of items for users, histories and features, and the reasons.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads its scripts from another host
        redoc_url=None,
    )
    for part in (lists, catalogue, state):
        app.include_router(part.routes(service))
    app.add_exception_handler(ShortlistError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _failed)

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> Response:
        return Response(docs.page(app.openapi()), media_type="text/html")

    @app.get("/docs.css", include_in_schema=False)
    async def style() -> Response:
        return Response(docs.STYLE, media_type="text/css")

    app.include_router(page.routes())
    express = Express(app, service)
    return Guard(express, access or Access(), service.limits, service.metrics)


async def _refused(_: Request, error: Exception) -> Response:
    return troubles.reply(cast(ShortlistError, error))


async def _invalid(_: Request, error: Exception) -> Response:
    return troubles.reply(troubles.invalid(cast(RequestValidationError, error).errors()))


async def _http(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: no such address, or not with this method."""
    status = cast(Any, error).status_code
    what = {404: "there is nothing at", 405: "this method is not for"}.get(status, "cannot answer")
    return troubles.reply(
        troubles.RefusedError(
            status,
            f"{what} {request.url.path}",
            where=request.method,
            remedy="see the documentation: /docs",
        )
    )


async def _failed(_: Request, __: Exception) -> Response:
    return troubles.reply(troubles.FAILED)
