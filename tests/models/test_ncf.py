"""GMF, MLP, NeuMF and the plain dot product: what they promise, and what their training does."""

from __future__ import annotations

from functools import partial

from shortlist.models.towers.ncf import GMF, MLP, NeuMF
from shortlist.testing import ModelContract

small = {"embedding_size": 8, "batch_size": 64, "epochs": 20, "learning_rate": 0.04}
dot = partial(
    GMF, embedding_size=8, weighted=False, biases=True, rejection=False, optimizer="sgd",
    batch_size=20, learning_rate=2.0, init_std=0.1, epochs=40,
)  # fmt: skip


class TestGMF(ModelContract):
    model = partial(GMF, **small, regularization=0.1)
    user_is_history = False


class TestDotProduct(ModelContract):
    model = dot
    user_is_history = False


class TestMLP(ModelContract):
    model = partial(MLP, **small, layers=2)
    user_is_history = False


class TestNeuMF(ModelContract):
    model = partial(NeuMF, **small, layers=2, regularization=0.1)
    user_is_history = False
