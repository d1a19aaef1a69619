"""SIGKILL at random moments: the next run works, and nothing is half-written.

``SHORTLIST_KILLS`` sets how many processes are killed, spread over the operations.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from serving.test_process import running

from shortlist.data.samples import sample_paths
from shortlist.data.store.store import Store
from shortlist.models.registry import load

KILLS = int(os.environ.get("SHORTLIST_KILLS", "20"))
SEED = 20_240_531
OPERATIONS = 10
RATINGS, USERS, K = 100_004, 671, 10

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows"),
]

COMMAND = """
import sys, time
import shortlist.data.fetch as fetch
import shortlist.models.cosine, shortlist.models.ials.model
import shortlist.data.store.store, shortlist.tuning
from shortlist.cli import main

def slow_source(folder):
    for name in ("u.data", "u.item", "u.user"):
        for part in range(20):
            with (folder / name).open("a") as file:
                file.write("x" * 1000)
            time.sleep(0.01)
    return "from a test"

fetch._from_grouplens, fetch._verify = slow_source, lambda *_: None
print("go", flush=True)
sys.argv = ["shortlist", *sys.argv[1:]]
main()
"""


class Commands:
    """Runs commands in a folder, to their end or until a random moment."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.random = folder, random.Random(f"{SEED} {name}")
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "SHORTLIST_CACHE": str(folder / "cache"),
        }

    def run(self, *words: str) -> float:
        """Run a command to its end; return how long it took after its imports."""
        with self._start(*words) as process:
            started = time.monotonic()
            _, error = process.communicate()
        assert process.returncode == 0, error
        return time.monotonic() - started

    def kill(self, *words: str, within: float) -> None:
        """Start a command and kill it at a random moment."""
        with self._start(*words) as process:
            time.sleep(self.random.uniform(0, within))
            process.send_signal(signal.SIGKILL)
            process.communicate()

    def _start(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        return process

    def leftovers(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.name.startswith(".")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with empty stores, a loaded one, and a bundle."""
    folder = tmp_path_factory.mktemp("world")
    for name in ("empty.duckdb", "empty.sqlite", "full.duckdb"):
        Store.create(folder / name, "movies").close()
    for name in ("runs.duckdb", "runs.sqlite"):
        Store.create(folder / name, "runs").close()
    with Store(folder / "full.duckdb") as store:
        store.load(list(sample_paths()))
    Commands(folder, "world").run("fit", "full.duckdb", "--model", "ItemCosine", "--out", "bundle")
    return folder


def interactions(path: Path) -> int:
    with Store(path, read_only=True) as store:
        [row] = store._database.fetch("SELECT count(*) AS n FROM ratings").to_pylist()
    return int(row["n"])


def check_load(folder: Path, name: str, ended: bool) -> None:
    """Check that a store holds all or nothing; then start with an empty one again."""
    count = interactions(folder / name)
    assert count in ((RATINGS,) if ended else (0, RATINGS))
    if ended or count:
        for file in folder.glob(f"{name}*"):
            file.unlink()
        shutil.copy(folder / f"empty.{name.partition('.')[2]}", folder / name)


def check_bundle(folder: Path, name: str, ended: bool) -> None:
    if ended or (folder / name).exists():
        assert load(folder / name).data.n_interactions == RATINGS


def check_lists(folder: Path, name: str, ended: bool) -> None:
    if ended or (folder / name).exists():
        assert pq.read_table(folder / name).num_rows == USERS * K


def check_runs(folder: Path, name: str, ended: bool) -> None:
    with Store(folder / name, read_only=True) as store:
        counts = store._database.fetch(
            "SELECT run_id, count(r.user_id) AS n FROM recommendation_runs "
            "LEFT JOIN recommendations r USING (run_id) GROUP BY run_id"
        ).to_pylist()
    assert {row["n"] for row in counts} <= {USERS * K}
    assert counts or not ended


def check_study(folder: Path, name: str, ended: bool) -> None:
    if ended:
        assert (folder / name).read_bytes().count(b'{"end"') == 3
        (folder / name).unlink()


def check_fetched(folder: Path, name: str, ended: bool) -> None:
    target = folder / "cache" / name
    if ended or target.exists():
        assert {(target / file).stat().st_size for file in ("u.data", "u.item")} == {20_000}
    if target.exists():
        shutil.rmtree(target)


Check = Callable[[Path, str, bool], None]
CASES: dict[str, tuple[list[str], Check, str]] = {
    "load": (["load", "new.duckdb", *map(str, sample_paths())], check_load, "new.duckdb"),
    "load sqlite": (["load", "new.sqlite", *map(str, sample_paths())], check_load, "new.sqlite"),
    "fit": (
        ["fit", "full.duckdb", "--model", "ItemCosine", "--out", "fitted"], check_bundle, "fitted"
    ),
    "recommend": (["recommend", "bundle", "--out", "lists.parquet"], check_lists, "lists.parquet"),
    "recommend to a database": (
        ["recommend", "bundle", "--out", "runs.duckdb"], check_runs, "runs.duckdb"
    ),
    "recommend to sqlite": (
        ["recommend", "bundle", "--out", "runs.sqlite"], check_runs, "runs.sqlite"
    ),
    "tune": (
        ["tune", "full.duckdb", "--model", "ItemCosine", "--trials", "3", "--study", "study"],
        check_study,
        "study",
    ),
    "fetch": (["fetch", "ml-100k"], check_fetched, "ml-100k"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_killed_command(world: Path, tmp_path: Path, case: str) -> None:
    folder = tmp_path / "world"
    shutil.copytree(world, folder)
    for kind in ("duckdb", "sqlite"):
        shutil.copy(folder / f"empty.{kind}", folder / f"new.{kind}")
    words, check, name = CASES[case]
    commands = Commands(folder, case)
    seconds = commands.run(*words)
    check(folder, name, True)
    for _ in range(max(1, KILLS // OPERATIONS)):
        commands.kill(*words, within=seconds)
        check(folder, name, False)
        commands.run(*words)
        check(folder, name, True)
        assert commands.leftovers() == []


def test_a_killed_first_compilation(world: Path, tmp_path: Path) -> None:
    commands = Commands(world, "compile")
    words = ["fit", "full.duckdb", "--model", "IALS", "--set", "epochs=1"]
    for number in range(max(1, KILLS // OPERATIONS)):
        commands.environment["NUMBA_CACHE_DIR"] = str(tmp_path / f"cache{number}")
        commands.kill(*words, "--out", str(tmp_path / "killed"), within=15)
        commands.run(*words, "--out", str(tmp_path / "next"))
        check_bundle(tmp_path, "next", True)


def test_a_killed_service_that_records(world: Path, tmp_path: Path) -> None:
    moments = random.Random(SEED)
    shutil.copy(world / "full.duckdb", tmp_path / "full.duckdb")
    answered = 0
    for _ in range(max(1, KILLS // OPERATIONS)):
        with running(world / "bundle", "--database", tmp_path / "full.duckdb") as (
            process,
            port,
            _,
        ):
            until = time.monotonic() + moments.uniform(0.2, 2)
            with contextlib.suppress(OSError, http.client.HTTPException):
                while True:
                    body = {"user_id": 1, "item_id": 31, "weight": 4.0}
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                    connection.request(
                        "POST", "/interactions", json.dumps({"interactions": [body]}),
                        {"Content-Type": "application/json"},
                    )  # fmt: skip
                    if time.monotonic() > until:
                        process.send_signal(signal.SIGKILL)
                    reply = connection.getresponse()
                    assert reply.status == 200, reply.read()
                    answered += 1
                    connection.close()
        with Store(tmp_path / "full.duckdb", read_only=True) as store:
            recorded = len(store.recorded())
        assert answered <= recorded <= answered + 1
        answered = recorded
    assert answered
