"""One PostgreSQL server for the whole test run, and a database of every kind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .servers import EmptyDatabase, Server, new_database, running

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # for published_split


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


def _kinds(quick: str) -> list[Any]:
    kinds = ("duckdb", "sqlite", "postgresql")
    return [k if k == quick else pytest.param(k, marks=pytest.mark.slow) for k in kinds]


# Quick tests of DuckDB and SQLite are in test_store.py, test_load.py and test_sqlite.py.
@pytest.fixture(params=_kinds("postgresql"))
def database(request: pytest.FixtureRequest, tmp_path: Path) -> EmptyDatabase:
    return _of_kind(request, tmp_path)


# For code that does not depend on the database: the quick test uses the fastest one.
@pytest.fixture(params=_kinds("duckdb"))
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> EmptyDatabase:
    return _of_kind(request, tmp_path)


def _of_kind(request: pytest.FixtureRequest, tmp_path: Path) -> EmptyDatabase:
    if request.param != "duckdb":
        pytest.importorskip("adbc_driver_manager", reason="the extra sql is not installed")
    server = request.getfixturevalue("server") if request.param == "postgresql" else None
    return new_database(request.param, tmp_path, server)


@pytest.fixture
def postgres(server: Server, tmp_path: Path) -> EmptyDatabase:
    return new_database("postgresql", tmp_path, server)


@pytest.fixture
def sqlite(tmp_path: Path) -> EmptyDatabase:
    pytest.importorskip("adbc_driver_sqlite", reason="the extra sql is not installed")
    return new_database("sqlite", tmp_path, None)
