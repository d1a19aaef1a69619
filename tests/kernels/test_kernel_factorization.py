from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_worlds import Sparse, seeds, sparse_floats
from numpy.typing import NDArray

from shortlist.kernels.factorization import squared_error
from shortlist.kernels.ridge import solve_ridge
from shortlist.kernels.threads import thread_limit
from shortlist.kernels.types import Csr

Doubles = NDArray[np.float64]


def naive_error(
    values: NDArray[np.float32], p: NDArray[np.floating], q: NDArray[np.floating]
) -> tuple[float, Doubles, Doubles]:
    """The mean error of stored cells and its gradients, over every pair, in float64."""
    p, q = p.astype(np.float64), q.astype(np.float64)
    wrong = np.where(values != 0, p @ q.T - values, 0.0)
    n = max((values != 0).sum(), 1)
    return float((wrong**2).sum()) / n, 2 / n * wrong @ q, 2 / n * wrong.T @ p


def world(
    seed: int, n: int, m: int, f: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    values = sparse_floats(rng, (n, m))
    return (
        values,
        rng.standard_normal((n, f)).astype(np.float32),
        rng.standard_normal((m, f)).astype(np.float32),
    )


def both(values: NDArray[np.float32]) -> tuple[Sparse, Sparse]:
    return Sparse.of(values), Sparse.of(np.ascontiguousarray(values.T))


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(0, 30), st.integers(0, 30), st.integers(1, 40))
def test_error_and_gradients_equal_float64(seed: int, n: int, m: int, f: int) -> None:
    values, p, q = world(seed, n, m, f)
    by_user, by_item = both(values)
    error, to_users, to_items = squared_error(by_user.csr, by_item.csr, p, q)
    exact, exact_users, exact_items = naive_error(values, p, q)
    assert to_users.dtype == to_items.dtype == np.float32
    assert to_users.shape == (n, f)
    assert to_items.shape == (m, f)
    np.testing.assert_allclose(error, exact, rtol=1e-5)
    # relative to the terms of the sums, which may cancel
    size = (
        2 / max((values != 0).sum(), 1) * (np.abs(values) + np.abs(p) @ np.abs(q.T)) * (values != 0)
    )
    assert (np.abs(to_users - exact_users) <= 1e-5 * (size @ np.abs(q)) + 1e-7).all()
    assert (np.abs(to_items - exact_items) <= 1e-5 * (size.T @ np.abs(p)) + 1e-7).all()


def test_the_reference_itself_agrees_with_finite_differences() -> None:
    values, p, q = world(5, 7, 6, 3)
    p64, q64 = p.astype(np.float64), q.astype(np.float64)
    _, to_users, to_items = naive_error(values, p64, q64)
    step = 1e-5
    for side, gradient in ((p64, to_users), (q64, to_items)):
        for at in np.ndindex(side.shape):
            kept = side[at]
            side[at] = kept + step
            above = naive_error(values, p64, q64)[0]
            side[at] = kept - step
            below = naive_error(values, p64, q64)[0]
            side[at] = kept
            np.testing.assert_allclose((above - below) / (2 * step), gradient[at], atol=1e-6)


@pytest.mark.parametrize("cells", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_rows_of_every_length(cells: int) -> None:
    """Cells are worked on four at a time: what is left over counts once, and nothing else does."""
    values = np.zeros((1, 12), np.float32)
    values[0, :cells] = np.arange(1, cells + 1)
    by_user, by_item = both(values)
    p, q = np.ones((1, 8), np.float32), np.full((12, 8), 0.25, np.float32)  # every product is 2
    error, to_users, to_items = squared_error(by_user.csr, by_item.csr, p, q)
    wrong = 2.0 - np.arange(1, cells + 1)
    share = 2 / max(cells, 1)
    assert error == pytest.approx((wrong**2).sum() / max(cells, 1))
    assert to_users == pytest.approx(np.full((1, 8), share * 0.25 * wrong.sum()))
    assert to_items[:cells] == pytest.approx(np.tile(share * wrong[:, None], (1, 8)))
    assert (to_items[cells:] == 0).all()


def test_a_stored_zero_is_a_cell() -> None:
    zero = Csr(np.array([0, 1]), np.array([0], np.int32), np.zeros(1, np.float32))
    p, q = np.array([[2.0]], np.float32), np.array([[3.0]], np.float32)
    error, to_users, to_items = squared_error(zero, zero, p, q)
    assert (error, to_users.item(), to_items.item()) == (36.0, 36.0, 24.0)


@pytest.mark.parametrize("f", [5, 8, 33])
def test_the_error_does_not_depend_on_threads(f: int) -> None:
    values, p, q = world(1, 151, 83, f)
    by_user, by_item = both(values)
    with thread_limit(1):
        error, to_users, to_items = squared_error(by_user.csr, by_item.csr, p, q)
    for threads in (2, 7):
        with thread_limit(threads):
            again = squared_error(by_user.csr, by_item.csr, p, q)
        assert again[0] == error
        np.testing.assert_array_equal(again[1], to_users)
        np.testing.assert_array_equal(again[2], to_items)


def exact_ridge(
    values: NDArray[np.float32], v: NDArray[np.float32], prior: Doubles, pull: Doubles
) -> Doubles:
    v64, x = v.astype(np.float64), np.zeros((len(values), v.shape[1]))
    for row, t in enumerate(values.astype(np.float64)):
        own = v64[t != 0]
        x[row] = np.linalg.solve(prior + own.T @ own, pull + own.T @ t[t != 0])
    return x


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(0, 20), st.integers(1, 60), st.integers(1, 30))
def test_ridge_is_the_closed_form(seed: int, n: int, m: int, f: int) -> None:
    values, _, v = world(seed, n, m, f)
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((f, f))
    prior, pull = root @ root.T / f + np.eye(f), rng.standard_normal(f)
    x = solve_ridge(Sparse.of(values).csr, v, prior, pull)
    exact = exact_ridge(values, v, prior, pull)
    assert x.dtype == np.float32
    assert x.shape == (n, f)
    np.testing.assert_allclose(x, exact, rtol=1e-5, atol=1e-6)


def test_ridge_gradient_is_zero_at_the_solution() -> None:
    values, _, v = world(2, 20, 41, 7)
    prior, pull = 2 * np.eye(7), np.full(7, 0.5)
    x = solve_ridge(Sparse.of(values).csr, v, prior, pull).astype(np.float64)
    wrong = np.where(values != 0, x @ v.T.astype(np.float64) - values, 0.0)
    assert np.abs(wrong @ v + x @ prior - pull).max() < 1e-5


def test_ridge_does_not_depend_on_threads_or_batches() -> None:
    values, _, v = world(3, 151, 60, 11)
    prior, pull = np.eye(11), np.zeros(11)
    sparse = Sparse.of(values)
    with thread_limit(1):
        x = solve_ridge(sparse.csr, v, prior, pull)
    with thread_limit(3):
        for first, last in [(0, 151), (0, 1), (1, 77), (77, 151)]:
            part = solve_ridge(sparse.part(first, last).csr, v, prior, pull)
            np.testing.assert_array_equal(part, x[first:last])
