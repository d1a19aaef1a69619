"""The losses of matrix factorisation, in PyTorch over whole tensors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from shortlist.data.dataset import Dataset
from shortlist.kernels import factorization as kernels
from shortlist.kernels.types import Csr

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
