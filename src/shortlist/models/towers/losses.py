"""The softmax over a batch, computed over distinct users and items: the same loss in less work."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

_NOTHING = -1e30  # a logit that adds nothing to any sum, and is finite
BLOCK_LOGITS = 2**19  # 2 MiB of float32: a block of them stays in the cache


class Known(NamedTuple):
    """What each distinct user is known to have chosen among the items of the batch."""

    users: Tensor  # (n,), ascending
    items: Tensor  # (n,)


def in_batch_softmax(
    users: Tensor,
    items: Tensor,
    user_place: Tensor,
    item_place: Tensor,
    *,
    correction: Tensor | None = None,
    accidental_hits: bool = True,
    known: Known | None = None,
    hard: Tensor | None = None,
) -> Tensor:
    """Give ``sum over the pairs r of -log softmax(z_r)_r``, where all items of the batch compete.

    With the pairs (u_r, i_r), ``z_rs = p(u_r) . q(i_s) - c(i_s)`` is the logit of pair r for the
    item of pair s. This is ``tasks.Retrieval`` of TensorFlow Recommenders (logits ``Q C'``, labels
    the diagonal, cross-entropy with sum reduction), to the last bit but for rounding. Users and
    items repeat in a batch, so the sum over s is one over distinct items j with their numbers n_j:
    ``log sum_j n_j exp(z_uj)``, once for each distinct user: U x J logits for B x B.

    Parameters
    ----------
    users, items
        The vectors of the U distinct users and J distinct items of the batch.  # (U, f), (J, f)
    user_place, item_place
        The user and the item of each pair, int64.  # (B,)
    correction
        The log of how often each item is expected in a batch, taken from its logits, so that
        popular items are not pushed down for being drawn often (Yi et al., RecSys 2019).  # (J,)
    accidental_hits
        Whether the pairs of other users with the item of pair r count as its negatives, as they
        do by themselves. False removes them: the item then competes once, as the positive.
    known
        Items that never count as negatives of a user, the label included, which then competes
        once; None: all count.
    hard
        More logits of each distinct user: those of hard negatives.  # (U, H)
    """
    counts = torch.bincount(item_place, minlength=len(items)).to(items.dtype)
    shift = torch.zeros_like(counts) if correction is None else -correction
    everyone = log_sum_exp(users, items, shift + counts.log(), known)  # (U,)
    if hard is not None:
        # Of -inf alone, where a user knows all of them, the gradient would not be a number.
        everyone = torch.logaddexp(everyone, torch.logsumexp(hard.clamp(min=_NOTHING), 1))
    own = (users.index_select(0, user_place) * items.index_select(0, item_place)).sum(1)
    own = own + shift[item_place]  # (B,)
    against = everyone.index_select(0, user_place)
    if known is not None:
        against = torch.logaddexp(against, own)
    elif not accidental_hits:
        others = (counts - 1)[item_place] * torch.exp(own - against)
        against = against + torch.log1p(-others.clamp(max=1 - torch.finfo(own.dtype).eps))
    return (against - own).sum()


def log_sum_exp(users: Tensor, items: Tensor, offset: Tensor, known: Known | None = None) -> Tensor:
    """Give ``log sum_j exp(p_u . q_j + o_j)`` of each user, a block of users at a time.

    The logits are computed again for the gradient, and never kept.

    Parameters
    ----------
    users, items
        The vectors.  # (U, f), (J, f)
    offset
        What is added to the logits of each item; it gets no gradient.  # (J,)
    known
        Pairs that are left out of the sums.
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
        sums = sums.masked_fill(sums == -torch.inf, 0)  # of nothing: every share is 0
        to_users, to_items = torch.empty_like(users), torch.zeros_like(items)
        for block in ctx.blocks:
            rows, _ = block
            shares = _logits(users, items, offset, block)
            shares.sub_(sums[rows, None]).exp_().mul_(gradients[0][rows, None])
            torch.mm(shares, items, out=to_users[rows])
            to_items.addmm_(shares.T, users[rows])
        return to_users, to_items, None, None


_Block: TypeAlias = tuple[slice, Known | None]


def _blocks(n_users: int, n_items: int, known: Known | None) -> list[_Block]:
    """Cut users into blocks, each with its known pairs."""
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
