"""A tower as it is trained: embeddings that are added up, then dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn import functional

from shortlist.models.towers.bags import Histories, bagged, taken
from shortlist.models.towers.config import TowersConfig

Longs = NDArray[np.int64]


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
