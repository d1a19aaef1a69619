"""The settings of a Hybrid, chosen on a validation fold of the training data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.metrics.ranking import discounted_gain
from shortlist.models.config import AUTO
from shortlist.models.hybrid.terms import (
    TERMS,
    HybridConfig,
    feature_similarities,
    item_rows,
    product,
    scale_factors,
    user_rows,
)
from shortlist.models.neighborhood import Neighborhood, RankedNeighbors, keep_rows
from shortlist.progress import track
from shortlist.scoring.scores import DenseScores, Floats
from shortlist.scoring.selection import Eligible, midranks
from shortlist.scoring.sparse import csr_arrays, empty, transposed

NEIGHBORS = (20, 50, 100, 200, 500)
COLD_NEIGHBORS = (50, 100, 200, 500, 1000, 2000)
FEATURE_WEIGHTS = (0.003, 0.03, 0.1, 0.3, 1.0, 3.0)  # above 0, so that cold users have neighbours
SHARES = [  # of the three terms
    (a / 10, (10 - a - c) / 10, c / 10) for c in (0, 1, 2, 4) for a in range(11 - c)
]
MIN_SHARE = 0.01  # of the user term, where it is the only term that cold users can get
MAX_USERS = 2_000  # sampled from the fold; more choose slightly better, at proportional cost
BLOCK = 256  # users scored at a time
CUTOFF = 10  # settings are compared by NDCG@10


class Candidate(NamedTuple):
    """A number of neighbours and a feature weight for users or for items, and the similarities."""

    neighbors: int | None
    feature_weight: float
    similarity: csr_array  # (n_fold_users, n_users), or (n_items, n_items)


def tune(config: HybridConfig, data: Dataset) -> dict[str, Any]:
    """Choose every setting that is ``"auto"``.

    Each user's last choice (by time, else random) is held out of the training data. First the
    neighbours and the feature weight of users and of items are chosen by the NDCG@10 of their own
    term, then the shares of the three terms. If nothing can be held out, the shares are equal and
    every other setting is the middle of its list.
    """
    lists: dict[str, Sequence[Any]] = dict.fromkeys(TERMS, (1.0,)) | {
        "user_feature_weight": FEATURE_WEIGHTS,
        "item_feature_weight": FEATURE_WEIGHTS,
        "user_neighbors": NEIGHBORS,
        "item_neighbors": NEIGHBORS,
        "cold_neighbors": COLD_NEIGHBORS,
    }
    given = {name: getattr(config, name) for name in lists}
    choices = {
        name: values if given[name] == AUTO else (given[name],) for name, values in lists.items()
    }
    if AUTO not in given.values() or not (data.user_counts > 1).any():
        return {name: values[len(values) // 2] for name, values in choices.items()}
    fold = _Fold(config, data)
    has_both = config.user_blocks == "action+features" and fold.user_similarity is not None
    weights = choices["user_feature_weight"] if has_both else (1.0,)
    users = fold.best_users(choices["user_neighbors"], weights)
    has_both = config.item_blocks == "interactions+features" and fold.item_similarity is not None
    weights = choices["item_feature_weight"] if has_both else (1.0,)
    items = fold.best_items(choices["item_neighbors"], weights)
    cold = fold.best_cold(choices["cold_neighbors"], users.feature_weight)
    return dict(zip(TERMS, fold.best_shares(given, users, items), strict=True)) | {
        "user_feature_weight": users.feature_weight,
        "item_feature_weight": items.feature_weight,
        "user_neighbors": users.neighbors,
        "item_neighbors": items.neighbors,
        "cold_neighbors": cold,
    }


class _Fold:
    """Users whose last choice is held out, and how well scores rank that choice."""

    def __init__(self, config: HybridConfig, data: Dataset) -> None:
        order: Literal["random", "time"] = "random" if data.times is None else "time"
        self.config = config
        self.inner, held_out = split.leave_last_out(data, order=order, seed=config.seed)
        sampled = np.random.default_rng(config.seed).permutation(len(held_out))[:MAX_USERS]
        self.users, self.truth = held_out.user_rows[sampled], held_out.item_rows[sampled]
        starts = range(0, len(sampled), BLOCK)
        self.blocks = [slice(start, start + BLOCK) for start in starts]
        self.choices = self.inner.choices
        self.history = self.choices[self.users]
        self.user_similarity, self.item_similarity = feature_similarities(config, self.inner)

    def best_users(self, counts: Sequence[int | None], weights: Sequence[float]) -> Candidate:
        def candidates() -> Iterator[Candidate]:
            for weight in weights:
                rows = self.user_rows(self.choices, weight)
                near = self.near_users(rows[self.users], rows, counts)
                yield from (Candidate(count, weight, near.sparse(count)) for count in counts)

        return self.best(candidates(), self.score_by_users, "users", len(weights) * len(counts))

    def best_items(self, counts: Sequence[int | None], weights: Sequence[float]) -> Candidate:
        config, inner = self.config, self.inner
        own_rows = None if config.self_similarity else np.arange(inner.n_items, dtype=np.int32)

        def candidates() -> Iterator[Candidate]:
            for weight in weights:
                rows = item_rows(config, inner, self.item_similarity, weight)
                neighborhood = Neighborhood.by_product(rows)
                near = neighborhood.ranked(rows, own_rows, _largest(counts))
                for count in counts:
                    yield Candidate(count, weight, transposed(near.sparse(count)))

        return self.best(candidates(), self.score_by_items, "items", len(weights) * len(counts))

    def best_cold(self, counts: Sequence[int | None], weight: float) -> int | None:
        if self.user_similarity is None or len(counts) == 1:
            return counts[0]
        cold = self.user_rows(empty(*self.choices.shape), weight)[self.users]
        near = self.near_users(cold, self.user_rows(self.choices, weight), counts)
        candidates = (Candidate(count, weight, near.sparse(count)) for count in counts)
        return self.best(candidates, self.score_by_users, "cold start", len(counts)).neighbors

    def user_rows(self, history: csr_array, weight: float) -> csr_array:
        features = self.inner.user_features
        return user_rows(self.config, history, self.user_similarity, features, weight)

    def near_users(
        self, rows: csr_array, all_users: csr_array, counts: Sequence[int | None]
    ) -> RankedNeighbors:
        """Find the neighbours of the fold's users among all users with a history."""
        own_rows = None if self.config.self_similarity else self.users
        candidates = keep_rows(all_users, self.inner.user_counts > 0)
        return Neighborhood.by_product(candidates).ranked(rows, own_rows, _largest(counts))

    def score_by_users(self, near: csr_array, block: slice) -> Floats:
        return product(near[block], self.choices)

    def score_by_items(self, similarity: csr_array, block: slice) -> Floats:
        return product(self.history[block], similarity)

    def best(
        self,
        candidates: Iterator[Candidate],
        term: Callable[[csr_array, slice], Floats],
        name: str,
        count: int,
    ) -> Candidate:
        """Return the candidate whose term ranks the held-out choices best; ties go to the first."""
        best, highest = None, -1.0
        for candidate in track(candidates, f"tuning the hybrid's {name}", count):
            gains = [self.gains(term(candidate.similarity, block), block) for block in self.blocks]
            mean = float(np.concatenate(gains).mean())
            if mean > highest:
                best, highest = candidate, mean
        assert best is not None
        return best

    def best_shares(
        self, given: Mapping[str, Any], users: Candidate, items: Candidate
    ) -> list[float]:
        """Return the best shares of the three terms; shares that are given stay."""
        shares = self.shares(given)
        gains = np.zeros(len(shares))
        for block in track(self.blocks, "tuning the hybrid's terms"):
            by_users = self.score_by_users(users.similarity, block)
            by_both = product(csr_array(by_users), items.similarity)
            terms = [by_users, self.score_by_items(items.similarity, block), by_both]
            for term in terms:
                scale = scale_factors(term, self.config.rescaled)
                term *= scale.astype(np.float32)[:, np.newaxis]
            for position, (a, b, c) in enumerate(shares):
                scores = a * terms[0] + b * terms[1] + c * terms[2]
                gains[position] += self.gains(scores, block).sum()
        return shares[int(np.argmax(gains))]

    def shares(self, given: Mapping[str, Any]) -> list[list[float]]:
        """List the shares to try; each leaves a term for cold users."""
        shares: list[list[float]] = []
        for tried in SHARES:
            share = [
                value if given[name] == AUTO else float(given[name])
                for name, value in zip(TERMS, tried, strict=True)
            ]
            tunes_users = given["user_term"] == AUTO
            if tunes_users and self.user_similarity and not (share[0] or share[2]):
                share[0] = MIN_SHARE
            if any(share) and share not in shares:
                shares.append(share)
        return shares

    def gains(self, scores: Floats, block: slice) -> NDArray[np.float64]:
        """Return each user's NDCG@10 over the whole catalogue without seen items."""
        excluded, indices, _ = csr_arrays(self.history[block])
        truth = self.truth[block]
        order = np.arange(scores.shape[1], dtype=np.int32)
        ranks = midranks(
            DenseScores(np.ascontiguousarray(scores, dtype=np.float32)),
            Eligible.excluding(excluded, indices, order),
            np.arange(len(truth) + 1),
            truth,
        )
        return discounted_gain(ranks, CUTOFF)


def _largest(counts: Sequence[int | None]) -> int | None:
    numbers = [count for count in counts if count is not None]
    return max(numbers) if len(numbers) == len(counts) else None
