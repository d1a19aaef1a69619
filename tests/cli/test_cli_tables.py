"""Commands on table files, as a shop exports them."""

from __future__ import annotations

import gzip
import json
import shlex
import sqlite3
import warnings
from pathlib import Path

import duckdb
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import shortlist as sl
from shortlist.cli import in_options

from .conftest import Run


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """40 customers of two tastes buy 10 products; a guest, returns, and days before months."""
    lines = ["Invoice,Customer ID,StockCode,Quantity,Date"]
    for customer in range(40):
        for n in range(4):
            product = 2 * ((customer // 2 + n) % 5) + customer % 2
            lines.append(f"{len(lines)},{customer + 100},S{product},{1 + n},{20 + n}/03/2024")
    lines += ["900,,S1,1,21/03/2024", "901,100,S0,,22/03/2024", "902,100,S0,5,23/03/2024"]
    lines += ["903,100,S0,-1,23/03/2024"]
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


OPTIONS = [
    "--user-id", "Customer ID", "--item-id", "StockCode", "--weight", "Quantity",
    "--repeats", "sum", "--time", "Date", "--time-format", "%d/%m/%Y", "--on-bad-row", "skip",
]  # fmt: skip


def test_look_guesses_the_roles_and_prints_the_next_command(run: Run, orders: Path) -> None:
    outcome = run("look", orders)
    assert outcome.code == 0
    assert "40 users, 10 items, 160 pairs of a user and an item" in outcome.out
    assert "from 2024-03-20 to 2024-03-23" in outcome.out
    assert "2 rows repeat a pair: their weights are added" in outcome.out
    assert "left out 1 row (162), column 'Customer ID': the user id is missing" in outcome.out
    assert "left out 1 row (163), column 'Quantity'" in outcome.out
    command = outcome.out.splitlines()[-1]
    assert command.startswith("next: shortlist fit ")
    assert "--user-id 'Customer ID' --item-id StockCode --weight Quantity --time Date" in command
    assert "--time-format %d/%m/%Y --on-bad-row skip --model auto --out bundle" in command


def test_fit_reads_a_file_and_reports_what_it_left_out(
    run: Run, orders: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    fitted = run("fit", orders, *OPTIONS, "--model", "ItemCosine", "--out", bundle)
    assert fitted.code == 0, fitted.err
    assert "left out 1 row (162)" in fitted.err
    data = sl.load(bundle).data
    assert (data.n_users, data.n_items, data.n_interactions) == (40, 10, 160)
    assert data.weights[0] == 5  # customer 100 bought S0 twice, 1 and 5, and returned 1
    first = run("recommend", bundle, "-k", "1", "--json", "-")
    rows = json.loads(first.out)
    taste = {row["user_id"]: int(row["item_id"][1:]) % 2 for row in rows}
    assert taste == {customer + 100: customer % 2 for customer in range(40)}


def test_fit_reads_choices_and_dislikes_by_a_rule(run: Run, orders: Path, tmp_path: Path) -> None:
    bundle, rule = tmp_path / "bundle", "Quantity >= 3"
    plain = [word for word in OPTIONS if word not in ("--repeats", "sum")]
    options = [*plain, "--only", "Quantity < 9", "--positive", rule, "--half-life", "30"]
    fitted = run("fit", orders, *options, "--model", "ItemCosine", "--out", bundle)
    assert fitted.code == 0, fitted.err
    assert "not meeting only='Quantity < 9'" in fitted.err
    data = sl.load(bundle).data
    assert data.n_interactions + len(data.dislikes or ()) == 160
    assert (data.weights < 5).any()
    wrong = run("fit", orders, *options[:-3], "Quantty > 1", "--model", "EASE", "--out", bundle)
    assert (wrong.code, "there is no column 'Quantty'" in wrong.err) == (2, True)


@pytest.mark.parametrize("form", ["gz", "parquet", "jsonl", "folder", "pattern"])
def test_every_form_of_a_table_gives_the_same_data(
    run: Run, orders: Path, tmp_path: Path, form: str
) -> None:
    lines = orders.read_text().splitlines()
    if form == "gz":
        source = tmp_path / "orders.csv.gz"
        source.write_bytes(gzip.compress(orders.read_bytes()))
    elif form == "parquet":
        source = tmp_path / "orders.parquet"
        pq.write_table(pyarrow.csv.read_csv(orders), source)
    elif form == "jsonl":
        source = tmp_path / "orders.jsonl"
        rows = pyarrow.csv.read_csv(orders).to_pylist()
        source.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        folder = tmp_path / "parts"
        folder.mkdir()
        for number, part in enumerate((lines[1:80], lines[80:])):
            (folder / f"part-{number}.csv").write_text("\n".join([lines[0], *part]) + "\n")
        source = folder if form == "folder" else folder / "*.csv"
    out = tmp_path / "bundle"
    outcome = run("fit", source, *OPTIONS, "--model", "Popularity", "--out", out)
    assert outcome.code == 0, outcome.err
    expected = sl.Dataset.from_tables(
        orders, user_id="Customer ID", item_id="StockCode", weight="Quantity", repeats="sum",
        time="Date", time_format="%d/%m/%Y", on_bad_row="skip",
    )  # fmt: skip
    assert sl.load(out).data.fingerprint == expected.fingerprint


def test_products_and_people_are_files_too(run: Run, orders: Path, tmp_path: Path) -> None:
    products, people = tmp_path / "products.csv", tmp_path / "people.csv"
    products.write_text(
        "StockCode,title,colour\n" + "".join(f"S{n},Product {n},c{n % 2}\n" for n in range(10))
    )
    people.write_text(
        "Customer ID,country\n"
        + "".join(f"{n + 100},{'FR' if n % 4 else 'DE'}\n" for n in range(40))
    )
    bundle = tmp_path / "bundle"
    outcome = run(
        "fit", orders, *OPTIONS, "--items", products, "--users", people, "--model", "ItemCosine",
        "--out", bundle,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    listed = run("audience", bundle, "S0", "--where", "country = DE", "-k", "40", "--json", "-")
    assert {row["user_id"] for row in json.loads(listed.out)} <= {n + 100 for n in range(0, 40, 4)}
    content = tmp_path / "content"
    run("fit", orders, *OPTIONS, "--items", products, "--users", people, "--model", "Hybrid",
        "--out", content)  # fmt: skip
    person = tmp_path / "person.json"
    person.write_text('{"country": "FR"}')
    outcome = run("recommend", content, "--features", person, "-k", "3", "--json", "-")
    assert [row["rank"] for row in json.loads(outcome.out)] == [1, 2, 3]
    typed = run("recommend", content, "--features", person.read_text(), "-k", "3", "--json", "-")
    assert typed.out == outcome.out
    two = run("recommend", content, "--features", person, "--history", "S0", "--json", "-")
    assert "S0" not in {row["item_id"] for row in json.loads(two.out)}


def test_new_people_come_as_a_table(run: Run, orders: Path, tmp_path: Path) -> None:
    people, new, bundle = (tmp_path / name for name in ("people.csv", "new.csv", "bundle"))
    people.write_text(
        "Customer ID,zip\n"
        + "".join(f"{n + 100},{'0' if n % 2 else 'x'}{n % 2}\n" for n in range(40))
    )
    run("fit", orders, *OPTIONS, "--users", people, "--model", "Retrieval", "--set", "epochs=2",
        "--out", bundle)  # fmt: skip
    new.write_text("name,zip\nAnn,01\nBo,\n")
    listed = run("recommend", bundle, "--features", new, "-k", "3", "--json", "-")
    assert listed.err.startswith(f"{new}: left out name: not a feature of users\n")
    given = run("recommend", bundle, "--features", '[{"zip": "01"}, {}]', "-k", "3", "--json", "-")
    assert listed.out == given.out
    new.write_text("name\nAnn\n")
    outcome = run("recommend", bundle, "--features", new)
    assert "no column is a feature of users: name" in outcome.err
    assert (outcome.code, "to do: the features are zip" in outcome.err) == (2, True)


@pytest.mark.parametrize("text", ["{", "[]", "3", '["a"]'])
def test_features_that_are_no_object_are_refused(
    run: Run, orders: Path, tmp_path: Path, text: str
) -> None:
    bundle, person = tmp_path / "bundle", tmp_path / "person.json"
    run("fit", orders, *OPTIONS, "--model", "Popularity", "--out", bundle)
    person.write_text(text)
    for given in (person, text):
        outcome = run("recommend", bundle, "--features", given)
        assert outcome.code == 2
        if given == person or text.startswith(("{", "[")):
            assert 'write an object like {"degree": 4}' in outcome.err


def test_unknown_items_of_a_stock_list_are_counted(run: Run, orders: Path, tmp_path: Path) -> None:
    bundle, stock = tmp_path / "bundle", tmp_path / "stock.txt"
    run("fit", orders, *OPTIONS, "--model", "Popularity", "--out", bundle)
    stock.write_text("S1\nS3\nNEW1\nNEW2\n")
    allowed = run("recommend", bundle, "--allow", stock, "-k", "5", "--include-seen", "--json", "-")
    assert "--allow: left out 2 of 4 ids, unknown: NEW1, NEW2" in allowed.err
    assert {row["item_id"] for row in json.loads(allowed.out)} == {"S1", "S3"}
    denied = run("recommend", bundle, "--deny", stock, "-k", "9", "--include-seen", "--json", "-")
    assert not {row["item_id"] for row in json.loads(denied.out)} & {"S1", "S3"}
    stock.write_text("NEW1\n")
    assert run("recommend", bundle, "--allow", stock).code == 2


@pytest.mark.parametrize(
    ("name", "content", "remark"),
    [
        ("ids.csv", "S1\nS3\n", None),
        ("ids.csv", "sku\nS1\nS3\n", "the first row, sku, is the name of the column"),
        (
            "ids.csv",
            "name,code,no\nS,S1,1\nB,S3,2\nC,,3\nD,S1,4\n",
            "the item ids are the column 'code'",
        ),
        ("ids.jsonl", '{"item": "S1"}\n{"item": "S3"}\n', "the item ids are the column 'item'"),
    ],
)
def test_ids_come_as_a_table(
    run: Run, orders: Path, tmp_path: Path, name: str, content: str, remark: str | None
) -> None:
    bundle, ids = tmp_path / "bundle", tmp_path / name
    run("fit", orders, *OPTIONS, "--model", "Popularity", "--out", bundle)
    ids.write_text(content)
    allowed = run("recommend", bundle, "--allow", ids, "-k", "5", "--include-seen", "--json", "-")
    assert {row["item_id"] for row in json.loads(allowed.out)} == {"S1", "S3"}
    assert f"{ids}: {remark}\n" in allowed.err if remark else str(ids) not in allowed.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,no\nx,1\n", "no column holds user ids that the model knows: name, no"),
        ("100,x\n101,y\n", "the first row has no column names: 100 is a user id"),
    ],
)
def test_a_table_without_ids_is_refused(
    run: Run, orders: Path, tmp_path: Path, content: str, message: str
) -> None:
    bundle, people = tmp_path / "bundle", tmp_path / "people.csv"
    run("fit", orders, *OPTIONS, "--model", "Popularity", "--out", bundle)
    people.write_text(content)
    outcome = run("recommend", bundle, "--users", people)
    assert (outcome.code, outcome.err.startswith(f"error: {message}\n")) == (2, True)
    outcome = run("recommend", bundle, "--features", people)
    assert (outcome.code, "users of this bundle have no features" in outcome.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--interactions", "orders"], "names a table of a database"),
        (["--by", "Invoice"], "--by follows a table of a database"),
        (["--since", "bundle"], "--since needs a column to follow"),
    ],
)
def test_options_of_databases_are_refused_for_files(
    run: Run, orders: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    outcome = run("fit", orders, *OPTIONS, *options, "--model", "EASE", "--out", tmp_path / "b")
    assert outcome.code == 2
    assert message in outcome.err


def test_tune_and_compare_read_files(run: Run, orders: Path, tmp_path: Path) -> None:
    compared = run("compare", orders, *OPTIONS, "--models", "Popularity,ItemCosine", "-k", "5")
    assert compared.code == 0, compared.err
    assert "ItemCosine" in compared.out
    best = tmp_path / "best.json"
    tuned = run("tune", orders, *OPTIONS, "--model", "ItemCosine", "--trials", "2", "--out", best)
    assert tuned.code == 0, tuned.err
    assert f"next: shortlist fit {orders} --user-id 'Customer ID'" in tuned.err


def test_remedies_name_options() -> None:
    assert in_options('leave out: on_bad_row="skip"') == "leave out: --on-bad-row skip"
    assert in_options("pass on_unknown='skip' or 'fallback'") == (
        "pass --on-unknown skip or fallback"
    )
    assert in_options("pass time_format, such as '%d/%m/%Y'") == (
        "pass --time-format, such as '%d/%m/%Y'"
    )
    assert in_options("use --on-bad-row skip; x=3") == "use --on-bad-row skip; x=3"


@pytest.mark.parametrize("suffix", ["duckdb", "sqlite"])
def test_a_table_of_a_database_is_cleaned_like_a_file(
    run: Run, orders: Path, tmp_path: Path, suffix: str
) -> None:
    rows = pyarrow.csv.read_csv(orders)
    database = tmp_path / f"shop.{suffix}"
    if suffix == "duckdb":
        with duckdb.connect(str(database)) as db:
            db.register("rows", rows)
            db.execute("CREATE TABLE orders AS FROM rows")
    else:
        with sqlite3.connect(database) as shop:
            names = ", ".join(f'"{name}"' for name in rows.column_names)
            shop.execute(f"CREATE TABLE orders ({names})")
            values = [tuple(row.values()) for row in rows.to_pylist()]
            shop.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", values)
        shop.close()
    out = tmp_path / "bundle"
    columns = ["--interactions", "orders", *OPTIONS]
    outcome = run("fit", database, *columns, "--model", "Popularity", "--out", out)
    assert outcome.code == 0, outcome.err
    assert "column 'Customer ID': the user id is missing" in outcome.err
    from_file = tmp_path / "from-file"
    run("fit", orders, *OPTIONS, "--model", "Popularity", "--out", from_file)
    assert sl.load(out).data.fingerprint == sl.load(from_file).data.fingerprint
    by = ("fit", database, *columns, "--by", "Invoice", "--model", "Popularity", "--out", out)
    outcome = run(*by)
    assert outcome.code == 0, outcome.err
    assert "column 'Customer ID': the user id is missing" in outcome.err
    assert sl.load(out).data.fingerprint == sl.load(from_file).data.fingerprint
    assert "--encoding has no meaning here" in run(*by, "--encoding", "latin-1").err


def test_a_warning_is_a_remark(
    run: Run, orders: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def warn(*_: object, **__: object) -> None:
        warnings.warn("two lines were skipped", UserWarning, stacklevel=1)

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # put back afterwards
    monkeypatch.setattr("shortlist.cli.table_options._report_skipped", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        outcome = run("fit", orders, *OPTIONS, "--model", "Popularity", "--out", tmp_path / "b")
    assert "warning: two lines were skipped\n" in outcome.err
    assert "warnings.warn" not in outcome.err


@pytest.mark.parametrize("word", ["NULL", r"\N"])
def test_the_remedy_for_ids_that_may_be_missing_works(run: Run, tmp_path: Path, word: str) -> None:
    lines = [f"{user},{item}" for user in ("ann", "bob", word) for item in ("tea", "rye", "oats")]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["user_id,item_id", *lines]) + "\n")
    looked = run("look", path)
    fitted = run("fit", path, "--model", "Popularity", "--out", tmp_path / "bundle")
    for text in (looked.out, fitted.err):
        [note] = [line for line in text.splitlines() if "may mean a missing id" in line]
        assert note.endswith(f"leave such rows out: --only 'user_id != {json.dumps(word)}'")
    again = run("look", path, *shlex.split(note[note.index("--only") :]))
    assert "2 users, 3 items, 6 pairs" in again.out
    assert "missing id" not in again.out
