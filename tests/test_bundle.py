from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file, save_file

import shortlist
from shortlist import bundle
from shortlist.data.dataset import Dataset
from shortlist.errors import BundleError, InputError
from shortlist.models.cosine import ItemCosine, UserCosine
from shortlist.models.popularity import Popularity
from shortlist.models.registry import load
from shortlist.testing import small_world, tiny

FILES = ["arrays.safetensors", "history.parquet", "interactions.parquet", "items.parquet",
         "users.parquet"]  # fmt: skip
SETTINGS: dict[str, Any] = {
    "neighbors": 7,
    "weighting": "bm25",
    "shrinkage": 0.5,
    "self_similarity": False,
    "normalized": True,
    "dislikes": 0.0,
}
MODEL = ItemCosine(**SETTINGS).fit(small_world().data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return MODEL.save(tmp_path / "bundle")


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as error:
        load(folder)
    return str(error.value)


def manifest(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return content


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def rewrite(folder: Path, **changes: Any) -> None:
    """Change what the manifest says; its hashes are made to fit the files again."""
    content = manifest(folder) | changes
    for name in content["files"]:
        if (folder / name).is_file():
            digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            content["files"][name] = digest
    (folder / "manifest.json").write_text(json.dumps(content), "utf-8")


class TestWhatIsInIt:
    def test_files(self, folder: Path) -> None:
        assert names(folder) == sorted([*FILES, "manifest.json"])

    def test_the_manifest(self, folder: Path) -> None:
        content = manifest(folder)
        assert list(content["files"]) == FILES
        for name, digest in content["files"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        assert content["format"] == 2
        assert content["shortlist"] == shortlist.__version__
        assert content["model"] == "ItemCosine"
        assert content["config"] == SETTINGS
        assert content["data"] == {
            "fingerprint": small_world().data.fingerprint,
            "users": 40,
            "items": 30,
            "interactions": small_world().interactions.num_rows,
        }
        assert content["metrics"] == {}

    def test_others_may_read_it(self, folder: Path) -> None:
        """Temporary folders and files are private; what stays is as the umask says."""
        mask = os.umask(0)
        os.umask(mask)
        assert folder.stat().st_mode & 0o777 == 0o777 & ~mask
        assert (folder / "manifest.json").stat().st_mode & 0o777 == 0o666 & ~mask


class TestData:
    def test_everything_about_the_data_comes_back(self, folder: Path) -> None:
        before, after = MODEL.data, load(folder).data
        assert after.users.equals(before.users)
        assert after.items.equals(before.items)
        for name in ("user_rows", "item_rows", "weights", "times", "positions"):
            assert_array_equal(getattr(after, name), getattr(before, name), strict=True)
        assert after.user_features.equals(before.user_features)  # type: ignore[union-attr]
        assert after.item_features.equals(before.item_features)  # type: ignore[union-attr]
        assert after.fingerprint == before.fingerprint

    def test_no_times_and_no_features(self, tmp_path: Path) -> None:
        data = load(Popularity().fit(tiny(("ann", "tea"))).save(tmp_path / "b")).data
        assert data.times is None
        assert data.user_features is None
        assert data.item_features is None

    def test_features_that_are_called_like_ids(self, tmp_path: Path) -> None:
        items = pa.table({"item_id": ["rye", "tea"], "id": [7, 8], "feature.id": ["x", None]})
        log = pa.table({"user_id": [1, 2], "item_id": ["tea", "rye"]})
        model = Popularity().fit(Dataset.from_tables(log, items=items))
        data = load(model.save(tmp_path / "b")).data
        assert data.item_features is not None
        assert data.item_features.to_pydict() == {"id": [7, 8], "feature.id": ["x", None]}

    def test_unsigned_ids(self, tmp_path: Path) -> None:
        ids = pa.array([1, 2**64 - 1], pa.uint64())
        log = pa.table({"user_id": ids, "item_id": ids})
        model = Popularity().fit(Dataset.from_tables(log))
        again = load(model.save(tmp_path / "b"))
        assert again.recommend([2**64 - 1]).column("item_id") == [1]
        assert again.recommend([1]).column("item_id") == [2**64 - 1]

    def test_a_path_with_an_equals_sign(self, tmp_path: Path) -> None:
        """Arrow reads date=... in a path as a column where one lets it."""
        (tmp_path / "user_row=3").mkdir()
        again = load(MODEL.save(tmp_path / "user_row=3" / "id=7"))
        assert again.recommend(k=3).table.equals(MODEL.recommend(k=3).table)


class TestMetrics:
    def test_they_come_back(self, tmp_path: Path) -> None:
        metrics = {"hit_rate": {"5": 0.1, "10": [0.25, 1e-17]}, "split": "시간", "n": 2**60}
        MODEL.save(tmp_path / "b", metrics=metrics)
        assert bundle.read_manifest(tmp_path / "b").metrics == metrics

    def test_what_is_not_finite_is_null(self, tmp_path: Path) -> None:
        MODEL.save(tmp_path / "b", metrics={"a": float("nan"), "b": [float("inf")]})
        assert bundle.read_manifest(tmp_path / "b").metrics == {"a": None, "b": [None]}
        assert "NaN" not in (tmp_path / "b" / "manifest.json").read_text("utf-8")

    def test_what_json_cannot_hold_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError) as error:
            MODEL.save(tmp_path / "b", metrics={"a": np.float32(0.5)})
        assert str(error.value) == (
            "the metrics cannot be written as JSON: "
            "Object of type float32 is not JSON serializable\n"
            "  to do: give texts, Python numbers, lists and mappings of them"
        )
        assert not any(tmp_path.iterdir())


class TestDamage:
    def test_no_folder(self, tmp_path: Path) -> None:
        assert refusal(tmp_path / "nothing") == (
            f"{tmp_path / 'nothing'} does not exist\n"
            "  to do: name a folder that shortlist fit or model.save wrote"
        )

    @pytest.mark.parametrize("kind", ["folder", "file"])
    def test_not_a_bundle(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "it"
        if kind == "folder":
            path.mkdir()
        else:
            path.write_text("{}")
        assert refusal(path) == (
            f"{path} is not a bundle (it has no manifest.json)\n"
            "  to do: name a folder that shortlist fit or model.save wrote"
        )

    @pytest.mark.parametrize("name", FILES)
    def test_a_missing_file(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        assert refusal(folder) == (
            f"{name} is missing\n  where: {folder}\n"
            "  to do: save the model again, or copy the bundle again"
        )

    @pytest.mark.parametrize("name", FILES)
    def test_a_flipped_bit(self, folder: Path, name: str) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        assert refusal(folder) == (
            f"{name} is damaged: its hash differs from the one in the manifest\n"
            f"  where: {folder}\n"
            "  to do: save the model again, or copy the bundle again"
        )

    @pytest.mark.parametrize("name", FILES)
    def test_a_file_cut_short_whose_hash_was_made_to_fit(self, folder: Path, name: str) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
        rewrite(folder)
        assert refusal(folder).startswith("the bundle's files do not fit together: ")

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "Expecting value: line 1 column 1 (char 0)"),
            (b'{"format": 2', "Expecting ',' delimiter"),
            (b"\xff\xfe{}", "'utf-8' codec can't decode byte 0xff"),
            (b"[]", "manifest: Input should be a valid dictionary"),
            (b"{}", "format: Field required"),
            (b'{"format": 2, "shortlist": "0"}', "created: Field required"),
            (b'{"format": "one"}', "format: Input should be a valid integer"),
        ],
    )
    def test_a_damaged_manifest(self, folder: Path, content: bytes, why: str) -> None:
        (folder / "manifest.json").write_bytes(content)
        first, second, third = refusal(folder).split("\n")
        assert first.startswith(f"manifest.json is damaged: {why}")
        assert second == f"  where: {folder}"
        assert third == "  to do: save the model again, or copy the bundle again"

    def test_a_manifest_cut_anywhere(self, folder: Path) -> None:
        whole = (folder / "manifest.json").read_bytes()
        for length in range(0, len(whole) - 1, 37):
            (folder / "manifest.json").write_bytes(whole[:length])
            assert refusal(folder).startswith("manifest.json is damaged: ")

    @pytest.mark.parametrize(
        ("found", "remedy"),
        [(1, "fit and save the model again with this version"), (3, "upgrade shortlist")],
    )
    def test_an_older_and_a_newer_format(self, folder: Path, found: int, remedy: str) -> None:
        rewrite(folder, format=found)
        assert refusal(folder) == (
            f"{folder} has bundle format {found}; this version reads format 2\n  to do: {remedy}"
        )

    @pytest.mark.parametrize(
        ("changes", "what"),
        [
            ({"model": "FunkSVD"}, "there is no model 'FunkSVD'"),
            ({"config": {"neighbours": 3}}, "ItemCosine has no parameter 'neighbours'"),
            ({"config": {"neighbors": 0}}, "ItemCosine: neighbors=0 is out of range"),
        ],
    )
    def test_a_model_or_setting_of_another_version(
        self, folder: Path, changes: dict[str, Any], what: str
    ) -> None:
        rewrite(folder, **changes)
        first, second, third = refusal(folder).split("\n")
        assert first.startswith(
            f"the manifest names a model or setting that this version does not have: {what}"
        )
        assert second == f"  where: {folder}"
        assert third == "  to do: upgrade shortlist, or fit and save the model again"

    def test_a_model_with_the_arrays_of_another(self, folder: Path) -> None:
        rewrite(folder, model="EASE", config={})
        assert refusal(folder) == (
            "the learned field weights is missing, "
            "expected a float32 array of (n_items | n_users, n_items)\n"
            f"  where: {folder}\n"
            "  to do: save the model again, or copy the bundle again"
        )

    @pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "..", ".", "", "sub/file"])
    def test_a_file_outside_the_bundle_is_never_looked_at(self, folder: Path, name: str) -> None:
        (folder.parent / "secret").write_text("secret")
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text("secret")
        rewrite(folder, files=manifest(folder)["files"] | {name: "0" * 64})
        assert refusal(folder).startswith(f"{name} is missing\n")

    @pytest.mark.parametrize("column", ["user_row", "item_row"])
    @pytest.mark.parametrize("row", [-1, 40])
    def test_rows_that_no_id_has(self, folder: Path, column: str, row: int) -> None:
        table = pq.read_table(folder / "interactions.parquet")
        rows = table.column(column).to_numpy().copy()
        rows[-1 if row > 0 else 0] = row
        place = table.column_names.index(column)
        pq.write_table(
            table.set_column(place, column, pa.array(rows)), folder / "interactions.parquet"
        )
        rewrite(folder)
        assert refusal(folder).startswith(f"the bundle's files do not fit together: {column} runs")

    def test_indices_that_point_nowhere(self, folder: Path) -> None:
        """Compiled code does not look; loading must."""
        arrays = load_file(folder / "arrays.safetensors")
        arrays["similarity.indices"][0] = 10**6
        save_file(arrays, folder / "arrays.safetensors")
        rewrite(folder)
        assert refusal(folder).startswith("the learned field similarity has columns from 0 to 1000")

    def test_a_column_that_is_gone(self, folder: Path) -> None:
        table = pq.read_table(folder / "interactions.parquet").drop_columns(["weight"])
        pq.write_table(table, folder / "interactions.parquet")
        rewrite(folder)
        assert refusal(folder).startswith(
            "the bundle's files do not fit together: 'Field \"weight\" "
        )


class Canary:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


class TestNothingIsExecuted:
    def test_a_pickle_beside_the_files_is_not_read(self, folder: Path, tmp_path: Path) -> None:
        poison = pickle.dumps(Canary(tmp_path / "sung"))
        for name in ("model.pkl", "arrays.pkl", "arrays.npy", "history.pickle", "__init__.py"):
            (folder / name).write_bytes(poison)
        load(folder)
        rewrite(folder, files=manifest(folder)["files"] | {"model.pkl": ""})  # even where listed
        load(folder)
        assert not (tmp_path / "sung").exists()

    @pytest.mark.parametrize("name", FILES)
    def test_a_pickle_in_the_place_of_a_file_is_refused(
        self, folder: Path, tmp_path: Path, name: str
    ) -> None:
        (folder / name).write_bytes(pickle.dumps(Canary(tmp_path / "sung")))
        rewrite(folder)
        assert refusal(folder).startswith("the bundle's files do not fit together: ")
        assert not (tmp_path / "sung").exists()

    def test_the_canary_sings(self, tmp_path: Path) -> None:
        pickle.loads(pickle.dumps(Canary(tmp_path / "sung")))
        assert (tmp_path / "sung").exists()


class TestReplacing:
    def test_an_older_bundle(self, folder: Path) -> None:
        rewrite(folder, format=0)
        assert Popularity().fit(small_world().data).save(folder) == folder
        assert load(folder).name == "Popularity"
        assert names(folder.parent) == ["bundle"]

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        (tmp_path / "new").mkdir()
        assert load(MODEL.save(tmp_path / "new")).name == "ItemCosine"

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("thesis.txt", "years of work"),
            ("manifest.json", '{"manifest_version": 3, "name": "a browser extension"}'),
            ("manifest.json", "[]"),
            ("manifest.json", "{"),
        ],
    )
    def test_a_folder_that_is_no_bundle_is_left_alone(
        self, tmp_path: Path, name: str, content: str
    ) -> None:
        (tmp_path / "work").mkdir()
        (tmp_path / "work" / name).write_text(content)
        with pytest.raises(InputError) as error:
            MODEL.save(tmp_path / "work")
        assert str(error.value) == (
            f"{tmp_path / 'work'} is not a bundle, and is not replaced by one\n"
            "  to do: name another folder"
        )
        assert (tmp_path / "work" / name).read_text() == content
        assert names(tmp_path) == ["work"]

    @pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
    def test_a_bundle_with_a_damaged_manifest(self, folder: Path, content: bytes) -> None:
        (folder / "manifest.json").write_bytes(content)
        MODEL.save(folder)
        assert load(folder).name == "ItemCosine"

    @pytest.mark.parametrize("damaged", [False, True])
    @pytest.mark.parametrize("name", ["notes.txt", "sub"])
    def test_a_bundle_with_other_files_is_left_alone(
        self, folder: Path, name: str, damaged: bool
    ) -> None:
        other = folder / name
        other.mkdir() if name == "sub" else other.write_text("years of work")
        if damaged:
            (folder / "manifest.json").write_text("")
        with pytest.raises(InputError) as error:
            MODEL.save(folder)
        assert str(error.value) == (
            f"{folder} holds {name}, which is not part of the bundle and would be deleted with it\n"
            "  to do: move it elsewhere, or name another folder"
        )
        assert other.exists()

    def test_a_file_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "thesis").write_text("years of work")
        with pytest.raises(InputError, match="is not a bundle, and is not replaced by one"):
            MODEL.save(tmp_path / "thesis")
        assert (tmp_path / "thesis").read_text() == "years of work"

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(InputError) as error:
            MODEL.save(tmp_path / "no" / "bundle")
        assert str(error.value) == (
            f"the folder {tmp_path / 'no'} does not exist\n"
            "  to do: create it, or choose another folder"
        )

    def test_a_link_stays_a_link(self, folder: Path) -> None:
        link = folder.parent / "current"
        link.symlink_to(folder)
        Popularity().fit(small_world().data).save(link)
        assert link.is_symlink()
        assert load(folder).name == load(link).name == "Popularity"
        assert names(folder.parent) == ["bundle", "current"]


CRASHES = {
    "arrays": "shortlist.bundle.storage.save_file",
    "tables": "shortlist.bundle.storage.pq.write_table",
    "hashes": "shortlist.bundle.storage.opened",
    "manifest": "pathlib.Path.write_text",
    "flushing": "shortlist.files._sync",
    "the exchange": "shortlist.files._exchange",
}


class TestCrash:
    @pytest.mark.parametrize("step", CRASHES)
    def test_the_old_one_stays_whole(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        def crash(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        new = UserCosine().fit(small_world().data)
        with monkeypatch.context() as patched:
            patched.setattr(CRASHES[step], crash)
            with pytest.raises(KeyboardInterrupt):
                new.save(folder)
        assert names(folder.parent) == ["bundle"]
        again = load(folder)
        assert again.recommend(k=3).table.equals(MODEL.recommend(k=3).table)
        new.save(folder)
        assert load(folder).name == "UserCosine"

    @pytest.mark.parametrize("step", ["tables", "the exchange"])
    def test_killed_between_two_steps(self, folder: Path, step: str) -> None:
        """Nothing can be tidied up then: the old one must be whole, and saving must work again."""
        module, _, name = CRASHES[step].rpartition(".")
        script = f"""
            import importlib, os, sys
            from shortlist.models.popularity import Popularity
            from shortlist.testing.worlds import small_world
            import shortlist.bundle, shortlist.files
            from unittest import mock

            mock.patch({module + "." + name!r}, lambda *_, **__: os._exit(9)).start()
            Popularity().fit(small_world().data).save(sys.argv[1])
        """
        killed = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), str(folder)], check=False
        )
        assert killed.returncode == 9
        again = load(folder)
        assert again.recommend(k=3).table.equals(MODEL.recommend(k=3).table)
        UserCosine().fit(small_world().data).save(folder)
        assert load(folder).name == "UserCosine"

    def test_where_two_folders_cannot_be_exchanged_in_one_step(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shortlist.files._exchange", lambda *_: False)
        UserCosine().fit(small_world().data).save(folder)
        assert load(folder).name == "UserCosine"
        assert names(folder.parent) == ["bundle"]


def test_a_loaded_model_can_be_saved_and_fitted_again(folder: Path, tmp_path: Path) -> None:
    loaded = load(folder)
    copy = load(loaded.save(tmp_path / "copy"))
    assert copy.recommend(k=3).table.equals(MODEL.recommend(k=3).table)
    fresh = replace(small_world(), interactions=small_world().interactions.slice(0, 50))
    loaded.fit(fresh.data)
    expected = ItemCosine(**SETTINGS).fit(fresh.data)
    assert loaded.recommend(k=3).table.equals(expected.recommend(k=3).table)
