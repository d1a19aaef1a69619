"""The web page: its bundled files, kept in memory, also compressed.

The files are made from the sources in ``web/`` and are part of the package. The names of the script
and of the style sheet contain a hash of their content, so that browsers may keep them for ever;
``index.html``, which names them, is revalidated on every visit.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from shortlist.serving.compression import accepts_gzip

FOLDER = files("shortlist.serving") / "static"
INDEX = "index.html"
MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}
FOR_EVER = "public, max-age=31536000, immutable"
REVALIDATED = "no-cache"
A_DAY = "public, max-age=86400"


@dataclass(frozen=True)
class Asset:
    """A file of the page.

    The ETag is a digest of the content. The time and the size of a file would not do: all files of
    a wheel may have the same time, and ``index.html`` keeps its size when the hashes in it change.
    """

    content: bytes
    compressed: bytes  # with gzip
    digest: str
    media_type: str
    cache_control: str

    def response(self, request: Request) -> Response:
        """Answer a GET or HEAD request: compressed, or with 304, where the client allows it."""
        use_gzip = accepts_gzip(request.headers.get("accept-encoding", ""))
        etag = f'"{self.digest}-gzip"' if use_gzip else f'"{self.digest}"'
        headers = {"ETag": etag, "Cache-Control": self.cache_control, "Vary": "Accept-Encoding"}
        known = request.headers.get("if-none-match", "").split(",")
        if any(tag.strip().removeprefix("W/") in (etag, "*") for tag in known):
            return Response(status_code=304, headers=headers)
        if use_gzip:
            headers["Content-Encoding"] = "gzip"
        body = self.compressed if use_gzip else self.content
        return Response(body, headers=headers, media_type=self.media_type)


def load_assets() -> dict[str, Asset]:
    """Read the files of the page."""
    assets = {}
    for file in FOLDER.iterdir():
        media_type = MEDIA_TYPES.get(file.name.rpartition(".")[2])
        if media_type is None:
            continue
        content = file.read_bytes()
        assets[file.name] = Asset(
            content,
            gzip.compress(content, mtime=0),
            hashlib.sha256(content).hexdigest()[:32],
            media_type,
            REVALIDATED if file.name == INDEX else FOR_EVER,
        )
    return assets


def routes() -> list[BaseRoute]:
    """Return the routes of the page."""
    assets = load_assets()

    async def index(request: Request) -> Response:
        return assets[INDEX].response(request)

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in assets:
            raise HTTPException(404)
        return assets[name].response(request)

    # The icon is in index.html; some clients ask for it at this address.
    match = re.search(rb"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", assets[INDEX].content)
    icon = base64.b64decode(match[1]) if match else b""
    return [
        Route("/", index),
        Route("/static/{name}", static),
        fixed_route("/favicon.ico", icon, "image/svg+xml", {"Cache-Control": A_DAY}),
    ]


def fixed_route(
    path: str, content: str | bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> Route:
    """Return a route to content that stays the same."""

    async def reply(_: Request) -> Response:
        return Response(content, headers=headers, media_type=media_type)

    return Route(path, reply)
