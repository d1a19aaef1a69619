"""What commands say of large jobs: the memory before, and the time after the first steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shortlist import machine, progress
from shortlist.cli import output
from shortlist.models import registry
from shortlist.models.ials import shards
from shortlist.recommend import recommender

from .conftest import Run


def test_what_cannot_fit_is_refused_with_a_remedy(
    run: Run, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 300)
    outcome = run("fit", database, "--model", "EASE", "--out", tmp_path / "bundle")
    assert outcome.code == 1
    assert outcome.err.splitlines()[-2:] == [
        "error: EASE on 12 users and 10 items needs 0.0 GB of memory; 0.0 GB are free",
        "  to do: use SparseEASE, which approximates it, or IALS; or keep fewer items",
    ]
    assert not (tmp_path / "bundle").exists()
    outcome = run("compare", database, "--models", "Popularity,EASE")
    assert outcome.code == 1
    assert "error: EASE on 12 users and 10 items needs" in outcome.err


def test_compare_leaves_out_what_cannot_fit(
    run: Run, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: registry.MODULES[name] for name in ("Popularity", "EASE")}
    monkeypatch.setattr(registry, "MODULES", few)
    monkeypatch.setattr(machine, "available_memory", lambda: 300)
    outcome = run("compare", database)
    assert outcome.code == 0, outcome.err
    assert "EASE is left out: EASE on 12 users and 10 items needs" in outcome.err
    assert "EASE" not in outcome.out


def test_lists_that_do_not_fit_are_refused(
    run: Run, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 300)
    monkeypatch.setattr(recommender, "_LITTLE", 0)
    outcome = run("recommend", bundle, "-k", 5)
    assert outcome.code == 1
    assert "a table with 5 items for each of 12 queries needs 0.0 GB of memory" in outcome.err
    assert "--out FOLDER/" in outcome.err
    assert run("recommend", bundle, "-k", 5, "--out", f"{tmp_path}/lists/").code == 0


@pytest.mark.parametrize("command", ["fit", "tune", "compare", "recommend"])
def test_commands_say_how_much_memory_they_need(
    command: str,
    run: Run,
    database: Path,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(output, "_MUCH", 1)
    monkeypatch.setattr(machine, "available_memory", lambda: 8 * 2**30)
    arguments: dict[str, list[Any]] = {
        "fit": [database, "--model", "EASE", "--out", tmp_path / "ease"],
        "tune": [database, "--model", "EASE", "--trials", 1],
        "compare": [database, "--models", "EASE"],
        "recommend": [bundle],
    }
    outcome = run(command, *arguments[command])
    assert outcome.code == 0, outcome.err
    what = "lists of 10" if command == "recommend" else "fitting EASE"
    assert f"{what}: about 0.0 GB of memory; 8.0 GB are free\n" in outcome.err
    assert "GB" not in run("-q", command, *arguments[command]).err


def test_a_long_fit_says_how_long(
    run: Run, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 0.0
    step = shards._step

    def slow(*arguments: Any, **named: Any) -> Any:
        nonlocal clock
        clock += 30
        return step(*arguments, **named)

    monkeypatch.setattr(shards, "_step", slow)
    monkeypatch.setattr(progress, "time", type("Clock", (), {"monotonic": lambda: clock}))
    settings = ["embedding_size=2", "regularization=0.1", "unobserved_weight=0.1"]
    words = [word for each in settings for word in ("--set", each)]
    outcome = run("fit", database, "--model", "IALS", *words, "--out", tmp_path / "bundle")
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("IALS: about 7 min to go\n") == 1  # 14 of 16 steps
