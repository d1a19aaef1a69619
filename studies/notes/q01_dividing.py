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
from .measure import HIT, Fold, Measured, Scores, beside, gap, percent, told

USER = partial(sl.UserCosine, neighbors=None, self_similarity=True)
ITEM = partial(sl.ItemCosine, neighbors=50, weighting="binary")
PAIRS = 1000  # the best pairs of anybody with anything

USERS, ITEMS, RATED = "user cosine, all", "item cosine, 50 neighbours", "item cosine with ratings"
BY_USER, BY_COLUMN = "- divided by the user's sum", "- min-max in each item's column"
COUNTS = ("hits, as they are", "hits, divided", "pairs that both pick")
BY_LIST, BY_RATED = "- divided by each item's own list", "- divided by what was rated"
REFERENCE = {  # HR@5 and HR@10 on films
    USERS: (0.067, 0.098),
    BY_COLUMN: (0.040, 0.063),
    ITEMS: (0.074, 0.125),
    BY_LIST: (0.054, 0.107),
}


def of(model: Callable[[], Model[Any, Any]]) -> Callable[[Fold], Scores]:
    """Give what scores a fold by a model."""
    return lambda fold: fold.scores(model().fit(fold.train))


def columns_scaled(fold: Fold) -> Scores:
    """Bring each item's scores of all users to 0..1, as HeegyuKim's notebooks do."""
    scores = of(USER)(fold)
    low, high = scores.min(axis=0), scores.max(axis=0)
    return np.asarray((scores - low) / np.maximum(high - low, np.float32(1e-12)))


def rated(fold: Fold, *, divided: bool) -> Scores:
    """Add up the user's ratings of an item's neighbours, by similarity; or give their mean."""
    similarity = csr_arrays(ITEM().fit(fold.train).learned.similarity)
    ratings = fold.train.matrix[fold.users]
    sums = dense_sparse(*csr_arrays(ratings), *similarity, fold.train.n_items)
    if not divided:
        return sums
    weights = dense_sparse(*csr_arrays(binary(ratings)), *similarity, fold.train.n_items)
    return np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0)


@dataclass(frozen=True)
class Way:
    """A way to score, and what its lists are held against."""

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
    """What a way of scoring reaches, and the share of lists that it leaves as they are."""

    measured: Measured
    kept: float | None


def answer(bench: Bench) -> Section:
    """Compare the lists, and the scores themselves."""
    found = {world.name: _outcomes(bench, world) for world in bench}
    header = ["scores", *(f"{name}: {what}" for name in found for what in ("HR@10", "lists kept"))]
    rows = [
        [way, *(cell for outcomes in found.values() for cell in _cells(outcomes.get(way)))]
        for way in WAYS
    ]
    pairs = {world.name: _pairs(world.folds[0]) for world in bench}
    ours = {}
    for way, (at_5, at_10) in REFERENCE.items():
        measured = found[FILMS][way].measured
        ours[f"{way.removeprefix('- ')}, HR@5"] = measured["hit_rate@5"], at_5
        ours[f"{way.removeprefix('- ')}, HR@10"] = measured[HIT], at_10
    return Section(
        title="Q1. Does dividing by the similarities matter?",
        short="not for the order of one user's list; yes between users, and where the divisor "
        "depends on the item.",
        asked=[
            (
                "나누기 하나 안하나 똑같은 점수, 스케일링 할 필요 없다.",
                "Dividing or not gives the same score; no scaling needed.",
            )
        ],
        tried="The notes' user cosine with and without the division; then divisors that depend on "
        'the item. "Lists kept" is the share of top-10 lists that stay the same, in order.',
        found=[
            Table(header, rows),
            "Where every choice is a one, the mean rating is 1 for everything; dividing by what "
            "was rated needs ratings, and is shown for the films only. Held-out choices among the "
            f"{PAIRS:,} highest scores of any user for any item (first split):",
            Table(
                [USERS, *pairs],
                [[count, *(f"{one[count]:,}" for one in pairs.values())] for count in COUNTS],
            ),
        ],
        answer=_sentence(bench, found, pairs),
        reference=beside(ours),
    )


def _sentence(
    bench: Bench, found: Mapping[str, Mapping[str, Outcome]], pairs: Mapping[str, Mapping[str, int]]
) -> str:
    kept = {way: [one[way].kept or 0 for one in found.values()] for way in (BY_USER, BY_COLUMN)}
    same = min(kept[BY_USER])
    right = bench.claim(
        same > 0.97,
        "Right for the notes' code: the divisor is the same for all of a user's items, and "
        + (
            "every top-10 list stays as it is."
            if same == 1
            else f"{percent(same)} or more of the top-10 lists stay as they are, in order (rounding"
            " to float32 swaps near-equals in the rest)."
        ),
    )
    between = bench.claim(
        all(one[COUNTS[-1]] < 0.9 * PAIRS for one in pairs.values()),
        "It matters where scores of different users meet (a threshold, a budget for the best "
        "pairs of all): other pairs come first",
    )
    tested = [gap(one[BY_LIST].measured, one[ITEMS].measured) for one in found.values()]
    by_item = bench.claim(
        max(kept[BY_COLUMN]) < 0.5,
        "and where the divisor depends on the item: min-max in each item's column keeps "
        f"{' and '.join(map(percent, kept[BY_COLUMN]))} of the lists, and dividing each item's "
        f"list of neighbours changes HR@10 by {' and '.join(map(told, tested))} "
        f"({' and '.join(found)}).",
    )
    return f"{right} {between}, {by_item}"


def _outcomes(bench: Bench, world: World) -> dict[str, Outcome]:
    lists: dict[str, list[NDArray[np.int32]]] = {}

    def ways(fold: Fold) -> Iterator[tuple[str, Scores]]:
        for name, way in WAYS.items():
            if world.name == FILMS or not way.films_only:
                scores = way.scores(fold)
                lists.setdefault(name, []).append(fold.best(scores))
                yield name, scores

    found = {}
    for name, measured in bench.each(world, ways).items():
        plain = WAYS[name].plain
        kept = None
        if plain is not None:
            pairs = zip(lists[name], lists[plain], strict=True)
            kept = float(np.mean([(one == other).all(axis=1).mean() for one, other in pairs]))
        found[name] = Outcome(measured, kept)
    return found


def _cells(outcome: Outcome | None) -> list[str]:
    if outcome is None:
        return ["", ""]
    return [str(outcome.measured[HIT]), "" if outcome.kept is None else percent(outcome.kept)]


def _pairs(fold: Fold) -> dict[str, int]:
    """Count the held-out choices among the best pairs of all users, and what both ways pick."""
    true = np.zeros((len(fold.users), fold.train.n_items), dtype=bool)
    true[np.repeat(np.arange(len(true)), np.diff(fold.truth.indptr)), fold.truth.item_rows] = True
    picked = []
    for divided in (False, True):
        scores = np.where(fold.seen, -np.inf, of(partial(USER, normalized=divided))(fold))
        picked.append(np.argpartition(-scores, PAIRS, axis=None)[:PAIRS])
    hits = [int(true.ravel()[one].sum()) for one in picked]
    return dict(zip(COUNTS, [*hits, len(np.intersect1d(picked[0], picked[1]))], strict=True))
