"""Every command that takes a database takes a URL, and none of them shows what is secret in it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from shortlist.cli import main
from shortlist.errors import DatabaseError

from .servers import ENCODED, PASSWORD, USER, Place, Server
from .table_files import ML_100K, write

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["shortlist", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        assert isinstance(code, int)
        out, err = capsys.readouterr()
        for secret in (PASSWORD, ENCODED, "s3cret"):
            assert secret not in out + err
        return code, out, err

    return call


def test_from_files_to_lists_in_the_database(run: Run, place: Place, tmp_path: Path) -> None:
    files = write(tmp_path / "in", ML_100K, "latin-1")
    bundle = tmp_path / "bundle"
    code, _, err = run("init", place.url, "--schema", "movies")
    assert code == 0, err
    shown = place.url if place.path is not None else "postgresql://127.0.0.1:"
    assert err.startswith(f"made {shown}")
    assert "(schema movies); next: shortlist load " in err
    code, out, err = run("load", place.url, files)
    assert (code, out.splitlines()[-1].split()) == (0, ["3", "ratings"]), err
    code, out, err = run("fit", place.url, "--model", "Popularity", "--out", bundle)
    assert code == 0, err
    for _ in range(2):
        code, out, err = run("recommend", bundle, "-k", "1", "--include-seen", "--out", place.url)
        assert (code, out) == (0, ""), err
        assert err.startswith(f"wrote 2 rows to {shown}")
    assert place.run("SELECT run_id, user_id, item_id FROM recommendations ORDER BY 1, 2") == [
        (1, "186", "302"),
        (1, "196", "302"),
        (2, "186", "302"),
        (2, "196", "302"),
    ]


def test_compare_reads_a_url(run: Run, sqlite: Place, tmp_path: Path) -> None:
    run("init", f"sqlite:///{sqlite.url}", "--schema", "movies")
    run("load", sqlite.url, write(tmp_path / "in", ML_100K, "latin-1"))
    code, out, err = run(
        "compare", f"sqlite:///{sqlite.url}", "--models", "Popularity", "-k", "1",
        "--split", "random", "--fraction", "0.3",
    )  # fmt: skip
    assert code == 0, err
    assert "Popularity" in out


def test_a_wrong_password(run: Run, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.url(user=f"{USER}:s3cretly")
    for command in (["load", url, "x.csv"], ["fit", url, "--model", "Popularity", "--out", "b"]):
        code, out, err = run(*command)
        assert (code, out) == (1, "")
        assert err == (
            "error: the database refuses the user name or the password\n"
            f"  where: postgresql://127.0.0.1:{server.port}/postgres\n"
            "  to do: check both in the URL, in PGPASSWORD or in ~/.pgpass; write %40 for an @\n"
        )
    monkeypatch.setattr(sys, "argv", ["shortlist", "--debug", "load", url, "x.csv"])
    with pytest.raises(DatabaseError) as caught:
        main()
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_database_that_is_not_there(run: Run, server: Server) -> None:
    code, _, err = run("init", server.url("shop"), "--schema", "runs")
    assert code == 2
    assert err == (
        f"error: there is no such database: postgresql://127.0.0.1:{server.port}/shop\n"
        "  to do: check the name, or create it: createdb NAME\n"
    )
