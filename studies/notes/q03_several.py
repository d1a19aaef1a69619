"""Q3: what to go by where somebody chose several items."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

import shortlist as sl

from .bench import FILMS, JOBS, Bench
from .document import Section, Table
from .measure import HIT, Fold, Measured, Scores, beside, gap, percent, told

Rule = Callable[[Scores, NDArray[np.float32]], NDArray[np.float32]]
DECAY = 0.8  # what an item counts beside the one chosen after it

SUM, FADING, OR, SQUARES, MAX = "sum", "fading sum", "noisy-or", "root of squares", "max"
RULES: dict[str, Rule] = {  # of likenesses (n_chosen, n_items), the last choice first, and ages
    SUM: lambda likeness, _: likeness.sum(axis=0),
    FADING: lambda likeness, ages: (DECAY ** ages[:, np.newaxis] * likeness).sum(axis=0),
    OR: lambda likeness, _: 1 - np.prod(1 - likeness, axis=0),
    SQUARES: lambda likeness, _: np.sqrt((likeness**2).sum(axis=0)),
    MAX: lambda likeness, _: likeness.max(axis=0),
}
NEAREST = "sum, 50 neighbours"
ALL = 10_000  # choices: more than anybody has
LASTS = {"the last": 1, "the last 2": 2, "the last 5": 5, "the last 10": 10, "all": ALL}
SIZES = {"1 choice": (1, 1), "2-4": (2, 4), "5 or more": (5, ALL)}
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
        size: {rule: one.where((low <= one.history) & (one.history <= high))
               for rule, one in on_jobs.items()}
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
        short="add them up, and where there is an order let the last ones count most.",
        asked=[
            (
                "유저별 아이템이 두개 이상인 경우 뭘 기준으로 할지? 여러개 계산해서 더한다?",
                "If a user has two items or more, what to go by? Compute several and add them up?",
            )
        ],
        tried="Cosines between items, all neighbours, combined over what the user chose: all of "
        f"it or the last few; the fading sum counts an item {DECAY:g} times the one after it. "
        "Then the same question for likeness by features (`ContentBased`).",
        found=[
            f"{FILMS}, HR@10:",
            Table(
                ["choices", *rules],
                [[last, *(str(on_films[last, rule][HIT]) for rule in rules)] for last in LASTS],
            ),
            "Job data, which has no order, HR@10 by the number of choices known:",
            Table(
                ["rule", "all users", *SIZES],
                [
                    [rule, str(one[HIT]), *(str(by_size[size][rule][HIT]) for size in SIZES)]
                    for rule, one in on_jobs.items()
                ],
            ),
            "Likeness by features, HR@10:",
            Table(
                ["ContentBased", *bench.worlds],
                [
                    [f"`{name}`", *("" if one is None else str(one[HIT]) for one in measured)]
                    for name, measured in content.items()
                ],
            ),
        ],
        answer=_sentence(bench, on_films, on_jobs),
        reference=beside(
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
        f"Yes, add them up: the sum beats the most alike alone by {told(good[0])} (films, the "
        f"last five) and {told(good[1])} (jobs) HR@10. The mean gives the same order as the sum.",
    )
    recent = gap(films["the last 5", SUM], films["all", SUM])
    faded = gap(films["all", FADING], films["all", SUM])
    order = bench.claim(
        recent.low > 0 and faded.low > 0,
        f"Where there is an order, use it: on {FILMS} the last five alone beat everything chosen "
        f"by {told(recent)}, and letting old choices fade gains {told(faded)}.",
    )
    ease = gap(films["the last 5", SUM], bench.measured(bench.worlds[FILMS], sl.EASE))
    beyond = bench.claim(
        ease.difference > 0,
        f"That simple rule stands {told(ease)} from `EASE`, which sees no order. Part of it is "
        f"how MovieLens was used: {percent(_same_minute(bench.worlds[FILMS].folds[0]))} of the "
        "held-out films were rated within a minute of the one before.",
    )
    return f"{adding} {order} {beyond} The job data has no times: there, everything counts."


def _same_minute(fold: Fold) -> float:
    """Give the share of held-out choices made within a minute of the last one in training."""
    train, test = fold.train, fold.test
    assert train.times is not None
    assert test.times is not None
    last = np.full(train.n_users, np.iinfo(np.int64).min)
    np.maximum.at(last, train.user_rows, train.times)
    return float((test.times - last[test.user_rows] <= 60_000_000).mean())


def _by_last(fold: Fold) -> Iterator[tuple[tuple[str, str], Scores]]:
    """Combine the last choices, all neighbours counting; and the nearest only."""
    histories, likeness, near = _histories(fold), _likeness(fold, None), _likeness(fold, 50)
    for last, count in LASTS.items():
        kept = [chosen[:count] for chosen in histories]
        for name, rule in RULES.items():
            yield (last, name), _combined(kept, likeness, rule)
        yield (last, NEAREST), _combined(kept, near, RULES[SUM])


def _of_all(fold: Fold) -> Iterator[tuple[str, Scores]]:
    """Combine all choices, by rules that need no order."""
    histories, likeness = _histories(fold), _likeness(fold, None)
    for name, rule in RULES.items():
        if name != FADING:
            yield name, _combined(histories, likeness, rule)


def _likeness(fold: Fold, neighbors: int | None) -> Scores:
    """Give how much each item (row) speaks for every other."""  # (n_items, n_items)
    model = sl.ItemCosine(neighbors=neighbors, weighting="binary").fit(fold.train)
    return np.asarray(model.learned.similarity.toarray(), dtype=np.float32)


def _combined(histories: Sequence[NDArray[np.int32]], likeness: Scores, rule: Rule) -> Scores:
    """Score the catalogue by what each history's items say together."""
    scores = np.empty((len(histories), len(likeness)), dtype=np.float32)
    for row, chosen in enumerate(histories):
        scores[row] = rule(likeness[chosen], np.arange(len(chosen), dtype=np.float32))
    return scores


def _histories(fold: Fold) -> list[NDArray[np.int32]]:
    """Give the choices of every test user, the last one first; equal times in a drawn order."""
    train = fold.train
    drawn = np.random.default_rng(0).permutation(train.n_interactions)
    since = np.zeros(train.n_interactions) if train.times is None else -train.times
    ordered = train.item_rows[np.lexsort((drawn, since, train.user_rows))]
    ends = np.cumsum(train.user_counts)
    return [ordered[ends[user] - train.user_counts[user] : ends[user]] for user in fold.users]
