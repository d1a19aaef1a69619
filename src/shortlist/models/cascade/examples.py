"""What the ranker of a cascade learns from: what stages return for users they have not seen whole.

One random choice of every user is held out, the stages are fitted on the rest and asked for
candidates, and the candidates that were held out are the positives. So every number the ranker
sees of a positive is computed without it, on data nearly as dense as what the stages are fitted on
in the end. Several rounds of this make several times as many positives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist import engine
from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.kernels.sampling import splitmix
from shortlist.models.base import Model
from shortlist.models.cascade.candidates import Candidates, known_users, retrieve, unseen
from shortlist.models.cascade.handover import ALL
from shortlist.progress import track
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats

Stages = Sequence[Model[Any, Any]]
Columns = Callable[[Candidates, Profiles, Dataset], Floats]


class Examples(NamedTuple):
    """Candidates with what became of them, a list after the other.

    Attributes
    ----------
    rows
        What the ranker sees of each.  # (n, d)
    chosen
        Whether the user chose it.  # (n,)
    lists
        How many of them each list has.  # (L,)
    """

    rows: Floats
    chosen: NDArray[np.bool_]
    lists: NDArray[np.int64]


class Held(NamedTuple):
    """One round: fitted stages, and the users who have something held out."""

    stages: Stages
    train: Dataset
    held: Dataset
    users: Rows


def rounds(make: Callable[[], Stages], data: Dataset, count: int, seed: int) -> Iterator[Held]:
    """Hold one random choice of every user out and fit the stages on the rest, ``count`` times.

    Users with a single choice lose nothing. Of data of which nothing can be held out there is no
    round.
    """
    if not (data.user_counts > 1).any():
        return
    for turn in track(range(count), "fitting stages on folds"):
        drawn = int(np.random.SeedSequence([seed, turn]).generate_state(1)[0])
        train, held = split.leave_last_out(data, order="random", seed=drawn)
        users = np.flatnonzero(held.user_counts).astype(np.int32)
        yield Held([stage.fit(train) for stage in make()], train, held, users)


def examples(
    fold: Held, columns: Columns, count: int, negatives: int, seed: int
) -> tuple[Examples, NDArray[np.float64]]:
    """Give the lists of a round in which what was held out was returned.

    Parameters
    ----------
    fold
        Stages and users.
    columns
        Writes out what the ranker sees.
    count
        How many candidates each stage returns.
    negatives
        How many of the candidates that were not chosen are kept of each list, drawn at random.
    seed
        Seeds the draw.

    Returns
    -------
    The lists, and the share of what was held out that each stage returned, and all of them
    together.  # (S + 1,)
    """
    task = partial(
        _examples, fold=fold, columns=columns, count=count, negatives=negatives, seed=seed
    )
    width = 16 * fold.train.n_items * (len(fold.stages) + 2)
    found = engine.current().map_rows(task, len(fold.users), width, "candidates")
    lists, hits = zip(*found, strict=True)
    return joined(lists), np.sum(hits, axis=0) / len(fold.users)


def joined(some: Sequence[Examples]) -> Examples:
    """Put examples one after the other."""
    return Examples(*(np.concatenate(one) for one in zip(*some, strict=True)))


def labels(candidates: Candidates, users: Rows, held: Dataset) -> NDArray[np.bool_]:
    """Say which candidates were held out."""  # (n,)
    keys = users[candidates.owners].astype(np.int64) * held.n_items + candidates.items
    return np.isin(keys, held.user_rows.astype(np.int64) * held.n_items + held.item_rows)


def _examples(
    block: range, *, fold: Held, columns: Columns, count: int, negatives: int, seed: int
) -> tuple[Examples, NDArray[np.int64]]:
    users = fold.users[block.start : block.stop]
    profiles = known_users(fold.train, users, fold.stages)
    order = fold.train.popularity_order
    candidates = retrieve(fold.stages, profiles, unseen(profiles, order), count, order)
    chosen = labels(candidates, users, fold.held)
    owners = candidates.owners
    positives = np.bincount(owners[chosen], minlength=len(users))
    # Drawn by user and item, so that blocks change nothing.
    drawn = _draws(users[owners], candidates.items, seed)
    place = np.lexsort((drawn, chosen, owners))  # of each list the negatives first, mixed
    rank = np.arange(len(place)) - candidates.indptr[:-1][owners]
    kept = np.zeros(len(place), dtype=bool)
    kept[place] = (rank < negatives) | chosen[place]
    kept &= positives[owners] > 0
    rows = columns(candidates, profiles, fold.train)[kept]
    lists = np.bincount(owners[kept], minlength=len(users))
    hits = np.append((candidates.returned & chosen).sum(axis=1), chosen.sum())
    return Examples(rows, chosen[kept], lists[lists > 0]), hits


def _draws(users: Rows, items: Rows, seed: int) -> NDArray[np.uint64]:
    """Give each pair a number that looks drawn (the finaliser of SplitMix64)."""  # (n,)
    pairs = (users.astype(np.uint64) << np.uint64(32)) | items.astype(np.uint64)
    return splitmix(pairs + np.uint64(0x9E3779B97F4A7C15) * np.array([seed + 1], np.uint64))


def told(names: list[str], shares: list[NDArray[np.float64]]) -> pa.Table:
    """Give a row a round: the share of what was held out that was returned."""
    table: dict[str, Any] = {"epoch": pa.array(range(1, len(shares) + 1), pa.int64())}
    for place, name in enumerate([*names, ALL]):
        table[f"recall: {name}"] = pa.array([float(one[place]) for one in shares], pa.float64())
    return pa.table(table)
