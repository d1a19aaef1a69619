"""The training examples of a cascade's ranker: candidates, and whether the user chose them.

One choice of every user is held out, the stages are fitted on the rest and return
candidates; the held-out items among them are the positives. So the inputs of a positive are
computed without it, on data nearly as dense as the data that the stages are fitted on in the end.
Several such rounds give several times as many positives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist import engine
from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.kernels.sampling import splitmix
from shortlist.models.cascade.candidates import Candidates, Stages, known_users, retrieve, unseen
from shortlist.models.cascade.config import CascadeConfig
from shortlist.progress import track
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats

ALL_STAGES = "all together"
"""The name of the union of all stages in tables."""

CHUNK = 4_000  # users of each half; choices are made by the first chunk of both: enough users
DEPTH = 30  # ranks of a stage that are measured

RowsOf: TypeAlias = Callable[[Candidates, Profiles], Floats]


class Examples(NamedTuple):
    """Labelled candidates, list by list."""

    rows: Floats  # (n, d): the ranker's inputs
    chosen: NDArray[np.bool_]  # (n,): whether the user chose the candidate
    lists: NDArray[np.int64]  # (L,): the length of each list

    @classmethod
    def concatenated(cls, parts: Sequence[Examples]) -> Examples:
        """Concatenate examples."""
        return cls(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each list starts."""  # (L,)
        starts: NDArray[np.int64] = np.cumsum(self.lists) - self.lists
        return starts

    @property
    def owners(self) -> NDArray[np.intp]:
        """The list of each candidate."""  # (n,)
        return np.repeat(np.arange(len(self.lists)), self.lists)

    def only(self, kept: NDArray[np.bool_], rows: Floats) -> Examples:
        """Return some candidates with other inputs (n, e), of lists whose chosen one is kept."""
        owners = self.owners
        kept = kept & np.isin(owners, owners[self.chosen & kept])
        lists = np.bincount(owners[kept], minlength=len(self.lists))
        return Examples(rows[kept], self.chosen[kept], lists[lists > 0])


class HeldOut(NamedTuple):
    """A split of the data, and the users of whom an item is held out."""

    train: Dataset
    held_out: Dataset
    users: Rows

    def fitted(self, stages: Stages) -> Round:
        """Fit stages without the held-out items."""
        return Round([stage.fit(self.train) for stage in stages], *self)


class Round(NamedTuple):
    """Stages fitted without the held-out items, and the users who have such an item."""

    stages: Stages
    train: Dataset
    held_out: Dataset
    users: Rows


def splits(data: Dataset, count: int, seed: int) -> Iterator[HeldOut]:
    """Hold out one choice of every user, ``count`` times.

    The first time it is the last choice where there are times, else a random one, because lists are
    for what comes next. Nothing is held out of users with a single choice. If all users are such,
    there are no splits.
    """
    if not (data.user_counts > 1).any():
        return
    for number in track(range(count), "fitting stages on folds"):
        split_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        order: split.Order = "random" if number or data.times is None else "time"
        train, held_out = split.leave_last_out(data, order=order, seed=split_seed)
        yield HeldOut(train, held_out, np.flatnonzero(held_out.user_counts).astype(np.int32))


class Lists(NamedTuple):
    """The lists of some users whose held-out item is among the candidates."""

    sampled: Examples  # the held-out items, and a sample of the other candidates: to fit on
    top: Examples  # all candidates that a stage ranks highly: to measure on. Empty if not asked for
    # How many held-out items each stage returned, and their union.
    hits: NDArray[np.int64]  # (S + 1,)


def chunks(users: Rows, seed: int) -> Iterator[tuple[int, Rows]]:
    """Divide users into two random halves, and yield chunks of the first and the second in turn.

    What is fitted on one half is measured on the other. The rows of a chunk ascend.
    """
    shuffled = np.random.default_rng([seed, 1]).permutation(users)
    middle = len(users) // 2
    halves = shuffled[:middle], shuffled[middle:]
    for start in range(0, len(halves[1]), CHUNK):
        for number, half in enumerate(halves):
            if start < len(half):
                yield number, np.sort(half[start : start + CHUNK])


def examples(fold: Round, rows_of: RowsOf, config: CascadeConfig, top: bool = False) -> Lists:
    """Return the lists of a round's users, with the ``top`` lists if they are asked for.

    These are not sampled: a ranker that is better among sampled candidates is not always better at
    the top.
    """
    task = partial(_block_examples, fold=fold, rows_of=rows_of, config=config, with_top=top)
    row_bytes = 4 * fold.train.n_items * (len(fold.stages) + 2)
    results = list(engine.current().map_rows(task, len(fold.users), row_bytes, "candidates"))
    sampled, lists, hits = zip(*results, strict=True)
    return Lists(Examples.concatenated(sampled), Examples.concatenated(lists), np.sum(hits, axis=0))


def are_held_out(candidates: Candidates, users: Rows, held_out: Dataset) -> NDArray[np.bool_]:
    """Return whether each candidate is a held-out item of its user."""  # (n,)
    held = held_out.choices[users]
    is_held = np.zeros(held.shape, dtype=bool)
    is_held[np.repeat(np.arange(len(users)), np.diff(held.indptr)), held.indices] = True
    return is_held[candidates.owners, candidates.items]


def round_history(
    names: Sequence[str], recalls: Sequence[NDArray[np.float64]], validation: Mapping[str, float]
) -> pa.Table:
    """Return a table of the recall of each stage and of their union, one row per round.

    The first round, which choices are made on, also has the NDCG of every order.
    """
    table: dict[str, Any] = {"epoch": pa.array(range(1, len(recalls) + 1), pa.int64())}
    for column, name in enumerate([*names, ALL_STAGES]):
        table[f"recall: {name}"] = pa.array([float(row[column]) for row in recalls], pa.float64())
    for name, value in validation.items():
        values = [value, *[None] * len(recalls)][: len(recalls)]
        table[f"ndcg: {name}"] = pa.array(values, pa.float64())
    return pa.table(table)


def _block_examples(
    block: range, *, fold: Round, rows_of: RowsOf, config: CascadeConfig, with_top: bool
) -> Lists:
    users = fold.users[block.start : block.stop]
    profiles = known_users(fold.train, users, fold.stages)
    order = fold.train.popularity_order
    candidates = retrieve(fold.stages, profiles, unseen(profiles, order), config.candidates, order)
    chosen = are_held_out(candidates, users, fold.held_out)
    owners = candidates.owners
    sampled = _has(chosen, owners)
    sampled[sampled] = _drawn(users, candidates.only(sampled), chosen[sampled], config)
    top = np.asarray((candidates.ranks <= DEPTH).any(axis=0)) & with_top
    top &= _has(chosen & top, owners)
    kept = sampled | top
    rows = rows_of(candidates.only(kept), profiles)

    def part(mask: NDArray[np.bool_]) -> Examples:
        lists = np.bincount(owners[mask], minlength=len(users))
        return Examples(rows[mask[kept]], chosen[mask], lists[lists > 0])

    hits = np.append((candidates.returned & chosen).sum(axis=1), chosen.sum())
    return Lists(part(sampled), part(top), hits)


def _drawn(
    users: Rows, candidates: Candidates, chosen: NDArray[np.bool_], config: CascadeConfig
) -> NDArray[np.bool_]:
    """Draw the chosen candidates, and up to ``config.negatives`` others of each list."""  # (n,)
    owners = candidates.owners
    # The random key of a pair does not depend on the block that the pair is in.
    keys = _random_keys(users[owners], candidates.items, config.seed)
    order_in_list = np.lexsort((keys, chosen, owners))  # in each list the negatives first, shuffled
    rank = np.arange(len(order_in_list)) - candidates.indptr[:-1][owners]
    drawn = np.zeros(len(order_in_list), dtype=bool)
    drawn[order_in_list] = rank < config.negatives
    return drawn | chosen


def _has(chosen: NDArray[np.bool_], owners: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return whether the list of each candidate has a chosen one."""  # (n,)
    return np.isin(owners, owners[chosen])


def _random_keys(users: Rows, items: Rows, seed: int) -> NDArray[np.uint64]:
    """Hash each pair to a random number (the finaliser of SplitMix64)."""  # (n,)
    pairs = (users.astype(np.uint64) << np.uint64(32)) | items.astype(np.uint64)
    return splitmix(pairs + np.uint64(0x9E3779B97F4A7C15) * np.array([seed + 1], np.uint64))
