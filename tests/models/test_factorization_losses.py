"""The losses of matrix factorisation against float64 NumPy over all pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from shortlist.data.dataset import Dataset
from shortlist.models.factorization import training as losses
from shortlist.models.factorization.model import MatrixFactorization
from shortlist.models.factorization.training import Bags, Factors
from shortlist.testing import of_matrix

Doubles = NDArray[np.float64]


def gradient_of(value: Tensor) -> Tensor:
    assert value.grad is not None
    return value.grad


def world(seed: int = 0, n: int = 9, m: int = 7) -> Dataset:
    """Ratings 1 to 5; the last user and the last item have no ratings."""
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 6, (n, m)) * (rng.random((n, m)) < 0.5)
    values[0, :2] = 3
    values[-1] = values[:, -1] = 0
    return of_matrix(values.astype(np.float32))


def factors(data: Dataset, f: int = 4, seed: int = 1) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    users, items = rng.standard_normal((data.n_users, f)), rng.standard_normal((data.n_items, f))
    return users.astype(np.float32), items.astype(np.float32)


# --- the losses in NumPy --------------------------------------------------------------------------


def dense(data: Dataset) -> tuple[Doubles, NDArray[np.bool_]]:
    known = np.zeros((data.n_users, data.n_items), dtype=bool)
    known[data.user_rows, data.item_rows] = True
    return data.matrix.toarray().astype(np.float64), known


def observed(p: Doubles, q: Doubles, data: Dataset) -> tuple[float, Doubles, Doubles]:
    values, known = dense(data)
    errors = np.where(known, p @ q.T - values, 0.0)
    n = known.sum()
    return (errors**2).sum() / n, 2 / n * errors @ q, 2 / n * errors.T @ p


def lengths(p: Doubles, q: Doubles, data: Dataset) -> tuple[float, Doubles, Doubles]:
    n, m = len(p), len(q)
    return (p**2).sum() / n + (q**2).sum() / m, 2 / n * p, 2 / m * q


def all_pairs(p: Doubles, q: Doubles, data: Dataset) -> tuple[float, Doubles, Doubles]:
    n, m = len(p), len(q)
    products = p @ q.T
    return (products**2).sum() / (n * m), 2 / (n * m) * products @ q, 2 / (n * m) * products.T @ p


Reference = Callable[[Doubles, Doubles, Dataset], tuple[float, Doubles, Doubles]]
InTorch = Callable[[Tensor, Tensor, Dataset], Tensor]
LOSSES: dict[str, tuple[Reference, InTorch]] = {
    "observed": (observed, lambda p, q, d: losses.observed_error(p, q, losses.Cells.of(d))),
    "fused": (observed, lambda p, q, d: losses.fused_error(p, q, losses.Cells.of(d))),
    "lengths": (
        lengths,
        lambda p, q, d: losses.mean_squared_length(p) + losses.mean_squared_length(q),
    ),
    "gravity": (all_pairs, lambda p, q, d: losses.gravity(p, q)),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("f", [1, 3, 8, 21])
def test_loss_and_gradients_equal_float64_numpy(name: str, f: int) -> None:
    reference, in_torch = LOSSES[name]
    data = world()
    p, q = factors(data, f)
    value, to_users, to_items = reference(p.astype(np.float64), q.astype(np.float64), data)
    users, items = torch.tensor(p, requires_grad=True), torch.tensor(q, requires_grad=True)
    loss = in_torch(users, items, data)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(gradient_of(users).numpy(), to_users, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient_of(items).numpy(), to_items, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["observed", "lengths", "gravity"])
def test_gradients_agree_with_finite_differences(name: str) -> None:
    reference, in_torch = LOSSES[name]
    data = world(3, 5, 4)
    p, q = (side.astype(np.float64) for side in factors(data, 3))
    _, to_users, to_items = reference(p, q, data)
    step = 1e-6
    for side, gradient in ((p, to_users), (q, to_items)):
        for index in np.ndindex(side.shape):
            kept = side[index]
            side[index] = kept + step
            above = reference(p, q, data)[0]
            side[index] = kept - step
            below = reference(p, q, data)[0]
            side[index] = kept
            assert (above - below) / (2 * step) == pytest.approx(gradient[index], abs=1e-7)
    sides = torch.tensor(p, requires_grad=True), torch.tensor(q, requires_grad=True)
    in_double = losses.Cells.of(data)
    in_double = losses.Cells(
        in_double.users, in_double.items, in_double.values.double(), in_double.shape
    )
    check = {
        "observed": lambda u, v: losses.observed_error(u, v, in_double),
        "lengths": lambda u, v: in_torch(u, v, data),
        "gravity": lambda u, v: losses.gravity(u, v),
    }[name]
    assert torch.autograd.gradcheck(check, sides)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(2, 40), st.integers(1, 20))
def test_fused_equals_plain_autograd(seed: int, n: int, m: int, f: int) -> None:
    data = world(seed, n, m)
    cells = losses.Cells.of(data)
    p, q = factors(data, f, seed)
    results = []
    for error in (losses.observed_error, losses.fused_error):
        users, items = torch.tensor(p, requires_grad=True), torch.tensor(q, requires_grad=True)
        loss = 3 * error(users, items, cells)
        loss.backward()  # type: ignore[no-untyped-call]
        results.append([loss.detach(), users.grad, items.grad])
    for plain, fused in zip(*results, strict=True):
        torch.testing.assert_close(fused, plain, rtol=1e-4, atol=1e-5)


def test_fused_and_plain_descents_agree() -> None:
    """The losses agree to 1e-4 at each of 300 steps of gradient descent."""
    data = world(4, 60, 50)
    cells = losses.Cells.of(data)
    histories = []
    for error in (losses.observed_error, losses.fused_error):
        sides = [torch.tensor(side * 0.3, requires_grad=True) for side in factors(data, 6)]
        optimizer = torch.optim.SGD(sides, lr=5.0)
        history = []
        for _ in range(300):
            optimizer.zero_grad()
            loss = error(sides[0], sides[1], cells)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            history.append(loss.item())
        histories.append(history)
    np.testing.assert_allclose(histories[0], histories[1], atol=1e-4)
    assert histories[0][-1] < 0.3 * histories[0][0]


def test_the_fused_gradient_is_used_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    data = world()
    cells = losses.Cells.of(data)
    used = []
    monkeypatch.setattr(losses, "fused_error", lambda *_: used.append("fused"))
    monkeypatch.setattr(losses, "observed_error", lambda *_: used.append("plain"))
    sides = [torch.tensor(side) for side in factors(data)]
    losses.squared_error(sides[0], sides[1], cells)
    losses.squared_error(sides[0].double(), sides[1].double(), cells)
    assert used == ["fused", "plain"]


def test_a_fused_gradient_cannot_be_used_twice() -> None:
    data = world()
    users, items = (torch.tensor(side, requires_grad=True) for side in factors(data))
    loss = losses.fused_error(users, items, losses.Cells.of(data))
    loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    with pytest.raises(RuntimeError, match="is already used: compute the loss again"):
        loss.backward()  # type: ignore[no-untyped-call]


# --- what the model minimises -------------------------------------------------------------------


def module(loss: str, data: Dataset, **settings: Any) -> Any:
    model = MatrixFactorization(loss=loss, embedding_size=5, init_std=0.4, **settings)
    return model.trainable(data)


def test_the_regularized_loss_with_and_without_biases() -> None:
    data = world()
    for biases in (False, True):
        made = module("regularized", data, regularization=0.2, gravity=0.7, biases=biases)
        assert isinstance(made, Factors)
        p, q = (side.detach().numpy().astype(np.float64) for side in (made.users, made.items))
        penalty = lengths(p, q, data)[0]
        if biases:
            rng = np.random.default_rng(8)
            bu, bi = rng.standard_normal((data.n_users, 1)), rng.standard_normal((data.n_items, 1))
            with torch.no_grad():
                made.user_bias.copy_(torch.tensor(bu))
                made.item_bias.copy_(torch.tensor(bi))
            mean = data.weights.mean(dtype=np.float64) / 1.7
            penalty += (bu**2).mean() + (bi**2).mean()
            p = np.hstack([p, bu + mean, np.ones_like(bu)])
            q = np.hstack([q, np.ones_like(bi), bi])
        exact = {
            "observed": observed(p, q, data)[0],
            "regularization": 0.2 * penalty,
            "gravity": 0.7 * all_pairs(p, q, data)[0],
        }
        found = {name: value.item() for name, value in made.losses(None).items()}
        assert list(found) == ["loss", *exact]
        assert found == pytest.approx({"loss": sum(exact.values()), **exact}, rel=1e-5)


def test_a_batch_is_a_mean_over_its_cells() -> None:
    data = world()
    made = module("observed", data)
    every = [made.losses(torch.tensor([n]))["loss"].item() for n in range(len(data))]
    assert made.losses(None)["loss"].item() == pytest.approx(np.mean(every), rel=1e-5)
    some = torch.tensor([4, 0, 7])
    expected = np.mean([every[n] for n in some.tolist()])
    assert made.losses(some)["loss"].item() == pytest.approx(expected, rel=1e-5)


def bags_world() -> Dataset:
    films = pa.table(
        {
            "item_id": [0, 1, 2, 3, 4, 5, 6],
            "genres": [["a", "b"], ["b"], [], None, ["c", "a"], ["a"], ["c"]],
            "year": [1990, 1991, None, 1990, 1992, 1991, 1990],
        }
    )
    pairs = [(u, i) for u in range(6) for i in range(7) if (u * i + u + i) % 3 and (u, i) != (0, 1)]
    users, items = zip(*pairs, strict=True)
    log = pa.table({"user_id": users, "item_id": items})
    return Dataset.from_tables(log, items=films)


GENRES = {0: [1, 2], 1: [2], 2: [0], 3: [0], 4: [3, 1], 5: [1], 6: [3]}  # 0: unknown
YEARS = {0: 1, 1: 2, 2: 0, 3: 1, 4: 3, 5: 2, 6: 1}


def naive_softmax(made: Any, data: Dataset) -> tuple[float, dict[int, list[int]]]:
    """Loop over the users in float64."""
    tables = {
        name: value.detach().numpy().astype(np.float64) for name, value in made.named_parameters()
    }
    q = tables["items"]
    total, bags = 0.0, {}
    for user, label in zip(made.active, made.chosen_items[made.labels], strict=True):
        bag = [int(i) for u, i in zip(data.user_rows, data.item_rows, strict=True) if u == user]
        bag.remove(label)
        bags[int(user)] = bag
        rows = [
            np.concatenate(
                [
                    q[item],
                    tables["tables.genre"][GENRES[item]].mean(axis=0),
                    tables["tables.year"][YEARS[item]],
                ]
            )
            for item in bag
        ]
        vector = np.mean(rows, axis=0)
        for layer in ("layers.0", "layers.1"):
            vector = vector @ tables[layer] / 10
        logits = q @ vector + tables.get("item_bias", 0.0)
        total += np.log(np.exp(logits).sum()) - logits[label]
    return total / len(made.active), bags


@pytest.mark.parametrize("biases", [False, True])
def test_the_softmax_loss_and_its_gradients(biases: bool) -> None:
    data = bags_world()
    made = module("softmax", data, layers=2, biases=biases, genre_size=3, year_size=2)
    assert isinstance(made, Bags)
    with torch.no_grad():
        for name, value in made.named_parameters():
            if name.startswith("layers") or name == "item_bias":
                value.copy_(
                    5 * torch.randn(value.shape, generator=torch.Generator().manual_seed(1))
                )
    made.start_epoch([3])
    loss = made.losses(None)["loss"]
    exact, bags = naive_softmax(made, data)
    assert all(bags.values())
    assert loss.item() == pytest.approx(exact, rel=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    for name, value in made.named_parameters():
        flat, gradient = value.data.view(-1), gradient_of(value).view(-1)
        for index in range(0, len(flat), 5):
            kept, step = flat[index].item(), 1e-2
            differences = []
            for sign in (1, -1):
                flat[index] = kept + sign * step
                differences.append(naive_softmax(made, data)[0] * sign / (2 * step))
            flat[index] = kept
            assert gradient[index].item() == pytest.approx(sum(differences), abs=2e-4), name


def test_the_label_is_not_in_its_own_input() -> None:
    """The user's vector does not depend on the embedding of the label."""
    data = bags_world()
    made = module("softmax", data, genre_size=0, year_size=0)
    made.start_epoch([0])
    user, label = made.active[2], made.chosen_items[made.labels[2]]
    chosen = torch.tensor([2])
    before = made.losses(chosen)["loss"].item()
    logits_of = made.items.detach().clone()
    with torch.no_grad():
        made.items[label] += 100.0
    vector = made.user_vectors(*_bag(data, user, without=label)).detach()
    moved = made.losses(chosen)["loss"].item()
    others = [row for row in range(7) if row != label]
    logits = torch.cat([vector @ logits_of[others].T, vector @ made.items.detach()[[label]].T], 1)
    assert moved == pytest.approx(-torch.log_softmax(logits, 1)[0, -1].item(), rel=1e-4)
    assert before != pytest.approx(moved)


def _bag(data: Dataset, user: int, without: int) -> tuple[Any, Any]:
    items = data.item_rows[data.user_rows == user].astype(np.int64)
    items = items[items != without]
    return np.array([0, len(items)]), items


def test_blocks_of_users_give_the_same_loss_and_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(11, (23,), generator=rng)
    sides = [torch.randn(23, 4, generator=rng), torch.randn(11, 4, generator=rng)]
    bias = torch.randn(11, generator=rng)
    results = []
    for limit in (2**25, 3 * 11, 1):
        monkeypatch.setattr(losses, "MAX_LOGITS", limit)
        users, items, own = (tensor.clone().requires_grad_() for tensor in (*sides, bias))
        loss = losses.cross_entropy(users, items, own, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        results.append([loss.detach(), *map(gradient_of, (users, items, own))])
    for blocked in results[1:]:
        for expected, value in zip(results[0], blocked, strict=True):
            torch.testing.assert_close(expected, value)
    logits = (sides[0] @ sides[1].T + bias).double().numpy()
    exact = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(23), labels.numpy()]
    assert results[0][0].item() == pytest.approx(exact.mean(), rel=1e-5)
