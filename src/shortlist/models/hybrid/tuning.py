"""The numbers of a Hybrid, found on a validation fold of the training data and never on a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.kernels.ranking import midranks
from shortlist.kernels.types import Eligible
from shortlist.models.hybrid.config import TERMS, HybridConfig
from shortlist.models.hybrid.terms import (
    ALL,
    Settings,
    factors,
    item_rows,
    item_term,
    likenesses,
    user_rows,
    user_term,
)
from shortlist.models.neighborhood import Neighborhood, Ranked, only
from shortlist.progress import track
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import empty, parts, transposed

NEIGHBORS = (20, 50, 100, 200, 500)
COLD_NEIGHBORS = (50, 100, 200, 500, 1000, 2000)
FEATURE_WEIGHTS = (0.003, 0.03, 0.1, 0.3, 1.0, 3.0)  # never 0: they find a cold user's peers
SHARES = [  # of the three terms, in tenths of 1
    (a / 10, (10 - a - c) / 10, c / 10) for c in (0, 1, 2, 4) for a in range(11 - c)
]
LEAST = 0.01  # of the users' term, where a cold user has features and no other term uses them
USERS = 2_000  # of the fold, drawn: more choose settings a little better, at a cost in proportion
BLOCK = 256  # of those, scored at a time
CUTOFF = 10  # settings are compared by NDCG at this length


class Side(NamedTuple):
    """One setting of the users' or the items' side."""

    neighbors: int
    feature_weight: float
    similarity: csr_array  # (n_fold_users, n_users), or (n_items, n_items)


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
    summed = config.user_blocks == "action+features" and fold.user_likeness is not None
    weights = choices["user_feature_weight"] if summed else (1.0,)
    users = fold.best_users(choices["user_neighbors"], weights)
    summed = config.item_blocks == "interactions+features" and fold.item_likeness is not None
    weights = choices["item_feature_weight"] if summed else (1.0,)
    items = fold.best_items(choices["item_neighbors"], weights)
    cold = fold.best_cold(choices["cold_neighbors"], users.feature_weight)
    a, b, c = fold.best_shares(given, users, items)
    weights = (users.feature_weight, items.feature_weight)
    return Settings(a, b, c, *weights, users.neighbors, items.neighbors, cold)


class _Fold:
    """Users whose last choice is held out, and how well scores find it."""

    def __init__(self, config: HybridConfig, data: Dataset) -> None:
        order: Literal["random", "time"] = "random" if data.times is None else "time"
        self.config = config
        self.inner, held = split.leave_last_out(data, order=order, seed=config.seed)
        drawn = np.random.default_rng(config.seed).permutation(len(held))[:USERS]
        self.users, self.truth = held.user_rows[drawn], held.item_rows[drawn]
        self.blocks = [slice(at, at + BLOCK) for at in range(0, len(drawn), BLOCK)]
        self.choices = self.inner.choices
        self.history = self.choices[self.users]
        self.user_likeness, self.item_likeness = likenesses(config, self.inner)

    def best_users(self, counts: Sequence[int], weights: Sequence[float]) -> Side:
        """Give the best setting of the users' side."""

        def sides() -> Iterator[Side]:
            for weight in weights:
                rows = self.user_rows(self.choices, weight)
                near = self.near_users(rows[self.users], rows, counts)
                yield from (Side(count, weight, _first(near, count)) for count in counts)

        return self.best(sides(), self.from_users, "users", len(weights) * len(counts))

    def best_items(self, counts: Sequence[int], weights: Sequence[float]) -> Side:
        """Give the best setting of the items' side."""
        config, inner = self.config, self.inner
        itself = None if config.self_similarity else np.arange(inner.n_items, dtype=np.int32)

        def sides() -> Iterator[Side]:
            for weight in weights:
                rows = item_rows(
                    inner, self.item_likeness, config.item_blocks, config.item_weighting, weight
                )
                near = Neighborhood.by_product(rows).ranked(rows, None, itself, _most(counts))
                for count in counts:
                    yield Side(count, weight, transposed(_first(near, count)))

        return self.best(sides(), self.from_items, "items", len(weights) * len(counts))

    def best_cold(self, counts: Sequence[int], weight: float) -> int:
        """Give the best number of neighbours for somebody of whom only features are known."""
        if self.user_likeness is None or len(counts) == 1:
            return counts[0]
        new = self.user_rows(empty(*self.choices.shape), weight)[self.users]
        near = self.near_users(new, self.user_rows(self.choices, weight), counts)
        sides = (Side(count, weight, _first(near, count)) for count in counts)
        return self.best(sides, self.from_users, "cold start", len(counts)).neighbors

    def user_rows(self, history: csr_array, weight: float) -> csr_array:
        """Give all users as rows to compare, with this history."""
        table, blocks = self.inner.user_features, self.config.user_blocks
        return user_rows(history, self.user_likeness, table, blocks, weight)

    def near_users(self, rows: csr_array, everyone: csr_array, counts: Sequence[int]) -> Ranked:
        """Find the neighbours of the fold's users among all who have chosen something."""
        itself = None if self.config.self_similarity else self.users
        among = Neighborhood.by_product(only(everyone, self.inner.user_counts > 0))
        return among.ranked(rows, None, itself, _most(counts))

    def from_users(self, near: csr_array, block: slice) -> Floats:
        """Give ``S_u R`` of a block of the fold's users."""
        return user_term(near[block], self.choices)

    def from_items(self, similarity: csr_array, block: slice) -> Floats:
        """Give ``R S_i`` of a block of the fold's users."""
        return item_term(self.history[block], similarity)

    def best(
        self,
        sides: Iterator[Side],
        term: Callable[[csr_array, slice], Floats],
        name: str,
        count: int,
    ) -> Side:
        """Give the setting whose term finds the held-out choices best; of equals the first."""
        best, highest = None, -1.0
        for side in track(sides, f"tuning the hybrid's {name}", count):
            gains = [self.gains(term(side.similarity, block), block) for block in self.blocks]
            quality = float(np.concatenate(gains).mean())
            if quality > highest:
                best, highest = side, quality
        assert best is not None
        return best

    def best_shares(self, given: Mapping[str, Any], users: Side, items: Side) -> list[float]:
        """Give the best shares of the three terms, beside those that are given."""
        shares = self.shares(given)
        gains = np.zeros(len(shares))
        for block in track(self.blocks, "tuning the hybrid's terms"):
            liked = self.from_users(users.similarity, block)
            spread = item_term(csr_array(liked), items.similarity)
            terms = [liked, self.from_items(items.similarity, block), spread]
            for term in terms:
                term *= factors(term, self.config.rescaled).astype(np.float32)[:, np.newaxis]
            for place, (a, b, c) in enumerate(shares):
                scores = a * terms[0] + b * terms[1] + c * terms[2]
                gains[place] += self.gains(scores, block).sum()
        return shares[int(np.argmax(gains))]

    def shares(self, given: Mapping[str, Any]) -> list[list[float]]:
        """List the shares to try; none leaves a cold user without a term."""
        found = []
        for tried in SHARES:
            share = [
                one if given[name] == "tuned" else float(given[name])
                for name, one in zip(TERMS, tried, strict=True)
            ]
            if given["user_term"] == "tuned" and self.user_likeness and not (share[0] or share[2]):
                share[0] = LEAST
            if any(share) and share not in found:
                found.append(share)
        return found

    def gains(self, scores: Floats, block: slice) -> NDArray[np.float64]:
        """Give each user's NDCG@10 over the whole catalogue, seen items left out."""
        excluded, indices, _ = parts(self.history[block])
        truth = self.truth[block]
        ranks, _ = midranks(
            np.ascontiguousarray(scores, dtype=np.float32),
            np.arange(len(truth) + 1, dtype=np.int64),
            truth,
            Eligible.excluding(excluded, indices, np.arange(scores.shape[1], dtype=np.int32)),
        )
        return np.where(ranks <= CUTOFF, 1 / np.log2(1 + ranks), 0)


def _most(counts: Sequence[int]) -> int | None:
    return None if ALL in counts else max(counts)


def _first(near: Ranked, count: int) -> csr_array:
    return near.sparse(None if count == ALL else count)
