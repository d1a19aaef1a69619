"""Q5: how user and item similarity are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

import shortlist as sl

from .bench import FILMS, Bench, World
from .document import Section, Table
from .measure import HIT, NDCG, Fold, Measured, Scores, beside, gap, three, verdict

SHARES = tuple(step / 10 for step in range(11))  # of the item side
RRF = 60.0  # Cormack, Clarke & Büttcher, SIGIR 2009
TEAM = 0.6  # what a participant of the competition gave the item side, beside 1


def as_is(scores: Scores) -> Scores:
    """Leave the scores."""
    return scores


def min_max(scores: Scores) -> Scores:
    """Bring each user's scores to 0..1."""
    low, high = scores.min(axis=1, keepdims=True), scores.max(axis=1, keepdims=True)
    return np.asarray((scores - low) / np.maximum(high - low, np.float32(1e-12)))


def z(scores: Scores) -> Scores:
    """Bring each user's scores to mean 0 and standard deviation 1."""
    deviation = np.maximum(scores.std(axis=1, keepdims=True), np.float32(1e-12))
    return np.asarray((scores - scores.mean(axis=1, keepdims=True)) / deviation)


def places(scores: Scores) -> Scores:
    """Give each score its place in its row from 1, the highest; equals share the first of them."""
    order = np.argsort(-scores, axis=1, kind="stable")
    descending = np.take_along_axis(scores, order, axis=1)
    first = np.ones(scores.shape, dtype=bool)
    first[:, 1:] = descending[:, 1:] < descending[:, :-1]
    start = np.where(first, np.arange(1, scores.shape[1] + 1, dtype=np.float32), np.float32(0))
    found = np.empty_like(scores)
    np.put_along_axis(found, order, np.maximum.accumulate(start, axis=1), axis=1)
    return found


def rank(scores: Scores) -> Scores:
    """Take the place in each user's list instead of the score."""
    return -places(scores)


def reciprocal(scores: Scores) -> Scores:
    """Take one over the place and a constant, as reciprocal rank fusion does."""
    return np.float32(1) / (np.float32(RRF) + places(scores))


SCALES: dict[str, Callable[[Scores], Scores]] = {
    "as they are": as_is,
    "min-max": min_max,
    "z": z,
    "rank": rank,
}
USER, ITEM = "`UserCosine`", "`ItemCosine`"
EVEN, RECIPROCAL = "z, even", "reciprocal ranks, even"
ASKED, WIDE = f"user + {TEAM:g} item", "z, even, over all neighbours"
REFERENCE = {WIDE: (0.060, 0.103)}  # HR@5 and HR@10 on films


def answer(bench: Bench) -> Section:
    """Tune the shares on a validation fold of the first split; measure on all splits."""
    shares = {world.name: _tuned(world) for world in bench}
    found = {
        world.name: bench.each(world, partial(_blends, shares=shares[world.name]))
        for world in bench
    }
    ways = list(found[FILMS])
    rows = []
    for way in ways:
        cells = [
            (str(one[way][HIT]), f"{shares[name][way]:g}" if way in SCALES else "")
            for name, one in found.items()
        ]
        rows.append([way, *(text for cell in cells for text in cell)])
    header = ["blend", *(f"{name}: {one}" for name in found for one in ("HR@10", "item share"))]
    return Section(
        title="Q5. How are user and item similarity blended?",
        short="on one scale, with a tuned weight; which scale hardly matters.",
        tried="Asked between the lines: the notes multiply the two (Q4), participants of the "
        "competition added them. Scores of `UserCosine` and `ItemCosine`, brought to one scale "
        "for each user and added. The share of the item side, in tenths, has the best NDCG@10 on "
        "a validation fold of the first split; where no share is given, nothing is tuned.",
        found=[Table(header, rows)],
        answer=_sentence(bench, found),
        reference=beside(
            {
                f"{way}, HR@{k}": (found[FILMS][way][f"hit_rate@{k}"], figure)
                for way, figures in REFERENCE.items()
                for k, figure in zip((5, 10), figures, strict=True)
            }
        ),
    )


def _sentence(bench: Bench, found: Mapping[str, Mapping[str, Measured]]) -> str:
    one_side = {
        name: max((one[USER], one[ITEM]), key=lambda side: side.mean(HIT))
        for name, one in found.items()
    }
    gains = {name: gap(one["z"], one_side[name]) for name, one in found.items()}
    gain = (
        "Bring both to one scale for each user and add them with a tuned weight. Against the "
        "better of the two alone, tuned z "
        + "; ".join(f"{verdict(test)} on {name}" for name, test in gains.items())
        + ": two neighbourhoods of the same choices know much the same."
    )
    spread = max(
        max(one[way].mean(HIT) for way in SCALES) - min(one[way].mean(HIT) for way in SCALES)
        for one in found.values()
    )
    scale = bench.claim(
        spread < 0.03,
        f"Which scale, matters little: tuned blends lie within {three(spread)} of each other.",
    )
    untuned = {name: gap(one[RECIPROCAL], one["z"]) for name, one in found.items()}
    fallback = (
        "Reciprocal ranks, with nothing tuned, are the fallback where there is no validation "
        "fold: against tuned z that "
        + "; ".join(f"{verdict(test)} on {name}" for name, test in untuned.items())
        + "."
    )
    return f"{gain} {scale} {fallback}"


def _sides(fold: Fold, *, wide: bool = False) -> tuple[Scores, Scores]:
    """Score by user and by item similarity; what was seen gets 0, the least there is."""
    user, item = sl.UserCosine(), sl.ItemCosine()
    if wide:
        user = sl.UserCosine(neighbors=None, self_similarity=True)
        item = sl.ItemCosine(neighbors=None, weighting="binary")
    seen = fold.seen
    by_user, by_item = (
        np.where(seen, np.float32(0), fold.scores(model.fit(fold.train))) for model in (user, item)
    )
    return by_user, by_item


def _tuned(world: World) -> dict[str, float]:
    """Give the best share of the item side for each scale."""
    fold = Fold.of(*world.held_out(world.folds[0].train, 0))
    user, item = _sides(fold)
    found = {}
    for name, scale in SCALES.items():
        one, other = scale(user), scale(item)
        qualities = [fold.measured(_sum(one, other, share))[NDCG].mean() for share in SHARES]
        found[name] = SHARES[int(np.argmax(qualities))]
    return found


def _blends(fold: Fold, shares: Mapping[str, float]) -> Iterator[tuple[str, Scores]]:
    user, item = _sides(fold)
    yield USER, user
    yield ITEM, item
    for name, scale in SCALES.items():
        yield name, _sum(scale(user), scale(item), shares[name])
    yield ASKED, user + np.float32(TEAM) * item
    yield EVEN, z(user) + z(item)
    yield RECIPROCAL, reciprocal(user) + reciprocal(item)
    user, item = _sides(fold, wide=True)
    yield WIDE, z(user) + z(item)


def _sum(user: Scores, item: Scores, share: float) -> Scores:
    return np.float32(1 - share) * user + np.float32(share) * item
