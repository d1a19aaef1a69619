"""The two addresses that nearly all requests are for, without a web framework in between.

They are FastAPI routes like the others, with the same schemas and the same replies (tested); but
FastAPI takes several times as long to find a route and to fill in its parameters as the whole of
what is left to do. What is asked for here is checked by the same pydantic models.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Coroutine
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from shortlist.errors import ShortlistError
from shortlist.serving.asking import read_json
from shortlist.serving.lists import list_of_user, lists_of
from shortlist.serving.schemas import ListAsked, RecommendationsIn
from shortlist.serving.service import Service
from shortlist.serving.troubles import FAILED, invalid, malformed, reply

_USER_LIST = re.compile(r"/users/([^/]+)/recommendations")
_LISTS = "/recommendations"

log = logging.getLogger("shortlist.serving")


class Express:
    """Answers requests for lists; hands everything else on.

    Parameters
    ----------
    app
        What answers everything else.
    service
        What it answers from.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] == "http":
            path, method = scope["path"], scope["method"]
            if method == "GET" and (found := _USER_LIST.fullmatch(path)):
                scope["shortlist.route"] = "/users/{user_id}/recommendations"
                await self._reply(self._for_user(found[1], scope), scope, receive, send)
                return
            if method == "POST" and path == _LISTS:
                scope["shortlist.route"] = _LISTS
                await self._reply(self._for_body(receive), scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _for_user(self, user_id: str, scope: Scope) -> bytes:
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        try:
            asked = ListAsked.model_validate(dict(pairs))
        except ValidationError as error:
            raise invalid(error.errors()) from None
        return await list_of_user(self._service, user_id, asked)

    async def _for_body(self, receive: Receive) -> bytes:
        message = await receive()  # the guard has put the whole body together
        try:
            body = RecommendationsIn.model_validate(read_json(message.get("body", b"")))
        except json.JSONDecodeError as error:
            raise malformed(error.msg) from None
        except ValidationError as error:
            raise invalid(error.errors()) from None
        return await lists_of(self._service, body)

    async def _reply(
        self, answer: Coroutine[Any, Any, bytes], scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            content = await answer
        except ShortlistError as error:
            await reply(error)(scope, receive, send)
            return
        except Exception:  # whatever it is, who asked gets a reply, and the log the traceback
            log.exception("%s %s failed", scope["method"], scope["path"])
            await reply(FAILED)(scope, receive, send)
            return
        length = str(len(content)).encode()
        headers = [(b"content-length", length), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})
