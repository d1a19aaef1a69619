"""What matrix factorisation trains: factors of known cells, or users as bags of what they chose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shortlist.data.dataset import Dataset
from shortlist.kernels.vector import LANES
from shortlist.models.factorization.bags import DAMPING, item_categories, slices
from shortlist.models.factorization.losses import (
    Cells,
    bag_means,
    cross_entropy,
    gravity,
    mean_squared_length,
    observed_error,
    squared_error,
)
from shortlist.models.factorization.users import global_bias
from shortlist.models.training.loop import Trainable

if TYPE_CHECKING:
    from shortlist.models.factorization.model import FactorizationConfig


def trainable(
    name: str, config: FactorizationConfig, data: Dataset, held: Dataset | None
) -> Trainable:
    """Make what the settings ask for, at its first values; ``held`` is the validation fold."""
    if config.loss == "softmax":
        return Bags(name, config, data, held)
    return Factors(config, data, held)


_WORTH_THREADS = 2**20  # logits a step: with less to do, threads wait for each other


class Factors(Trainable):
    """User and item factors whose products are the cells.

    With biases a product is ``p_u.q_i + (mean + b_u) * 1 + 1 * b_i``: two more columns on either
    side, so everything that holds for factors holds for them.
    """

    threads = 1  # the kernel has its own; what is left is small, and threads would wait for it

    def __init__(self, config: FactorizationConfig, data: Dataset, held: Dataset | None) -> None:
        super().__init__()
        self.config = config
        rng = np.random.default_rng(config.seed)
        # Whole vectors of the processor; columns of zeros have no gradient and stay zeros.
        extra = 2 if config.biases else 0
        width = config.embedding_size + -(config.embedding_size + extra) % LANES
        self.users = self._factors(rng, data.user_counts, width)
        self.items = self._factors(rng, data.item_counts, width)
        if config.biases:
            self.user_bias = nn.Parameter(torch.zeros(data.n_users, 1))
            self.item_bias = nn.Parameter(torch.zeros(data.n_items, 1))
        self.mean = global_bias(config, data)
        self.cells = Cells.of(data, config.device)
        self.held: Cells | None = None if held is None else Cells.of(held, config.device)

    def _factors(
        self, rng: np.random.Generator, counts: NDArray[np.int64], width: int
    ) -> nn.Parameter:
        """Draw first values; zeros where there is nothing to learn from."""
        values = np.zeros((len(counts), width), dtype=np.float32)
        size = self.config.embedding_size
        values[:, :size] = rng.normal(0, self.config.init_std, (len(counts), size))
        values[counts == 0] = 0
        return nn.Parameter(torch.from_numpy(values))

    def start_epoch(self, seed: list[int]) -> int:
        """Draw nothing: the examples are the known cells."""
        return len(self.cells)

    def losses(self, chosen: Tensor | None) -> dict[str, Tensor]:
        """Give the error on known cells and, regularised, the penalties by their weights."""
        users, items = self.factors()
        cells = self.cells if chosen is None else self.cells.take(chosen)
        observed = squared_error(users, items, cells)
        if self.config.loss == "observed":
            return {"loss": observed}
        lengths = mean_squared_length(self.users) + mean_squared_length(self.items)
        if self.config.biases:
            lengths = lengths + (self.user_bias**2).mean() + (self.item_bias**2).mean()
        regularization = self.config.regularization * lengths
        everywhere = self.config.gravity * gravity(users, items)
        return {
            "loss": observed + regularization + everywhere,
            "observed": observed,
            "regularization": regularization,
            "gravity": everywhere,
        }

    def validation_loss(self) -> Tensor:
        """Give the error on the fold, plus gravity: penalties on lengths say nothing of it."""
        assert self.held is not None
        users, items = self.factors()
        error = observed_error(users, items, self.held)
        if self.config.loss == "regularized":
            error = error + self.config.gravity * gravity(users, items)
        return error

    def factors(self) -> tuple[Tensor, Tensor]:
        """Give both sides, with columns for the biases."""  # (n_users, F), (n_items, F)
        if not self.config.biases:
            return self.users, self.items
        ones = torch.ones_like(self.user_bias), torch.ones_like(self.item_bias)
        users = torch.cat([self.users, self.user_bias + self.mean, ones[0]], 1)
        items = torch.cat([self.items, ones[1], self.item_bias], 1)
        return users, items


class Bags(Trainable):
    """A user is the mean of what they chose; the loss is which item is missing.

    Each item puts its own embedding, the mean of its genres' and its year's into the bag; linear
    layers turn the mean into the user's vector; the logits are its products with the embeddings of
    all items. Every epoch draws one item of each user as the label and takes it out of the bag.
    """

    def __init__(
        self, name: str, config: FactorizationConfig, data: Dataset, held: Dataset | None
    ) -> None:
        super().__init__()
        rng = np.random.default_rng(config.seed)
        size, std = config.embedding_size, config.init_std

        def drawn(shape: tuple[int, int], scale: float) -> nn.Parameter:
            return nn.Parameter(torch.from_numpy(rng.normal(0, scale, shape).astype(np.float32)))

        self.items = drawn((data.n_items, size), std)
        self.categories = item_categories(name, config, data)
        self.tables = nn.ParameterDict(
            {
                key: drawn((matrix.shape[1], width), std)
                for key, (matrix, width) in self.categories.items()
            }
        )
        width = size + sum(width for _, width in self.categories.values())
        self.layers = nn.ParameterList()
        for _ in range(config.layers):
            self.layers.append(drawn((width, size), 1 / np.sqrt(size)))
            width = size
        self.item_bias = nn.Parameter(torch.zeros(data.n_items)) if config.biases else None
        self.indptr = np.concatenate([[0], np.cumsum(data.user_counts)])
        self.chosen_items = data.item_rows.astype(np.int64)
        self.active = np.flatnonzero(data.user_counts)
        self.labels = np.empty(0, dtype=np.int64)
        self.held: Dataset | None = held
        logits = min(config.batch_size or len(self.active), len(self.active)) * data.n_items
        self.threads = 1 if logits < _WORTH_THREADS else None

    def start_epoch(self, seed: list[int]) -> int:
        """Draw the label of each user: a place among the interactions."""
        starts, stops = self.indptr[self.active], self.indptr[self.active + 1]
        self.labels = np.random.default_rng(seed).integers(starts, stops)
        return len(self.active)

    def losses(self, chosen: Tensor | None) -> dict[str, Tensor]:
        """Give the cross-entropy of the labels."""
        picked = slice(None) if chosen is None else chosen.cpu().numpy()
        users, labels = self.active[picked], self.labels[picked]
        indptr, places = slices(self.indptr, users)
        # The label sits at a known place of each bag: leave it out there.
        kept = np.ones(len(places), dtype=bool)
        kept[indptr[:-1] + labels - self.indptr[users]] = False
        indptr = indptr - np.arange(len(indptr))
        vectors = self.user_vectors(indptr, self.chosen_items[places[kept]])
        return {"loss": self._entropy(vectors, self.chosen_items[labels])}

    def validation_loss(self) -> Tensor:
        """Give the cross-entropy of the fold's items, from all that its users chose besides."""
        assert self.held is not None
        users, place = np.unique(self.held.user_rows.astype(np.int64), return_inverse=True)
        indptr, places = slices(self.indptr, users)
        vectors = self.user_vectors(indptr, self.chosen_items[places])
        return self._entropy(vectors[torch.from_numpy(place)], self.held.item_rows.astype(np.int64))

    def user_vectors(self, indptr: NDArray[np.int64], members: NDArray[np.int64]) -> Tensor:
        """Give the vectors of users who chose these items."""  # (B, f)
        parts: list[Tensor] = [self.items]
        for key, (matrix, _) in self.categories.items():
            rows = (matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64))
            parts.append(bag_means(self.tables[key], *rows))  # (n_items, width)
        vectors = bag_means(torch.cat(parts, 1), indptr, members)
        for layer in self.layers:
            vectors = vectors @ (layer / DAMPING)
        return vectors

    def _entropy(self, vectors: Tensor, labels: NDArray[np.int64]) -> Tensor:
        target = torch.from_numpy(labels).to(vectors.device)
        return cross_entropy(vectors, self.items, self.item_bias, target)
