"""Q4: user similarity times choices times item similarity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import shortlist as sl
from shortlist.models.base import Model

from .bench import FILMS, JOBS, Bench
from .document import Section, Table
from .measure import HIT, Measured, beside, gap, told

POPULAR, COVERED = "popularity@10", "coverage@10"
PLAIN = {
    "item_weighting": "binary",
    "rescaled": False,
    "user_feature_weight": 1,
    "item_feature_weight": 1,
    "user_blocks": "action",
    "item_blocks": "interactions",
}


def nearest(*terms: float, neighbors: int = 50, **settings: Any) -> Callable[[], Model[Any, Any]]:
    """Make a blend of a S_u R + b R S_i + c S_u R S_i over the nearest, zero diagonals."""
    counts = dict.fromkeys(("user_neighbors", "item_neighbors", "cold_neighbors"), neighbors)
    weights = dict(zip(("user_term", "item_term", "both_term"), terms, strict=True))
    return partial(sl.Hybrid, **PLAIN | counts | weights | settings)


USERS, ITEMS, TWICE = "S_u R, 50 nearest", "R S_i, 50 nearest", "S_u R S_i, 50 nearest"
ALL = "S_u R S_i, all, as in the notes"
BY_FEATURES = "S_u R S_i, all, S_i of features, as in the notes"
SUMMED = "(S_u + S_features) R S_i, S_i of features, as in the notes"
TUNED = "a S_u R + b R S_i + c S_u R S_i, tuned"
WAYS: dict[str, Callable[[], Model[Any, Any]]] = {
    USERS: nearest(1, 0, 0),
    ITEMS: nearest(0, 1, 0),
    TWICE: nearest(0, 0, 1),
    f"{TWICE}, S_i of features": nearest(0, 0, 1, item_blocks="features", column_weights="learned"),
    **{  # ((1-m) I + m S_u) R ((1-m) I + m S_i), without R itself, which is seen, over m
        f"{TWICE}, mixed with I, m = {mix:g}": nearest(1 - mix, 1 - mix, mix) for mix in (0.1, 0.5)
    },
    TUNED: sl.Hybrid,
    "Popularity": sl.Popularity,
}
LITERAL = {
    ALL: "action x item interactions",
    BY_FEATURES: "action x item features",
    SUMMED: "action + features x item features",
}
REFERENCE = {ALL: (0.023, 0.044), TWICE: (0.057, 0.092)}  # HR@5 and HR@10 on films


def answer(bench: Bench) -> Section:
    """Compare one-sided and two-sided forms, and how popular what they list is."""
    found = {
        world.name: {way: bench.measured(world, model) for way, model in WAYS.items()}
        | {way: bench.literal(world, form) for way, form in LITERAL.items()}
        for world in bench
    }
    return Section(
        title="Q4. User similarity times choices times item similarity?",
        short="not as a score of its own; as one summand of three it does no harm.",
        asked=[
            ("user sim * user-item mat * item sim : 추천 점수", "the recommendation score"),
            (
                "역시 하지 말 걸 그랬어. 점수도 안내보고 중도 포기",
                "I should not have started; gave up half-way without even submitting for a score.",
            ),
            (
                "(user sim action + user sim feat ) * user item * item sim : 이걸 해볼까",
                "Shall I try this?",
            ),
        ],
        tried="The notes' forms, submitted at last (all neighbours; on the job data in the first "
        "split only): both similarities at once, beside one alone, both over the 50 nearest with "
        "zero diagonals, mixtures with the identity, and the additive form, whose weights are "
        "found on a validation fold.",
        found=[part for name, one in found.items() for part in (f"{name}:", _table(one))],
        answer=_sentence(bench, found),
        reference=_reference(bench, found),
    )


def _table(found: Mapping[str, Measured]) -> Table:
    rows = [
        [
            way,
            str(one[HIT]),
            f"{one.mean(POPULAR):.0f}",
            f"{100 * one.of_lists[COVERED]:.0f}%",
        ]
        for way, one in found.items()
    ]
    return Table(["score", "HR@10", "users of a listed item", "of the catalogue listed"], rows)


def _sentence(bench: Bench, found: Mapping[str, Mapping[str, Measured]]) -> str:
    losses = {name: gap(one[TWICE], max((one[USERS], one[ITEMS]), key=_hits))
              for name, one in found.items()}  # fmt: skip
    twice = bench.claim(
        all(test.high < 0 for test in losses.values()),
        "As a score of its own, no: smoothing twice loses "
        + " and ".join(f"{told(test)} HR@10 ({name})" for name, test in losses.items())
        + " against the better one-sided form over as many neighbours.",
    )
    alike = bench.claim(
        all(one[ALL].of_lists[COVERED] < one[USERS].of_lists[COVERED] for one in found.values()),
        "It makes everybody's lists alike: over all neighbours they hold "
        + " and ".join(f"{100 * one[ALL].of_lists[COVERED]:.0f}%" for one in found.values())
        + " of the catalogue, where those of `S_u R` hold "
        + " and ".join(f"{100 * one[USERS].of_lists[COVERED]:.0f}%" for one in found.values())
        + ".",
    )
    features = bench.claim(
        all(one[BY_FEATURES].mean(HIT) < one[ALL].mean(HIT) for one in found.values()),
        "With items compared by features, as the notes have it, it is worse still.",
    )
    gains = [gap(one[TUNED], max((one[USERS], one[ITEMS]), key=_hits)) for one in found.values()]
    added = bench.claim(
        gains[1].low > 0,
        "As one summand of three it does no harm, since its weight is tuned: the additive form "
        f"stands {told(gains[0])} ({FILMS}) and {told(gains[1])} ({JOBS}) from the better "
        "one-sided form.",
    )
    return f"{twice} {alike} {features} {added}"


def _reference(bench: Bench, found: Mapping[str, Mapping[str, Measured]]) -> str:
    figures = beside(
        {
            f"{way}, HR@{k}": (found[FILMS][way][f"hit_rate@{k}"], figure)
            for way, figures in REFERENCE.items()
            for k, figure in zip((5, 10), figures, strict=True)
        }
    )
    users = {
        name: [one[way].mean(POPULAR) for way in (USERS, ALL, BY_FEATURES)]
        for name, one in found.items()
    }
    (plain, twice, features), (job_plain, job_twice, _) = users.values()
    drift = bench.claim(
        twice > plain and job_twice < job_plain and features < plain,
        "We disagree on where the lists go. There, smoothing twice moves them towards what is "
        f"popular. Here it does on {FILMS} with items compared by who chose them ({twice:.0f} "
        f"users a listed film instead of {plain:.0f}), but not on the job data ({job_twice:.0f} "
        f"instead of {job_plain:.0f}), and with items compared by features it goes the other way "
        f"({features:.0f} on {FILMS}): towards whatever is like most other items.",
    )
    return f"{figures} {drift}"


def _hits(measured: Measured) -> float:
    return measured.mean(HIT)
