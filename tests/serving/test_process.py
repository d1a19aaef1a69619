"""The service as a process."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import shortlist as sl

RUN = "from shortlist.cli import main; main()"


@contextmanager
def running(*arguments: str | Path, **environment: str) -> Iterator[tuple[Any, int, str]]:
    """Start `shortlist serve`; yield the process, its port and its output."""
    command = [sys.executable, "-c", RUN, "serve", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | environment,
    )  # fmt: skip
    output = ""
    try:
        while "token" not in output:
            line = process.stderr.readline()  # type: ignore[union-attr]
            assert line, output
            output += line
        port = int(re.search(r"http://[^/]*:(\d+)/", output)[1])  # type: ignore[index]
        yield process, port, output
    finally:
        process.kill()
        process.communicate()


def get(port: int, path: str, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def test_the_process_answers_reloads_and_stops_gracefully(
    bundles: dict[str, Path], data: sl.Dataset
) -> None:
    with running(bundles["ials"], bundles["cosine"]) as (process, port, output):
        assert "serving ials, cosine" in output
        assert "no token: everybody who reaches this address has access" in output
        expected = sl.load(bundles["ials"]).recommend(["U03"], k=3).column("item_id")
        _, reply = get(port, "/users/U03/recommendations?k=3")
        assert [item["item_id"] for item in reply["items"]] == expected

        counts, stop = {"ok": 0, "other": 0}, threading.Event()

        def asking() -> None:
            while not stop.is_set():
                status, _ = get(port, "/users/U03/recommendations?k=3")
                counts["ok" if status == 200 else "other"] += 1

        threads = [threading.Thread(target=asking) for _ in range(4)]
        for thread in threads:
            thread.start()
        sl.Popularity().fit(data).save(bundles["ials"])
        deadline = time.monotonic() + 20
        while get(port, "/models")[1]["models"][0]["kind"] != "Popularity":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()
        assert counts["other"] == 0
        assert counts["ok"] > 0

        # A request that is half sent when the process is told to stop is still answered.
        body = json.dumps({"users": ["U03"], "k": 3}).encode()
        late = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        late.putrequest("POST", "/recommendations")
        late.putheader("Content-Type", "application/json")
        late.putheader("Content-Length", str(len(body)))
        late.endheaders(body[:10])
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert process.poll() is None
        late.send(body[10:])
        reply = late.getresponse()
        assert reply.status == 200
        assert len(json.loads(reply.read())["lists"][0]["items"]) == 3
        late.close()
        assert process.wait(timeout=20) in (0, -signal.SIGTERM)
        with pytest.raises(ConnectionError):
            get(port, "/health")


def test_other_addresses_than_loopback_need_a_token(bundles: dict[str, Path]) -> None:
    with running(bundles["cosine"], "--host", "0.0.0.0") as (_, port, output):
        token = re.search(r"token, shown only once: (\S{43})\n", output)[1]  # type: ignore[index]
        assert get(port, "/models")[0] == 401
        assert get(port, "/health")[0] == 200
        assert get(port, "/models", Authorization=f"Bearer {token}")[0] == 200


def test_importing_the_library_or_the_command_line_does_not_import_the_service() -> None:
    script = (
        "import sys, shortlist, shortlist.cli.app;"
        "print(sorted({'starlette', 'uvicorn', 'prometheus_client'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
