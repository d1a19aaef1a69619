"""What ``two_tower.py`` is measured beside: the tutorials' models in plain PyTorch."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import shortlist as sl


def rows_of(data: sl.Dataset) -> tuple[Tensor, Tensor]:
    """Give the user and the item of each interaction, as int64."""
    return (
        torch.tensor(data.user_rows, dtype=torch.int64),
        torch.tensor(data.item_rows, dtype=torch.int64),
    )


def naive_epoch(train: sl.Dataset, seed: int) -> tuple[float, float]:
    """Train an epoch with the B x B matrix; give seconds and the mean cross-entropy."""
    torch.manual_seed(seed)
    users, items = (nn.Embedding(n, 32) for n in (train.n_users, train.n_items))
    for table in (users, items):
        nn.init.normal_(table.weight, std=0.029)
    parameters = [*users.parameters(), *items.parameters()]
    optimizer = torch.optim.Adagrad(parameters, 0.1, initial_accumulator_value=0.1)
    rows = rows_of(train)
    started, total = time.perf_counter(), 0.0
    for chosen in torch.split(torch.randperm(len(train)), 8192):
        logits = users(rows[0][chosen]) @ items(rows[1][chosen]).T
        loss = functional.cross_entropy(logits, torch.arange(len(chosen)), reduction="sum")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += float(loss.detach())
    return time.perf_counter() - started, total / len(train)


def plain_ranking(train: sl.Dataset, test: sl.Dataset, seed: int) -> float:
    """Train the tutorial's ranking model, written from its text; give the test RMSE.

    Two embeddings of 32, uniform in +-.05 as Keras's; dense layers of 256, 64 and 1 with ReLU,
    Glorot's first values; mean squared error, Adagrad .1 that starts its sums at .1, batches of
    8192, 3 epochs.
    """
    torch.manual_seed(seed)
    users, items = (nn.Embedding(n, 32) for n in (train.n_users, train.n_items))
    for one in (users, items):
        nn.init.uniform_(one.weight, -0.05, 0.05)
    dense = [nn.Linear(n_in, n_out) for n_in, n_out in pairwise((64, 256, 64, 1))]
    for layer in dense:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    head = nn.Sequential(dense[0], nn.ReLU(), dense[1], nn.ReLU(), dense[2])
    model = nn.ModuleList([users, items, head])
    optimizer = torch.optim.Adagrad(
        model.parameters(), 0.1, initial_accumulator_value=0.1, eps=1e-7
    )

    def predicted(user_rows: Tensor, item_rows: Tensor) -> Tensor:
        both: Tensor = head(torch.cat([users(user_rows), items(item_rows)], 1))
        return both[:, 0]

    (of_users, of_items), ratings = rows_of(train), torch.tensor(train.weights)
    for _ in range(3):
        for chosen in torch.split(torch.randperm(len(train)), 8192):
            loss = functional.mse_loss(
                predicted(of_users[chosen], of_items[chosen]), ratings[chosen]
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    with torch.no_grad():
        errors = predicted(*rows_of(test)).numpy() - test.weights
    return float(np.sqrt((errors**2).mean()))
