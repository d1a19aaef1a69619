"""Two towers and their tasks, for the training loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError
from shortlist.models.towers.config import TowersConfig
from shortlist.models.towers.learned import encoded
from shortlist.models.towers.network import Histories, Longs, Pairs, RandomDraws, Tower, TowerOutput
from shortlist.models.training.loop import Trainable

_MIN_LOGITS = 2**22  # per step: with fewer, a second thread costs more than it saves
HIDDEN_SHARE = 5  # with histories, a step hides and predicts a fifth of the interactions at most


class Task(nn.Module, ABC):
    """A loss over pairs of a user and an item that trains the towers."""

    sums: bool = False  # whether the loss of a step is a sum over its examples, not their mean

    def __init__(self, config: TowersConfig, data: Dataset) -> None:
        super().__init__()
        self.data, self.device = data, config.device
        self.users, self.items = data.user_rows.astype(np.int64), data.item_rows.astype(np.int64)

    def start_epoch(self, seed: list[int], towers: TwoTowers) -> None:
        """Draw or compute what an epoch needs."""

    def pairs(self, chosen: Longs) -> Pairs:
        """Return the pairs that are needed to learn from these interactions: at least those."""
        return Pairs(self.users[chosen], self.items[chosen])

    @abstractmethod
    def losses(self, users: TowerOutput, items: TowerOutput, chosen: Longs) -> dict[str, Tensor]:
        """Return ``loss``, which is minimised, and other metrics for the history."""

    @abstractmethod
    def validation_loss(self, towers: TwoTowers, held: Dataset) -> Tensor:
        """Return the loss on a validation fold."""


class TwoTowers(Trainable):
    """A user tower, an item tower, and tasks with their weights, by name.

    Raises
    ------
    InputError
        Users cannot be told apart: no ids, no history, and no features.
    """

    def __init__(
        self,
        name: str,
        config: TowersConfig,
        data: Dataset,
        held: Dataset | None,
        tasks: Mapping[str, tuple[float, Task]],
    ) -> None:
        super().__init__()
        of_users = encoded(data.user_features) if config.features else None
        of_items = encoded(data.item_features) if config.features else None
        if of_users is None and not config.user_ids and not config.history:
            raise InputError(
                f"{name}: nothing tells users apart: there are no features of users that can be "
                "used, and user_ids and history are off",
                remedy="give a users table, or turn user_ids or history on",
            )
        self.config, self.data = config, data
        self.held: Dataset | None = held
        draws = RandomDraws(config.seed)
        indptr = np.concatenate([[0], np.cumsum(data.user_counts)])
        histories = Histories(indptr, data.item_rows.astype(np.int64), data.n_items)
        self.user = Tower(
            config,
            draws,
            ids=data.user_counts if config.user_ids else None,
            features=None if of_users is None else of_users.rows,
            histories=histories if config.history else None,
            everybody=config.biases,
        )
        self.item = Tower(
            config,
            draws,
            ids=data.item_counts,
            features=None if of_items is None else of_items.rows,
        )
        competing = min(self.examples_a_step(config.batch_size) or len(data), len(data))
        logits = min(competing, data.n_users) * min(competing, data.n_items)
        self.threads = 1 if logits < _MIN_LOGITS else None
        self.by_name = {name: task for name, (_, task) in tasks.items()}
        self.task_weights = {name: weight for name, (weight, _) in tasks.items()}
        self.tasks = nn.ModuleDict(self.by_name)  # so that their parameters are trained

    def examples_a_step(self, batch_size: int | None) -> int | None:
        """Limit the batch so that most of every history stays visible, if histories are used."""
        if not self.config.history:
            return batch_size
        most = max(1, -(-len(self.data) // HIDDEN_SHARE))
        return most if batch_size is None else min(batch_size, most)

    def start_epoch(self, seed: list[int]) -> int:
        """Seed the dropout, and let the tasks draw what they need."""
        self.user.draws = self.item.draws = RandomDraws([*seed, 2])
        for task in self.by_name.values():
            task.start_epoch(seed, self)
        return len(self.data)

    def losses(self, chosen: Tensor | None) -> dict[str, Tensor]:
        """Return the weighted sum of the tasks' losses, and each of them."""
        examples = np.arange(len(self.data)) if chosen is None else chosen.cpu().numpy()
        pairs = {name: task.pairs(examples) for name, task in self.by_name.items()}
        users, items = self.outputs(pairs, examples)
        total = torch.zeros((), device=users.vectors.device)
        metrics: dict[str, Tensor] = {}
        start = 0
        for name, task in self.by_name.items():
            stop = start + len(pairs[name].users)
            losses = task.losses(users.pairs(start, stop), items.pairs(start, stop), examples)
            start = stop
            total = total + self.task_weights[name] * losses.pop("loss")
            metrics |= losses
        if self.config.regularization:
            sums = any(task.sums for task in self.by_name.values())
            lengths = _mean_square(users) + _mean_square(items)
            scale = len(examples) if sums else 1
            total = total + self.config.regularization * scale * lengths
        return {"loss": total, **metrics}

    def outputs(
        self, pairs: Mapping[str, Pairs], hidden: Longs | None
    ) -> tuple[TowerOutput, TowerOutput]:
        """Compute the vectors of the pairs of each task, each distinct vector once.

        Histories leave out the ``hidden`` interactions, because they are to be predicted.
        """
        visible = None
        if hidden is not None and self.config.history:
            visible = np.ones(len(self.data), dtype=bool)
            visible[hidden] = False
        users = np.concatenate([each.users for each in pairs.values()])
        items = np.concatenate([each.items for each in pairs.values()])
        outputs = []
        for tower, rows, shown in ((self.user, users, visible), (self.item, items, None)):
            distinct, positions = np.unique(rows, return_inverse=True)
            at_device = torch.from_numpy(positions).to(self.config.device)
            outputs.append(TowerOutput(distinct, tower(distinct, shown), at_device))
        return outputs[0], outputs[1]

    def all_items(self) -> Tensor:
        """Return the vector of every item."""  # (n_items, w)
        vectors: Tensor = self.item(np.arange(self.data.n_items))
        return vectors

    def validation_loss(self) -> Tensor:
        """Return the weighted sum of the tasks' losses on the fold."""
        assert self.held is not None
        total = torch.zeros((), device=self.config.device)
        for name, task in self.by_name.items():
            if self.task_weights[name]:
                total = total + self.task_weights[name] * task.validation_loss(self, self.held)
        return total


def _mean_square(output: TowerOutput) -> Tensor:
    """Return the mean over pairs of the squared length of a vector."""
    squares = (output.vectors**2).sum(1)  # (U,)
    return squares.index_select(0, output.positions).mean()
