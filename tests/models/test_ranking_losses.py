from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from torch import Tensor

from shortlist.models.towers.ranking_task import list_mle, logistic, pairwise_hinge, squared


def lists(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    scores = torch.randn(4, 5, generator=draw, dtype=torch.float64, requires_grad=True)
    relevance = torch.randint(-1, 3, (4, 5), generator=draw).double()
    there = torch.rand(4, 5, generator=draw) < 0.8
    there[:, 0] = True
    return scores, relevance, there


def test_squared_and_logistic() -> None:
    scores = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert squared(scores, labels).item() == pytest.approx((1 + 9) / 2)
    expected = (math.log(1 + math.e) + math.log(1 + math.exp(2))) / 2
    assert logistic(scores, labels).item() == pytest.approx(expected)
    assert torch.autograd.gradcheck(lambda s: squared(s, labels), (scores,))
    assert torch.autograd.gradcheck(lambda s: logistic(s, labels), (scores,))


@pytest.mark.parametrize("seed", range(4))
def test_the_hinge_counts_every_pair_that_has_an_order(seed: int) -> None:
    scores, relevance, there = lists(seed)
    total, pairs = 0.0, 0
    for row in range(4):
        for i in range(5):
            for j in range(5):
                if there[row, i] and there[row, j] and relevance[row, i] > relevance[row, j]:
                    total += max(0.0, 1 - (scores[row, i] - scores[row, j]).item())
                    pairs += 1
    assert pairwise_hinge(scores, relevance, there).item() == pytest.approx(total / pairs)
    assert torch.autograd.gradcheck(lambda s: pairwise_hinge(s, relevance, there), (scores,))


def test_lists_without_an_order_have_no_hinge() -> None:
    scores, _, there = lists(0)
    assert pairwise_hinge(scores, torch.ones(4, 5).double(), there).item() == 0


@pytest.mark.parametrize("seed", range(4))
def test_list_mle_is_the_surprise_at_the_order(seed: int) -> None:
    scores, relevance, there = lists(seed)
    ties = torch.rand(4, 5, generator=torch.Generator().manual_seed(seed))
    total = 0.0
    for row in range(4):
        entries = [column for column in range(5) if there[row, column]]
        entries.sort(key=lambda c: (-relevance[row, c].item(), -ties[row, c].item()))
        left = [math.exp(scores[row, column].item()) for column in entries]
        for place in range(len(left)):
            total -= math.log(left[place] / sum(left[place:]))
    loss = list_mle(scores, relevance, there, ties)
    assert loss.item() == pytest.approx(total / 4)
    assert torch.autograd.gradcheck(lambda s: list_mle(s, relevance, there, ties), (scores,))


def test_the_probabilities_of_all_orders_add_up_to_one() -> None:
    scores = torch.tensor([[0.3, -1.0, 2.0]], dtype=torch.float64)
    there, none = torch.ones(1, 3, dtype=torch.bool), torch.zeros(1, 3)
    orders = [torch.tensor([order]).double() for order in permutations(range(3))]
    chances = [math.exp(-list_mle(scores, order, there, none).item()) for order in orders]
    assert sum(chances) == pytest.approx(1)
