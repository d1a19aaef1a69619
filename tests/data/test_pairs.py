from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.data.coding.pairs import last_of_runs, sort_pairs

Pairs = list[tuple[int, int]]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=40))
def test_pairs_are_sorted_and_equal_ones_keep_their_order(pairs: Pairs) -> None:
    rows, columns = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    sorted_rows, sorted_columns, order = sort_pairs(rows, columns, (7, 5))
    expected = sorted(range(len(pairs)), key=lambda index: (pairs[index], index))
    assert order.tolist() == expected
    sorted_pairs = list(zip(sorted_rows, sorted_columns, strict=True))
    assert sorted_pairs == [pairs[index] for index in expected]
    assert [array.dtype for array in (sorted_rows, sorted_columns)] == [np.int32, np.int32]


def test_many_pairs_agree_with_lexsort() -> None:
    rng = np.random.default_rng(5)
    rows, columns = rng.integers(0, 3_000, (2, 200_000), dtype=np.int32)
    sorted_rows, sorted_columns, order = sort_pairs(rows, columns, (3_000, 3_000))
    expected = np.lexsort((columns, rows))  # stable as well
    np.testing.assert_array_equal(order, expected)
    np.testing.assert_array_equal(sorted_rows, rows[expected])
    np.testing.assert_array_equal(sorted_columns, columns[expected])


Entry = tuple[int, int, bool]


@given(
    st.lists(
        st.lists(st.tuples(st.integers(-3, 3), st.integers(), st.booleans()), min_size=1),
        min_size=1,
        max_size=6,
    )
)
def test_the_free_entry_with_the_largest_keys_is_marked(runs: list[list[Entry]]) -> None:
    entries = [entry for run in runs for entry in run]
    first = np.array([entry[0] for entry in entries])
    position = np.arange(len(entries))  # breaks ties of the first key
    may_mark = np.array([entry[2] for entry in entries])
    lengths = np.array([len(run) for run in runs])
    starts = np.cumsum(lengths) - lengths
    marked = last_of_runs(starts, lengths, [first, position], may_mark)
    expected = []
    for start, run in zip(starts, runs, strict=True):
        candidates = [(key, start + offset) for offset, (key, _, free) in enumerate(run) if free]
        expected += [max(candidates)[1]] if candidates else []
    assert np.flatnonzero(marked).tolist() == expected


def test_the_mask_of_free_entries_is_not_changed() -> None:
    free = np.array([True, True])
    last_of_runs(np.array([0]), np.array([2]), [np.array([1, 2])], free)
    assert free.tolist() == [True, True]
