"""Q9: users with two items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import shortlist as sl
from shortlist.metrics.ranking import FloatArray
from shortlist.models.base import Model

from .bench import JOBS, Bench, World, content_by_mean
from .document import Section, Table
from .measure import LENGTHS, RECALL, Figure, Measured, gap, percent, verdict

MODELS: dict[str, Callable[[], Model[Any, Any]]] = {
    "Popularity": sl.Popularity,
    "ContentBased": content_by_mean,
    "ItemCosine": sl.ItemCosine,
    "UserCosine": sl.UserCosine,
    "EASE": sl.EASE,
    "Hybrid": sl.Hybrid,
}
GROUPS = {"1 (of 2)": (1, 1), "2-4": (2, 4), "5-9": (5, 9), "10 or more": (10, 10_000)}
HELD_OUT = 0.35  # share of all interactions, in the other protocol
PUBLIC = 0.3  # share of the users on the competition's public leaderboard
CUTS = 1000


def answer(bench: Bench) -> Section:
    """Report by history, compare two protocols, and test a public leaderboard."""
    world = bench.worlds[JOBS]
    results = {name: bench.measured(world, model) for name, model in MODELS.items()}
    groups = {
        group: {
            name: result.where((low <= result.history) & (result.history <= high))
            for name, result in results.items()
        }
        for group, (low, high) in GROUPS.items()
    }
    few = next(iter(groups.values()))
    other = _held_out(world)
    counts = {group: len(next(iter(result.values())).history) for group, result in groups.items()}
    by_group = [
        [name, *(str(result[name][RECALL]) for result in groups.values())] for name in MODELS
    ]
    protocols = [[name, str(results[name][RECALL]), str(other[name])] for name in MODELS]
    return Section(
        title="Q9. Two items for many users: is item to item enough?",
        summary="not bad if items are compared by their users; poor by features alone.",
        quotes=[
            (
                "아이템 하나를 정하면, 그것과 비슷한 아이템을 추천한다. 유저별 아이템이 두개씩만 "
                "주어진 경우가 많으니까 이것도 나쁘지 않은듯?",
                "Take an item and recommend similar ones. Many users have just two items, so "
                "perhaps this is not bad?",
            )
        ],
        setup="The job data: leave one out, by the number of interactions left in training (one "
        f"of two); then {HELD_OUT:.0%} of all interactions held out at once instead; then the "
        f"users split at random into a public leaderboard ({PUBLIC:.0%}) and a private one, "
        f"{CUTS:,} times.",
        results=[
            "Recall@5 by the number of interactions left in training:",
            Table(["model", *(f"{group}: {counts[group]:,} users" for group in groups)], by_group),
            "Recall@5 by protocol (if several are held out, out of at most 5):",
            Table(["model", "one held out", f"{HELD_OUT:.0%} held out (one split)"], protocols),
        ],
        answer=_sentence(bench, few, results, other),
        reference="The reference recommends leaving one out and reporting by length of history, "
        "because participants' own validation did not agree with the leaderboard; it has no "
        "figures to compare with.",
    )


def _sentence(
    bench: Bench,
    few: Mapping[str, Measured],
    results: Mapping[str, Measured],
    other: Mapping[str, Figure],
) -> str:
    item = gap(few["ItemCosine"], few["UserCosine"], RECALL)
    content = gap(few["ContentBased"], few["ItemCosine"], RECALL)
    blend = gap(few["Hybrid"], few["ItemCosine"], RECALL)
    enough = bench.claim(
        content.high < 0 < blend.difference,
        "Not bad if items are compared by their users. With one known interaction, by Recall@5: "
        f"`ItemCosine` {verdict(item)} compared with `UserCosine`; similarity by features alone "
        f"{verdict(content)} compared with `ItemCosine`; both together, `Hybrid`, "
        f"{verdict(blend)}.",
    )
    orders = [
        sorted(MODELS, key=lambda name: -results[name].mean(RECALL)),
        sorted(MODELS, key=lambda name: -other[name].value),
    ]
    same = "the same order" if orders[0] == orders[1] else "different orders"
    top = "the same model" if orders[0][0] == orders[1][0] else "different models"
    order = f"The two protocols rank the models in {same}, with {top} first."
    kept, swapped = _boards({name: result.first[RECALL] for name, result in results.items()})
    board = (
        "The best model on the public leaderboard is the best on the private one in "
        f"{percent(kept)} of the splits, and the order of all {len(MODELS)} is the same in "
        f"{percent(swapped)}."
    )
    return f"{enough} {order} {board}"


def _held_out(world: World) -> dict[str, Figure]:
    """Hold out a share of all interactions."""
    train, test = sl.split.random(world.data, HELD_OUT, seed=0)
    results = {}
    for name, model in MODELS.items():
        report = sl.evaluate(model().fit(train), train, test, k=LENGTHS)
        results[name] = Figure(report[RECALL], *report.interval(RECALL))
    return results


def _boards(values: Mapping[str, FloatArray]) -> tuple[float, float]:
    """Return how often public and private leaderboard agree on the best, and on the order."""
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
