"""GMF, MLP, NeuMF and the plain dot product: what they promise, and what their training does."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose

from shortlist.models.towers.ncf import GMF, MLP, NeuMF
from shortlist.testing import ModelContract, small_world

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


@pytest.mark.parametrize("biases", [False, True])
def test_similar_items_are_compared_without_their_biases(biases: bool) -> None:
    model = GMF(**small, biases=biases).fit(small_world().data)
    factors = model.learned.items[:, : model.learned.size].astype(np.float64)
    unit = factors / np.linalg.norm(factors, axis=1, keepdims=True)
    items = model.data.items
    listed = model.similar(items.ids.to_pylist()[:1], k=5)
    others = items.rows(listed.column("item_id"))
    assert_allclose(listed.column("score"), unit[others] @ unit[0], rtol=1e-5)
