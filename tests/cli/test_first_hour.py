"""Three newcomers with files of their own: from ``look`` by the printed command to lists."""

from __future__ import annotations

import csv
import json
import random
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shortlist import progress
from shortlist.cli.input import read_ids
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import InputError

from .conftest import Run


def write(path: Path, rows: Sequence[Sequence[Any]], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A retail export: semicolons, decimal commas, guests, returns, repeated rows."""
    rng = random.Random(1)
    rows: list[list[Any]] = []
    for customer in range(40):
        for n in range(5):
            sku = 2 * rng.randrange(6) + customer % 2
            day = f"{1 + (7 * n + customer) % 28:02}/0{1 + n}/2024 1{n}:30"
            bought = [f"S{sku}", f"Mug {sku}", 1 + n, day, "3,50", 500 + customer]
            rows.append([f"I{len(rows)}", *bought])
    rows.append(["I900", "S1", "Mug 1", 1, "21/03/2024 10:00", "3,50", ""])
    rows.append([*rows[0][:3], -1, *rows[0][4:]])
    rows += [rows[3], rows[4]]
    names = ["Invoice No", "Stock Code", "Description", "Quantity", "Invoice Date", "Unit Price"]
    return write(tmp_path / "retail.csv", [[*names, "Customer ID"], *rows], ";")


@pytest.fixture
def products(tmp_path: Path) -> Path:
    """The products of the shop; one is missing, one is listed twice, one has no code."""
    rows = [[f"S{n}", f"Blue mug {n}", ("Kitchen", "Garden")[n % 2]] for n in range(11)]
    rows += [["", "Nothing", "Kitchen"], rows[3]]
    return write(tmp_path / "products.csv", [["Stock Code", "Product Name", "Aisle"], *rows], ";")


@pytest.fixture
def applications(tmp_path: Path) -> Path:
    """A job board with Korean names."""
    rng = random.Random(2)
    rows = [
        [
            n,
            f"R{n % 30:02}",
            f"J{2 * rng.randrange(7) + n % 2}",
            f"2024-03-{1 + n % 28:02} 09:30:00",
        ]
        for n in range(150)
    ]
    return write(
        tmp_path / "applications.csv", [["지원번호", "이력서번호", "공고번호", "지원일시"], *rows]
    )


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """A student's ratings with tabs, American dates of two digits, and blanks."""
    rng = random.Random(3)
    rows = [
        [
            f"p{n % 20}",
            f"Film {rng.randrange(15)}",
            ("1", "4.5", "")[n % 3],
            f"3/{1 + n % 28}/24",
        ]
        for n in range(160)
    ]
    return write(
        tmp_path / "ratings.txt", [["person", "movie name", "my rating", "watched on"], *rows], "\t"
    )


def printed_command(run: Run, *arguments: str | Path) -> list[str]:
    """Look at a table, and return the words of the command that it prints."""
    outcome = run("look", *arguments)
    assert outcome.code == 0, outcome.err
    command = outcome.out.splitlines()[-1]
    assert command.startswith("next: shortlist fit ")
    return shlex.split(command.removeprefix("next: shortlist "))


def lists_of(
    run: Run, command: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, Any]]:
    """Run a printed command with a quick model, and return everyone's lists."""
    monkeypatch.chdir(folder)
    fitted = run(*(word if word != "auto" else "ItemCosine" for word in command))
    assert fitted.code == 0, fitted.err
    assert fitted.err.splitlines()[-1].endswith("next: shortlist recommend bundle")
    outcome = run("recommend", "bundle", "-k", 3, "--json", "-")
    assert outcome.code == 0, outcome.err
    lists: list[dict[str, Any]] = json.loads(outcome.out)
    return lists


def test_a_shop(run: Run, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = printed_command(run, shop)
    assert command[2:] == [
        "--user-id", "Customer ID", "--item-id", "Stock Code", "--weight", "Quantity",
        "--time", "Invoice Date", "--title", "Description", "--repeats", "sum",
        "--time-format", "%d/%m/%Y %H:%M", "--on-bad-row", "skip", "--model", "auto",
        "--out", "bundle",
    ]  # fmt: skip
    lists = lists_of(run, command, tmp_path, monkeypatch)
    assert {row["user_id"] for row in lists} == set(range(500, 540))
    assert all(row["title"] == f"Mug {row['item_id'][1:]}" for row in lists)
    for target in ("lists.csv", "lists.parquet"):
        assert run("recommend", "bundle", "-k", 3, "--out", target).code == 0
    assert pq.read_table("lists.parquet").column("title").to_pylist() == [r["title"] for r in lists]
    with open("lists.csv", newline="") as file:  # noqa: PTH123
        assert [row["title"] for row in csv.DictReader(file)] == [row["title"] for row in lists]


def test_a_shop_with_products(
    run: Run, shop: Path, products: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = run("look", shop, "--items", products)
    assert "left out 1 row (13), column 'Stock Code': the item id is missing" in looked.out
    assert "left out 1 row (14), column 'Stock Code': the item id is listed before" in looked.out
    assert "item 'S11' is not listed in items" in looked.out
    command = printed_command(run, shop, "--items", products)
    assert "--title" not in command
    lists = lists_of(run, command, tmp_path, monkeypatch)
    assert all(row["title"] == f"Blue mug {row['item_id'][1:]}" for row in lists)


def test_a_job_board(
    run: Run, applications: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = printed_command(run, applications)
    assert command[2:8] == [
        "--user-id",
        "이력서번호",
        "--item-id",
        "공고번호",
        "--time",
        "지원일시",
    ]
    lists = lists_of(run, command, tmp_path, monkeypatch)
    assert {row["user_id"] for row in lists} == {f"R{n:02}" for n in range(30)}
    assert all("title" not in row for row in lists)


def test_a_student(
    run: Run, ratings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "column 'my rating': the weight is missing" in run("look", ratings).out
    command = printed_command(run, ratings)
    assert command[command.index("--time") + 1 :][:3] == ["watched on", "--time-format", "%m/%d/%y"]
    assert len({row["user_id"] for row in lists_of(run, command, tmp_path, monkeypatch)}) == 20


@pytest.mark.parametrize(("table", "kind"), [("products", "items"), ("people", "users")])
def test_a_list_of_items_or_users_is_not_taken_for_interactions(
    run: Run, products: Path, tmp_path: Path, table: str, kind: str
) -> None:
    people = [[f"c{n}", ("UK", "FR")[n % 2], 20 + n] for n in range(12)]
    write(tmp_path / "people.csv", [["Customer ID", "Country", "Age"], *people])
    outcome = run("look", tmp_path / f"{table}.csv")
    assert outcome.code == 2
    assert f"this is a table of {kind}, not of who chose what" in outcome.err
    assert f"give it this one: --{kind}" in outcome.err


def test_an_unnamed_column_of_ids_is_named_in_options(run: Run, shop: Path, tmp_path: Path) -> None:
    outcome = run("fit", shop, "--model", "Popularity", "--out", tmp_path / "bundle")
    assert outcome.code == 2
    assert "there is no column 'user_id'" in outcome.err
    assert "name the right one: --user-id (shortlist look guesses it)" in outcome.err


def test_what_cannot_be_written_is_refused_before_anything_is_read(
    run: Run, bundle: Path, tmp_path: Path
) -> None:
    absent = tmp_path / "absent"
    cases: list[tuple[list[str | Path], str]] = [
        (["recommend", "none", "--out", "lists.xlsx"], "cannot tell from '.xlsx' how to write"),
        (["recommend", "none", "--out", absent / "lists.csv"], "absent does not exist"),
        (["recommend", "none", "--out", tmp_path / "new.duckdb"], "new.duckdb --schema runs"),
        (["recommend", "none", "--json", absent / "a.json"], "absent does not exist"),
        (["recommend", "none", "--out", bundle / "lists.csv"], "is a bundle"),
        (["fit", "none.csv", "--model", "EASE", "--out", absent / "b"], "absent does not exist"),
        (["fit", "none.csv", "--model", "EASE", "--out", tmp_path], "is not a bundle"),
        (["compare", "none.csv", "--report", tmp_path / "r.pdf"], "name a .html file"),
        (["compare", "none.csv", "--json", tmp_path], "is a folder"),
        (["tune", "none.csv", "--model", "EASE", "--out", absent / "c.json"], "absent does not"),
    ]
    for arguments, message in cases:
        outcome = run(*arguments)
        assert outcome.code == 2, arguments
        assert message in outcome.err, (arguments, outcome.err)


def test_a_database_without_run_tables_is_refused_early(run: Run, tmp_path: Path) -> None:
    import duckdb

    with duckdb.connect(str(tmp_path / "own.duckdb")) as db:
        db.execute("CREATE TABLE orders AS SELECT 1 AS no")
    outcome = run("recommend", "none", "--out", tmp_path / "own.duckdb")
    assert outcome.code == 2
    assert "without the tables of shortlist" in outcome.err
    assert f"shortlist init {tmp_path / 'own.duckdb'} --schema runs" in outcome.err


def test_a_remedy_offers_only_what_the_command_has(run: Run, bundle: Path) -> None:
    unknown = run("similar", bundle, "99").err
    assert unknown.splitlines()[-1] == "  to do: check the spelling"
    assert "--on-unknown skip or fallback" in run("recommend", bundle, "--history", "99").err


def test_quiet_prints_results_only(run: Run, database: Path, tmp_path: Path) -> None:
    arguments = ["fit", database, "--model", "Popularity", "--out", tmp_path / "quiet"]
    assert "next: shortlist recommend" in run(*arguments).err
    assert run(*arguments, "-q") == (0, "", "")
    assert run("--quiet", *arguments) == (0, "", "")
    assert run("similar", "-q", "nowhere", "1").code == 2  # errors are still printed
    assert "leave one of the two out" in run(*arguments, "-q", "-v").err


def test_verbose_logs_progress_where_there_is_no_terminal(
    run: Run, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_INTERVAL", 0.0005)
    outcome = run("fit", database, "--model", "IALS", "--out", tmp_path / "b", "-v")
    assert any(line.startswith("IALS: ") for line in outcome.err.splitlines())
    assert "IALS: " not in run("fit", database, "--model", "IALS", "--out", tmp_path / "b").err


@pytest.mark.parametrize("exists", [True, False])
def test_ctrl_c_says_what_is_left(
    run: Run,
    database: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    exists: bool,
) -> None:
    out = bundle if exists else bundle.parent / "new"

    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("shortlist.models.popularity.Popularity.learn", stopped)
    outcome = run("fit", database, "--model", "Popularity", "--out", out)
    left = f"{out} is as it was" if exists else "no bundle was written"
    assert (outcome.code, outcome.err.splitlines()[-1]) == (130, f"stopped: {left}")
    assert out.exists() == exists


def test_ctrl_c_in_a_command_that_leaves_nothing(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("shortlist.data.columns.look.look", stopped)
    outcome = run("look", shop)
    assert (outcome.code, outcome.out, outcome.err.split()) == (130, "", ["stopped"])


def test_empty_lists_say_why(run: Run, bundle: Path, tmp_path: Path) -> None:
    one = tmp_path / "one.txt"
    one.write_text("1\n")
    outcome = run("recommend", bundle, "--allow", one, "--deny", one)
    assert outcome.err == (
        "the lists are empty: no item is left that is allowed and was not chosen before\n"
    )


def test_ids_and_features_from_stdin(
    run: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    for option, listed in (("--allow", {"1", "3"}), ("--users", set[str]())):
        monkeypatch.setattr("sys.stdin", io.StringIO("1\n3\n99999\n"))
        outcome = run("recommend", bundle, option, "-", "--on-unknown", "skip")
        assert outcome.code == 0, outcome.err
        items = {line.split(",")[1] for line in outcome.out.splitlines()[1:]}
        assert items <= listed if listed else len(items) > 1


def test_ids_in_the_encodings_of_spreadsheets(run: Run, bundle: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    for encoding in ("utf-8-sig", "utf-16"):
        ids.write_text("1\n3\n", encoding=encoding)
        outcome = run("recommend", bundle, "--allow", ids)
        assert outcome.code == 0, outcome.err
        assert {line.split(",")[1] for line in outcome.out.splitlines()[1:]} <= {"1", "3"}
    ids.write_bytes("1\nMüsli\n".encode("cp1252"))
    outcome = run("recommend", bundle, "--allow", ids)
    assert (outcome.code, outcome.err) == (
        2,
        f"error: the text is not UTF-8\n  where: {ids}\n  to do: save the file as UTF-8\n",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text",
    [
        'user_id\n"Lee, Ann"\n"O""Neil"\nbob\n',
        '"user_id"\r\n"Lee, Ann"\r\n"O""Neil"\r\n"bob"',
        'user_id,age\n"Lee, Ann",4\n"O""Neil",5\nbob,6\n',
    ],
)
def test_quoted_ids_in_tables(tmp_path: Path, encoding: str, text: str) -> None:
    ids = ["Lee, Ann", 'O"Neil', "bob"]
    file = tmp_path / "people.csv"
    file.write_text(text, encoding=encoding, newline="")
    assert read_ids(file, Vocabulary(pa.array(sorted(ids)), kind="user")) == ids


def test_a_quote_that_is_not_closed_in_a_table_of_ids(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text('user_id\nbob\n"Lee, Ann\n')
    with pytest.raises(InputError) as error:
        read_ids(file, Vocabulary(pa.array(["bob"]), kind="user"))
    assert str(error.value) == (
        "the row cannot be read: unexpected end of data\n  where: people.csv, row 3\n"
        "  to do: close every quote, and write quotes within a value twice"
    )


def test_two_files_of_a_job_board_in_two_encodings(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(4)
    log = [[f"{n % 30:03}", f"JK{2 * rng.randrange(7) + n % 2:02}", "열람"] for n in range(150)]
    applications = tmp_path / "applications.csv"
    write(applications, [["회원번호", "공고번호", "구분"], *log])
    applications.write_bytes(applications.read_text(encoding="utf-8-sig").encode("cp949"))
    jobs = tmp_path / "jobs.csv"
    write(jobs, [["공고번호", "공고제목"], *([f"JK{n:02}", f"조리사 {n}"] for n in range(14))])
    jobs.write_text(jobs.read_text(encoding="utf-8-sig"), encoding="utf-8-sig")
    command = printed_command(run, applications, "--items", jobs)
    assert command[command.index("--encoding") + 1] == "cp949"
    lists = lists_of(run, command, tmp_path, monkeypatch)
    assert {row["user_id"] for row in lists} == {f"{n:03}" for n in range(30)}
    assert all(row["title"] == f"조리사 {int(row['item_id'][2:])}" for row in lists)
