"""Q9: two items a user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import shortlist as sl
from shortlist.metrics.ranking import FloatArray
from shortlist.models.base import Model

from .bench import JOBS, Bench, World
from .document import Section, Table
from .measure import LENGTHS, RECALL, Figure, Measured, gap, percent, verdict

MODELS: dict[str, Callable[[], Model[Any, Any]]] = {
    "Popularity": sl.Popularity,
    "ContentBased": sl.ContentBased,
    "ItemCosine": sl.ItemCosine,
    "UserCosine": sl.UserCosine,
    "EASE": sl.EASE,
    "Hybrid": sl.Hybrid,
}
GROUPS = {"1 (of 2)": (1, 1), "2-4": (2, 4), "5-9": (5, 9), "10 or more": (10, 10_000)}
HELD_OUT = 0.35  # of all choices, the other protocol
PUBLIC = 0.3  # of the users, on the competition's public board
CUTS = 1000


def answer(bench: Bench) -> Section:
    """Report by history, compare two protocols, and see what a public board is worth."""
    world = bench.worlds[JOBS]
    found = {name: bench.measured(world, model) for name, model in MODELS.items()}
    groups = {
        group: {
            name: one.where((low <= one.history) & (one.history <= high))
            for name, one in found.items()
        }
        for group, (low, high) in GROUPS.items()
    }
    few = next(iter(groups.values()))
    other = _held_out(world)
    counts = {group: len(next(iter(one.values())).history) for group, one in groups.items()}
    by_group = [[name, *(str(one[name][RECALL]) for one in groups.values())] for name in MODELS]
    protocols = [[name, str(found[name][RECALL]), str(other[name])] for name in MODELS]
    return Section(
        title="Q9. Two items for many users: is item to item enough?",
        short="not bad by who chose them; poor by features alone.",
        asked=[
            (
                "아이템 하나를 정하면, 그것과 비슷한 아이템을 추천한다. 유저별 아이템이 두개씩만 "
                "주어진 경우가 많으니까 이것도 나쁘지 않은듯?",
                "Take an item and recommend what is like it. Many users have just two items, so "
                "perhaps this is not bad?",
            )
        ],
        tried="The job data: leave one out, by how many choices are left in training (of two, "
        f"one); then {HELD_OUT:.0%} of all choices held out at once instead; then the users cut "
        f"at random into a public board ({PUBLIC:.0%}) and a private one, {CUTS:,} times.",
        found=[
            "Recall@5 by the choices left in training:",
            Table(["model", *(f"{group}: {counts[group]:,} users" for group in groups)], by_group),
            "Recall@5 by protocol (where several are held out, of as many as fit in 5):",
            Table(["model", "one held out", f"{HELD_OUT:.0%} held out (one split)"], protocols),
        ],
        answer=_sentence(bench, few, found, other),
        reference="It advises to leave one out and to report by length of history, since "
        "participants' own validation did not track the board; no figures of ours to compare.",
    )


def _sentence(
    bench: Bench,
    few: Mapping[str, Measured],
    found: Mapping[str, Measured],
    other: Mapping[str, Figure],
) -> str:
    item = gap(few["ItemCosine"], few["UserCosine"], RECALL)
    content = gap(few["ContentBased"], few["ItemCosine"], RECALL)
    blend = gap(few["Hybrid"], few["ItemCosine"], RECALL)
    enough = bench.claim(
        content.high < 0 < blend.difference,
        "Not bad, where likeness is by who chose them. With one choice known, by Recall@5: "
        f"`ItemCosine` {verdict(item)} against `UserCosine`; likeness by features alone "
        f"{verdict(content)} against `ItemCosine`; both together, `Hybrid`, {verdict(blend)}.",
    )
    orders = [
        sorted(MODELS, key=lambda name: -found[name].mean(RECALL)),
        sorted(MODELS, key=lambda name: -other[name].value),
    ]
    same = "the same" if orders[0] == orders[1] else "another"
    top = "the same" if orders[0][0] == orders[1][0] else "another"
    order = f"The two protocols put the models in {same} order, with {top} one first."
    kept, swapped = _boards({name: one.first[RECALL] for name, one in found.items()})
    board = (
        f"The best on the public board is the best on the private one in {percent(kept)} of the "
        f"cuts, and the order of all {len(MODELS)} stays in {percent(swapped)}."
    )
    return f"{enough} {order} {board}"


def _held_out(world: World) -> dict[str, Figure]:
    """Hold a share of all choices out."""
    train, test = sl.split.random(world.data, HELD_OUT, seed=0)
    found = {}
    for name, model in MODELS.items():
        report = sl.evaluate(model().fit(train), train, test, k=LENGTHS)
        found[name] = Figure(report[RECALL], *report.interval(RECALL))
    return found


def _boards(values: Mapping[str, FloatArray]) -> tuple[float, float]:
    """Give how often the public board has the private one's best model, and its whole order."""
    table = np.stack(list(values.values()))  # (n_models, n_users)
    rng = np.random.default_rng(0)
    n_users = table.shape[1]
    best = order = 0
    for _ in range(CUTS):
        drawn = rng.permutation(n_users)
        cut = round(PUBLIC * n_users)
        public, private = (
            np.argsort(-table[:, part].mean(axis=1), kind="stable")
            for part in (drawn[:cut], drawn[cut:])
        )
        best += public[0] == private[0]
        order += (public == private).all()
    return best / CUTS, order / CUTS
