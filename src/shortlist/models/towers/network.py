"""The PyTorch modules of two towers: embeddings, dense layers and heads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn import functional

from shortlist.errors import InputError
from shortlist.models.towers.config import HeadConfig, TowersConfig
from shortlist.scoring.sparse import row_entries

Longs = NDArray[np.int64]


class RandomDraws:
    """Draws initial values and dropout masks, from a seed for all and one for each epoch."""

    def __init__(self, seed: int | list[int]) -> None:
        self.rng = np.random.default_rng(seed)

    def normal(self, shape: tuple[int, ...], std: float) -> nn.Parameter:
        """Draw the initial values of a parameter."""
        return nn.Parameter(torch.from_numpy(self.rng.normal(0, std, shape).astype(np.float32)))

    def mask(self, shape: tuple[int, ...], dropout: float, like: Tensor) -> Tensor:
        """Draw a mask of ones with a share ``dropout`` of zeros."""
        kept = self.rng.random(shape, dtype=np.float32) >= dropout
        return torch.from_numpy(kept).to(like.device, like.dtype)


# --- bags of embeddings: features and histories --------------------------------------------------


def bag_sums(bags: csr_array, table: Tensor) -> Tensor:
    """Return the weighted sum of the embeddings (n, d) in each bag (B, n).

    PyTorch's own ``embedding_bag`` takes 25 times as long on a CPU.
    """  # (B, d)
    if table.device.type == "cpu":
        product: Tensor = _BagSums.apply(bags, table)  # type: ignore[no-untyped-call]
        return product
    members = torch.from_numpy(bags.indices.astype(np.int64)).to(table.device)
    rows = np.repeat(np.arange(bags.shape[0]), np.diff(bags.indptr))
    owners = torch.from_numpy(rows).to(table.device)
    weights = torch.from_numpy(bags.data).to(table.device, table.dtype)
    sums = torch.zeros(bags.shape[0], table.shape[1], dtype=table.dtype, device=table.device)
    return sums.index_add(0, owners, weights[:, None] * table[members])


class _BagSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, bags: csr_array, table: Tensor) -> Tensor:
        ctx.bags = bags
        return torch.from_numpy(bags @ table.detach().numpy()).to(table.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[None, Tensor]:
        gradient = gradients[0].contiguous()
        return None, torch.from_numpy(ctx.bags.T @ gradient.numpy()).to(gradient.dtype)


class Histories:
    """The histories of the users, as bags; the items that a step predicts can be hidden."""

    def __init__(self, indptr: Longs, items: Longs, n_items: int) -> None:
        self.indptr, self.items, self.n_items = indptr, items, n_items

    def of(self, users: Longs, visible: NDArray[np.bool_] | None) -> csr_array:
        """Return the history of each user; each of its n items has the weight ``1 / sqrt(n)``.

        ``visible`` says which interactions may be used; None: all.
        """  # (U, n_items)
        indptr, entries = row_entries(self.indptr, users)
        if visible is not None:
            kept = visible[entries]
            indptr = np.concatenate([[0], np.cumsum(kept)])[indptr]
            entries = entries[kept]
        lengths = np.diff(indptr)
        weights = np.repeat(1 / np.sqrt(np.maximum(lengths, 1)), lengths).astype(np.float32)
        return csr_array((weights, self.items[entries], indptr), shape=(len(users), self.n_items))


# --- towers --------------------------------------------------------------------------------------


class Dense(nn.Module):
    """Dense layers with ReLU between them, with seeded initial values."""

    def __init__(self, draws: RandomDraws, widths: Sequence[int]) -> None:
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for n_in, n_out in pairwise(widths):
            bound = np.sqrt(6 / (n_in + n_out))  # Glorot and Bengio, AISTATS 2010
            values = draws.rng.uniform(-bound, bound, (n_in, n_out)).astype(np.float32)
            self.weights.append(nn.Parameter(torch.from_numpy(values)))
            self.biases.append(nn.Parameter(torch.zeros(n_out)))

    def forward(self, rows: Tensor) -> Tensor:
        """Apply all layers."""
        for n, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if n:
                rows = torch.relu(rows)
            rows = torch.addmm(bias, rows, weight)
        return rows


class Tower(nn.Module):
    """The tower of users or of items: a sum of embeddings, then dense layers.

    ``ids`` says how often each row occurs in training; a row that does not is zeros. Without ids,
    features or histories the sum lacks that part. ``everybody`` adds a part that all rows share.
    """

    def __init__(
        self,
        config: TowersConfig,
        draws: RandomDraws,
        *,
        ids: Longs | None,
        features: csr_array | None,
        histories: Histories | None = None,
        everybody: bool = False,
    ) -> None:
        super().__init__()
        self.config, self.features, self.histories = config, features, histories
        self.depth = config.embedding_size
        self.width = self.depth + config.biases
        self.draws = draws
        self.ids = self._table(len(ids), ids > 0) if ids is not None else None
        self.of_features = self._table(features.shape[1]) if features is not None else None
        self.chosen = self._table(histories.n_items) if histories is not None else None
        self.everybody = nn.Parameter(torch.zeros(self.width)) if everybody else None
        self.dense = Dense(draws, config.tower_widths)

    def _table(self, count: int, occurs: NDArray[np.bool_] | None = None) -> nn.Parameter:
        table = self.draws.normal((count, self.width), self.config.init_std)
        with torch.no_grad():
            table[:, self.depth :] = 0  # biases
            if occurs is not None:
                table[torch.from_numpy(~occurs)] = 0
        return table

    def forward(self, rows: Longs, visible: NDArray[np.bool_] | None = None) -> Tensor:
        """Return the vectors of distinct rows; ``visible`` says what histories may use."""
        config, parts = self.config, []  # (U, w)
        if self.ids is not None:
            own = functional.embedding(torch.from_numpy(rows).to(self.ids.device), self.ids)
            parts.append(self._with_dropout(own))
        if self.features is not None and self.of_features is not None:
            sums = bag_sums(self.features[rows], self.of_features)
            parts.append(self._with_dropout(sums))
        if self.histories is not None and self.chosen is not None:
            if self.training and config.history_dropout:
                drawn = self.draws.rng.random(len(self.histories.items), dtype=np.float32)
                kept = drawn >= config.history_dropout
                visible = kept if visible is None else kept & visible
            parts.append(bag_sums(self.histories.of(rows, visible), self.chosen))
        if self.everybody is not None:
            parts.append(self.everybody.expand(len(rows), self.width))
        total = torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]
        vectors = total[:, : self.depth]
        if len(self.dense.weights):
            vectors = self.dense(vectors)
        if config.unit_vectors:
            vectors = functional.normalize(vectors, dim=1)
        return torch.cat([vectors, total[:, self.depth :]], 1) if config.biases else vectors

    def _with_dropout(self, inputs: Tensor) -> Tensor:
        """Drop the inputs of whole rows, in training."""
        rate = self.config.input_dropout
        if not (self.training and rate):
            return inputs
        return inputs * self.draws.mask((len(inputs), 1), rate, inputs)


class Pairs(NamedTuple):
    """Pairs of a user and an item, by their rows."""

    users: Longs  # (P,)
    items: Longs  # (P,)


class TowerOutput(NamedTuple):
    """What a tower computed for the pairs of a step, each distinct row once."""

    rows: Longs  # the distinct rows, ascending: (U,)
    vectors: Tensor  # (U, w)
    positions: Tensor  # of each pair's vector among them: (P,)

    def pairs(self, start: int, stop: int) -> TowerOutput:
        """Restrict the output to some of the pairs."""
        return self._replace(positions=self.positions[start:stop])


# --- heads ---------------------------------------------------------------------------------------


class CrossLayer(nn.Module):
    """A cross layer: ``x_0 (W x + b) + x``, element by element (DCN v2).

    W has two widths if it is full, and three if it is of low rank; only its last layer has a bias.
    """

    def __init__(self, draws: RandomDraws, widths: list[int]) -> None:
        super().__init__()
        self.dense = Dense(draws, widths)
        for bias in list(self.dense.biases)[:-1]:
            bias.requires_grad_(False)

    def forward(self, start: Tensor, rows: Tensor) -> Tensor:
        """Cross rows with the input of the first cross layer."""
        step = rows
        for weight, bias in zip(self.dense.weights, self.dense.biases, strict=True):
            step = torch.addmm(bias, step, weight)
        return start * step + rows


class Head(nn.Module):
    """Scores pairs of vectors; ``HeadLearned`` does the same without PyTorch."""

    def __init__(self, name: str, config: HeadConfig, start: float) -> None:
        super().__init__()
        if not (config.head_layers or config.cross_layers or config.product):
            raise InputError(
                f"{name}: head_layers is empty, cross_layers 0 and product off: nothing combines "
                "users and items",
                remedy="give head_layers=(64,), or product=True",
            )
        self.config, self.start = config, start
        self.draws = RandomDraws([config.seed, 1])
        self.cross = nn.ModuleList(
            CrossLayer(self.draws, config.cross_widths) for _ in range(config.cross_layers)
        )
        self.dense = Dense(self.draws, config.head_widths)

    def forward(self, users: TowerOutput, items: TowerOutput) -> Tensor:
        """Score each pair."""  # (P,)
        config, size = self.config, self.config.embedding_size
        left, right = (self._with_dropout(side.vectors[:, :size]) for side in (users, items))
        total = torch.full((len(users.positions),), self.start, device=left.device)
        if config.adds_biases:
            for side in (users, items):
                total = total + side.vectors[:, -1].index_select(0, side.positions)
        if config.product:
            own = left.index_select(0, users.positions)
            total = total + (own * right.index_select(0, items.positions)).sum(1)
        if self.cross:
            both = [left.index_select(0, users.positions), right.index_select(0, items.positions)]
            rows = start = torch.cat(both, 1)
            for layer in self.cross:
                rows = layer(start, rows)
            hidden = torch.addmm(self.dense.biases[0], rows, self.dense.weights[0])
        elif self.dense.weights:
            weight = self.dense.weights[0]  # for users and items separately: fewer rows to multiply
            first = torch.addmm(self.dense.biases[0], left, weight[:size])
            second = right @ weight[size:]
            hidden = first.index_select(0, users.positions)
            hidden = hidden + second.index_select(0, items.positions)
        else:
            return total
        layers = zip(list(self.dense.weights)[1:], list(self.dense.biases)[1:], strict=True)
        for weight, bias in layers:
            hidden = torch.addmm(bias, self._with_dropout(torch.relu(hidden)), weight)
        return total + hidden[:, 0]

    def _with_dropout(self, values: Tensor) -> Tensor:
        rate = self.config.dropout
        if not (self.training and rate):
            return values
        return values * self.draws.mask(tuple(values.shape), rate, values) / (1 - rate)
