"""Q1: whether dividing by the sum of the similarities matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import shortlist as sl
from shortlist.kernels.scores import dense_sparse
from shortlist.models.base import Model
from shortlist.scoring.sparse import binary, csr_arrays

from .bench import FILMS, Bench, World
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

USER = partial(sl.UserCosine, neighbors=None, self_similarity=True)
ITEM = partial(sl.ItemCosine, neighbors=50, weighting="binary")
PAIRS = 1000  # best pairs of users and items

USERS, ITEMS, RATED = "user cosine, all", "item cosine, 50 neighbours", "item cosine with ratings"
BY_USER, BY_COLUMN = "- divided by the user's sum", "- min-max in each item's column"
COUNTS = ("hits, not divided", "hits, divided", "pairs in both")
BY_LIST, BY_RATED = "- divided by each item's own list", "- divided by the rated neighbours"
REFERENCE = {  # HR@5 and HR@10 on films
    USERS: (0.067, 0.098),
    BY_COLUMN: (0.040, 0.063),
    ITEMS: (0.074, 0.125),
    BY_LIST: (0.054, 0.107),
}


def of(model: Callable[[], Model[Any, Any]]) -> Callable[[Fold], Scores]:
    """Return a function that scores a fold with a model."""
    return lambda fold: fold.scores(model().fit(fold.train))


def columns_scaled(fold: Fold) -> Scores:
    """Scale each item's scores over all users to 0..1, as HeegyuKim's notebooks do."""
    scores = of(USER)(fold)
    low, high = scores.min(axis=0), scores.max(axis=0)
    return np.asarray((scores - low) / np.maximum(high - low, np.float32(1e-12)))


def rated(fold: Fold, *, divided: bool) -> Scores:
    """Compute the similarity-weighted sum, or mean, of the user's ratings of the neighbours."""
    similarity = csr_arrays(ITEM().fit(fold.train).learned.similarity)
    ratings = fold.train.matrix[fold.users]
    sums = dense_sparse(csr_arrays(ratings), similarity, fold.train.n_items)
    if not divided:
        return sums
    weights = dense_sparse(csr_arrays(binary(ratings)), similarity, fold.train.n_items)
    return np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0)


@dataclass(frozen=True)
class Way:
    """A way to score, and the way that its lists are compared with."""

    scores: Callable[[Fold], Scores]
    plain: str | None = None
    films_only: bool = False


WAYS = {
    USERS: Way(of(USER)),
    BY_USER: Way(of(partial(USER, normalized=True)), USERS),
    BY_COLUMN: Way(columns_scaled, USERS),
    ITEMS: Way(of(ITEM)),
    BY_LIST: Way(of(partial(ITEM, normalized=True)), ITEMS),
    RATED: Way(partial(rated, divided=False), films_only=True),
    BY_RATED: Way(partial(rated, divided=True), RATED, films_only=True),
}


@dataclass(frozen=True)
class Outcome:
    """The metrics of a way of scoring, and the share of lists that it does not change."""

    measured: Measured
    kept: float | None


def answer(bench: Bench) -> Section:
    """Compare the lists and the best pairs with and without division."""
    results = {world.name: _outcomes(bench, world) for world in bench}
    header = [
        "scores",
        *(f"{name}: {column}" for name in results for column in ("HR@10", "lists kept")),
    ]
    rows = [
        [way, *(cell for outcomes in results.values() for cell in _cells(outcomes.get(way)))]
        for way in WAYS
    ]
    pairs = {world.name: _pairs(world.folds[0]) for world in bench}
    ours = {}
    for way, (at_5, at_10) in REFERENCE.items():
        measured = results[FILMS][way].measured
        ours[f"{way.removeprefix('- ')}, HR@5"] = measured["hit_rate@5"], at_5
        ours[f"{way.removeprefix('- ')}, HR@10"] = measured[HIT], at_10
    return Section(
        title="Q1. Does dividing by the similarities matter?",
        summary="not for the order of a user's list; but it does between users, and if the divisor "
        "depends on the item.",
        quotes=[
            (
                "나누기 하나 안하나 똑같은 점수, 스케일링 할 필요 없다.",
                "Dividing or not gives the same score; no scaling needed.",
            )
        ],
        setup="The notes' user cosine with and without the division; then divisors that depend on "
        'the item. "Lists kept" is the share of top-10 lists that stay the same, in order.',
        results=[
            Table(header, rows),
            "If every interaction counts as 1, the mean rating of every item is 1; dividing by "
            "the rated neighbours needs ratings, and is shown for the films only. Held-out "
            "interactions among the "
            f"{PAIRS:,} highest scores of all users and items (first split):",
            Table(
                [USERS, *pairs],
                [[count, *(f"{result[count]:,}" for result in pairs.values())] for count in COUNTS],
            ),
        ],
        answer=_sentence(bench, results, pairs),
        reference=compare_with_reference(ours),
    )


def _sentence(
    bench: Bench,
    results: Mapping[str, Mapping[str, Outcome]],
    pairs: Mapping[str, Mapping[str, int]],
) -> str:
    kept = {
        way: [result[way].kept or 0 for result in results.values()] for way in (BY_USER, BY_COLUMN)
    }
    same = min(kept[BY_USER])
    right = bench.claim(
        same > 0.97,
        "Right for the notes' code: the divisor is the same for all of a user's items, and "
        + (
            "every top-10 list stays the same"
            if percent(same) == "100.0%"
            else f"at least {percent(same)} of the top-10 lists stay the same"
        )
        + ("." if same == 1 else ", except where rounding to float32 swaps nearly equal scores."),
    )
    between = bench.claim(
        all(result[COUNTS[-1]] < 0.9 * PAIRS for result in pairs.values()),
        "It matters if scores of different users are compared (with a threshold, or to pick the "
        "best pairs of all users): other pairs come first.",
    )
    tested = [gap(result[BY_LIST].measured, result[ITEMS].measured) for result in results.values()]
    by_item = bench.claim(
        max(kept[BY_COLUMN]) < 0.5,
        "It also matters if the divisor depends on the item: min-max in each item's column keeps "
        f"{' and '.join(map(percent, kept[BY_COLUMN]))} of the lists, and dividing by the sum of "
        f"each item's list of neighbours changes HR@10 by {' and '.join(map(delta, tested))} "
        f"({' and '.join(results)}).",
    )
    return f"{right} {between} {by_item}"


def _outcomes(bench: Bench, world: World) -> dict[str, Outcome]:
    lists: dict[str, list[NDArray[np.int32]]] = {}

    def ways(fold: Fold) -> Iterator[tuple[str, Scores]]:
        for name, way in WAYS.items():
            if world.name == FILMS or not way.films_only:
                scores = way.scores(fold)
                lists.setdefault(name, []).append(fold.best(scores))
                yield name, scores

    results = {}
    for name, measured in bench.each(world, ways).items():
        plain = WAYS[name].plain
        kept = None
        if plain is not None:
            pairs = zip(lists[name], lists[plain], strict=True)
            kept = float(np.mean([(first == second).all(axis=1).mean() for first, second in pairs]))
        results[name] = Outcome(measured, kept)
    return results


def _cells(outcome: Outcome | None) -> list[str]:
    if outcome is None:
        return ["", ""]
    return [str(outcome.measured[HIT]), "" if outcome.kept is None else percent(outcome.kept)]


def _pairs(fold: Fold) -> dict[str, int]:
    """Count the held-out items among the best pairs of all users, and the pairs in both."""
    true = np.zeros((len(fold.users), fold.train.n_items), dtype=bool)
    true[np.repeat(np.arange(len(true)), np.diff(fold.truth.indptr)), fold.truth.item_rows] = True
    picked = []
    for divided in (False, True):
        scores = np.where(fold.seen, -np.inf, of(partial(USER, normalized=divided))(fold))
        picked.append(np.argpartition(-scores, PAIRS, axis=None)[:PAIRS])
    hits = [int(true.ravel()[result].sum()) for result in picked]
    return dict(zip(COUNTS, [*hits, len(np.intersect1d(picked[0], picked[1]))], strict=True))
