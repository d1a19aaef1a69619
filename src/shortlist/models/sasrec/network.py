"""Training of SASRec in PyTorch: the network over packed histories, and its softmax.

Linear layers work on the items of a step alone, without padding; only attention pads histories, to
the longest of those about as long. The softmax over the catalogue is computed with its gradients
for a part of the positions at a time, so its memory is bounded.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from shortlist.data.dataset import Dataset
from shortlist.models.sasrec.learned import EPSILON
from shortlist.models.towers.network import RandomDraws
from shortlist.models.training.loop import SparseTrainable

_LOGITS = 1 << 24  # computed at a time: 64 MiB
_SCORES = 1 << 26  # of validation at a time, 256 MiB, and no more than those of
_RANKED = 256  # users
_SPARSE = 1 << 16  # items from which a step updates only those that it uses
_WORTH_THREADS = 1 << 22  # logits of a step; with fewer, threads wait for each other
_VALIDATION_K = 10


class Group(NamedTuple):
    """Histories of about the same length, and where their items are when padded."""

    items: slice  # of all packed items
    positions: Tensor  # (n_items,), in the padded histories, flat
    n_histories: int
    longest: int


class Packed(NamedTuple):
    """The items of several histories, one after the other."""

    items: Tensor  # (N,)
    ages: Tensor  # (N,), 0 for the last item
    groups: list[Group]


class SASRecTrainable(SparseTrainable):
    """Embeddings, blocks of attention, and the loss of the next item.

    ``negatives`` items are drawn for each step; None: all compete. ``held``: of validation.
    """

    def __init__(
        self, config: Any, negatives: int | None, data: Dataset, held: Dataset | None
    ) -> None:
        super().__init__()
        self.config, self.negatives, self.held = config, negatives, held
        depth, blocks = config.embedding_size, config.blocks
        order = np.lexsort((-data.recency.data, data.user_rows))
        self._items = data.item_rows[order].astype(np.int64)  # from the first to the last of a user
        self._ends = np.cumsum(data.user_counts)
        self._users = np.flatnonzero(data.user_counts > 1)
        self._counts = np.minimum(data.user_counts, config.max_length + 1)
        draws = RandomDraws(config.seed)
        self.items = draws.normal((data.n_items, depth), config.init_std)
        self.positions = draws.normal((config.max_length, depth), config.init_std)
        norms = torch.zeros(2 * blocks + 1, 2, depth)
        norms[:, 0] = 1
        self.norms = nn.Parameter(norms)
        self.inputs = _layers(draws, blocks, depth, 3 * depth)
        self.outputs = _layers(draws, blocks, depth, depth)
        self.hidden = _layers(draws, blocks, depth, depth)
        self.back = _layers(draws, blocks, depth, depth)
        steps = min(config.batch_size or len(self._users), len(self._users))
        logits = steps * (negatives or data.n_items)
        self.threads = 1 if logits < _WORTH_THREADS else None
        self._random = torch.Generator()
        is_large = negatives is not None and data.n_items >= _SPARSE
        self._sparse = self.updates_rows and is_large and len(self._users) > 0

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.items.device

    def start_epoch(self, seed: list[int]) -> int:
        """Seed dropout and negatives; return the number of users with a next item."""
        number = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> np.uint64(1))
        self._random = torch.Generator(self.device).manual_seed(number)
        self._table = None
        return max(1, len(self._users))

    def losses(self, chosen: Tensor | None) -> dict[str, Tensor]:
        """Return the mean cross-entropy over the positions of the chosen users."""
        if not len(self._users):  # nothing to learn from
            return {"loss": 0 * self.items.sum()}
        packed, targets = self._examples(chosen)
        states = self.states(packed, functional.embedding(packed.items, self.items))
        if self.negatives is None:
            with torch.autocast(self.device.type, enabled=False):
                loss: Tensor = FullSoftmax.apply(states.float(), self.items, targets)  # type: ignore[no-untyped-call]
            return {"loss": loss}
        drawn = self._drawn(self.negatives)
        of_drawn = functional.embedding(drawn, self.items)
        right = functional.embedding(targets, self.items)
        return {"loss": self._sampled(states, targets, right, drawn, of_drawn)}

    def step(self, chosen: Tensor | None, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """Take a step; of a large catalogue only on the items that the batch uses, on a CPU."""
        if not self._sparse:
            return super().step(chosen, optimizer)
        table = self.table(self.items, optimizer)
        (packed, targets), drawn = self._examples(chosen), self._drawn(self.negatives or 1)
        used = torch.cat([packed.items, targets, drawn]).numpy().astype(np.int32)
        table.begin_step(used)
        rows = table.gather(used)
        lengths = [len(targets), len(targets), len(drawn)]
        embedded, right, of_drawn = rows.split(lengths)  # type: ignore[no-untyped-call]
        optimizer.zero_grad()
        loss = self._sampled(self.states(packed, embedded), targets, right, drawn, of_drawn)
        loss.backward()  # type: ignore[no-untyped-call]
        assert rows.grad is not None
        table.take_step(rows.grad.numpy())
        optimizer.step()  # of the layers: the items have no gradients here
        return {"loss": loss}

    def _examples(self, chosen: Tensor | None) -> tuple[Packed, Tensor]:
        """Return the items of the chosen users that have a next one, and the next ones."""
        users = self._users if chosen is None else self._users[chosen.cpu().numpy()]
        users = users[np.argsort(self._counts[users], kind="stable")]  # for groups of one length
        lengths = self._counts[users] - 1
        starts = self._ends[users] - lengths - 1
        return self._packed(starts, lengths), self._items_of(starts + 1, lengths)

    def _drawn(self, count: int) -> Tensor:
        """Draw the negatives of a step."""
        return torch.randint(len(self.items), (count,), generator=self._random, device=self.device)

    def _sampled(
        self, states: Tensor, targets: Tensor, right: Tensor, drawn: Tensor, of_drawn: Tensor
    ) -> Tensor:
        """Return the cross-entropy against drawn items, which stand for the whole catalogue.

        ``right`` and ``of_drawn`` are the vectors of the targets and of the drawn items.
        """
        products = (states * right).sum(1)
        others = states @ of_drawn.T + np.log(len(self.items) / len(drawn))
        others = others.masked_fill(drawn == targets[:, None], -torch.inf)
        logits = torch.cat([products[:, None], others], 1).float()
        loss: Tensor = (logits.logsumexp(1) - logits[:, 0]).mean()
        return loss

    def states(self, packed: Packed, embedded: Tensor) -> Tensor:
        """Return the state after each item, from the vectors of the items."""  # (N, d)
        embedded = embedded * self.config.embedding_size**0.5
        states = self._drop(embedded + functional.embedding(packed.ages, self.positions))
        for n in range(self.config.blocks):
            seen = _linear(self._norm(states, 2 * n), self.inputs[n])
            mixed = torch.cat(
                [self._attention(seen[group.items], group) for group in packed.groups]
            )
            states = states + self._drop(_linear(mixed, self.outputs[n]))
            inner = torch.relu(_linear(self._norm(states, 2 * n + 1), self.hidden[n]))
            states = states + self._drop(_linear(self._drop(inner), self.back[n]))
        return self._norm(states, -1)

    def _attention(self, seen: Tensor, group: Group) -> Tensor:
        """Mix the values that each item and those before it have in its history."""  # (n_items, d)
        heads, shape = self.config.heads, (group.n_histories, group.longest)
        padded = seen.new_zeros(shape[0] * shape[1], seen.shape[1])
        padded = padded.index_copy(0, group.positions, seen)
        query, key, value = padded.view(*shape, 3, heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return mixed.transpose(1, 2).reshape(len(padded), -1)[group.positions]

    def validation_loss(self) -> Tensor:
        """Return ``1 - NDCG@10`` of the held-out items, among all but the user's own."""
        held = self.held
        assert isinstance(held, Dataset)
        gains = []
        order = np.argsort(self._counts[held.user_rows], kind="stable")
        size = max(1, min(_RANKED, _SCORES // len(self.items)))
        for some in np.split(order, range(size, len(held), size)):
            users, targets = held.user_rows[some], held.item_rows[some].astype(np.int64)
            lengths = np.minimum(self._counts[users], self.config.max_length)
            packed = self._packed(self._ends[users] - lengths, lengths)
            last = torch.from_numpy(np.cumsum(lengths) - 1).to(self.device)
            states = self.states(packed, functional.embedding(packed.items, self.items))
            scores = (states[last] @ self.items.T).float()
            rows = np.repeat(np.arange(len(users)), lengths)
            known = torch.from_numpy(rows).to(self.device), packed.items
            right = scores.gather(1, torch.from_numpy(targets).to(self.device)[:, None])
            scores[known] = -torch.inf
            rank = (scores > right).sum(1) + ((scores == right).sum(1) - 1).clamp(min=0) / 2
            gains.append(torch.where(rank < _VALIDATION_K, 1 / torch.log2(rank + 2.0), 0.0))
        return 1 - torch.cat(gains).mean()

    def _packed(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Packed:
        """Pack the histories that begin at ``starts``; neighbours of similar length are a group."""
        within = _within(lengths)
        ends = np.cumsum(lengths)
        kinds = np.ceil(np.log2(lengths))
        bounds = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(lengths)]
        groups = []
        for first, stop in pairwise(bounds):
            items = slice(int(ends[first] - lengths[first]), int(ends[stop - 1]))
            longest = int(lengths[first:stop].max())
            rows = np.repeat(np.arange(stop - first), lengths[first:stop])
            positions = torch.from_numpy(rows * longest + within[items]).to(self.device)
            groups.append(Group(items, positions, stop - first, longest))
        ages = torch.from_numpy(np.repeat(lengths, lengths) - 1 - within).to(self.device)
        return Packed(self._items_of(starts, lengths), ages, groups)

    def _items_of(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Tensor:
        """Return the items of spans of the sorted interactions."""
        items = self._items[np.repeat(starts, lengths) + _within(lengths)]
        return torch.from_numpy(items).to(self.device)

    def _norm(self, states: Tensor, n: int) -> Tensor:
        gain, bias = self.norms[n]
        return functional.layer_norm(states, [len(gain)], gain, bias, EPSILON)

    def _drop(self, states: Tensor) -> Tensor:
        """Leave out a share of the numbers, and scale the others up."""
        share = self.config.dropout
        if not (self.training and share):
            return states
        drawn = torch.rand(states.shape, generator=self._random, device=states.device)
        kept: Tensor = states * (drawn >= share) / (1 - share)
        return kept


class FullSoftmax(torch.autograd.Function):
    """The mean cross-entropy of a softmax over all items, computed together with its gradients."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, items: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of states (N, d), items (n_items, d) and targets (N,)."""
        of_states, of_items = torch.empty_like(states), torch.zeros_like(items)
        total = torch.zeros((), dtype=torch.float64, device=states.device)
        size = max(1, _LOGITS // len(items))
        for start in range(0, len(states), size):
            rows = slice(start, start + size)
            part, right = states[rows], targets[rows][:, None]
            logits = part @ items.T
            largest = logits.amax(1, keepdim=True)
            total -= (logits.gather(1, right) - largest).sum(dtype=torch.float64)
            shares = logits.sub_(largest).exp_()
            sums = shares.sum(1, keepdim=True)
            total += sums.log().sum(dtype=torch.float64)
            shares /= sums * len(states)
            shares.scatter_add_(1, right, torch.full_like(sums, -1 / len(states)))
            of_states[rows] = shares @ items
            of_items.addmm_(shares.T, part)
        ctx.save_for_backward(of_states, of_items)
        return (total / len(states)).to(states.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, None]:
        """Scale the gradients."""
        of_states, of_items = ctx.saved_tensors
        return of_states * gradients[0], of_items * gradients[0], None


def _layers(draws: RandomDraws, blocks: int, n_in: int, n_out: int) -> nn.Parameter:
    """Draw the weights of a layer of each block, with a last row of zeros, the biases."""
    bound = np.sqrt(6 / (n_in + n_in))  # Glorot and Bengio, AISTATS 2010; of each square part
    values = draws.rng.uniform(-bound, bound, (blocks, n_in + 1, n_out)).astype(np.float32)
    values[:, -1] = 0
    return nn.Parameter(torch.from_numpy(values))


def _linear(states: Tensor, weight: Tensor) -> Tensor:
    return torch.addmm(weight[-1], states, weight[:-1])


def _within(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count from 0 within each span."""  # (sum of the lengths,)
    ends = np.cumsum(lengths)
    counted: NDArray[np.int64] = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
    return counted
