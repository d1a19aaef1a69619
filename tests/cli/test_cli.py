"""The command line as a user meets it: results on stdout, remarks on stderr, exit codes."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import shortlist as sl

from .conftest import Run


def test_schema_prints_sql_that_makes_the_tables(run: Run) -> None:
    outcome = run("schema", "jobs")
    assert outcome.code == 0
    for table in ("resume", "resume_education", "posting", "company", "application"):
        assert f"CREATE TABLE {table}" in outcome.out
    assert outcome.err == ""


def test_load_says_how_many_rows_each_table_gained(run: Run, films: Path, tmp_path: Path) -> None:
    path = tmp_path / "films.duckdb"
    run("init", path, "--schema", "movies")
    outcome = run("load", path, films, "--json", "-")
    assert json.loads(outcome.out)["rows"] == {
        "users": 12,
        "items": 10,
        "genres": 2,
        "item_genres": 10,
        "ratings": 48,
    }


def test_compare_prints_a_table_and_writes_json(run: Run, database: Path, tmp_path: Path) -> None:
    target = tmp_path / "metrics.json"
    outcome = run(
        "compare", database, "--models", "Popularity,ItemCosine", "-k", "1,3", "--json", target
    )
    assert outcome.code == 0, outcome.err
    metrics = json.loads(target.read_text())
    # Each person has seen 3 of the 5 films of their taste in training: the taste is certain, the
    # film is not, so the right film is among the best 3 and popularity cannot know the taste.
    by_name = {one["model"]: one["metrics"] for one in metrics["models"]}
    assert by_name["ItemCosine"]["hit_rate@3"]["value"] == 1.0
    assert by_name["Popularity"]["hit_rate@3"]["value"] < 1.0
    assert metrics["best"] == "ItemCosine"
    assert outcome.out.splitlines()[0].startswith("12 users, 10 items, full catalogue")
    assert "leave-last-out: 36 to train on, 12 to test on" in outcome.err


def test_compare_with_json_on_stdout_prints_nothing_else(run: Run, database: Path) -> None:
    outcome = run("compare", database, "--models", "Popularity", "--json", "-")
    assert [one["model"] for one in json.loads(outcome.out)["models"]] == ["Popularity"]


@pytest.mark.parametrize("split", ["random", "cold-users", "cold-items"])
def test_compare_with_other_splits(run: Run, database: Path, split: str) -> None:
    outcome = run("compare", database, "--models", "Popularity", "--split", split, "-k", "2")
    assert outcome.code == 0, outcome.err
    assert "ndcg@2" in outcome.out


def test_compare_by_time(run: Run, database: Path) -> None:
    outcome = run(
        "compare", database, "--models", "Popularity", "--split", "by-time",
        "--at", "1970-01-01T00:16:43",
    )  # fmt: skip
    assert "by-time: 36 to train on, 12 to test on" in outcome.err


def test_fit_and_recommend_for_everyone_into_a_file(run: Run, bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "lists.parquet"
    outcome = run("recommend", bundle, "-k", "1", "--out", target)
    assert outcome.code == 0, outcome.err
    table = pq.read_table(target)
    assert table.column_names == ["user_id", "item_id", "rank", "score", "source", "title"]
    assert table.column("user_id").to_pylist() == list(range(1, 13))
    tastes = zip(table.column("user_id"), table.column("item_id"), strict=True)
    assert all(user.as_py() % 2 == item.as_py() % 2 for user, item in tastes)
    assert outcome.out == ""
    assert f"wrote 12 rows to {target}" in outcome.err


def test_recommend_into_a_pipe_is_csv(run: Run, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "users.txt").write_text("3\n4\n")
    outcome = run("recommend", bundle, "--users", tmp_path / "users.txt", "-k", "1")
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    assert [(row["user_id"], row["rank"], row["source"]) for row in rows] == [
        ("3", "1", "ItemCosine"),
        ("4", "1", "ItemCosine"),
    ]


def test_recommend_for_users_named_in_the_command(run: Run, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "users.txt").write_text("5\n")
    alone = run("recommend", bundle, "--user", "4", "-k", "1")
    assert [row["user_id"] for row in csv.DictReader(io.StringIO(alone.out))] == ["4"]
    users = ["--user", "4", "--user", "3", "--users", tmp_path / "users.txt"]
    several = run("recommend", bundle, *users, "-k", "1")
    assert [row["user_id"] for row in csv.DictReader(io.StringIO(several.out))] == ["4", "3", "5"]
    unknown = run("recommend", bundle, "--user", "99")
    assert unknown.code == 2
    assert "1 unknown user id: 99" in unknown.err


def test_recommend_for_a_history_with_rules(run: Run, bundle: Path) -> None:
    outcome = run(
        "recommend", bundle, "--history", "1,3", "-k", "9", "--where", "year >= 1987", "--json", "-"
    )
    listed = [row["item_id"] for row in json.loads(outcome.out)]
    assert set(listed[:2]) == {7, 9}  # the taste of 1 and 3, from 1987 on
    assert set(listed) == {7, 8, 9, 10}  # and the rest of the eligible films after them


def test_recommend_into_the_run_tables(run: Run, bundle: Path, database: Path) -> None:
    import duckdb

    assert run("recommend", bundle, "-k", "2", "--out", database).code == 0
    with duckdb.connect(str(database)) as db:
        assert db.execute("SELECT model, k FROM recommendation_runs").fetchall() == [
            ("ItemCosine", 2)
        ]
        assert db.execute("SELECT count(*) FROM recommendations").fetchall() == [(24,)]


def test_similar_and_audience(run: Run, bundle: Path) -> None:
    similar = json.loads(run("similar", bundle, "1", "-k", "4", "--json", "-").out)
    assert {row["item_id"] for row in similar} == {3, 5, 7, 9}
    audience = json.loads(run("audience", bundle, "1", "-k", "2", "--json", "-").out)
    assert all(row["user_id"] % 2 == 1 for row in audience)


@pytest.mark.parametrize(("command", "items"), [("recommend", []), ("similar", ["1"])])
def test_notes_on_lists_are_remarks(run: Run, bundle: Path, command: str, items: list[str]) -> None:
    outcome = run(command, bundle, *items, "--where", "year >= 2050", "--json", "-")
    assert json.loads(outcome.out) == []
    assert outcome.err.splitlines() == ["no item meets the rule: year runs from 1,981 to 1,990"]


def test_doctor_tries_every_model(run: Run) -> None:
    outcome = run("doctor", "--json", "-")
    assert outcome.code == 0
    assert json.loads(outcome.out)["fit, save, load, recommend"].startswith("work")


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_demo_leaves_lists_metrics_bundle_and_tables(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: bool
) -> None:
    if not every:
        settings: dict[str, Any] = {
            "weighting": "binary",
            "neighbors": 100,
            "shrinkage": 0,
            "dislikes": 0,
        }
        monkeypatch.setattr(
            "shortlist.cli.demo._models", lambda: [sl.Popularity(), sl.ItemCosine(**settings)]
        )
    folder = tmp_path / "demo"
    outcome = run("demo", "--out", folder)
    assert outcome.code == 0, outcome.err
    lists = pq.read_table(folder / "recommendations.parquet")
    assert lists.num_rows == 671 * 10
    metrics = json.loads((folder / "metrics.json").read_text())
    assert len(metrics["models"]) == (6 if every else 2)
    figures = {one["model"]: one["metrics"]["hit_rate@10"]["value"] for one in metrics["models"]}
    assert max(figures.values()) > 1.3 * figures["Popularity"]
    again = run("recommend", folder / "bundle", "--out", folder / "again.parquet")
    assert again.code == 0
    assert pq.read_table(folder / "again.parquet").equals(lists)
    assert "671 users, 9,066 items" in outcome.out


@pytest.mark.slow
def test_demo_of_job_postings(run: Run, tmp_path: Path) -> None:
    outcome = run("demo", "jobs", "--out", tmp_path / "jobs")
    assert outcome.code == 0, outcome.err
    assert "SYNTHETIC" in outcome.err
    assert pq.read_table(tmp_path / "jobs" / "recommendations.parquet").num_rows == 8482 * 10


def test_importing_shortlist_is_quick_and_pulls_in_nothing_heavy() -> None:
    check = (
        "import sys, time; t = time.process_time(); import shortlist; "  # whatever else runs
        "s = time.process_time() - t; "
        "heavy = {'torch', 'numba', 'scipy', 'duckdb', 'pyarrow', 'pandas'} & set(sys.modules); "
        "print(s, *heavy)"
    )
    output = subprocess.run(
        [sys.executable, "-c", check], check=True, capture_output=True, text=True
    ).stdout.split()
    assert float(output[0]) < 0.3
    assert output[1:] == []


def test_help_pulls_in_nothing_heavy() -> None:
    check = (
        "import shortlist.cli.app, sys; "  # with all commands
        "print(*{'torch', 'numba', 'scipy', 'duckdb', 'pyarrow', 'pandas'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)
    assert output.stdout.split() == []


def test_every_lazy_name_exists() -> None:
    import shortlist

    for name in shortlist.__all__:
        assert getattr(shortlist, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = shortlist.nothing


def test_the_package_runs_as_a_module() -> None:
    outcome = subprocess.run(
        [sys.executable, "-m", "shortlist", "--version"], check=True, capture_output=True, text=True
    )
    assert outcome.stdout.strip() == sl.__version__
