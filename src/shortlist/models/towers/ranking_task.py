"""The task of ranking: how well an item suits a user, by ratings, clicks or lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError
from shortlist.models.towers.head import Head
from shortlist.models.towers.network import Drawing, Longs
from shortlist.models.towers.ranking_losses import list_mle, logistic, pairwise_hinge, squared
from shortlist.models.towers.task import Pairs, Side, Task
from shortlist.models.training.negatives import Negatives

if TYPE_CHECKING:
    from shortlist.models.towers.ranking import RankingConfig
    from shortlist.models.towers.training import TwoTowers

AMONG_CHOSEN = 1e-9  # an exponent: all items that anybody chose are drawn alike, the others never


class HeadTask(Task):
    """What ranking tasks share: interactions, and a head.

    Parameters
    ----------
    head
        What scores pairs.
    data
        What is learned from.
    """

    def __init__(self, head: Head, data: Dataset) -> None:
        super().__init__()
        self.head, self.data = head, data
        self.users, self.items = data.user_rows.astype(np.int64), data.item_rows.astype(np.int64)
        self.seed: list[int] = []

    def start_epoch(self, seed: list[int], towers: TwoTowers) -> None:
        """Seed what is drawn."""
        self.seed = seed
        self.head.drawing = Drawing([*seed, 3])

    def score(self, towers: TwoTowers, pairs: Pairs) -> Tensor:
        """Score pairs outside of a step."""
        scores: Tensor = self.head(*towers.sides({"ranking": pairs}, None))
        return scores


class RatingTask(HeadTask):
    """Predict weights (ratings) by squared error."""

    def __init__(self, head: Head, data: Dataset, device: str) -> None:
        super().__init__(head, data)
        self.ratings = torch.tensor(data.weights, device=device)

    def pairs(self, chosen: Longs) -> Pairs:
        """Take the interactions."""
        return Pairs(self.users[chosen], self.items[chosen])

    def losses(self, users: Side, items: Side, chosen: Longs) -> dict[str, Tensor]:
        """Give the mean squared error."""
        ratings = self.ratings[torch.from_numpy(chosen).to(self.ratings.device)]
        loss = squared(self.head(users, items), ratings)
        return {"loss": loss, "squared_error": loss}

    def validation_loss(self, towers: TwoTowers, held: Dataset) -> Tensor:
        """Give the mean squared error on the fold."""
        users, items = held.user_rows.astype(np.int64), held.item_rows.astype(np.int64)
        ratings = torch.tensor(held.weights, device=self.ratings.device)
        return squared(self.score(towers, Pairs(users, items)), ratings)


class OpposedTask(HeadTask):
    """Tell what was chosen from drawn negatives."""

    def __init__(self, config: RankingConfig, head: Head, data: Dataset) -> None:
        super().__init__(head, data)
        self.config = config
        self.negatives: Negatives | None = None
        self.opposed = np.zeros(len(data), dtype=bool)  # the interactions that have negatives
        if config.negatives:
            self.negatives = Negatives(
                data, config.negatives, exponent=AMONG_CHOSEN, rejection=config.rejection
            )
            self.opposed[self.negatives.examples] = True

    def with_negatives(self, known: Longs, chosen: Longs) -> Pairs:
        """Put negatives of the chosen interactions behind known ones."""
        users, items = [self.users[known]], [self.items[known]]
        if self.negatives is not None:
            opposed = chosen[self.opposed[chosen]]
            drawn = self.negatives.draw([*self.seed, 4], opposed).astype(np.int64)
            users.append(np.repeat(self.users[opposed], drawn.shape[1]))
            items.append(drawn.ravel())
        return Pairs(np.concatenate(users), np.concatenate(items))

    def validation_lists(self, towers: TwoTowers, held: Dataset) -> tuple[Tensor, Tensor]:
        """Score each item of a fold beside negatives; give scores and relevance.

        Negatives are drawn without rejection, and the same ones in every epoch.
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


class ClickTask(OpposedTask):
    """The odds that something is chosen, by logistic loss."""

    def pairs(self, chosen: Longs) -> Pairs:
        """Take the interactions, and their negatives."""
        return self.with_negatives(chosen, chosen)

    def losses(self, users: Side, items: Side, chosen: Longs) -> dict[str, Tensor]:
        """Give the mean surprise."""
        scores = self.head(users, items)
        clicked = torch.zeros_like(scores)
        clicked[: len(chosen)] = 1
        loss = logistic(scores, clicked)
        return {"loss": loss, "log_loss": loss}

    def validation_loss(self, towers: TwoTowers, held: Dataset) -> Tensor:
        """Give the mean surprise on the fold, and on negatives."""
        return logistic(*self.validation_lists(towers, held))


class ListTask(OpposedTask):
    """The order of lists: of what a user chose, by weight, and negatives after it.

    A list is an interaction, those of the same user that follow it in an order drawn for the epoch,
    and its negatives.
    """

    def __init__(self, name: str, config: RankingConfig, head: Head, data: Dataset) -> None:
        if not config.negatives and np.ptp(data.weights) == 0:
            raise InputError(
                f"{name}: all weights are {data.weights[0]:g}, and without negatives "
                f"loss={config.loss!r} has nothing to put in order",
                remedy="draw negatives (negatives=4), or name the weight column (weight=...)",
            )
        super().__init__(config, head, data)
        self.indptr = np.concatenate([[0], np.cumsum(data.user_counts)])
        self.weights = torch.tensor(data.weights, device=config.device)
        self.order = self.place = np.arange(len(data))

    def start_epoch(self, seed: list[int], towers: TwoTowers) -> None:
        """Put each user's interactions into another order."""
        super().start_epoch(seed, towers)
        drawn = np.random.default_rng([*seed, 5]).random(len(self.users))
        self.order = np.lexsort([drawn, self.users])
        self.place = np.empty_like(self.order)
        self.place[self.order] = np.arange(len(self.order))

    def pairs(self, chosen: Longs) -> Pairs:
        """Take lists, and negatives."""
        return self.with_negatives(self.lists(chosen).ravel(), chosen)

    def lists(self, chosen: Longs) -> Longs:
        """Give for each interaction those that follow it, in a circle."""  # (B, list_size)
        users = self.users[chosen]
        first, length = self.indptr[users][:, None], self.data.user_counts[users][:, None]
        steps = np.arange(self.config.list_size)
        found: Longs = self.order[first + (self.place[chosen][:, None] - first + steps) % length]
        return found

    def losses(self, users: Side, items: Side, chosen: Longs) -> dict[str, Tensor]:
        """Give the disorder of the lists."""
        scores, count, size = self.head(users, items), len(chosen), self.config.list_size
        device = scores.device
        listed = scores[: count * size].view(count, size)
        relevance = self.weights[torch.from_numpy(self.lists(chosen)).to(device)]
        lengths = torch.from_numpy(self.data.user_counts[self.users[chosen]]).to(device)
        there = torch.arange(size, device=device)[None, :] < lengths[:, None]
        if self.negatives is not None:  # less relevant than anything that was chosen
            opposed = torch.from_numpy(self.opposed[chosen]).to(device)
            drawn = scores.new_zeros(count, self.config.negatives)
            of_them = scores[count * size :].view(-1, self.config.negatives)
            drawn = drawn.index_put((opposed.nonzero()[:, 0],), of_them)
            listed = torch.cat([listed, drawn], 1)
            relevance = torch.cat([relevance, torch.full_like(drawn, -1)], 1)
            there = torch.cat([there, opposed[:, None].expand_as(drawn)], 1)
        drawn_ties = self.head.drawing.rng.random(tuple(listed.shape), dtype=np.float32)
        ties = torch.from_numpy(drawn_ties).to(device)
        loss = self._loss(listed, relevance, there, ties)
        return {"loss": loss, "disorder": loss}

    def validation_loss(self, towers: TwoTowers, held: Dataset) -> Tensor:
        """Give the disorder of each item of the fold among negatives."""
        scores, relevance = self.validation_lists(towers, held)
        there = torch.ones_like(scores, dtype=torch.bool)
        return self._loss(scores, relevance, there, torch.zeros_like(scores))

    def _loss(self, scores: Tensor, relevance: Tensor, there: Tensor, ties: Tensor) -> Tensor:
        if self.config.loss == "hinge":
            return pairwise_hinge(scores, relevance, there)
        return list_mle(scores, relevance, there, ties)


def ranking_task(name: str, config: RankingConfig, head: Head, data: Dataset) -> HeadTask:
    """Make the task whose loss the settings name."""
    match config.loss:
        case "squared":
            return RatingTask(head, data, config.device)
        case "logistic":
            return ClickTask(config, head, data)
        case "hinge" | "listmle":
            return ListTask(name, config, head, data)
