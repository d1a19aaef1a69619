"""What collaborative filtering networks train: rows of users and items, and the weights on top."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from shortlist.data.dataset import Dataset
from shortlist.kernels import updates
from shortlist.kernels.logistic import BLOCKS, descend_samples
from shortlist.models.towers.ncf_held import Held
from shortlist.models.towers.ncf_network import Network
from shortlist.models.towers.ncf_step import State, Step
from shortlist.models.training.loop import Trainable
from shortlist.models.training.negatives import Negatives
from shortlist.scoring.scores import Floats

if TYPE_CHECKING:
    from shortlist.models.towers.ncf import NCFLearned
    from shortlist.models.towers.ncf_config import NCFConfig

KINDS = {"sgd": updates.SGD, "adagrad": updates.ADAGRAD, "adam": updates.ADAM}
_ONE_BY_ONE = 2**20  # samples that are dealt into blocks together
_STATE = {"sgd": (), "adagrad": ("sum",), "adam": ("exp_avg", "exp_avg_sq")}


def logits(network: Network, users: Tensor, items: Tensor, weights: Tensor) -> Tensor:
    """Give the scores of pairs, by plain autograd.

    Parameters
    ----------
    network
        Its shape.
    users, items
        A row of each pair's user and item.  # (S, C)
    weights
        Everything else.  # (n_weights,)
    """  # (S,)
    parts = dict(network.named(weights))
    size, tower_at = network.size, network.tower_at
    product = users[:, :size] * items[:, :size]
    scores = product @ parts["product_head"] if network.weighted else product.sum(1)
    scores = scores + parts["bias"]
    if network.biases:
        scores = scores + users[:, size] + items[:, size]
    if network.widths:
        rows = users[:, tower_at:] @ parts["of_user"] + items[:, tower_at:] @ parts["of_item"]
        rows = functional.relu(rows + parts["bias_0"])
        for layer in range(1, len(network.widths)):
            rows = functional.relu(rows @ parts[f"layer_{layer}"] + parts[f"bias_{layer}"])
        scores = scores + rows @ parts["tower_head"]
    return scores


class Factors(Trainable):
    """The parameters of a network, and its log loss on interactions and drawn negatives.

    On the processor and in float32 the steps are compiled; elsewhere they are PyTorch's. They are
    the same steps.
    """

    threads = 1  # the kernels have their own

    def __init__(
        self, config: NCFConfig, network: Network, whole: Dataset, data: Dataset,
        held: Dataset | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.config, self.network = config, network
        rng = np.random.default_rng(config.seed)
        self.users = self._rows(rng, data.user_counts)
        self.items = self._rows(rng, data.item_counts)
        self.weights = nn.Parameter(torch.from_numpy(first_weights(network, rng, config.init_std)))
        self.negatives = Negatives(
            data, config.negatives, exponent=config.negative_exponent, rejection=config.rejection
        )
        self.samples = 1 + config.negatives
        self.data = data
        self.seed: list[int] = []
        self.held: Held | None = None if held is None else Held(config, whole, held)
        # A plain product by plain descent, one sample a step: what two samples share is little.
        self.one_by_one = (
            config.batch_size == 1 and config.optimizer == "sgd" and not network.weighted
        )
        self.compiled: Step | None = None
        self.steps = self.taken = 0

    def _rows(self, rng: np.random.Generator, counts: NDArray[np.int64]) -> nn.Parameter:
        """Draw first values; zeros for biases, and where there is nothing to learn from."""
        network = self.network
        values = rng.normal(0, self.config.init_std, (len(counts), network.columns))
        values[:, network.size : network.tower_at] = 0
        values[counts == 0] = 0
        return nn.Parameter(torch.from_numpy(values.astype(np.float32)))

    def examples_a_step(self, batch_size: int | None) -> int | None:
        """Take positives with all their negatives, about as many samples as the settings say."""
        if self.one_by_one and self._compiles():
            batch_size = _ONE_BY_ONE
        return None if batch_size is None else max(1, batch_size // self.samples)

    def start_epoch(self, seed: list[int]) -> int:
        """Take another stream of negatives."""
        self.seed, self.taken = seed, 0
        return len(self.negatives.examples)

    def sampled(self, chosen: Tensor | None) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Give users and items: of each positive itself, and then its negatives."""  # (S,)
        examples = self.negatives.examples
        if chosen is not None:
            examples = examples[chosen.cpu().numpy()]
        items = np.empty((len(examples), self.samples), dtype=np.int32)
        items[:, 0] = self.data.item_rows[examples]
        items[:, 1:] = self.negatives.draw(self.seed, examples)
        return np.repeat(self.data.user_rows[examples], self.samples), items.reshape(-1)

    def losses(self, chosen: Tensor | None) -> dict[str, Tensor]:
        """Give the log loss, with the penalty where there is one."""
        users, items = (
            torch.from_numpy(rows).to(self.users.device, torch.int64)
            for rows in self.sampled(chosen)
        )
        return self.losses_of(users, items)

    def losses_of(self, users: Tensor, items: Tensor) -> dict[str, Tensor]:
        """Give the loss of these samples: a positive, its negatives, the next positive, ..."""
        rows = self.users[users], self.items[items]
        scores = logits(self.network, *rows, self.weights)
        scores = scores.to(rows[0].dtype)  # of half precision, where products are
        labels = torch.zeros_like(scores)
        labels[:: self.samples] = 1
        log_loss = functional.binary_cross_entropy_with_logits(scores, labels)
        if not self.config.regularization:
            return {"loss": log_loss}
        squares = (rows[0] ** 2).sum() + (rows[1] ** 2).sum()
        head = dict(self.network.named(self.weights))["product_head"]
        squares = squares / len(scores) + ((head - 1) ** 2).sum()
        penalty = self.config.regularization / 2 * squares
        return {"loss": log_loss + penalty, "log_loss": log_loss}

    def step(self, chosen: Tensor | None, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """Take a step: compiled where that is possible."""
        if not self._compiles():
            return super().step(chosen, optimizer)
        users, items = self.sampled(chosen)
        if self.one_by_one:
            return self._descend(users, items)
        total = len(self.negatives.examples) * self.samples
        if self.taken == 0:
            self._begin(optimizer, len(users), total)
        assert self.compiled is not None
        self.steps += 1
        self.taken += len(users)
        log_loss, penalty = self.compiled.take(users, items, self.steps)
        if self.taken == total:
            self._finish(optimizer)
        loss = torch.tensor(log_loss + penalty, dtype=torch.float64)
        if not self.config.regularization:
            return {"loss": loss}
        return {"loss": loss, "log_loss": torch.tensor(log_loss, dtype=torch.float64)}

    def _compiles(self) -> bool:
        return self.users.device.type == "cpu" and self.config.precision == "float32"

    def _descend(self, users: NDArray[np.int32], items: NDArray[np.int32]) -> dict[str, Tensor]:
        """Take a step for every one of these samples."""
        config, group = self.config, self.samples
        rng = np.random.default_rng([*self.seed, self.taken])
        self.taken += len(users)
        sides = (self.users.detach().numpy(), self.items.detach().numpy())
        blocks = [(rng.permutation(len(side)) % BLOCKS).astype(np.int32) for side in sides]
        squares = sum(
            float(np.bincount(rows, minlength=len(side)) @ np.einsum("rc,rc->r", side, side))
            for rows, side in zip((users, items), sides, strict=True)
        )
        weights = self.weights.detach().numpy()
        log_loss, weights[0] = descend_samples(
            np.ascontiguousarray(users[::group]), items, group, blocks[0], blocks[1], *sides,
            float(weights[0]), self.network.biases, config.learning_rate, config.regularization,
        )  # fmt: skip
        log_loss /= len(users)
        loss = log_loss + config.regularization / 2 * squares / len(users)
        found = {"loss": loss, "log_loss": log_loss} if config.regularization else {"loss": loss}
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()}

    def _begin(self, optimizer: torch.optim.Optimizer, most: int, total: int) -> None:
        """Share the memory of the parameters, and of what the optimiser remembers of them."""
        kind = self.config.optimizer
        states = []
        for value in (self.users, self.items, self.weights):
            kept = optimizer.state[value]
            for name in _STATE[kind]:
                if name not in kept:
                    kept[name] = torch.zeros_like(value, requires_grad=False)
            arrays = [kept[name].numpy() for name in _STATE[kind]]
            first, second = (None, *arrays) if kind == "adagrad" else (*arrays, None, None)[:2]
            states.append(State(value.detach().numpy(), first, second))
        self.steps = int(optimizer.state[self.weights].get("step", 0))
        if self.compiled is None or self.compiled.most < most:
            sizes = len(self.users), len(self.items), most, self.samples
            penalty, rate = self.config.regularization, self.config.learning_rate
            self.compiled = Step(self.network, *sizes, penalty, KINDS[kind], rate)
        self.compiled.begin(states[:2], states[2], self.steps, -(-total // most))

    def _finish(self, optimizer: torch.optim.Optimizer) -> None:
        """Leave behind what PyTorch would have left."""
        assert self.compiled is not None
        self.compiled.finish(self.steps)
        if self.config.optimizer != "sgd":
            for value in (self.users, self.items, self.weights):
                optimizer.state[value]["step"] = torch.tensor(float(self.steps))

    def validation_loss(self) -> Tensor:
        """Give the loss on the fold."""
        assert self.held is not None
        return self.held.loss(self.scores_of)

    def scores_of(self, users: Tensor, items: Tensor) -> Tensor:
        """Score pairs."""  # (S,)
        rows = self.users[users], self.items[items]
        return logits(self.network, *rows, self.weights).float()

    def start_from(self, product: NCFLearned, tower: NCFLearned) -> None:
        """Take over what a product and a tower have learned by themselves."""
        network, alpha = self.network, getattr(self.config, "alpha", 0.5)
        with torch.no_grad():
            for side in ("users", "items"):
                rows = [getattr(one, side) for one in (product, tower)]
                getattr(self, side).copy_(torch.from_numpy(np.concatenate(rows, axis=1)))
            mine = dict(network.named(self.weights.detach()))
            of_tower = dict(Network(0, network.widths).named(tower.weights))
            of_tower.pop("product_head")
            for name, part in of_tower.items():
                mine[name].copy_(torch.from_numpy(part))
            bias = alpha * product.weights[:1] + (1 - alpha) * tower.weights[:1]
            mine["bias"].copy_(torch.from_numpy(bias))
            mine["product_head"].copy_(torch.from_numpy(alpha * product.weights[1:]))
            mine["tower_head"].mul_(1 - alpha)


def first_weights(network: Network, rng: np.random.Generator, init_std: float) -> Floats:
    """Draw the first weights beside the rows; biases start at 0.

    Layers as Keras starts them, uniform in ``+- sqrt(6 / (n_in + n_out))``, the two halves of the
    first one as one layer; the head of the tower as the rows, at ``init_std``; that of the product
    at ones, the plain dot product.
    """
    weights: Floats = np.zeros(network.n_weights, dtype=np.float32)
    for name, part in network.named(weights):
        if name == "product_head":
            part[...] = 1
        elif name == "tower_head":
            part[...] = rng.normal(0, init_std, part.shape)
        elif part.ndim == 2:
            n_in, n_out = part.shape
            bound = np.sqrt(6 / (n_in * (2 if name.startswith("of_") else 1) + n_out))
            part[...] = rng.uniform(-bound, bound, part.shape)
    return weights
