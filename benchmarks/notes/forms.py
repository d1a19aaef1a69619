"""Every form side by side: the notes' forms of S_user R S_item beside the plain models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import shortlist as sl
from shortlist.evaluation.significance import PairedTest
from shortlist.models.base import Model
from shortlist.models.hybrid_config import FORMS

from .bench import FILMS, JOBS, Bench, World
from .document import Section, Table
from .measure import HIT, RECALL, Measured, gap, tests, told

MODELS: dict[str, Callable[[], Model[Any, Any]]] = {
    "Popularity": sl.Popularity,
    "ContentBased": sl.ContentBased,
    "UserCosine": sl.UserCosine,
    "ItemCosine": sl.ItemCosine,
    "EASE": sl.EASE,
    "IALS": sl.IALS,
    "MatrixFactorization": sl.MatrixFactorization,
} | {f"Hybrid: {name}": partial(sl.Hybrid.form, name) for name in FORMS}
ADDITIVE = "Hybrid: additive"
PARTS = ("UserCosine", "ItemCosine", "ContentBased") + tuple(
    name for name in MODELS if name.startswith(("Hybrid: user", "Hybrid: item"))
)


def measured(bench: Bench, world: World) -> dict[str, Measured]:
    """Measure every model of the table."""
    return {name: bench.measured(world, model) for name, model in MODELS.items()}


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
    all_found = {world.name: measured(bench, world) for world in bench}
    best = {
        name: max(found, key=lambda model, found=found: found[model].mean(HIT))
        for name, found in all_found.items()
    }
    tested = {name: against(found, best[name]) for name, found in all_found.items()}
    rows = []
    for model in MODELS:
        row = [f"`{model}`" if ":" not in model else model]
        for name, found in all_found.items():
            worse = model in tested[name] and tested[name][model].real
            mark = "**" if model == best[name] else ""
            row += [f"{mark}{found[model][HIT]}{mark}{' ▾' if worse else ''}"]
            row += [str(found[model][RECALL])]
        rows.append(row)
    header = ["model"]
    for name in all_found:
        header += [f"{name}: HR@10", f"{name}: Recall@5"]
    sentences = []
    for world in bench:
        found = all_found[world.name]
        part = max(PARTS, key=lambda name, found=found: found[name].mean(HIT))
        sentences.append(_blend(bench, world, part, gap(found[ADDITIVE], found[part])))
    literal = [name for name in MODELS if " x " in name]
    one_sided = [name for name in PARTS if name.startswith("Hybrid")]
    sentences.append(
        bench.claim(
            all(
                max(found[name].mean(HIT) for name in literal)
                < max(found[name].mean(HIT) for name in one_sided)
                for found in all_found.values()
            ),
            "On both data sets the best of the two-sided products of the notes stays behind the "
            "best one-sided form.",
        )
    )
    return Section(
        title="Every form side by side",
        tried="Each form of the notes by its name in `Hybrid.form`, literally: all neighbours, "
        "diagonals kept, columns of features weighted alike, nothing tuned. `additive` is "
        "`Hybrid()`, which finds its weights on a validation fold of the training data. The "
        "other models have their defaults.",
        found=[
            Table(header, rows),
            "Bold: the best HR@10 of the column. ▾: its HR@10 is lower than the best one's in the "
            "paired t-test, p < .05 after Holm's correction over all pairs.",
        ],
        answer=" ".join(sentences),
    )


def _blend(bench: Bench, world: World, part: str, difference: PairedTest) -> str:
    """Say how the tuned blend stands to the best of what it is made of."""
    if world.name == JOBS:
        return bench.claim(
            difference.low > 0,
            f"On the job data the tuned blend is better than the best of its parts ({part}) by "
            f"{told(difference)} HR@10.",
        )
    return bench.claim(
        difference.high >= 0,
        f"On {FILMS} it is not told apart from the best of its parts ({part}): "
        f"{told(difference)}."
        if difference.low <= 0
        else f"On {FILMS} it is better than the best of its parts ({part}) by {told(difference)}.",
    )
