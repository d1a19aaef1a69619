"""Errors as replies: one shape for all of them, and a status that says whose fault it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from shortlist.errors import CapabilityError, InputError, ShortlistError, UnknownIdError
from shortlist.serving.plain import json_bytes

RETRY_SECONDS = 1
_TYPES = frozenset({"bool", "int", "float", "str", "constrained-str", "constrained-float"})


class RefusedError(InputError):
    """A request that is refused with a status of its own."""

    def __init__(
        self, status: int, what: str, *, where: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.status = status


class OverloadedError(ShortlistError):
    """More waits than the limits allow."""

    def __init__(self, what: str) -> None:
        super().__init__(what, remedy=f"try again in {RETRY_SECONDS} s, with fewer at once")


_CAN = "choose a model that can: GET /models"
_ON_THE_WEB = {
    "check the spelling, or pass on_unknown": "check the spelling, or search: GET /users?q=, "
    "GET /items?q=",
    "leave features out, choose a model": f"leave the features out, or {_CAN}",
    "fit on data with a users table": f"leave the features out, or {_CAN}",
    "choose a model that can": _CAN,
    "give Dataset.from_tables an items table": "leave the rule out",
    "add valid_from or valid_to": "leave as_of out",
}
"""How a remedy for somebody who writes Python begins, and what to do over the network."""

FAILED = ShortlistError("the service failed", remedy="look into its log: this is a fault of ours")


def status_of(error: ShortlistError) -> int:
    """Give the HTTP status of an error.

    Examples
    --------
    >>> status_of(UnknownIdError("1 unknown user id: 'ann'")), status_of(OverloadedError("busy"))
    (404, 503)
    """
    match error:
        case RefusedError():
            return error.status
        case OverloadedError():
            return 503
        case UnknownIdError():
            return 404
        case CapabilityError():
            return 409
        case InputError():
            return 422
        case _:
            return 500


def reply(error: ShortlistError) -> Response:
    """Write an error as a reply."""
    status = status_of(error)
    headers = {}
    if status == 503:
        headers["Retry-After"] = str(RETRY_SECONDS)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    content = {"what": error.what, "where": error.where, "remedy": _remedy(error)}
    return Response(json_bytes({"error": content}), status, headers, "application/json")


def _remedy(error: ShortlistError) -> str | None:
    """Give what the one who asked can do, in the words of the interface."""
    given = error.remedy
    known = (words for start, words in _ON_THE_WEB.items() if (given or "").startswith(start))
    return next(known, given)


def malformed(why: str) -> RefusedError:
    """Make the error that a body is not JSON."""
    return RefusedError(
        400,
        f"the body is not JSON: {why}",
        where="the body",
        remedy="send JSON, as the documentation shows it: /docs",
    )


def invalid(errors: Sequence[Mapping[str, Any]]) -> RefusedError:
    """Turn what pydantic found wrong into our words.

    Where a value may be one of several things, pydantic tells of each what is wrong with it. What
    it got furthest with is what was meant.

    Examples
    --------
    >>> from shortlist.serving.schemas import QueryIn
    >>> from pydantic import ValidationError
    >>> try:
    ...     QueryIn.model_validate({"history": {"R1": -1}})
    ... except ValidationError as error:
    ...     print(invalid(error.errors()))
    should be greater than or equal to 0; it is -1
      where: history.R1
      to do: see what is expected: /docs
    """
    if errors[0]["type"] == "json_invalid":
        return malformed(errors[0]["ctx"]["error"])
    if errors[0]["type"] == "missing" and tuple(errors[0]["loc"]) == ("body",):
        return malformed("it is empty")
    furthest = max(errors, key=lambda error: len(error["loc"]))
    place = _place(furthest)
    kind, given = furthest["type"], furthest.get("input")
    if kind == "extra_forbidden":
        what = f"there is no {furthest['loc'][-1]!r}"
    elif kind == "missing":
        what = f"{furthest['loc'][-1]!r} is missing"
    elif kind.startswith("model_"):
        what = f"should be an object with names and values; it is {_short(given)}"
    else:
        same = [error["msg"].partition(" ")[2] for error in errors if _place(error) == place]
        wanted = [said.removeprefix("should be ") for said in dict.fromkeys(same[1:])]
        what = f"{' or '.join([same[0], *wanted])}; it is {_short(given)}"
    return RefusedError(422, what, where=place or "the body", remedy="see what is expected: /docs")


def _place(error: Mapping[str, Any]) -> str:
    """Give the path to a value, without the names of the types that it may have."""
    path = [str(one) for one in error["loc"]]
    if path and path[0] in ("body", "query", "path"):
        del path[0]
    return ".".join(one for one in path if "[" not in one and one not in _TYPES)


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
