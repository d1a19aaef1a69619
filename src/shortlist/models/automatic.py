"""Settings that are "auto": chosen on a small validation fold of the training data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows, Vocabulary
from shortlist.metrics.ranking import discounted_gain, ideal_gain
from shortlist.models.base import NO_HISTORY, Model
from shortlist.models.config import AUTO
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.selection import Eligible, top_k
from shortlist.scoring.sparse import csr_arrays

Step: TypeAlias = tuple[str, Sequence[Any]]
"""A setting, and the values to try; the first is the one to start from."""

_USERS = 2_000  # of the fold; more choose slightly better, at proportional cost
_SHARE = 0.2  # of a user's interactions are held out if there are no times,
_MOST = 5  # and no more than these; with times the last one: more of them favour other settings
_INTERACTIONS = 1_000_000  # of the fold; larger data gives a sample of its users
_BLOCK = 256  # users scored at a time
_CUTOFF = 20  # settings are compared by NDCG@20
_SEED = 0


class Fold(NamedTuple):
    """A part of the training data, and held-out interactions of some of its users."""

    train: Dataset
    users: Rows
    truth: csr_array  # the weights: (len(users), n_items)


def fold_of(data: Dataset) -> Fold | None:
    """Hold out the last interaction of sampled users; without times, up to five random ones.

    Ties of time are broken at random, as by every split, so the order of the source does not
    matter; dislikes are divided as by every split. None if no user has two interactions.
    """
    rng = np.random.default_rng(_SEED)
    share = _INTERACTIONS / max(data.n_interactions, 1)
    if share < 1:
        data = data.select((rng.random(data.n_users) < share)[data.user_rows])
    several = rng.permutation(np.flatnonzero(data.user_counts > 1))[:_USERS]
    if not len(several):
        return None
    counts = np.zeros(data.n_users, dtype=np.int64)
    most = _MOST if data.times is None else 1
    counts[several] = np.clip(np.ceil(_SHARE * data.user_counts[several]), 1, most)
    latest_first = () if data.times is None else (-data.times,)
    order = np.lexsort((rng.random(data.n_interactions), *latest_first, data.user_rows))
    ranks = np.empty(data.n_interactions, dtype=np.int64)
    starts = np.cumsum(data.user_counts) - data.user_counts
    ranks[order] = np.arange(data.n_interactions) - starts[data.user_rows] + 1
    held_out = ranks <= counts[data.user_rows]
    users = np.sort(several).astype(np.int32)
    by: split.Order = "random" if data.times is None else "time"
    train, held = split.hold_out(data, held_out, by, _SEED)
    return Fold(train, users, held.matrix[users])


def most_popular(data: Dataset, count: int) -> Dataset:
    """Return the interactions with the ``count`` most popular items, without all other items."""
    if data.n_items <= count:
        return data
    kept = np.flatnonzero(data.popularity_order < count)
    chosen = data.select(data.popularity_order[data.item_rows] < count)
    return _of_items(chosen, Vocabulary(data.items.take(kept), kind=data.items.kind), kept)


def _of_items(data: Dataset, items: Vocabulary, kept: NDArray[np.intp]) -> Dataset:
    """Return the data in the rows of a smaller catalogue; dislikes of other items are dropped."""
    dislikes = data.dislikes
    if dislikes is not None:
        dislikes = _of_items(dislikes.select(np.isin(dislikes.item_rows, kept)), items, kept)
    return replace(
        data,
        items=items,
        item_rows=np.searchsorted(kept, data.item_rows).astype(np.int32),
        item_features=None,
        dislikes=dislikes,
    )


def gains_of(model: Model[Any, Any], fold: Fold) -> NDArray[np.float64]:
    """Return the gains of a fitted model on the held-out interactions of each user.

    The first row is NDCG@20. In the second each held-out interaction counts with its weight over
    the mean weight of all of them.
    """  # (2, n_users)
    gains, order = [np.zeros((2, 0))], fold.train.popularity_order
    mean = fold.truth.data.mean(dtype=np.float64) if fold.truth.data.any() else 1.0
    by_position = discounted_gain(np.arange(1, _CUTOFF + 1), _CUTOFF)
    for start in range(0, len(fold.users), _BLOCK):
        users = fold.users[start : start + _BLOCK]
        profiles = Profiles.known(fold.train, users, features=False, order=model.uses_order)
        indptr, indices, _ = csr_arrays(profiles.excluded)
        best = top_k(model.score(profiles), Eligible.excluding(indptr, indices, order), _CUTOFF)
        truth = fold.truth[start : start + _BLOCK]
        lengths = np.diff(truth.indptr)
        keys = np.repeat(np.arange(len(users)), lengths) * len(order) + truth.indices
        listed = np.arange(len(users))[:, np.newaxis] * len(order) + best.rows
        hit = np.isin(listed, keys) & (best.rows >= 0)
        weights = np.zeros(hit.shape)
        weights[hit] = truth.data[np.searchsorted(keys, listed[hit])] / mean
        sums = [(hits * by_position).sum(axis=1) for hits in (hit, weights)]
        gains.append(np.stack(sums) / ideal_gain(lengths, _CUTOFF))
    return np.concatenate(gains, axis=1)


def choose(
    model: Model[Any, Any],
    data: Dataset,
    steps: Sequence[Step],
    learn: Callable[[Dataset, Mapping[str, Any]], Any] | None = None,
) -> dict[str, Any]:
    """Return the settings that the steps name, those that are "auto" chosen one after another.

    A value replaces the one before only if it is better by more than the standard error of the
    difference, so that small data keeps the first values. For ``weighting``, held-out interactions
    count with their weights. ``learn`` returns what the model learns with some settings; None: it
    is fitted from scratch.
    """
    given = {name: getattr(model.config, name) for name in type(model.config).model_fields}
    open_steps = [(name, values) for name, values in steps if given[name] == AUTO]
    chosen = {name: values[0] for name, values in reversed(steps)}
    chosen |= {name: given[name] for name in chosen if given[name] != AUTO}
    fold = fold_of(data) if any(len(values) > 1 for _, values in open_steps) else None
    if fold is None:
        return chosen

    def fitted(settings: Mapping[str, Any]) -> Model[Any, Any]:
        candidate = type(model)(**given | dict(settings))
        if learn is None:
            return candidate.fit(fold.train)
        return candidate.restore(fold.train, learn(fold.train, settings), NO_HISTORY)

    measured: dict[tuple[Any, ...], NDArray[np.float64]] = {}

    def gains(settings: Mapping[str, Any]) -> NDArray[np.float64]:
        key = tuple(settings.values())
        if key not in measured:
            measured[key] = gains_of(fitted(settings), fold)
        return measured[key]

    for name, values in open_steps:
        if len(values) == 1:
            continue  # the value to start from
        tried, row = [chosen | {name: value} for value in values], int(name == "weighting")
        means = [float(gains(settings)[row].mean()) for settings in tried]
        best = tried[int(np.argmax(means))]
        difference = gains(best)[row] - gains(chosen)[row]
        if difference.mean() > difference.std() / np.sqrt(len(difference)):
            chosen = best
    return chosen
