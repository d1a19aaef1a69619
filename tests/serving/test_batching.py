"""Requests that arrive together are scored together, with the same replies."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from shortlist.models.base import Model
from shortlist.serving import batching
from shortlist.serving.app import create_app
from shortlist.serving.batching import Job
from shortlist.serving.limits import Limits
from shortlist.serving.service import Service

Send = Callable[..., Any]


class Held:
    """Scoring that waits for an event, and records the sizes of the batches."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go, self.begun, self.sizes = threading.Event(), threading.Event(), list[int]()
        really = batching.score

        def score(jobs: Sequence[Job]) -> Any:
            self.sizes.append(sum(len(job.queries) for job in jobs))
            self.begun.set()
            self.go.wait(10)
            return really(jobs)

        monkeypatch.setattr(batching, "score", score)


def together(
    saved: Path, requests: list[dict[str, Any]], held: Held, pause: float = 0.0, **limits: Any
) -> list[httpx.Response]:
    """Send the first request, and the others while it is being scored."""

    async def scenario() -> list[httpx.Response]:
        service = Service(
            {name: saved / name for name in ("ials", "content", "cosine")},
            limits=replace(Limits(), **limits),
        )
        transport = httpx.ASGITransport(create_app(service))
        async with (
            service.run(),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            tasks = []
            for number, request in enumerate(requests):
                tasks.append(asyncio.create_task(client.request(**request)))
                if number == 0:
                    await asyncio.to_thread(held.begun.wait, 10)
            for _ in range(100):  # until all requests wait
                await asyncio.sleep(0)
            await asyncio.sleep(pause)
            held.go.set()
            return list(await asyncio.gather(*tasks))

    return asyncio.run(scenario())


def get(user: str, **params: Any) -> dict[str, Any]:
    return {"method": "GET", "url": f"/users/{user}/recommendations", "params": params}


def post(**body: Any) -> dict[str, Any]:
    return {"method": "POST", "url": "/recommendations", "json": body}


MIXED = [
    get("U00"),
    *(get(f"U{number:02}") for number in range(12)),
    get("U03"),  # requested twice
    post(queries=[{"history": ["R00", "R01"]}, {"user": "U05", "history": ["R20"]}]),
    post(queries=[{"user": "U01", "where": {"education": 1}}, {"history": ["R02"]}]),
    post(users=["U06", "U07", "U06"], where={"remote": True}),
    get("U08", k=3),
    get("U09", k=3, exclude_seen="false"),
    post(users=["nobody", "U10"], on_unknown="skip"),
    post(users=["nobody", "U10"], on_unknown="fallback"),
    get("U11", model="cosine"),
    post(queries=[{"features": {"degree": 2}}, {"user": "U12"}], model="content"),
    get("U13", reasons="true", k=2),
    get("U14", diversity=0.7),
]


def test_replies_are_those_of_single_requests(
    saved: Path, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    replies = together(saved, MIXED, held)
    # The first alone; then 13 users, 4 queries and 3 users with a rule, all with k=10; the rest.
    assert held.sizes[:2] == [1, 20]
    assert sum(held.sizes) == sum(
        len(entry["json"].get("users") or entry["json"].get("queries")) if "json" in entry else 1
        for entry in MIXED
    )
    for request, reply in zip(MIXED, replies, strict=True):
        alone = client.request(**request)
        assert (reply.status_code, reply.content) == (alone.status_code, alone.content)


def test_the_size_of_a_batch_is_limited(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    replies = together(saved, [get(f"U{number:02}") for number in range(12)], held, batch=4)
    assert held.sizes == [1, 4, 4, 3]
    assert {reply.status_code for reply in replies} == {200}


def test_a_request_larger_than_a_batch_is_not_split(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    requests = [get("U00"), post(users=[f"U{number:02}" for number in range(10)]), get("U01")]
    assert [reply.status_code for reply in together(saved, requests, held, batch=4)] == [200] * 3
    assert held.sizes == [1, 10, 1]


def test_too_many_waiting_lists_are_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    replies = together(saved, [get("U00")] * 8, held, waiting=5)
    assert [reply.status_code for reply in replies] == [200] * 6 + [503] * 2
    assert replies[-1].headers["retry-after"] == "1"
    assert replies[-1].json()["error"] == {
        "code": "overloaded",
        "what": "5 lists wait to be scored already",
        "where": None,
        "remedy": "try again in 1 s, with fewer at once",
        "parameter": None,
        "allowed": None,
    }


def test_requests_that_wait_too_long_are_refused(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    replies = together(saved, [get("U00"), get("U01")], held, pause=0.2, wait_seconds=0.1)
    assert [reply.status_code for reply in replies] == [200, 503]
    assert "waited" in replies[1].json()["error"]["what"]


def test_a_request_that_fails_does_not_affect_its_batch(
    saved: Path, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    monkeypatch.setattr("shortlist.serving.endpoints.check_queries", lambda *_: None)
    bad = post(queries=[{"history": ["R99"]}])
    replies = together(saved, [get("U00"), get("U01"), bad, get("U02")], held)
    assert [reply.status_code for reply in replies] == [200, 200, 404, 200]
    for user, reply in zip(("U01", "U02"), replies[1::2], strict=True):
        assert reply.content == client.request(**get(user)).content


def test_slow_requests_have_a_queue_of_their_own(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, similar = threading.Event(), Model.similar

    def slowly(*arguments: Any, **named: Any) -> Any:
        go.wait(10)
        return similar(*arguments, **named)

    monkeypatch.setattr(Model, "similar", slowly)

    async def scenario() -> list[int]:
        service = Service({"ials": saved / "ials"}, limits=Limits(slow=3))
        transport = httpx.ASGITransport(create_app(service))
        async with (
            service.run(),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            tasks = [asyncio.create_task(client.get("/items/R00/similar")) for _ in range(5)]
            for _ in range(100):
                await asyncio.sleep(0)
            lists = await client.get("/users/U00/recommendations")  # does not wait for them
            go.set()
            slow = await asyncio.gather(*tasks)
            return [lists.status_code, *sorted(reply.status_code for reply in slow)]

    assert asyncio.run(scenario()) == [200, 200, 200, 200, 503, 503]
