"""The contract of a model, as tests to inherit: settings, determinism, bundles, and lists."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, get_origin

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from pydantic.fields import FieldInfo
from scipy.sparse import csr_array

from shortlist import engine
from shortlist.bundle import read_manifest
from shortlist.errors import ConfigError, InputError, NotFittedError
from shortlist.kernels.threads import thread_limit
from shortlist.models.base import Model
from shortlist.models.registry import load, model_class
from shortlist.testing.lists import ListsContract, RequestsContract, few
from shortlist.testing.subject import ModelUnderTest, assert_same_lists, lists_of
from shortlist.testing.worlds import checkerboard, small_world


class StabilityContract(ModelUnderTest):
    """Every score of every list keeps its bits, and a bundle keeps everything."""

    def test_refitting_forgets_what_was_learned(self) -> None:
        model = self.learn(checkerboard())
        assert model.fit(small_world().data) is model
        assert model.data_fingerprint == small_world().data.fingerprint
        assert model.history.equals(self.fitted().history)
        assert_same_lists(model, self.fitted())

    def test_chosen_settings(self) -> None:
        model = self.fitted()
        chosen = json.loads(json.dumps(model.chosen))
        assert chosen == model.chosen
        assert chosen.keys() <= model.settings.keys()
        assert type(model)(**model.settings | chosen).chosen == {}

    @pytest.mark.parametrize(("threads", "block_bytes"), [(1, 1), (5, 2_000)])
    def test_threads_and_block_sizes(self, threads: int, block_bytes: int) -> None:
        local = engine.LocalEngine(block_bytes=block_bytes)
        with thread_limit(threads), engine.use(local):
            assert_same_lists(self.learn(small_world()), self.fitted())
            lists = lists_of(self.fitted())
        for name, table in lists_of(self.fitted()).items():
            assert lists[name].equals(table), name

    def test_one_at_a_time(self) -> None:
        model = self.fitted()
        together = model.recommend(k=4).table.to_pylist()
        single = [row for user in model.data.users.ids.to_pylist() for row in self._single(user)]
        assert single == together

    def _single(self, user: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.fitted().recommend([user], k=4).table.to_pylist()
        return rows

    def test_concurrent_requests(self, tmp_path: Path) -> None:
        """A service answers several requests at once with a model it has just loaded."""
        loaded = load(self.fitted().save(tmp_path / "bundle"))
        users = loaded.data.users.ids.to_pylist()[:8] * 2
        with ThreadPoolExecutor(4) as pool:
            tables = list(pool.map(lambda user: loaded.recommend([user], k=4).table, users))
        for user, table in zip(users, tables, strict=True):
            assert table.to_pylist() == self._single(user)

    def test_the_row_order_of_the_source(self) -> None:
        assert_same_lists(self.learn(small_world().shuffled(seed=1)), self.fitted())

    def test_a_saved_model_gives_the_same_lists(self, tmp_path: Path) -> None:
        model = self.fitted("large")
        assert_same_lists(load(model.save(tmp_path / "bundle")), model)
        again = load(self.fitted().save(tmp_path / "bundle"))  # replaces the first bundle
        assert_same_lists(again, self.fitted())

    def test_a_bundle_is_self_contained(self, tmp_path: Path) -> None:
        """A bundle can be moved, and holds everything that loading needs."""
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
            learned, loaded = (
                _parts(getattr(model.learned, field.name)) for model in (before, after)
            )
            for part, loaded_part in zip(learned, loaded, strict=True):
                assert_array_equal(part, loaded_part, err_msg=field.name, strict=True)
        manifest = read_manifest(tmp_path / "there")
        assert manifest.metrics == {"hit_rate": 0.25, "by": {"k": [5, 10]}}
        assert manifest.model == before.name


class ModelContract(ListsContract, RequestsContract, StabilityContract):
    """The tests that every model must pass: inherit this class and set ``model``.

    The attributes are those of :class:`~shortlist.testing.subject.ModelUnderTest`: ``model``, the
    model's class or a partial call of it, and ``user_is_history``. The checkerboard tests are
    skipped for models that do not use histories (``needs_history = False``).

    Examples
    --------
    >>> from functools import partial
    >>> from shortlist.models.ease import EASE
    >>> class TestEASE(ModelContract):
    ...     model = partial(EASE, regularization=1.0)
    >>> TestEASE.fresh()
    EASE(regularization=1.0)
    """

    def test_the_registry_knows_the_model(self) -> None:
        assert model_class(self.fresh().name) is self.kind()

    def test_fit_returns_the_model(self) -> None:
        model = self.fresh()
        assert not model.is_fitted
        assert model.fit(few(("ann", "tea"), ("bob", "rye"))) is model
        assert model.is_fitted

    def test_fit_accepts_only_a_dataset(self) -> None:
        with pytest.raises(InputError, match="learns from a Dataset, not from a Table"):
            self.fresh().fit(small_world().interactions)

    def test_history_has_one_row_per_epoch(self) -> None:
        epochs = self.fitted().history.column("epoch").to_pylist()
        assert epochs == list(range(1, len(epochs) + 1))

    def test_an_unfitted_model_raises_an_error(self, tmp_path: Path) -> None:
        calls: list[Callable[[], object]] = [
            lambda: self.fresh().recommend(["u03"]),
            lambda: self.fresh().recommend(queries=[]),
            lambda: self.fresh().audience(["i03"]),
            lambda: self.fresh().save(tmp_path / "bundle"),
            lambda: self.fresh().data,
            lambda: self.fresh().learned,
            lambda: self.fresh().data_fingerprint,
        ]
        for call in calls:
            with pytest.raises(NotFittedError) as error:
                call()
            assert str(error.value) == (
                f"{self.fresh().name} is not fitted\n  to do: call fit(data) first"
            )
        assert not any(tmp_path.iterdir())

    def test_asking_changes_nothing(self) -> None:
        model = self.fitted()
        before = small_world().data.fingerprint
        first = model.recommend(k=3).table
        model.recommend(k=30, exclude_seen=False)
        model.audience(["i03"])
        assert model.recommend(k=3).table.equals(first)
        del small_world().data.__dict__["fingerprint"]
        assert small_world().data.fingerprint == before

    def test_an_unknown_hyper_parameter_is_refused(self) -> None:
        kind = self.kind()
        with pytest.raises(ConfigError) as error:
            kind(no_such_setting=1)
        assert f"{kind.__name__} has no parameter 'no_such_setting'" in str(error.value)

    def test_hyper_parameters_have_bounds_descriptions_and_valid_defaults(self) -> None:
        kind = self.kind()
        for name, field in kind.Config.model_fields.items():
            assert field.description
            assert kind(**{name: field.default}).config == kind().config
            for value in _out_of_range(field):
                with pytest.raises(ConfigError) as error:
                    kind(**{name: value})
                assert f"{kind.__name__}: {name}={value!r}" in str(error.value)
                assert field.description in str(error.value)

    def test_parameters_can_be_read_copied_and_changed(self) -> None:
        """The protocol of scikit-learn: ``get_params``, ``set_params``, ``clone``."""
        model = self.kind()(**self.fitted().get_params())
        copy = model.__sklearn_clone__()
        assert copy is not model
        assert copy.config == self.fitted().config
        assert list(copy.get_params()) == list(type(model.config).model_fields)
        assert copy.set_params(**model.get_params()) is copy
        with pytest.raises(NotFittedError):
            copy.recommend(k=1)
        with pytest.raises(ConfigError):
            copy.set_params(no_such_setting=1)

    def test_repr_shows_the_settings(self) -> None:
        model = self.fresh()
        changed = model.config.model_dump(exclude_defaults=True)
        shown = ", ".join(f"{name}={getattr(model.config, name)!r}" for name in changed)
        assert repr(model) == f"{self.kind().__name__}({shown})"


def _out_of_range(field: FieldInfo) -> Iterator[Any]:
    """Yield values that a hyper-parameter must refuse."""
    yield ["a list"]
    if get_origin(field.annotation) is Literal:
        yield "no such choice"
        return
    for bound in field.metadata:
        for name, value in (("ge", -1), ("gt", 0), ("le", 1), ("lt", 0)):
            if (limit := getattr(bound, name, None)) is not None:
                yield limit + value
    if field.annotation is float:
        yield np.nan
        yield np.inf


def _parts(value: Any) -> list[Any]:
    """Return the arrays and texts that a learned value consists of, for comparison."""
    if isinstance(value, csr_array):
        return [value.data, value.indices, value.indptr, np.array(value.shape)]
    if isinstance(value, Model):
        fields = dataclasses.fields(value.learned)
        inner = [part for field in fields for part in _parts(getattr(value.learned, field.name))]
        return [value.name, str(value.config), *inner]
    if isinstance(value, tuple):
        return [part for element in value for part in _parts(element)]
    if isinstance(value, pa.Table):
        return [str(value.schema), str(value.to_pydict())]
    return [value]
