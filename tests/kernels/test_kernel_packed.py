"""Items packed once give the bits that items packed on the way give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_worlds import Selection, seeds

from shortlist.kernels.threads import thread_limit
from shortlist.kernels.topk import packed_items, topk_factors


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(0, 20), st.integers(0, 90), st.integers(0, 20), st.integers(0, 95))
def test_small_worlds(seed: int, n_queries: int, n_items: int, f: int, k: int) -> None:
    same_bits(np.random.default_rng(seed), n_queries, n_items, f, k)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("n_items", [1_023, 1_024, 5_001])  # chunks of 496 items, the last partial
def test_several_chunks(n_items: int, threads: int) -> None:
    with thread_limit(threads):
        same_bits(np.random.default_rng(n_items), n_queries=31, n_items=n_items, f=66, k=12)


def same_bits(rng: np.random.Generator, n_queries: int, n_items: int, f: int, k: int) -> None:
    queries = rng.normal(size=(n_queries, f)).astype(np.float32)
    items = rng.normal(size=(f, n_items)).astype(np.float32)
    chosen = Selection.random(rng, n_queries, n_items)
    arguments = (queries, items, chosen.eligible, k)
    rows, scores = topk_factors(*arguments)
    again, scores_again = topk_factors(*arguments, packed_items(items))
    np.testing.assert_array_equal(again, rows)
    np.testing.assert_array_equal(scores_again.view(np.int32), scores.view(np.int32))


def test_the_layout_is_panels_of_sixteen_items_filled_up_with_zeros() -> None:
    items = np.arange(1, 2 * 18 + 1, dtype=np.float32).reshape(2, 18)
    panels = packed_items(items).reshape(2, 2, 16)  # (group, f, 16)
    np.testing.assert_array_equal(panels[0], items[:, :16])
    np.testing.assert_array_equal(panels[1, :, :2], items[:, 16:])
    assert not panels[1, :, 2:].any()
