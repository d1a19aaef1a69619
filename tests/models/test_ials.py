from __future__ import annotations

import gc
import tracemalloc
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from shortlist.data.dataset import Dataset
from shortlist.errors import NumericalError
from shortlist.models.ials.model import IALS
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import FactorScores
from shortlist.testing import ModelContract, of_matrix, small_world

# All settings are given, because defaults are tuned on real data and may change.
SMALL = {
    "embedding_size": 6,
    "epochs": 4,
    "regularization": 0.02,
    "unobserved_weight": 0.1,
    "frequency_exponent": 1.0,
    "weighting": "binary",
    "solver": "exact",
    "init_std": 0.1,
    "seed": 0,
}
VARIANTS: list[dict[str, Any]] = [
    {},
    {"weighting": "weighted"},
    {"frequency_exponent": 0.0},
    {"frequency_exponent": 0.5, "unobserved_weight": 0.01},
    {"unobserved_weight": 2.0, "regularization": 0.3, "seed": 7},
]


def small(**changes: Any) -> IALS:
    return IALS(**(SMALL | changes))


class TestIALS(ModelContract):
    model = partial(small, embedding_size=8, epochs=6)


class TestConjugateGradients(ModelContract):
    model = partial(small, embedding_size=7, epochs=8, solver="cg", weighting="weighted")


@dataclass
class Objective:
    """The loss of the paper over all pairs, in float64."""

    data: Dataset
    model: IALS

    def __post_init__(self) -> None:
        data = self.data
        self.chosen = np.zeros((data.n_users, data.n_items))
        self.chosen[data.user_rows, data.item_rows] = 1
        self.weights = self.chosen.copy()
        if self.model.config.weighting == "weighted":
            self.weights[data.user_rows, data.item_rows] = data.weights

    def penalties(self, axis: int) -> Any:
        """lambda (n + alpha * number of columns) ^ nu, for each row."""
        config = self.model.config
        other = self.chosen.shape[axis]
        frequencies = self.chosen.sum(axis=axis) + config.unobserved_weight * other
        return config.regularization * frequencies**config.frequency_exponent

    def loss(self, users: Any, items: Any) -> float:
        users, items = users.astype(np.float64), items.astype(np.float64)
        total = 0.0
        for u in range(len(users)):
            for i in range(len(items)):
                product = users[u] @ items[i]
                total += self.weights[u, i] * (1 - product) ** 2
                total += self.model.used.unobserved_weight * product**2
        for axis, vectors in ((1, users), (0, items)):
            total += self.penalties(axis) @ (vectors**2).sum(axis=1)
        return float(total)

    def best(self, fixed: Any, axis: int) -> Any:
        """Solve the dense normal equations of users (axis 1) or items (axis 0)."""
        weights = self.weights if axis == 1 else self.weights.T
        alpha, penalties = self.model.used.unobserved_weight, self.penalties(axis)
        size = fixed.shape[1]
        solved = np.zeros((len(weights), size))
        for row, own in enumerate(weights):
            matrix = fixed.T @ np.diag(own + alpha) @ fixed + penalties[row] * np.eye(size)
            solved[row] = np.linalg.solve(matrix, fixed.T @ own)
        return solved

    def alternate(self) -> tuple[Any, Any, list[float]]:
        """The training in NumPy, from the same initial vectors."""
        config = self.model.config
        rng = np.random.default_rng(config.seed)
        size = int(config.embedding_size)
        std = config.init_std / np.sqrt(size)
        users = rng.normal(0, std, (self.data.n_users, size))
        items = rng.normal(0, std, (self.data.n_items, size))
        losses = []
        for _ in range(config.epochs):
            users = self.best(items, axis=1)
            items = self.best(users, axis=0)
            losses.append(self.loss(users, items))
        return self.best(items, axis=1), items, losses


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_follows_the_paper(variant: dict[str, Any]) -> None:
    """The losses of all epochs and the final vectors against float64 over all pairs."""
    data = small_world().data
    model = small(**variant).fit(data)
    users, items, losses = Objective(data, model).alternate()
    assert_allclose(model.history.column("loss").to_numpy(), losses, rtol=1e-4)
    assert model.history.column("epoch").to_pylist() == [1, 2, 3, 4]
    scale = np.abs(users @ items.T).max()
    assert_allclose(model.learned.users @ model.learned.items.T, users @ items.T, atol=2e-3 * scale)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_user_step_ends_at_gradient_zero(variant: dict[str, Any]) -> None:
    data = small_world().data
    model = small(**variant).fit(data)
    objective, learned = Objective(data, model), model.learned
    users, items = learned.users.astype(np.float64), learned.items.astype(np.float64)
    steepest = 2 * (objective.weights @ items)  # the gradient at zero vectors
    for user in (0, 3, 21, 39):
        for dimension in range(users.shape[1]):
            step = np.zeros_like(users)
            step[user, dimension] = 1e-4
            up, down = objective.loss(users + step, items), objective.loss(users - step, items)
            slope = (up - down) / 2e-4
            assert abs(slope) < 1e-4 * np.abs(steepest[user]).max() + 1e-6


@pytest.mark.parametrize("solver", ["exact", "cg"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_loss_never_rises(solver: str, variant: dict[str, Any]) -> None:
    model = small(epochs=12, solver=solver, **variant).fit(small_world().data)
    losses = model.history.column("loss").to_numpy()
    assert len(losses) == 12
    assert (np.diff(losses) <= 1e-6 * losses[:-1]).all()
    assert losses[-1] < losses[0]


def test_many_conjugate_gradient_steps_are_the_exact_solution() -> None:
    data = small_world().data
    exact = small(epochs=6).fit(data)
    steps = small(epochs=6, solver="cg", cg_steps=30).fit(data)
    assert_allclose(steps.learned.users, exact.learned.users, atol=2e-4)
    assert_allclose(steps.learned.items, exact.learned.items, atol=2e-4)
    few = small(epochs=6, solver="cg", cg_steps=1).fit(data)
    loss = [model.history.column("loss")[-1].as_py() for model in (exact, steps, few)]
    assert loss[1] == pytest.approx(loss[0], rel=1e-4)
    assert loss[2] > loss[0]


def test_many_factors_have_the_same_optimum() -> None:
    data = small_world().data
    common = {"embedding_size": 512, "epochs": 8, "regularization": 0.1}
    exact = small(**common).fit(data)
    steps = small(**common, solver="cg", cg_steps=None).fit(data)
    scores, near = (m.learned.users @ m.learned.items.T for m in (exact, steps))
    assert_allclose(near, scores, atol=1e-2 * np.abs(scores).max())
    losses = [model.history.column("loss")[-1].as_py() for model in (exact, steps)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


@pytest.mark.parametrize("solver", ["exact", "cg"])
@pytest.mark.parametrize("weighting", ["binary", "weighted"])
def test_folding_in_a_history_gives_the_vector_of_the_user_with_it(
    solver: str, weighting: str
) -> None:
    data = small_world().data
    model = small(solver=solver, weighting=weighting).fit(data)
    scores = model.score(Profiles.new(data.matrix))
    assert isinstance(scores, FactorScores)
    assert_array_equal(scores.queries, model.learned.users)
    everyone = np.arange(data.n_users, dtype=np.int32)
    known = model.score(Profiles(everyone, data.matrix, np.zeros(data.n_users, dtype=bool)))
    assert isinstance(known, FactorScores)
    assert_array_equal(known.queries, model.learned.users)


def test_rows_without_interactions_have_zero_vectors() -> None:
    model = small().fit(small_world().data)
    assert_array_equal(model.user_vectors()[[5, 22]], 0)
    assert_array_equal(model.item_vectors()[[11, 28]], 0)
    assert model.user_vectors().shape == (40, 6)
    assert model.item_vectors().shape == (30, 6)


def test_similar_is_the_cosine_of_the_vectors() -> None:
    model = small().fit(small_world().data)
    vectors = model.item_vectors().astype(np.float64)
    found = model.similar(["i03"], k=29)
    rows = model.data.items.rows(found.column("item_id"))
    lengths = np.linalg.norm(vectors[rows], axis=1) * np.linalg.norm(vectors[3])
    lengths[lengths == 0] = np.inf  # an item without users is similar to no item
    assert_allclose(found.column("score"), vectors[rows] @ vectors[3] / lengths, atol=1e-6)


def test_memory_does_not_grow_with_the_epochs() -> None:
    rng = np.random.default_rng(0)
    data = of_matrix(rng.random((3000, 2000)) < 0.002)
    settings = {"embedding_size": 64, "regularization": 0.02, "unobserved_weight": 0.1}
    IALS(**settings, epochs=20).fit(data)  # compiles all that the second fit uses
    gc.collect()
    gc.freeze()  # with the objects of other tests, garbage would be collected later
    tracemalloc.start()
    learned = IALS(**settings, epochs=20).fit(data).learned
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    gc.unfreeze()
    assert peak < 6 * (learned.users.nbytes + learned.items.nbytes)


def test_the_seed_determines_the_initial_vectors() -> None:
    first, same, other = (small(seed=seed).fit(small_world().data) for seed in (1, 1, 2))
    assert_array_equal(first.learned.users, same.learned.users)
    assert not np.allclose(first.learned.users, other.learned.users)


def heavy(kind: str) -> tuple[Dataset, dict[str, Any]]:
    """Make data and settings whose systems are not positive definite in float32."""
    weights = np.add.outer(np.arange(50), np.arange(100)) % 2 * 300.0
    if kind == "one heavy account":
        weights = np.minimum(weights, 1)
        weights[0] *= 1e5
    elif kind == "weak regularization":
        weights, weak = np.minimum(weights, 1), {"regularization": 1e-6}
        return of_matrix(weights), weak | {"embedding_size": 120, "unobserved_weight": 1e-3}
    return of_matrix(weights), {"embedding_size": 128, "weighting": "weighted"}


@pytest.mark.parametrize("solver", ["exact", "cg"])
@pytest.mark.parametrize("kind", ["large weights", "one heavy account", "weak regularization"])
def test_hard_systems_are_solved_in_float64(kind: str, solver: str) -> None:
    data, settings = heavy(kind)
    model = small(**{"regularization": 0.002} | settings, solver=solver).fit(data)
    best = Objective(data, model).best(model.learned.items.astype(np.float64), axis=1)
    scores = best @ model.learned.items.T
    assert_allclose(model.learned.users @ model.learned.items.T, scores, atol=1e-2)
    assert len(model.recommend(k=1)) == data.n_users
    history = model.data.items.take(data.item_rows[data.user_rows == 0]).to_pylist()
    terms = model.explain(data.users.ids[0].as_py(), history[0]).parts.column("amount").to_numpy()
    assert np.isfinite(terms).all()


@pytest.mark.parametrize("solver", ["exact", "cg"])
def test_systems_beyond_float64_are_an_error(solver: str) -> None:
    weights = heavy("large weights")[0].matrix.toarray() * 1e28
    model = small(embedding_size=128, weighting="weighted", solver=solver)
    with pytest.raises(NumericalError, match=r"largest weight of 3e\+30\n  to do: choose a larger"):
        model.fit(of_matrix(weights))
    assert not model.is_fitted
