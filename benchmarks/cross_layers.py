"""A cross layer against dense layers on the toy data of the DCN tutorial; ``two_tower.py`` runs it.

The tutorial trains both with Adagrad at .4 for 100 epochs. Adam reaches lower errors with both, and
with dense layers in fewer epochs, so the dense layers here are stronger than the published ones.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from shortlist.models.towers.network import CrossLayer, Dense, RandomDraws

N_ROWS, N_TRAINED = 100_000, 90_000


class Crossed(nn.Module):
    """A cross layer over three numbers, and a weighted sum: 16 parameters."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.cross = CrossLayer(RandomDraws(seed), [3, 3])
        self.out = Dense(RandomDraws(seed + 1), [3, 1])

    def forward(self, rows: Tensor) -> Tensor:
        """Return one number per row."""
        crossed: Tensor = self.out(self.cross(rows, rows))
        return crossed


def toy(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw ``y = .1 x1 + .4 x2 + .7 x3 + .1 x1 x2 + 3.1 x2 x3 + .1 x3^2``."""  # (n, 3), (n,)
    x = np.stack([rng.integers(0, n, N_ROWS) / n for n in (200, 100, 200)], 1)
    a, b, c = x.T
    y = 0.1 * a + 0.4 * b + 0.7 * c + 0.1 * a * b + 3.1 * b * c + 0.1 * c**2
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


def compare(seed: int) -> dict[str, dict[str, float]]:
    """Train both; return the RMSE of 10,000 held-out rows and the number of parameters."""
    rng = np.random.default_rng(seed)
    inputs, truth = toy(rng)
    results = {}
    networks: dict[str, tuple[nn.Module, float, int]] = {
        "cross": (Crossed(seed), 0.01, 100),
        "dense": (Dense(RandomDraws(seed), [3, 512, 256, 128, 1]), 0.001, 10),
    }
    for name, (network, learning_rate, epochs) in networks.items():
        optimizer = torch.optim.Adam(network.parameters(), learning_rate)
        for _ in range(epochs):
            for batch in torch.split(torch.from_numpy(rng.permutation(N_TRAINED)), 1000):
                optimizer.zero_grad()
                loss = functional.mse_loss(network(inputs[batch])[:, 0], truth[batch])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        with torch.no_grad():
            error = functional.mse_loss(network(inputs[N_TRAINED:])[:, 0], truth[N_TRAINED:])
        count = sum(parameter.numel() for parameter in network.parameters())
        results[name] = {"test RMSE": float(error) ** 0.5, "numbers": float(count)}
    return results
