"""The two data sets, their splits, and the metrics of models on them, each measured once."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

import shortlist as sl
from shortlist.data.samples import generate_jobs
from shortlist.metrics.ranking import FloatArray
from shortlist.models.base import Model

from .document import Claims
from .measure import LENGTHS, Fold, Measured, Scores, of_seeds

K = TypeVar("K")

FILMS, JOBS = "ML-100K", "jobs"
SMALL = (1500, 1200)  # résumés and postings of a quick run

content_by_mean = partial(sl.ContentBased, aggregate="mean")


@dataclass(frozen=True)
class World:
    """A data set and its leave-one-out splits, one per seed."""

    name: str
    data: sl.Dataset
    order: Literal["time", "random"]
    seeds: int

    @cached_property
    def folds(self) -> list[Fold]:
        """The splits: each user's last interaction (films) or a random one (jobs) is held out."""
        return [Fold.of(*self.held_out(self.data, seed)) for seed in range(self.seeds)]

    def held_out(self, data: sl.Dataset, seed: int) -> tuple[sl.Dataset, sl.Dataset]:
        """Hold out one interaction of each user."""
        return sl.split.leave_last_out(data, order=self.order, seed=seed)


@dataclass
class Bench:
    """The data, the options and the cached results that all questions share."""

    worlds: dict[str, World]
    quick: bool
    folder: Path
    claim: Claims = field(default_factory=Claims)
    _known: dict[tuple[str, str, int], Measured] = field(default_factory=dict)

    def __iter__(self) -> Iterator[World]:
        return iter(self.worlds.values())

    def measured(
        self, world: World, model: Callable[[], Model[Any, Any]], splits: int | None = None
    ) -> Measured:
        """Fit and evaluate a model on the first splits (None: all); equal settings are run once."""
        key = (world.name, repr(model()), splits or len(world.folds))
        if key not in self._known:
            self._known[key] = _evaluated(world, model, world.folds[:splits])
        return self._known[key]

    def literal(self, world: World, name: str) -> Measured:
        """Measure a form of the notes with all neighbours; on the jobs in the first split only."""
        return self.measured(
            world, partial(sl.Hybrid.form, name), 1 if world.name == JOBS else None
        )

    def each(
        self, world: World, ways: Callable[[Fold], Iterable[tuple[K, Scores]]]
    ) -> dict[K, Measured]:
        """Measure scores that no model of the library computes.

        ``ways`` gives, for a split, the scores of its test users by the name of each way.
        """
        runs: dict[K, list[dict[str, FloatArray]]] = {}
        for fold in world.folds:
            for name, scores in ways(fold):
                runs.setdefault(name, []).append(fold.measured(scores))
        history = world.folds[0].history
        return {name: of_seeds(result, history) for name, result in runs.items()}


def _evaluated(
    world: World, model: Callable[[], Model[Any, Any]], folds: Sequence[Fold]
) -> Measured:
    started = time.perf_counter()
    reports = [
        sl.evaluate(model().fit(fold.train), fold.train, fold.test, k=LENGTHS) for fold in folds
    ]
    runs = [{name: report.per_user(name) for name in report.measures} for report in reports]
    lists = {
        name: float(np.mean([report[name] for report in reports])) for name in reports[0].catalogue
    }
    seconds = time.perf_counter() - started
    log(f"         {seconds:5.1f} s  {world.name}: {textwrap.shorten(repr(model()), 90)}")
    return of_seeds(runs, reports[0].history, lists)


def load(folder: Path, name: str, *, quick: bool, times: int = 1) -> Path:
    """Create the database of a data set, the job data ``times`` as large; return its path."""
    path = folder / f"{name}-{times}.duckdb"
    if path.exists():
        return path
    if name == FILMS:
        source, schema = sl.fetch("ml-100k"), "movies"
    else:
        sizes = SMALL if quick else (8482, 6695)
        schema = "jobs"
        source = generate_jobs(folder / f"jobs-{times}", *(times * size for size in sizes))
    with sl.Store.create(path, schema) as store:
        store.load(source)
    return path


def read(path: Path) -> sl.Dataset:
    """Read the data set of a database."""
    with sl.Store(path, read_only=True) as store:
        return store.dataset()


def log(text: str) -> None:
    """Print progress to stderr."""
    sys.stderr.write(f"{text}\n")
