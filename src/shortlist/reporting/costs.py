"""What each model costs, measured in this run, and how its training went."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from shortlist.data.vocabulary import Id
from shortlist.evaluation.comparison import Comparison
from shortlist.models.base import Model
from shortlist.progress import track

BATCH = 256  # users per batch request
ROUNDS = 3  # batch requests; the fastest counts, as it is least disturbed by other processes
SINGLE = 15  # requests for one user each


def costs(comparison: Comparison) -> dict[str, Any]:
    """Time lists for test users, drawn with the seed of the comparison."""
    report = comparison[comparison.best]
    drawn = np.random.default_rng(report.seed).permutation(report.n_users)[:BATCH]
    users = report.users.take(drawn).to_pylist()
    timed = track(comparison.models.items(), "timing lists", len(comparison.models), alike=False)
    return {
        "models": {
            name: {
                "fit_seconds": comparison.fit_seconds[name],  # None: it was already fitted
                **_list_times(model, users, report.main_k),
            }
            for name, model in timed
        },
        "batch": len(users),
        "single": min(SINGLE, len(users)),
    }


def _list_times(model: Model[Any, Any], users: list[Id], k: int) -> dict[str, float]:
    """Return milliseconds per list: in the fastest batch, and singly (the median)."""
    model.recommend(users[:1], k=k)  # warm up: one-time work is not part of a list
    batch = min(_seconds(model, users, k) for _ in range(ROUNDS)) / len(users)
    single = np.median([_seconds(model, [user], k) for user in users[:SINGLE]])
    return {"batch_ms": 1000 * batch, "single_ms": 1000 * float(single)}


def _seconds(model: Model[Any, Any], users: list[Id], k: int) -> float:
    started = time.perf_counter()
    model.recommend(users, k=k)
    return time.perf_counter() - started


@dataclass(frozen=True)
class LossCurve:
    """The training losses of one model."""

    model: str
    epochs: tuple[int, ...]  # counted from 1
    losses: Mapping[str, tuple[float, ...]]  # by name (loss, validation_loss): one per epoch


def loss_curves(comparison: Comparison) -> tuple[LossCurve, ...]:
    """Collect the losses of every model with more than one epoch of history."""
    curves = []
    for name, model in comparison.models.items():
        table = model.history
        losses = {
            column: tuple(table.column(column).to_pylist())
            for column in table.column_names
            if column.endswith("loss")
            and pa.types.is_floating(table.schema.field(column).type)
            and not table.column(column).null_count
        }
        if table.num_rows > 1 and losses:
            curves.append(LossCurve(name, tuple(table.column("epoch").to_pylist()), losses))
    return tuple(curves)
