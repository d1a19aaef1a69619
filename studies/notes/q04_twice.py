"""Q4: user similarity times choices times item similarity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import shortlist as sl
from shortlist.models.base import Model

from .bench import FILMS, JOBS, Bench
from .document import Section, Table
from .measure import HIT, Measured, compare_with_reference, delta, gap

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
    """Make the blend a S_u R + b R S_i + c S_u R S_i over the nearest, with zero diagonals."""
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
    **{  # ((1-m) I + m S_u) R ((1-m) I + m S_i), without the term of R itself (seen items), over m
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
    """Compare one-sided and two-sided forms, and the popularity of the listed items."""
    results = {
        world.name: {way: bench.measured(world, model) for way, model in WAYS.items()}
        | {way: bench.literal(world, form) for way, form in LITERAL.items()}
        for world in bench
    }
    return Section(
        title="Q4. User similarity times choices times item similarity?",
        summary="not as a score on its own; as one of three terms it does no harm.",
        quotes=[
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
        setup="The notes' forms (all neighbours; on the job data only the first split): both "
        "similarities at once, only one, both over the 50 nearest with zero diagonals, mixtures "
        "with the identity, and the additive form, whose weights are tuned on a validation fold.",
        results=[part for name, result in results.items() for part in (f"{name}:", _table(result))],
        answer=_sentence(bench, results),
        reference=_reference(bench, results),
    )


def _table(results: Mapping[str, Measured]) -> Table:
    rows = [
        [
            way,
            str(result[HIT]),
            f"{result.mean(POPULAR):.0f}",
            f"{100 * result.of_lists[COVERED]:.0f}%",
        ]
        for way, result in results.items()
    ]
    return Table(["score", "HR@10", "users per listed item", "catalogue coverage"], rows)


def _sentence(bench: Bench, results: Mapping[str, Mapping[str, Measured]]) -> str:
    losses = {name: gap(result[TWICE], max((result[USERS], result[ITEMS]), key=_hits))
              for name, result in results.items()}  # fmt: skip
    twice = bench.claim(
        all(test.high < 0 for test in losses.values()),
        "As a score on its own, no: smoothing twice changes the quality by "
        + " and ".join(f"{delta(test)} HR@10 ({name})" for name, test in losses.items())
        + " compared with the better one-sided form over as many neighbours.",
    )
    alike = bench.claim(
        all(
            result[ALL].of_lists[COVERED] < result[USERS].of_lists[COVERED]
            for result in results.values()
        ),
        "It makes the lists of all users similar: over all neighbours they cover "
        + " and ".join(f"{100 * result[ALL].of_lists[COVERED]:.0f}%" for result in results.values())
        + " of the catalogue, while those of `S_u R` cover "
        + " and ".join(
            f"{100 * result[USERS].of_lists[COVERED]:.0f}%" for result in results.values()
        )
        + ".",
    )
    features = bench.claim(
        all(result[BY_FEATURES].mean(HIT) < result[ALL].mean(HIT) for result in results.values()),
        "If items are compared by features, as in the notes, it is even worse.",
    )
    gains = [
        gap(result[TUNED], max((result[USERS], result[ITEMS]), key=_hits))
        for result in results.values()
    ]
    added = bench.claim(
        gains[1].low > 0,
        "As one of three terms it does no harm, because its weight is tuned: the additive form "
        f"differs by {delta(gains[0])} ({FILMS}) and {delta(gains[1])} ({JOBS}) from the better "
        "one-sided form.",
    )
    return f"{twice} {alike} {features} {added}"


def _reference(bench: Bench, results: Mapping[str, Mapping[str, Measured]]) -> str:
    figures = compare_with_reference(
        {
            f"{way}, HR@{k}": (results[FILMS][way][f"hit_rate@{k}"], figure)
            for way, figures in REFERENCE.items()
            for k, figure in zip((5, 10), figures, strict=True)
        }
    )
    users = {
        name: [result[way].mean(POPULAR) for way in (USERS, ALL, BY_FEATURES)]
        for name, result in results.items()
    }
    (plain, twice, features), (job_plain, job_twice, _) = users.values()
    drift = bench.claim(
        twice > plain and job_twice < job_plain and features < plain,
        "We disagree on popularity. In the reference, smoothing twice moves the lists towards "
        f"popular items. Here it does so on {FILMS} if items are compared by their users "
        f"({twice:.0f} "
        f"users per listed film instead of {plain:.0f}), but not on the job data ({job_twice:.0f} "
        f"instead of {job_plain:.0f}), and if items are compared by features, the lists move the "
        f"other way ({features:.0f} on {FILMS}): towards items that are similar to most others.",
    )
    return f"{figures} {drift}"


def _hits(measured: Measured) -> float:
    return measured.mean(HIT)
