"""Training of GMF, MLP and NeuMF: embedding tables below a head, by log loss on drawn negatives.

On a CPU a batch changes only the rows that it uses. Autograd computes the gradients of these rows
and of the head; a kernel adds up the gradients of each row and takes the optimiser's step in place
(:mod:`shortlist.kernels.embeddings`). A batch is divided into shards that run in parallel. The
shards depend on the size of the batch alone, so the result does not depend on the threads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from shortlist.data.dataset import Dataset
from shortlist.kernels.embeddings import descend
from shortlist.kernels.threads import over_rows
from shortlist.models.config import Arrays
from shortlist.models.towers.config import NCFConfig, NCFShape
from shortlist.models.towers.network import Dense, RandomDraws
from shortlist.models.training.loop import SparseTable, SparseTrainable
from shortlist.models.training.negatives import Negatives

SHARD_SAMPLES = 1024
DESCENDED = 2**16  # samples that a call of the kernel takes: ten milliseconds, for Ctrl-C
VALIDATION_NEGATIVES = 99
VALIDATION_K = 10
_GROUPS = 512  # of the validation fold that are scored together


class NCFHead(nn.Module):
    """Scores items for users: ``b + b_u + b_i + h . (p o q) + t . tower([r; s])``.

    :class:`~shortlist.models.towers.ncf_learned.NCFLearned` computes the same without PyTorch. The
    output weights t start at random, those of the product, h, at 1.
    """

    def __init__(self, shape: NCFShape, draws: RandomDraws, init_std: float) -> None:
        super().__init__()
        self.shape = shape
        self.bias = nn.Parameter(torch.zeros(1))
        self.product_weights: nn.Parameter | None = None
        if shape.weighted and shape.size:
            self.product_weights = nn.Parameter(torch.ones(shape.size))
        self.tower = Dense(draws, [2 * shape.depth, *shape.widths] if shape.widths else [])
        self.tower_weights = draws.normal(shape.widths[-1:], init_std) if shape.widths else None
        self._layers = list(zip(self.tower.weights, self.tower.biases, strict=True))

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Score the items of each group, (G * N, C), which has one user, (G, C)."""  # (G, N)
        shape, group = self.shape, (len(users), -1)
        user, item = (self._columns(rows) for rows in (users, items))
        scores: Tensor = self.bias
        if shape.biases:
            scores = scores + user["bias"] + item["bias"].view(group)
        if shape.size:
            queries = user["product"]
            if self.product_weights is not None:
                queries = queries * self.product_weights
            products = item["product"].view(*group, shape.size) * queries.unsqueeze(1)
            scores = scores + products.sum(2)
        if self.tower_weights is not None:
            # The first layer is a sum of a user's and an item's half: each is computed once.
            (weight, bias), *layers = self._layers
            of_user, of_item = weight.split_with_sizes([shape.depth] * 2)
            user_half = torch.addmm(bias, user["tower"], of_user).unsqueeze(1)
            item_half = (item["tower"] @ of_item).view(*group, shape.widths[0])
            hidden = torch.relu_(item_half + user_half).flatten(0, 1)
            for weight, bias in layers:
                hidden = torch.relu_(torch.addmm(bias, hidden, weight))
            scores = scores + (hidden @ self.tower_weights).view(group)
        return scores

    def _columns(self, rows: Tensor) -> dict[str, Tensor]:
        names, lengths = self.shape.columns, [*self.shape.columns.values()]
        return dict(zip(names, rows.split_with_sizes(lengths, 1), strict=True))


class NCFTrainable(SparseTrainable):
    """Embeddings of users and items, a head, and its loss against drawn negatives.

    ``whole`` is all the data, of which ``data`` is trained on and ``held`` is the validation fold.
    """

    threads = 1  # shards run in threads of their own

    def __init__(
        self, config: NCFConfig, whole: Dataset, data: Dataset, held: Dataset | None
    ) -> None:
        super().__init__()
        self.config, self.data = config, data
        draws, shape = RandomDraws(config.seed), config.shape
        counts = np.concatenate([data.user_counts, data.item_counts])
        # Of users, then of items; biases, and rows without interactions, start at 0.
        self.embeddings = draws.normal((len(counts), sum(shape.columns.values())), config.init_std)
        with torch.no_grad():
            self.embeddings[torch.from_numpy(counts == 0)] = 0
            if shape.biases:
                self.embeddings[:, shape.size] = 0
        self.head = NCFHead(shape, draws, config.init_std)
        self._head_parameters = list(self.head.parameters())
        self.negatives = Negatives(
            data, config.negatives, exponent=config.negative_exponent, rejection=config.rejection
        )
        self.samples = 1 + config.negatives
        self.held: Held | None = None if held is None else Held(config, whole, held)
        self._users, self._items = data.user_rows, data.item_rows[:, np.newaxis]  # of an epoch
        self.metrics = ("loss", "log_loss") if config.regularization else ("loss",)
        is_product = self.head.product_weights is None and not shape.widths
        self._descends = is_product and config.optimizer == "sgd" and self.updates_rows
        if self._descends:
            self.steps_at_once = max(1, DESCENDED // (config.batch_size or DESCENDED))

    def examples_a_step(self, batch_size: int | None) -> int | None:
        """Return how many positives with their negatives make about ``batch_size`` samples."""
        return None if batch_size is None else max(1, batch_size // self.samples)

    def start_epoch(self, seed: list[int]) -> int:
        """Draw the negatives of the epoch."""
        examples = self.negatives.examples
        drawn = self.negatives.draw(seed, examples)
        self._users = self.data.user_rows[examples]
        self._items = np.concatenate([self.data.item_rows[examples, np.newaxis], drawn], axis=1)
        self._table = None
        return len(examples)

    def sampled(self, chosen: Tensor | None) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the user of each example, and its item followed by the drawn negatives."""
        if chosen is None:
            return self._users, self._items
        examples = chosen.cpu().numpy()
        return self._users[examples], self._items.take(examples, axis=0)  # (G,), (G, N)

    def losses(self, chosen: Tensor | None) -> dict[str, Tensor]:
        """Return the log loss, and with the penalty the loss."""
        users, items = (torch.from_numpy(rows).long() for rows in self.sampled(chosen))
        return self.losses_of(*self._embedded(users, items))

    def losses_of(self, users: Tensor, items: Tensor) -> dict[str, Tensor]:
        """Return the losses of groups, from embeddings; each group's first item is positive."""
        scores = self.head(users, items).to(users.dtype)  # from half precision, under autocast
        labels = torch.zeros_like(scores)
        labels[:, 0] = 1
        log_loss = functional.binary_cross_entropy_with_logits(scores, labels)
        if not self.config.regularization:
            return {"loss": log_loss}
        squares = (items**2).sum() + scores.shape[1] * (users**2).sum()
        penalty = squares / scores.numel()
        if self.head.product_weights is not None:
            penalty = penalty + ((self.head.product_weights - 1) ** 2).sum()
        return {"loss": log_loss + self.config.regularization / 2 * penalty, "log_loss": log_loss}

    def step(self, chosen: Tensor | None, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """Take a step on the head, and on a CPU only on the embeddings that the batch uses."""
        if not self.updates_rows:
            return super().step(chosen, optimizer)
        users, items = self.sampled(chosen)
        items = items + np.int32(self.data.n_users)
        table = self.table(self.embeddings, optimizer)
        table.begin_step(np.concatenate([users, items.ravel()]))
        count = -(-items.size // SHARD_SAMPLES)
        bounds = [len(users) * n // count for n in range(count + 1)]
        results: list[tuple[list[float], tuple[Tensor, ...]]] = [([], ())] * count

        def work(start: int, stop: int) -> None:
            torch.set_num_threads(1)  # PyTorch's setting is one of each thread
            for n in range(start, stop):
                part = slice(bounds[n], bounds[n + 1])
                results[n] = self._losses_and_gradients(table, users[part], items[part], len(users))

        over_rows(work, count, 1)
        losses, gradients = zip(*results, strict=True)
        of_users, of_items, *of_head = zip(*gradients, strict=True)
        table.take_step(torch.cat([*of_users, *of_items]).numpy())
        for parameter, of_shards in zip(self._head_parameters, of_head, strict=True):
            parameter.grad = sum(of_shards[1:], of_shards[0])
        optimizer.step()  # of the head: the embeddings have no gradients here
        return dict(zip(self.metrics, torch.tensor(losses).sum(0), strict=True))

    def take_steps(
        self, batches: Sequence[Tensor | None], optimizer: torch.optim.Optimizer
    ) -> list[dict[str, Tensor]]:
        """Take the steps; those of plain gradient descent on dot products in one kernel."""
        if not self._descends:
            return super().take_steps(batches, optimizer)
        config, several = self.config, [chosen for chosen in batches if chosen is not None]
        users, items = self.sampled(torch.cat(several) if several else None)
        size = len(several[0]) if several else len(users)
        of_users, of_items = np.split(self.embeddings.detach().numpy(), [self.data.n_users])
        means = descend(
            of_users, of_items, self.head.bias.detach().numpy(), users, items, size,
            config.shape.biases, config.learning_rate, config.regularization,
        )  # fmt: skip
        log_losses, squares = means.T
        losses = log_losses + config.regularization / 2 * squares
        of_steps = torch.tensor(np.stack([losses, log_losses], axis=1), dtype=torch.float32)
        return [dict(zip(self.metrics, step, strict=False)) for step in of_steps]

    def _losses_and_gradients(
        self, table: SparseTable, users: NDArray[np.int32], items: NDArray[np.int32], total: int
    ) -> tuple[list[float], tuple[Tensor, ...]]:
        """Return what a shard adds to the losses, and to the gradients of its rows and the head."""
        rows = table.gather(users), table.gather(items.ravel())
        losses, share = self.losses_of(*rows), len(users) / total
        inputs = [*rows, *self._head_parameters]
        gradients = torch.autograd.grad(losses["loss"] * share, inputs)
        return [value.item() * share for value in losses.values()], gradients

    def scores(self, users: Tensor, items: Tensor) -> Tensor:
        """Score the items (G, N) of each user (G,), int64."""  # (G, N)
        scores: Tensor = self.head(*self._embedded(users, items))
        return scores.float()

    def _embedded(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        device = self.embeddings.device
        items = items.flatten() + self.data.n_users
        return (
            functional.embedding(users.to(device), self.embeddings),
            functional.embedding(items.to(device), self.embeddings),
        )

    def validation_loss(self) -> Tensor:
        """Return the loss on the fold."""
        assert self.held is not None
        return self.held.loss(self)

    def start_from(self, parameters: Arrays) -> None:
        """Replace the initial values."""
        self.load_state_dict({name: torch.from_numpy(part) for name, part in parameters.items()})


class Held:
    """The validation fold: held-out interactions, each with negatives that are drawn once.

    No interaction of ``whole``, all the data, is a negative.
    """

    def __init__(self, config: NCFConfig, whole: Dataset, held: Dataset) -> None:
        self.metric = config.validation_metric
        count = VALIDATION_NEGATIVES if self.metric == "ndcg" else config.negatives
        negatives = Negatives(whole, count)
        pairs, held_pairs = (
            each.user_rows.astype(np.int64) * whole.n_items + each.item_rows
            for each in (whole, held)
        )
        positions = np.intersect1d(np.searchsorted(pairs, held_pairs), negatives.examples)
        drawn = negatives.draw([config.seed, 11], positions)
        items = np.concatenate([whole.item_rows[positions, np.newaxis], drawn], axis=1)
        self.users = torch.from_numpy(whole.user_rows[positions]).long()  # (n,)
        self.items = torch.from_numpy(items).long()  # (n, 1 + count)

    def loss(self, trainable: NCFTrainable) -> Tensor:
        """Return ``1 - NDCG@10`` with mid-rank ties, or the mean log loss."""
        parts = zip(torch.split(self.users, _GROUPS), torch.split(self.items, _GROUPS), strict=True)
        scores = torch.cat([trainable.scores(*part) for part in parts])
        true, others = scores[:, :1], scores[:, 1:]
        if self.metric == "loss":
            total = functional.softplus(-true).sum() + functional.softplus(others).sum()
            return total / scores.numel()
        rank = (others > true).sum(1) + (others == true).sum(1) / 2
        gains = torch.where(rank < VALIDATION_K, 1 / torch.log2(rank + 2), torch.zeros_like(rank))
        return 1 - gains.mean()
