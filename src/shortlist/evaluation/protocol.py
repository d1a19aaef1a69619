"""The full-catalogue evaluation: every item a user could have been shown competes.

For each test user the whole catalogue is scored, the items of their training history are taken out,
and the test items are ranked among the rest, ties at their mid-rank. Users x items is never in
memory: users are scored in blocks, and no figure depends on where the blocks are cut.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import CapabilityError, ShortlistError
from shortlist.evaluation.report import Report
from shortlist.evaluation.truth import Truth, require_fitted_on, whole_numbers
from shortlist.kernels.ranking import midranks
from shortlist.kernels.topk import topk_dense
from shortlist.kernels.types import Eligible
from shortlist.metrics.lists import ListMeasures
from shortlist.metrics.ranking import (
    Measure,
    rank_metrics,
    rating_errors,
)
from shortlist.models.base import Model
from shortlist.progress import track
from shortlist.recommend.recommender import dense_scores
from shortlist.scoring.capabilities import PredictsRatings

PROTOCOL = "full catalogue, seen items removed, mid-rank ties"


def evaluate(
    model: Model[Any, Any],
    train: Dataset,
    test: Dataset,
    k: int | Iterable[int] = (5, 10, 20),
    *,
    seed: int = 0,
) -> Report:
    """Measure a fitted model on held-out interactions, against the full catalogue.

    Parameters
    ----------
    model
        Fitted on ``train``.
    train, test
        The two sides of a split: same vocabularies, no common interaction.
    k
        The lengths of list to measure at. One may be longer than the catalogue: the list is then
        all of it.
    seed
        Of the bootstrap intervals.

    Returns
    -------
    The figures over all users with test items and by length of their history: hit rate, recall,
    capped recall, precision, NDCG, MAP, MRR; coverage, novelty and popularity of the lists, whose
    ties are broken by popularity in training; RMSE and MAE if the model predicts ratings.

    Raises
    ------
    InputError
        The split leaks or is empty, or the model was fitted on other data.
    NotFittedError
        The model has not been fitted.
    ConfigError
        ``k`` is no length of a list.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from shortlist.data import split
    >>> from shortlist.models.popularity import Popularity
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": [10, 20, 10, 20, 30]})
    >>> train, test = split.leave_last_out(Dataset.from_tables(log), order="row")
    >>> report = evaluate(Popularity().fit(train), train, test, k=2)
    >>> report["hit_rate@2"], report["mrr"], report.interval("mrr")
    (1.0, 0.5, (0.5, 0.5))
    """
    ks = whole_numbers("k", k)
    require_fitted_on(model, train)
    truth = Truth.of(train, test)
    order = popularity_order(train)
    width = min(ks[-1], train.n_items)
    ranks = np.empty(len(truth.item_rows))
    lists = ListMeasures(train, ks, len(truth.user_rows))
    seconds = 0.0
    for block in track(truth.blocks(), f"evaluating {model.name}", truth.n_blocks):
        started = time.perf_counter()
        scores = scores_of(model, block.user_rows)  # (n_block, n_items)
        seconds += time.perf_counter() - started
        eligible = Eligible(block.seen_indptr, block.seen_rows, block.masks, block.mask_of, order)
        ranks[block.entries], _ = midranks(scores, block.true_indptr, block.true_rows, eligible)
        best, _ = topk_dense(scores, eligible, width)  # (n_block, width)
        lists.add(block.users, best)
    values = rank_metrics(ranks, truth.indptr, ks) | lists.per_user()
    measures = {name: Measure(of_users) for name, of_users in values.items()}
    notes = [*truth.notes, *long_lists(ks, train.n_items)]
    if isinstance(model, PredictsRatings):
        pairs = (
            train.users.take(np.repeat(truth.user_rows, np.diff(truth.indptr))),
            train.items.take(truth.item_rows),
        )
        try:
            predicted = model.predict(*pairs).astype(np.float64)
        except CapabilityError as error:  # it can, with other settings
            notes.append(error.what)
        else:
            measures |= rating_errors(predicted, truth.ratings.astype(np.float64), truth.indptr)
    return Report(
        model=model.name,
        users=train.users.take(truth.user_rows),
        history=train.user_counts[truth.user_rows],
        measures=measures,
        catalogue=lists.of_all(),
        listed=lists.listed(),
        k=ks,
        n_items=train.n_items,
        protocol=PROTOCOL,
        notes=tuple(notes),
        score_seconds=seconds,
        seed=seed,
    )


def scores_of(model: Model[Any, Any], user_rows: Rows) -> NDArray[np.float32]:
    """Score the catalogue for a block of users; a model whose scores are not finite is refused.

    NaN is neither above nor below anything: a ranking by it would look perfect.
    """
    scores: NDArray[np.float32] = dense_scores(model, user_rows)  # (n_block, n_items)
    finite = np.isfinite(scores).all(axis=1)
    if not finite.all():
        user = model.data.users.ids[int(user_rows[finite.argmin()])].as_py()
        raise ShortlistError(
            f"{model.name} gave scores that are NaN or infinite, first for user {user!r}",
            remedy="its training diverged: lower the learning rate or raise the regularization",
        )
    return scores


def popularity_order(train: Dataset) -> NDArray[np.int32]:
    """The place of each item when sorted by training interactions, most first, then by row.

    Returns int32 (n_items,).
    """
    order = np.empty(train.n_items, dtype=np.int32)
    order[np.argsort(-train.item_counts, kind="stable")] = np.arange(train.n_items, dtype=np.int32)
    return order


def long_lists(ks: tuple[int, ...], n_items: int) -> list[str]:
    """A note on lengths of list that the catalogue cannot fill."""
    return [f"k={k} is longer than the catalogue of {n_items} items" for k in ks if k > n_items]
