"""Access, the headers of every reply, limits, errors and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

import shortlist as sl
from shortlist.errors import ConfigError
from shortlist.serving.access import Access, access_to, new_token
from shortlist.serving.guard import Guard
from shortlist.serving.limits import Limits
from shortlist.serving.metrics import Metrics

TOKEN = "a-token-of-enough-letters"


def test_every_reply_has_the_security_headers(client: TestClient) -> None:
    for path in ("/", "/models", "/docs", "/nothing", "/users/U00/recommendations", "/static/x"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "http" not in policy  # no outside host
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert not any(name.startswith("access-control-") for name in headers)
        is_page = path in ("/", "/static/x")  # nothing of the data is in it
        assert headers["cache-control"] == ("no-cache" if is_page else "no-store")


def test_the_documentation_loads_nothing_from_other_hosts(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    paths = client.get("/openapi.json").json()["paths"]
    assert len(paths) == 18
    for path in paths:
        assert path in page
    assert client.get("/docs.css").headers["content-type"].startswith("text/css")


def test_the_openapi_document_describes_every_address(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    for path, methods in described["paths"].items():
        for about in methods.values():
            assert about["description"], path
            assert {"401", "422", "503"} <= set(about["responses"])
            for parameter in about.get("parameters", []):
                assert parameter["description"], path
    body = described["components"]["schemas"]["RecommendationsIn"]
    assert body["additionalProperties"] is False
    assert len(body["examples"]) == 2


def test_the_token_is_required(serve: Any) -> None:
    client = serve(access=Access(token=TOKEN))
    for path in ("/", "/health", "/ready", "/docs", "/openapi.json"):
        assert client.get(path).status_code == 200, path
    for path in ("/models", "/items", "/users/U00/recommendations", "/metrics", "/nothing"):
        for header in (
            None,
            "Bearer",
            "Bearer ",
            f"Bearer {TOKEN}x",
            f"Bearer {TOKEN[:-1]}",
            f"Basic {TOKEN}",
            TOKEN,
            "Bearer ümlaut".encode("latin-1"),
        ):
            reply = client.get(path, headers={} if header is None else {"Authorization": header})
            assert reply.status_code == 401
            assert reply.headers["www-authenticate"] == "Bearer"
            assert reply.json()["error"]["what"] == "the token is missing or wrong"
            assert TOKEN not in reply.text
    right = {"Authorization": f"bearer {TOKEN}"}
    assert client.get("/models", headers=right).status_code == 200
    assert client.get("/metrics", headers=right).status_code == 200


def test_the_host_is_checked_on_loopback(serve: Any) -> None:
    client = serve(access=access_to("127.0.0.1", None, ["Jobs.Example"]))
    for host in ("localhost", "localhost:8000", "127.0.0.1:80", "[::1]:8000", "jobs.example"):
        assert client.get("/models", headers={"Host": host}).status_code == 200, host
    for host in ("evil.example", "evil.example:8000", "localhost.evil.example", "", "[::2]"):
        reply = client.get("/models", headers={"Host": host})
        assert reply.status_code == 400, host
        assert reply.json()["error"]["where"] == "the Host header"


def test_other_addresses_allow_any_host_unless_names_are_given() -> None:
    assert access_to("0.0.0.0", TOKEN).hosts is None
    assert access_to("0.0.0.0", TOKEN, ["a.example"]).hosts == frozenset({"a.example"})
    assert access_to("::1", None).hosts == frozenset({"localhost", "127.0.0.1", "::1"})


@pytest.mark.parametrize(
    "token", ["", "short", "with blanks inside it", "ümlaut" * 5, "x" * 20 + "\n"]
)
def test_unusable_tokens(token: str) -> None:
    with pytest.raises(ConfigError, match="the token has"):
        access_to("0.0.0.0", token)


def test_new_tokens_differ() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    access_to("0.0.0.0", new_token())


async def slowly(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer when an event is set."""
    await scope["state"]["go"].wait()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def guarded(**limits: Any) -> Guard:
    return Guard(slowly, Access(), Limits(**limits), Metrics())


async def ask(
    guard: Guard,
    go: asyncio.Event,
    body: list[Message] | None = None,
    more: Sequence[tuple[bytes, bytes]] = (),
) -> Message:
    """Send a request to a guard; return the head of its reply."""
    method = "GET" if body is None else "POST"
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), *more]
    scope = {
        "type": "http", "method": method, "path": "/x", "headers": headers, "state": {"go": go}
    }  # fmt: skip
    sent: list[Message] = []
    waiting = [] if body is None else body

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await guard(scope, receive, send)
    return sent[0]


def test_too_many_open_requests_are_refused() -> None:
    async def scenario() -> tuple[list[int], Message]:
        guard, go = guarded(open_requests=2), asyncio.Event()
        under_way = [asyncio.create_task(ask(guard, go)) for _ in range(2)]
        await asyncio.sleep(0)
        refused = await ask(guard, go)
        go.set()
        done = [(await entry)["status"] for entry in under_way]
        return [*done, (await ask(guard, go))["status"]], refused

    done, refused = asyncio.run(scenario())
    assert done == [200, 200, 200]  # afterwards there is room again
    assert refused["status"] == 503
    assert (b"retry-after", b"1") in refused["headers"]


def test_the_total_length_of_bodies_is_limited() -> None:
    async def scenario() -> list[int]:
        guard, go = guarded(body_bytes=100, held_bytes=150), asyncio.Event()
        whole: list[Message] = [{"type": "http.request", "body": b"x" * 100, "more_body": False}]
        first = asyncio.create_task(ask(guard, go, [*whole]))
        await asyncio.sleep(0)
        refused = await ask(guard, go, [*whole])
        go.set()
        return [
            (await first)["status"],
            refused["status"],
            (await ask(guard, go, [*whole]))["status"],
        ]

    assert asyncio.run(scenario()) == [200, 503, 200]


@pytest.mark.parametrize(
    ("declared", "expects", "unread"),
    [(300, False, 0), (900, False, 3), (300, True, 3), (0, False, 0)],
)
def test_a_body_that_is_too_long_is_read_before_it_is_refused(
    declared: int, expects: bool, unread: int
) -> None:
    """A client that still sends would not see the reply; much longer ones are not read."""
    more = [(b"content-length", str(declared).encode())] if declared else []
    more += [(b"expect", b"100-continue")] if expects else []

    async def scenario() -> tuple[int, int]:
        guard = guarded(body_bytes=100, held_bytes=150)
        body: list[Message] = [
            {"type": "http.request", "body": b"x" * 100, "more_body": n < 2} for n in range(3)
        ]
        reply = await ask(guard, asyncio.Event(), body, more)
        return reply["status"], len(body)

    assert asyncio.run(scenario()) == (413, unread)


def test_a_body_that_does_not_end_is_refused() -> None:
    async def scenario() -> Message:
        begun: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}]
        return await ask(guarded(body_seconds=0.01), asyncio.Event(), begun)

    assert asyncio.run(scenario())["status"] == 400


def test_an_internal_error_is_logged_and_not_shown(
    serve: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("shortlist.serving.batching.score", broken)
    client = serve()
    reply = client.get("/users/U00/recommendations")
    assert reply.status_code == 500
    assert reply.json()["error"]["what"] == "the service failed"
    assert "a secret" in caplog.text
    assert client.get("/health").status_code == 200


def test_requests_are_counted(serve: Any) -> None:
    client = serve()
    client.get("/users/U00/recommendations")
    client.get("/users/nobody/recommendations")
    client.get("/items/R00")
    client.get("/a/b/c")
    counted, lists = client.get("/metrics").text, "/users/{user_id}/recommendations"
    for line in (
        f'shortlist_requests_total{{model="ials",route="{lists}",status="200"}} 1.0',
        f'shortlist_requests_total{{model="ials",route="{lists}",status="404"}} 1.0',
        'shortlist_requests_total{model="ials",route="/items/{item_id}",status="200"} 1.0',
        'shortlist_requests_total{model="",route="other",status="404"} 1.0',
        "shortlist_batch_lists_count 1.0",
        "shortlist_waiting_lists 0.0",
        "shortlist_open_requests 1.0",
        f'shortlist_info{{version="{sl.__version__}"}} 1.0',
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
    ):
        assert line in counted


def test_probes(serve: Any) -> None:
    client = serve()
    assert client.get("/health").json() == {
        "status": "ok",
        "version": sl.__version__,
        "models": {"ials": "ok", "content": "ok", "cosine": "ok"},
    }
    assert client.get("/ready").status_code == 200
    transport = httpx.ASGITransport(client.app)
    client.__exit__()  # the service stops

    async def after() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as late:
            return await late.get("/ready")

    assert asyncio.run(after()).status_code == 503
