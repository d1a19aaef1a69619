"""Errors as replies of one form: a code, a message, a remedy, and the HTTP status of the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from shortlist.errors import ErrorCode, ShortlistError
from shortlist.serving.replies import encode, note
from shortlist.text import shown

RETRY_SECONDS = 1


class RequestErrorCode(StrEnum):
    """The kinds of errors that only HTTP requests have."""

    MALFORMED_JSON = "malformed_json"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    BODY_TIMEOUT = "body_timeout"
    WRONG_HOST = "wrong_host"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNKNOWN_MODEL = "unknown_model"
    NO_DATABASE = "no_database"
    BODY_TOO_LONG = "body_too_long"
    INVALID_VALUE = "invalid_value"
    OUT_OF_RANGE = "out_of_range"
    TOO_MANY = "too_many"
    OVERLOADED = "overloaded"
    DEADLINE = "deadline"
    STOPPING = "stopping"


class Kind(NamedTuple):
    """What all errors of a code have in common."""

    status: int
    where: str | None = None
    remedy: str | None = None  # of a library error: instead of the one for Python code


_CHOOSE_MODEL = "choose a model that can: GET /models"
_NO_FEATURES = f"leave the features out, or {_CHOOSE_MODEL}"
_SEARCH = "check the spelling, or search: GET /users?q=, GET /items?q="
_SEND_JSON = "send JSON, as the documentation shows it: /docs"
_ELSEWHERE = "send requests to another instance"
_LATER = f"try again in {RETRY_SECONDS} s, with fewer at once"
_FASTER = "try again, ask for less at once, or raise the limit request_seconds"
_KINDS: dict[str, Kind] = {
    RequestErrorCode.MALFORMED_JSON: Kind(400, "the body", _SEND_JSON),
    RequestErrorCode.WRONG_CONTENT_TYPE: Kind(
        400, "the Content-Type header", "send: Content-Type: application/json"
    ),
    RequestErrorCode.BODY_TIMEOUT: Kind(400, "the body", "send it faster, or send less"),
    RequestErrorCode.WRONG_HOST: Kind(400, "the Host header"),
    RequestErrorCode.UNAUTHORIZED: Kind(
        401, "the Authorization header", "send: Authorization: Bearer TOKEN"
    ),
    RequestErrorCode.NOT_FOUND: Kind(404),
    RequestErrorCode.METHOD_NOT_ALLOWED: Kind(405),
    RequestErrorCode.UNKNOWN_MODEL: Kind(404, "model"),
    RequestErrorCode.NO_DATABASE: Kind(409, remedy="start it with --database DB"),
    RequestErrorCode.BODY_TOO_LONG: Kind(413, "the body", "send several shorter requests"),
    RequestErrorCode.OVERLOADED: Kind(503, remedy=_LATER),
    RequestErrorCode.DEADLINE: Kind(503, remedy=_FASTER),
    RequestErrorCode.STOPPING: Kind(503, remedy=_ELSEWHERE),
    ErrorCode.UNKNOWN_ID: Kind(404, remedy=_SEARCH),
    ErrorCode.WRONG_ID_TYPE: Kind(404),
    ErrorCode.UNSUPPORTED: Kind(409, remedy=_CHOOSE_MODEL),
    ErrorCode.FEATURES_UNSUPPORTED: Kind(409, remedy=_NO_FEATURES),
    ErrorCode.NO_USER_FEATURES: Kind(422, remedy=_NO_FEATURES),
    ErrorCode.NO_ITEM_FEATURES: Kind(422, remedy="leave the rule out"),
    ErrorCode.NO_LIFE_SPANS: Kind(422, remedy="leave as_of out"),
    ErrorCode.FAILED: Kind(500),
    ErrorCode.NOT_FITTED: Kind(500),
    ErrorCode.DOWNLOAD_FAILED: Kind(500),
    ErrorCode.DATABASE_FAILED: Kind(500),
}
_WRONG_INPUT = Kind(422)  # every other code
STATUSES = {
    400: "The body is not JSON, or the Host header is wrong.",
    401: "The token is missing or wrong.",
    404: "No such model, user or item.",
    405: "The address has no such method; the header Allow lists those it has.",
    409: "The model or the service cannot do this.",
    413: "The body is too long.",
    422: "A value is missing, wrong, or out of its bounds.",
    500: "The service failed; its log has the request with the id in X-Request-Id.",
    503: "Too many requests at once, or too slow; try again after Retry-After.",
}


class ErrorDetail(TypedDict):
    """An error: its code, what is wrong, where, and what to do."""

    code: Annotated[
        str,
        note("The kind of the error. Codes do not change; texts may.", example="out_of_range"),
        Field(json_schema_extra={"enum": [*map(str, ErrorCode), *map(str, RequestErrorCode)]}),
    ]
    what: Annotated[str, note(example="k=1000000000 is out of range")]
    where: Annotated[str | None, note(example="k")]
    remedy: Annotated[str | None, note(example="ask for 1 to 1000 items")]
    parameter: Annotated[
        str | None, note("The parameter to change, if one is at fault.", example="k")
    ]
    allowed: Annotated[
        list[str] | None,
        Field(description="The allowed values, if they can be listed.", examples=[None]),
    ]


class Error(TypedDict):
    """The form of every error."""

    error: ErrorDetail


class RequestError(ShortlistError):
    """A request that is refused; its code says with which status and remedy."""


class OverloadedError(RequestError):
    """More requests wait than the limits allow."""

    def __init__(self, what: str) -> None:
        super().__init__(what, code=RequestErrorCode.OVERLOADED)


FAILED = ShortlistError("the service failed", remedy="see the log of the service: this is a bug")


def error_response(error: ShortlistError, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as a reply."""
    status, where, remedy = _KINDS.get(error.code, _WRONG_INPUT)
    added = dict(headers or {})
    if status == 503:
        added["Retry-After"] = str(RETRY_SECONDS)
    if status == 401:
        added["WWW-Authenticate"] = "Bearer"
    reply: Error = {
        "error": {
            "code": str(error.code),
            "what": error.what,
            "where": error.where or where,
            "remedy": remedy or error.remedy,
            "parameter": error.parameter,
            "allowed": None if error.allowed is None else list(error.allowed),
        }
    }
    return Response(encode(Error, reply), status, added, "application/json")


def check_count(count: int, limit: int, noun: str, where: str) -> None:
    """Check a number against a limit."""
    if count > limit:
        raise RequestError(
            f"{count} {noun} in one request",
            code=RequestErrorCode.TOO_MANY,
            where=where,
            remedy=f"at most {limit} in each request",
        )


def wrong_value(what: str, path: str, remedy: str = "see what is expected: /docs") -> RequestError:
    """Return the error for a value of a request at a path; an empty path is the whole body."""
    return RequestError(
        what,
        code=RequestErrorCode.INVALID_VALUE,
        where=path or "the body",
        remedy=remedy,
        parameter=path or None,
    )


def invalid(errors: Sequence[Mapping[str, Any]]) -> RequestError:
    """Return the error for a request that pydantic refused.

    Where a value may have several types, pydantic reports an error for each of them. The client
    most likely meant the type whose check got furthest.
    """
    furthest = max(errors, key=lambda error: len(error["loc"]))
    path, kind, value = _path(furthest), furthest["type"], furthest.get("input")
    if kind == "extra_forbidden":
        return wrong_value(f"there is no {furthest['loc'][-1]!r}", path)
    if kind == "missing":
        return wrong_value(f"{furthest['loc'][-1]!r} is missing", path)
    if kind in ("model_type", "model_attributes_type"):
        what = f"should be an object with names and values; it is {_short(value)}"
        return wrong_value(what, path)
    # pydantic writes "Input should be ..." or "List should have ...".
    expected = [error["msg"].partition(" ")[2] for error in errors if _path(error) == path]
    others = [text.removeprefix("should be ") for text in dict.fromkeys(expected[1:])]
    return wrong_value(f"{' or '.join([expected[0], *others])}; it is {_short(value)}", path)


_PLAIN_TYPES = ("int", "float", "str")
_TYPE_NAMES = {"bool", *_PLAIN_TYPES, *(f"constrained-{name}" for name in _PLAIN_TYPES)}


def _path(error: Mapping[str, Any]) -> str:
    """Return the path to a value, without the names of the types that it may have."""
    names = [str(name) for name in error["loc"]]
    return ".".join(name for name in names if "[" not in name and name not in _TYPE_NAMES)


def _short(value: Any) -> str:
    match value:
        case dict():
            return f"an object of {len(value)}"
        case list() | tuple():
            return f"a list of {len(value)}"
        case None:
            return "null"
        case bool():
            return str(value).lower()
    return shown(value, 80)
