"""Requests end at their deadline or with their client, and a stop loses none of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient
from starlette.types import Message

from shortlist import engine
from shortlist.recommend import explain, recommender
from shortlist.serving import connections
from shortlist.serving.access import Access
from shortlist.serving.app import create_app
from shortlist.serving.connections import Connection, close_late
from shortlist.serving.guard import Guard
from shortlist.serving.limits import Limits
from shortlist.serving.metrics import Metrics
from shortlist.serving.service import Service
from shortlist.serving.workers import WorkerPool, WorkStoppedError, check_stopped

from .test_process import get, running


class Work:
    """Work in a thread that goes on until it is stopped."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.ended = threading.Event()
        self.wanted = True

    def __call__(self, *_: Any, **__: Any) -> None:
        self.began.set()
        try:
            for _round in range(1_000):
                time.sleep(0.01)
                check_stopped()
                if not self.wanted:
                    raise WorkStoppedError
        except WorkStoppedError:
            self.ended.set()
            raise


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Work that replaces that of similar items."""
    endless = Work()
    monkeypatch.setattr("shortlist.models.base.Model.similar", endless)
    return endless


def test_work_stops_at_the_deadline_of_its_request(serve: Any, work: Work) -> None:
    client = serve(request_seconds=0.2)
    started = time.monotonic()
    reply = client.get("/items/R00/similar")
    assert time.monotonic() - started < 3
    assert reply.status_code == 503
    assert reply.headers["retry-after"] == "1"
    error = reply.json()["error"]
    assert error["code"] == "deadline"
    assert "not answered within 0.2 seconds" in error["what"]
    assert work.ended.wait(5)
    assert client.get("/items/R00").status_code == 200  # the service goes on


def test_work_stops_when_the_client_leaves(serve: Any, work: Work) -> None:
    client = serve()
    app: Guard = client.app
    sent: list[Message] = []

    async def scenario() -> None:
        scope = {
            "type": "http", "method": "GET", "path": "/items/R00/similar", "raw_path": b"",
            "query_string": b"", "headers": [(b"host", b"localhost")], "http_version": "1.1",
        }  # fmt: skip

        async def receive() -> Message:
            await asyncio.to_thread(work.began.wait)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await asyncio.wait_for(app(scope, receive, send), 5)

    client.portal.call(scenario)
    assert work.ended.wait(5)
    assert sent == []
    assert 'route="/items/{item_id}/similar",status="499"} 1.0' in client.get("/metrics").text


def test_searches_do_not_wait_for_slower_requests(serve: Any, work: Work) -> None:
    client = serve(request_seconds=3.0)
    threads = [threading.Thread(target=client.get, args=("/items/R00/similar",)) for _ in range(12)]
    for thread in threads:
        thread.start()
    assert work.began.wait(5)
    for path in ("/items?q=Welder", "/users?q=U0", "/users/U00"):
        started = time.monotonic()
        assert client.get(path).status_code == 200
        assert time.monotonic() - started < 1
    for thread in threads:
        thread.join()


def test_a_call_that_has_not_begun_is_dropped() -> None:
    calls: list[int] = []

    async def scenario() -> None:
        pool, go = WorkerPool(threads=1, limit=2), threading.Event()
        first = asyncio.create_task(pool.run(go.wait))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(pool.run(calls.append, 1))
        await asyncio.sleep(0.01)
        second.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await second
        go.set()
        await first
        assert await pool.run(len, "room again") == 10
        pool.stop()

    asyncio.run(scenario())
    assert calls == []


def test_reasons_of_a_list_are_one_computation(
    client: TestClient, models: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    options = recommender.ListOptions

    def counting(*arguments: Any) -> Any:
        calls.append(arguments)
        return options(*arguments)

    monkeypatch.setattr(explain, "ListOptions", counting)
    for name in models:
        calls.clear()
        body = {"model": name, "users": ["U00"], "k": 20, "reasons": True}
        (reply,) = client.post("/recommendations", json=body).json()["lists"]
        assert len(reply["items"]) == 20
        assert len(calls) == 1, name


def test_the_state_is_answered_when_too_many_requests_are_open(serve: Any, work: Work) -> None:
    client = serve(open_requests=2)

    def ask() -> None:
        # Again if it is refused, because the request below that looks was open.
        while work.wanted and client.get("/items/R00/similar").status_code == 503:
            time.sleep(0.01)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert work.began.wait(5)
        deadline = time.monotonic() + 5
        while client.get("/items/R00").status_code != 503:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for path in ("/health", "/ready", "/metrics"):
            assert client.get(path).status_code == 200, path
    finally:
        work.wanted = False
        for thread in threads:
            thread.join()


@pytest.fixture
def address(bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A server in a thread whose connections have little time and number."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(connections, "CLOSING_SECONDS", 0.3)
    monkeypatch.setattr(Connection, "max_connections", 20)
    service = Service({"ials": bundles["ials"]}, limits=Limits(request_seconds=1.0))
    app = create_app(service)
    config = uvicorn.Config(app, port=0, http=Connection, log_config=None, ws="none")

    class Closing(uvicorn.Server):
        async def on_tick(self, counter: int) -> bool:
            close_late(self.server_state.connections, asyncio.get_running_loop().time())
            return await super().on_tick(counter)

    server = Closing(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[:2]
    server.should_exit = True
    thread.join()


def test_half_sent_heads_keep_nobody_out(address: tuple[str, int]) -> None:
    slow = [socket.create_connection(address) for _ in range(60)]
    for connection in slow:
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: lo")
    started = time.monotonic()
    assert get(address[1], "/health")[0] == 200
    assert time.monotonic() - started < 2
    for connection in slow:  # all of them are closed
        connection.settimeout(5)
        with contextlib.suppress(ConnectionError):
            assert connection.recv(100) == b""
        connection.close()


def test_a_head_without_end_is_refused(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.settimeout(5)
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"X-Filler: " + b"x" * 2_000 + b"\r\n")
        reply = b""
        with contextlib.suppress(ConnectionError):
            reply = connection.recv(100)
        assert reply == b"" or b"400" in reply


def test_a_reply_that_nobody_reads_is_given_up(address: tuple[str, int]) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(address)
        request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.sendall(request * 50)
        time.sleep(3)
        assert get(address[1], "/health")[0] == 200
        connection.settimeout(5)
        with contextlib.suppress(ConnectionError):
            while connection.recv(2**16):
                pass


def test_sigterm_loses_no_accepted_request(bundles: dict[str, Path]) -> None:
    """Forty requests run when the process is told to stop; the port stays open for a while."""
    with running(bundles["ials"], "--drain", "1") as (process, port, _):
        outcomes: list[int] = []
        late: list[Any] = []
        stop = threading.Event()

        def asking() -> None:
            while not stop.is_set():
                try:
                    outcomes.append(get(port, "/users/U03/recommendations?k=20&reasons=true")[0])
                except OSError:
                    if not stop.is_set():
                        late.append(time.monotonic())
                        return

        threads = [threading.Thread(target=asking) for _ in range(8)]
        for thread in threads:
            thread.start()
        while len(outcomes) < 40:
            time.sleep(0.01)
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        while get(port, "/ready")[0] != 503:
            assert time.monotonic() - told < 0.9
        assert get(port, "/health")[0] == 200  # the port is still open
        time.sleep(0.3)
        stop.set()  # before the port is closed
        for thread in threads:
            thread.join()
        assert process.wait(timeout=20) in (0, -signal.SIGTERM)
        assert time.monotonic() - told < 10
    assert late == []
    assert set(outcomes) == {200}


def test_a_second_signal_ends_the_wait(bundles: dict[str, Path]) -> None:
    with running(bundles["ials"], "--drain", "60") as (process, port, _):
        assert get(port, "/ready")[0] == 200  # from now on it handles signals
        process.send_signal(signal.SIGTERM)
        while get(port, "/ready")[0] != 503:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) in (0, -signal.SIGTERM)


def test_requests_that_do_not_end_get_503_when_the_service_stops() -> None:
    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    async def scenario() -> list[Message]:
        guard, sent = Guard(endless, Access(), Limits(), Metrics()), list[Message]()

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/x", "headers": [(b"host", b"a")]}
        task = asyncio.create_task(guard(scope, receive, send))
        await asyncio.sleep(0.01)
        guard.close_connections()
        guard.end_requests()
        await asyncio.wait_for(task, 5)
        return sent

    head, body = asyncio.run(scenario())
    assert head["status"] == 503
    assert (b"connection", b"close") in head["headers"]
    assert json.loads(body["body"])["error"]["code"] == "stopping"


def test_stop_signals_reach_blocks_of_rows() -> None:
    began, go, done = threading.Event(), threading.Event(), list[int]()

    def task(rows: range) -> None:
        done.append(rows.start)
        began.set()
        go.wait(5)

    async def scenario() -> None:
        pool = WorkerPool(threads=1, limit=1)
        work = pool.run(lambda: list(engine.current().map_rows(task, 10, 2**26, "")))
        request = asyncio.create_task(work)
        await asyncio.to_thread(began.wait, 5)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        go.set()
        pool.stop()

    asyncio.run(scenario())
    assert done == [0]
