from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_worlds import Sparse, seeds, sparse_floats
from numpy.typing import NDArray

from shortlist.kernels.als import solve_cg, solve_exact
from shortlist.kernels.products import gram, multiply
from shortlist.kernels.ridge import solve_double
from shortlist.kernels.threads import thread_limit
from shortlist.kernels.types import Csr

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
    factors = turned((rng.standard_normal((n, f)) / 3).astype(np.float32))
    regularization = rng.uniform(0.5, 2, n_rows).astype(np.float32)
    return weights, factors, regularization


def turned(factors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn factors into the eigenbasis of their Gram matrix, in float64."""
    wide = factors.astype(np.float64)
    found: NDArray[np.float32] = (wide @ np.linalg.eigh(wide.T @ wide)[1]).astype(np.float32)
    return found


def shared(factors: NDArray[np.float32], unobserved: float) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.float32(unobserved) * np.square(factors).sum(axis=0)
    return found


def by_steps(
    csr: Csr, factors: NDArray[np.float32], common: NDArray[np.float32], weak: NDArray[np.float32]
) -> NDArray[np.float32]:
    start = np.ones((len(weak), factors.shape[1]), np.float32)
    return solve_cg(csr, factors, common, weak, start, 40)[0]


Solver = Callable[..., NDArray[np.float32]]
SOLVERS: dict[str, Solver] = {"exact": lambda *system: solve_exact(*system)[0], "cg": by_steps}


@pytest.mark.parametrize("solve", SOLVERS.values(), ids=SOLVERS)
@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(0, 20), st.integers(0, 90), st.integers(1, 40))
def test_solvers_are_the_closed_form(solve: Solver, seed: int, n_rows: int, n: int, f: int) -> None:
    weights, factors, regularization = world(seed, n_rows, n, f)
    x = solve(Sparse.of(weights).csr, factors, shared(factors, 0.3), regularization)
    exact = closed_form(weights, factors, 0.3, regularization)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, exact, rtol=1e-4, atol=1e-5)
    assert (x[weights.sum(axis=1) == 0] == 0).all()


@pytest.mark.parametrize("solve", SOLVERS.values(), ids=SOLVERS)
@pytest.mark.parametrize("f", [8, 48, 64, 67, 130])
def test_wide_factors_and_long_rows_are_the_closed_form(solve: Solver, f: int) -> None:
    weights, factors, regularization = world(f, n_rows=7, n=500, f=f)
    weights[0] = 1.0  # everything observed
    x = solve(Sparse.of(weights).csr, factors, shared(factors, 0.3), regularization)
    exact = closed_form(weights, factors, 0.3, regularization)
    np.testing.assert_allclose(x, exact, rtol=1e-4, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(1, 20), st.integers(1, 90), st.integers(1, 40), st.integers(0, 5))
def test_losses_are_those_of_the_rows(seed: int, n_rows: int, n: int, f: int, steps: int) -> None:
    weights, factors, regularization = world(seed, n_rows, n, f)
    common = Sparse.of(weights).csr, factors, shared(factors, 0.3), regularization
    start = np.random.default_rng(seed).standard_normal((n_rows, f)).astype(np.float32)
    for x, losses in (solve_cg(*common, start, steps), solve_exact(*common)):
        for u in np.flatnonzero(weights.sum(axis=1)):
            row = slice(u, u + 1)
            expected = loss(weights[row], x[row], factors, 0.3, regularization[row])
            first = loss(weights[row], start[row], factors, 0.3, regularization[row])
            assert losses[u] == pytest.approx(expected, rel=1e-5, abs=1e-6 * first)
        assert (losses[weights.sum(axis=1) == 0] == 0).all()


def test_rows_stop_where_the_wanted_share_of_their_excess_loss_is_left() -> None:
    weights, factors, regularization = world(4, n_rows=40, n=200, f=60)
    common = Sparse.of(weights).csr, factors, shared(factors, 0.3), regularization
    start = np.random.default_rng(1).standard_normal((40, 60)).astype(np.float32)
    least, first = solve_exact(*common)[1], solve_cg(*common, start, 0)[1]
    excess = [
        (solve_cg(*common, start, steps, left)[1] - least) / (first - least)
        for steps, left in ((1, 0.02), (2, 0.02), (9, 0.02), (9, 0.0))
    ]
    assert (excess[0] > excess[2]).any()  # one step is not enough everywhere
    assert (excess[2] <= 0.05).all()  # the residual only bounds the loss
    assert excess[2].mean() > 10 * excess[3].mean()


def test_gradient_of_the_naive_loss_is_zero_at_the_solution() -> None:
    weights, factors, regularization = world(2)
    x, _ = solve_exact(Sparse.of(weights).csr, factors, shared(factors, 0.2), regularization)
    predicted = x.astype(np.float64) @ factors.astype(np.float64).T
    w = weights.astype(np.float64)
    pulls = -2 * w * (1 - predicted) + 2 * 0.2 * predicted
    gradient = pulls @ factors.astype(np.float64) + 2 * regularization[:, None] * x
    size = 2 * np.abs(w) @ np.abs(factors.astype(np.float64))  # of the terms that cancel
    assert (np.abs(gradient) <= 1e-5 * size.max()).all()


@pytest.mark.parametrize("solver", ["exact", "cg"])
def test_half_steps_never_raise_the_loss(solver: str) -> None:
    rng = np.random.default_rng(0)
    weights = sparse_floats(rng, (50, 35))
    turned_weights = np.ascontiguousarray(weights.T)
    by_user, by_item = Sparse.of(weights), Sparse.of(turned_weights)
    x = (rng.standard_normal((50, 6)) / 10).astype(np.float32)
    y = (rng.standard_normal((35, 6)) / 10).astype(np.float32)
    ones, items = np.ones(50, np.float32), np.ones(35, np.float32)

    def total() -> float:
        return loss(weights, x, y, 0.1, ones) + float((y.astype(np.float64) ** 2).sum())

    history = [total()]
    for _ in range(8):
        for side in ("users", "items"):
            if side == "users":
                fixed, sparse, regularization, mine = y, by_user, ones, x
            else:
                fixed, sparse, regularization, mine = x, by_item, items, y
            basis = np.linalg.eigh(gram(fixed))[1].astype(np.float32)
            fixed, mine = multiply(fixed, basis), multiply(mine, basis)
            common = (sparse.csr, fixed, shared(fixed, 0.1), regularization)
            new = (solve_exact(*common) if solver == "exact" else solve_cg(*common, mine, 2))[0]
            x, y = (new, fixed) if side == "users" else (fixed, new)
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
        y = turned(y)
        x = turned(solve_exact(sparse.csr, y, shared(y, 0.5), light)[0])
        y = solve_exact(sparse.csr, x, shared(x, 0.5), light)[0]
    predicted = x @ y.T
    assert predicted[weights == 1].min() > 0.6  # 1 / (1 + .5) without regularisation
    assert np.abs(predicted[weights == 0]).max() < 0.05


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(0, 600), st.integers(1, 70))
def test_gram_is_the_product(seed: int, n: int, f: int) -> None:
    factors = np.random.default_rng(seed).standard_normal((n, f)).astype(np.float32)
    v = factors.astype(np.float64)
    scale = np.abs(v).T @ np.abs(v)
    assert (np.abs(gram(factors) - v.T @ v) <= 1e-6 * scale + 1e-7).all()


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(0, 200), st.integers(1, 70))
def test_multiply_is_the_product(seed: int, n: int, f: int) -> None:
    rng = np.random.default_rng(seed)
    factors, square = (rng.standard_normal((m, f)).astype(np.float32) for m in (n, f))
    v, s = factors.astype(np.float64), square.astype(np.float64)
    assert (np.abs(multiply(factors, square) - v @ s) <= 1e-6 * (np.abs(v) @ np.abs(s))).all()


@pytest.mark.parametrize("f", [5, 16, 33, 300])
def test_nothing_depends_on_threads_or_batches(f: int) -> None:
    weights, factors, regularization = world(3, n_rows=151, n=400, f=f)
    start = np.random.default_rng(1).standard_normal((151, f)).astype(np.float32)
    square = np.random.default_rng(2).standard_normal((f, f)).astype(np.float32)
    common = (factors, shared(factors, 0.3))
    with thread_limit(1):
        squares, product = gram(factors), multiply(start, square)
        sparse = Sparse.of(weights)
        exact, least = solve_exact(sparse.csr, *common, regularization)
        near, losses = solve_cg(sparse.csr, *common, regularization, start, 3)
    with thread_limit(2):
        np.testing.assert_array_equal(gram(factors), squares)
        for first, last in [(0, 151), (0, 1), (1, 77), (77, 151)]:
            rows = slice(first, last)
            part = (sparse.part(first, last).csr, *common, regularization[rows])
            np.testing.assert_array_equal(multiply(start[rows], square), product[rows])
            for found, expected in (
                (solve_exact(*part), (exact, least)),
                (solve_cg(*part, start[rows], 3), (near, losses)),
            ):
                np.testing.assert_array_equal(found[0], expected[0][rows])
                np.testing.assert_array_equal(found[1], expected[1][rows])


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
    x, _ = solve_exact(csr, factors, shared(factors, 0.3), penalties)
    products = 0.3 * np.square(factors.astype(np.float64)).sum(axis=0)
    wide = solve_double(csr, factors, products, penalties.astype(np.float64))
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
    products = 0.3 * np.square(factors.astype(np.float64)).sum(axis=0)
    x = solve_double(csr, factors, products, 1e-6 * penalties.astype(np.float64))
    assert np.isnan(x[weights.sum(axis=1) > 0]).all()
