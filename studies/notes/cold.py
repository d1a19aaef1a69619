"""Cold users: recommendations from features only, compared with popularity."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

import shortlist as sl
from shortlist.models.base import Model

from .bench import FILMS, Bench, World, log
from .document import Section, Table
from .measure import HIT, LENGTHS, NDCG, RECALL, Measured, delta, gap, percent, verdict

FOLDS = 5  # each user is cold in one of them
POPULARITY, CONTENT, HYBRID = "`Popularity`", "`ContentBased()`", "`Hybrid()`"
MODELS: dict[str, Callable[[], Model[Any, Any]]] = {
    POPULARITY: sl.Popularity,
    "Hybrid: user features": partial(sl.Hybrid.form, "user features"),
    CONTENT: sl.ContentBased,
    HYBRID: sl.Hybrid,
}


def answer(bench: Bench) -> Section:
    """Hold out all interactions of a fifth of the users, five times."""
    results = {world.name: _measured(world) for world in bench}
    header = ["model"]
    for name in results:
        header += [f"{name}: HR@10", f"{name}: Recall@5", f"{name}: NDCG@10"]
    rows = [
        [
            model,
            *(
                str(result[model][metric])
                for result in results.values()
                for metric in (HIT, RECALL, NDCG)
            ),
        ]
        for model in MODELS
    ]
    return Section(
        title="Cold users",
        summary="features beat popularity on both data sets.",
        setup=f"All interactions of a fifth of the users are held out, {FOLDS} times, so that "
        "each user is cold once; the model knows only their features. HR@10 is the share of "
        "users with one of their held-out items among the first 10, Recall@5 the share of (at "
        "most) 5 of them found among the first 5.",
        results=[Table(header, rows)],
        answer=_sentence(bench, results),
    )


def _sentence(bench: Bench, results: Mapping[str, Mapping[str, Measured]]) -> str:
    tested = {
        name: {metric: gap(result[HYBRID], result[POPULARITY], metric) for metric in (RECALL, NDCG)}
        for name, result in results.items()
    }
    better = bench.claim(
        all(test.low > 0 for tests in tested.values() for test in tests.values()),
        "Features beat popularity on both data sets: `Hybrid()`, which uses the features of "
        "users without a history, by "
        + " and ".join(
            f"{delta(tests[RECALL])} Recall@5 ({name})" for name, tests in tested.items()
        )
        + " and by "
        + " and ".join(f"{delta(tests[NDCG])} NDCG@10" for tests in tested.values())
        + ".",
    )
    content = {
        name: gap(result[CONTENT], result[POPULARITY], RECALL) for name, result in results.items()
    }
    taste = (
        "`ContentBased()`, which lists items similar to those of users with similar features, "
        + " and ".join(f"{verdict(test)} on {name}" for name, test in content.items())
        + "."
    )
    full = results[FILMS][POPULARITY].mean(HIT)
    saturated = bench.claim(
        full > 0.9,
        f"(HR@10 on {FILMS} says little: with all films of a user held out, "
        f"{percent(full)} of the lists of popular films have a hit.)",
    )
    return f"{better} {taste} {saturated}"


def _measured(world: World) -> dict[str, Measured]:
    """Compute the metrics of each user in the fold where the user is cold."""
    data = world.data
    fold_of = np.random.default_rng(0).permutation(data.n_users) % FOLDS
    results = {}
    for name, model in MODELS.items():
        started = time.perf_counter()
        reports = []
        for fold in range(FOLDS):
            cold = (fold_of == fold)[data.user_rows]
            train, test = data.select(~cold), data.select(cold)
            reports.append(sl.evaluate(model().fit(train), train, test, k=LENGTHS))
        values = {
            metric: np.concatenate([report.per_user(metric) for report in reports])
            for metric in (HIT, RECALL, NDCG)
        }
        results[name] = Measured(values, np.zeros(len(values[HIT]), dtype=np.int64))
        log(f"         {time.perf_counter() - started:5.1f} s  {world.name}: cold, {name}")
    return results
