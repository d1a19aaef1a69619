"""Every learned field of every model is declared, and a wrong value is refused by its name."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_equal
from safetensors.numpy import load_file, save_file
from test_bundle import rewrite
from test_bundle_mutations import SMALL

from shortlist.bundle.declarations import Array, Csr, Dimensions, declarations
from shortlist.errors import BundleError
from shortlist.models.base import Model
from shortlist.models.foreign_formats import checked_trees
from shortlist.models.popularity import Popularity
from shortlist.models.registry import MODULES, load, model_class
from shortlist.testing import small_world

CASES = [(name, case) for name in MODULES for case in range(len(SMALL.get(name, [{}])))]


@cache
def fitted(name: str, case: int) -> Model[Any, Any]:
    settings = SMALL.get(name, [{}])[case]
    return model_class(name)(**settings).fit(small_world().data)


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as error:
        load(folder)
    return str(error.value)


@pytest.mark.parametrize("name", MODULES)
def test_every_field_is_declared(name: str) -> None:
    learned = model_class(name).Learned
    declared = declarations(learned)
    assert list(declared) == [field.name for field in dataclasses.fields(learned)]
    assert all(repr(declaration) for declaration in declared.values())


def test_a_field_without_a_declaration_is_an_error_of_the_model() -> None:
    @dataclasses.dataclass
    class Forgotten:
        weights: Any

    with pytest.raises(TypeError, match=r"Forgotten\.weights has no declaration: annotate it"):
        declarations(Forgotten)


def wrong_arrays(declared: Any, array: np.ndarray[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Yield changed arrays, and a part of the error that each must give."""
    kind = np.int32 if array.dtype != np.int32 else np.float32
    yield "has dtype", array.astype(kind)
    yield "has shape", array[np.newaxis]
    yield "has shape", np.concatenate([array, array[:1]]) if len(array) else array[..., np.newaxis]
    if array.size:
        for value in (np.nan, np.inf, -np.inf, 1e30 if declared.high < 1e30 else np.inf):
            changed = array.copy()
            changed.reshape(-1)[-1] = value
            yield "expected finite numbers from", changed


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_wrong_field_is_named(name: str, case: int, tmp_path: Path) -> None:
    folder = fitted(name, case).save(tmp_path / "bundle")
    path = folder / "arrays.safetensors"
    arrays = load_file(path)
    for field, declared in declarations(model_class(name).Learned).items():
        if isinstance(declared, Array):
            rows = declared.dimensions[0]
            flexible = rows.isidentifier() and rows not in ("n_users", "n_items")
            for why, changed in wrong_arrays(declared, arrays[field]):
                if why == "has shape" and changed.ndim == arrays[field].ndim and flexible:
                    continue  # another size is possible: later fields must agree with it
                save_file({**arrays, field: np.ascontiguousarray(changed)}, path)
                rewrite(folder)
                message = refusal(folder)
                assert message.startswith(f"the learned field {field} "), message
                assert why in message
        elif isinstance(declared, Csr) and f"{field}.data" in arrays:
            for part, value in (("data", np.nan), ("indices", -1), ("indptr", -5)):
                changed = arrays[f"{field}.{part}"].copy()
                changed[-1] = value
                save_file({**arrays, f"{field}.{part}": changed}, path)
                rewrite(folder)
                assert refusal(folder).startswith(f"the learned field {field} ")
        save_file(arrays, path)
        rewrite(folder)
    load(folder)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_missing_or_strange_value_is_named(name: str, case: int, tmp_path: Path) -> None:
    folder = fitted(name, case).save(tmp_path / "bundle")
    content = json.loads((folder / "manifest.json").read_text("utf-8"))
    fields = declarations(model_class(name).Learned)
    wrong: list[Any] = ["text", [[]], {"a": 1}, -(2**70)]
    for key in content["learned"].keys() & fields.keys():
        for value in wrong:
            rewrite(folder, learned=content["learned"] | {key: value})
            assert refusal(folder).startswith(f"the learned field {key} ")
        rewrite(folder, learned={k: v for k, v in content["learned"].items() if k != key})
        assert refusal(folder).startswith(f"the learned field {key} is missing, expected a ")


class TestDimensions:
    def test_symbols_must_agree(self) -> None:
        sizes = Dimensions({"n_items": 30})
        assert sizes.fits("f", 8)
        assert not sizes.fits("f", 9)
        assert sizes.fits("f + f + 1", 17)
        assert sizes.describe("f + f + 1") == "f + f + 1 = 17"

    def test_alternatives(self) -> None:
        sizes = Dimensions({"n_items": 30})
        assert sizes.fits("0 | n_items", 0)
        assert sizes.fits("0 | n_items", 30)
        assert not sizes.fits("0 | n_items", 29)
        assert sizes.fits("n_items | n_items + d", 30)
        assert sizes.fits("n_items | n_items + d", 34)
        assert not sizes.fits("d", 5)


class TestTrees:
    def text(self) -> str:
        text: str = fitted("Cascade", 0).learned.trees.tobytes().decode()
        return text

    def columns(self) -> int:
        return len(fitted("Cascade", 0).learned.weights)

    def test_predictions_keep_their_bits(self) -> None:
        from lightgbm import Booster

        rows = np.random.default_rng(3).normal(size=(200, self.columns()))
        rows[::7] = np.nan
        before = Booster(model_str=self.text())
        after = Booster(model_str=checked_trees(self.text(), self.columns()))
        for how in ({"raw_score": True}, {"pred_contrib": True}):
            assert_equal(after.predict(rows, **how), before.predict(rows, **how))

    @pytest.mark.parametrize(
        ("line", "value", "why"),
        [
            ("split_feature", "99 99 99 99 99 99", "split_feature"),
            ("left_child", "0 0 0 0 0 0", "left_child"),
            ("right_child", "1000 1 1 1 1 1", "right_child"),
            ("leaf_value", "nan nan", "leaf_value"),
            ("leaf_count", "0", "leaf_count"),
            ("num_leaves", "2000", "num_leaves is '2000', expected a whole number, 1 to 1024"),
            ("num_cat", "3", "the lines"),
            ("is_linear", "1", "is_linear is 1, expected 0"),
            ("max_feature_idx", "3", "is not for rows of"),
        ],
    )
    def test_a_wrong_line(self, line: str, value: str, why: str) -> None:
        lines = self.text().split("\n")
        position = next(n for n, text in enumerate(lines) if text.startswith(f"{line}="))
        lines[position] = f"{line}={value}"
        with pytest.raises(ValueError, match=why):
            checked_trees("\n".join(lines), self.columns())


@pytest.mark.parametrize("name", ["Indexed", "Cascade"])
def test_damaged_bytes_of_other_libraries(name: str, tmp_path: Path) -> None:
    """Usearch and LightGBM trust their own formats; they never see a damaged text or graph."""
    folder = fitted(name, 0).save(tmp_path / "bundle")
    field = {"Indexed": "graph", "Cascade": "trees"}[name]
    arrays = load_file(folder / "arrays.safetensors")
    for share in (0.0, 0.3, 0.5, 0.9):
        save_file(
            {**arrays, field: arrays[field][: int(len(arrays[field]) * share)] | np.uint8(128)},
            folder / "arrays.safetensors",
        )
        rewrite(folder)
        if share or name == "Indexed":
            assert refusal(folder).startswith(f"the learned field {field} ")


class TestFolder:
    def test_hashes_cannot_be_switched_off(self, tmp_path: Path) -> None:
        folder = Popularity().fit(small_world().data).save(tmp_path / "b")
        rewrite(folder, files={})
        assert refusal(folder) == (
            "manifest.json has no hash of arrays.safetensors\n"
            f"  where: {folder}\n"
            "  to do: save the model again, or copy the bundle again"
        )

    def test_deep_json(self, tmp_path: Path) -> None:
        folder = Popularity().fit(small_world().data).save(tmp_path / "b")
        (folder / "manifest.json").write_text('{"a":' * 100_000)
        assert refusal(folder).startswith(
            "manifest.json is damaged: its JSON is nested too deeply\n"
        )

    def test_long_names(self, tmp_path: Path) -> None:
        folder = Popularity().fit(small_world().data).save(tmp_path / "b")
        content = json.loads((folder / "manifest.json").read_text("utf-8"))
        content["files"]["x" * 5000] = "0"
        (folder / "manifest.json").write_text(json.dumps(content), "utf-8")
        assert refusal(folder).startswith("x" * 200 + "... is missing\n")
        assert "cannot be read: File name too long" in refusal(tmp_path / ("x" * 5000))

    def test_all_files_have_the_modes_of_the_umask(self, tmp_path: Path) -> None:
        folder = Popularity().fit(small_world().data).save(tmp_path / "b")
        assert len({file.stat().st_mode for file in folder.iterdir()}) == 1

    @pytest.mark.parametrize("name", ["users.parquet", "lists.parquet", "lists.csv"])
    def test_lists_are_not_written_into_a_bundle(self, tmp_path: Path, name: str) -> None:
        model = Popularity().fit(small_world().data)
        folder = model.save(tmp_path / "b")
        before = {file.name: file.read_bytes() for file in folder.iterdir()}
        with pytest.raises(ValueError, match="is a bundle, and a file written into it could"):
            model.recommend(k=1).write(folder / name)
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
        load(folder)
