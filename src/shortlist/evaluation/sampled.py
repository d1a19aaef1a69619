"""The sampled protocol of the papers: test items ranked among a few negatives. For comparison only.

He et al. (WWW 2017) rank each held-out item among 99 items without an interaction of the user. Such
figures are much higher than those against the full catalogue, and may order models differently
(Krichene and Rendle, KDD 2020), so the name of every metric carries the sample it comes from:
``hit_rate@10 (99 sampled)``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.engine import LocalEngine
from shortlist.errors import InputError
from shortlist.evaluation.protocol import scores_of
from shortlist.evaluation.report import Report, labelled
from shortlist.evaluation.truth import Block, Truth, positive_integers, require_fitted_on
from shortlist.metrics.bootstrap import Measure
from shortlist.metrics.ranking import BoolArray, Int64Array, rank_metrics
from shortlist.models.base import Model
from shortlist.scoring.scores import DenseScores
from shortlist.scoring.selection import Eligible, midranks


def evaluate_sampled(
    model: Model[Any, Any],
    train: Dataset,
    test: Dataset,
    negatives: int | Dataset = 99,
    k: int | Iterable[int] = (5, 10, 20),
    *,
    seed: int = 0,
) -> Report:
    """Rank each user's test items among sampled negatives, as papers on neural models do.

    The candidates of a user are their test items and their negatives; ties count as in
    :func:`evaluate`. Coverage, novelty and popularity are not reported, because no user would be
    shown such a list, and neither are rating errors, which do not depend on a sample.

    Parameters
    ----------
    model, train, test, k
        As for :func:`evaluate`.
    negatives
        The number of negatives per user. They are drawn uniformly, without replacement, from the
        items that the user interacted with neither in train nor in test, and that are live at the
        user's first test time if items have life spans. A user with fewer such items gets all of
        them, and a note counts those users. Or a Dataset of published (user, item) negatives with
        the vocabularies of the split, which are used as they are.
    seed
        Seed of the negatives and of the bootstrap intervals.

    Raises
    ------
    InputError, NotFittedError, ConfigError
        As for :func:`evaluate`; or ``negatives`` is not a positive integer, or published negatives
        have other vocabularies or leave out a test user.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from shortlist.data import split
    >>> from shortlist.models.popularity import Popularity
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": [10, 20, 10, 20, 30]})
    >>> train, test = split.leave_last_out(Dataset.from_tables(log), order="row")
    >>> report = evaluate_sampled(Popularity().fit(train), train, test, negatives=1, k=1)
    >>> report["hit_rate@1 (1 sampled)"]
    0.0
    """
    ks = positive_integers("k", k)
    require_fitted_on(model, train)
    truth = Truth.of(train, test)
    if isinstance(negatives, Dataset):
        count = 0  # published negatives are never too few
        sampler, label = _published(negatives, truth)
    else:
        [count] = positive_integers("negatives", negatives)
        sampler, label = _drawn(count, truth, seed), f"{count} sampled"
    ranks = np.empty(len(truth.item_rows))
    short, seconds = 0, 0.0
    row_bytes = 8 * train.n_items  # of scores and candidates
    blocks = LocalEngine().map_rows(
        truth.block, len(truth.user_rows), row_bytes, f"evaluating {model.name}"
    )
    for block in blocks:
        started = time.perf_counter()
        scores = scores_of(model, block.user_rows)  # (n_block, n_items)
        seconds += time.perf_counter() - started
        candidates = sampler(block)  # (n_block, n_items)
        short += int((candidates.sum(axis=1) < count).sum())
        candidates[_owners(block.indptr), block.item_rows] = True
        n_block = len(candidates)
        eligible = Eligible.everything(n_block, train.popularity_order)._replace(
            masks=candidates, mask_of=np.arange(n_block, dtype=np.int32)
        )
        ranks[block.entries] = midranks(
            DenseScores(scores), eligible, block.indptr, block.item_rows
        )
    notes = [*truth.notes]
    if short:
        notes.append(
            f"users with fewer than {count} possible negatives, who get all of them: {short:,}"
        )
    values = rank_metrics(ranks, truth.indptr, ks)
    return Report(
        model=model.name,
        users=train.users.take(truth.user_rows),
        history=train.user_counts[truth.user_rows],
        measures={labelled(name, label): Measure(per_user) for name, per_user in values.items()},
        catalogue={},
        k=ks,
        n_items=train.n_items,
        protocol=f"each user's test items among {label} negatives only, mid-rank ties",
        label=label,
        notes=tuple(notes),
        score_seconds=seconds,
        seed=seed,
    )


# Returns the negatives of a block of users: bool (n_block, n_items).
Sampler: TypeAlias = Callable[[Block], BoolArray]


def _drawn(count: int, truth: Truth, seed: int) -> Sampler:
    """Draw the negatives user by user, so that they do not depend on the block size."""
    rng = np.random.default_rng(seed)

    def draw(block: Block) -> BoolArray:
        shape = (len(block.user_rows), truth.train.n_items)
        seen_indptr, seen_rows, masks, mask_of, _ = block.eligible
        possible = masks[mask_of] if len(masks) else np.ones(shape, dtype=bool)
        possible[_owners(seen_indptr), seen_rows] = False
        possible[_owners(block.indptr), block.item_rows] = False
        drawn = np.zeros(shape, dtype=bool)
        for row, of_user in enumerate(possible):
            items = np.flatnonzero(of_user)
            size = min(count, len(items))
            drawn[row, rng.choice(items, size, replace=False, shuffle=False)] = True
        return drawn

    return draw


def _published(negatives: Dataset, truth: Truth) -> tuple[Sampler, str]:
    """Return a sampler of published negatives, and the label with their number per user."""
    train = truth.train
    if not (negatives.users.equals(train.users) and negatives.items.equals(train.items)):
        raise InputError(
            "the given negatives have other vocabularies than train",
            remedy="code them together with the split: split.given(train, negatives)",
        )
    counts = negatives.user_counts[truth.user_rows]
    if not counts.all():
        user = train.users.ids[int(truth.user_rows[counts.argmin()])].as_py()
        raise InputError(
            f"test users without given negatives: {(counts == 0).sum():,}, first user {user!r}",
            remedy="give every test user some, or leave those users out of the test",
        )

    def read(block: Block) -> BoolArray:
        return np.asarray(negatives.choices[block.user_rows].toarray() > 0)

    low, high = counts.min(), counts.max()
    return read, f"{low} sampled" if low == high else f"{low}-{high} sampled"


def _owners(indptr: Int64Array) -> Int64Array:
    """Return the user within the block of each entry."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
