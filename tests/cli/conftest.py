from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from shortlist.cli import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process."""

    def call(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["shortlist", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        assert isinstance(code, int)
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder with a tiny MovieLens: 12 people of two tastes, 10 films, no film seen by all."""
    rng = random.Random(0)
    folder = tmp_path / "films"
    folder.mkdir()
    genres = ["Drama", "Comedy"]
    lines = [f"{film},Film {film} ({1980 + film}),{genres[film % 2]}" for film in range(1, 11)]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *lines]))
    rows = []
    for person in range(1, 13):
        liked = [film for film in range(1, 11) if film % 2 == person % 2]
        rng.shuffle(liked)
        rows += [f"{person},{film},4.0,{1000 + at}" for at, film in enumerate(liked[:4])]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *rows]))
    return folder


@pytest.fixture
def database(run: Run, films: Path, tmp_path: Path) -> Path:
    """The same, loaded."""
    path = tmp_path / "films.duckdb"
    assert run("init", path, "--schema", "movies").code == 0
    assert run("load", path, films).code == 0
    return path


@pytest.fixture
def bundle(run: Run, database: Path, tmp_path: Path) -> Path:
    """A model fitted on it."""
    path = tmp_path / "bundle"
    assert run("fit", database, "--model", "ItemCosine", "--out", path).code == 0
    return path
