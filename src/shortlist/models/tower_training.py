"""What two-tower models train: towers, and tasks that say what their vectors are for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn import functional

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError
from shortlist.models.tower_bags import Histories, bagged, taken
from shortlist.models.towers import Encoded, TowersConfig, encoded, widths_of
from shortlist.models.training import Trainable

Longs = NDArray[np.int64]
_WORTH_THREADS = 2**22  # logits a step: with less to do, threads wait for each other
MOST_SHOWN = 5  # with histories, a step guesses a fifth of the interactions at most


class Drawing:
    """Draws first values, and what is left out: from one seed, and from another in every epoch."""

    def __init__(self, seed: int | list[int]) -> None:
        self.rng = np.random.default_rng(seed)

    def normal(self, shape: tuple[int, ...], std: float) -> nn.Parameter:
        """Draw the first values of a parameter."""
        return nn.Parameter(torch.from_numpy(self.rng.normal(0, std, shape).astype(np.float32)))

    def kept(self, shape: tuple[int, ...], dropout: float, like: Tensor) -> Tensor:
        """Draw what is kept: 1, or 0 in a share ``dropout`` of the places."""
        drawn = self.rng.random(shape, dtype=np.float32) >= dropout
        return torch.from_numpy(drawn).to(like.device, like.dtype)


class Dense(nn.Module):
    """Dense layers with ReLU between them; PyTorch's, but with seeded first values."""

    def __init__(self, drawing: Drawing, widths: Sequence[int]) -> None:
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for n_in, n_out in pairwise(widths):
            bound = np.sqrt(6 / (n_in + n_out))  # Glorot and Bengio, AISTATS 2010
            values = drawing.rng.uniform(-bound, bound, (n_in, n_out)).astype(np.float32)
            self.weights.append(nn.Parameter(torch.from_numpy(values)))
            self.biases.append(nn.Parameter(torch.zeros(n_out)))

    def forward(self, rows: Tensor) -> Tensor:
        """Send rows through all layers."""
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if place:
                rows = torch.relu(rows)
            rows = torch.addmm(bias, rows, weight)
        return rows


class Tower(nn.Module):
    """One side: ids, features and histories are added up, then go through dense layers.

    Parameters
    ----------
    config
        The settings.
    drawing
        Where first values come from.
    ids
        How often each row of this side occurs in training, or None to learn no ids. Rows that do
        not occur start, and stay, at zeros.  # (n,)
    features
        Encoded features, or None.  # (n, n_features)
    histories
        What each row chose, or None.
    everybody
        Whether there is a vector that all rows share.
    widths
        Of the dense layers, from the vectors' length on; of length 1: there are none.
    normalize
        Whether vectors are brought to length 1.
    """

    def __init__(
        self,
        config: TowersConfig,
        drawing: Drawing,
        *,
        ids: Longs | None,
        features: csr_array | None,
        histories: Histories | None = None,
        everybody: bool = False,
        widths: Sequence[int],
        normalize: bool = False,
    ) -> None:
        super().__init__()
        self.config, self.features, self.histories = config, features, histories
        self.depth, self.normalize = config.embedding_size, normalize
        self.width = self.depth + config.biases
        self.drawing = drawing
        self.ids = self._table(len(ids), ids > 0) if ids is not None else None
        self.of_features = self._table(features.shape[1]) if features is not None else None
        self.chosen = self._table(histories.n_items) if histories is not None else None
        self.everybody = nn.Parameter(torch.zeros(self.width)) if everybody else None
        self.dense = Dense(drawing, widths)

    def _table(self, count: int, occurs: NDArray[np.bool_] | None = None) -> nn.Parameter:
        table = self.drawing.normal((count, self.width), self.config.init_std)
        with torch.no_grad():
            table[:, self.depth :] = 0  # what stands for itself begins with nothing
            if occurs is not None:
                table[torch.from_numpy(~occurs)] = 0
        return table

    def forward(self, rows: Longs, shown: NDArray[np.bool_] | None = None) -> Tensor:
        """Give the vectors of some rows.

        Parameters
        ----------
        rows
            Each once.  # (U,)
        shown
            Which interactions histories may use; None: all.  # (n_interactions,)
        """  # (U, w)
        config, parts = self.config, []
        if self.ids is not None:
            own = functional.embedding(torch.from_numpy(rows).to(self.ids.device), self.ids)
            parts.append(self._sometimes(own))
        if self.features is not None and self.of_features is not None:
            parts.append(self._sometimes(bagged(taken(self.features, rows), self.of_features)))
        if self.histories is not None and self.chosen is not None:
            if self.training and config.history_dropout:
                drawn = self.drawing.rng.random(len(self.histories.items), dtype=np.float32)
                kept = drawn >= config.history_dropout
                shown = kept if shown is None else kept & shown
            parts.append(bagged(self.histories.of(rows, shown), self.chosen))
        if self.everybody is not None:
            parts.append(self.everybody.expand(len(rows), self.width))
        total = torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]
        vectors = total[:, : self.depth]
        if len(self.dense.weights):
            vectors = self.dense(vectors)
        if self.normalize:
            vectors = functional.normalize(vectors, dim=1)
        return torch.cat([vectors, total[:, self.depth :]], 1) if self.config.biases else vectors

    def _sometimes(self, inputs: Tensor) -> Tensor:
        """Leave inputs of some rows out, in training."""
        rate = self.config.input_dropout
        if not (self.training and rate):
            return inputs
        return inputs * self.drawing.kept((len(inputs), 1), rate, inputs)


class Side(NamedTuple):
    """The vectors of one side in a step.

    Attributes
    ----------
    rows
        The distinct rows, ascending.  # (U,)
    vectors
        Their vectors.  # (U, w)
    place
        Which of them each pair has.  # (P,)
    """

    rows: Longs
    vectors: Tensor
    place: Tensor

    def cut(self, start: int, stop: int) -> Side:
        """Keep some of the pairs."""
        return self._replace(place=self.place[start:stop])


class Pairs(NamedTuple):
    """Pairs of a user and an item whose vectors a task wants."""

    users: Longs  # (P,)
    items: Longs  # (P,)


class Task(nn.Module, ABC):
    """What vectors are for: a loss over pairs of a user and an item."""

    sums: bool = False  # whether the loss of a step is a sum over its examples, not their mean

    def start_epoch(self, seed: list[int], towers: TwoTowers) -> None:
        """Draw, or find, what an epoch needs."""

    @abstractmethod
    def pairs(self, chosen: Longs) -> Pairs:
        """Say which pairs it takes to learn from these interactions."""

    @abstractmethod
    def losses(self, users: Side, items: Side, chosen: Longs) -> dict[str, Tensor]:
        """Give what is minimised, as ``loss``, and what else the history shall show."""

    @abstractmethod
    def validation_loss(self, towers: TwoTowers, held: Dataset) -> Tensor:
        """Give the loss on a validation fold."""


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
    user_widths, item_widths
        Of the towers' dense layers.
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
            everybody=True,
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
