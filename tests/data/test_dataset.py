from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.sparse import coo_matrix, csc_matrix, csr_array

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError

PAIRS = st.sets(st.tuples(st.integers(0, 5), st.sampled_from("abcdé가")), min_size=1)


def world(n: int = 60, seed: int = 0, *, timed: bool = True) -> Dataset:
    """Some users have no interactions, and so have some items."""
    rng = np.random.default_rng(seed)
    log = pa.table(
        {
            "user_id": rng.integers(0, 12, n),
            "item_id": [f"R{item:02}" for item in rng.integers(0, 9, n)],
            "weight": rng.integers(0, 20, n) / 4,
            "time": rng.integers(0, 10**9, n),
        }
    )
    users = pa.table({"user_id": range(14), "age": rng.integers(20, 60, 14)})
    items = pa.table({"item_id": [f"R{item:02}" for item in range(10)]})
    return Dataset.from_tables(
        log, users, items, weight="weight", time="time" if timed else None, repeats="sum"
    )


def test_arrays_cannot_be_written_to() -> None:
    data = world()
    assert data.times is not None
    for array in (
        *(data.user_rows, data.item_rows, data.weights, data.times, data.positions),
        *(data.user_counts, data.item_counts, data.popularity_order),
        *(data.matrix.data, data.matrix.indices, data.matrix.indptr),
    ):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(FrozenInstanceError):
        data.weights = data.weights + 1  # type: ignore[misc]


def test_repr_states_the_size() -> None:
    data = world()
    assert repr(data) == f"Dataset(14 users, 10 items, {len(data.weights)} interactions)"
    assert (data.n_users, data.n_items) == (14, 10)
    assert len(data) == data.n_interactions == len(data.weights)


def test_counts_and_matrix_agree_with_a_dense_one() -> None:
    data = world()
    dense = np.zeros((14, 10), dtype=np.float32)
    counts = np.zeros((14, 10), dtype=int)
    for user, item, weight in zip(data.user_rows, data.item_rows, data.weights, strict=True):
        dense[user, item] = weight
        counts[user, item] += 1
    assert counts.max() == 1
    np.testing.assert_array_equal(data.matrix.toarray(), dense)
    assert [data.matrix.dtype, data.matrix.indices.dtype] == [np.float32, np.int32]
    assert np.shares_memory(data.matrix.indices, data.item_rows)
    assert data.matrix.nnz == len(data)  # a weight of zero is an interaction
    assert data.matrix.has_canonical_format
    np.testing.assert_array_equal(data.user_counts, counts.sum(axis=1))
    np.testing.assert_array_equal(data.item_counts, counts.sum(axis=0))


@settings(max_examples=15, deadline=None)
@given(PAIRS)
def test_entries_are_sorted_and_counted(pairs: set[tuple[int, str]]) -> None:
    users, items = zip(*pairs, strict=True)
    data = Dataset.from_tables(pa.table({"user_id": users, "item_id": items}))
    table = data.to_arrow()
    assert list(
        zip(table.column("user_id").to_pylist(), table.column("item_id").to_pylist(), strict=True)
    ) == sorted(pairs)
    counts = {item: items.count(item) for item in items}
    popular = sorted(counts, key=lambda item: (-counts[item], item))
    by_rank = sorted(data.items.ids.to_pylist(), key=lambda item: data.popularity_order[
        data.items.ids.to_pylist().index(item)])  # fmt: skip
    assert by_rank == popular


def test_popularity_order_ranks_every_item() -> None:
    log = pa.table({"user_id": [1, 2, 3, 1, 2, 1], "item_id": [30, 30, 30, 10, 10, 20]})
    data = Dataset.from_tables(log, items=pa.table({"item_id": [5, 10, 20, 25, 30]}))
    assert data.popularity_order.tolist() == [3, 1, 2, 4, 0]
    assert data.popularity_order.dtype == np.int32


@pytest.mark.parametrize("timed", [True, False])
def test_recency_counts_back_from_the_latest(timed: bool) -> None:
    data = world(timed=timed)
    assert data.positions is not None
    for user in range(data.n_users):
        rows = np.flatnonzero(data.user_rows == user)
        times = np.zeros(len(rows)) if data.times is None else data.times[rows]
        latest_first = sorted(zip(times, data.positions[rows], data.item_rows[rows], strict=True))
        ranks = {item: rank for rank, (_, _, item) in enumerate(reversed(latest_first), 1)}
        row = data.recency[[user]]
        assert dict(zip(row.indices, row.data, strict=True)) == ranks


def test_select_keeps_the_mask_and_all_ids() -> None:
    data = world()
    mask = data.weights > 2
    part = data.select(mask)
    assert 0 < len(part) < len(data)
    assert part.users is data.users
    assert part.items is data.items
    assert part.user_features is data.user_features
    assert part.to_arrow().equals(data.to_arrow().filter(pa.array(mask)))
    np.testing.assert_array_equal(part.positions, data.positions[mask])
    assert part.user_counts.sum() == len(part)  # nothing is remembered of the whole
    assert world(timed=False).select(mask[: len(world(timed=False))]).times is None


@pytest.mark.parametrize("timed", [True, False])
def test_to_arrow_and_back(timed: bool) -> None:
    data = world(timed=timed)
    table = data.to_arrow()
    assert table.column_names == ["user_id", "item_id", "weight", "time"][: 3 + timed]
    assert table.schema.field("weight").type == pa.float32()
    users, items = (pa.table({f"{part.kind}_id": part.ids}) for part in (data.users, data.items))
    back = Dataset.from_tables(table, users, items, weight="weight", time="time" if timed else None)
    assert back.fingerprint == data.fingerprint
    assert back.to_arrow().equals(table)


def test_times_are_returned_in_utc() -> None:
    seoul = dt.timezone(dt.timedelta(hours=9))
    when = dt.datetime(2024, 5, 31, 21, 0, 0, 5, tzinfo=seoul)
    data = Dataset.from_tables(pa.table({"user_id": [1], "item_id": [1], "at": [when]}), time="at")
    assert data.to_arrow().column("time").to_pylist() == [when]
    assert data.to_arrow().schema.field("time").type == pa.timestamp("us", tz="UTC")


LOG = {"user_id": [1, 1, 2, 3], "item_id": [7, 8, 7, 9], "w": [1, 2, 3, 4], "t": [40, 30, 20, 10]}


def fingerprint(log: dict[str, list[int]], *, time: str | None = "t") -> str:
    return Dataset.from_tables(pa.table(log), weight="w", time=time).fingerprint


def test_the_fingerprint_does_not_depend_on_the_order_of_the_source() -> None:
    shuffled = {name: [column[row] for row in (2, 0, 3, 1)] for name, column in LOG.items()}
    assert fingerprint(shuffled) == fingerprint(LOG)
    assert len(fingerprint(LOG)) == 64


def test_every_change_changes_the_fingerprint() -> None:
    changed = [
        LOG | {"user_id": [1, 1, 2, 4]},
        LOG | {"user_id": [1, 1, 3, 2]},
        LOG | {"item_id": [7, 8, 8, 9]},
        LOG | {"item_id": [7, 8, 7, 10]},
        LOG | {"w": [1, 2, 3, 5]},
        LOG | {"t": [40, 30, 20, 11]},
        {name: column[:3] for name, column in LOG.items()},
    ]
    fingerprints = {fingerprint(log) for log in [LOG, *changed]}
    fingerprints.add(fingerprint(LOG, time=None))
    text = LOG | {"user_id": ["1", "1", "2", "3"]}
    fingerprints.add(Dataset.from_tables(pa.table(text), weight="w", time="t").fingerprint)
    listed = pa.table({"user_id": [1, 2, 3, 4]})
    fingerprints.add(Dataset.from_tables(pa.table(LOG), listed, weight="w", time="t").fingerprint)
    assert len(fingerprints) == len(changed) + 4


def test_a_modified_copy_has_a_fingerprint_of_its_own() -> None:
    data = Dataset.from_tables(pa.table(LOG), weight="w", time="t")
    _ = data.fingerprint, data.matrix, data.user_counts
    doubled = replace(data, weights=data.weights * 2)
    assert doubled.fingerprint == fingerprint(LOG | {"w": [2, 4, 6, 8]})
    assert doubled.matrix.sum() == 2 * data.matrix.sum()


def test_life_spans_come_from_the_item_table() -> None:
    films = pa.table({"item_id": [9, 8, 7], "valid_to": [None, dt.date(2024, 6, 1), None]})
    data = Dataset.from_tables(pa.table(LOG), items=films)
    assert data.life_spans is not None
    assert data.life_spans.live(2**60).tolist() == [True, False, True]
    assert Dataset.from_tables(pa.table(LOG)).life_spans is None


def test_a_dictionary_of_columns_is_a_table() -> None:
    data = Dataset.from_tables({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"]})
    assert (data.n_users, data.n_items, data.n_interactions) == (2, 2, 3)


@pytest.mark.parametrize("form", [csr_array, csc_matrix, coo_matrix, lambda matrix: matrix])
def test_a_matrix(form: Callable[[Any], Any]) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.integers(0, 3, (7, 5)).astype(np.float32)
    matrix[3] = 0  # a user without interactions keeps a row
    data = Dataset.from_matrix(form(matrix))
    assert_array_equal(data.matrix.toarray(), matrix)
    assert data.users.ids.to_pylist() == list(range(7))
    named = Dataset.from_matrix(form(matrix), item_ids=["e", "d", "c", "b", "a"])
    assert_array_equal(named.matrix.toarray(), matrix[:, ::-1])  # items are sorted by id
    assert named.items.ids.to_pylist() == ["a", "b", "c", "d", "e"]


def test_entries_of_a_matrix_that_repeat_are_added() -> None:
    entries = np.array([1.0, 2.0]), (np.array([0, 0]), np.array([1, 1]))
    matrix = coo_matrix(entries, shape=(1, 2))
    assert Dataset.from_matrix(matrix).weights.tolist() == [3.0]


def test_matrices_that_are_refused() -> None:
    matrix = np.eye(3)
    with pytest.raises(InputError, match="2 item_ids for 3 columns"):
        Dataset.from_matrix(matrix, item_ids=["a", "b"])
    with pytest.raises(InputError, match="a weight must be"):
        Dataset.from_matrix(np.full((1, 1), np.inf))
    with pytest.raises(InputError, match="'a'"):
        Dataset.from_matrix(matrix, item_ids=["a", "b", "a"])
    with pytest.raises(InputError, match="no rows"):
        Dataset.from_matrix(np.zeros((2, 2)))
    with pytest.raises(InputError, match="a matrix has two dimensions"):
        Dataset.from_matrix(np.ones(3))
