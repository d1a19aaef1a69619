"""Every form side by side: the notes' forms of S_user R S_item beside the plain models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import shortlist as sl
from shortlist.metrics.paired import PairedTest
from shortlist.models.base import Model
from shortlist.models.hybrid.config import FORMS

from .bench import FILMS, JOBS, Bench, World
from .document import Section, Table
from .measure import HIT, RECALL, Measured, gap, tests, verdict

PLAIN: dict[str, Callable[[], Model[Any, Any]]] = {
    "Popularity": sl.Popularity,
    "ContentBased": sl.ContentBased,
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
    found = {name: bench.measured(world, model) for name, model in PLAIN.items()}
    found |= {f"Hybrid: {name}": bench.literal(world, name) for name in LITERAL}
    return found | {ADDITIVE: bench.measured(world, sl.Hybrid)}


def against(models: Mapping[str, Measured], one: str, metric: str = HIT) -> dict[str, PairedTest]:
    """Compare one model with each other one, by the other's name; corrected over all pairs."""
    found = {}
    for test in tests(models, metric):
        if test.first == one:
            found[test.second] = test.reversed()
        elif test.second == one:
            found[test.first] = test
    return found


def answer(bench: Bench) -> Section:
    """Give the table."""
    found = {world.name: measured(bench, world) for world in bench}
    header, columns = ["model"], []
    for name, one in found.items():
        header += [f"{name}: HR@10", f"{name}: Recall@5"]
        columns.append(_column(one))
    rows = [
        [
            f"`{model}`" if ":" not in model else model,
            *(cell for one in columns for cell in one[model]),
        ]
        for model in MODELS
    ]
    twice = [name for name in MODELS if " x " in name]
    once = [name for name in PARTS if name.startswith("Hybrid")]
    literal = bench.claim(
        all(best(one, twice)[1] < best(one, once)[1] for one in found.values()),
        "On both data sets the best two-sided product of the notes stays behind the best "
        "one-sided form.",
    )
    return Section(
        title="Every form side by side",
        short="two-sided products stay behind one-sided forms; the tuned blend is the best "
        "model on the job data.",
        tried="Each form of the notes by its name in `Hybrid.form`, literally: all neighbours, "
        "diagonals kept, columns of features weighted alike, nothing tuned (on the job data, where "
        "all pairs take minutes, in the first split only). `additive` is "
        "`Hybrid()`, which finds its weights on a validation fold of the training data. The "
        "other models have their defaults.",
        found=[
            Table(header, rows),
            "Bold: the best HR@10 of the column. ▾: its HR@10 is lower than the best one's in the "
            "paired t-test, p < .05 after Holm's correction over all pairs.",
        ],
        answer=f"{_blend(bench, found)} {literal}",
    )


def best(found: Mapping[str, Measured], names: Iterable[str]) -> tuple[str, float]:
    """Give the best of these by HR@10, and that."""
    figures = {name: found[name].mean(HIT) for name in names}
    name = max(figures, key=figures.__getitem__)
    return name, figures[name]


def _column(found: Mapping[str, Measured]) -> dict[str, tuple[str, str]]:
    """Write the figures of one data set."""
    first, _ = best(found, found)
    tested = against(found, first)
    cells = {}
    for name, one in found.items():
        hit = f"**{one[HIT]}**" if name == first else str(one[HIT])
        worse = name != first and tested[name].real
        cells[name] = (f"{hit} ▾" if worse else hit, str(one[RECALL]))
    return cells


def _blend(bench: Bench, found: Mapping[str, Mapping[str, Measured]]) -> str:
    """Say how the tuned blend stands to the best of what it is made of."""
    parts = {name: best(one, PARTS)[0] for name, one in found.items()}
    tested = {name: gap(one[ADDITIVE], one[parts[name]]) for name, one in found.items()}
    sides = [f"{verdict(test)} on {name} ({parts[name]})" for name, test in tested.items()]
    against_parts = bench.claim(
        tested[JOBS].low > 0 and tested[FILMS].high >= 0,
        f"Against the best of its parts, the tuned blend {' and '.join(sides)}.",
    )
    leader = bench.claim(
        best(found[JOBS], found[JOBS])[0] == ADDITIVE,
        f"On the job data it is the best model of all; on {FILMS} that is "
        f"{best(found[FILMS], found[FILMS])[0]}.",
    )
    return f"{against_parts} {leader}"
