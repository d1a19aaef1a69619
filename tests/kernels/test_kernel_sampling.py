"""Draws: how they are distributed, what is never drawn, and that nothing else matters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.stats import chi2

from shortlist.kernels.sampling import alias_table, bitmap, draw
from shortlist.kernels.threads import thread_limit

N_ITEMS = 37


def rows_of(*rows: list[int]) -> tuple[Any, Any]:
    """Sorted sparse rows."""
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return indptr, np.array([item for row in rows for item in row], dtype=np.int32)


def drawn(n: int, count: int, seed: int, weights: Any, known: Any = None, **more: Any) -> Any:
    return draw(
        np.arange(n), np.zeros(n, dtype=np.int32), count, seed, np.asarray(weights, np.float64),
        known=known, **more,
    )  # fmt: skip


def p_value(found: Any, probabilities: Any) -> float:
    """The probability of counts at least as far from the expected ones (Pearson)."""
    possible = probabilities > 0
    assert not found[~possible].any()
    expected = probabilities[possible] / probabilities.sum() * found.sum()
    statistic = ((found[possible] - expected) ** 2 / expected).sum()
    return float(chi2.sf(statistic, possible.sum() - 1))


@pytest.mark.parametrize("seed", [0, 1, 2**62])
@pytest.mark.parametrize("known", [[], [0, 5, 36], list(range(2, 36))])
@pytest.mark.parametrize("popular", [False, True])
def test_items_are_drawn_as_often_as_their_weights_say(
    seed: int, known: list[int], popular: bool
) -> None:
    weights: Any = np.arange(N_ITEMS) ** 2.0 if popular else np.ones(N_ITEMS)
    table = alias_table(weights) if popular else None
    rows = rows_of(known)
    for bits in (None, bitmap(*rows, N_ITEMS)):
        items = drawn(20_000, 3, seed, weights, rows if known else None, table=table, bits=bits)
        left = weights.copy()
        left[known] = 0
        counts = np.bincount(items.ravel(), minlength=N_ITEMS)
        assert p_value(counts, left) > 0.001


def test_draws_have_nothing_to_do_with_each_other() -> None:
    items = drawn(40_000, 2, 3, np.ones(8))
    pairs = items[:, 0] * 8 + items[:, 1]  # of one example
    assert p_value(np.bincount(pairs, minlength=64), np.ones(64)) > 0.001
    follows = items[:-1, 0] * 8 + items[1:, 0]  # of one and the next
    assert p_value(np.bincount(follows, minlength=64), np.ones(64)) > 0.001
    seeds = items[:, 0] * 8 + drawn(40_000, 2, 4, np.ones(8))[:, 0]
    assert p_value(np.bincount(seeds, minlength=64), np.ones(64)) > 0.001


def test_a_draw_depends_on_seed_example_and_number_alone() -> None:
    rng = np.random.default_rng(0)
    rows = rows_of(*(sorted(rng.choice(50, 20, replace=False)) for _ in range(300)))
    examples, owners = rng.integers(0, 2**40, 20_000), rng.integers(0, 300, 20_000).astype(np.int32)
    bits = bitmap(*rows, 50)

    def of(chosen: Any, count: int, **more: Any) -> Any:
        return draw(examples[chosen], owners[chosen], count, 9, np.ones(50), known=rows, **more)

    whole = of(slice(None), 4)
    for threads in (1, 2, 5):
        with thread_limit(threads):
            assert_array_equal(of(slice(None), 4), whole)
            assert_array_equal(of(slice(None), 4, bits=bits), whole)
    some = rng.permutation(20_000)[:100]
    assert_array_equal(of(some, 4), whole[some])
    assert_array_equal(of(some, 2), whole[some][:, :2])


@pytest.mark.parametrize("left", [0, 17, 36])
def test_the_only_item_left_is_found(left: int) -> None:
    rows = rows_of([item for item in range(N_ITEMS) if item != left])
    weights = np.full(N_ITEMS, 1e9)
    weights[left] = 1.0
    for table in (None, alias_table(weights)):
        assert_array_equal(drawn(50, 3, 0, weights, rows, table=table), np.full((50, 3), left))


def test_what_is_left_of_a_nearly_full_row_is_drawn_by_its_weight() -> None:
    """A hundred attempts in vain, as a rule: the draw is made among what is left."""
    rows = rows_of(list(range(3, 2_000)))
    weights = np.ones(2_000)
    weights[:3] = [1e-7, 0, 3e-7]
    items = drawn(20_000, 1, 1, weights, rows, table=alias_table(weights)).ravel()
    counts = np.bincount(items, minlength=2_000)
    assert counts.sum() == counts[0] + counts[2]
    assert counts[2] / counts.sum() == pytest.approx(0.75, abs=0.01)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40).filter(lambda w: sum(w) > 1e-3))
def test_a_table_holds_the_probabilities(weights: list[float]) -> None:
    given_weights = np.array(weights)
    keep, other = alias_table(given_weights)
    share = np.zeros(len(weights))
    np.add.at(share, np.arange(len(weights)), keep / 2**32)
    np.add.at(share, other, 1 - keep / 2**32)
    np.testing.assert_allclose(share / len(weights), given_weights / given_weights.sum(), atol=1e-8)


def test_the_next_row_is_not_searched() -> None:
    """Item 5 is the first of row 1, and may be drawn for row 0, which ends before it."""
    rows = rows_of([1], [5])
    items = drawn(2_000, 1, 0, np.ones(6), rows).ravel()
    assert set(items.tolist()) == {0, 2, 3, 4, 5}
    assert_array_equal(items, drawn(2_000, 1, 0, np.ones(6), rows, bits=bitmap(*rows, 6)).ravel())


@given(st.lists(st.sets(st.integers(0, 19), max_size=19), min_size=1, max_size=6), st.integers(0))
def test_nothing_known_is_drawn(sets: list[set[int]], seed: int) -> None:
    rows = rows_of(*(sorted(one) for one in sets))
    owners = np.arange(len(sets), dtype=np.int32)
    examples = owners.astype(np.int64)
    for bits in (None, bitmap(*rows, 20)):
        items = draw(examples, owners, 9, seed % 2**63, np.ones(20), known=rows, bits=bits)
        assert items.min() >= 0
        assert items.max() < 20
        for own, found in zip(sets, items.tolist(), strict=True):
            assert not own & set(found)
