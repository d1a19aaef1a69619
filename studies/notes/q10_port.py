"""Q10: whether a port from TensorFlow to PyTorch computes the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

import shortlist as sl
from shortlist.models.factorization.training import (
    Cells,
    cross_entropy,
    fused_error,
    gravity,
    mean_squared_length,
    observed_error,
)

from .bench import FILMS, Bench
from .document import Section, Table

DIMENSIONS, STD, RATE = 30, 0.05, 10.0  # run (b) of the course
STEPS = 100  # of descent, compared
TIMED = 20  # steps of which each is timed
BLOCK = 64  # users of the cross-entropy

Doubles = NDArray[np.float64]
Losses = Mapping[str, tuple[float, Doubles, Doubles]]  # value, gradient by U, gradient by V


def answer(bench: Bench) -> Section:
    """Compare losses, gradients and a whole descent with NumPy in float64."""
    data = bench.worlds[FILMS].data
    rng = np.random.default_rng(0)
    u, v = (rng.normal(0, STD, (n, DIMENSIONS)) for n in (data.n_users, data.n_items))
    exact = by_hand(data, u, v)
    double, single = (by_torch(data, u, v, dtype) for dtype in (torch.float64, torch.float32))
    rows = [
        [
            name,
            *(
                f"{figure:.0e}"
                for result in (double, single)
                for figure in _errors(exact[name], result[name])
            ),
        ]
        for name in exact
    ]
    descent, by_library = _descents(data)
    apart = float(np.abs(by_library / descent - 1).max())
    times = _times(data, u, v)
    error = _notes_code()
    worst = max(max(_errors(exact[name], double[name])) for name in exact)
    return Section(
        title="Q10. Is the code the same after porting it to PyTorch?",
        summary="the notes' port does not run; the library's numbers equal those of the formulas.",
        quotes=[
            (
                "텐서플로로 작성된 코드를 파이토치로 바꿔달라고 챗지피티한테",
                "I asked ChatGPT to turn the code written in TensorFlow into PyTorch.",
            )
        ],
        setup=f"Every loss and its gradients at fixed U and V ({DIMENSIONS} dimensions, {FILMS}) "
        f"against the formulas in NumPy float64; then {STEPS} steps of gradient "
        "descent, the course's run (b), against the same steps in NumPy.",
        results=[
            Table(
                ["largest relative difference", "value, float64", "gradients, float64",
                 "value, float32", "gradients, float32"],
                rows,
            ),
            Table(
                ["a step of the notes' main line, forward and backward", "ms"],
                [[name, f"{1000 * seconds:.1f}"] for name, seconds in times.items()],
            ),
        ],
        answer=" ".join(
            [
                bench.claim(
                    error is not None,
                    "The ported code of the notes does not run: U and V are made without "
                    f"`requires_grad`, and `backward()` fails with \"{error}\".",
                ),
                bench.claim(
                    worst < 1e-12 and apart < 1e-4,
                    "The library's losses and gradients equal those of the formulas (within "
                    f"{worst:.0e} in float64), and {STEPS} steps of descent have the same losses "
                    f"within {apart:.0e}. To find errors in a port, compare numbers, not code.",
                ),
            ]
        ),
        reference="The reference asks for this check; the library's tests include it. `python "
        "benchmarks/google_course.py` compares the four runs of the course with its figures.",
    )  # fmt: skip


def by_hand(data: sl.Dataset, u: Doubles, v: Doubles) -> Losses:
    """Compute losses and gradients by their formulas in NumPy."""
    rows, columns = data.user_rows, data.item_rows
    n_users, n_items, n_cells = data.n_users, data.n_items, data.n_interactions
    left = data.weights.astype(np.float64) - (u[rows] * v[columns]).sum(axis=1)
    to_u, to_v = np.zeros_like(u), np.zeros_like(v)
    np.add.at(to_u, rows, -2 / n_cells * left[:, np.newaxis] * v[columns])
    np.add.at(to_v, columns, -2 / n_cells * left[:, np.newaxis] * u[rows])
    every = u @ v.T  # (n_users, n_items), which the library never builds
    pull = 2 / (n_users * n_items)
    labels = _labels(data)
    logits = u[:BLOCK] @ v.T
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    entropy = -np.log(chances[np.arange(BLOCK), labels]).mean()
    chances[np.arange(BLOCK), labels] -= 1
    to_block = np.zeros_like(u)
    to_block[:BLOCK] = chances @ v / BLOCK
    return {
        "mean squared error on known cells": (float((left**2).mean()), to_u, to_v),
        "mean squared lengths": (
            float((u**2).sum() / n_users + (v**2).sum() / n_items),
            2 / n_users * u,
            2 / n_items * v,
        ),
        "gravity": (float((every**2).mean()), pull * every @ v, pull * every.T @ u),
        "cross-entropy": (float(entropy), to_block, chances.T @ u[:BLOCK] / BLOCK),
    }


def by_torch(data: sl.Dataset, u: Doubles, v: Doubles, dtype: torch.dtype) -> Losses:
    """Compute them by the library and autograd; in float32 with the fused error on known cells."""
    cells = Cells.of(data)
    error = fused_error if dtype == torch.float32 else observed_error
    if dtype == torch.float64:
        cells = Cells(cells.users, cells.items, cells.values.double(), cells.shape)
    labels = torch.from_numpy(_labels(data))
    losses: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
        "mean squared error on known cells": partial(error, cells=cells),
        "mean squared lengths": lambda u, v: mean_squared_length(u) + mean_squared_length(v),
        "gravity": gravity,
        "cross-entropy": lambda u, v: cross_entropy(u[:BLOCK], v, None, labels),
    }
    results = {}
    for name, loss in losses.items():
        users, items = (torch.tensor(side, dtype=dtype, requires_grad=True) for side in (u, v))
        value = loss(users, items)
        to_users, to_items = torch.autograd.grad(value, (users, items))
        results[name] = (
            float(value.detach()),
            to_users.double().numpy(),
            to_items.double().numpy(),
        )
    return results


def _labels(data: sl.Dataset) -> NDArray[np.int64]:
    """Return the first item of each of the first users."""
    starts = np.concatenate([[0], np.cumsum(data.user_counts)])[:BLOCK]
    return np.asarray(data.item_rows[starts], dtype=np.int64)


def _errors(
    exact: tuple[float, Doubles, Doubles], results: tuple[float, Doubles, Doubles]
) -> tuple[float, float]:
    """Return the relative differences of the value and of the gradients."""
    value = abs(results[0] / exact[0] - 1)
    gradients = [
        float(np.abs(gradient - expected).max() / np.abs(expected).max())
        for gradient, expected in zip(results[1:], exact[1:], strict=True)
    ]
    return value, max(gradients)


def _descents(data: sl.Dataset) -> tuple[Doubles, Doubles]:
    """Return the loss before each step, in NumPy and by the library, from the same start."""
    model = sl.MatrixFactorization(
        loss="observed", embedding_size=DIMENSIONS, init_std=STD, optimizer="sgd",
        learning_rate=RATE, epochs=STEPS,
    ).fit(data)  # fmt: skip
    rng = np.random.default_rng(0)  # as the library draws them: users, then items
    u, v = (
        rng.normal(0, STD, (n, DIMENSIONS)).astype(np.float32).astype(np.float64)
        for n in (data.n_users, data.n_items)
    )
    losses = []
    for _ in range(STEPS):
        value, to_u, to_v = by_hand(data, u, v)["mean squared error on known cells"]
        losses.append(value)
        u, v = u - RATE * to_u, v - RATE * to_v
    return np.array(losses), np.asarray(model.history["loss"].to_numpy(), dtype=np.float64)


def _times(data: sl.Dataset, u: Doubles, v: Doubles) -> dict[str, float]:
    """Return the shortest time of a step by plain autograd and by the compiled kernel."""
    cells = Cells.of(data)
    results = {}
    for name, error in {
        "plain autograd, as in the notes": observed_error,
        "one compiled pass, as in the library": fused_error,
    }.items():
        users, items = (
            torch.tensor(side, dtype=torch.float32, requires_grad=True) for side in (u, v)
        )
        seconds = []
        for _ in range(TIMED):
            started = time.perf_counter()
            torch.autograd.grad(error(users, items, cells), (users, items))
            seconds.append(time.perf_counter() - started)
        results[name] = min(seconds)
    return results


def _notes_code() -> str | None:
    """Run the ported code, and return the first line of its error."""
    u = torch.randn([4, 3], dtype=torch.float32) * STD
    v = torch.randn([5, 3], dtype=torch.float32) * STD
    loss = torch.mean((u[[0, 1]] * v[[2, 3]]).sum(1) ** 2)
    try:
        torch.autograd.backward(loss)
    except RuntimeError as error:
        return str(error).partition("\n")[0]
    return None
