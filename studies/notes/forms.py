"""Every form side by side: the notes' forms of S_user R S_item, and the standard models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import shortlist as sl
from shortlist.metrics.paired import PairedTest
from shortlist.models.base import Model
from shortlist.models.hybrid.terms import FORMS

from .bench import FILMS, JOBS, Bench, World, content_by_mean
from .document import Section, Table
from .measure import HIT, RECALL, Measured, gap, tests, verdict

PLAIN: dict[str, Callable[[], Model[Any, Any]]] = {
    "Popularity": sl.Popularity,
    "ContentBased": content_by_mean,
    "UserCosine": sl.UserCosine,
    "ItemCosine": sl.ItemCosine,
    "EASE": sl.EASE,
    "IALS": sl.IALS,
    "MatrixFactorization": sl.MatrixFactorization,
}
LITERAL = [name for name in FORMS if name != "additive"]
ADDITIVE = "Hybrid: additive"
MODELS = [*PLAIN, *(f"Hybrid: {name}" for name in LITERAL), ADDITIVE]
PARTS = (
    "UserCosine",
    "ItemCosine",
    "ContentBased",
    *(name for name in MODELS if name.startswith(("Hybrid: user", "Hybrid: item"))),
)


def measured(bench: Bench, world: World) -> dict[str, Measured]:
    """Measure every model of the table."""
    results = {name: bench.measured(world, model) for name, model in PLAIN.items()}
    results |= {f"Hybrid: {name}": bench.literal(world, name) for name in LITERAL}
    return results | {ADDITIVE: bench.measured(world, sl.Hybrid)}


def against(models: Mapping[str, Measured], model: str, metric: str = HIT) -> dict[str, PairedTest]:
    """Compare a model with every other one, by name; p values are corrected over all pairs."""
    results = {}
    for test in tests(models, metric):
        if test.first == model:
            results[test.second] = test.reversed()
        elif test.second == model:
            results[test.first] = test
    return results


def answer(bench: Bench) -> Section:
    """Make the table of all models."""
    results = {world.name: measured(bench, world) for world in bench}
    header, columns = ["model"], []
    for name, result in results.items():
        header += [f"{name}: HR@10", f"{name}: Recall@5"]
        columns.append(_column(result))
    rows = [
        [
            f"`{model}`" if ":" not in model else model,
            *(cell for column in columns for cell in column[model]),
        ]
        for model in MODELS
    ]
    twice = [name for name in MODELS if " x " in name]
    once = [name for name in PARTS if name.startswith("Hybrid")]
    literal = bench.claim(
        all(best(result, twice)[1] < best(result, once)[1] for result in results.values()),
        "On both data sets the best two-sided product of the notes is worse than the best "
        "one-sided form.",
    )
    return Section(
        title="Every form side by side",
        summary="two-sided products are worse than one-sided forms; the tuned blend is the best "
        "model on the job data.",
        setup="Each form of the notes by its name in `Hybrid.form`, exactly as in the notes: all "
        "neighbours, diagonals kept, equal weights for all feature columns, nothing tuned (on "
        "the job data, where all pairs take minutes, only the first split). `additive` is "
        "`Hybrid()`, which tunes its weights on a validation fold of the training data. The "
        "other models use their defaults.",
        results=[
            Table(header, rows),
            "Bold: the best HR@10 of the column. ▾: its HR@10 is lower than the best one's in the "
            "paired t-test, p < .05 after Holm's correction over all pairs.",
        ],
        answer=f"{_blend(bench, results)} {literal}",
    )


def best(results: Mapping[str, Measured], names: Iterable[str]) -> tuple[str, float]:
    """Return the best of some models by HR@10, and its HR@10."""
    figures = {name: results[name].mean(HIT) for name in names}
    name = max(figures, key=figures.__getitem__)
    return name, figures[name]


def _column(results: Mapping[str, Measured]) -> dict[str, tuple[str, str]]:
    """Return the cells of one data set."""
    first, _ = best(results, results)
    tested = against(results, first)
    cells = {}
    for name, result in results.items():
        hit = f"**{result[HIT]}**" if name == first else str(result[HIT])
        worse = name != first and tested[name].real
        cells[name] = (f"{hit} ▾" if worse else hit, str(result[RECALL]))
    return cells


def _blend(bench: Bench, results: Mapping[str, Mapping[str, Measured]]) -> str:
    """Compare the tuned blend with the best of its parts."""
    parts = {name: best(result, PARTS)[0] for name, result in results.items()}
    tested = {name: gap(result[ADDITIVE], result[parts[name]]) for name, result in results.items()}
    sides = [f"{verdict(test)} on {name} ({parts[name]})" for name, test in tested.items()]
    against_parts = bench.claim(
        tested[JOBS].low > 0 and tested[FILMS].high >= 0,
        f"Compared with the best of its parts, the tuned blend {' and '.join(sides)}.",
    )
    leader = bench.claim(
        best(results[JOBS], results[JOBS])[0] == ADDITIVE,
        f"On the job data it is the best model of all; on {FILMS} that is "
        f"{best(results[FILMS], results[FILMS])[0]}.",
    )
    return f"{against_parts} {leader}"
