"""Whatever is wrong with the input: a few lines that help, exit code 2, nothing changed on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Run


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


Case = Callable[[Path], list[str | Path]]

CASES: dict[str, tuple[Case, str]] = {
    "unknown model": (
        lambda at: ["fit", at / "films.duckdb", "--model", "EASY", "--out", at / "new"],
        "there is no model 'EASY'\n  to do: did you mean 'EASE'?",
    ),
    "unknown key": (
        lambda at: ["fit", at / "films.duckdb", "--model", "EASE", "--out", at / "new",
                    "--set", "regularisation=3"],
        "EASE has no parameter 'regularisation'\n  to do: did you mean 'regularization'?",
    ),
    "value out of range": (
        lambda at: ["fit", at / "films.duckdb", "--model", "EASE", "--out", at / "new",
                    "--set", "regularization=-1"],
        "EASE: regularization=-1 is out of range: Input should be greater than 0",
    ),
    "a setting without a value": (
        lambda at: ["fit", at / "films.duckdb", "--model", "EASE", "--out", at / "new",
                    "--set", "regularization"],
        "--set regularization has no '='",
    ),
    "no database": (
        lambda at: ["compare", at / "nothing.duckdb"],
        "there is no database",
    ),
    "unknown split": (
        lambda at: ["compare", at / "films.duckdb", "--split", "leave-one-out"],
        "there is no split 'leave-one-out'\n  to do: did you mean 'leave-last-out'?",
    ),
    "no moment": (
        lambda at: ["compare", at / "films.duckdb", "--split", "by-time"],
        "--split by-time needs a moment",
    ),
    "no number": (
        lambda at: ["compare", at / "films.duckdb", "-k", "ten"],
        "-k 'ten' is not a number",
    ),
    "no bundle": (
        lambda at: ["recommend", at / "films"],
        "is not a bundle (it has no manifest.json)",
    ),
    "unknown item": (
        lambda at: ["similar", at / "bundle", "99"],
        "1 unknown item id: 99 (10 items are known, 1 to 10)",
    ),
    "item of the wrong type": (
        lambda at: ["similar", at / "bundle", "Film 1"],
        "the item ids of this data are integers",
    ),
    "unknown user": (
        lambda at: ["recommend", at / "bundle", "--users", at / "strangers.txt"],
        "1 unknown user id: 77",
    ),
    "no ids": (
        lambda at: ["recommend", at / "bundle", "--users", at / "empty.txt"],
        "there are no ids",
    ),
    "k of nothing": (
        lambda at: ["recommend", at / "bundle", "-k", "0"],
        "k=0 is not a list length",
    ),
    "unknown feature": (
        lambda at: ["recommend", at / "bundle", "--where", "yaer > 1990"],
        "items have no feature 'yaer'",
    ),
    "a rule nobody can read": (
        lambda at: ["recommend", at / "bundle", "--where", "year ~ 1990"],
        "cannot read the rule 'year ~ 1990'",
    ),
    "an ending nobody can write": (
        lambda at: ["recommend", at / "bundle", "--out", at / "lists.xlsx"],
        "cannot tell from '.xlsx' how to write",
    ),
    "a folder in the way": (
        lambda at: ["fit", at / "films.duckdb", "--model", "EASE", "--out", at / "films"],
        "films is not a bundle, and is not replaced by one",
    ),
    "no schema": (
        lambda at: ["init", at / "new.duckdb", "--schema", "movie"],
        "there is no schema 'movie'\n  to do: did you mean 'movies'?",
    ),
    "a database in the way": (
        lambda at: ["init", at / "films.duckdb", "--schema", "movies"],
        "exists already",
    ),
    "a file in the way of the demo": (
        lambda at: ["demo", "--out", at / "empty.txt"],
        "empty.txt is a file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_wrong_input(run: Run, bundle: Path, tmp_path: Path, case: str) -> None:
    assert bundle.is_dir()
    (tmp_path / "strangers.txt").write_text("77\n")
    (tmp_path / "empty.txt").write_text("\n")
    before = contents(tmp_path)
    arguments, message = CASES[case][0](tmp_path), CASES[case][1]
    outcome = run(*arguments)
    assert outcome.code == 2, outcome
    assert message in outcome.err
    error = outcome.err[outcome.err.index("error: ") :]
    assert 1 <= len(error.splitlines()) <= 3
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("orders.xlsx", b"PK\x03\x04...", "orders.xlsx is an Excel file or another archive"),
        ("orders.csv.zip", b"PK\x03\x04...", "orders.csv.zip is an Excel file or another archive"),
        ("orders", b"\xd0\xcf\x11\xe0...", "orders is an old Excel file"),
        ("orders.csv.bz2", b"BZh91AY...", "files of the type of orders.csv.bz2 cannot be read"),
        ("orders.ods", None, "there is no file"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--user-id", "customer", "--item-id", "sku"]])
@pytest.mark.parametrize("command", ["fit", "compare", "tune"])
def test_a_file_that_is_neither_a_table_nor_a_database(
    run: Run,
    tmp_path: Path,
    command: str,
    options: list[str],
    name: str,
    content: bytes | None,
    message: str,
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    needed = {
        "fit": ["--model", "EASE", "--out", str(tmp_path / "new")],
        "tune": ["--model", "EASE"],
    }
    outcome = run(command, tmp_path / name, *needed.get(command, []), *options)
    assert outcome.code == 2
    assert f"interactions: {message}" in outcome.err


def test_debug_shows_where_it_went_wrong(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no database"):
        run("compare", tmp_path / "nothing.duckdb", "--debug")


def test_an_unknown_option_is_wrong_input(run: Run) -> None:
    assert run("compare", "--nothing").code == 2


def test_an_unexpected_failure_is_one_line(
    run: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr("shortlist.models.registry.load", broken)
    outcome = run("recommend", bundle)
    assert outcome.code == 1
    assert "RuntimeError: out of luck" in outcome.err
    assert "--debug" in outcome.err


@pytest.mark.parametrize("target", ["host=h password=geheim", "postgresql://u:geheim@[h/db"])
@pytest.mark.parametrize(
    "words",
    [
        ["fit", "TARGET", "--model", "EASE", "--out", "bundle"],
        ["compare", "TARGET"],
        ["tune", "TARGET", "--model", "EASE"],
        ["init", "TARGET", "--schema", "runs"],
        ["load", "TARGET", "tables"],
        ["load", "shop.duckdb", "TARGET"],
        ["recommend", "TARGET"],
        ["serve", "TARGET"],
        ["serve", "bundle", "--database", "TARGET"],
    ],
)
def test_a_password_is_never_shown(
    run: Run, words: list[str], target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*[target if word == "TARGET" else word for word in words])
    assert result.code == 2
    assert "geheim" not in result.out + result.err
    assert not any(tmp_path.iterdir())
