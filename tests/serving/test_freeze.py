"""Full garbage collections do not visit the loaded models."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from shortlist.serving.model_store import freeze, refreeze


class Ring:
    """An object that only the garbage collector can free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_live_objects_are_exempt_and_new_garbage_is_collected() -> None:
    freeze()
    assert gc.get_freeze_count() > 10_000
    assert len(gc.get_objects()) < 1_000
    garbage = weakref.ref(Ring())
    assert garbage() is not None
    gc.collect()
    assert garbage() is None


def test_a_replaced_object_is_freed_by_the_next_freeze() -> None:
    loaded = Ring()
    replaced = weakref.ref(loaded)
    freeze()
    del loaded
    gc.collect()
    assert replaced() is not None  # frozen
    refreeze()
    assert replaced() is None


def test_refreeze_does_nothing_without_freeze() -> None:
    threshold = gc.get_threshold()
    refreeze()
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, threshold)
