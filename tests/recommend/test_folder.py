"""Lists in a folder: whole or absent, and a run that was interrupted goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from object_store import Bucket

from shortlist import bundle, engine
from shortlist.errors import InputError, ShortlistError
from shortlist.models.cosine import ItemCosine
from shortlist.models.popularity import Popularity
from shortlist.models.registry import load, model_class
from shortlist.recommend.folder import ListFolder
from shortlist.testing import small_world

P = TypeVar("P")
T = TypeVar("T")

WORLD = small_world().data  # 40 users


@pytest.fixture(scope="module")
def model() -> ItemCosine:
    return ItemCosine().fit(WORLD)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_files_hold_the_lists(model: ItemCosine, tmp_path: Path) -> None:
    expected = model.recommend(k=4).table.combine_chunks()
    folder = tmp_path / "lists"
    written = model.recommend_to(folder, k=4, lists_per_file=15)
    assert written == ListFolder(str(folder), files=3, rows=len(expected), found=0)
    parts = [pq.read_table(folder / f"part-0000{number}.parquet") for number in range(3)]
    assert [len(part.column("user_id").unique()) for part in parts] == [15, 15, 10]
    assert pa.concat_tables(parts).combine_chunks().equals(expected)
    assert pq.read_table(folder).num_rows == len(expected)  # other readers skip the JSON files
    manifest = json.loads((folder / "_manifest.json").read_text())
    assert manifest["rows"] == len(expected)
    assert list(manifest["files"]) == [f"part-0000{number}.parquet" for number in range(3)]
    assert (manifest["model"], manifest["k"], manifest["lists"]) == ("ItemCosine", 4, 40)


def test_numbers_of_numpy_are_numbers(model: ItemCosine, tmp_path: Path) -> None:
    given: dict[str, Any] = {"k": np.int64(3), "lists_per_file": np.int32(15)}
    given["diversity"] = np.float32(0.5)
    model.recommend_to(tmp_path / "lists", **given)
    written = model.recommend_to(tmp_path / "lists", k=3, lists_per_file=15, diversity=0.5)
    assert written.found == 3


def test_some_users_under_rules(model: ItemCosine, tmp_path: Path) -> None:
    users = WORLD.users.ids.to_pylist()[5:9]
    choice: dict[str, Any] = {"k": 3, "exclude_seen": False, "where": "year >= 1990"}
    model.recommend_to(tmp_path / "lists", users, lists_per_file=3, **choice)
    expected = model.recommend(users, **choice).table.combine_chunks()
    assert pq.read_table(tmp_path / "lists").combine_chunks().equals(expected)


@pytest.mark.parametrize("block_bytes", [1, 5_000, 2**40])
def test_blocks_change_no_byte(model: ItemCosine, tmp_path: Path, block_bytes: int) -> None:
    model.recommend_to(tmp_path / "usual", lists_per_file=15)
    where = engine.LocalEngine(block_bytes)
    model.recommend_to(tmp_path / "blocks", lists_per_file=15, engine=where)
    assert content(tmp_path / "blocks") == content(tmp_path / "usual")


class PowerCutError(Exception):
    pass


class FailingEngine(engine.LocalEngine):
    """Stops after some files."""

    def map(
        self, task: Callable[[P], T], pieces: Sequence[P], bytes_each: int, description: str
    ) -> Iterator[T]:
        results = super().map(task, pieces, bytes_each, description)
        if description:
            yield from (next(results) for _ in range(2))
            raise PowerCutError
        yield from results


def test_an_interrupted_run_goes_on(model: ItemCosine, tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    with pytest.raises(PowerCutError):
        model.recommend_to(folder, lists_per_file=10, engine=FailingEngine())
    assert set(content(folder)) == {"_run.json", "part-00000.parquet", "part-00001.parquet"}
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    again = load(model.save(tmp_path / "bundle"))  # the same model in another process
    written = again.recommend_to(folder, lists_per_file=10)
    assert (written.files, written.found) == (4, 2)
    assert {name: (folder / name).stat().st_mtime_ns for name in before} == before
    model.recommend_to(tmp_path / "at once", lists_per_file=10)
    assert content(folder) == content(tmp_path / "at once")


@pytest.mark.parametrize("name", ["Popularity", "UserCosine", "ContentBased", "Hybrid", "IALS"])
def test_a_bundle_keeps_the_identity_of_a_model(name: str, tmp_path: Path) -> None:
    model = model_class(name)().fit(WORLD)
    again = load(model.save(tmp_path / "bundle"))
    assert bundle.identity(again) == bundle.identity(model)
    other = model_class(name)().fit(WORLD.select(WORLD.positions > 3))
    assert bundle.identity(other) != bundle.identity(model)


def test_a_complete_run_is_left_alone(model: ItemCosine, tmp_path: Path) -> None:
    first = model.recommend_to(tmp_path / "lists", lists_per_file=20)
    (tmp_path / "lists" / "part-00000.parquet").unlink()  # as after a move to an archive
    second = model.recommend_to(tmp_path / "lists", lists_per_file=20)
    assert (second.files, second.rows, first.found) == (first.files, first.rows, 0)
    assert not (tmp_path / "lists" / "part-00000.parquet").exists()


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"k": 4}, "k"),
        ({"lists_per_file": 7}, "lists_per_file"),
        ({"exclude_seen": False}, "the model, its data, the users or the rules"),
        ({"where": "year >= 1990"}, "the model, its data, the users or the rules"),
        ({"users": ["u03"]}, "lists"),
    ],
)
def test_a_folder_holds_one_run(
    model: ItemCosine, tmp_path: Path, change: dict[str, Any], differs: str
) -> None:
    folder = tmp_path / "lists"
    model.recommend_to(folder)
    before = content(folder)
    with pytest.raises(InputError) as error:
        model.recommend_to(folder, **change)
    assert str(error.value) == (
        f"the folder holds the lists of another run; these differ: {differs}\n"
        f"  where: {folder}\n  to do: name a new folder, or delete this one"
    )
    assert content(folder) == before


def test_another_model_is_another_run(model: ItemCosine, tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    model.recommend_to(folder)
    with pytest.raises(InputError, match="these differ: model, config"):
        Popularity().fit(WORLD).recommend_to(folder)
    fewer = ItemCosine().fit(WORLD.select(WORLD.positions > 3))
    with pytest.raises(InputError, match="these differ: "):
        fewer.recommend_to(folder)


def test_a_folder_of_other_files_is_refused(model: ItemCosine, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="the folder has 1 files and was not made for lists"):
        model.recommend_to(tmp_path)
    assert set(content(tmp_path)) == {"thesis.txt"}
    with pytest.raises(InputError, match="there is no such file or folder"):
        model.recommend_to(tmp_path / "no" / "lists")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "_run.json").write_text("{")
    with pytest.raises(InputError, match="the folder holds the lists of another run"):
        model.recommend_to(tmp_path / "damaged")


class ElsewhereEngine(engine.LocalEngine):
    """Its workers write to disks of their own."""

    def map(
        self, task: Callable[[P], T], pieces: Sequence[P], bytes_each: int, description: str
    ) -> Iterator[T]:
        return iter(())


def test_files_that_did_not_arrive(model: ItemCosine, tmp_path: Path) -> None:
    with pytest.raises(ShortlistError) as error:
        model.recommend_to(tmp_path / "lists", lists_per_file=15, engine=ElsewhereEngine())
    assert str(error.value) == (
        "3 of 3 files did not arrive, first part-00000.parquet\n"
        f"  where: {tmp_path / 'lists'}\n"
        "  to do: name a folder that all nodes share, or an address like s3://bucket/folder"
    )
    assert not (tmp_path / "lists" / "_manifest.json").exists()


@pytest.mark.parametrize("lists_per_file", [0, -1, True, 1.5])
def test_lists_per_file_has_a_bound(model: ItemCosine, tmp_path: Path, lists_per_file: Any) -> None:
    with pytest.raises(InputError, match=f"lists_per_file={lists_per_file} is out of range"):
        model.recommend_to(tmp_path / "lists", lists_per_file=lists_per_file)
    with pytest.raises(InputError, match="k=0 is not a list length"):
        model.recommend_to(tmp_path / "lists", k=0)
    assert not (tmp_path / "lists").exists()


def test_no_lists(model: ItemCosine, tmp_path: Path) -> None:
    written = model.recommend_to(tmp_path / "lists", [])
    assert (written.files, written.rows) == (0, 0)
    assert set(content(tmp_path / "lists")) == {"_run.json", "_manifest.json"}


def test_an_address_that_arrow_cannot_open(model: ItemCosine) -> None:
    with pytest.raises(InputError, match="no file system of Arrow opens ftp://host/lists"):
        model.recommend_to("ftp://host/lists")


def test_an_object_store(model: ItemCosine, tmp_path: Path, bucket: Bucket) -> None:
    written = model.recommend_to(bucket.uri("lists"), lists_per_file=15)
    model.recommend_to(tmp_path / "local", lists_per_file=15)
    for name, expected in content(tmp_path / "local").items():
        assert bucket.read(f"lists/{name}") == expected
    bucket.system.delete_file("board/lists/_manifest.json")
    bucket.system.delete_file("board/lists/part-00001.parquet")
    again = model.recommend_to(bucket.uri("lists"), lists_per_file=15)
    assert (again.rows, again.files, again.found) == (written.rows, 3, 2)
    missing = replace(
        bucket, name="no-such-bucket", options=bucket.options.replace("true", "false")
    )
    with pytest.raises(ShortlistError, match="the folder could not be"):
        model.recommend_to(missing.uri("lists"))
