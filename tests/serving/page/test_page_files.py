"""The files of the page: how they are served, what is in them, and that they are current."""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from email.message import Message
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from shortlist.recommend.explain import BY_SIMILAR, CHOSEN, DISLIKED, FEATURE, SIMILAR
from shortlist.serving.service import Service

from .page_world import SOURCES, running

WEB = SOURCES.parent
BUILT = Path(str(files("shortlist.serving"))) / "static"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
ASSETS = sorted(path.name for path in BUILT.iterdir() if path.suffix in KINDS)
HASHED = [name for name in ASSETS if name != "index.html"]
SCRIPTS = sorted(path.relative_to(SOURCES).as_posix() for path in SOURCES.rglob("*.js"))


def text(name: str) -> str:
    return (BUILT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def address(saved: Path) -> Iterator[str]:
    with running(Service({"ials": saved / "ials"})) as served:
        yield served


class Reply(NamedTuple):
    status: int
    headers: Message
    body: bytes


def get(address: str, *, method: str = "GET", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        answer = urlopen(Request(address, headers=named, method=method))
    except HTTPError as error:
        answer = error
    with answer:
        return Reply(answer.status, answer.headers, answer.read())


@pytest.mark.parametrize("name", ASSETS)
@pytest.mark.parametrize("accepted", ["", "gzip", "br, gzip;q=0.5", "gzip;q=0", "identity"])
def test_a_file_is_served_as_what_it_is(address: str, name: str, accepted: str) -> None:
    url = f"{address}static/{name}"
    status, headers, body = get(url, Accept_Encoding=accepted)
    assert status == 200
    if accepted in ("gzip", "br, gzip;q=0.5"):
        assert headers["content-encoding"] == "gzip"
        assert len(body) < len(text(name).encode()) / 2
        body = gzip.decompress(body)
    else:
        assert headers["content-encoding"] is None
    assert body.decode() == text(name)
    assert headers["content-type"] == KINDS[Path(name).suffix]
    assert headers["vary"] == "Accept-Encoding"
    assert headers["x-content-type-options"] == "nosniff"
    etag = headers["etag"]
    assert etag.endswith('-gzip"') == (headers["content-encoding"] == "gzip")
    for known in (etag, f'"other", W/{etag}', "*"):
        unchanged = get(url, Accept_Encoding=accepted, If_None_Match=known)
        assert (unchanged.status, unchanged.body) == (304, b"")
        assert unchanged.headers["etag"] == etag
        assert unchanged.headers["vary"] == "Accept-Encoding"
    assert get(url, Accept_Encoding=accepted, If_None_Match='"other"').status == 200


def test_hashed_files_are_kept_for_ever_and_the_page_is_not(address: str) -> None:
    for_ever = ["public, max-age=31536000, immutable"]
    for name in HASHED:
        assert get(f"{address}static/{name}").headers.get_all("cache-control") == for_ever
    assert get(address).headers.get_all("cache-control") == ["no-cache"]
    missing = get(f"{address}static/app.000000000000.js")
    assert missing.status == 404
    assert missing.headers.get_all("cache-control") == ["no-cache"]


def test_only_files_of_the_page_are_served(address: str) -> None:
    for name in ("sources.sha256", "../page.py", "%2e%2e/page.py", "..%2fpage.py", ""):
        assert get(f"{address}static/{name}").status == 404, name


def test_head_gives_the_headers_only(address: str) -> None:
    for path in ("", f"static/{HASHED[0]}"):
        whole = get(address + path, Accept_Encoding="gzip")
        head = get(address + path, method="HEAD", Accept_Encoding="gzip")
        assert head.body == b""
        for name in ("etag", "content-length", "content-encoding", "cache-control"):
            assert head.headers[name] == whole.headers[name]


def test_the_page_allows_only_what_is_its_own(address: str) -> None:
    with urlopen(address) as reply:
        assert reply.read().decode() == text("index.html")
        policy = dict(
            part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; ")
        )
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["default-src"] in ("'self'", "'none'")


def test_one_script_and_one_style_sheet() -> None:
    page = text("index.html")
    (script,) = re.findall(r'<script src="static/([^"]+)">', page)
    (style,) = re.findall(r'<link rel="stylesheet" href="static/([^"]+)">', page)
    assert sorted([script, style]) == sorted(HASHED)
    assert re.fullmatch(r"app\.[0-9a-f]{12}\.js", script)
    assert re.fullmatch(r"app\.[0-9a-f]{12}\.css", style)
    # Nothing else is fetched: an icon is a part of the page, or of the address of its image.
    fetched = re.findall(r'(?:src|href)="([^"]+)"', page)
    others = {one for one in fetched if one not in (f"static/{script}", f"static/{style}")}
    assert {one for one in others if not one.startswith("data:image/svg+xml;")} == {
        "#lists",
        "docs",
    }
    assert not re.search(r"url\(|@import", text(style))


def test_nothing_inline_and_nothing_from_elsewhere() -> None:
    for name in ASSETS:
        elsewhere = re.findall(r"(?:https?:)?//[\w.]+\.\w+[\w/]*", text(name))
        assert [one for one in elsewhere if "www.w3.org/2000/svg" not in one] == [], name
    page = text("index.html")
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)


@pytest.mark.parametrize("name", [*SCRIPTS, "the bundle"])
def test_scripts_make_no_markup_from_text(name: str) -> None:
    if name == "the bundle":
        script = "".join(text(one) for one in HASHED)
    else:
        script = (SOURCES / name).read_text(encoding="utf-8")
    banned = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function"
    )
    assert re.findall(banned, script) == []


def test_every_source_is_used() -> None:
    used = {"js/main.js"}
    for name in SCRIPTS:
        script = (SOURCES / name).read_text(encoding="utf-8")
        for target in re.findall(r'^(?:import|export|\}).*"(\.[^"]+)";', script, re.MULTILINE):
            path = (SOURCES / name).parent.joinpath(target).resolve()
            used.add(path.relative_to(SOURCES).as_posix())
    assert used == set(SCRIPTS) - {"js/types.js"}  # types are for editors
    styles = re.findall(r'@import "\./([^"]+)"', (SOURCES / "css/main.css").read_text())
    assert {*styles, "main.css"} == {path.name for path in (SOURCES / "css").iterdir()}


def test_the_bundles_are_made_from_these_sources() -> None:
    made_from = [path for path in SOURCES.rglob("*") if path.is_file()]
    made_from += [WEB / "build.mjs", WEB / "package-lock.json"]
    lines = sorted(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(WEB).as_posix()}\n"
        for path in made_from
    )
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert text("sources.sha256") == f"{digest}\n", "the sources have changed: run `make web`"


@pytest.mark.slow
def test_the_build_is_reproducible(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (WEB / "node_modules").exists():
        pytest.skip("no node, or its packages are not installed: make web")
    subprocess.run([node, WEB / "build.mjs", tmp_path / "built"], check=True)
    made = {path.name: path.read_bytes() for path in (tmp_path / "built").iterdir()}
    assert made == {path.name: path.read_bytes() for path in BUILT.iterdir()}


def test_the_page_has_words_for_every_kind_of_reason() -> None:
    """English has them all; the types make the Korean words those of the same kinds."""
    package = Path(str(files("shortlist")))
    kinds = {CHOSEN, DISLIKED, BY_SIMILAR, SIMILAR, FEATURE}
    for path in package.rglob("*.py"):
        kinds |= set(re.findall(r'Parts\(\s*"([a-z ]+)"', path.read_text(encoding="utf-8")))
    assert kinds >= {"popularity", "bias", "not a candidate"}
    words = (SOURCES / "js/words/en.js").read_text(encoding="utf-8")
    written = words.partition("kinds: {")[2].partition("}")[0]
    assert kinds <= set(re.findall(r'^\s*"?([a-z ]+)"?: "', written, re.MULTILINE))
