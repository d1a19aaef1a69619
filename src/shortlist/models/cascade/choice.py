"""What a cascade decides by validation: its stages, and how it orders their candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.models.cascade.candidates import Candidates
from shortlist.models.cascade.examples import Examples, Round
from shortlist.models.cascade.rankers import Columns, TreeSettings, fit_blend, fit_ranker
from shortlist.models.cascade.validation import (
    DEPTH,
    Halves,
    gains,
    sampled_lists,
    top_lists,
)
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats

Doubles = NDArray[np.float64]

TOLERANCE = 0.005  # of the best value; a smaller set of stages within it is preferred


class StageChoice(NamedTuple):
    """The chosen stages, and how every candidate does alone.

    Attributes
    ----------
    chosen
        Positions in the pool, ascending.
    alone
        The NDCG of each stage of the pool on held-out items.  # (S,)
    together
        The NDCG of the weighted sum of the chosen.
    """

    chosen: list[int]
    alone: Doubles
    together: float


def choose_stages(fold: Round, count: int, negatives: int, seed: int) -> StageChoice:
    """Choose stages by the NDCG of their weighted sum on held-out items.

    Starting from all, the stage with the smallest weight leaves, until one is left. The weights are
    fitted on one half of the users and measured on the other. Of the sets on the way and the single
    stages the smallest within half a percent of the best is chosen.
    """
    n_stages = len(fold.stages)
    halves = Halves.of(fold.users, seed).sampled(seed)
    lists = [top_lists(fold._replace(users=half), _levels_and_ranks, count) for half in halves]
    n_users = sum(map(len, halves))
    samples = [sampled_lists(part, negatives, seed) for part in lists]

    def value(subset: Sequence[int]) -> tuple[float, Doubles]:
        """Return the NDCG of a set, and its weights."""
        total, weights = 0.0, np.zeros(n_stages)
        columns = np.array(subset)
        for fitted, measured in ((0, 1), (1, 0)):
            blend = np.ones(1)
            if len(subset) > 1:
                blend = fit_blend(samples[fitted], columns)[columns]
            weights[columns] += blend
            rows = lists[measured].rows
            scores = (rows[:, columns].astype(np.float64) * blend).sum(axis=1)
            outside = (rows[:, n_stages + columns] > DEPTH).all(axis=1)
            total += gains(lists[measured], np.where(outside, -np.inf, scores)).sum()
        return total / n_users, weights

    if not all(len(part.lists) for part in lists):
        return StageChoice(list(range(n_stages)), np.zeros(n_stages), 0.0)
    alone = np.array([value([stage])[0] for stage in range(n_stages)])
    tried: list[tuple[float, list[int]]] = [(alone.max(), [int(alone.argmax())])]
    subset = list(range(n_stages))
    while len(subset) > 1:
        found, weights = value(subset)
        tried.append((found, list(subset)))
        subset.remove(min(subset, key=lambda stage: (weights[stage], alone[stage])))
    threshold = max(found for found, _ in tried) * (1 - TOLERANCE)
    together, chosen = min(
        (pair for pair in tried if pair[0] >= threshold), key=lambda pair: (len(pair[1]), -pair[0])
    )
    return StageChoice(chosen, alone, together)


class RankerChoice(NamedTuple):
    """The chosen order of the candidates, and how every order did.

    Attributes
    ----------
    name
        ``"linear"``, ``"trees"``, ``"trees with features"``, or :func:`alone` of a stage.
    values
        The NDCG of each order on held-out items.
    """

    name: str
    values: dict[str, float]


def choose_ranker(
    examples: Sequence[Examples],
    lists: Sequence[Examples],
    n_users: int,
    stages: Sequence[str],
    options: Mapping[str, tuple[Columns, TreeSettings | None]],
) -> RankerChoice:
    """Choose an order by its NDCG on held-out items of users that it was not fitted on.

    Parameters
    ----------
    examples, lists
        Training examples, and lists to measure on, of each half of the users.
    n_users
        The number of users that the lists are from.
    stages
        The names of the stages whose own orders may be chosen.
    options
        Columns and trees of each learned order, the simplest first.
    """
    columns = next(iter(options.values()))[0]
    names = [alone(stage) for stage in stages]
    scores: list[dict[str, Doubles]] = []
    for fitted, measured in ((0, 1), (1, 0)):
        rows = lists[measured].rows
        found = {
            name: rows[:, level].astype(np.float64)
            for name, level in zip(names, columns.levels, strict=False)
        }
        for name, (used, trees) in options.items():
            part = examples[fitted]
            part = part._replace(rows=part.rows[:, : used.width])
            found[name] = fit_ranker(part, used, trees).scores(rows[:, : used.width])
        scores.append({name: gains(lists[measured], each) for name, each in found.items()})
    values = {name: float(sum(half[name].sum() for half in scores)) / n_users for name in scores[0]}
    return RankerChoice(max(values, key=lambda name: values[name]), values)


def alone(stage: str) -> str:
    """Return the name of the order of a single stage."""
    return f"{stage} alone"


def _levels_and_ranks(candidates: Candidates, profiles: Profiles, data: Dataset) -> Floats:
    """Return levels and ranks by stage, as the rows of lists."""  # (n, 2 S)
    return np.concatenate([candidates.levels, candidates.ranks]).T.astype(np.float32)
