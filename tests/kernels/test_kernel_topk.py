from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_worlds import Selection, Sparse, seeds, sparse_floats

from shortlist.kernels.scores import dense_factors, dense_sparse
from shortlist.kernels.threads import thread_limit
from shortlist.kernels.topk import topk_dense, topk_factors, topk_sparse
from shortlist.kernels.types import Csr

sizes = st.integers(0, 40)


def whole_numbers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-2, 3, shape).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(seeds, sizes, sizes, st.integers(0, 20), st.integers(0, 45))
def test_factors_equal_brute_force(seed: int, n_queries: int, n_items: int, f: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    queries, items_t = whole_numbers(rng, n_queries, f), whole_numbers(rng, f, n_items)
    chosen = Selection.random(rng, n_queries, n_items)
    rows, scores = topk_factors(queries, items_t, chosen.eligible, k)
    expected_rows, expected_scores = chosen.best(queries @ items_t, k)  # exact: integers
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(scores, expected_scores)
    assert rows.dtype == np.int32
    assert scores.dtype == np.float32


@settings(max_examples=60, deadline=None)
@given(seeds, sizes, sizes, st.integers(0, 20), st.integers(0, 45))
def test_sparse_equals_brute_force(seed: int, n_queries: int, n_items: int, m: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    profiles, matrix = sparse_floats(rng, (n_queries, m)), sparse_floats(rng, (m, n_items))
    chosen = Selection.random(rng, n_queries, n_items)
    rows, scores = topk_sparse(
        Sparse.of(profiles).csr, Sparse.of(matrix).csr,
        chosen.eligible, k,
    )  # fmt: skip
    expected_rows, expected_scores = chosen.best(profiles @ matrix, k)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(scores, expected_scores)


@settings(max_examples=60, deadline=None)
@given(
    seeds, st.integers(0, 12), st.integers(100, 400), st.integers(1, 9),
    st.sampled_from([1, 3, 20, 64, 65, 410]), st.sampled_from([0.0, 0.01, 0.05, 0.4]),
)  # fmt: skip
def test_sparse_equals_brute_force_where_few_items_are_touched(
    seed: int, n_queries: int, n_items: int, m: int, k: int, density: float
) -> None:
    """Negative scores come after the zeros of untouched items, and sums may cancel to zero."""
    rng = np.random.default_rng(seed)
    profiles = sparse_floats(rng, (n_queries, m)) - sparse_floats(rng, (n_queries, m))
    matrix = sparse_floats(rng, (m, n_items), density) - sparse_floats(rng, (m, n_items), density)
    chosen = Selection.random(rng, n_queries, n_items)
    rows, scores = topk_sparse(Sparse.of(profiles).csr, Sparse.of(matrix).csr, chosen.eligible, k)
    expected_rows, expected_scores = chosen.best(profiles @ matrix, k)  # exact: integers
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(scores, expected_scores)


def test_a_product_that_is_minus_zero_is_listed_once() -> None:
    """A weight of 0 times a negative entry is -0.0, which adds nothing to a sum."""
    profiles = Csr(np.array([0, 2]), np.array([0, 1], np.int32), np.array([0, 1], np.float32))
    entries = np.array([7, 90, 7, 50], np.int32), np.array([-1, -1, 2, -3], np.float32)
    matrix = Csr(np.array([0, 2, 4]), *entries)
    rows, scores = topk_sparse(profiles, matrix, Selection.everything(1, 100).eligible, 100)
    assert rows[0, :3].tolist() == [7, 0, 1]
    assert sorted(rows[0].tolist()) == list(range(100))
    assert scores[0, :3].tolist() == [2, 0, 0]
    assert (rows[0, 98], scores[0, 98]) == (99, 0)
    assert (rows[0, 99], scores[0, 99]) == (50, -3)


@settings(max_examples=60, deadline=None)
@given(seeds, sizes, st.integers(0, 300), st.integers(0, 310), st.integers(1, 50))
def test_dense_equals_brute_force(
    seed: int, n_queries: int, n_items: int, k: int, levels: int
) -> None:
    rng = np.random.default_rng(seed)
    block = (rng.integers(-levels, levels, (n_queries, n_items)) / 8).astype(np.float32)
    chosen = Selection.random(rng, n_queries, n_items)
    before = block.copy()
    rows, scores = topk_dense(block, chosen.eligible, k)
    expected_rows, expected_scores = chosen.best(block, k)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(scores, expected_scores)
    np.testing.assert_array_equal(block, before)


def test_checkerboard_of_tastes() -> None:
    # Even users like even items and odd users odd ones; the factors say exactly that.
    n = 8
    taste = np.eye(2, dtype=np.float32)
    parity = np.arange(n) % 2
    chosen = Selection.everything(n, n)
    chosen.excluded = [[user] for user in range(n)]  # each has seen the item of the same number
    rows, scores = topk_factors(
        taste[parity], np.ascontiguousarray(taste[parity].T), chosen.eligible, 3
    )
    for user in range(n):
        assert rows[user].tolist() == [i for i in range(user % 2, n, 2) if i != user][:3]
    assert (scores == 1).all()


def test_extreme_scores_and_negative_zero_are_ordered_as_numbers() -> None:
    least, most = np.finfo(np.float32).min, np.finfo(np.float32).max
    block = np.array([[0.0, most, -0.0, least, 1e-40, -1e-40, 0.0]], np.float32)
    chosen = Selection.everything(1, 7)
    rows, _ = topk_dense(block, chosen.eligible, 7)
    assert rows.tolist() == [[1, 4, 0, 2, 6, 5, 3]]


@pytest.mark.parametrize("arranged", [np.sort, lambda keys: np.sort(keys)[::-1], np.zeros_like])
def test_long_lists_of_arranged_scores(arranged: Any) -> None:
    """Worst cases of a sort: ascending, descending, and all the same."""
    scores = np.random.default_rng(1).standard_normal(5000).astype(np.float32)
    block = np.ascontiguousarray(arranged(scores))[np.newaxis]
    rows, best = topk_dense(block, Selection.everything(1, 5000).eligible, 4000)
    expected = np.argsort(-block[0], kind="stable")[:4000]
    np.testing.assert_array_equal(rows[0], expected)
    np.testing.assert_array_equal(best[0], block[0, expected])


@settings(max_examples=60, deadline=None)
@given(
    seeds, st.sampled_from([127, 128, 200, 1000]), st.sampled_from([1, 5, 20, 63, 64, 65]),
    st.sampled_from(["wide", "equal", "rising", "falling", "one group", "few candidates"]),
)  # fmt: skip
def test_scores_of_any_distribution(seed: int, n_items: int, k: int, kind: str) -> None:
    """The bound that skips scores is taken from groups of 64: every distribution is safe."""
    rng = np.random.default_rng(seed)
    scores = rng.choice([-1, 1], n_items) * 10.0 ** rng.uniform(-44, 38, n_items)
    if kind == "equal":
        scores[:] = scores[0]
    elif kind in ("rising", "falling"):
        scores = np.sort(scores)[:: 1 if kind == "rising" else -1]
    elif kind == "one group":
        scores = np.where(np.arange(n_items) % 64 == 3, 1e30 + rng.random(n_items), scores)
    block = np.ascontiguousarray(scores, np.float32)[np.newaxis]
    chosen = Selection.random(rng, 1, n_items)
    if kind == "few candidates":
        chosen.excluded = [rng.permutation(n_items)[: n_items - k // 2].tolist()]
    rows, values = topk_dense(block, chosen.eligible, k)
    expected_rows, expected_values = chosen.best(block, k)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(values, expected_values)


def world(seed: int = 7) -> tuple[np.ndarray, np.ndarray, Selection]:
    """Real-valued scores, more than one chunk of items and one block of queries, odd sizes."""
    rng = np.random.default_rng(seed)
    n_queries, n_items, f = 203, 2111, 37
    queries = rng.standard_normal((n_queries, f)).astype(np.float32)
    items_t = rng.standard_normal((f, n_items)).astype(np.float32)
    return queries, items_t, Selection.random(rng, n_queries, n_items)


@pytest.mark.parametrize("k", [1, 10, 500])
def test_factor_scores_are_the_dense_scores_bit_for_bit(k: int) -> None:
    queries, items_t, chosen = world()
    rows, scores = topk_factors(queries, items_t, chosen.eligible, k)
    expected_rows, expected_scores = chosen.best(dense_factors(queries, items_t), k)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(scores, expected_scores)


def test_factors_do_not_depend_on_threads_or_batches() -> None:
    queries, items_t, chosen = world()
    with thread_limit(1):
        rows, scores = topk_factors(queries, items_t, chosen.eligible, 10)
    with thread_limit(2):
        again, scores_again = topk_factors(queries, items_t, chosen.eligible, 10)
    np.testing.assert_array_equal(again, rows)
    np.testing.assert_array_equal(scores_again, scores)
    for start, stop in [(0, 1), (1, 8), (8, 100), (100, 203)]:
        part = chosen.part(start, stop)
        some, some_scores = topk_factors(queries[start:stop], items_t, part.eligible, 10)
        np.testing.assert_array_equal(some, rows[start:stop])
        np.testing.assert_array_equal(some_scores, scores[start:stop])


def test_sparse_does_not_depend_on_threads_or_batches_and_equals_dense() -> None:
    rng = np.random.default_rng(3)
    n_queries, m, n_items = 150, 60, 333
    profiles = Sparse.of(sparse_floats(rng, (n_queries, m)) * rng.random((n_queries, m)))
    matrix = Sparse.of(sparse_floats(rng, (m, n_items)) * rng.standard_normal((m, n_items)))
    chosen = Selection.random(rng, n_queries, n_items)
    with thread_limit(1):
        rows, scores = topk_sparse(profiles.csr, matrix.csr, chosen.eligible, 7)
    dense = dense_sparse(profiles.csr, matrix.csr, n_items)
    expected_rows, expected_scores = chosen.best(dense, 7)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(scores, expected_scores)
    for start, stop in [(0, 1), (1, 40), (40, 150)]:
        part = chosen.part(start, stop)
        with thread_limit(2):
            some, some_scores = topk_sparse(
                profiles.part(start, stop).csr, matrix.csr,
                part.eligible, 7,
            )  # fmt: skip
        np.testing.assert_array_equal(some, rows[start:stop])
        np.testing.assert_array_equal(some_scores, scores[start:stop])


def test_read_only_arrays_are_taken_as_they_are() -> None:
    block = np.array([[1, 3, 2]], np.float32)
    block.flags.writeable = False  # as a memory map is
    chosen = Selection.everything(1, 3)
    rows, _ = topk_dense(block, chosen.eligible, 2)
    assert rows.tolist() == [[1, 2]]


def test_a_wrong_dtype_is_refused_and_not_compiled_for() -> None:
    chosen = Selection.everything(1, 3)
    with pytest.raises(TypeError, match="block has dtype float64, expected float32"):
        topk_dense(np.zeros((1, 3)), chosen.eligible, 2)  # type: ignore[arg-type]
