from __future__ import annotations

import csv
import hashlib
import io
import re
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from shortlist.data.fetch import cache_folder, fetch
from shortlist.data.samples import generate_orders
from shortlist.data.store.store import Store
from shortlist.errors import DownloadError, InputError

from .table_files import ML_100K, RECBOLE

RATINGS = "".join(line + "\n" for line in ML_100K["u.data"])


def archive(prefix: str, files: dict[str, list[str]], encoding: str = "latin-1") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for name, lines in files.items():
            packed.writestr(prefix + name, "".join(line + "\n" for line in lines).encode(encoding))
    return content.getvalue()


class Response(io.BytesIO):
    headers = Message()


class World:
    """A fake network: its responses, and the requests it received."""

    def __init__(self) -> None:
        self.zip: bytes | None = archive("ml-100k/", ML_100K)
        self.wheel: bytes | None = None
        self.requests: list[str] = []

    def urlopen(self, url: str, timeout: float) -> Response:
        self.requests.append(url)
        assert 0 < timeout <= 30
        if self.zip is None:
            raise urllib.error.URLError("no route to host")
        return Response(self.zip)

    def pip(self, command: list[str], **settings: Any) -> subprocess.CompletedProcess[str]:
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert "--no-deps" in command
        self.requests.append(command[-1])
        if self.wheel is None:
            return subprocess.CompletedProcess(command, 1, None, "WARNING: x\nERROR: no match\n")
        folder = Path(command[command.index("--dest") + 1])
        folder.mkdir()
        (folder / "recbole-1.2.1-py3-none-any.whl").write_bytes(self.wheel)
        return subprocess.CompletedProcess(command, 0, None, "")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """A fake network with three ratings instead of a hundred thousand."""
    world = World()
    monkeypatch.setenv("SHORTLIST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(urllib.request, "urlopen", world.urlopen)
    monkeypatch.setattr(subprocess, "run", world.pip)
    monkeypatch.setattr("shortlist.data.fetch._COUNTS", (3, 2, 2))
    content = hashlib.sha256(RATINGS.encode()).hexdigest()
    monkeypatch.setattr("shortlist.data.fetch._CONTENT", content)
    return world


def wheel() -> bytes:
    files = {name.replace("ml.", "ml-100k."): lines for name, lines in RECBOLE.items()}
    files["ml-100k.inter"] = [RECBOLE["ml.inter"][0], *ML_100K["u.data"]]
    return archive("recbole/dataset_example/ml-100k/", files, "utf-8")


def test_from_grouplens(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fetch("ml-100k")
    assert folder == tmp_path / "cache" / "ml-100k"
    names = ["README", "SOURCE.txt", "u.data", "u.item", "u.user"]
    assert sorted(file.name for file in folder.iterdir()) == names
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(
        "ml-100k: from https://files.grouplens.org/datasets/movielens/ml-100k.zip"
    )
    assert "may not be redistributed" in err
    assert err == f"ml-100k: {(folder / 'SOURCE.txt').read_text()}"
    with Store.create(tmp_path / "m.duckdb", "movies") as store:
        assert store.load(folder).rows["ratings"] == 3


def test_a_second_call_uses_the_cache(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    first = fetch("ml-100k")
    capsys.readouterr()
    assert fetch("ml-100k") == first
    assert len(world.requests) == 1
    assert capsys.readouterr().err == ""


def test_from_the_package_index_if_grouplens_is_unreachable(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.zip, world.wheel = None, wheel()
    folder = fetch("ml-100k")
    assert world.requests[1] == "recbole==1.2.1"
    names = ["SOURCE.txt", "ml-100k.inter", "ml-100k.item", "ml-100k.user"]
    assert sorted(file.name for file in folder.iterdir()) == names
    assert "from the copy in the Python package recbole==1.2.1" in capsys.readouterr().err
    with Store.create(tmp_path / "m.duckdb", "movies") as store:
        assert store.load(folder).rows["ratings"] == 3


def drop_a_rating(files: dict[str, list[str]]) -> dict[str, list[str]]:
    return {**files, "u.data": files["u.data"][:2]}


def change_a_rating(files: dict[str, list[str]]) -> dict[str, list[str]]:
    return {**files, "u.data": [*files["u.data"][:2], "196\t302\t4\t881250950"]}


def break_a_line(files: dict[str, list[str]]) -> dict[str, list[str]]:
    return {**files, "u.data": [*files["u.data"][:2], "196\t302"]}


def forget_the_films(files: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: lines for name, lines in files.items() if name != "u.item"}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (drop_a_rating, "has 2 ratings, 2 users, 2 films; ml-100k has 3 ratings, 2 users, 2 films"),
        (change_a_rating, "has the counts of ml-100k, but other ratings"),
        (break_a_line, "cannot be read: the row has 2 columns instead of 4"),
        (forget_the_films, "the download is not the expected archive"),
    ],
)
def test_other_files_than_the_data_set_are_not_kept(
    world: World,
    tmp_path: Path,
    damage: Callable[[dict[str, list[str]]], dict[str, list[str]]],
    reason: str,
) -> None:
    world.zip = archive("ml-100k/", damage(ML_100K))
    with pytest.raises(DownloadError) as caught:
        fetch("ml-100k")
    message = str(caught.value)
    assert reason in message
    assert "- pip download recbole==1.2.1 failed: ERROR: no match" in message
    assert (
        f"unpack https://files.grouplens.org/datasets/movielens/ml-100k.zip into {tmp_path}"
        in message
    )
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_download_that_is_not_an_archive(world: World, tmp_path: Path) -> None:
    world.zip = b"<html>Please log in</html>"
    with pytest.raises(DownloadError, match="the download is not the expected archive"):
        fetch("ml-100k")
    world.wheel = wheel()
    assert (fetch("ml-100k") / "ml-100k.inter").is_file()


def test_pip_times_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], **settings: Any) -> None:
        raise subprocess.TimeoutExpired(command, settings["timeout"])

    world.zip = None
    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(DownloadError, match=r"pip download recbole==1\.2\.1 took more than 300 s"):
        fetch("ml-100k")


def test_an_incomplete_folder_is_downloaded_again(world: World, tmp_path: Path) -> None:
    (tmp_path / "cache" / "ml-100k").mkdir(parents=True)
    (tmp_path / "cache" / "ml-100k" / "u.data").write_text("half")
    assert (fetch("ml-100k") / "u.data").read_text() == RATINGS


def test_an_unknown_data_set(world: World) -> None:
    with pytest.raises(InputError) as caught:
        fetch("ml-10k")
    assert str(caught.value) == (
        "there is no data set 'ml-10k'\n  to do: did you mean 'ml-100k'? Known: films, jobs, "
        "ml-100k, orders"
    )


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, "home/.cache/shortlist"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/shortlist"),
        ("darwin", {}, "home/Library/Caches/shortlist"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/shortlist/Cache"),
        ("linux", {"SHORTLIST_CACHE": "/mine", "XDG_CACHE_HOME": "/x"}, "/mine"),
    ],
)
def test_the_cache_folder_of_each_system(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], expected: str
) -> None:
    for name in ("SHORTLIST_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("home"))
    assert cache_folder() == Path(expected)


def test_samples_are_copied_and_nothing_else_is_replaced(world: World, tmp_path: Path) -> None:
    folder = fetch("films", to=tmp_path / "new" / "films")
    assert sorted(path.name for path in folder.iterdir()) == [
        "items.parquet", "ratings.parquet", "users.parquet",
    ]  # fmt: skip
    assert fetch("films", to=folder) == folder  # the same content
    mine = tmp_path / "orders.csv"
    mine.write_text("mine")
    with pytest.raises(InputError, match=r"orders\.csv exists, with other content\n.*another"):
        fetch("orders", to=tmp_path)
    assert mine.read_text() == "mine"
    assert not (tmp_path / "products.csv").exists()


def test_a_shop_as_tills_write_it(world: World, tmp_path: Path) -> None:
    folder = fetch("orders", to=tmp_path)
    again = generate_orders(tmp_path / "again")
    for name in ("orders.csv", "products.csv"):
        assert (folder / name).read_bytes() == (again / name).read_bytes()
    rows = list(csv.DictReader((folder / "orders.csv").read_text().splitlines()))
    assert sum(not row["customer"] for row in rows) > 50
    assert sum(int(row["quantity"]) < 0 for row in rows) > 50
    forms = (r"\d{4}-\d\d-\d\d", r"\d\d/\d\d/\d{4}", r"\d\d [A-Z][a-z]{2} \d{4}")
    for form in forms:
        assert sum(bool(re.fullmatch(form, row["date"])) for row in rows) > 500
    assert all(any(re.fullmatch(form, row["date"]) for form in forms) for row in rows)
    products = (folder / "products.csv").read_text().splitlines()
    skus = [row["sku"] for row in csv.DictReader(products)]
    assert (len(skus), len({*skus})) == (124, 120)
    with pytest.raises(InputError, match="n_customers=3 is below 10"):
        generate_orders(tmp_path / "few", 3)
