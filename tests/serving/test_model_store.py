"""Newer bundles are loaded while the service runs; damaged ones are not."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import shortlist as sl
from shortlist.bundle import ARRAYS, MANIFEST
from shortlist.errors import BundleError, InputError
from shortlist.serving import batching
from shortlist.serving.app import create_app
from shortlist.serving.metrics import Metrics
from shortlist.serving.model_store import ModelStore, ServedModel
from shortlist.serving.service import Service


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def smaller(data: sl.Dataset) -> sl.Dataset:
    """The data without the last interactions."""
    return data.select(np.arange(data.n_interactions) < 100)


def test_a_newer_bundle_is_loaded(
    serve: Any, data: sl.Dataset, bundles: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="shortlist.serving")
    client = serve()
    before = client.get("/users/U00/recommendations").json()
    newer = sl.ItemCosine().fit(smaller(data))
    newer.save(bundles["ials"], metrics={"recall@10": 0.7})
    eventually(lambda: client.get("/models").json()["models"][0]["kind"] == "ItemCosine")
    result = client.get("/models").json()["models"][0]
    assert result["name"] == "ials"
    assert result["interactions"] == 100
    assert result["metrics"] == {"recall@10": 0.7}
    assert result["trouble"] is None
    after = client.get("/users/U00/recommendations").json()
    expected = newer.recommend(["U00"]).column("item_id")
    assert [item["item_id"] for item in after["items"]] == expected
    assert after != before
    assert "ials: took over the bundle of" in caplog.text
    line = 'shortlist_reloads_total{model="ials",outcome="taken over"} 1.0'
    assert line in client.get("/metrics").text


def test_a_damaged_bundle_is_not_loaded_until_it_is_repaired(
    serve: Any, bundles: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    client = serve()
    before = client.get("/users/U00/recommendations").content
    whole = (bundles["ials"] / ARRAYS).read_bytes()
    (bundles["ials"] / ARRAYS).write_bytes(whole[:-1] + b"?")
    eventually(lambda: client.get("/health").json()["status"] == "degraded")
    why = "arrays.safetensors is damaged: its hash differs from the one in the manifest"
    assert client.get("/health").json()["models"] == {
        "ials": why,
        "content": "ok",
        "cosine": "ok",
    }
    assert client.get("/models").json()["models"][0]["trouble"] == why
    assert f"ials: the newer bundle is not taken over: {why}" in caplog.text
    assert client.get("/users/U00/recommendations").content == before
    assert client.get("/ready").status_code == 200
    line = 'shortlist_reloads_total{model="ials",outcome="refused"} 1.0'
    assert line in client.get("/metrics").text
    (bundles["ials"] / ARRAYS).write_bytes(whole)  # the manifest stays as it was
    eventually(lambda: client.get("/health").json()["status"] == "ok")
    assert client.get("/users/U00/recommendations").content == before


def test_a_deleted_bundle_stays_in_use(serve: Any, bundles: dict[str, Path]) -> None:
    client = serve()
    before = client.get("/users/U00/recommendations").content
    shutil.rmtree(bundles["ials"])
    eventually(lambda: "does not exist" in client.get("/health").json()["models"]["ials"])
    assert client.get("/users/U00/recommendations").content == before


def test_a_changed_link_is_a_newer_bundle(
    serve: Any, bundles: dict[str, Path], tmp_path: Path
) -> None:
    link = tmp_path / "current"
    link.symlink_to(bundles["ials"])
    client = serve(bundles={"current": link})
    assert client.get("/models").json()["models"][0]["kind"] == "IALS"
    other = tmp_path / "next"
    other.symlink_to(bundles["cosine"])
    os.replace(other, link)  # noqa: PTH105
    eventually(lambda: client.get("/models").json()["models"][0]["kind"] == "ItemCosine")


def test_no_request_is_dropped_while_bundles_change(
    data: sl.Dataset, bundles: dict[str, Path]
) -> None:
    """The bundle is replaced six times during continuous requests."""
    models: list[Any] = [sl.ItemCosine().fit(data), sl.Popularity().fit(smaller(data))]
    lists = [
        [model.recommend([f"U{user:02}"], k=3).column("item_id") for user in range(30)]
        for model in models
    ]
    models[0].save(bundles["ials"])

    async def scenario() -> tuple[int, set[str]]:
        service = Service({"ials": bundles["ials"]}, watch_seconds=0.02)
        transport = httpx.ASGITransport(create_app(service))
        done = threading.Event()

        def replacing() -> None:
            for number in range(1, 7):
                models[number % 2].save(bundles["ials"])
                time.sleep(0.15)
            done.set()

        count, sources = 0, set()
        async with (
            service.run(),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            threading.Thread(target=replacing).start()
            while not done.is_set():
                asked = [client.get(f"/users/U{user:02}/recommendations?k=3") for user in range(30)]
                for user, reply in enumerate(await asyncio.gather(*asked)):
                    assert reply.status_code == 200
                    items = reply.json()["items"]
                    (source,) = {item["source"] for item in items}
                    model = 0 if source == "ItemCosine" else 1
                    assert [item["item_id"] for item in items] == lists[model][user]
                    sources.add(source)
                    count += 1
        return count, sources

    count, sources = asyncio.run(scenario())
    assert count >= 30
    assert sources == {"ItemCosine", "Popularity"}


def test_a_request_keeps_the_bundle_it_began_with(
    serve: Any, bundles: dict[str, Path], data: sl.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, begun, score = threading.Event(), threading.Event(), batching.score

    def slowly(jobs: Any) -> Any:
        begun.set()
        go.wait(10)
        return score(jobs)

    monkeypatch.setattr(batching, "score", slowly)
    client, replies = serve(), list[Any]()
    asking = threading.Thread(
        target=lambda: replies.append(client.get("/users/U00/recommendations").json())
    )
    asking.start()
    begun.wait(10)
    sl.Popularity().fit(data).save(bundles["ials"])
    eventually(lambda: client.get("/models").json()["models"][0]["kind"] == "Popularity")
    go.set()
    asking.join()
    assert replies[0]["items"][0]["source"] == "IALS"


def test_bundles_that_cannot_be_served(bundles: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is nothing to serve"):
        ModelStore({}, Metrics())
    with pytest.raises(BundleError, match="does not exist"):
        ModelStore({"a": tmp_path / "nowhere"}, Metrics())
    (bundles["ials"] / MANIFEST).unlink()
    with pytest.raises(BundleError, match="is not a bundle"):
        ServedModel.open("ials", bundles["ials"])


def test_the_watch_survives_any_error(
    serve: Any,
    bundles: dict[str, Path],
    data: sl.Dataset,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = serve()

    def broken(*_: Any) -> None:
        raise MemoryError("no room")

    with monkeypatch.context() as patched:
        patched.setattr("shortlist.serving.model_store.read", broken)
        sl.Popularity().fit(data).save(bundles["ials"])
        eventually(lambda: client.get("/health").json()["status"] == "degraded")
        assert client.get("/health").json()["models"]["ials"] == "MemoryError: no room"
    assert client.get("/models").json()["models"][0]["kind"] == "IALS"
    sl.Popularity().fit(data).save(bundles["ials"])
    eventually(lambda: client.get("/models").json()["models"][0]["kind"] == "Popularity")
    assert client.get("/health").json()["status"] == "ok"
