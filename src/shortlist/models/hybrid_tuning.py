"""The numbers of a Hybrid, found on a validation fold of the training data and never on a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.kernels.ranking import midranks
from shortlist.models.arrays import parts, transposed
from shortlist.models.hybrid_terms import (
    ALL,
    Settings,
    factors,
    item_rows,
    item_term,
    likenesses,
    user_rows,
    user_term,
)
from shortlist.models.neighborhood import Neighborhood
from shortlist.models.scores import Floats
from shortlist.models.weighting import binary
from shortlist.progress import track

if TYPE_CHECKING:
    from shortlist.models.hybrid import HybridConfig

NEIGHBORS = (20, 50, 100, 200, 500)
COLD_NEIGHBORS = (50, 100, 200, 500, 1000, 2000)
FEATURE_WEIGHTS = (
    0.003,
    0.03,
    0.1,
    0.3,
    1.0,
    3.0,
)  # never 0: features must find a cold user's peers
SHARES = [  # of the three terms, in tenths of 1
    (a / 10, (10 - a - c) / 10, c / 10) for c in (0, 1, 2, 4) for a in range(11 - c)
]
USERS = 2000  # of the fold, drawn: enough to tell settings apart
CUTOFF = 10  # settings are compared by NDCG at this length

TERMS = ("user_term", "item_term", "both_term")


class Side(NamedTuple):
    """One setting of the users' or the items' side, and the term it gives on the fold."""

    neighbors: int
    feature_weight: float
    term: Floats  # (n_fold_users, n_items)
    similarity: csr_array | None = None  # (n_items, n_items), of the items' side


def tune(config: HybridConfig, data: Dataset) -> Settings:
    """Decide every setting that is ``"tuned"``.

    Each user's last choice (by time, else drawn) is held out of the training data. First the
    neighbours and the feature weight of either side are chosen by NDCG@10 of that side's term
    alone, then the shares of the three terms. Data too small to hold anything out gets even shares
    and the middle of each list.
    """
    given = {name: getattr(config, name) for name in Settings._fields}
    given = {name: ALL if value is None else value for name, value in given.items()}
    lists: dict[str, Sequence[int]] = {
        "user_neighbors": NEIGHBORS,
        "item_neighbors": NEIGHBORS,
        "cold_neighbors": COLD_NEIGHBORS,
    }
    choices: dict[str, Sequence[Any]] = {
        name: lists.get(name, FEATURE_WEIGHTS) if value == "tuned" else (value,)
        for name, value in given.items()
    }
    if "tuned" not in given.values() or not (data.user_counts > 1).any():
        even = {name: 1.0 if given[name] == "tuned" else given[name] for name in TERMS}
        middle = {name: values[len(values) // 2] for name, values in choices.items()}
        return Settings(**middle | even)
    fold = _Fold(config, data)
    weights = choices["user_feature_weight"] if fold.user_likeness else (0.0,)
    users = fold.best(fold.user_sides(choices["user_neighbors"], weights), "users", len(weights))
    weights = choices["item_feature_weight"] if fold.item_likeness else (0.0,)
    items = fold.best(fold.item_sides(choices["item_neighbors"], weights), "items", len(weights))
    weights = (users.feature_weight, items.feature_weight)
    counts = (users.neighbors, items.neighbors, fold.best_cold(choices["cold_neighbors"]))
    return Settings(*fold.best_shares(given, users, items), *weights, *counts)


class _Fold:
    """Users whose last choice is held out, and how well scores find it."""

    def __init__(self, config: HybridConfig, data: Dataset) -> None:
        order: Literal["random", "time"] = "random" if data.times is None else "time"
        self.config = config
        self.inner, held = split.leave_last_out(data, order=order, seed=config.seed)
        drawn = np.random.default_rng(config.seed).permutation(len(held))[:USERS]
        self.users, self.truth = held.user_rows[drawn], held.item_rows[drawn]
        self.choices = binary(self.inner.matrix)
        self.history = self.choices[self.users]
        self.user_likeness, self.item_likeness = likenesses(config, self.inner)

    def user_sides(self, counts: Sequence[int], weights: Sequence[float]) -> Iterator[Side]:
        """Give every setting of the users' side."""
        config, table = self.config, self.inner.user_features
        for weight in weights:
            rows = user_rows(self.choices, self.user_likeness, table, config.user_blocks, weight)
            itself = None if config.self_similarity else self.users
            near = Neighborhood.by_product(rows).ranked(
                rows[self.users], None, itself, None if ALL in counts else max(counts)
            )
            for count in counts:
                kept = near.sparse(None if count == ALL else count)
                yield Side(count, weight, user_term(kept, self.choices))

    def item_sides(self, counts: Sequence[int], weights: Sequence[float]) -> Iterator[Side]:
        """Give every setting of the items' side."""
        config = self.config
        for weight in weights:
            rows = item_rows(
                self.inner, self.item_likeness, config.item_blocks, config.item_weighting, weight
            )
            itself = (
                None if config.self_similarity else np.arange(self.inner.n_items, dtype=np.int32)
            )
            near = Neighborhood.by_product(rows).ranked(
                rows, None, itself, None if ALL in counts else max(counts)
            )
            for count in counts:
                similarity = transposed(near.sparse(None if count == ALL else count))
                yield Side(count, weight, item_term(self.history, similarity), similarity)

    def best_cold(self, counts: Sequence[int]) -> int:
        """Give the best number of neighbours for somebody of whom only features are known."""
        if self.user_likeness is None or self.inner.user_features is None or len(counts) == 1:
            return counts[0]
        rows = self.user_likeness.rows(self.inner.user_features)
        near = Neighborhood.by_product(rows).ranked(rows[self.users], None, self.users, max(counts))
        qualities = [
            self.quality(user_term(near.sparse(count), self.choices))
            for count in track(counts, "tuning the hybrid's cold start")
        ]
        return counts[int(np.argmax(qualities))]

    def best(self, sides: Iterator[Side], name: str, passes: int) -> Side:
        """Give the setting whose term finds the held-out choices best; of equals the first."""
        best, highest = None, -1.0
        for side in track(sides, f"tuning the hybrid's {name}", passes * len(NEIGHBORS)):
            quality = self.quality(side.term)
            if quality > highest:
                best, highest = side, quality
        assert best is not None
        return best

    def best_shares(
        self, given: Mapping[str, Any], users: Side, items: Side
    ) -> tuple[float, float, float]:
        """Give the best shares of the three terms, beside those that are given."""
        assert items.similarity is not None
        terms = [users.term, items.term, item_term(csr_array(users.term), items.similarity)]
        for term in terms:
            term *= factors(term, self.config.rescaled)[:, np.newaxis]
        shares = [
            tuple(
                share if given[name] == "tuned" else given[name]
                for name, share in zip(TERMS, one, strict=True)
            )
            for one in SHARES
        ]
        qualities = [
            self.quality(a * terms[0] + b * terms[1] + c * terms[2])
            for a, b, c in track(shares, "tuning the hybrid's terms")
        ]
        a, b, c = shares[int(np.argmax(qualities))]
        return a, b, c

    def quality(self, scores: Floats) -> float:
        """Give NDCG@10 over the whole catalogue, seen items left out."""
        excluded, indices, _ = parts(self.history)
        ranks, _ = midranks(
            np.ascontiguousarray(scores, dtype=np.float32),
            np.arange(len(self.users) + 1, dtype=np.int64),
            self.truth,
            excluded,
            indices,
            np.empty((0, scores.shape[1]), dtype=bool),
            np.full(len(self.users), -1, dtype=np.int32),
        )
        return float(np.where(ranks <= CUTOFF, 1 / np.log2(1 + ranks), 0).mean())
