"""Losses of a ranking head: of ratings, of clicks, of pairs and of lists."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def squared(scores: Tensor, ratings: Tensor) -> Tensor:
    """Give the mean of ``(s - r)^2``."""
    return ((scores - ratings) ** 2).mean()


def logistic(scores: Tensor, clicked: Tensor) -> Tensor:
    """Give the mean of ``log(1 + exp(-s))`` for what was clicked, ``log(1 + exp(s))`` for the rest.

    Parameters
    ----------
    scores
        Of any shape.
    clicked
        1 or 0, of the same shape.
    """
    return functional.binary_cross_entropy_with_logits(scores, clicked)


def pairwise_hinge(scores: Tensor, relevance: Tensor, there: Tensor) -> Tensor:
    """Give the mean of ``max(0, 1 - (s_i - s_j))`` over the pairs of a list with r_i > r_j.

    Parameters
    ----------
    scores, relevance
        Of each entry of each list.  # (B, L)
    there
        Whether there is such an entry.  # (B, L)
    """
    ahead = scores[:, :, None] - scores[:, None, :]  # (B, L, L)
    better = relevance[:, :, None] > relevance[:, None, :]
    better = better & there[:, :, None] & there[:, None, :]
    return (functional.relu(1 - ahead) * better).sum() / better.sum().clamp(min=1)


def list_mle(scores: Tensor, relevance: Tensor, there: Tensor, ties: Tensor) -> Tensor:
    """Give the mean over lists of the surprise at their order (ListMLE; Xia et al., ICML 2008).

    With the entries in the order of their relevance: ``sum_k (log sum_{l >= k} exp(s_l) - s_k)``:
    entry k is drawn, by a softmax, from those that are left.

    Parameters
    ----------
    scores, relevance, there
        As for :func:`pairwise_hinge`.  # (B, L)
    ties
        Of equal relevance, the entry with the larger number comes first.  # (B, L)
    """
    order = torch.argsort(ties, dim=1, descending=True, stable=True)
    level = torch.where(there, relevance, -torch.inf).gather(1, order)
    order = order.gather(1, torch.argsort(level, dim=1, descending=True, stable=True))
    lowest = torch.finfo(scores.dtype).min
    ranked = torch.where(there, scores, lowest).gather(1, order)
    left = torch.logcumsumexp(ranked.flip(1), 1).flip(1)
    return ((left - ranked) * there.gather(1, order)).sum() / len(scores)
