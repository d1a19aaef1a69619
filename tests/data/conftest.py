"""One PostgreSQL server for the whole test run, and a place of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .servers import Place, Server, new_place, running


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running() as one:
        yield one


# Quick tests of the two files are in test_store.py, test_load.py and test_sqlite.py.
@pytest.fixture(
    params=[
        *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("duckdb", "sqlite")),
        "postgresql",
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param != "duckdb":
        pytest.importorskip("adbc_driver_manager", reason="the extra sql is not installed")
    server = request.getfixturevalue("server") if request.param == "postgresql" else None
    return new_place(request.param, tmp_path, server)


@pytest.fixture
def postgres(server: Server, tmp_path: Path) -> Place:
    return new_place("postgresql", tmp_path, server)


@pytest.fixture
def sqlite(tmp_path: Path) -> Place:
    pytest.importorskip("adbc_driver_sqlite", reason="the extra sql is not installed")
    return new_place("sqlite", tmp_path, None)
