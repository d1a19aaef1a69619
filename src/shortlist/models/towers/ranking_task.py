"""The tasks of ranking: how well an item suits a user, by ratings, choices or lists."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError
from shortlist.models.towers.config import HeadConfig, RankingConfig
from shortlist.models.towers.network import Head, Longs, Pairs, RandomDraws, TowerOutput
from shortlist.models.towers.two_towers import Task, TwoTowers
from shortlist.models.training.negatives import Negatives

CHOSEN_UNIFORM = 1e-9  # an exponent: draws uniformly, but never an item without interactions


class HeadTask(Task):
    """The base of ranking tasks: interactions, and a head that scores pairs."""

    def __init__(self, name: str, config: HeadConfig, data: Dataset) -> None:
        super().__init__(config, data)
        self.head = Head(name, config, config.start(data))
        self.weights = torch.tensor(data.weights, device=config.device)
        self.seed: list[int] = []

    def start_epoch(self, seed: list[int], towers: TwoTowers) -> None:
        """Seed the negatives and the dropout."""
        self.seed = seed
        self.head.draws = RandomDraws([*seed, 3])

    def score(self, towers: TwoTowers, pairs: Pairs) -> Tensor:
        """Score pairs outside of a step."""
        scores: Tensor = self.head(*towers.outputs({"ranking": pairs}, None))
        return scores


class RatingTask(HeadTask):
    """Predict weights (ratings) by squared error."""

    def losses(self, users: TowerOutput, items: TowerOutput, chosen: Longs) -> dict[str, Tensor]:
        """Return the mean squared error."""
        ratings = self.weights[torch.from_numpy(chosen).to(self.device)]
        loss = squared(self.head(users, items), ratings)
        return {"loss": loss, "squared_error": loss}

    def validation_loss(self, towers: TwoTowers, held: Dataset) -> Tensor:
        """Return the mean squared error on the fold."""
        users, items = held.user_rows.astype(np.int64), held.item_rows.astype(np.int64)
        ratings = torch.tensor(held.weights, device=self.device)
        return squared(self.score(towers, Pairs(users, items)), ratings)


class NegativesTask(HeadTask):
    """The base of tasks that separate choices from drawn negatives."""

    def __init__(self, name: str, config: RankingConfig, data: Dataset) -> None:
        super().__init__(name, config, data)
        self.config = config
        self.negatives: Negatives | None = None
        self.has_negatives = np.zeros(len(data), dtype=bool)  # by interaction
        if config.negatives:
            self.negatives = Negatives(
                data, config.negatives, exponent=CHOSEN_UNIFORM, rejection=config.rejection
            )
            self.has_negatives[self.negatives.examples] = True

    def with_negatives(self, known: Longs, chosen: Longs) -> Pairs:
        """Return known interactions, followed by negatives of the chosen ones."""
        users, items = [self.users[known]], [self.items[known]]
        if self.negatives is not None:
            examples = chosen[self.has_negatives[chosen]]
            drawn = self.negatives.draw([*self.seed, 4], examples).astype(np.int64)
            users.append(np.repeat(self.users[examples], drawn.shape[1]))
            items.append(drawn.ravel())
        return Pairs(np.concatenate(users), np.concatenate(items))

    def validation_lists(self, towers: TwoTowers, held: Dataset) -> tuple[Tensor, Tensor]:
        """Score each item of a fold and its negatives; return scores and relevance.

        Negatives are drawn without rejection, and are the same in every epoch.
        """  # (n, 1 + negatives) each
        users, items = held.user_rows.astype(np.int64), held.item_rows.astype(np.int64)
        rng, count = np.random.default_rng([self.config.seed, 6]), max(self.config.negatives, 1)
        drawn = rng.choice(np.flatnonzero(self.data.item_counts), (len(items), count))
        listed = np.concatenate([items[:, None], drawn], 1).astype(np.int64)
        pairs = Pairs(np.repeat(users, count + 1), listed.ravel())
        scores = self.score(towers, pairs).view(listed.shape)
        relevance = torch.zeros_like(scores)
        relevance[:, 0] = 1
        return scores, relevance


class ClickTask(NegativesTask):
    """Predict the log odds of a choice by log loss."""

    def pairs(self, chosen: Longs) -> Pairs:
        """Return the interactions, and their negatives."""
        return self.with_negatives(chosen, chosen)

    def losses(self, users: TowerOutput, items: TowerOutput, chosen: Longs) -> dict[str, Tensor]:
        """Return the mean log loss."""
        scores = self.head(users, items)
        clicked = torch.zeros_like(scores)
        clicked[: len(chosen)] = 1
        loss = logistic(scores, clicked)
        return {"loss": loss, "log_loss": loss}

    def validation_loss(self, towers: TwoTowers, held: Dataset) -> Tensor:
        """Return the mean log loss on the fold and its negatives."""
        return logistic(*self.validation_lists(towers, held))


class ListTask(NegativesTask):
    """Order lists: chosen items by weight, then negatives.

    A list is an interaction, the interactions of the same user that follow it in an order drawn for
    the epoch, and its negatives.
    """

    def __init__(self, name: str, config: RankingConfig, data: Dataset) -> None:
        super().__init__(name, config, data)
        if not config.negatives and np.ptp(data.weights) == 0:
            raise InputError(
                f"{name}: all weights are {data.weights[0]:g}, and without negatives "
                f"loss={config.loss!r} has nothing to put in order",
                remedy="draw negatives (negatives=4), or name the weight column (weight=...)",
            )
        self.indptr = np.concatenate([[0], np.cumsum(data.user_counts)])
        self.order = self.ranks = np.arange(len(data))

    def start_epoch(self, seed: list[int], towers: TwoTowers) -> None:
        """Shuffle the interactions of each user."""
        super().start_epoch(seed, towers)
        drawn = np.random.default_rng([*seed, 5]).random(len(self.users))
        self.order = np.lexsort([drawn, self.users])
        self.ranks = np.empty_like(self.order)
        self.ranks[self.order] = np.arange(len(self.order))

    def pairs(self, chosen: Longs) -> Pairs:
        """Return the interactions of the lists, and negatives."""
        return self.with_negatives(self.lists(chosen).ravel(), chosen)

    def lists(self, chosen: Longs) -> Longs:
        """Return each interaction and those that follow it, wrapping around."""  # (B, list_size)
        users = self.users[chosen]
        first, length = self.indptr[users][:, None], self.data.user_counts[users][:, None]
        steps = np.arange(self.config.list_size)
        own_rank = self.ranks[chosen][:, None] - first
        lists: Longs = self.order[first + (own_rank + steps) % length]
        return lists

    def losses(self, users: TowerOutput, items: TowerOutput, chosen: Longs) -> dict[str, Tensor]:
        """Return the loss of the lists."""
        scores, count, size = self.head(users, items), len(chosen), self.config.list_size
        device = scores.device
        listed = scores[: count * size].view(count, size)
        relevance = self.weights[torch.from_numpy(self.lists(chosen)).to(device)]
        lengths = torch.from_numpy(self.data.user_counts[self.users[chosen]]).to(device)
        exists = torch.arange(size, device=device)[None, :] < lengths[:, None]
        if self.negatives is not None:  # less relevant than any chosen item
            opposed = torch.from_numpy(self.has_negatives[chosen]).to(device)
            drawn = scores.new_zeros(count, self.config.negatives)
            drawn_scores = scores[count * size :].view(-1, self.config.negatives)
            drawn = drawn.index_put((opposed.nonzero()[:, 0],), drawn_scores)
            listed = torch.cat([listed, drawn], 1)
            relevance = torch.cat([relevance, torch.full_like(drawn, -1)], 1)
            exists = torch.cat([exists, opposed[:, None].expand_as(drawn)], 1)
        drawn_ties = self.head.draws.rng.random(tuple(listed.shape), dtype=np.float32)
        ties = torch.from_numpy(drawn_ties).to(device)
        loss = self._loss(listed, relevance, exists, ties)
        return {"loss": loss, "disorder": loss}

    def validation_loss(self, towers: TwoTowers, held: Dataset) -> Tensor:
        """Return the loss of each item of the fold among its negatives."""
        scores, relevance = self.validation_lists(towers, held)
        exists = torch.ones_like(scores, dtype=torch.bool)
        return self._loss(scores, relevance, exists, torch.zeros_like(scores))

    def _loss(self, scores: Tensor, relevance: Tensor, exists: Tensor, ties: Tensor) -> Tensor:
        if self.config.loss == "hinge":
            return pairwise_hinge(scores, relevance, exists)
        return list_mle(scores, relevance, exists, ties)


TASKS: dict[str, type[HeadTask]] = {
    "squared": RatingTask,
    "logistic": ClickTask,
    "hinge": ListTask,
    "listmle": ListTask,
}
"""The task of every loss."""


def squared(scores: Tensor, ratings: Tensor) -> Tensor:
    """Return the mean of ``(s - r)^2``."""
    return ((scores - ratings) ** 2).mean()


def logistic(scores: Tensor, clicked: Tensor) -> Tensor:
    """Return the mean of ``log(1 + exp(-s))`` for clicks (1) and ``log(1 + exp(s))`` for 0."""
    return functional.binary_cross_entropy_with_logits(scores, clicked)


def pairwise_hinge(scores: Tensor, relevance: Tensor, exists: Tensor) -> Tensor:
    """Return the mean of ``max(0, 1 - (s_i - s_j))`` over the pairs of a list with r_i > r_j.

    Lists differ in length: ``exists`` says which entries there are.  # (B, L) each
    """
    ahead = scores[:, :, None] - scores[:, None, :]  # (B, L, L)
    better = relevance[:, :, None] > relevance[:, None, :]
    better = better & exists[:, :, None] & exists[:, None, :]
    return (functional.relu(1 - ahead) * better).sum() / better.sum().clamp(min=1)


def list_mle(scores: Tensor, relevance: Tensor, exists: Tensor, ties: Tensor) -> Tensor:
    """Return the mean negative log likelihood of lists (ListMLE; Xia et al., ICML 2008).

    With the entries in the order of their relevance: ``sum_k (log sum_{l >= k} exp(s_l) - s_k)``.
    Entry k is drawn by a softmax over entries k, k + 1, ... Of two entries of equal relevance, the
    one with the larger number in ``ties`` comes first.  # (B, L) each
    """
    order = torch.argsort(ties, dim=1, descending=True, stable=True)
    level = torch.where(exists, relevance, -torch.inf).gather(1, order)
    order = order.gather(1, torch.argsort(level, dim=1, descending=True, stable=True))
    lowest = torch.finfo(scores.dtype).min
    ranked = torch.where(exists, scores, lowest).gather(1, order)
    remaining = torch.logcumsumexp(ranked.flip(1), 1).flip(1)
    return ((remaining - ranked) * exists.gather(1, order)).sum() / len(scores)
