"""Every code block of the README and the docs runs alone, as copied, in an empty folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
PAGES = ("README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md")))
CLUSTER = "needs a cluster; tests/test_ray_engine.py runs such commands on one of this machine"
SETS_UP = "sets up an environment and runs the demo or the tests"
NOT_RUN = {
    "README.md:9": SETS_UP,
    "README.md:18": SETS_UP,
    "README.md: fit postgresql": "needs PostgreSQL, which tests/data/test_databases_cli.py has",
    "docs/how-to/cluster.md: recommend bundle --engine ray --out lists.parquet": CLUSTER,
    "docs/how-to/cluster.md: recommend bundle --engine ray://head:10001 --out /shared": CLUSTER,
    "docs/how-to/cluster.md: >>>": "needs Spark; tests/test_spark.py",
    "docs/how-to/databases.md: init postgresql": "needs a PostgreSQL server",
    "docs/how-to/deploy.md: docker": "needs Docker",
    "docs/how-to/deploy.md: >>>": "needs MLflow; tests/test_mlflow.py",
    "docs/scale.md: ray start": CLUSTER,
    "docs/scale.md: kubectl": CLUSTER,
}
# These go on where another block of the page ends, as the text before them says.
FOLLOWS = {
    "docs/how-to/databases.md: compare shop.sqlite": "sqlite3.connect",
    "docs/how-to/databases.md: init shop.sqlite": "sqlite3.connect",
    "docs/how-to/serve.md: curl": "serve bundle",
}
PROMPT = "$ "


class Block(NamedTuple):
    page: str
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"

    def is_named(self, key: str) -> bool:
        page, _, part = key.partition(":")
        return self.name == key or (
            self.page == page and part.startswith(" ") and part[1:] in self.text
        )


def blocks() -> list[Block]:
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text("utf-8")
        for match in re.finditer(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            found.append(Block(page, text[: match.start()].count("\n") + 1, match[1], match[2]))
    return found


ALL = blocks()
RUN = [
    block
    for block in ALL
    if block.language in ("python", "console") and not any(map(block.is_named, NOT_RUN))
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with the command ``shortlist`` on the path."""
    commands = tmp_path / "commands"
    commands.mkdir()
    command = commands / "shortlist"
    start = "from shortlist.cli import main; main()"
    command.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -c '{start}' \"$@\"\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SHORTLIST_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.name)
def test_block(block: Block, here: Path) -> None:
    begun = [text for key, text in FOLLOWS.items() if block.is_named(key)]
    before = [one for one in ALL if one.page == block.page and begun and begun[0] in one.text]
    with ExitStack() as stack:
        for one in (*before[:1], block):
            stack.enter_context(running(one, here))


@contextmanager
def running(block: Block, folder: Path) -> Iterator[None]:
    """Run a block; a service that it starts runs until the end of the context."""
    if block.language == "python":
        run([sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", block.text], folder)
        yield
        return
    services: list[subprocess.Popen[bytes]] = []
    printed = ""
    try:
        for command in commands(block.text):
            if command.startswith("shortlist serve "):
                services.append(serve(command, folder))
            elif not command.startswith("pip install "):
                printed += run(["bash", "-ec", command], folder)
        assert lines(shown(block.text)) <= lines(printed)
        yield
    finally:
        for service in services:
            service.terminate()
            service.wait(30)


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def serve(command: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start the service, on its port, and wait until it listens."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 8000)) == 0:
            pytest.skip("port 8000 is taken")
    words = shlex.split(command, comments=True)
    with (folder.parent / "service.log").open("wb") as log:
        service = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
    for _ in range(600):
        assert service.poll() is None, (folder.parent / "service.log").read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", 8000)) == 0:
                return service
        time.sleep(0.2)
    raise AssertionError("the service does not listen")


def commands(text: str) -> list[str]:
    """Return the commands of a session, with the lines that a command goes on over."""
    found: list[str] = []
    open_ended = False
    for line in text.splitlines():
        if line.startswith(PROMPT):
            found.append(line.removeprefix(PROMPT))
        elif open_ended:
            found[-1] += f"\n{line}"
        else:
            continue
        open_ended = unfinished(found[-1])
    return found


def unfinished(command: str) -> bool:
    if "<<'END'" in command:
        return not command.endswith("\nEND")
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return True
    return command.endswith("\\")


def shown(text: str) -> str:
    """Return what a session shows as printed."""
    for command in commands(text):
        text = text.replace(f"{PROMPT}{command}", "", 1)
    return text


def lines(text: str) -> set[str]:
    return {line.rstrip() for line in text.splitlines() if line.strip()}


def test_every_reason_is_of_a_block() -> None:
    for key in (*NOT_RUN, *FOLLOWS):
        assert any(block.is_named(key) for block in ALL), key


@pytest.mark.parametrize(
    "block", [one for one in ALL if one.language == "json"], ids=lambda block: block.name
)
def test_json(block: Block) -> None:
    json.loads(block.text)


def test_other_languages_are_configuration_or_output() -> None:
    known = {"python", "console", "json", "ini", "nginx", "yaml", "text"}
    assert {block.language for block in ALL} <= known
