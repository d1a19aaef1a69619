"""Q5: how user and item similarity are blended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

import shortlist as sl

from .bench import FILMS, Bench, World
from .document import Section, Table
from .measure import (
    HIT,
    NDCG,
    Fold,
    Measured,
    Scores,
    compare_with_reference,
    gap,
    rounded,
    verdict,
)

SHARES = tuple(step / 10 for step in range(11))  # weights of the item scores
RRF = 60.0  # Cormack, Clarke & Büttcher, SIGIR 2009
TEAM = 0.6  # a participant's weight of the item scores; user scores: 1


def as_is(scores: Scores) -> Scores:
    """Return the scores unchanged."""
    return scores


def min_max(scores: Scores) -> Scores:
    """Scale each user's scores to 0..1."""
    low, high = scores.min(axis=1, keepdims=True), scores.max(axis=1, keepdims=True)
    return np.asarray((scores - low) / np.maximum(high - low, np.float32(1e-12)))


def z(scores: Scores) -> Scores:
    """Scale each user's scores to mean 0 and standard deviation 1."""
    deviation = np.maximum(scores.std(axis=1, keepdims=True), np.float32(1e-12))
    return np.asarray((scores - scores.mean(axis=1, keepdims=True)) / deviation)


def ranks_of(scores: Scores) -> Scores:
    """Return the rank of each score in its row; 1 is the highest, ties get the lowest rank."""
    order = np.argsort(-scores, axis=1, kind="stable")
    descending = np.take_along_axis(scores, order, axis=1)
    first = np.ones(scores.shape, dtype=bool)
    first[:, 1:] = descending[:, 1:] < descending[:, :-1]
    start = np.where(first, np.arange(1, scores.shape[1] + 1, dtype=np.float32), np.float32(0))
    ranks = np.empty_like(scores)
    np.put_along_axis(ranks, order, np.maximum.accumulate(start, axis=1), axis=1)
    return ranks


def rank(scores: Scores) -> Scores:
    """Return the negated rank in each user's list."""
    return -ranks_of(scores)


def reciprocal(scores: Scores) -> Scores:
    """Return ``1 / (constant + rank)``, as in reciprocal rank fusion."""
    return np.float32(1) / (np.float32(RRF) + ranks_of(scores))


SCALES: dict[str, Callable[[Scores], Scores]] = {
    "unscaled": as_is,
    "min-max": min_max,
    "z": z,
    "rank": rank,
}
USER, ITEM = "`UserCosine`", "`ItemCosine`"
EVEN, RECIPROCAL = "z, equal weights", "reciprocal ranks, equal weights"
ASKED, WIDE = f"user + {TEAM:g} item", "z, equal weights, all neighbours"
REFERENCE = {WIDE: (0.060, 0.103)}  # HR@5 and HR@10 on films


def answer(bench: Bench) -> Section:
    """Tune the weights on a validation fold of the first split; measure on all splits."""
    shares = {world.name: _tuned(world) for world in bench}
    results = {
        world.name: bench.each(world, partial(_blends, shares=shares[world.name]))
        for world in bench
    }
    ways = list(results[FILMS])
    rows = []
    for way in ways:
        cells = [
            (str(result[way][HIT]), f"{shares[name][way]:g}" if way in SCALES else "")
            for name, result in results.items()
        ]
        rows.append([way, *(text for cell in cells for text in cell)])
    header = [
        "blend",
        *(f"{name}: {column}" for name in results for column in ("HR@10", "item weight")),
    ]
    return Section(
        title="Q5. How are user and item similarity blended?",
        summary="on one scale, with a tuned weight; which scale hardly matters.",
        setup="The notes ask this implicitly: they multiply the two (Q4), while participants of "
        "the competition added them. Scores of `UserCosine` and `ItemCosine` are brought to one "
        "scale for each user and added. The weight of the item scores, in tenths, is the one "
        "with the best NDCG@10 on a validation fold of the first split; rows without a weight "
        "are not tuned.",
        results=[Table(header, rows)],
        answer=_sentence(bench, results),
        reference=compare_with_reference(
            {
                f"{way}, HR@{k}": (results[FILMS][way][f"hit_rate@{k}"], figure)
                for way, figures in REFERENCE.items()
                for k, figure in zip((5, 10), figures, strict=True)
            }
        ),
    )


def _sentence(bench: Bench, results: Mapping[str, Mapping[str, Measured]]) -> str:
    one_side = {
        name: max((result[USER], result[ITEM]), key=lambda side: side.mean(HIT))
        for name, result in results.items()
    }
    gains = {name: gap(result["z"], one_side[name]) for name, result in results.items()}
    gain = (
        "Bring both to one scale for each user and add them with a tuned weight. Compared with "
        "the better of the two alone, tuned z "
        + "; ".join(f"{verdict(test)} on {name}" for name, test in gains.items())
        + ": two neighbourhood models of the same interactions contain much the same information."
    )
    spread = max(
        max(result[way].mean(HIT) for way in SCALES) - min(result[way].mean(HIT) for way in SCALES)
        for result in results.values()
    )
    scale = bench.claim(
        spread < 0.03,
        f"The choice of scale matters little: tuned blends are within {rounded(spread)} of each "
        "other.",
    )
    untuned = {name: gap(result[RECIPROCAL], result["z"]) for name, result in results.items()}
    fallback = (
        "Reciprocal ranks, which need no tuning, are the fallback without a validation fold: "
        "compared with tuned z, that "
        + "; ".join(f"{verdict(test)} on {name}" for name, test in untuned.items())
        + "."
    )
    return f"{gain} {scale} {fallback}"


def _both_scores(fold: Fold, *, wide: bool = False) -> tuple[Scores, Scores]:
    """Score by user and by item similarity; seen items get 0, the minimum."""
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
    """Return the best weight of the item scores for each scale."""
    fold = Fold.of(*world.held_out(world.folds[0].train, 0))
    user, item = _both_scores(fold)
    results = {}
    for name, scale in SCALES.items():
        by_user, by_item = scale(user), scale(item)
        qualities = [fold.measured(_sum(by_user, by_item, share))[NDCG].mean() for share in SHARES]
        results[name] = SHARES[int(np.argmax(qualities))]
    return results


def _blends(fold: Fold, shares: Mapping[str, float]) -> Iterator[tuple[str, Scores]]:
    user, item = _both_scores(fold)
    yield USER, user
    yield ITEM, item
    for name, scale in SCALES.items():
        yield name, _sum(scale(user), scale(item), shares[name])
    yield ASKED, user + np.float32(TEAM) * item
    yield EVEN, z(user) + z(item)
    yield RECIPROCAL, reciprocal(user) + reciprocal(item)
    user, item = _both_scores(fold, wide=True)
    yield WIDE, z(user) + z(item)


def _sum(user: Scores, item: Scores, share: float) -> Scores:
    return np.float32(1 - share) * user + np.float32(share) * item
