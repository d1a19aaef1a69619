"""The in-batch softmax over distinct users and items, against the whole matrix of the batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array
from torch import Tensor

from shortlist.models.towers import retrieval_task
from shortlist.models.towers.network import Histories, bag_sums
from shortlist.models.towers.retrieval_task import Known, in_batch_softmax, log_sum_exp

Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def batch(seed: int, size: int = 40, n_users: int = 7, n_items: int = 9, depth: int = 5) -> Batch:
    """Vectors, and pairs in which users and items repeat."""
    draw = torch.Generator().manual_seed(seed)
    users = torch.randn(n_users, depth, generator=draw, dtype=torch.float64)
    items = torch.randn(n_items, depth, generator=draw, dtype=torch.float64)
    user_place = torch.randint(n_users, (size,), generator=draw)
    item_place = torch.cat(
        [torch.arange(n_items), torch.randint(n_items, (size - n_items,), generator=draw)]
    )
    return users.requires_grad_(), items.requires_grad_(), user_place, item_place


def pairs_of(one: Batch) -> Known:
    """All pairs of a batch as known ones, and everything for the last user but one."""
    _, _, users, items = one
    chosen = {*zip(users.tolist(), items.tolist(), strict=True), *((5, item) for item in range(9))}
    return Known(*torch.tensor(sorted(chosen)).T.contiguous())


def naive(
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
    """The formula as it stands: a pair is a row, a column is the item of a pair."""
    logits = users[user_place] @ items[item_place].T  # (B, B)
    if correction is not None:
        logits = logits - correction[item_place]
    total = torch.zeros((), dtype=users.dtype)
    chosen = (
        set()
        if known is None
        else set(zip(known.users.tolist(), known.items.tolist(), strict=True))
    )
    for row in range(len(logits)):
        kept = [
            column
            for column in range(len(logits))
            if column == row
            or (
                (accidental_hits or item_place[column] != item_place[row])
                and (int(user_place[row]), int(item_place[column])) not in chosen
            )
        ]
        against = logits[row, kept]
        if hard is not None:
            against = torch.cat([against, hard[user_place[row]]])
        total = total + torch.log(torch.exp(against).sum()) - logits[row, row]
    return total


@pytest.mark.parametrize("accidental_hits", [True, False])
@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize("with_hard", [True, False])
@pytest.mark.parametrize("masked", [True, False])
@given(seed=st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_the_loss_is_that_of_the_whole_matrix(
    accidental_hits: bool, corrected: bool, with_hard: bool, masked: bool, seed: int
) -> None:
    given_batch = batch(seed)
    draw = torch.Generator().manual_seed(seed + 1)
    correction = torch.randn(9, generator=draw, dtype=torch.float64) if corrected else None
    hard = torch.randn(7, 3, generator=draw, dtype=torch.float64) if with_hard else None
    known = pairs_of(given_batch) if masked else None
    options: dict[str, Any] = {"correction": correction, "known": known, "hard": hard}
    options["accidental_hits"] = accidental_hits
    ours, theirs = in_batch_softmax(*given_batch, **options), naive(*given_batch, **options)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-10)
    users, items = given_batch[:2]
    gradients = torch.autograd.grad(ours, [users, items])
    for one, other in zip(gradients, torch.autograd.grad(theirs, [users, items]), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("accidental_hits", [True, False])
def test_the_gradient_is_that_of_finite_differences(accidental_hits: bool) -> None:
    users, items, user_place, item_place = batch(3)
    hard = torch.randn(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4))

    def loss(users: Tensor, items: Tensor, hard: Tensor) -> Tensor:
        return in_batch_softmax(
            users, items, user_place, item_place, accidental_hits=accidental_hits, hard=hard
        )

    assert torch.autograd.gradcheck(loss, (users, items, hard.requires_grad_()))


def test_the_loss_of_one_kind_of_pair_is_zero_or_the_log_of_its_number() -> None:
    """Four times the same pair: it competes with itself three times, or not at all."""
    vector = torch.ones(1, 2, dtype=torch.float64)
    place = torch.zeros(4, dtype=torch.int64)
    assert in_batch_softmax(vector, vector, place, place).item() == pytest.approx(4 * np.log(4))
    removed = in_batch_softmax(vector, vector, place, place, accidental_hits=False)
    assert removed.item() == pytest.approx(0, abs=1e-12)


def test_large_logits_do_not_overflow_in_float32() -> None:
    users, items, user_place, item_place = batch(1)
    users, items = users.detach().float() * 30, items.detach().float() * 30
    exact = in_batch_softmax(
        users.double(), items.double(), user_place, item_place, accidental_hits=False
    )
    ours = in_batch_softmax(users, items, user_place, item_place, accidental_hits=False)
    assert ours.item() == pytest.approx(exact.item(), rel=1e-4)


def test_blocks_of_users_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    users, items, _, _ = batch(5)
    offset = torch.tensor([0.5, -torch.inf, 0, 1, 2, -1, 0, 0, 3], dtype=torch.float64)
    upstream = torch.arange(1.0, 8, dtype=torch.float64)
    expected = torch.logsumexp(users @ items.T + offset, 1)
    whole = torch.autograd.grad(expected @ upstream, [users, items])
    monkeypatch.setattr(retrieval_task, "BLOCK_LOGITS", 20)  # two users at a time
    ours = log_sum_exp(users, items, offset)
    torch.testing.assert_close(ours, expected)
    for one, other in zip(torch.autograd.grad(ours @ upstream, [users, items]), whole, strict=True):
        torch.testing.assert_close(one, other)
    assert torch.autograd.gradcheck(lambda p, q: log_sum_exp(p, q, offset), (users, items))


def test_bags_are_sparse_rows_times_a_table() -> None:
    drawn = random_array((6, 8), density=0.4, format="csr", rng=np.random.default_rng(0))
    bags: csr_array = csr_array(drawn)  # type: ignore[call-overload]
    table = torch.randn(8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    table.requires_grad_()
    expected = torch.from_numpy(bags.toarray()) @ table
    torch.testing.assert_close(bag_sums(bags, table), expected)
    assert torch.autograd.gradcheck(lambda t: bag_sums(bags, t), (table,))


def test_histories_leave_out_what_is_to_be_guessed() -> None:
    histories = Histories(np.array([0, 3, 3, 5]), np.array([0, 2, 3, 1, 2]), 4)
    users = np.array([0, 1, 2], dtype=np.int64)
    half, third = 1 / np.sqrt(2), 1 / np.sqrt(3)
    np.testing.assert_allclose(
        histories.of(users, None).toarray(),
        [[third, 0, third, third], [0, 0, 0, 0], [0, half, half, 0]],
        rtol=1e-6,
    )
    shown = np.array([True, False, True, False, False])
    np.testing.assert_allclose(
        histories.of(users, shown).toarray(),
        [[half, 0, 0, half], [0, 0, 0, 0], [0, 0, 0, 0]],
        rtol=1e-6,
    )
