"""The pieces that networks are trained with: products, groups, optimisers, and plain descent."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import pytest
import torch
from numba.core import types
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from shortlist.kernels import logistic, ncf_rows, updates
from shortlist.kernels.compile import Vector, kernel
from shortlist.kernels.threads import thread_limit
from shortlist.kernels.tiles import add_product, padded, stride

Out = Annotated[NDArray[np.float32], types.float32[::1]]


@kernel
def product(
    left: Vector, left_row: int, left_step: int, n_rows: int, right: Vector, right_step: int,
    n_columns: int, depth: int, out: Out, out_row: int,
) -> None:  # fmt: skip
    add_product(
        left, 0, left_row, left_step, n_rows, right, 0, right_step, n_columns, depth,
        out, 0, out_row,
    )  # fmt: skip


@pytest.mark.parametrize(("n", "d", "m"), [(1, 1, 1), (6, 3, 16), (7, 40, 17), (96, 64, 32)])
@pytest.mark.parametrize("turned", [False, True])
def test_products_of_either_layout_are_added(n: int, d: int, m: int, turned: bool) -> None:
    rng = np.random.default_rng(0)
    right = rng.normal(size=(d, stride(m))).astype(np.float32)
    shape = (d, stride(n)) if turned else (padded(n), stride(d))
    left = rng.normal(size=shape).astype(np.float32)
    steps = (1, shape[1]) if turned else (shape[1], 1)
    before = rng.normal(size=(padded(n), stride(m))).astype(np.float32)
    out = before.copy().reshape(-1)
    product(left.reshape(-1), *steps, n, right.reshape(-1), stride(m), m, d, out, stride(m))
    matrix = (left[:, :n].T if turned else left[:n, :d]).astype(np.float64)
    expected = before[:n, :m] + matrix @ right[:, :m].astype(np.float64)
    assert_allclose(out.reshape(before.shape)[:n, :m], expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_examples_are_grouped_by_key_in_their_order(seed: int) -> None:
    keys = np.random.default_rng(seed).integers(0, 12, 40).astype(np.int32)
    places = np.full(15, -1, np.int32)
    rows, slots, order = (np.zeros(40, np.int32) for _ in range(3))
    pointers = np.zeros(41, np.int64)
    count = ncf_rows.grouped(keys, places, rows, slots, pointers, order)
    assert list(rows[:count]) == list(dict.fromkeys(keys.tolist()))
    assert_array_equal(rows[slots], keys)
    for r in range(count):
        members = order[pointers[r] : pointers[r + 1]]
        assert_array_equal(members, np.flatnonzero(keys == rows[r]))
    assert (places == -1).all()


@pytest.mark.parametrize("begun", [0, 3, 20_000])
def test_a_row_that_adam_left_alone_is_where_pytorch_has_it(begun: int) -> None:
    """PyTorch moves every row at every step; here a row moves when it is looked at again."""
    rng = np.random.default_rng(begun)
    table = torch.nn.Parameter(torch.from_numpy(rng.normal(size=(40, 9)).astype(np.float32)))
    optimizer = torch.optim.Adam([table], 0.01)
    table.grad = torch.zeros_like(table)
    optimizer.step()
    state = optimizer.state[table]
    state["step"].fill_(begun)
    state["exp_avg"].copy_(torch.from_numpy(rng.normal(size=(40, 9)) * 1e-3))
    state["exp_avg_sq"].copy_(torch.from_numpy(rng.random((40, 9)) * 1e-5))
    if begun == 0:
        state["exp_avg"].zero_()
        state["exp_avg_sq"].zero_()
    mine = [one.detach().numpy().copy() for one in (table, state["exp_avg"], state["exp_avg_sq"])]
    touched = np.full(40, begun)
    for _ in range(300):
        optimizer.step()
    to_come = updates.drift(begun, begun + 300)
    for step in (begun + 1, begun + 2, begun + 50, begun + 300):
        updates.bring_up_to_date(mine[0], mine[1], mine[2], touched, step, begun, to_come, 0.01)
    assert (touched == begun + 300).all()
    theirs = (table, state["exp_avg"], state["exp_avg_sq"])
    for one, other in zip(mine, theirs, strict=True):
        assert_allclose(one, other.detach().numpy(), rtol=2e-4, atol=1e-7)


def naive_descent(
    users: Any, items: Any, group: int, blocks: Any, rows: Any, bias: float, biased: bool,
    rate: float, penalty: float,
) -> tuple[float, float]:  # fmt: skip
    """A step for every sample, one after another, in the order that the rounds give them."""
    of_sample, total = np.repeat(users, group), 0.0
    depth = rows[0].shape[1] - biased
    for turn in range(logistic.BLOCKS):
        copies = []
        for block in range(logistic.BLOCKS):
            own = bias
            other = (block + turn) % logistic.BLOCKS
            for n in range(len(items)):
                if blocks[0][of_sample[n]] != block or blocks[1][items[n]] != other:
                    continue
                p, q = rows[0][of_sample[n]], rows[1][items[n]]
                x = own + p[:depth] @ q[:depth] + (p[depth] + q[depth] if biased else 0.0)
                positive = n % group == 0
                total += np.log1p(np.exp(-x if positive else x))
                error = 1 / (1 + np.exp(-x)) - positive
                to_p, to_q = error * q, error * p
                if biased:
                    to_p[depth] = to_q[depth] = error
                    own -= rate * error
                p -= rate * (to_p + penalty * rows[0][of_sample[n]])
                q -= rate * (to_q + penalty * rows[1][items[n]])
            copies.append(own)
        bias = float(np.mean(copies))
    return total, bias


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_descent_is_a_step_for_every_sample_whatever_the_threads(
    biased: bool, threads: int
) -> None:
    rng = np.random.default_rng(1)
    users = rng.integers(0, 50, 300).astype(np.int32)
    items = rng.integers(0, 30, 900).astype(np.int32)
    blocks = [rng.integers(0, logistic.BLOCKS, n).astype(np.int32) for n in (50, 30)]
    rows = [rng.normal(size=(n, 11)).astype(np.float32) for n in (50, 30)]
    naive = [one.astype(np.float64) for one in rows]
    expected = naive_descent(users, items, 3, blocks, naive, 0.3, biased, 0.05, 0.1)
    with thread_limit(threads):
        found = logistic.descend_samples(
            users, items, 3, blocks[0], blocks[1], rows[0], rows[1], 0.3, biased, 0.05, 0.1
        )
    assert_allclose(found, expected, rtol=1e-5)
    for one, other in zip(rows, naive, strict=True):
        assert_allclose(one, other, atol=1e-5)
