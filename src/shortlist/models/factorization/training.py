"""Training of matrix factorisation: factors of known cells, or bags of items, and the losses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from shortlist.data.dataset import Dataset
from shortlist.kernels import factorization as kernels
from shortlist.kernels.types import Csr
from shortlist.kernels.vector import LANES
from shortlist.models.factorization.learned import (
    DAMPING,
    FactorizationConfig,
    global_bias,
    item_categories,
)
from shortlist.models.training.loop import Trainable
from shortlist.scoring.sparse import row_entries

_WORTH_THREADS = 2**20  # logits per step; with fewer, threads wait for each other

MAX_LOGITS = 2**25  # of a block of users by all items: 128 MiB


@dataclass(frozen=True)
class Cells:
    """Known cells of a users x items matrix."""

    users: Tensor  # rows, int64 (n,)
    items: Tensor  # columns, int64 (n,)
    values: Tensor  # float32 (n,)
    shape: tuple[int, int]  # the numbers of users and of items

    @classmethod
    def of(cls, data: Dataset, device: torch.device | str = "cpu") -> Cells:
        """Return the interactions of a data set, with their weights."""
        return cls(
            torch.tensor(data.user_rows, dtype=torch.int64, device=device),
            torch.tensor(data.item_rows, dtype=torch.int64, device=device),
            torch.tensor(data.weights, device=device),
            (data.n_users, data.n_items),
        )

    def __len__(self) -> int:
        return self.values.numel()

    def take(self, indices: Tensor) -> Cells:
        """Return the selected cells."""
        return Cells(self.users[indices], self.items[indices], self.values[indices], self.shape)

    @cached_property
    def by_user(self) -> Csr:
        """The cells in CSR format, for the kernel."""
        return self._sorted(self.users.numpy(), self.items.numpy(), self.shape[0])

    @cached_property
    def by_item(self) -> Csr:
        """The transposed cells in CSR format."""
        return self._sorted(self.items.numpy(), self.users.numpy(), self.shape[1])

    def _sorted(self, rows: NDArray[np.int64], columns: NDArray[np.int64], count: int) -> Csr:
        order = np.argsort(rows, kind="stable")
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))])
        return Csr(indptr, columns[order].astype(np.int32), self.values.numpy()[order])


def observed_error(users: Tensor, items: Tensor, cells: Cells) -> Tensor:
    """Compute the mean over known cells of ``(x - p_u.q_i)^2``, by plain autograd."""
    predicted = (users[cells.users] * items[cells.items]).sum(1)  # (n,)
    return torch.mean((cells.values - predicted) ** 2)


def fused_error(users: Tensor, items: Tensor, cells: Cells) -> Tensor:
    """Compute :func:`observed_error` and its gradient in one pass, for float32 on the CPU."""
    error: Tensor = _FusedError.apply(users, items, cells)  # type: ignore[no-untyped-call]
    return error


class _FusedError(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, users: Tensor, items: Tensor, cells: Cells) -> Tensor:
        factors = (users.detach().contiguous().numpy(), items.detach().contiguous().numpy())
        error, *gradients = kernels.squared_error(cells.by_user, cells.by_item, *factors)
        ctx.gradients = [torch.from_numpy(gradient) for gradient in gradients]
        return users.new_tensor(error)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, None]:
        if ctx.gradients is None:
            raise RuntimeError("the fused gradient is already used: compute the loss again")
        (to_users, to_items), ctx.gradients = ctx.gradients, None
        scale = float(gradients[0])
        if scale != 1:
            to_users, to_items = to_users * scale, to_items * scale
        return to_users, to_items, None


def squared_error(users: Tensor, items: Tensor, cells: Cells) -> Tensor:
    """Compute the mean squared error over known cells, by the fastest way for these tensors."""
    fused = users.device.type == "cpu" and users.dtype == torch.float32
    return (fused_error if fused else observed_error)(users, items, cells)


def mean_squared_length(factors: Tensor) -> Tensor:
    """Compute ``(1 / n) sum_n |p_n|^2``."""
    return (factors**2).sum() / len(factors)


def gravity(users: Tensor, items: Tensor) -> Tensor:
    """Compute ``(1 / (N M)) sum_ij (p_i.q_j)^2`` over all pairs.

    That is ``sum((P'P) o (Q'Q)) / (N M)``: O((N + M) f^2), without a users x items matrix.
    """
    products = (users.T @ users) * (items.T @ items)  # (f, f)
    return products.sum() / (len(users) * len(items))


def cross_entropy(users: Tensor, items: Tensor, bias: Tensor | None, labels: Tensor) -> Tensor:
    """Compute the mean of ``-log softmax(p_u.Q' + b)[label_u]`` for each user's label, int64 (B,).

    If the logits of all users would take too much memory, they are computed in blocks, and again
    for the gradient.
    """
    rows = max(1, MAX_LOGITS // len(items))
    if len(users) <= rows:
        return _block_entropy(users, items, bias, labels) / len(users)
    total = torch.zeros((), device=users.device)
    blocks = zip(torch.split(users, rows), torch.split(labels, rows), strict=True)
    for block, block_labels in blocks:
        total = total + checkpoint(
            _block_entropy, block, items, bias, block_labels, use_reentrant=False
        )
    return total / len(users)


def _block_entropy(users: Tensor, items: Tensor, bias: Tensor | None, labels: Tensor) -> Tensor:
    logits = functional.linear(users, items, bias)  # (B, n_items)
    return functional.cross_entropy(logits, labels, reduction="sum")


def bag_means(rows: Tensor, indptr: NDArray[np.int64], indices: NDArray[np.int64]) -> Tensor:
    """Compute the mean of each bag, rows ``indices[indptr[b] : indptr[b + 1]]``; zeros if empty."""
    members = torch.from_numpy(indices).to(rows.device)
    starts = torch.from_numpy(indptr).to(rows.device)
    means: Tensor = functional.embedding_bag(
        members, rows, starts, mode="mean", include_last_offset=True
    )
    return means


# --- parameters ---------------------------------------------------------------------------------


class Factors(Trainable):
    """User and item factors whose dot products approximate the cells.

    With biases a product is ``p_u.q_i + (mean + b_u) * 1 + 1 * b_i``: users and items get two more
    columns each, which are treated like factors. No setting may be "auto" any more.
    """

    threads = 1  # the kernel has its own threads; the rest is too small for them

    def __init__(self, config: FactorizationConfig, data: Dataset, held: Dataset | None) -> None:
        super().__init__()
        self.config = config
        rng = np.random.default_rng(config.seed)
        # Padded to whole SIMD vectors; columns of zeros have no gradient and stay zeros.
        extra = 2 if config.biases else 0
        size = int(config.embedding_size)
        width = size + -(size + extra) % LANES
        self.users = self._factors(rng, data.user_counts, size, width)
        self.items = self._factors(rng, data.item_counts, size, width)
        if config.biases:
            self.user_bias = nn.Parameter(torch.zeros(data.n_users, 1))
            self.item_bias = nn.Parameter(torch.zeros(data.n_items, 1))
        self.mean = global_bias(config, data)
        self.regularization = float(config.regularization)
        self.cells = Cells.of(data, config.device)
        self.held: Cells | None = None if held is None else Cells.of(held, config.device)

    def _factors(
        self, rng: np.random.Generator, counts: NDArray[np.int64], size: int, width: int
    ) -> nn.Parameter:
        """Draw initial values; zeros for rows without interactions, and for the padding."""
        values = np.zeros((len(counts), width), dtype=np.float32)
        values[:, :size] = rng.normal(0, self.config.init_std, (len(counts), size))
        values[counts == 0] = 0
        return nn.Parameter(torch.from_numpy(values))

    def start_epoch(self, seed: list[int]) -> int:
        """Return the number of known cells; nothing is drawn."""
        return len(self.cells)

    def losses(self, chosen: Tensor | None) -> dict[str, Tensor]:
        """Return the error on known cells and, if regularised, the weighted penalties."""
        users, items = self.factors()
        cells = self.cells if chosen is None else self.cells.take(chosen)
        observed = squared_error(users, items, cells)
        if self.config.loss == "observed":
            return {"loss": observed}
        lengths = mean_squared_length(self.users) + mean_squared_length(self.items)
        if self.config.biases:
            lengths = lengths + (self.user_bias**2).mean() + (self.item_bias**2).mean()
        regularization = self.regularization * lengths
        weighted_gravity = self.config.gravity * gravity(users, items)
        return {
            "loss": observed + regularization + weighted_gravity,
            "observed": observed,
            "regularization": regularization,
            "gravity": weighted_gravity,
        }

    def validation_loss(self) -> Tensor:
        """Return the error on the fold plus gravity; lengths do not depend on the fold."""
        assert self.held is not None
        users, items = self.factors()
        error = observed_error(users, items, self.held)
        if self.config.loss == "regularized":
            error = error + self.config.gravity * gravity(users, items)
        return error

    def factors(self) -> tuple[Tensor, Tensor]:
        """Return both factors, with columns for the biases."""  # (n_users, F), (n_items, F)
        if not self.config.biases:
            return self.users, self.items
        ones = torch.ones_like(self.user_bias), torch.ones_like(self.item_bias)
        users = torch.cat([self.users, self.user_bias + self.mean, ones[0]], 1)
        items = torch.cat([self.items, ones[1], self.item_bias], 1)
        return users, items


class Bags(Trainable):
    """A user is the mean of the chosen items; the loss is predicting an item left out.

    Each item contributes its own embedding, the mean embedding of its genres, and that of its year.
    Linear layers map the mean of the bag to the user's vector. The logits are the dot products with
    the embeddings of all items. Every epoch draws one item of each user as the label and removes it
    from the bag. No setting may be "auto" any more.
    """

    def __init__(
        self, name: str, config: FactorizationConfig, data: Dataset, held: Dataset | None
    ) -> None:
        super().__init__()
        rng = np.random.default_rng(config.seed)
        size, std = int(config.embedding_size), config.init_std

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
        """Draw the label of each user, as a position among the interactions."""
        starts, stops = self.indptr[self.active], self.indptr[self.active + 1]
        self.labels = np.random.default_rng(seed).integers(starts, stops)
        return len(self.active)

    def losses(self, chosen: Tensor | None) -> dict[str, Tensor]:
        """Return the cross-entropy of the labels."""
        batch = slice(None) if chosen is None else chosen.cpu().numpy()
        users, labels = self.active[batch], self.labels[batch]
        indptr, positions = row_entries(self.indptr, users)
        # The position of the label in each bag is known: remove it there.
        kept = np.ones(len(positions), dtype=bool)
        kept[indptr[:-1] + labels - self.indptr[users]] = False
        indptr = indptr - np.arange(len(indptr))
        vectors = self.user_vectors(indptr, self.chosen_items[positions[kept]])
        return {"loss": self._entropy(vectors, self.chosen_items[labels])}

    def validation_loss(self) -> Tensor:
        """Return the cross-entropy of the fold's items, given all training items of its users."""
        assert self.held is not None
        users, row_of = np.unique(self.held.user_rows.astype(np.int64), return_inverse=True)
        indptr, positions = row_entries(self.indptr, users)
        vectors = self.user_vectors(indptr, self.chosen_items[positions])[torch.from_numpy(row_of)]
        return self._entropy(vectors, self.held.item_rows.astype(np.int64))

    def user_vectors(self, indptr: NDArray[np.int64], members: NDArray[np.int64]) -> Tensor:
        """Compute the vectors of users with these items."""  # (B, f)
        blocks: list[Tensor] = [self.items]
        for key, (matrix, _) in self.categories.items():
            rows = (matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64))
            blocks.append(bag_means(self.tables[key], *rows))  # (n_items, width)
        vectors = bag_means(torch.cat(blocks, 1), indptr, members)
        for layer in self.layers:
            vectors = vectors @ (layer / DAMPING)
        return vectors

    def _entropy(self, vectors: Tensor, labels: NDArray[np.int64]) -> Tensor:
        target = torch.from_numpy(labels).to(vectors.device)
        return cross_entropy(vectors, self.items, self.item_bias, target)
