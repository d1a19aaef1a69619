"""The service as an ASGI application: one Starlette application behind the guard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from shortlist._version import __version__
from shortlist.serving import page
from shortlist.serving.access import Access
from shortlist.serving.endpoints import operations
from shortlist.serving.errors import FAILED, RequestError, RequestErrorCode, error_response
from shortlist.serving.guard import Guard
from shortlist.serving.openapi import STYLE, documentation_page, openapi_document
from shortlist.serving.operations import Operation
from shortlist.serving.service import Service


def create_app(service: Service, access: Access | None = None) -> Guard:
    """Return the application of a service.

    Parameters
    ----------
    service
        The service that answers.
    access
        The rules of access; None: no rules.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with service.run():
            yield

    available = operations(service)
    app = Starlette(
        routes=[
            *(operation.route() for operation in available),
            *documentation_routes(available),
            *page.routes(),
        ],
        lifespan=lifespan,
        exception_handlers={HTTPException: _no_route, Exception: _failed},
    )
    return Guard(app, access or Access(), service.limits, service.metrics)


def documentation_routes(available: list[Operation]) -> list[BaseRoute]:
    """Return the routes of the documentation."""
    document = openapi_document(
        available,
        title="shortlist",
        version=__version__,
        summary="Ranked lists of items for users, histories and features, with reasons.",
    )

    async def openapi(_: Request) -> Response:
        return JSONResponse(document)

    async def documentation(_: Request) -> Response:
        return Response(documentation_page(document), media_type="text/html")

    async def style(_: Request) -> Response:
        return Response(STYLE, media_type="text/css")

    return [
        Route("/openapi.json", openapi),
        Route("/docs", documentation),
        Route("/docs.css", style),
    ]


async def _no_route(request: Request, error: Exception) -> Response:
    """Answer a request that no route accepts."""
    refused = cast(HTTPException, error)
    if refused.status_code == 405:
        code, what = RequestErrorCode.METHOD_NOT_ALLOWED, "this method is not for"
    else:
        code, what = RequestErrorCode.NOT_FOUND, "there is nothing at"
    return error_response(
        RequestError(
            code,
            f"{what} {request.url.path}",
            where=request.method,
            remedy="see the documentation: /docs",
        ),
        refused.headers,
    )


async def _failed(_: Request, __: Exception) -> Response:
    return error_response(FAILED)
