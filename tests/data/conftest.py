"""One PostgreSQL server for the whole test run, and a place of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .servers import Place, Server, new_place, running


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running() as one:
        yield one


def _kinds(quick: str) -> list[Any]:
    kinds = ("duckdb", "sqlite", "postgresql")
    return [one if one == quick else pytest.param(one, marks=pytest.mark.slow) for one in kinds]


# Quick tests of the two files are in test_store.py, test_load.py and test_sqlite.py.
@pytest.fixture(params=_kinds("postgresql"))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return _of_kind(request, tmp_path)


# For what is done by our own code, over whatever database: the quick test takes the quickest.
@pytest.fixture(params=_kinds("duckdb"))
def any_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return _of_kind(request, tmp_path)


def _of_kind(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
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
