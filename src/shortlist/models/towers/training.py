"""Two towers and their tasks, as the shared loop trains them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError
from shortlist.models.towers.bags import Histories
from shortlist.models.towers.config import TowersConfig
from shortlist.models.towers.inputs import Encoded, encoded
from shortlist.models.towers.layers import widths_of
from shortlist.models.towers.network import Drawing, Longs, Tower
from shortlist.models.towers.task import Pairs, Side, Task
from shortlist.models.training.loop import Trainable

_WORTH_THREADS = 2**22  # logits a step: with less to do, threads wait for each other
MOST_SHOWN = 5  # with histories, a step guesses a fifth of the interactions at most


class TwoTowers(Trainable):
    """A user tower, an item tower, and tasks by their weights.

    Parameters
    ----------
    config
        The settings.
    data
        What to learn from.
    held
        The validation fold, or None.
    user_features, item_features
        Encoded, or None.
    tasks
        By name, each with its weight in the sum.
    widths
        Of the dense layers of both towers.
    normalize
        Whether vectors are brought to length 1.
    drawing
        Where first values come from.
    """

    def __init__(
        self,
        config: TowersConfig,
        data: Dataset,
        held: Dataset | None,
        user_features: Encoded | None,
        item_features: Encoded | None,
        tasks: Mapping[str, tuple[float, Task]],
        widths: Sequence[int],
        *,
        normalize: bool,
        drawing: Drawing,
    ) -> None:
        super().__init__()
        self.config, self.data = config, data
        self.held: Dataset | None = held
        self.users, self.items = data.user_rows.astype(np.int64), data.item_rows.astype(np.int64)
        indptr = np.concatenate([[0], np.cumsum(data.user_counts)])
        self.user = Tower(
            config,
            drawing,
            ids=data.user_counts if config.user_ids else None,
            features=None if user_features is None else user_features.rows,
            histories=Histories(indptr, self.items, data.n_items) if config.history else None,
            everybody=config.biases,
            widths=widths,
            normalize=normalize,
        )
        self.item = Tower(
            config,
            drawing,
            ids=data.item_counts,
            features=None if item_features is None else item_features.rows,
            widths=widths,
            normalize=normalize,
        )
        competing = min(self.examples_a_step(config.batch_size) or len(data), len(data))
        logits = min(competing, data.n_users) * min(competing, data.n_items)
        self.threads = 1 if logits < _WORTH_THREADS else None
        self.by_name = {name: task for name, (_, task) in tasks.items()}
        self.task_weights = {name: weight for name, (weight, _) in tasks.items()}
        self.tasks = nn.ModuleDict(self.by_name)  # so that their parameters are trained

    def examples_a_step(self, batch_size: int | None) -> int | None:
        """Leave most of a history in sight, where there are histories."""
        if not self.config.history:
            return batch_size
        most = max(1, -(-len(self.users) // MOST_SHOWN))
        return most if batch_size is None else min(batch_size, most)

    def start_epoch(self, seed: list[int]) -> int:
        """Seed what is left out, and let the tasks draw what they need."""
        self.user.drawing = self.item.drawing = Drawing([*seed, 2])
        for task in self.by_name.values():
            task.start_epoch(seed, self)
        return len(self.users)

    def losses(self, chosen: Tensor | None) -> dict[str, Tensor]:
        """Give the weighted sum of the tasks' losses, and each of them."""
        picked = np.arange(len(self.users)) if chosen is None else chosen.cpu().numpy()
        wanted = {name: task.pairs(picked) for name, task in self.by_name.items()}
        users, items = self.sides(wanted, picked)
        total = torch.zeros((), device=users.vectors.device)
        shown: dict[str, Tensor] = {}
        at = 0
        for name, task in self.by_name.items():
            span = at, at + len(wanted[name].users)
            at = span[1]
            found = task.losses(users.cut(*span), items.cut(*span), picked)
            total = total + self.task_weights[name] * found.pop("loss")
            shown |= found
        if self.config.regularization:
            lengths = _mean_square(users) + _mean_square(items)
            total = total + self.config.regularization * self.scale(len(picked)) * lengths
        return {"loss": total, **shown}

    def scale(self, n_examples: int) -> int:
        """Say how many examples the loss of a step adds up, where it is no mean."""
        return n_examples if any(task.sums for task in self.by_name.values()) else 1

    def sides(self, wanted: Mapping[str, Pairs], hidden: Longs | None) -> tuple[Side, Side]:
        """Give the vectors that tasks want, each distinct one computed once.

        Parameters
        ----------
        wanted
            The pairs of each task; their places follow each other.
        hidden
            Interactions that histories leave out: what is to be guessed.
        """
        shown = None
        if hidden is not None and self.config.history:
            shown = np.ones(len(self.users), dtype=bool)
            shown[hidden] = False
        users = np.concatenate([pairs.users for pairs in wanted.values()])
        items = np.concatenate([pairs.items for pairs in wanted.values()])
        device = self.config.device
        sides = []
        for tower, rows, show in ((self.user, users, shown), (self.item, items, None)):
            distinct, place = np.unique(rows, return_inverse=True)
            at = torch.from_numpy(place).to(device)
            sides.append(Side(distinct, tower(distinct, show), at))
        return sides[0], sides[1]

    def all_items(self) -> Tensor:
        """Give the vector of every item."""  # (n_items, w)
        vectors: Tensor = self.item(np.arange(self.data.n_items))
        return vectors

    def validation_loss(self) -> Tensor:
        """Give the weighted sum of the tasks' losses on the fold."""
        assert self.held is not None
        total = torch.zeros((), device=self.config.device)
        for name, task in self.by_name.items():
            if self.task_weights[name]:
                total = total + self.task_weights[name] * task.validation_loss(self, self.held)
        return total


def _mean_square(side: Side) -> Tensor:
    """Give the mean over pairs of the squared length of a vector."""
    squares = (side.vectors**2).sum(1)  # (U,)
    return squares.index_select(0, side.place).mean()


def two_towers(
    name: str,
    config: TowersConfig,
    data: Dataset,
    held: Dataset | None,
    tasks: Mapping[str, tuple[float, Task]],
    *,
    layers: Sequence[int] = (),
    normalize: bool = False,
) -> TwoTowers:
    """Make the towers that the settings ask for, at their first values.

    Raises
    ------
    InputError
        Nothing tells users apart: no ids, no history, and no features.
    """
    users = encoded(data.user_features) if config.features else None
    items = encoded(data.item_features) if config.features else None
    if users is None and not config.user_ids and not config.history:
        raise InputError(
            f"{name}: nothing tells users apart: there are no features of users that can be used, "
            "and user_ids and history are off",
            remedy="give a users table, or turn user_ids or history on",
        )
    return TwoTowers(
        config,
        data,
        held,
        users,
        items,
        tasks,
        widths_of(config.embedding_size, layers),
        normalize=normalize,
        drawing=Drawing(config.seed),
    )
