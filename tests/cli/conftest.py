from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from command_line import exit_code


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process."""

    def call(*arguments: str | Path) -> Outcome:
        return Outcome(exit_code(monkeypatch, *arguments), *capsys.readouterr())

    return call


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder with a tiny MovieLens: 12 people of two tastes, 10 films, no film seen by all."""
    return written(tmp_path / "films")


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with these films, loaded once: no test writes into it."""
    folder = tmp_path_factory.mktemp("loaded")
    path = folder / "films.duckdb"
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert exit_code(monkeypatch, "init", path, "--schema", "movies") == 0
        assert exit_code(monkeypatch, "load", path, written(folder / "films")) == 0
    return path


@pytest.fixture
def database(loaded: Path, films: Path, tmp_path: Path) -> Path:
    """A copy of it, beside its files."""
    return Path(shutil.copy(loaded, tmp_path))


@pytest.fixture
def bundle(run: Run, database: Path, tmp_path: Path) -> Path:
    """A model fitted on it."""
    path = tmp_path / "bundle"
    assert run("fit", database, "--model", "ItemCosine", "--out", path).code == 0
    return path


def written(folder: Path) -> Path:
    """Write the files of the films."""
    rng = random.Random(0)
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
