"""Small points of HTTP that hold for every address."""

from __future__ import annotations

import logging
from typing import Any

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

import shortlist as sl
from shortlist.serving.access import Access
from shortlist.serving.app import create_app
from shortlist.serving.compression import accepts_gzip
from shortlist.serving.logs import RequestIdFilter
from shortlist.serving.operations import Operation
from shortlist.serving.service import Service

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
PATHS = [
    "/", "/docs", "/docs.css", "/openapi.json", "/favicon.ico", "/health", "/ready", "/metrics",
    "/models", "/overview", "/schema", "/map", "/items", "/items/R00", "/items/R00/similar",
    "/items/R00/audience", "/users", "/users/U00", "/users/U00/recommendations",
    "/recommendations", "/explanations", "/interactions", "/interactions/1",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_every_address_has_head_and_allow(client: TestClient, path: str) -> None:
    for method in ("PUT", "PATCH"):
        assert client.request(method, path, content=b"text").status_code == 405
    reply = client.request("PUT", path, json={})
    assert reply.status_code == 405, path
    assert reply.json()["error"]["code"] == "method_not_allowed"
    allowed = {method.strip() for method in reply.headers["allow"].split(",")}
    assert allowed < METHODS
    assert allowed
    assert ("GET" in allowed) == ("HEAD" in allowed)
    if "POST" not in allowed:
        assert client.post(path, content=b"text").status_code == 405
    if "GET" in allowed:
        head, whole = client.head(path), client.get(path)
        assert head.status_code == whole.status_code == 200
        if path != "/metrics":  # it changes with every request
            assert head.headers["content-type"] == whole.headers["content-type"]


def test_all_operations_are_tested(client: TestClient) -> None:
    app: Any = client.app
    routes = [route for route in app.app.routes if isinstance(route.endpoint, Operation)]
    for route in routes:
        assert any(route.path_regex.match(path) for path in PATHS), route.path


def test_ids_with_a_slash(tmp_path: Any) -> None:
    log = pa.table({"user_id": ["a/b", "a/b", "c"], "item_id": ["x/y", "z%", "x/y/similar"]})
    sl.Popularity().fit(sl.Dataset.from_tables(log)).save(tmp_path / "bundle")
    with TestClient(create_app(Service({"p": tmp_path / "bundle"}))) as client:
        for path in (
            "/users/a%2Fb", "/users/a%2fb/recommendations", "/items/x%2Fy", "/items/z%25",
            "/items/x%2Fy%2Fsimilar", "/items/x%2Fy/audience",
        ):  # fmt: skip
            assert client.get(path).status_code == 200, path
        assert client.get("/items/x%2Fy").json()["item_id"] == "x/y"
        assert client.get("/items/x%2Fy%2Fsimilar").json()["item_id"] == "x/y/similar"
        assert client.get("/users/a%2Fc").json()["error"]["code"] == "unknown_id"
        assert client.get("/items/x/y").status_code == 404


@pytest.mark.parametrize(
    "path", ["/models/", "/items/", "/items/R00/", "/users/U00/recommendations/"]
)
def test_redirects_are_relative(client: TestClient, path: str) -> None:
    reply = client.get(f"{path}?model=cosine", follow_redirects=False)
    assert reply.status_code == 307
    assert reply.headers["location"] == f"../{path.rstrip('/').rpartition('/')[2]}?model=cosine"
    assert client.get(path).status_code == 200
    assert client.get(f"{path}/", follow_redirects=False).status_code == 404
    assert client.get("/nothing/").status_code == 404


def test_two_host_headers_are_refused(client: TestClient) -> None:
    headers = [("Host", "localhost"), ("Host", "evil.example")]
    reply = client.get("/models", headers=headers)
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "wrong_host"


def test_pages_name_only_relative_addresses(client: TestClient) -> None:
    for path in ("/", "/docs"):
        page = client.get(path).text
        for attribute in ("href=", "src="):
            for part in page.split(attribute)[1:]:
                assert not part.lstrip("\"'").startswith("/"), part[:40]
    assert client.get("/openapi.json").json()["servers"][0]["url"] == "./"


def test_long_replies_are_compressed_for_clients_that_accept_it(client: TestClient) -> None:
    plain = client.get("/items?limit=20", headers={"Accept-Encoding": "gzip;q=0"})
    zipped = client.get("/items?limit=20", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.headers["vary"] == "Accept-Encoding"
    assert int(zipped.headers["content-length"]) < int(plain.headers["content-length"])
    assert zipped.json() == plain.json()
    short = client.get("/items/R00", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in short.headers


def test_the_weights_of_encodings_count() -> None:
    for header in ("br, gzip;q=0.8", "*", "GZIP"):
        assert accepts_gzip(header), header
    for header in ("gzip;q=0, *", "", "identity", "gzip;q=x"):
        assert not accepts_gzip(header), header


def test_the_icon(client: TestClient) -> None:
    reply = client.get("/favicon.ico")
    assert reply.headers["content-type"] == "image/svg+xml"
    assert reply.text.startswith("<svg")


def test_every_reply_has_a_request_id_and_log_lines_contain_it(
    serve: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError

    client = serve()
    ids = {client.get(path).headers["x-request-id"] for path in ("/health", "/nothing", "/items")}
    assert len(ids) == 3
    given = client.get("/health", headers={"X-Request-Id": "order-17"})
    assert given.headers["x-request-id"] == "order-17"
    for wrong in ("two words", "x" * 65, "a\tb", ""):
        replaced = client.get("/health", headers={"X-Request-Id": wrong})
        assert replaced.headers["x-request-id"] != wrong
    monkeypatch.setattr("shortlist.serving.catalogue.Catalogue.search", broken)
    caplog.handler.addFilter(RequestIdFilter())
    failed = client.get("/items", headers={"X-Request-Id": "order-18"})
    caplog.handler.filters.clear()
    assert failed.status_code == 500
    records = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.request_id for record in records] == ["order-18"]  # type: ignore[attr-defined]


def test_the_document_declares_bounds_security_and_every_status(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert {"400", "401", "404", "405", "500", "503"} <= set(operation["responses"])
            assert ("security" in operation) == (path not in ("/health", "/ready"))
            for parameter in operation["parameters"]:
                if parameter["name"] in ("k", "limit"):
                    assert parameter["schema"]["minimum"] == 1
                    assert parameter["schema"]["maximum"] in (100, 1_000)
    body = document["components"]["schemas"]["RecommendationsIn"]["properties"]
    assert body["k"]["maximum"] == 1_000
    metrics = document["paths"]["/metrics"]["get"]["responses"]["200"]["content"]
    assert list(metrics) == ["text/plain"]


def test_the_page_and_its_documentation_need_no_token(serve: Any) -> None:
    client = serve(access=Access(token="a-token-of-enough-letters"))
    assert client.get("/favicon.ico").status_code == 200
    assert client.get("/items%2F..%2Fhealth").status_code == 401
