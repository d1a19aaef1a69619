"""The validation fold of a collaborative filtering network, and how it is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from shortlist.data.dataset import Dataset
from shortlist.models.training.negatives import Negatives

if TYPE_CHECKING:
    from shortlist.models.towers.ncf_config import NCFConfig

DRAWN = 99  # negatives an interaction is ranked among
LENGTH = 10  # of the list
_PAIRS = 2**15  # scored together


class Held:
    """Held-out interactions, each with negatives that are drawn once.

    Parameters
    ----------
    config
        Says what is measured.
    whole
        All the data: nothing in it is a negative.
    held
        Some interactions of it.
    """

    def __init__(self, config: NCFConfig, whole: Dataset, held: Dataset) -> None:
        self.metric = config.validation_metric
        count = DRAWN if self.metric == "ndcg" else config.negatives
        negatives = Negatives(whole, count)
        keys, wanted = (
            one.user_rows.astype(np.int64) * whole.n_items + one.item_rows for one in (whole, held)
        )
        places = np.intersect1d(np.searchsorted(keys, wanted), negatives.examples)
        drawn = negatives.draw([config.seed, 11], places)
        items = np.concatenate([whole.item_rows[places, np.newaxis], drawn], axis=1)
        self.items = torch.from_numpy(items.astype(np.int64)).to(config.device)  # (n, 1 + count)
        users = np.broadcast_to(whole.user_rows[places, np.newaxis], items.shape)
        self.users = torch.from_numpy(users.astype(np.int64)).to(config.device)

    def loss(self, scores_of: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Give ``1 - NDCG@10`` with mid-rank ties, or the mean log loss.

        Parameters
        ----------
        scores_of
            Scores pairs: users (S,), items (S,).
        """
        pairs = zip(
            torch.split(self.users.reshape(-1), _PAIRS),
            torch.split(self.items.reshape(-1), _PAIRS),
            strict=True,
        )
        scores = torch.cat([scores_of(*pair) for pair in pairs]).reshape(self.items.shape)
        true, others = scores[:, :1], scores[:, 1:]
        if self.metric == "loss":
            return (functional.softplus(-true).sum() + functional.softplus(others).sum()) / (
                scores.numel()
            )
        rank = (others > true).sum(1) + (others == true).sum(1) / 2
        gains = torch.where(rank < LENGTH, 1 / torch.log2(rank + 2), torch.zeros_like(rank))
        return 1 - gains.mean()
