"""Operations: an endpoint with its address and the forms of its request and its reply.

An operation is an ASGI application that Starlette routes requests to. It reads the request into the
types that the endpoint's signature names, and encodes what the endpoint returns. The OpenAPI
document is made from the same signatures (:mod:`shortlist.serving.openapi`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from inspect import cleandoc, iscoroutinefunction, signature
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError, create_model
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from shortlist.errors import ShortlistError
from shortlist.serving.errors import FAILED, RequestError, RequestErrorCode, error_response, invalid
from shortlist.serving.replies import Encoded, adapter
from shortlist.serving.requests import Body, ModelName, check_bounds
from shortlist.serving.service import Service

log = logging.getLogger("shortlist.serving")

SLASH = "\ufdd0"  # stands for a slash within an id, until the path is split; never a character
Method: TypeAlias = Literal["GET", "POST", "DELETE"]


class Operation:
    """One method of one address, as the endpoint's signature and docstring declare it.

    The parameters of the endpoint are ``service``; ``served``, the model that the request names;
    those of the path, which ``{name}`` stands for; and either ``body``, the form of a ``POST``, or
    the parameters of the query string. It returns a form of :mod:`shortlist.serving.replies`, or a
    response. An endpoint that is not a coroutine runs in a
    thread of the service: lists among the workers, all others among the searchers. The tag is the
    group of the operation in the documentation.
    """

    def __init__(
        self, service: Service, method: Method, path: str, tag: str, endpoint: Callable[..., Any]
    ) -> None:
        self.method, self.path, self.tag, self.endpoint = method, path, tag, endpoint
        self.name: str = endpoint.__name__
        self.description = cleandoc(endpoint.__doc__ or "")
        hints = get_type_hints(endpoint, include_extras=True)
        returned = hints.pop("return")
        if get_origin(returned) is Encoded:
            (returned,) = get_args(returned)
        self.reply = None if returned is Response else returned
        self.path_parameters = {name: hints.pop(name) for name in [*hints] if f"{{{name}}}" in path}
        del hints["service"]
        self._service, self._needs_model = service, hints.pop("served", None) is not None
        self.form: type[BaseModel] | None = hints.pop("body", None) or _form(endpoint, hints)
        self._encode = adapter(self.reply).serializer.to_json
        self._is_async = iscoroutinefunction(endpoint)
        self._pool = service.workers if tag == "lists" else service.searchers

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
        if self.form is not None:
            try:
                form = self.form.model_validate(await self._values(request))
            except ValidationError as error:
                raise invalid(error.errors()) from None
            values = dict(form)
            if self._needs_model:
                arguments["served"] = self._service.models.get(values.pop("model", None))
            arguments |= {"body": form} if self.method == "POST" else values
            check_bounds(form, self._service.limits)
        if self._is_async:
            reply = await self.endpoint(self._service, **arguments)
        else:
            reply = await self._pool.run(self.endpoint, self._service, **arguments)
        if isinstance(reply, Response):
            return reply
        content = reply.content if isinstance(reply, Encoded) else self._encode(reply)
        return Response(content, media_type="application/json")

    async def _values(self, request: Request) -> Any:
        """Return the values of the body or of the query string."""
        if self.method != "POST":
            query_string = request.scope["query_string"].decode("latin-1")
            return dict(parse_qsl(query_string, keep_blank_values=True))
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":  # a page of another site cannot send it without asking
            what = f"the body is {kind or 'of no kind'}, not JSON"
            raise RequestError(what, code=RequestErrorCode.WRONG_CONTENT_TYPE)
        try:  # as RFC 8259 defines it: no NaN, no Infinity, no unpaired surrogates
            if not (content := await request.body()):
                raise ValueError("it is empty")
            return from_json(content, allow_inf_nan=False)
        except ValueError as error:
            what = f"the body is not JSON: {error}"
            raise RequestError(what, code=RequestErrorCode.MALFORMED_JSON) from None


def _form(endpoint: Callable[..., Any], hints: Mapping[str, Any]) -> type[BaseModel] | None:
    """Return the form of a query string, from the parameters of an endpoint; None: any is fine."""
    parameters = signature(endpoint).parameters
    fields: dict[str, Any] = {"model": (ModelName, None)} if "served" in parameters else {}
    fields |= {name: (hint, parameters[name].default) for name, hint in hints.items()}
    return create_model(endpoint.__name__, __base__=Body, **fields) if fields else None
