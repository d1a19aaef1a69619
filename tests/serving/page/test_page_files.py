"""The files of the page as they are served, and what may not be in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from shortlist.serving.service import Service

from .page_world import running

WEB = Path(str(files("shortlist.serving"))) / "web"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FILES = sorted(path.relative_to(WEB).as_posix() for path in WEB.rglob("*") if path.is_file())
SCRIPTS = [name for name in FILES if name.endswith(".js")]


def text(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def address(saved: Path) -> Iterator[str]:
    with running(Service({"ials": saved / "ials"})) as served:
        yield served


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_served_as_what_it_is(address: str, name: str) -> None:
    with urlopen(f"{address}static/{name}") as reply:
        assert reply.read().decode() == text(name)
        assert reply.headers["content-type"] == KINDS[Path(name).suffix]
        assert reply.headers["cache-control"] == "no-cache"
        assert reply.headers["x-content-type-options"] == "nosniff"
        mark = reply.headers["etag"]
    known = Request(f"{address}static/{name}", headers={"If-None-Match": mark})
    with pytest.raises(HTTPError, match="304"):
        urlopen(known)


def test_the_page_allows_only_what_is_its_own(address: str) -> None:
    with urlopen(address) as reply:
        assert reply.read().decode() == text("index.html")
        policy = dict(
            part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; ")
        )
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["default-src"] in ("'self'", "'none'")


def test_nothing_inline_and_nothing_from_elsewhere() -> None:
    for name in FILES:
        elsewhere = re.findall(r"(?:https?:)?//[\w.]+\.\w+[\w/]*", text(name))
        assert [one for one in elsewhere if "www.w3.org/2000/svg" not in one] == [], name
    page = text("index.html")
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_make_no_markup_from_text(name: str) -> None:
    banned = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function"
    )
    assert re.findall(banned, text(name)) == []


def test_every_module_is_there_and_preloaded() -> None:
    used = {"js/main.js", "js/early.js"}
    for name in SCRIPTS:
        for target in re.findall(r'from "(\.[^"]+)"', text(name)):
            used.add((WEB / name).parent.joinpath(target).resolve().relative_to(WEB).as_posix())
    assert used == set(SCRIPTS) - {"js/types.js"}  # types are for editors
    page = text("index.html")
    preloaded = set(re.findall(r'modulepreload" href="static/([^"]+)"', page))
    assert preloaded == used - {"js/main.js", "js/early.js"}
    styles = set(re.findall(r'stylesheet" href="static/([^"]+)"', page))
    assert styles == {name for name in FILES if name.endswith(".css")}
