"""Measuring an order of candidates on held-out items, and choosing by it.

The lists hold all candidates near the top of a stage, without sampling: a ranker that is better
among sampled candidates is not always better at the top.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist import engine
from shortlist.data.vocabulary import Rows
from shortlist.metrics.ranking import discounted_gain
from shortlist.models.cascade.candidates import known_users, retrieve, unseen
from shortlist.models.cascade.examples import Examples, Round, RowsOf, are_held_out

Doubles = NDArray[np.float64]

CUTOFF = 20  # of the NDCG that choices are made by
DEPTH = 30  # ranks of a stage that are measured
MOST_USERS = 8_000  # measured; more would change little


class Halves(NamedTuple):
    """Users in two random halves: what is fitted on one is measured on the other."""

    first: Rows
    second: Rows

    @classmethod
    def of(cls, users: Rows, seed: int) -> Halves:
        """Divide users at random; each half ascends."""
        shuffled = np.random.default_rng([seed, 1]).permutation(users)
        middle = len(users) // 2
        return cls(np.sort(shuffled[:middle]), np.sort(shuffled[middle:]))

    def sampled(self, seed: int) -> Halves:
        """Return at most ``MOST_USERS`` of the users."""
        rng, most = np.random.default_rng([seed, 2]), MOST_USERS // 2
        return Halves(
            *(
                half if len(half) <= most else np.sort(rng.choice(half, most, replace=False))
                for half in self
            )
        )


def top_lists(fold: Round, rows_of: RowsOf, count: int) -> Examples:
    """Return all candidates that a stage ranks highly, of users whose held-out item is there."""
    task = partial(_block_lists, fold=fold, rows_of=rows_of, count=count)
    row_bytes = 16 * fold.train.n_items * (len(fold.stages) + 2)
    return Examples.concatenated(
        list(engine.current().map_rows(task, len(fold.users), row_bytes, "validation"))
    )


def _block_lists(block: range, *, fold: Round, rows_of: RowsOf, count: int) -> Examples:
    users = fold.users[block.start : block.stop]
    profiles = known_users(fold.train, users, fold.stages)
    order = fold.train.popularity_order
    found = retrieve(fold.stages, profiles, unseen(profiles, order), count, order)
    is_top: NDArray[np.bool_] = np.asarray((found.ranks <= DEPTH).any(axis=0))
    top = found.only(is_top)
    chosen = are_held_out(top, users, fold.held_out)
    has_positive = np.bincount(top.owners[chosen], minlength=len(users)) > 0
    kept = has_positive[top.owners]
    rows = rows_of(top.only(kept), profiles, fold.train)
    return Examples(rows, chosen[kept], np.diff(top.indptr)[has_positive])


def gains(lists: Examples, scores: Doubles) -> Doubles:
    """Return the discounted gain of the chosen item of each list; ties have mid-ranks."""  # (L,)
    if not len(lists.lists):
        return np.zeros(0)
    starts = np.cumsum(lists.lists) - lists.lists
    owner = np.repeat(np.arange(len(starts)), lists.lists)
    own = np.maximum.reduceat(np.where(lists.chosen, scores, -np.inf), starts)[owner]
    ranks = np.add.reduceat((scores > own) + 0.5 * (scores == own), starts) + 0.5
    return discounted_gain(ranks, CUTOFF)


def sampled_lists(lists: Examples, negatives: int, seed: int) -> Examples:
    """Keep about ``negatives`` of the candidates of each list that were not chosen."""
    rng = np.random.default_rng([seed, 3])
    lengths = np.repeat(lists.lists, lists.lists)
    kept = lists.chosen | (rng.random(len(lengths)) * lengths < negatives)
    owner = np.repeat(np.arange(len(lists.lists)), lists.lists)
    counts = np.bincount(owner[kept], minlength=len(lists.lists))
    return Examples(lists.rows[kept], lists.chosen[kept], counts)
