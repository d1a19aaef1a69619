"""What a cascade decides by validation: its stages, and how it orders their candidates."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist import extras
from shortlist.data.dataset import Dataset
from shortlist.machine import available_memory, gigabytes
from shortlist.metrics.ranking import discounted_gain
from shortlist.models.cascade.config import CascadeConfig
from shortlist.models.cascade.examples import (
    DEPTH,
    Examples,
    Lists,
    Round,
    RowsOf,
    chunks,
    examples,
)
from shortlist.models.cascade.features import DATA_COLUMNS, STAGE_COLUMNS
from shortlist.models.cascade.rankers import Columns, fit_ranker
from shortlist.models.composite import ModelSpec

log = logging.getLogger("shortlist.cascade")

Doubles = NDArray[np.float64]

CUTOFF = 20  # of the NDCG that choices are made by
CONTRIBUTIONS = 2_000  # candidates whose scores are split to see what each stage contributes
TOLERANCE = 0.005  # of the best value; a larger set of stages within it is preferred
STOPPING_GAP = 0.02  # a set worse than the best by this share ends the search

MAX_EASE_ITEMS = 9_000  # EASE inverts items x items: minutes beyond this

# For data with few choices per user: many factors, and a low weight of unobserved items. On the
# validation parts of toys-seq and last.fm, 8 epochs have NDCG@20 .0637 and .1921, 15 have .0634 and
# .1927.
SPARSE_IALS: dict[str, Any] = {
    "embedding_size": 512,
    "epochs": 8,
    "regularization": 0.01,
    "unobserved_weight": 0.003,
}

# Limits of SASRec, which a cascade fits twice, for two minutes of one core at most each time: it is
# left out for data with more than 250,000 positions in histories.
MAX_POSITIONS = 2_000_000  # trained on in all epochs together
LEAST_EPOCHS = 8  # fewer do not train it well
SEQUENCE: dict[str, Any] = {"negatives": 1024, "max_length": 50}


def pool(data: Dataset) -> tuple[ModelSpec, ...]:
    """Return the models to choose from, unfitted: the simplest first."""
    models: list[tuple[str, dict[str, Any]]] = [
        ("UserCosine", {}),
        ("ItemCosine", {}),
        ("RP3beta", {}),
        ("GraphFilter", {}),
        ("IALS", {}),
        ("IALS", SPARSE_IALS),
    ]
    models.append(("EASE" if data.n_items <= MAX_EASE_ITEMS else "SparseEASE", {}))
    if data.user_features is not None or data.item_features is not None:
        models.append(("Hybrid", {}))  # by choices alone it adds nothing to the two cosines
    if data.item_features is not None:
        models.append(("ContentBased", {}))
        if data.times is not None:
            models.append(("ContentBased", {"aggregate": "recency"}))
    if extras.installed("torch"):
        models.append(("MatrixFactorization", {}))
        if has_order(data):
            epochs = sequence_epochs(data)
            if epochs:
                models.append(("SASRec", SEQUENCE | {"epochs": epochs}))
    specs = [ModelSpec(model=name, config=settings) for name, settings in models]
    return tuple(specs[:1] + fitting(specs[1:], data, memory_of(specs[:1], data)))


def memory_of(specs: Sequence[ModelSpec], data: Dataset) -> int:
    """Return about the bytes of fitting models one after another and keeping them."""
    return sum(spec.make().memory_to_fit(data) for spec in specs)


def fitting(specs: Sequence[ModelSpec], data: Dataset, taken: int) -> list[ModelSpec]:
    """Return the models that fit into the free memory beside those before; log the others."""
    free, kept = available_memory(), []
    for spec in specs:
        needed = memory_of([spec], data)
        if free is None or taken + needed <= free:
            kept.append(spec)
            taken += needed
        else:
            log.warning(
                "%s is left out of the stages to choose from: it needs %s of memory, and %s are "
                "free beside the others; name it in stages to have it",
                spec.model,
                gigabytes(needed),
                gigabytes(max(free - taken, 0)),
            )
    return kept


def has_order(data: Dataset) -> bool:
    """Return whether times say in which order most choices of a user followed each other."""
    if data.times is None:
        return False
    order = np.lexsort((data.times, data.user_rows))
    follows = np.diff(data.user_rows[order]) == 0
    differ = np.diff(data.times[order]) > 0
    return bool(2 * (follows & differ).sum() > max(follows.sum(), (data.user_counts > 0).sum()))


def sequence_epochs(data: Dataset) -> int:
    """Return the most epochs of SASRec; 0, which is logged, if the histories are too much work."""
    positions = np.minimum(data.user_counts, SEQUENCE["max_length"] + 1) - 1
    count = int(positions.clip(min=0).sum())
    epochs = min(200, MAX_POSITIONS // max(count, 1))
    if epochs < LEAST_EPOCHS:
        log.info(
            "SASRec is left out of the stages to choose from: %s positions in histories, "
            "and %s are at most two minutes of one core; name it in stages to have it",
            f"{count:,}",
            f"{MAX_POSITIONS // LEAST_EPOCHS:,}",
        )
        return 0
    return epochs


class StageChoice(NamedTuple):
    """The chosen stages, and how every candidate does alone."""

    chosen: list[int]  # positions in the pool, ascending
    alone: Doubles  # (S,): the NDCG of each stage of the pool on held-out items
    # Those of the chosen stages, of the first chunk of each half of the users.
    lists: list[Lists]


def choose_stages(fold: Round, rows_of: RowsOf, config: CascadeConfig) -> StageChoice:
    """Choose stages by the NDCG of their ranker on held-out items.

    Starting from all, the stages that contribute least to the scores leave, until one is left. The
    ranker is fitted on one half of the users and measured on the other. Of the sets on the way and
    the best single stage the largest within half a percent of the best is chosen: measured on half
    of the examples, large sets look slightly worse than they are with all.
    """
    n_stages, count = len(fold.stages), config.candidates
    trees = None if config.ranker == "linear" else quicker(config)
    parts = list(islice(chunks(fold.users, config.seed), 2))
    lists = [examples(fold._replace(users=users), rows_of, config, top=True) for _, users in parts]
    if len(lists) < 2 or not all(len(part.top.lists) for part in lists):
        return StageChoice(list(range(n_stages)), np.zeros(n_stages), lists)
    n_users, depth = sum(len(users) for _, users in parts), min(DEPTH, count)
    levels, ranks = (
        np.arange(n_stages) * len(STAGE_COLUMNS) + STAGE_COLUMNS.index(name)
        for name in ("level", "rank")
    )

    def measured_value(subset: list[int]) -> tuple[float, Doubles]:
        """Return the NDCG of a set, and how much each of its stages contributes."""
        total, amounts = 0.0, np.zeros(len(subset))
        columns = columns_of(subset, n_stages)
        for fitted, measured in ((0, 1), (1, 0)):
            fit_on = lists[fitted].sampled
            ranker = fit_ranker(
                fit_on._replace(rows=fit_on.rows[:, columns]), Columns.of(len(subset)), trees
            )
            top = lists[measured].top
            rows = top.rows[:, columns]
            outside = (top.rows[:, ranks[subset]] > depth).all(axis=1)
            total += gains(top, np.where(outside, -np.inf, ranker.scores(rows))).sum()
            some = ranker.parts(rows[:: max(1, len(rows) // CONTRIBUTIONS)])
            by_stage = some[:, : len(STAGE_COLUMNS) * len(subset)].reshape(
                len(some), len(subset), len(STAGE_COLUMNS)
            )
            amounts += by_stage.sum(axis=2).std(axis=0)
        return total / n_users, amounts

    alone = np.zeros(n_stages)
    for part in lists:
        for stage, level in enumerate(levels):
            outside = part.top.rows[:, ranks[stage]] > depth
            scores = np.where(outside, -np.inf, part.top.rows[:, level])
            alone[stage] += gains(part.top, scores).sum() / n_users
    tried: list[tuple[float, list[int]]] = [(float(alone.max()), [int(alone.argmax())])]
    subset = list(range(n_stages))
    while len(subset) > 1:
        together, amounts = measured_value(subset)
        tried.append((together, subset))
        if together < (1 - STOPPING_GAP) * max(value for value, _ in tried[1:]):
            break
        weakest = np.lexsort((alone[subset], amounts))[: max(1, len(subset) // 5)]
        subset = [stage for position, stage in enumerate(subset) if position not in weakest]
    threshold = max(together for together, _ in tried) * (1 - TOLERANCE)
    chosen = max((stages for value, stages in tried if value >= threshold), key=len)
    columns = columns_of(chosen, n_stages)
    return StageChoice(chosen, alone, [only_stages(part, columns, count) for part in lists])


def quicker(config: CascadeConfig) -> CascadeConfig:
    """Return settings of half as many trees that learn twice as fast, to compare stages by."""
    rate = min(1.0, 2 * config.learning_rate)
    return config.model_copy(update={"trees": -(-config.trees // 2), "learning_rate": rate})


def only_stages(lists: Lists, columns: NDArray[np.intp], count: int) -> Lists:
    """Return the lists of some stages, given the columns that belong to them."""
    width = len(STAGE_COLUMNS)
    stages = columns[: -len(DATA_COLUMNS) : width] // width

    def part(examples: Examples, depth: int) -> Examples:
        rows = examples.rows[:, columns]
        ranks = rows[:, STAGE_COLUMNS.index("rank") : -len(DATA_COLUMNS) : width]
        return examples.only(np.asarray((ranks <= depth).any(axis=1)), rows)

    sampled = part(lists.sampled, count)
    hits = np.append(lists.hits[stages], len(sampled.lists))
    return Lists(sampled, part(lists.top, min(DEPTH, count)), hits)


def columns_of(stages: Sequence[int], n_stages: int) -> NDArray[np.intp]:
    """Return the positions of the ranker's inputs that belong to some of the stages."""
    width = len(STAGE_COLUMNS)
    of_stages = (np.array(stages, dtype=np.intp)[:, np.newaxis] * width + np.arange(width)).ravel()
    return np.append(of_stages, n_stages * width + np.arange(len(DATA_COLUMNS)))


class RankerChoice(NamedTuple):
    """The chosen order of the candidates, and how every order did."""

    name: str  # ``"linear"``, ``"trees"``, ``"trees with features"``, or :func:`alone` of a stage
    values: dict[str, float]  # the NDCG of each order on held-out items


def choose_ranker(
    examples: Sequence[Examples],
    lists: Sequence[Examples],
    n_users: int,
    stages: Sequence[str],
    options: Mapping[str, tuple[Columns, CascadeConfig | None]],
) -> RankerChoice:
    """Choose an order by its NDCG on held-out items of users that it was not fitted on.

    ``examples`` to fit on and ``lists`` to measure on are those of each half of the ``n_users``.
    The own orders of ``stages`` may be chosen, and the learned ones in ``options``, which has the
    columns and trees of each, the simplest first.
    """
    columns = next(iter(options.values()))[0]
    names = [alone(stage) for stage in stages]
    scores: list[dict[str, Doubles]] = []
    for fitted, measured in ((0, 1), (1, 0)):
        rows = lists[measured].rows
        scores_of = {
            name: rows[:, level].astype(np.float64)
            for name, level in zip(names, columns.levels, strict=False)
        }
        for name, (used, trees) in options.items():
            part = examples[fitted]
            part = part._replace(rows=part.rows[:, : used.width])
            scores_of[name] = fit_ranker(part, used, trees).scores(rows[:, : used.width])
        scores.append({name: gains(lists[measured], each) for name, each in scores_of.items()})
    values = {name: float(sum(half[name].sum() for half in scores)) / n_users for name in scores[0]}
    return RankerChoice(max(values, key=lambda name: values[name]), values)


def alone(stage: str) -> str:
    """Return the name of the order of a single stage."""
    return f"{stage} alone"


def gains(lists: Examples, scores: Doubles) -> Doubles:
    """Return the discounted gain of the chosen item of each list; ties have mid-ranks."""  # (L,)
    if not len(lists.lists):
        return np.zeros(0)
    starts = np.cumsum(lists.lists) - lists.lists
    owner = np.repeat(np.arange(len(starts)), lists.lists)
    own = np.maximum.reduceat(np.where(lists.chosen, scores, -np.inf), starts)[owner]
    ranks = np.add.reduceat((scores > own) + 0.5 * (scores == own), starts) + 0.5
    return discounted_gain(ranks, CUTOFF)
