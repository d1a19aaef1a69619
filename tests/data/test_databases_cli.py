"""Every command that takes a database takes a URL, and none shows the password in it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from command_line import exit_code

from shortlist.bundle import read_manifest
from shortlist.cli import main
from shortlist.data.dataset import Dataset
from shortlist.errors import DatabaseError
from shortlist.models.registry import load

from .servers import ENCODED, PASSWORD, USER, EmptyDatabase, Server
from .table_files import ML_100K, write

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str | Path) -> tuple[int, str, str]:
        code = exit_code(monkeypatch, *arguments)
        out, err = capsys.readouterr()
        for secret in (PASSWORD, ENCODED, "s3cret"):
            assert secret not in out + err
        return code, out, err

    return call


def test_from_files_to_lists_in_the_database(
    run: Run, database: EmptyDatabase, tmp_path: Path
) -> None:
    files = write(tmp_path / "in", ML_100K, "latin-1")
    bundle = tmp_path / "bundle"
    code, _, err = run("init", database.url, "--schema", "movies")
    assert code == 0, err
    shown = database.url if database.path is not None else "postgresql://127.0.0.1:"
    assert err.startswith(f"made {shown}")
    assert "(schema movies); next: shortlist load " in err
    code, out, err = run("load", database.url, files)
    assert (code, out.splitlines()[-1].split()) == (0, ["3", "ratings"]), err
    code, out, err = run("fit", database.url, "--model", "Popularity", "--out", bundle)
    assert code == 0, err
    for _ in range(2):
        code, out, err = run(
            "recommend", bundle, "-k", "1", "--include-seen", "--out", database.url
        )
        assert (code, out) == (0, ""), err
        assert err.startswith(f"wrote 2 rows to {shown}")
    assert database.run("SELECT run_id, user_id, item_id FROM recommendations ORDER BY 1, 2") == [
        (1, "186", "302"),
        (1, "196", "302"),
        (2, "186", "302"),
        (2, "196", "302"),
    ]


def test_nightly_runs_read_only_new_rows(run: Run, database: EmptyDatabase, tmp_path: Path) -> None:
    code, _, err = run("init", database.url, "--schema", "runs")
    assert code == 0
    assert "; next: shortlist recommend BUNDLE --out " in err
    database.run("CREATE TABLE orders (no integer, buyer varchar(9), thing integer)")
    database.insert("orders", [(1, "ann", 7), (2, "bob", 7), (3, "bob", 8)])
    bundle = tmp_path / "bundle"
    nightly = ["fit", database.url, "--interactions", "orders", "--user-id", "buyer"]
    nightly += ["--item-id", "thing", "--by", "no", "--since", str(bundle)]
    fit = [*nightly, "--model", "Popularity", "--out", str(bundle)]
    code, _, err = run(*fit)
    assert code == 0, err
    assert f"{bundle} does not exist yet: all rows are read\nread all rows, up to no 3: 3\n" in err
    code, _, err = run("recommend", bundle, "--include-seen", "--out", database.url)
    assert code == 0, err
    database.insert("orders", [(2, "late", 7), (5, "ann", 9)])
    code, _, err = run(*fit)
    assert code == 0, err
    assert "read the rows after no 3, up to no 5: 1\n" in err
    assert "late rows, not read: 1; to read them, leave --since out\n" in err
    assert "on Dataset(2 users, 3 items, 4 interactions)" in err
    code, _, err = run("recommend", bundle, "--include-seen", "--out", database.url)
    assert database.run(
        "SELECT run_id, last_seen, row_count FROM recommendation_marks ORDER BY 1"
    ) == [(1, "3", 3), (2, "5", 4)]
    mark = read_manifest(bundle).mark
    assert mark is not None
    assert (mark["last_seen"], mark["row_count"]) == ("5", 4)
    assert not any(str(part) in str(mark) for part in (database.path, "127.0.0.1") if part)
    # The lists of another database's data leave no mark here.
    elsewhere = tmp_path / "elsewhere.duckdb"
    assert run("init", elsewhere, "--schema", "runs")[0] == 0
    assert run("recommend", bundle, "--include-seen", "--out", elsewhere)[0] == 0
    with duckdb.connect(str(elsewhere)) as other:
        counted = "SELECT (SELECT count(*) FROM recommendations) > 0, count(*) "
        assert other.execute(f"{counted} FROM recommendation_marks").fetchall() == [(True, 0)]

    # Deleted rows still count, and say so; without --since everything is read.
    database.run("DELETE FROM orders WHERE buyer = 'bob'")
    code, _, err = run(*fit)
    assert "deleted rows, still counted: 1; to drop them, leave --since out\n" in err
    code, _, err = run(*fit[:-6], *fit[-4:])
    assert "on Dataset(2 users, 2 items, 3 interactions)" in err, err


def test_changed_tables_are_refused(run: Run, any_database: EmptyDatabase, tmp_path: Path) -> None:
    run("init", any_database.url, "--schema", "runs")
    any_database.run("CREATE TABLE orders (no integer, buyer varchar(9), thing integer)")
    any_database.insert("orders", [(1, "ann", 7), (2, "bob", 7)])
    bundle = str(tmp_path / "bundle")
    fit = ["fit", any_database.url, "--interactions", "orders", "--user-id", "buyer", "--item-id"]
    rest = ["--model", "Popularity", "--out", bundle, "--by", "no", "--since", bundle]
    assert run(*fit, "thing", *rest)[0] == 0
    code, _, err = run(*fit, "no", *rest)
    assert code == 2
    assert "error: the mark is of other tables and columns\n" in err
    assert "where: item_id was 'thing' and is 'no'\n" in err
    any_database.run("ALTER TABLE orders RENAME COLUMN thing TO article")
    code, _, err = run(*fit, "thing", *rest)
    assert code == 2
    assert "error: the table orders has no column 'thing'\n" in err
    assert "one of these: article, buyer, no" in err
    any_database.run("DROP TABLE orders")
    code, _, err = run(*fit, "thing", *rest)
    assert code == 2
    assert "error: there is no table orders\n" in err
    code, _, err = run("fit", any_database.url, *rest)
    assert code == 2
    assert "error: --by follows the rows of a table of your own, and no table is named\n" in err
    other = str(tmp_path / "other.duckdb")
    run("init", other, "--schema", "runs")
    code, _, err = run("fit", other, *fit[2:], "thing", *rest)
    assert code == 2
    assert f"error: {bundle} does not record how far it has read {other}\n" in err


def test_own_tables_can_be_compared_and_tuned(
    run: Run, sqlite: EmptyDatabase, tmp_path: Path
) -> None:
    run("init", sqlite.url, "--schema", "runs")
    sqlite.run("CREATE TABLE orders (buyer TEXT, thing INTEGER, amount REAL)")
    rows = [(f"b{n % 9}", n * n % 13, 1.0 + n % 3) for n in range(90)]
    sqlite.insert("orders", rows)
    named = ["--interactions", "orders", "--user-id", "buyer", "--item-id", "thing"]
    named += ["--weight", "amount", "--repeats", "sum"]
    code, out, err = run("compare", sqlite.url, *named, "--models", "Popularity", "-k", "2")
    assert code == 0, err
    assert out.startswith("9 users, 7 items, full catalogue")
    config = tmp_path / "ease.json"
    code, _, err = run(
        "tune", sqlite.url, *named, "--model", "EASE", "--trials", "2", "--out", config
    )
    assert code == 0, err
    follows = f"next: shortlist fit {sqlite.url} {' '.join(named)} --config {config} --out BUNDLE"
    assert follows in err
    bundle = tmp_path / "bundle"
    code, _, err = run("fit", sqlite.url, *named, "--config", config, "--out", bundle)
    assert code == 0, err
    expected = Dataset.from_tables(
        pa.table(dict(zip(("buyer", "thing", "amount"), zip(*rows, strict=True), strict=True))),
        user_id="buyer",
        item_id="thing",
        weight="amount",
        repeats="sum",
    )
    assert load(bundle).data_fingerprint == expected.fingerprint


def test_compare_reads_a_url(run: Run, sqlite: EmptyDatabase, tmp_path: Path) -> None:
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
