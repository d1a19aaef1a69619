"""Errors as replies of one form: a code, a message, a remedy, and the HTTP status of the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from shortlist.errors import ErrorCode, ShortlistError
from shortlist.serving.replies import encode

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


class ErrorDetail(TypedDict):
    """An error: its code, what is wrong, where, and what to do."""

    code: Annotated[
        str,
        Field(
            description="The kind of the error. Codes do not change; texts may.",
            examples=["out_of_range"],
            json_schema_extra={"enum": [*map(str, ErrorCode), *map(str, RequestErrorCode)]},
        ),
    ]
    what: Annotated[str, Field(examples=["k=1000000000 is out of range"])]
    where: Annotated[str | None, Field(examples=["k"])]
    remedy: Annotated[str | None, Field(examples=["ask for 1 to 1000 items"])]
    parameter: Annotated[
        str | None,
        Field(description="The parameter to change, if one is at fault.", examples=["k"]),
    ]
    allowed: Annotated[
        list[str] | None,
        Field(description="The allowed values, if they can be listed.", examples=[None]),
    ]


class Error(TypedDict):
    """The form of every error."""

    error: ErrorDetail


class RequestError(ShortlistError):
    """A request that is refused; the status of the reply follows from the code."""

    def __init__(
        self,
        code: RequestErrorCode,
        what: str,
        *,
        where: str | None = None,
        remedy: str | None = None,
        parameter: str | None = None,
        allowed: Sequence[str] | None = None,
    ) -> None:
        super().__init__(
            what, where=where, remedy=remedy, code=code, parameter=parameter, allowed=allowed
        )


class OverloadedError(RequestError):
    """More requests wait than the limits allow."""

    def __init__(self, what: str) -> None:
        super().__init__(
            RequestErrorCode.OVERLOADED,
            what,
            remedy=f"try again in {RETRY_SECONDS} s, with fewer at once",
        )


FAILED = ShortlistError("the service failed", remedy="see the log of the service: this is a bug")

_STATUS: dict[str, int] = {
    RequestErrorCode.MALFORMED_JSON: 400,
    RequestErrorCode.WRONG_CONTENT_TYPE: 400,
    RequestErrorCode.BODY_TIMEOUT: 400,
    RequestErrorCode.WRONG_HOST: 400,
    RequestErrorCode.UNAUTHORIZED: 401,
    RequestErrorCode.NOT_FOUND: 404,
    RequestErrorCode.METHOD_NOT_ALLOWED: 405,
    RequestErrorCode.UNKNOWN_MODEL: 404,
    RequestErrorCode.NO_DATABASE: 409,
    RequestErrorCode.BODY_TOO_LONG: 413,
    RequestErrorCode.INVALID_VALUE: 422,
    RequestErrorCode.OUT_OF_RANGE: 422,
    RequestErrorCode.TOO_MANY: 422,
    RequestErrorCode.OVERLOADED: 503,
    RequestErrorCode.DEADLINE: 503,
    RequestErrorCode.STOPPING: 503,
    ErrorCode.UNKNOWN_ID: 404,
    ErrorCode.WRONG_ID_TYPE: 404,
    ErrorCode.UNSUPPORTED: 409,
    ErrorCode.FEATURES_UNSUPPORTED: 409,
    ErrorCode.FAILED: 500,
    ErrorCode.NOT_FITTED: 500,
    ErrorCode.DOWNLOAD_FAILED: 500,
    ErrorCode.DATABASE_FAILED: 500,
}
_DEFAULT_STATUS = 422  # every other code is wrong input

_CHOOSE_MODEL = "choose a model that can: GET /models"
_REMEDIES: dict[str, str] = {
    ErrorCode.UNKNOWN_ID: "check the spelling, or search: GET /users?q=, GET /items?q=",
    ErrorCode.UNSUPPORTED: _CHOOSE_MODEL,
    ErrorCode.FEATURES_UNSUPPORTED: f"leave the features out, or {_CHOOSE_MODEL}",
    ErrorCode.NO_USER_FEATURES: f"leave the features out, or {_CHOOSE_MODEL}",
    ErrorCode.NO_ITEM_FEATURES: "leave the rule out",
    ErrorCode.NO_LIFE_SPANS: "leave as_of out",
}
"""What a client can do about an error whose own remedy is for Python code."""


def status_of(error: ShortlistError) -> int:
    """Return the HTTP status of an error.

    Examples
    --------
    >>> from shortlist.errors import UnknownIdError
    >>> status_of(UnknownIdError("1 unknown user id: 'ann'")), status_of(OverloadedError("busy"))
    (404, 503)
    """
    return _STATUS.get(error.code, _DEFAULT_STATUS)


def error_response(error: ShortlistError, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as a reply."""
    status = status_of(error)
    added = dict(headers or {})
    if status == 503:
        added["Retry-After"] = str(RETRY_SECONDS)
    if status == 401:
        added["WWW-Authenticate"] = "Bearer"
    reply: Error = {
        "error": {
            "code": str(error.code),
            "what": error.what,
            "where": error.where,
            "remedy": _REMEDIES.get(error.code, error.remedy),
            "parameter": error.parameter,
            "allowed": None if error.allowed is None else list(error.allowed),
        }
    }
    return Response(encode(Error, reply), status, added, "application/json")


def malformed(reason: str) -> RequestError:
    """Return the error for a body that is not JSON."""
    return RequestError(
        RequestErrorCode.MALFORMED_JSON,
        f"the body is not JSON: {reason}",
        where="the body",
        remedy="send JSON, as the documentation shows it: /docs",
    )


def invalid(errors: Sequence[Mapping[str, Any]], within: str = "") -> RequestError:
    """Return the error for a request that pydantic refused.

    Where a value may have several types, pydantic reports an error for each of them. The client
    most likely meant the type whose check got furthest.

    Parameters
    ----------
    errors
        The errors of the validation.
    within
        The path to the validated value; empty: it is the whole request.

    Examples
    --------
    >>> from shortlist.serving.requests import QueryIn
    >>> from pydantic import ValidationError
    >>> try:
    ...     QueryIn.model_validate({"history": {"R1": -1}})
    ... except ValidationError as error:
    ...     print(invalid(error.errors()))
    should be greater than or equal to 0; it is -1
      where: history.R1
      to do: see what is expected: /docs
    """
    furthest = max(errors, key=lambda error: len(error["loc"]))
    path, kind, value = _path(furthest), furthest["type"], furthest.get("input")
    if kind == "extra_forbidden":
        what = f"there is no {furthest['loc'][-1]!r}"
    elif kind == "missing":
        what = f"{furthest['loc'][-1]!r} is missing"
    elif kind in ("model_type", "model_attributes_type"):
        what = f"should be an object with names and values; it is {_short(value)}"
    else:
        # pydantic writes "Input should be ..." or "List should have ...".
        expected = [error["msg"].partition(" ")[2] for error in errors if _path(error) == path]
        others = [text.removeprefix("should be ") for text in dict.fromkeys(expected[1:])]
        what = f"{' or '.join([expected[0], *others])}; it is {_short(value)}"
    full_path = ".".join(filter(None, (within, path)))
    return RequestError(
        RequestErrorCode.INVALID_VALUE,
        what,
        where=full_path or "the body",
        remedy="see what is expected: /docs",
        parameter=full_path or None,
    )


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
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
