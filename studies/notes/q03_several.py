"""Q3: how to combine several items of a user."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

import shortlist as sl

from .bench import FILMS, JOBS, Bench
from .document import Section, Table
from .measure import (
    HIT,
    Fold,
    Measured,
    Scores,
    compare_with_reference,
    delta,
    gap,
    percent,
)

Rule = Callable[[Scores, NDArray[np.float32]], NDArray[np.float32]]
DECAY = 0.8  # weight of an item, relative to the next one

SUM, FADING, OR, SQUARES, MAX = "sum", "fading sum", "noisy-or", "root of squares", "max"
RULES: dict[str, Rule] = {  # of similarities (n_history, n_items), the last item first, and ages
    SUM: lambda similarity, _: similarity.sum(axis=0),
    FADING: lambda similarity, ages: (DECAY ** ages[:, np.newaxis] * similarity).sum(axis=0),
    OR: lambda similarity, _: 1 - np.prod(1 - similarity, axis=0),
    SQUARES: lambda similarity, _: np.sqrt((similarity**2).sum(axis=0)),
    MAX: lambda similarity, _: similarity.max(axis=0),
}
NEAREST = "sum, 50 neighbours"
ALL = 10_000  # more interactions than any user has
LASTS = {"the last": 1, "the last 2": 2, "the last 5": 5, "the last 10": 10, "all": ALL}
SIZES = {"1 interaction": (1, 1), "2-4": (2, 4), "5 or more": (5, ALL)}
REFERENCE = {  # HR@5 and HR@10 on films
    ("the last", SUM): (0.090, 0.140),
    ("the last 2", SUM): (0.114, 0.172),
    ("the last 2", FADING): (0.116, 0.173),
    ("the last 2", OR): (0.107, 0.171),
    ("the last 2", SQUARES): (0.106, 0.164),
    ("the last 2", MAX): (0.086, 0.147),
    ("the last 5", SUM): (0.104, 0.169),
    ("the last 5", FADING): (0.109, 0.167),
    ("all", SUM): (0.057, 0.103),
    ("all", FADING): (0.100, 0.159),
    ("all", MAX): (0.045, 0.082),
}


def answer(bench: Bench) -> Section:
    """Try the rules on films, where there is an order, and on jobs, where there is none."""
    films, jobs = bench.worlds[FILMS], bench.worlds[JOBS]
    on_films = bench.each(films, _by_last)
    on_jobs = bench.each(jobs, _of_all)
    by_size = {
        size: {rule: result.where((low <= result.history) & (result.history <= high))
               for rule, result in on_jobs.items()}
        for size, (low, high) in SIZES.items()
    }  # fmt: skip
    content = {
        aggregate: [
            bench.measured(world, partial(sl.ContentBased, aggregate=aggregate))
            if world.data.times is not None or aggregate in ("mean", "max")
            else None
            for world in bench
        ]
        for aggregate in ("mean", "max", "recency", "last")
    }
    rules = [*RULES, NEAREST]
    return Section(
        title="Q3. Two items or more: which is the basis?",
        summary="add them up, and if there is an order, give the last ones the most weight.",
        quotes=[
            (
                "유저별 아이템이 두개 이상인 경우 뭘 기준으로 할지? 여러개 계산해서 더한다?",
                "If a user has two items or more, which should be the basis? Compute several and "
                "add them up?",
            )
        ],
        setup="Cosines between items, all neighbours, combined over the user's items: all of "
        f"them or the last few; the fading sum gives an item {DECAY:g} times the weight of the "
        "next one. Then the same for similarity by features (`ContentBased`).",
        results=[
            f"{FILMS}, HR@10:",
            Table(
                ["items used", *rules],
                [[last, *(str(on_films[last, rule][HIT]) for rule in rules)] for last in LASTS],
            ),
            "Job data, which has no order, HR@10 by the number of known interactions:",
            Table(
                ["rule", "all users", *SIZES],
                [
                    [rule, str(result[HIT]), *(str(by_size[size][rule][HIT]) for size in SIZES)]
                    for rule, result in on_jobs.items()
                ],
            ),
            "Similarity by features, HR@10:",
            Table(
                ["ContentBased", *bench.worlds],
                [
                    [
                        f"`{name}`",
                        *("" if result is None else str(result[HIT]) for result in measured),
                    ]
                    for name, measured in content.items()
                ],
            ),
        ],
        answer=_sentence(bench, on_films, on_jobs),
        reference=compare_with_reference(
            {
                f"{last}, {rule}, HR@{k}": (on_films[last, rule][f"hit_rate@{k}"], figure)
                for (last, rule), figures in REFERENCE.items()
                for k, figure in zip((5, 10), figures, strict=True)
            }
        ),
    )


def _sentence(
    bench: Bench, films: Mapping[tuple[str, str], Measured], jobs: Mapping[str, Measured]
) -> str:
    good = [gap(films["the last 5", SUM], films["the last 5", MAX]), gap(jobs[SUM], jobs[MAX])]
    adding = bench.claim(
        all(test.low > 0 for test in good),
        f"Yes, add them up: the sum beats the maximum by {delta(good[0])} (films, the "
        f"last five) and {delta(good[1])} (jobs) HR@10. The mean gives the same order as the sum.",
    )
    recent = gap(films["the last 5", SUM], films["all", SUM])
    faded = gap(films["all", FADING], films["all", SUM])
    order = bench.claim(
        recent.low > 0 and faded.low > 0,
        f"If there is an order, use it: on {FILMS} the last five items alone beat all items by "
        f"{delta(recent)}, and giving old items less weight gains {delta(faded)}.",
    )
    ease = gap(films["the last 5", SUM], bench.measured(bench.worlds[FILMS], sl.EASE))
    beyond = bench.claim(
        ease.difference > 0,
        f"That simple rule differs by {delta(ease)} from `EASE`, which ignores the order. Part of "
        "it comes from the way MovieLens was used: "
        f"{percent(_same_minute(bench.worlds[FILMS].folds[0]))} of the held-out films were rated "
        "within a minute of the film before.",
    )
    return f"{adding} {order} {beyond} The job data has no times, so all items count equally."


def _same_minute(fold: Fold) -> float:
    """Compute the share of held-out interactions within a minute of the last training one."""
    train, test = fold.train, fold.test
    assert train.times is not None
    assert test.times is not None
    last = np.full(train.n_users, np.iinfo(np.int64).min)
    np.maximum.at(last, train.user_rows, train.times)
    return float((test.times - last[test.user_rows] <= 60_000_000).mean())


def _by_last(fold: Fold) -> Iterator[tuple[tuple[str, str], Scores]]:
    """Combine the last items, with all neighbours; and with the nearest only."""
    histories, similarity, near = _histories(fold), _similarity(fold, None), _similarity(fold, 50)
    for last, count in LASTS.items():
        kept = [items[:count] for items in histories]
        for name, rule in RULES.items():
            yield (last, name), _combined(kept, similarity, rule)
        yield (last, NEAREST), _combined(kept, near, RULES[SUM])


def _of_all(fold: Fold) -> Iterator[tuple[str, Scores]]:
    """Combine all items by the rules that need no order."""
    histories, similarity = _histories(fold), _similarity(fold, None)
    for name, rule in RULES.items():
        if name != FADING:
            yield name, _combined(histories, similarity, rule)


def _similarity(fold: Fold, neighbors: int | None) -> Scores:
    """Return the similarity of each item (row) to every other."""  # (n_items, n_items)
    model = sl.ItemCosine(neighbors=neighbors, weighting="binary").fit(fold.train)
    return np.asarray(model.learned.similarity.toarray(), dtype=np.float32)


def _combined(histories: Sequence[NDArray[np.int32]], similarity: Scores, rule: Rule) -> Scores:
    """Score the catalogue by the combined similarities to each history's items."""
    scores = np.empty((len(histories), len(similarity)), dtype=np.float32)
    for row, items in enumerate(histories):
        scores[row] = rule(similarity[items], np.arange(len(items), dtype=np.float32))
    return scores


def _histories(fold: Fold) -> list[NDArray[np.int32]]:
    """Return the items of every test user, the last one first; equal times in random order."""
    train = fold.train
    drawn = np.random.default_rng(0).permutation(train.n_interactions)
    since = np.zeros(train.n_interactions) if train.times is None else -train.times
    ordered = train.item_rows[np.lexsort((drawn, since, train.user_rows))]
    ends = np.cumsum(train.user_counts)
    return [ordered[ends[user] - train.user_counts[user] : ends[user]] for user in fold.users]
