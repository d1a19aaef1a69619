"""The task of retrieval: a softmax over the items of a batch, for the item that the user chose.

The softmax is computed over distinct users and items: the same loss with less work.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from shortlist.data.dataset import Dataset
from shortlist.models.towers.config import RetrievalConfig
from shortlist.models.towers.network import Longs, Pairs, TowerOutput
from shortlist.models.towers.two_towers import Task, TwoTowers
from shortlist.scoring.scores import FactorScores, ItemFactors
from shortlist.scoring.selection import Eligible, top_k
from shortlist.scoring.sparse import csr_arrays

_NO_LOGIT = -1e30  # finite, and adds nothing to any sum
BLOCK_LOGITS = 2**19  # 2 MiB of float32: a block of them stays in the cache


class RetrievalTask(Task):
    """In-batch softmax, as ``tasks.Retrieval`` of TensorFlow Recommenders."""

    def __init__(self, config: RetrievalConfig, data: Dataset) -> None:
        super().__init__(config, data)
        self.config, self.sums = config, config.reduction == "sum"
        counts = np.maximum(data.item_counts, 1).astype(np.float32)
        self.log_share = torch.from_numpy(np.log(counts / len(data))).to(self.device)
        self.hardest: Longs | None = None  # (n_users, hard_negatives)

    def start_epoch(self, seed: list[int], towers: TwoTowers) -> None:
        """Find the items with the highest scores among those that each user did not choose."""
        if not self.config.hard_negatives:
            return
        towers.eval()
        with torch.no_grad():
            users = towers.user(np.arange(self.data.n_users))
            vectors = self._augmented(users, towers.all_items())
        towers.train()
        queries, items = (each.cpu().numpy() for each in vectors)
        indptr, indices, _ = csr_arrays(self.data.matrix)
        chosen = self.data.item_counts > 0  # an item without interactions is no negative
        eligible = Eligible.excluding(indptr, indices, self.data.popularity_order, chosen)
        count = min(self.config.hard_negatives, self.data.n_items)
        best = top_k(FactorScores(queries, ItemFactors.from_rows(items)), eligible, count)
        self.hardest = best.rows.astype(np.int64)

    def pairs(self, chosen: Longs) -> Pairs:
        """Return the chosen interactions, and the hard negatives of their users."""
        users, items = super().pairs(chosen)
        if self.hardest is None:
            return Pairs(users, items)
        distinct = np.unique(users)
        hard = self.hardest[distinct].ravel()
        owners = np.repeat(distinct, self.hardest.shape[1])
        exists = hard >= 0
        return Pairs(np.concatenate([users, owners[exists]]), np.concatenate([items, hard[exists]]))

    def losses(self, users: TowerOutput, items: TowerOutput, chosen: Longs) -> dict[str, Tensor]:
        """Return the cross-entropy of the pairs."""
        count = len(chosen)
        user_vectors, item_vectors = self._augmented(users.vectors, items.vectors)
        own_items, item_positions = torch.unique(items.positions[:count], return_inverse=True)
        own_rows, correction = items.rows[own_items.cpu().numpy()], None
        if self.config.popularity_correction:  # the log of the expected number in a batch
            log_share = self.log_share[torch.from_numpy(own_rows).to(self.device)]
            correction = log_share + np.log(count)
        total = in_batch_softmax(
            user_vectors,
            item_vectors[own_items],
            users.positions[:count],
            item_positions,
            correction=correction,
            accidental_hits=self.config.false_negatives == "keep",
            known=self._known(users.rows, own_rows),
            hard=self._hard(user_vectors, item_vectors, users, items, count),
        )
        mean = total / count
        return {"loss": total if self.sums else mean, "cross_entropy": mean}

    def _known(self, users: Longs, items: Longs) -> Known | None:
        """Return which items of the batch its users are known to have chosen."""
        if self.config.false_negatives != "known":
            return None
        positions = np.full(self.data.n_items, -1)
        positions[items] = np.arange(len(items))
        known = self.data.matrix[users]
        members = positions[known.indices]
        in_batch = members >= 0
        owners = np.repeat(np.arange(len(users)), np.diff(known.indptr))[in_batch]
        pairs = (torch.from_numpy(rows).to(self.device) for rows in (owners, members[in_batch]))
        return Known(*pairs)

    def _hard(
        self,
        user_vectors: Tensor,
        item_vectors: Tensor,
        users: TowerOutput,
        items: TowerOutput,
        count: int,
    ) -> Tensor | None:
        """Return the logits of each distinct user's hard negatives."""  # (U, H)
        if self.hardest is None:
            return None
        owners, members = users.positions[count:], items.positions[count:]
        logits = (user_vectors[owners] * item_vectors[members]).sum(1)
        counts = torch.bincount(owners, minlength=len(user_vectors))
        starts = counts.cumsum(0) - counts
        ranks = torch.arange(len(owners), device=owners.device) - starts[owners]
        out = logits.new_full((len(user_vectors), self.hardest.shape[1]), -torch.inf)
        return out.index_put((owners, ranks), logits)

    def _augmented(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors whose dot products are logits: scores divided by the temperature."""
        if self.config.biases:  # of the item; a user's bias does not change the order
            users = torch.cat([users[:, :-1], torch.ones_like(users[:, -1:])], 1)
        return users / self.config.temperature, items

    def validation_loss(self, towers: TwoTowers, held: Dataset) -> Tensor:
        """Return the mean cross-entropy of the fold's items among the whole catalogue."""
        rows, positions = np.unique(held.user_rows.astype(np.int64), return_inverse=True)
        users, items = self._augmented(towers.user(rows), towers.all_items())
        shift = torch.zeros_like(self.log_share)
        if not self.config.popularity_correction:
            shift = self.log_share
        owners = torch.from_numpy(positions).to(users.device)
        truth = torch.from_numpy(held.item_rows.astype(np.int64)).to(users.device)
        against = log_sum_exp(users, items, shift)[owners]
        own = (users[owners] * items[truth]).sum(1) + shift[truth]
        return (against - own).mean()


class Known(NamedTuple):
    """The items of the batch that each distinct user is known to have chosen."""

    users: Tensor  # (n,), ascending
    items: Tensor  # (n,)


def in_batch_softmax(
    users: Tensor,
    items: Tensor,
    user_positions: Tensor,
    item_positions: Tensor,
    *,
    correction: Tensor | None = None,
    accidental_hits: bool = True,
    known: Known | None = None,
    hard: Tensor | None = None,
) -> Tensor:
    """Return ``sum over the pairs r of -log softmax(z_r)_r`` over all items of the batch.

    With the pairs (u_r, i_r), ``z_rs = p(u_r) . q(i_s) - c(i_s)`` is the logit of pair r for the
    item of pair s. This is ``tasks.Retrieval`` of TensorFlow Recommenders (logits ``Q C'``, labels
    the diagonal, cross-entropy with sum reduction) up to rounding. Users and items repeat in a
    batch, so the sum over s is a sum over distinct items j with their numbers n_j,
    ``log sum_j n_j exp(z_uj)``, once for each distinct user: U x J logits instead of B x B.

    Parameters
    ----------
    users, items, user_positions, item_positions
        The vectors of the distinct users (U, f) and items (J, f) of the batch, and the positions of
        each pair's user and item among them, int64.  # (B,)
    correction
        The log of the expected number of each item in a batch, subtracted from its logits, so that
        popular items are not penalised for being drawn often (Yi et al., RecSys 2019).  # (J,)
    accidental_hits
        Whether pairs of other users with the same item count as negatives; else it competes once.
    known
        Items that are no negatives of a user; the label among them competes once.
    hard
        The logits of each distinct user's hard negatives.  # (U, H)
    """
    counts = torch.bincount(item_positions, minlength=len(items)).to(items.dtype)
    shift = torch.zeros_like(counts) if correction is None else -correction
    against_all = log_sum_exp(users, items, shift + counts.log(), known)  # (U,)
    if hard is not None:
        # A row of -inf, of a user who knows all of them, would have NaN as its gradient.
        against_all = torch.logaddexp(against_all, torch.logsumexp(hard.clamp(min=_NO_LOGIT), 1))
    own = (users.index_select(0, user_positions) * items.index_select(0, item_positions)).sum(1)
    own = own + shift[item_positions]  # (B,)
    against = against_all.index_select(0, user_positions)
    if known is not None:
        against = torch.logaddexp(against, own)
    elif not accidental_hits:
        others = (counts - 1)[item_positions] * torch.exp(own - against)
        against = against + torch.log1p(-others.clamp(max=1 - torch.finfo(own.dtype).eps))
    return (against - own).sum()


def log_sum_exp(users: Tensor, items: Tensor, offset: Tensor, known: Known | None = None) -> Tensor:
    """Return ``log sum_j exp(p_u . q_j + o_j)`` of each user, without the known pairs.

    The logits are computed in blocks of users, and again for the gradient.
    """  # (U,)
    sums: Tensor = _LogSumExp.apply(users, items, offset, known)  # type: ignore[no-untyped-call]
    return sums


class _LogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, users: Tensor, items: Tensor, offset: Tensor, known: Known | None
    ) -> Tensor:
        ctx.blocks = _blocks(len(users), len(items), known)
        sums = [
            torch.logsumexp(_logits(users, items, offset, block), 1).to(users.dtype)
            for block in ctx.blocks
        ]
        ctx.save_for_backward(users, items, offset, torch.cat(sums))
        return torch.cat(sums)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, None, None]:
        users, items, offset, sums = ctx.saved_tensors
        sums = sums.masked_fill(sums == -torch.inf, 0)  # an empty sum: every share is 0
        to_users, to_items = torch.empty_like(users), torch.zeros_like(items)
        for block in ctx.blocks:
            rows, _ = block
            shares = _logits(users, items, offset, block).to(offset.dtype)
            shares.sub_(sums[rows, None]).exp_().mul_(gradients[0][rows, None])
            to_users[rows] = shares @ items
            to_items += shares.T @ users[rows]
        return to_users, to_items, None, None


_Block: TypeAlias = tuple[slice, Known | None]


def _blocks(n_users: int, n_items: int, known: Known | None) -> list[_Block]:
    """Divide the users into blocks, each with its known pairs."""
    size = max(1, BLOCK_LOGITS // max(n_items, 1))
    starts = list(range(0, n_users, size))
    if known is None:
        return [(slice(start, start + size), None) for start in starts]
    cuts = torch.searchsorted(known.users, known.users.new_tensor([*starts, n_users])).tolist()
    return [
        (slice(start, start + size), Known(known.users[a:b] - start, known.items[a:b]))
        for start, a, b in zip(starts, cuts[:-1], cuts[1:], strict=True)
    ]


def _logits(users: Tensor, items: Tensor, offset: Tensor, block: _Block) -> Tensor:
    rows, known = block
    logits = torch.addmm(offset, users[rows], items.T)
    if known is not None:
        logits[known.users, known.items] = -torch.inf
    return logits
