"""A small service: a job board in two languages, three models, and a client."""

from __future__ import annotations

import datetime as dt
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import shortlist as sl
from shortlist.serving.access import Access
from shortlist.serving.app import create_app
from shortlist.serving.limits import Limits
from shortlist.serving.service import Service

with warnings.catch_warnings():  # newer versions of starlette would rather have httpx2
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

TRADES = ["welding", "nursing", "teaching"]
TITLES = ["Welder", "간호사", "Teacher", "용접공 Welder", "Nurse, Busan", "교사"]


def job_board() -> sl.Dataset:
    """30 people and 24 postings of three trades; people apply for postings of their trade."""
    postings = [f"R{number:02}" for number in range(24)]
    items = pa.table(
        {
            "item_id": postings,
            "title": [f"{TITLES[row % 6]} {row}" for row in range(24)],
            "trade": [TRADES[row % 3] for row in range(24)],
            "education": pa.array([row % 4 for row in range(24)], pa.int8()),
            "keywords": [[TRADES[row % 3], f"shift {row % 2}"] for row in range(24)],
            "remote": [row % 2 == 0 for row in range(24)],
            "salary": [None if row == 5 else 1000.0 + row for row in range(24)],
            "posted": [dt.date(2024, 1, 1) + dt.timedelta(days=row) for row in range(24)],
        }
    )
    people = [f"U{number:02}" for number in range(30)]
    users = pa.table(
        {
            "user_id": people,
            "trade": [TRADES[row % 3] for row in range(30)],
            "degree": pa.array([row % 5 for row in range(30)], pa.int8()),
        }
    )
    rows: list[dict[str, Any]] = []
    for person in range(30):
        own = [row for row in range(24) if row % 3 == person % 3]
        for number in range(4):
            posting = own[(person + number * (1 + person % 2)) % 8]
            time = dt.datetime(2024, 3, 1, tzinfo=dt.UTC) + dt.timedelta(hours=person + number)
            rows.append(
                {"user_id": people[person], "item_id": postings[posting], "weight": 1.0, "at": time}
            )
    return sl.Dataset.from_tables(
        pa.Table.from_pylist(rows), users, items, weight="weight", time="at"
    )


@pytest.fixture(scope="session")
def data() -> sl.Dataset:
    return job_board()


@pytest.fixture(scope="session")
def models(data: sl.Dataset) -> dict[str, Any]:
    """The served models, the default first."""
    return {
        "ials": sl.IALS(embedding_size=8, epochs=5).fit(data),
        "content": sl.ContentBased().fit(data),
        "cosine": sl.ItemCosine().fit(data),
    }


@pytest.fixture(scope="session")
def saved(models: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    for name, model in models.items():
        model.save(folder / name, metrics={"recall@10": 0.5})
    return folder


@pytest.fixture
def bundles(saved: Path, tmp_path: Path) -> dict[str, Path]:
    """A copy of the bundles for each test, which may overwrite them."""
    shutil.copytree(saved, tmp_path / "bundles")
    return {name: tmp_path / "bundles" / name for name in ("ials", "content", "cosine")}


Serve = Callable[..., TestClient]


@pytest.fixture
def serve(bundles: dict[str, Path]) -> Iterator[Serve]:
    """A function that starts services; each keyword is a limit or an argument of the service."""
    with ExitStack() as stack:

        def start(access: Access | None = None, **options: Any) -> TestClient:
            limits = {name: options.pop(name) for name in list(options) if hasattr(Limits, name)}
            options.setdefault("bundles", bundles)
            service = Service(**options, limits=replace(Limits(), **limits), watch_seconds=0.05)
            app = create_app(service, access)
            client = TestClient(app, base_url="http://localhost")
            client.app_state["service"] = service
            return stack.enter_context(client)

        yield start


@pytest.fixture(scope="session")
def client(saved: Path) -> Iterator[TestClient]:
    """A service for all tests that change nothing."""
    paths = {name: saved / name for name in ("ials", "content", "cosine")}
    with TestClient(create_app(Service(paths)), base_url="http://localhost") as started:
        yield started
