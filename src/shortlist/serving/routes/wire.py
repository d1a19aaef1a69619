"""What the routes share: JSON in, JSON out, and how parameters are documented."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Path, Request, Response
from fastapi.routing import APIRoute

from shortlist.serving.asking import read_json
from shortlist.serving.plain import json_bytes
from shortlist.serving.replies import Error

ItemId = Annotated[str, Path(description="The id of an item.")]
UserId = Annotated[str, Path(description="The id of a user.")]

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Error, "description": "The body is not JSON, or the Host header is wrong."},
    401: {"model": Error, "description": "The token is missing or wrong."},
    404: {"model": Error, "description": "No such model, user or item."},
    409: {"model": Error, "description": "The model or the service cannot do this."},
    413: {"model": Error, "description": "The body is too long."},
    422: {"model": Error, "description": "A value is missing, wrong, or out of its bounds."},
    503: {"model": Error, "description": "Too much at once; try again after Retry-After."},
}


class StrictRequest(Request):
    """A request whose JSON is read strictly."""

    async def json(self) -> Any:
        """Read the body."""
        return read_json(await self.body())


class StrictRoute(APIRoute):
    """A route whose bodies are read strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Hand requests on as strict ones."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strictly


def json_reply(content: bytes) -> Response:
    """Reply with JSON that is written already."""
    return Response(content, media_type="application/json")


def json_of(content: Any) -> Response:
    """Reply with JSON."""
    return json_reply(json_bytes(content))
