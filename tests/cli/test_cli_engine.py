"""recommend --engine and --out FOLDER/: where lists are computed, and lists in parts."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from shortlist import extras

from .conftest import Run

ENGINES = "local", "ray"
TUNE = ["--model", "EASE", "--trials", "6"]


def test_an_engine_that_does_not_exist(run: Run, bundle: Path) -> None:
    outcome = run("recommend", bundle, "--engine", "spark")
    assert outcome.code == 2
    assert outcome.err == (
        "error: there is no engine 'spark'\n  to do: write local, ray, or ray://HOST:PORT\n"
    )


def test_an_engine_that_is_not_installed(
    run: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(extras.PACKAGES, "ray", ("no_such_package",))
    outcome = run("recommend", bundle, "--engine", "ray")
    assert outcome.code == 2
    assert "engine 'ray' needs no_such_package, which is not installed" in outcome.err
    assert "pip install 'shortlist[ray]'" in outcome.err


@pytest.mark.slow
def test_a_cluster_gives_the_same_files(
    run: Run, bundle: Path, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "local")  # a new one, whatever else runs here
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'shortlist[ray]'")
    try:
        for engine in ENGINES:
            target = tmp_path / f"{engine}.parquet"
            outcome = run("recommend", bundle, "--engine", engine, "--out", target)
            assert outcome.code == 0, outcome.err
            for command, options in (("compare", ["--models", "Popularity,EASE"]), ("tune", TUNE)):
                json = tmp_path / f"{command}-{engine}.json"
                outcome = run(command, database, *options, "--engine", engine, "--json", json)
                assert outcome.code == 0, outcome.err
    finally:
        ray.shutdown()
    tables = [pq.read_table(tmp_path / f"{engine}.parquet") for engine in ENGINES]
    assert tables[1].equals(tables[0])
    for command in ("compare", "tune"):
        results = [(tmp_path / f"{command}-{engine}.json").read_text() for engine in ENGINES]
        here, there = (re.sub(r'_?seconds": [^,\n]*', "", text) for text in results)
        assert there == here


def test_lists_in_a_folder(run: Run, bundle: Path, tmp_path: Path) -> None:
    outcome = run("recommend", bundle, "-k", "2", "--out", f"{tmp_path}/lists/")
    assert outcome.code == 0, outcome.err
    assert outcome.out == ""
    assert outcome.err == f"wrote 24 rows in 1 file to {tmp_path}/lists\n"
    run("recommend", bundle, "-k", "2", "--out", tmp_path / "lists.parquet")
    tables = [pq.read_table(tmp_path / name) for name in ("lists", "lists.parquet")]
    assert tables[0].equals(tables[1].select(tables[0].column_names))  # without titles
    again = run("recommend", bundle, "-k", "2", "--out", tmp_path / "lists")
    assert again.err == f"wrote 24 rows in 1 file to {tmp_path}/lists; 1 were there already\n"


def test_a_folder_is_for_lists_of_users(run: Run, bundle: Path, tmp_path: Path) -> None:
    outcome = run("recommend", bundle, "--history", "1", "--out", f"{tmp_path}/lists/")
    assert outcome.code == 2
    assert "is for lists of users of the training data" in outcome.err
    assert not (tmp_path / "lists").exists()
