"""Full collections do not walk over what is loaded."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from shortlist.serving.model_store import freeze, refreeze


class Ring:
    """Something that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_what_is_loaded_is_no_longer_looked_at_and_new_garbage_is() -> None:
    freeze()
    assert gc.get_freeze_count() > 10_000
    assert len(gc.get_objects()) < 1_000
    garbage = weakref.ref(Ring())
    assert garbage() is not None
    gc.collect()
    assert garbage() is None


def test_a_bundle_that_was_replaced_is_freed_the_next_time() -> None:
    loaded = Ring()
    replaced = weakref.ref(loaded)
    freeze()
    del loaded
    gc.collect()
    assert replaced() is not None  # frozen
    refreeze()
    assert replaced() is None


def test_a_process_that_never_settled_is_left_alone() -> None:
    threshold = gc.get_threshold()
    refreeze()
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, threshold)
