"""compare --report, as somebody on a command line meets it."""

from __future__ import annotations

import html
import re
import shlex
from pathlib import Path

import pytest

from shortlist import extras

from .conftest import Run


def test_the_command_on_the_page_makes_the_same_page(
    run: Run, database: Path, tmp_path: Path
) -> None:
    page, again = tmp_path / "report.html", tmp_path / "again.html"
    arguments = ["compare", database, "--models", "ItemCosine,Popularity", "-k", "1,3"]
    outcome = run(*arguments, "--report", page)
    assert outcome.code == 0, outcome.err
    assert f"wrote {page}" in outcome.err
    assert outcome.out.startswith("12 users, 10 items")
    text = page.read_text(encoding="utf-8")
    assert "<h1>films: which model is best?</h1>" in text
    found = re.search(r'<pre id="command"[^>]*>(.*?)</pre>', text)
    assert found is not None
    words = shlex.split(html.unescape(found[1]))
    assert words == [
        "shortlist", "compare", str(database), "--models", "ItemCosine,Popularity",
        "--split", "leave-last-out", "--order", "time", "-k", "1,3", "--seed", "0",
        "--report", str(page),
    ]  # fmt: skip
    assert run(*words[1:-1], again).code == 0
    tables = [
        re.findall(r'<table id="table-(?:ranking|tail|all-metrics)">.*?</table>', one, re.DOTALL)
        for one in (text, again.read_text(encoding="utf-8"))
    ]
    assert len(tables[0]) == 3
    assert tables[0] == tables[1]


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("random", "--split random --fraction 0.1 "),
        ("cold-users", "--split cold-users --fraction 0.1 "),
        ("by-time --at 1970-01-01T00:16:43", "--split by-time --at 1970-01-01T00:16:43 "),
        ("leave-last-out --order row", "--split leave-last-out --order row "),
    ],
)
def test_other_splits(run: Run, database: Path, tmp_path: Path, split: str, words: str) -> None:
    page = tmp_path / "report.html"
    arguments = ["compare", database, "--models", "Popularity", "-k", "2", "--report", page]
    outcome = run(*arguments, "--split", *split.split(" "))
    assert outcome.code == 0, outcome.err
    assert words in page.read_text(encoding="utf-8")


def test_what_is_missing_is_said_before_anything_is_fitted(
    run: Run, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = run("compare", database, "--report", tmp_path / "no" / "report.html")
    assert outcome.code == 2
    assert outcome.err.startswith("error: the report cannot be written: ")
    assert "to do: name a file in a folder that exists" in outcome.err
    monkeypatch.setitem(extras.PACKAGES, "report", ("no_such_package",))
    outcome = run("compare", database, "--report", tmp_path / "report.html")
    assert outcome.code == 2
    assert "to do: pip install 'shortlist[report]'" in outcome.err
    assert "to train on" not in outcome.err
