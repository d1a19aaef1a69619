"""The full-catalogue protocol: every item that could be recommended to a user is ranked.

For each test user the whole catalogue is scored, their training items are removed, and their test
items are ranked among the rest with mid-ranks for ties. The users x items matrix is never in memory
at any time: users are scored in blocks, and no figure depends on the block size.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from shortlist import engine as engines
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.engine.base import FEWEST_QUERIES
from shortlist.errors import CapabilityError, ConfigError, InputError, ShortlistError, require_known
from shortlist.evaluation.report import Report
from shortlist.evaluation.truth import Block, Truth, positive_integers, require_fitted_on
from shortlist.kernels.diversity import pair_similarities
from shortlist.kernels.types import Csr, Given
from shortlist.metrics import lists as of_lists
from shortlist.metrics.bootstrap import Measure
from shortlist.metrics.ranking import FloatArray, Gain, Int64Array, graded_ndcg, rank_metrics
from shortlist.metrics.rating import rating_errors
from shortlist.models.base import Model
from shortlist.recommend.recommender import PACK_FROM, dense_scores, pack_items, popularity_scores
from shortlist.scoring.capabilities import PredictsRatings, Shortlists
from shortlist.scoring.finite import first_not_finite
from shortlist.scoring.scorer import known_profiles
from shortlist.scoring.scores import DenseScores
from shortlist.scoring.selection import top_k
from shortlist.scoring.sparse import csr_arrays, row_entries, transposed

_LARGEST_EXPONENT = 50  # gains up to 2^50 are exact
PROTOCOL = "full catalogue, seen items removed, mid-rank ties"


def evaluate(
    model: Model[Any, Any],
    train: Dataset,
    test: Dataset,
    k: int | Iterable[int] = (5, 10, 20),
    *,
    gain: Gain | None = None,
    seed: int = 0,
    engine: engines.Engine | str | None = None,
) -> Report:
    """Measure a fitted model on held-out interactions, against the full catalogue.

    Parameters
    ----------
    model
        A model fitted on ``train``.
    train, test
        The two sides of a split: same vocabularies, no common interaction.
    k
        The list lengths to measure at. A length above the catalogue size means all of it.
    gain
        Adds graded NDCG, for test interactions with weights (ratings): the gain of an item is its
        weight (``"linear"``) or ``2^weight - 1`` (``"exponential"``).
    seed
        Seed of the bootstrap intervals.
    engine
        Where users are scored: ``"local"``, ``"ray"``, ``"ray://host:port"`` or an engine; the
        figures are bit-identical. None: the one in use, by default local.

    Returns
    -------
    The figures over all users with test items and by length of their history: hit rate, recall,
    capped recall, precision, NDCG, MAP, MRR; of the lists, whose ties are broken by popularity in
    training, novelty, popularity, diversity, serendipity, coverage, and the Gini coefficient of how
    often items are listed; RMSE and MAE if the model predicts ratings, and these differ.

    Raises
    ------
    InputError
        The split leaks or is empty, or the model was fitted on other data.
    NotFittedError
        The model is not fitted.
    ConfigError
        ``k`` is not a list length, or ``gain`` is not known.

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
    ks = positive_integers("k", k)
    require_fitted_on(model, train)
    truth = Truth.of(train, test)
    _check_gain(gain, truth)
    with engines.use(engine):
        ranks, by_list, listed, seconds = _ranked_users(model, truth, ks)
    by_user = rank_metrics(ranks, truth.indptr, ks) | by_list
    if gain is not None:
        weights = truth.ratings.astype(np.float64)
        by_user |= graded_ndcg(ranks, truth.indptr, weights, ks, gain)
    measures = {name: Measure(per_user) for name, per_user in by_user.items()}
    shares = {f"coverage@{k}": of_lists.coverage(counts) for k, counts in listed.items()}
    shares |= {f"gini@{k}": of_lists.gini(counts) for k, counts in listed.items()}
    too_long = f"is longer than the catalogue of {train.n_items} items"
    notes = [*truth.notes, *(f"k={length} {too_long}" for length in ks if length > train.n_items)]
    has_ratings = train.weights_differ or bool((truth.ratings != truth.ratings[:1]).any())
    if isinstance(model, PredictsRatings) and has_ratings:
        user_rows = np.repeat(truth.user_rows, np.diff(truth.indptr))
        pairs = train.users.take(user_rows), train.items.take(truth.item_rows)
        try:
            predicted = model.predict(*pairs).astype(np.float64)
        except CapabilityError as error:  # this model predicts ratings with other settings only
            notes.append(error.what)
        else:
            measures |= rating_errors(predicted, truth.ratings.astype(np.float64), truth.indptr)
    return Report(
        model=model.name,
        users=train.users.take(truth.user_rows),
        history=train.user_counts[truth.user_rows],
        measures=measures,
        catalogue=shares,
        listed=listed,
        k=ks,
        n_items=train.n_items,
        protocol=PROTOCOL,
        notes=tuple(notes),
        score_seconds=seconds,
        seed=seed,
    )


def _ranked_users(
    model: Model[Any, Any], truth: Truth, ks: Sequence[int]
) -> tuple[FloatArray, dict[str, FloatArray], dict[int, Int64Array], float]:
    """Rank the test items of all users, block by block; the lists are not kept.

    Return the ranks, the metrics of the lists, how many lists hold each item by their length, and
    the seconds of scoring.
    """
    train, n_users = truth.train, len(truth.user_rows)
    ranks = np.empty(len(truth.item_rows))
    by_list: dict[str, FloatArray] = {}
    listed = {k: np.zeros(train.n_items, np.int64) for k in ks}
    seconds = 0.0
    n_train_users = max(1, int(np.count_nonzero(train.user_counts)))
    values = of_lists.values_of_items(train.item_counts, n_train_users)
    chosen_by = csr_arrays(transposed(train.choices))
    task = partial(_ranked, model, truth, min(ks[-1], train.n_items), ks, chosen_by, values)
    user_bytes = model.bytes_per_query + (0 if truth.moments is None else train.n_items)
    if isinstance(model, Shortlists):
        user_bytes += 4 * train.n_items
    if n_users >= PACK_FROM:
        pack_items(model)
    text = f"evaluating {model.name}"
    for block in engines.current().map_rows(task, n_users, user_bytes, text, FEWEST_QUERIES):
        ranks[block.entries] = block.ranks
        for name, of_block in block.by_list.items():
            by_list.setdefault(name, np.empty(n_users))[block.users] = of_block
        for k in ks:
            first = block.best[:, :k]
            listed[k] += np.bincount(first[first >= 0], minlength=train.n_items)
        seconds += block.seconds
    return ranks, by_list, listed, seconds


class _Ranked(NamedTuple):
    """What is measured on a block of users."""

    users: slice  # of the users of the truth
    entries: slice  # of its test items
    ranks: FloatArray  # of these test items
    best: Rows  # (n_block, width)
    by_list: dict[str, FloatArray]  # metrics of the lists, (n_block,) each
    seconds: float


def _ranked(
    model: Model[Any, Any],
    truth: Truth,
    width: int,
    ks: Sequence[int],
    chosen_by: Csr,
    values: dict[str, FloatArray],
    of: range,
) -> _Ranked:
    """Rank the test items of a block of users, and list the best items of each."""
    block, started = truth.block(of), time.perf_counter()
    ranks, best = _rank(model, block, width)
    seconds = time.perf_counter() - started
    sums = pair_similarities(best, chosen_by.indptr, chosen_by.indices, truth.train.n_users)
    hits, popular = _hits(best, block), block.eligible.first(width)
    by_list = (
        of_lists.means(values, best, ks)
        | of_lists.diversity(sums, (best >= 0).sum(axis=1), ks)
        | of_lists.serendipity(best, hits, popular, block.eligible.order, ks)
    )
    return _Ranked(block.users, block.entries, ranks, best, by_list, seconds)


def _rank(model: Model[Any, Any], block: Block, width: int) -> tuple[FloatArray, Rows]:
    """Rank the test items of users among their candidates; return the best of these too.

    The scores are those that ``recommend`` ranks by, and are not written out.
    """  # as the test items; (n_block, width)
    profiles = known_profiles(model, block.user_rows)
    scored = model.can_score(profiles)
    ranks = np.empty(len(block.item_rows))
    best = np.empty((len(scored), width), dtype=np.int32)
    for rows in (np.flatnonzero(scored), np.flatnonzero(~scored)):
        if not len(rows):
            continue
        eligible = block.eligible.take(rows)
        if scored[rows[0]]:
            known = profiles if len(rows) == len(scored) else profiles.take(rows)
            scores = (
                model.ranked_scores(known, eligible, width)
                if isinstance(model, Shortlists)
                else model.score(known)
            )
            if (wrong := first_not_finite(scores)) is not None:
                raise _not_finite(model, block.user_rows[rows[wrong]])
        else:
            scores = popularity_scores(model.data.item_counts.astype(np.float32), len(rows))
        indptr, entries = row_entries(block.indptr, rows)
        given = Given(indptr, block.item_rows[entries], np.empty(len(entries)))
        best[rows] = top_k(scores, eligible, width, given).rows
        ranks[entries] = given.ranks
    return ranks, best


def _hits(lists: Rows, block: Block) -> NDArray[np.bool_]:
    """Return which listed items are test items of their user."""  # (n_block, width)
    n_items = block.eligible.order.size
    owners = np.repeat(np.arange(len(lists)), np.diff(block.indptr))
    true = owners * n_items + block.item_rows  # ascending
    listed = np.arange(len(lists))[:, np.newaxis] * n_items + lists
    found = true[np.minimum(np.searchsorted(true, listed), len(true) - 1)]
    hits: NDArray[np.bool_] = (found == listed) & (lists >= 0)
    return hits


def _check_gain(gain: Gain | None, truth: Truth) -> None:
    if gain is not None:
        require_known(gain, get_args(Gain), f"gain={gain!r} is not known", ConfigError)
    largest = truth.ratings.max(initial=0)
    if gain == "exponential" and largest > _LARGEST_EXPONENT:
        raise InputError(
            f"gain='exponential' with a weight of {largest:g}: 2 to that power is too large",
            where="the test interactions",
            remedy=f"use gain='linear', or weights up to {_LARGEST_EXPONENT}",
        )


def scores_of(model: Model[Any, Any], user_rows: Rows) -> NDArray[np.float32]:
    """Score the catalogue for a block of users, float32 (n_block, n_items).

    Scores that are not finite are refused: NaN is neither above nor below any score, so a ranking
    by NaN would look perfect.
    """
    scores: NDArray[np.float32] = dense_scores(model, user_rows)
    if (wrong := first_not_finite(DenseScores(scores))) is not None:
        raise _not_finite(model, user_rows[wrong])
    return scores


def _not_finite(model: Model[Any, Any], user_row: np.int32) -> ShortlistError:
    user = model.data.users.ids[int(user_row)].as_py()
    return ShortlistError(
        f"{model.name} gave scores that are NaN or infinite, first for user {user!r}",
        remedy="its training diverged: lower the learning rate or raise the regularization",
    )
