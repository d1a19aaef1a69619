"""The contract of a model, as tests to inherit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_origin

import numpy as np
import pytest
from pydantic.fields import FieldInfo

from shortlist.errors import ConfigError, InputError, NotFittedError
from shortlist.models.registry import model_class
from shortlist.testing.asking import AskingContract
from shortlist.testing.lists import ListsContract
from shortlist.testing.stability import StabilityContract
from shortlist.testing.worlds import small_world


class ModelContract(ListsContract, AskingContract, StabilityContract):
    """Inherit this, name the model, and it is tested.

    The attributes are those of :class:`~shortlist.testing.subject.Subject`: ``model``, its class or
    a partial call of it, and ``user_is_history``. A model that needs no history (``needs_history =
    False``) is not asked for the right answer on the checkerboard.

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
        assert model.fit(small_world().data) is model
        assert model.is_fitted

    def test_fit_wants_a_dataset(self) -> None:
        with pytest.raises(InputError, match="learns from a Dataset, not from a Table"):
            self.fresh().fit(small_world().interactions)

    def test_history_is_a_row_an_epoch(self) -> None:
        epochs = self.fitted().history.column("epoch").to_pylist()
        assert epochs == list(range(1, len(epochs) + 1))

    def test_an_unfitted_model_says_so(self, tmp_path: Path) -> None:
        asked: list[Callable[[], object]] = [
            lambda: self.fresh().recommend(["u03"]),
            lambda: self.fresh().recommend(queries=[]),
            lambda: self.fresh().audience(["i03"]),
            lambda: self.fresh().save(tmp_path / "bundle"),
            lambda: self.fresh().data,
            lambda: self.fresh().learned,
            lambda: self.fresh().data_fingerprint,
        ]
        for call in asked:
            with pytest.raises(NotFittedError) as error:
                call()
            assert str(error.value) == (
                f"{self.fresh().name} is not fitted\n  to do: call fit(data) first"
            )
        assert not any(tmp_path.iterdir())

    def test_asking_changes_nothing(self) -> None:
        model = self.fresh().fit(small_world().data)
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

    def test_hyper_parameters_have_bounds_words_and_good_defaults(self) -> None:
        kind = self.kind()
        for name, field in kind.Config.model_fields.items():
            assert field.description
            assert kind(**{name: field.default}).config == kind().config
            for value in _out_of_range(field):
                with pytest.raises(ConfigError) as error:
                    kind(**{name: value})
                assert f"{kind.__name__}: {name}={value!r}" in str(error.value)
                assert field.description in str(error.value)

    def test_settings_are_shown(self) -> None:
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
