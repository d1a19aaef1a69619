"""Full and read-only disks: what fails says so, and leaves the old state."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shortlist.data.dataset import Dataset
from shortlist.data.samples import generate_jobs, sample_paths
from shortlist.data.store.store import Store
from shortlist.errors import DatabaseError, InputError, ShortlistError
from shortlist.models.popularity import Popularity
from shortlist.models.registry import load

RNG = np.random.default_rng(0)
LOG = pa.table({"user_id": RNG.integers(0, 3000, 30_000), "item_id": RNG.integers(0, 500, 30_000)})
MODEL = Popularity().fit(Dataset.from_tables(LOG))
LISTS = MODEL.recommend(k=20)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount a small file system of its own, or change the options of the one mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False

    def mount(options: str) -> Path:
        nonlocal mounted
        kind = ["-o", "remount," + options] if mounted else ["-t", "tmpfs", "-o", options, "tmpfs"]
        command = ["mount", *kind, str(folder)]
        if sys.platform != "linux" or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("no file system can be mounted here")
        mounted = True
        return folder

    yield mount
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


WRITES: dict[str, Callable[[Path], Any]] = {
    "bundle": MODEL.save,
    "lists.parquet": LISTS.write,
    "lists.csv": LISTS.write,
    "store.duckdb": lambda path: Store.create(path, "movies"),
    "store.sqlite": lambda path: Store.create(path, "movies"),
    "jobs": generate_jobs,
}


@pytest.mark.parametrize("name", WRITES)
def test_a_full_disk(mount: Callable[..., Path], name: str) -> None:
    path = mount("size=8k") / name
    with pytest.raises(ShortlistError) as error:
        WRITES[name](path)
    assert str(error.value).startswith(f"the disk is full\n  where: {path}\n  to do: free some sp")
    assert os.listdir(path.parent) == []  # noqa: PTH208


@pytest.mark.parametrize("name", WRITES)
def test_a_read_only_disk(mount: Callable[..., Path], name: str) -> None:
    mount("size=8k")
    path = mount("ro") / name
    with pytest.raises(InputError) as error:
        WRITES[name](path)
    assert str(error.value) == (
        f"the file system is read-only\n  where: {path}\n  to do: choose another folder"
    )


def test_a_full_disk_keeps_the_old_bundle_and_lists(mount: Callable[..., Path]) -> None:
    folder = mount("size=100k")
    small = Popularity().fit(Dataset.from_tables(LOG.slice(0, 100)))
    small.save(folder / "bundle")
    small.recommend(k=2).write(folder / "lists.csv")
    before = (folder / "lists.csv").read_bytes()
    for write, name in ((MODEL.save, "bundle"), (LISTS.write, "lists.csv")):
        with pytest.raises(ShortlistError, match="the disk is full"):
            write(folder / name)
    assert load(folder / "bundle").data_fingerprint == small.data_fingerprint
    assert (folder / "lists.csv").read_bytes() == before
    assert sorted(os.listdir(folder)) == ["bundle", "lists.csv"]  # noqa: PTH208


@pytest.mark.parametrize("name", ["store.duckdb", "store.sqlite"])
def test_a_load_and_a_run_are_in_the_database_or_not(mount: Callable[..., Path], name: str) -> None:
    path = mount("size=2m") / name
    full = pytest.raises(DatabaseError, match="the disk is full")
    with Store.create(path, "movies") as store, full:
        store.load(list(sample_paths()))
    with Store(path, read_only=True) as store, pytest.raises(InputError, match="no interactions"):
        store.dataset()
    many = pa.concat_tables(
        LISTS.table.set_column(
            0, "user_id", pa.array([f"{copy}-{user}" for user in LISTS.column("user_id")])
        )
        for copy in range(5)
    )
    with Store(path) as store, full:
        store.write(many, **LISTS.run)
    mount("size=8m")
    with Store(path) as store:
        run = store.write(LISTS.table.slice(0, 20), **LISTS.run)
    assert run > 0


def test_a_disk_that_fills_up_where_none_can_be_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", fails)
    for write, name in ((MODEL.save, "bundle"), (LISTS.write, "lists.parquet")):
        with pytest.raises(ShortlistError) as error:
            write(tmp_path / name)
        assert str(error.value) == (
            f"the disk is full\n  where: {tmp_path / name}\n"
            "  to do: free some space, or choose another disk"
        )
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_a_log_of_a_deleted_database_is_not_replayed(tmp_path: Path) -> None:
    (tmp_path / "store.duckdb.wal").write_bytes(b"of another database")
    Store.create(tmp_path / "store.duckdb", "movies").close()
    with Store(tmp_path / "store.duckdb") as store:
        assert store.schema == "movies"


@pytest.mark.parametrize("name", ["runs.duckdb", "runs.sqlite", "new.duckdb"])
def test_no_database_in_a_bundle(tmp_path: Path, name: str) -> None:
    MODEL.save(tmp_path / "bundle")
    path = tmp_path / "bundle" / name
    if name.startswith("runs"):
        Store.create(tmp_path / name, "runs").close()
        (tmp_path / name).rename(path)
    write = LISTS.write if path.exists() else WRITES["store.duckdb"]
    with pytest.raises(InputError) as error:
        write(path)
    assert str(error.value) == (
        f"the folder {path.parent} is a bundle, and a file written into it could replace a part\n"
        "  to do: choose another folder"
    )
