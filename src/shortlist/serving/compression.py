"""Compression of replies with gzip, for clients that accept it.

Unlike Starlette's middleware, it heeds ``gzip;q=0``, leaves short replies alone at no cost, and
compresses long ones in a thread.
"""

from __future__ import annotations

import asyncio
import gzip
from functools import lru_cache

from starlette.types import Message, Send

MIN_BYTES = 1_400  # a shorter reply fits into one packet
_THREAD_BYTES = 2**17  # a longer reply would hold up the event loop for more than about 1 ms
_LEVEL = 1  # half the size costs a tenth of the time of the best level


@lru_cache(64)
def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether a client accepts gzip, by its ``Accept-Encoding`` header."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        coding, _, parameter = part.partition(";")
        name, _, value = parameter.partition("=")
        try:
            weights[coding.strip()] = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            continue
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def compressing(send: Send) -> Send:
    """Return a sender that compresses replies which have one body and no encoding yet."""
    head: Message | None = None

    async def sending(message: Message) -> None:
        nonlocal head
        if message["type"] == "http.response.start":
            if all(name != b"content-encoding" for name, _ in message["headers"]):
                head = message  # its length depends on the body
                return
        elif head is not None:
            start, head = head, None
            body = message.get("body", b"")
            if len(body) >= MIN_BYTES and not message.get("more_body", False):
                if len(body) > _THREAD_BYTES:
                    content = await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)
                else:
                    content = gzip.compress(body, _LEVEL, mtime=0)
                start["headers"] = [
                    *(pair for pair in start["headers"] if pair[0] != b"content-length"),
                    (b"content-encoding", b"gzip"),
                    (b"content-length", b"%d" % len(content)),
                    (b"vary", b"Accept-Encoding"),
                ]
                message = {**message, "body": content}
            await send(start)
        await send(message)

    return sending
