"""Cold users: people of whom only features are known, against popularity."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

import shortlist as sl
from shortlist.models.base import Model

from .bench import FILMS, Bench, World, say
from .document import Section, Table
from .measure import HIT, LENGTHS, NDCG, RECALL, Measured, gap, percent, told, verdict

FOLDS = 5  # of the users: each is cold once
POPULARITY, CONTENT, HYBRID = "`Popularity`", "`ContentBased()`", "`Hybrid()`"
MODELS: dict[str, Callable[[], Model[Any, Any]]] = {
    POPULARITY: sl.Popularity,
    "Hybrid: user features": partial(sl.Hybrid.form, "user features"),
    CONTENT: sl.ContentBased,
    HYBRID: sl.Hybrid,
}


def answer(bench: Bench) -> Section:
    """Hold all choices of a fifth of the users out, five times."""
    found = {world.name: _measured(world) for world in bench}
    header = ["model"]
    for name in found:
        header += [f"{name}: HR@10", f"{name}: Recall@5", f"{name}: NDCG@10"]
    rows = [
        [
            model,
            *(str(one[model][metric]) for one in found.values() for metric in (HIT, RECALL, NDCG)),
        ]
        for model in MODELS
    ]
    return Section(
        title="Cold users",
        short="features beat popularity on both data sets.",
        tried=f"A fifth of the users lose all their choices, {FOLDS} times, so that each is cold "
        "once; the model knows their features and nothing else. All their choices are the truth: "
        "HR@10 is the share with one of them among the first 10, Recall@5 the share of (at most) "
        "5 found among the first 5.",
        found=[Table(header, rows)],
        answer=_sentence(bench, found),
    )


def _sentence(bench: Bench, found: Mapping[str, Mapping[str, Measured]]) -> str:
    tested = {
        name: {metric: gap(one[HYBRID], one[POPULARITY], metric) for metric in (RECALL, NDCG)}
        for name, one in found.items()
    }
    better = bench.claim(
        all(test.low > 0 for tests in tested.values() for test in tests.values()),
        "Features beat popularity on both data sets: `Hybrid()`, which slides to the features of a "
        "user where there is no history, by "
        + " and ".join(f"{told(tests[RECALL])} Recall@5 ({name})" for name, tests in tested.items())
        + " and by "
        + " and ".join(f"{told(tests[NDCG])} NDCG@10" for tests in tested.values())
        + ".",
    )
    content = {name: gap(one[CONTENT], one[POPULARITY], RECALL) for name, one in found.items()}
    taste = (
        "`ContentBased()`, which lists what is like the choices of people of like features, "
        + " and ".join(f"{verdict(test)} on {name}" for name, test in content.items())
        + "."
    )
    full = found[FILMS][POPULARITY].mean(HIT)
    saturated = bench.claim(
        full > 0.9,
        f"(HR@10 on {FILMS} tells little: with everything a viewer saw held out, "
        f"{percent(full)} of the lists of popular films have a hit.)",
    )
    return f"{better} {taste} {saturated}"


def _measured(world: World) -> dict[str, Measured]:
    """Give what each user got when they were cold."""
    data = world.data
    fold_of = np.random.default_rng(0).permutation(data.n_users) % FOLDS
    found = {}
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
        found[name] = Measured(values, np.zeros(len(values[HIT]), dtype=np.int64))
        say(f"         {time.perf_counter() - started:5.1f} s  {world.name}: cold, {name}")
    return found
