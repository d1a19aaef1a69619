"""One seed, one result, whatever the threads, blocks, order of rows, or place on disk."""

from __future__ import annotations

import dataclasses
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from shortlist import engine
from shortlist.bundle import read_manifest
from shortlist.kernels.threads import thread_limit
from shortlist.models.base import Model
from shortlist.models.registry import load
from shortlist.testing.subject import Subject, assert_same_lists, lists_of
from shortlist.testing.worlds import checkerboard, small_world


class StabilityContract(Subject):
    """Equal bit for bit: every score of every list."""

    def test_fitting_again_gives_the_same(self) -> None:
        assert_same_lists(self.fitted(), self.learn(small_world()))

    def test_refitting_forgets_what_was_learned(self) -> None:
        model = self.learn(checkerboard())
        assert model.fit(small_world().data) is model
        assert model.data_fingerprint == small_world().data.fingerprint
        assert model.history.equals(self.fitted().history)
        assert_same_lists(model, self.fitted())

    @pytest.mark.parametrize("threads", [1, 2, 5])
    def test_threads(self, threads: int) -> None:
        with thread_limit(threads):
            assert_same_lists(self.learn(small_world()), self.fitted())

    @pytest.mark.parametrize("block_bytes", [1, 2_000, 2**40])
    def test_block_sizes(self, block_bytes: int) -> None:
        with engine.use(engine.LocalEngine(block_bytes=block_bytes)):
            assert_same_lists(self.learn(small_world()), self.fitted())
            lists = lists_of(self.fitted())
        for name, table in lists_of(self.fitted()).items():
            assert lists[name].equals(table), name

    def test_one_at_a_time(self) -> None:
        model = self.fitted()
        together = model.recommend(k=4).table.to_pylist()
        alone = [row for user in model.data.users.ids.to_pylist() for row in self._alone(user)]
        assert alone == together

    def _alone(self, user: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.fitted().recommend([user], k=4).table.to_pylist()
        return rows

    def test_side_by_side(self, tmp_path: Path) -> None:
        """A service answers several people at once, with what it loaded a moment ago."""
        loaded = load(self.fitted().save(tmp_path / "bundle"))
        users = loaded.data.users.ids.to_pylist()[:8] * 2
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda user: loaded.recommend([user], k=4).table, users))
        for user, table in zip(users, found, strict=True):
            assert table.to_pylist() == self._alone(user)

    def test_the_order_of_the_source(self) -> None:
        for seed in (1, 2):
            assert_same_lists(self.learn(small_world().shuffled(seed)), self.fitted())

    def test_a_saved_model_lists_the_same(self, tmp_path: Path) -> None:
        model = self.learn(small_world("large"))
        assert_same_lists(load(model.save(tmp_path / "bundle")), model)
        again = load(self.fitted().save(tmp_path / "bundle"))  # in the place of the first
        assert_same_lists(again, self.fitted())

    def test_a_bundle_is_enough(self, tmp_path: Path) -> None:
        """Everything comes back from the folder alone, wherever it has been moved."""
        before = self.fitted()
        before.save(tmp_path / "here", metrics={"hit_rate": 0.25, "by": {"k": [5, 10]}})
        shutil.move(tmp_path / "here", tmp_path / "there")
        after = load(tmp_path / "there")
        assert type(after) is type(before)
        assert after.config == before.config
        assert after.history.equals(before.history)
        assert after.data_fingerprint == before.data_fingerprint
        assert after.data.item_features.equals(before.data.item_features)  # type: ignore[union-attr]
        for field in dataclasses.fields(self.kind().Learned):
            one, other = getattr(before.learned, field.name), getattr(after.learned, field.name)
            for part, its_part in zip(_parts(one), _parts(other), strict=True):
                assert_array_equal(part, its_part, err_msg=field.name, strict=True)
        manifest = read_manifest(tmp_path / "there")
        assert manifest.metrics == {"hit_rate": 0.25, "by": {"k": [5, 10]}}
        assert manifest.model == before.name


def _parts(value: Any) -> list[Any]:
    """Take a learned thing apart into arrays, or texts, that can be compared."""
    if isinstance(value, csr_array):
        return [value.data, value.indices, value.indptr, np.array(value.shape)]
    if isinstance(value, Model):
        fields = dataclasses.fields(value.learned)
        inner = [part for one in fields for part in _parts(getattr(value.learned, one.name))]
        return [value.name, str(value.config), *inner]
    if isinstance(value, tuple):
        return [part for one in value for part in _parts(one)]
    if isinstance(value, pa.Table):
        return [str(value.schema), str(value.to_pydict())]
    return [value]
