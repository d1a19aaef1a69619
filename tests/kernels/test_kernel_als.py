from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_worlds import Sparse, seeds, sparse_floats
from numpy.typing import NDArray

from shortlist.kernels.als import gram, solve_cg, solve_cholesky
from shortlist.kernels.ridge import solve_double
from shortlist.kernels.threads import thread_limit

Doubles = NDArray[np.float64]


def loss(
    weights: NDArray[np.float32], x: NDArray[np.floating], v: NDArray[np.floating],
    unobserved: float, regularization: NDArray[np.float32],
) -> float:  # fmt: skip
    """Compute the loss over every pair, in float64."""
    predicted = x.astype(np.float64) @ v.astype(np.float64).T
    w = weights.astype(np.float64)
    rows = (x.astype(np.float64) ** 2).sum(axis=1)
    return float(
        (w * (1 - predicted) ** 2).sum()
        + unobserved * (predicted**2).sum()
        + (regularization * rows).sum()
    )


def closed_form(
    weights: NDArray[np.float32], v: NDArray[np.float32], unobserved: float,
    regularization: NDArray[np.float32],
) -> Doubles:  # fmt: skip
    v64 = v.astype(np.float64)
    x = np.zeros((len(weights), v.shape[1]))
    for u, w in enumerate(weights.astype(np.float64)):
        a = v64.T @ ((w + unobserved)[:, None] * v64) + regularization[u] * np.eye(v.shape[1])
        x[u] = np.linalg.solve(a, v64.T @ w)
    return x


def world(
    seed: int, n_rows: int = 30, n: int = 41, f: int = 9
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    weights = sparse_floats(rng, (n_rows, n))
    factors = (rng.standard_normal((n, f)) / 3).astype(np.float32)
    regularization = rng.uniform(0.5, 2, n_rows).astype(np.float32)
    return weights, factors, regularization


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(0, 20), st.integers(0, 90), st.integers(1, 40))
def test_cholesky_is_the_closed_form(seed: int, n_rows: int, n: int, f: int) -> None:
    weights, factors, regularization = world(seed, n_rows, n, f)
    x = solve_cholesky(Sparse.of(weights).csr, factors, gram(factors), 0.3, regularization)
    exact = closed_form(weights, factors, 0.3, regularization)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, exact, rtol=1e-4, atol=1e-5)
    assert (x[weights.sum(axis=1) == 0] == 0).all()


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(0, 20), st.integers(0, 90), st.integers(1, 40))
def test_conjugate_gradients_converge_to_it(seed: int, n_rows: int, n: int, f: int) -> None:
    weights, factors, regularization = world(seed, n_rows, n, f)
    start = np.random.default_rng(seed).standard_normal((n_rows, f)).astype(np.float32)
    x = solve_cg(Sparse.of(weights).csr, factors, gram(factors), 0.3, regularization, start, 3 * f)
    exact = closed_form(weights, factors, 0.3, regularization)
    np.testing.assert_allclose(x, exact, rtol=1e-4, atol=3e-5)
    assert (x[weights.sum(axis=1) == 0] == 0).all()


@pytest.mark.parametrize("f", [8, 48, 64, 67, 130])
def test_wide_factors_and_long_rows_are_the_closed_form(f: int) -> None:
    weights, factors, regularization = world(f, n_rows=7, n=500, f=f)
    weights[0] = 1.0  # everything observed
    common = (Sparse.of(weights).csr, factors, gram(factors), 0.3, regularization)
    exact = closed_form(weights, factors, 0.3, regularization)
    np.testing.assert_allclose(solve_cholesky(*common), exact, rtol=1e-4, atol=1e-5)
    near = solve_cg(*common, np.zeros((7, f), np.float32), 60)
    np.testing.assert_allclose(near, exact, rtol=1e-4, atol=1e-5)


def test_gradient_of_the_naive_loss_is_zero_at_the_solution() -> None:
    weights, factors, regularization = world(2)
    sparse = Sparse.of(weights)
    x = solve_cholesky(sparse.csr, factors, gram(factors), 0.2, regularization)
    predicted = x.astype(np.float64) @ factors.astype(np.float64).T
    w = weights.astype(np.float64)
    pulls = -2 * w * (1 - predicted) + 2 * 0.2 * predicted
    gradient = pulls @ factors.astype(np.float64) + 2 * regularization[:, None] * x
    size = 2 * np.abs(w) @ np.abs(factors.astype(np.float64))  # of the terms that cancel
    assert (np.abs(gradient) <= 1e-5 * size.max()).all()


@pytest.mark.parametrize("solver", ["cholesky", "cg"])
def test_half_steps_never_raise_the_loss(solver: str) -> None:
    rng = np.random.default_rng(0)
    weights = sparse_floats(rng, (50, 35))
    turned = np.ascontiguousarray(weights.T)
    by_user, by_item = Sparse.of(weights), Sparse.of(turned)
    x = (rng.standard_normal((50, 6)) / 10).astype(np.float32)
    y = (rng.standard_normal((35, 6)) / 10).astype(np.float32)
    ones, items = np.ones(50, np.float32), np.ones(35, np.float32)

    def total() -> float:
        return loss(weights, x, y, 0.1, ones) + float((y.astype(np.float64) ** 2).sum())

    history = [total()]
    for _ in range(8):
        for side in ("users", "items"):
            if side == "users":
                given_side, sparse, regularization, mine = y, by_user, ones, x
            else:
                given_side, sparse, regularization, mine = x, by_item, items, y
            common = (sparse.csr, given_side, gram(given_side), 0.1, regularization)
            new = solve_cholesky(*common) if solver == "cholesky" else solve_cg(*common, mine, 2)
            x, y = (new, y) if side == "users" else (x, new)
            history.append(total())
    steps = np.diff(history)
    assert (steps <= 1e-4).all()
    assert history[-1] < 0.5 * history[0]


def test_checkerboard_of_tastes_is_learned() -> None:
    parity = np.arange(12) % 2
    weights = (parity[:, None] == parity[None, :]).astype(np.float32)
    sparse = Sparse.of(weights)
    rng = np.random.default_rng(1)
    y = (rng.standard_normal((12, 2)) / 10).astype(np.float32)
    light = np.full(12, 0.01, np.float32)
    for _ in range(20):
        x = solve_cholesky(sparse.csr, y, gram(y), 0.5, light)
        y = solve_cholesky(sparse.csr, x, gram(x), 0.5, light)
    predicted = x @ y.T
    assert predicted[weights == 1].min() > 0.6  # 1 / (1 + .5) without regularisation
    assert np.abs(predicted[weights == 0]).max() < 0.05


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(0, 300), st.integers(1, 70))
def test_gram_is_the_product(seed: int, n: int, f: int) -> None:
    factors = np.random.default_rng(seed).standard_normal((n, f)).astype(np.float32)
    v = factors.astype(np.float64)
    scale = np.abs(v).T @ np.abs(v)
    assert (np.abs(gram(factors) - v.T @ v) <= 1e-5 * scale + 1e-7).all()


@pytest.mark.parametrize("f", [5, 16, 33])
def test_nothing_depends_on_threads_or_batches(f: int) -> None:
    weights, factors, regularization = world(3, n_rows=151, n=200, f=f)
    start = np.random.default_rng(1).standard_normal((151, f)).astype(np.float32)
    with thread_limit(1):
        products = gram(factors)
        common = (factors, products, 0.3)
        sparse = Sparse.of(weights)
        exact = solve_cholesky(sparse.csr, *common, regularization)
        near = solve_cg(sparse.csr, *common, regularization, start, 3)
    with thread_limit(2):
        np.testing.assert_array_equal(gram(factors), products)
        for first, last in [(0, 151), (0, 1), (1, 77), (77, 151)]:
            part = (sparse.part(first, last).csr, *common, regularization[first:last])
            np.testing.assert_array_equal(solve_cholesky(*part), exact[first:last])
            np.testing.assert_array_equal(solve_cg(*part, start[first:last], 3), near[first:last])


@settings(max_examples=60, deadline=None)
@given(seeds, st.floats(-4, 9), st.floats(-9, 0), st.integers(1, 60))
def test_a_row_is_close_to_the_optimum_or_it_is_marked(
    seed: int, weight: float, regularization: float, f: int
) -> None:
    """With heavy weights, weak regularization, and more factors than observations."""
    weights, factors, penalties = world(seed, f=f)
    weights *= np.float32(10**weight)
    penalties *= np.float32(10**regularization)
    csr = Sparse.of(weights).csr
    x = solve_cholesky(csr, factors, gram(factors), 0.3, penalties)
    wide = solve_double(csr, factors, 0.3, penalties.astype(np.float64))
    zero = np.zeros_like(x)
    assert np.isfinite(wide).all()
    for u in range(len(x)):
        row = slice(u, u + 1)
        best, start, single, double = (
            loss(weights[row], y[row], factors, 0.3, penalties[row])
            for y in (closed_form(weights, factors, 0.3, penalties), zero, x, wide)
        )
        assert double <= best + 1e-6 * start
        assert np.isnan(x[u]).all() or single <= best + 1e-3 * start


def test_a_system_beyond_float64_is_marked() -> None:
    weights, factors, penalties = world(3, f=60)
    csr = Sparse.of(weights * np.float32(1e30)).csr
    x = solve_double(csr, factors, 0.3, 1e-6 * penalties.astype(np.float64))
    assert np.isnan(x[weights.sum(axis=1) > 0]).all()
