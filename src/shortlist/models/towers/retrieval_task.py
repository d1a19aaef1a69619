"""The task of retrieval: to tell, among the items of a batch, which one the user chose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from shortlist.data.dataset import Dataset
from shortlist.kernels.topk import topk_factors
from shortlist.models.towers.losses import Known, in_batch_softmax, log_sum_exp
from shortlist.models.towers.network import Longs
from shortlist.models.towers.task import Pairs, Side, Task
from shortlist.scoring.selection import Eligible
from shortlist.scoring.sparse import row_entries

if TYPE_CHECKING:
    from shortlist.models.towers.retrieval import RetrievalConfig
    from shortlist.models.towers.training import TwoTowers


class RetrievalTask(Task):
    """In-batch softmax, as ``tasks.Retrieval`` of TensorFlow Recommenders.

    Parameters
    ----------
    config
        The settings.
    data
        What is learned from.
    """

    def __init__(self, config: RetrievalConfig, data: Dataset) -> None:
        super().__init__()
        self.config, self.data = config, data
        self.sums = config.reduction == "sum"
        self.users, self.items = data.user_rows.astype(np.int64), data.item_rows.astype(np.int64)
        self.indptr = np.concatenate([[0], np.cumsum(data.user_counts)])
        counts = np.maximum(data.item_counts, 1).astype(np.float32)
        self.log_share = torch.from_numpy(np.log(counts / len(data))).to(config.device)
        self.hardest: Longs | None = None  # (n_users, hard_negatives)

    def start_epoch(self, seed: list[int], towers: TwoTowers) -> None:
        """Find the items that each user scores highest among those they did not choose."""
        if not self.config.hard_negatives:
            return
        towers.eval()
        with torch.no_grad():
            users = towers.user(np.arange(self.data.n_users))
            vectors = self._augmented(users, towers.all_items())
        towers.train()
        queries, items = (one.cpu().numpy() for one in vectors)
        known, n_items = self.data.matrix, self.data.n_items
        never = self.data.item_counts == 0  # an item nobody chose is no negative, but unknown
        found, _ = topk_factors(
            queries,
            np.ascontiguousarray(items.T),
            np.zeros(n_items, dtype=np.float32),
            Eligible.excluding(
                known.indptr.astype(np.int64),
                known.indices.astype(np.int32),
                self.data.popularity_order,
                ~never,
            ),
            min(self.config.hard_negatives, n_items),
        )
        self.hardest = found.astype(np.int64)

    def pairs(self, chosen: Longs) -> Pairs:
        """Take the chosen interactions, and the hard negatives of their users."""
        users, items = self.users[chosen], self.items[chosen]
        if self.hardest is None:
            return Pairs(users, items)
        distinct = np.unique(users)
        hard = self.hardest[distinct].ravel()
        owners = np.repeat(distinct, self.hardest.shape[1])
        there = hard >= 0
        return Pairs(np.concatenate([users, owners[there]]), np.concatenate([items, hard[there]]))

    def losses(self, users: Side, items: Side, chosen: Longs) -> dict[str, Tensor]:
        """Give the cross-entropy of the pairs."""
        count = len(chosen)
        user_vectors, item_vectors = self._augmented(users.vectors, items.vectors)
        own_items, item_place = torch.unique(items.place[:count], return_inverse=True)
        correction = None
        if self.config.popularity_correction:
            log_share = self.log_share[torch.from_numpy(items.rows).to(self.log_share.device)]
            correction = log_share + np.log(count)  # of how often each is expected in a batch
        total = in_batch_softmax(
            user_vectors,
            item_vectors[own_items],
            users.place[:count],
            item_place,
            correction=None if correction is None else correction[own_items],
            accidental_hits=self.config.false_negatives == "keep",
            known=self._known(users.rows, items.rows[own_items.cpu().numpy()]),
            hard=self._hard(user_vectors, item_vectors, users, items, count),
        )
        mean = total / count
        return {"loss": total if self.sums else mean, "cross_entropy": mean}

    def _known(self, users: Longs, items: Longs) -> Known | None:
        """Say what the users of the batch are known to have chosen among its items."""
        if self.config.false_negatives != "known":
            return None
        place = np.full(self.data.n_items, -1)
        place[items] = np.arange(len(items))
        indptr, places = row_entries(self.indptr, users)
        at = place[self.items[places]]
        owners = np.repeat(np.arange(len(users)), np.diff(indptr))[at >= 0]
        device = self.log_share.device
        return Known(torch.from_numpy(owners).to(device), torch.from_numpy(at[at >= 0]).to(device))

    def _hard(
        self, user_vectors: Tensor, item_vectors: Tensor, users: Side, items: Side, count: int
    ) -> Tensor | None:
        """Give the logits of each distinct user's hard negatives."""  # (U, H)
        if self.hardest is None:
            return None
        owners, members = users.place[count:], items.place[count:]
        logits = (user_vectors[owners] * item_vectors[members]).sum(1)
        starts = torch.bincount(owners, minlength=len(user_vectors)).cumsum(0)
        places = torch.arange(len(owners), device=owners.device)
        places = places - (starts - torch.bincount(owners, minlength=len(starts)))[owners]
        out = logits.new_full((len(user_vectors), self.hardest.shape[1]), -torch.inf)
        return out.index_put((owners, places), logits)

    def _augmented(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Give vectors whose products are logits: scores over the temperature."""
        if self.config.biases:  # an item's bias stands for itself, a user's changes no order
            users = torch.cat([users[:, :-1], torch.ones_like(users[:, -1:])], 1)
        return users / self.config.temperature, items

    def validation_loss(self, towers: TwoTowers, held: Dataset) -> Tensor:
        """Give the mean cross-entropy of the fold's items among all of the catalogue."""
        rows, place = np.unique(held.user_rows.astype(np.int64), return_inverse=True)
        users, items = self._augmented(towers.user(rows), towers.all_items())
        shift = torch.zeros_like(self.log_share)
        if not self.config.popularity_correction:
            shift = self.log_share
        owners = torch.from_numpy(place).to(users.device)
        truth = torch.from_numpy(held.item_rows.astype(np.int64)).to(users.device)
        against = log_sum_exp(users, items, shift)[owners]
        own = (users[owners] * items[truth]).sum(1) + shift[truth]
        return (against - own).mean()
