"""The papers' protocol: true items ranked among a few sampled negatives. For comparing only.

He et al. (WWW 2017) rank each held-out item among 99 items the user never chose. Such figures are
much higher than those against the full catalogue, and may order models differently (Krichene and
Rendle, KDD 2020), so every metric's name carries the sample it comes from: ``hit_rate@10 (99
sampled)``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError
from shortlist.evaluation.protocol import scores_of
from shortlist.evaluation.report import Report, labelled
from shortlist.evaluation.truth import (
    Block,
    Truth,
    items_of,
    owners,
    require_fitted_on,
    whole_numbers,
)
from shortlist.kernels.ranking import midranks
from shortlist.kernels.types import Eligible
from shortlist.metrics.ranking import BoolArray, Measure, rank_metrics
from shortlist.models.base import Model
from shortlist.progress import track


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

    A user's candidates are their test items and their negatives; ties count as in
    :func:`evaluate`. No list that a user would be shown comes about this way, so coverage, novelty
    and popularity are not part of the report; nor are rating errors, which no sample touches.

    Parameters
    ----------
    model
        Fitted on ``train``.
    train, test
        The two sides of a split: same vocabularies, no common interaction.
    negatives
        How many to draw for each user: uniformly, without repeats, from the items the user chose
        neither in train nor in test, and of those live at the user's moment where items have life
        spans. A user with fewer such items gets them all, and a note says so. Or the negatives
        themselves, as published: a Dataset of (user, item) pairs with the vocabularies of the
        split, used as they are.
    k
        The lengths of list to measure at.
    seed
        Of the negatives and of the bootstrap intervals.

    Raises
    ------
    InputError
        As for :func:`evaluate`; given negatives have other vocabularies or leave out a test user.
    NotFittedError
        The model has not been fitted.
    ConfigError
        ``negatives`` or ``k`` is no whole number from 1.

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
    ks = whole_numbers("k", k)
    require_fitted_on(model, train)
    truth = Truth.of(train, test)
    if isinstance(negatives, Dataset):
        count = 0  # as many as were published
        sampler, label = _given(negatives, truth)
    else:
        [count] = whole_numbers("negatives", negatives)
        sampler, label = _drawn(count, truth, seed), f"{count} sampled"
    ranks = np.empty(len(truth.item_rows))
    short, seconds = 0, 0.0
    for block in track(truth.blocks(), f"evaluating {model.name}", truth.n_blocks):
        started = time.perf_counter()
        scores = scores_of(model, block.user_rows)  # (n_block, n_items)
        seconds += time.perf_counter() - started
        chosen = sampler(block)  # (n_block, n_items)
        short += int((chosen.sum(axis=1) < count).sum())
        chosen[block.true_owners, block.true_rows] = True
        n_block = len(block.user_rows)
        ranks[block.entries], _ = midranks(
            scores,
            block.true_indptr,
            block.true_rows,
            Eligible(
                excluded_indptr=np.zeros(n_block + 1, dtype=np.int64),
                excluded_indices=np.zeros(0, dtype=np.int32),
                masks=chosen,
                mask_of=np.arange(n_block, dtype=np.int32),
                order=np.arange(train.n_items, dtype=np.int32),
            ),
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
        measures={labelled(name, label): Measure(of_users) for name, of_users in values.items()},
        catalogue={},
        k=ks,
        n_items=train.n_items,
        protocol=f"each user's test items among {label} negatives only, mid-rank ties",
        label=label,
        notes=tuple(notes),
        score_seconds=seconds,
        seed=seed,
    )


# The negatives of a block of users: bool (n_block, n_items).
Sampler: TypeAlias = Callable[[Block], BoolArray]


def _drawn(count: int, truth: Truth, seed: int) -> Sampler:
    """Draw anew for each user in turn, so that blocks do not matter."""
    rng = np.random.default_rng(seed)

    def draw(block: Block) -> BoolArray:
        shape = (len(block.user_rows), truth.train.n_items)
        possible = block.masks[block.mask_of] if len(block.masks) else np.ones(shape, dtype=bool)
        possible[block.seen_owners, block.seen_rows] = False
        possible[block.true_owners, block.true_rows] = False
        chosen = np.zeros(shape, dtype=bool)
        for row, of_user in enumerate(possible):
            items = np.flatnonzero(of_user)
            size = min(count, len(items))
            chosen[row, rng.choice(items, size, replace=False, shuffle=False)] = True
        return chosen

    return draw


def _given(negatives: Dataset, truth: Truth) -> tuple[Sampler, str]:
    """Use published negatives as they are; say how many a user has."""
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
        indptr, rows = items_of(negatives, block.user_rows)
        chosen = np.zeros((len(block.user_rows), train.n_items), dtype=bool)
        chosen[owners(indptr), rows] = True
        return chosen

    low, high = counts.min(), counts.max()
    return read, f"{low} sampled" if low == high else f"{low}-{high} sampled"
