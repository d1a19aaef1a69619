"""Optimiser steps on the rows of a table that a batch uses, against PyTorch and plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from shortlist.kernels.embeddings import (
    ADAGRAD_EPSILON,
    ADAM_EPSILON,
    BETA1,
    BETA2,
    Batch,
    Table,
    catch_up,
    descend,
    take_step,
)
from shortlist.kernels.threads import thread_limit


def table_of(n_rows: int, width: int, seed: int = 0, step: int = 0) -> Table:
    """A table with moments of a plausible size, up to date at a step."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n_rows, width)).astype(np.float32)
    first = (rng.normal(size=(n_rows, width)) * 1e-3).astype(np.float32)
    second = (rng.random((n_rows, width)) * 1e-5).astype(np.float32)
    return Table(values, (first, second), np.full(n_rows, step))


@pytest.mark.parametrize("seed", range(5))
def test_places_of_a_batch_are_grouped_by_row_in_their_order(seed: int) -> None:
    keys = np.random.default_rng(seed).integers(0, 12, 40).astype(np.int32)
    batch = Batch.of(keys)
    assert_array_equal(batch.rows, np.unique(keys))
    for r, row in enumerate(batch.rows):
        places = batch.order[batch.indptr[r] : batch.indptr[r + 1]]
        assert_array_equal(places, np.flatnonzero(keys == row))
    assert [len(part) for part in Batch.of(keys[:0])] == [0, 1, 0]


@pytest.mark.parametrize("begun", [0, 3, 20_000])
def test_a_row_that_missed_steps_of_adam_is_where_pytorch_has_it(begun: int) -> None:
    """PyTorch moves every row at every step; here a row moves when it is used again."""
    mine = table_of(40, 9, seed=begun, step=begun)
    if begun == 0:
        for moment in mine.moments:
            moment[:] = 0
    table = torch.nn.Parameter(torch.from_numpy(mine.values.copy()))
    optimizer = torch.optim.Adam([table], 0.01)
    table.grad = torch.zeros_like(table)
    optimizer.step()
    state = optimizer.state[table]
    with torch.no_grad():
        table.copy_(torch.from_numpy(mine.values))
    state["step"].fill_(begun)
    state["exp_avg"].copy_(torch.from_numpy(mine.moments[0]))
    state["exp_avg_sq"].copy_(torch.from_numpy(mine.moments[1]))
    for _ in range(300):
        optimizer.step()
    every = np.arange(40, dtype=np.int32)
    for step in (begun + 1, begun + 2, begun + 50, begun + 300):
        catch_up(mine, every[:20], step, 0.01)
    catch_up(mine, every, begun + 300, 0.01)
    assert (mine.last_step == begun + 300).all()
    theirs = (table, state["exp_avg"], state["exp_avg_sq"])
    for ours, other in zip((mine.values, *mine.moments), theirs, strict=True):
        assert_allclose(ours, other.detach().numpy(), rtol=2e-4, atol=1e-7)


def naive_step(
    table: list[Any], row: int, gradient: Any, optimizer: str, step: int, rate: float
) -> None:
    """The step of one row by the definition of the optimiser, in float64."""
    values, *moments = table
    if optimizer == "sgd":
        values[row] -= rate * gradient
    elif optimizer == "adagrad":
        moments[0][row] += gradient**2
        values[row] -= rate * gradient / (np.sqrt(moments[0][row]) + ADAGRAD_EPSILON)
    else:
        first, second = moments
        first[row] = BETA1 * first[row] + (1 - BETA1) * gradient
        second[row] = BETA2 * second[row] + (1 - BETA2) * gradient**2
        length = np.sqrt(second[row] / (1 - BETA2**step)) + ADAM_EPSILON
        values[row] -= rate * first[row] / (1 - BETA1**step) / length


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("width", [1, 9, 64])
@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "adam"])
def test_a_step_is_that_of_the_optimiser_with_the_sum_of_a_rows_gradients(
    optimizer: Any, width: int, threads: int
) -> None:
    rng = np.random.default_rng(1)
    n_moments = {"sgd": 0, "adagrad": 1, "adam": 2}[optimizer]
    table = table_of(2000, width, step=6)
    table = table._replace(moments=table.moments[2 - n_moments :])
    keys = rng.integers(0, 1500, 3000).astype(np.int32)
    gradients = rng.normal(size=(3000, width)).astype(np.float32)
    naive = [part.astype(np.float64) for part in (table.values, *table.moments)]
    for row in np.unique(keys):
        gradient = gradients[keys == row].astype(np.float64).sum(axis=0)
        naive_step(naive, row, gradient, optimizer, 7, 0.1)
    with thread_limit(threads):
        take_step(table, Batch.of(keys), gradients, optimizer, 7, 0.1)
    for part, expected in zip((table.values, *table.moments), naive, strict=True):
        assert_allclose(part, expected, rtol=1e-4, atol=1e-6)
    assert set(table.last_step[keys]) == {7}
    assert (table.last_step[1500:] == 6).all()


def test_arguments_that_do_not_fit_are_refused() -> None:
    table, batch = table_of(5, 3), Batch.of(np.array([1, 4], np.int32))
    gradients = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match="gradients"):
        take_step(table, batch, gradients[:, :2].copy(), "adam", 1, 0.1)
    with pytest.raises(ValueError, match="rows"):
        take_step(table, Batch.of(np.array([1, 5], np.int32)), gradients, "adam", 1, 0.1)
    with pytest.raises(ValueError, match="2 moments, expected 0"):
        take_step(table, batch, gradients, "sgd", 1, 0.1)
    with pytest.raises(ValueError, match="moments"):
        catch_up(table._replace(moments=[each[:3] for each in table.moments]), batch.rows, 1, 0.1)
    with pytest.raises(ValueError, match="last_step"):
        catch_up(table._replace(last_step=table.last_step[:3]), batch.rows, 1, 0.1)
    with pytest.raises(TypeError, match=r"table\.values"):
        catch_up(table._replace(values=table.values.astype(np.float64)), batch.rows, 1, 0.1)


@pytest.mark.parametrize("biased", [False, True])
def test_descent_is_that_of_the_mean_loss_of_each_batch(biased: bool) -> None:
    """Users and items that repeat in a batch, several batches, and a last one that is shorter."""
    rng = np.random.default_rng(4)
    tables = [rng.normal(0, 0.5, (count, 5)).astype(np.float32) for count in (4, 6)]
    users = np.array([1, 0, 1, 3, 3], np.int32)
    items = np.array(
        [[2, 4, 2, 5], [0, 2, 1, 4], [5, 5, 5, 0], [1, 2, 3, 4], [4, 1, 1, 0]], np.int32
    )
    bias, expected = np.array([0.1], np.float32), [part.astype(np.float64) for part in tables]
    expected_bias, means, depth = 0.1, [], 5 - biased
    for batch in (slice(0, 2), slice(2, 4), slice(4, 5)):
        pairs = [
            (u, i, n == 0)
            for u, row in zip(users[batch], items[batch], strict=True)
            for n, i in enumerate(row)
        ]
        steps, to_bias, losses = [np.zeros_like(part) for part in expected], 0.0, []
        for u, i, chosen in pairs:
            p, q = expected[0][u], expected[1][i]
            score = expected_bias + p[:depth] @ q[:depth] + (p[depth:] + q[depth:]).sum()
            error = 1 / (1 + np.exp(-score)) - chosen
            losses.append((np.log1p(np.exp(-score if chosen else score)), p @ p + q @ q))
            steps[0][u] += 0.01 * p
            steps[1][i] += 0.01 * q
            steps[0][u, :depth] += error * q[:depth]
            steps[1][i, :depth] += error * p[:depth]
            steps[0][u, depth:] += error
            steps[1][i, depth:] += error
            to_bias += error
        means.append(np.mean(losses, axis=0))
        expected = [
            part - 0.3 * step / len(pairs) for part, step in zip(expected, steps, strict=True)
        ]
        expected_bias -= 0.3 * to_bias / len(pairs)
    losses_and_squares = descend(tables[0], tables[1], bias, users, items, 2, biased, 0.3, 0.01)
    assert_allclose(losses_and_squares, means, rtol=1e-5)
    for table, part in zip(tables, expected, strict=True):
        assert_allclose(table, part, rtol=1e-5, atol=1e-6)
    assert_allclose(bias, expected_bias, rtol=1e-5)
