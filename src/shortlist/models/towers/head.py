"""The head over two vectors, as it is trained: cross layers, dense layers, product and biases."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from shortlist.errors import InputError
from shortlist.models.towers.config import HeadConfig
from shortlist.models.towers.head_scoring import cross_widths, head_widths
from shortlist.models.towers.network import Dense, Drawing
from shortlist.models.towers.task import Side


class Crossing(nn.Module):
    """A cross layer: ``x_0 (W x + b) + x``, element by element (DCN v2).

    Parameters
    ----------
    drawing
        Where first values come from.
    widths
        Of the dense layers that W is made of: two for a full W, three for one of low rank. Only the
        last of them has a bias.
    """

    def __init__(self, drawing: Drawing, widths: list[int]) -> None:
        super().__init__()
        self.dense = Dense(drawing, widths)
        for bias in list(self.dense.biases)[:-1]:
            bias.requires_grad_(False)

    def forward(self, start: Tensor, rows: Tensor) -> Tensor:
        """Cross rows with what the first layer got."""
        step = rows
        for weight, bias in zip(self.dense.weights, self.dense.biases, strict=True):
            step = torch.addmm(bias, step, weight)
        return start * step + rows


class Head(nn.Module):
    """Scores pairs of vectors; ``HeadLearned`` does the same without PyTorch.

    Parameters
    ----------
    name
        The model, for messages.
    config
        The settings.
    drawing
        Where first values, and later what is left out, come from.
    start
        What every score starts from.
    biased
        Whether the last number of each vector is added to the score.
    """

    def __init__(
        self, name: str, config: HeadConfig, drawing: Drawing, start: float, *, biased: bool
    ) -> None:
        super().__init__()
        if not (config.head_layers or config.cross_layers or config.product):
            raise InputError(
                f"{name}: head_layers is empty, cross_layers 0 and product off: nothing brings "
                "users and items together",
                remedy="give head_layers=(64,), or product=True",
            )
        self.config, self.start, self.drawing, self.biased = config, start, drawing, biased
        self.cross = nn.ModuleList(
            Crossing(drawing, cross_widths(config)) for _ in range(config.cross_layers)
        )
        self.dense = Dense(drawing, head_widths(config))

    def forward(self, users: Side, items: Side) -> Tensor:
        """Score each pair."""  # (P,)
        config, size = self.config, self.config.embedding_size
        left, right = (self._dropped(side.vectors[:, :size]) for side in (users, items))
        total = torch.full((len(users.place),), self.start, device=left.device)
        if self.biased:
            for side in (users, items):
                total = total + side.vectors[:, -1].index_select(0, side.place)
        if config.product:
            own, other = left.index_select(0, users.place), right.index_select(0, items.place)
            total = total + (own * other).sum(1)
        if self.cross:
            both = [left.index_select(0, users.place), right.index_select(0, items.place)]
            rows = start = torch.cat(both, 1)
            for layer in self.cross:
                rows = layer(start, rows)
            total = total + self._deep(
                torch.addmm(self.dense.biases[0], rows, self.dense.weights[0])
            )
        elif self.dense.weights:
            weight = self.dense.weights[0]  # of users and items separately: fewer rows to multiply
            first = torch.addmm(self.dense.biases[0], left, weight[:size])
            second = right @ weight[size:]
            hidden = first.index_select(0, users.place) + second.index_select(0, items.place)
            total = total + self._deep(hidden)
        return total

    def _deep(self, hidden: Tensor) -> Tensor:
        layers = zip(list(self.dense.weights)[1:], list(self.dense.biases)[1:], strict=True)
        for weight, bias in layers:
            hidden = torch.addmm(bias, self._dropped(torch.relu(hidden)), weight)
        return hidden[:, 0]

    def _dropped(self, values: Tensor) -> Tensor:
        rate = self.config.dropout
        if not (self.training and rate):
            return values
        return values * self.drawing.kept(tuple(values.shape), rate, values) / (1 - rate)
