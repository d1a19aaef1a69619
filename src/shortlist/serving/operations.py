"""Operations: an endpoint with its address and the forms of its request and its reply.

An operation is an ASGI application that Starlette routes requests to. It reads the request into the
types that the endpoint's signature names, and encodes what the endpoint returns. The OpenAPI
document is made from the same signatures (:mod:`shortlist.serving.openapi`).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from inspect import cleandoc
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from shortlist.errors import ShortlistError
from shortlist.serving.errors import (
    FAILED,
    RequestError,
    RequestErrorCode,
    error_response,
    invalid,
    malformed,
)
from shortlist.serving.replies import Encoded, adapter

log = logging.getLogger("shortlist.serving")

SLASH = "\ufdd0"  # stands for a slash within an id, until the path is split; never a character
Method: TypeAlias = Literal["GET", "POST", "DELETE"]


class Operation:
    """One method of one address.

    Parameters
    ----------
    method
        The HTTP method. The model of a ``POST`` request is read from the body, that of all others
        from the query string.
    path
        The address; ``{name}`` stands for a parameter of the endpoint.
    endpoint
        The function that answers. Besides the parameters of the path it has at most one parameter,
        a pydantic model. It returns a form of :mod:`shortlist.serving.replies`, or a response.
    tag
        The group of the operation in the documentation.
    """

    def __init__(
        self,
        method: Method,
        path: str,
        endpoint: Callable[..., Awaitable[Any]],
        tag: str,
    ) -> None:
        self.method, self.path, self.endpoint, self.tag = method, path, endpoint, tag
        self.name: str = endpoint.__name__
        self.description = cleandoc(endpoint.__doc__ or "")
        hints = get_type_hints(endpoint, include_extras=True)
        returned = hints.pop("return")
        if get_origin(returned) is Encoded:
            (returned,) = get_args(returned)
        self.reply = None if returned is Response else returned
        self.path_parameters = {name: hints.pop(name) for name in [*hints] if f"{{{name}}}" in path}
        assert len(hints) <= 1, f"{self.name} has more than one model"
        self._model_name, model = next(iter(hints.items()), ("", None))
        self.model: type[BaseModel] | None = model
        self._encode = adapter(self.reply).serializer.to_json

    def route(self) -> Route:
        """Return the route that leads to the operation."""
        return Route(self.path, self, methods=[self.method], name=self.name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            response = await self._response(Request(scope, receive))
        except ShortlistError as error:
            response = error_response(error)
        except Exception:  # the client gets a reply, and the log gets the traceback
            log.exception("%s %s failed", self.method, scope["path"])
            response = error_response(FAILED)
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        arguments: dict[str, Any] = {
            name: value.replace(SLASH, "/") for name, value in request.path_params.items()
        }
        if self.model is not None:
            if self.method != "POST":
                query_string = request.scope["query_string"].decode("latin-1")
                values = dict(parse_qsl(query_string, keep_blank_values=True))
            else:
                _require_json(request.headers.get("content-type", ""))
                values = read_json(await request.body())
            try:
                arguments[self._model_name] = self.model.model_validate(values)
            except ValidationError as error:
                raise invalid(error.errors()) from None
        reply = await self.endpoint(**arguments)
        if isinstance(reply, Response):
            return reply
        content = reply.content if isinstance(reply, Encoded) else self._encode(reply)
        return Response(content, media_type="application/json")


def _require_json(content_type: str) -> None:
    """Refuse other types: a page of another site cannot send JSON without asking first."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RequestError(
            RequestErrorCode.WRONG_CONTENT_TYPE,
            f"the body is {kind or 'of no kind'}, not JSON",
            where="the Content-Type header",
            remedy="send: Content-Type: application/json",
        )


def read_json(content: bytes) -> Any:
    """Read JSON as RFC 8259 defines it: no NaN, no Infinity, no unpaired surrogates.

    Raises
    ------
    RequestError
        It is not JSON, or nested too deeply.
    """
    if not content:
        raise malformed("it is empty")
    try:
        return from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise malformed(str(error)) from None
