"""`shortlist explain`: the reasons for one score, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run


def best(run: Run, bundle: Path, user: str) -> dict[str, object]:
    (bundle.parent / "one.txt").write_text(user)
    arguments = ("--users", bundle.parent / "one.txt", "-k", "1", "--json", "-")
    first: dict[str, object] = json.loads(run("recommend", bundle, *arguments).out)[0]
    return first


def test_json_parts_add_up_to_the_score_that_is_listed(run: Run, bundle: Path) -> None:
    listed = best(run, bundle, "3")
    outcome = run("explain", bundle, "3", str(listed["item_id"]), "--json", "-")
    assert outcome.code == 0, outcome.err
    explanation = json.loads(outcome.out)
    assert list(explanation) == ["item_id", "score", "source", "parts"]
    assert explanation["item_id"] == listed["item_id"]
    assert explanation["score"] == pytest.approx(listed["score"])
    assert explanation["source"] == "ItemCosine"
    amounts = [part["amount"] for part in explanation["parts"]]
    assert sum(amounts) == pytest.approx(explanation["score"], rel=1e-5)
    assert amounts == sorted(amounts, reverse=True)
    assert {part["kind"] for part in explanation["parts"]} == {"chosen item"}
    named = {int(part["name"]) for part in explanation["parts"]}
    assert named == {1, 3, 5, 7, 9} - {listed["item_id"]}  # of their taste, and rated


def test_json_into_a_file(run: Run, bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "why.json"
    outcome = run("explain", bundle, "3", "7", "--json", target)
    assert (outcome.code, outcome.out) == (0, "")
    assert json.loads(target.read_text())["item_id"] == 7


def test_text_is_a_table_of_reasons_the_largest_first(run: Run, bundle: Path) -> None:
    listed = best(run, bundle, "4")
    outcome = run("explain", bundle, "4", str(listed["item_id"]))
    assert outcome.code == 0, outcome.err
    head, line, *rows = outcome.out.splitlines()
    assert [cell.strip() for cell in head.split("|")] == [
        "reason",
        "name",
        "title",
        f"of {listed['score']:.4f}",
    ]
    assert set(line) <= {"-", "+"}
    assert len(rows) == 4  # the four films they have rated, each near the one listed
    for row in rows:
        _, name, title, _ = (cell.strip() for cell in row.split("|"))
        assert title.startswith(f"Film {name}")
    amounts = [float(row.split("|")[3]) for row in rows]
    assert amounts == sorted(amounts, reverse=True)
    assert all(row.startswith("chosen item ") for row in rows)


def test_features_of_a_content_based_model(run: Run, database: Path, tmp_path: Path) -> None:
    path = tmp_path / "content"
    assert run("fit", database, "--model", "ContentBased", "--out", path).code == 0
    outcome = run("explain", path, "1", "9", "--json", "-")
    parts = json.loads(outcome.out)["parts"]
    assert parts[0]["kind"] == "feature"
    assert "genres=Comedy" in {part["name"] for part in parts}


def test_wrong_ids(run: Run, bundle: Path) -> None:
    for user, item, message in (
        ("77", "1", "1 unknown user id: 77 (12 users are known, 1 to 12)"),
        ("1", "99", "1 unknown item id: 99 (10 items are known, 1 to 10)"),
        ("ann", "1", "1 unknown user id: 'ann'"),
        ("1", "Film 1", "1 unknown item id: 'Film 1'"),
    ):
        for form in ((), ("--json", "-")):
            outcome = run("explain", bundle, user, item, *form)
            assert outcome.code == 2
            assert f"error: {message}" in outcome.err
            assert outcome.out == ""
            assert "Traceback" not in outcome.err


def test_no_bundle(run: Run, tmp_path: Path) -> None:
    outcome = run("explain", tmp_path, "1", "1")
    assert outcome.code == 2
    assert "is not a bundle" in outcome.err


def test_an_id_that_is_not_given(run: Run, bundle: Path) -> None:
    outcome = run("explain", bundle, "1")
    assert outcome.code == 2
    assert "Missing argument 'ITEM'" in outcome.err
