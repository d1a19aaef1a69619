"""What a model costs: seconds to fit, milliseconds a list, measured in this run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.data.vocabulary import Id
from shortlist.models.base import Model
from shortlist.progress import track

if TYPE_CHECKING:
    from shortlist.evaluation.comparison import Comparison

TOGETHER = 256  # lists asked for at once
ROUNDS = 3  # of them; the quickest counts, as it is least disturbed by what else runs
ALONE = 15  # lists asked for one by one


@dataclass(frozen=True)
class Cost:
    """What one model costs.

    Attributes
    ----------
    model
        Its name.
    fit_seconds
        Of fitting on the training side; None for a model that came fitted.
    together_ms
        Milliseconds a list where many are asked for at once, in the quickest round.
    alone_ms
        Milliseconds for one list by itself, the median.
    """

    model: str
    fit_seconds: float | None
    together_ms: float
    alone_ms: float


@dataclass(frozen=True)
class Costs:
    """What every model costs, and how many lists were timed."""

    models: tuple[Cost, ...]
    together: int
    alone: int


def costs(comparison: Comparison) -> Costs:
    """Time lists for test users, drawn by the seed of the comparison."""
    report = comparison[comparison.best]
    drawn = np.random.default_rng(report.seed).permutation(report.n_users)[:TOGETHER]
    users = report.users.take(drawn).to_pylist()
    names = list(comparison.models)
    found = tuple(
        Cost(
            name,
            comparison.fit_seconds[name],
            *_timed(comparison.models[name], users, report.main_k),
        )
        for name in track(names, "timing lists")
    )
    return Costs(found, len(users), min(ALONE, len(users)))


def _timed(model: Model[Any, Any], users: list[Id], k: int) -> tuple[float, float]:
    """Give milliseconds a list: many at once, and one alone."""
    model.recommend(users[:1], k=k)  # what is done once is no part of a list
    together = min(_seconds(model, users, k) for _ in range(ROUNDS)) / len(users)
    alone = float(np.median([_seconds(model, [user], k) for user in users[:ALONE]]))
    return 1000 * together, 1000 * alone


def _seconds(model: Model[Any, Any], users: list[Id], k: int) -> float:
    started = time.perf_counter()
    model.recommend(users, k=k)
    return time.perf_counter() - started
