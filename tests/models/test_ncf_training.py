"""Training of GMF, MLP and NeuMF: gradients, sparse steps, resuming, stopping, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError, ShortlistError
from shortlist.kernels.threads import thread_limit
from shortlist.models.towers import ncf_training
from shortlist.models.towers.ncf import GMF, MLP, NCF, NeuMF
from shortlist.models.towers.ncf_learned import NCFLearned
from shortlist.models.towers.ncf_training import NCFTrainable, ValidationFold
from shortlist.models.training.loop import Trainable, Training
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.selection import dense
from shortlist.testing import small_world, tiny

DATA = small_world().data
DOT: dict[str, Any] = {"weighted": False, "biases": True, "rejection": False}
DESCENT: dict[str, Any] = DOT | {"optimizer": "sgd", "batch_size": 40, "learning_rate": 2.0}
MODELS: list[NCF[Any, Any]] = [
    GMF(embedding_size=8, init_std=0.3),
    GMF(embedding_size=5, init_std=0.3, **DOT),
    MLP(embedding_size=6, init_std=0.3, layers=1),
    MLP(embedding_size=5, init_std=0.3, layers=3),
    NeuMF(embedding_size=4, init_std=0.3, layers=2, negative_exponent=0.5),
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of PyTorch wait for each other longer than anything takes here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made(model: NCF[Any, Any], data: Dataset = DATA, **changed: Any) -> NCFTrainable:
    """The parameters of a model at their initial values, with its settings changed."""
    return type(model)(**model.config.model_dump() | changed).trainable(data)


def naive_score(learned: NCFLearned, p: Any, q: Any) -> float:
    """The score of one pair as the paper writes it, in float64."""
    size, end = learned.size, learned.dot_width
    score = learned.bias + learned.product_weights.astype(np.float64) @ (p[:size] * q[:size])
    if learned.biases:
        score += p[size] + q[size]
    if learned.widths:
        phi = np.concatenate([p[end:], q[end:]])
        for n, layer in enumerate(learned.dense):
            weight, bias = (part.astype(np.float64) for part in layer)
            phi = (np.maximum(phi, 0) if n else phi) @ weight + bias
        score += phi[0]
    return float(score)


def learned_from(model: NCF[Any, Any], trainable: NCFTrainable) -> NCFLearned:
    """The current parameters as a trained model has them."""
    parameters = {name: value.detach().numpy() for name, value in trainable.named_parameters()}
    learned: NCFLearned = model.finished(DATA, parameters)
    return learned


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_scores_are_what_the_paper_says(model: NCF[Any, Any]) -> None:
    model = type(model)(**model.config.model_dump() | {"epochs": 3, "batch_size": 50}).fit(DATA)
    learned = model.learned
    recommended = model.recommend(["u03"], k=30, exclude_seen=False)
    p = learned.users[3].astype(np.float64)
    for item, score in zip(recommended.column("item_id"), recommended.column("score"), strict=True):
        q = learned.items[int(item[1:])].astype(np.float64)
        assert score == pytest.approx(naive_score(learned, p, q), abs=1e-5)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_scores_without_pytorch_are_those_of_training(model: NCF[Any, Any]) -> None:
    model = type(model)(**model.config.model_dump() | {"epochs": 3, "batch_size": 50}).fit(DATA)
    assert model._training is not None
    trainable = model._training.trainable
    assert isinstance(trainable, NCFTrainable)
    users = torch.arange(DATA.n_users)
    items = torch.arange(DATA.n_items).expand(DATA.n_users, -1)
    with torch.no_grad():
        expected = trainable.scores(users, items).numpy()
    unchanged = np.zeros(DATA.n_users, dtype=bool)
    profiles = Profiles(np.arange(DATA.n_users, dtype=np.int32), DATA.matrix, unchanged)
    assert_allclose(dense(model.score(profiles)), expected, atol=1e-5)


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("regularization", [0.0, 0.3])
def test_gradients_are_those_of_finite_differences(
    model: NCF[Any, Any], regularization: float
) -> None:
    data = tiny(("u", "a"), ("u", "b"), ("v", "b"), ("v", "c"), ("w", "d"))
    trainable = made(model, data, regularization=regularization).double()
    trainable.start_epoch([0, 0, 1])
    chosen = torch.arange(4)
    with torch.no_grad():
        for value in trainable.head.parameters():
            value.add_(torch.linspace(-0.2, 0.2, value.numel()).view(value.shape))

    parameters = dict(trainable.named_parameters())
    trainable.losses(chosen)["loss"].backward()  # type: ignore[no-untyped-call]
    for name, value in parameters.items():
        assert value.grad is not None
        flat, gradient = value.detach().view(-1), value.grad.view(-1)
        differences = []
        for place in range(len(flat)):
            kept, losses = flat[place].item(), []
            for step in (1e-6, -1e-6):
                flat[place] = kept + step
                with torch.no_grad():
                    losses.append(trainable.losses(chosen)["loss"].item())
            flat[place] = kept
            differences.append((losses[0] - losses[1]) / 2e-6)
        assert_allclose(gradient, differences, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("model", [MODELS[1], MODELS[3], MODELS[4]], ids=repr)
def test_gradients_of_folding_in_are_those_of_finite_differences(model: NCF[Any, Any]) -> None:
    learned = learned_from(model, made(model))
    rows = learned.users[:2].astype(np.float64)
    owners, items = np.array([0, 0, 1]), np.array([[3, 4], [5, 1], [2, 2]], dtype=np.int32)
    scale = np.array([1.0, 1.0, 2.5])

    def loss(rows: Any) -> float:
        total = 0.0
        for owner, (positive, negative), weight in zip(owners, items, scale, strict=True):
            q = learned.items.astype(np.float64)
            total += weight * np.log1p(np.exp(-naive_score(learned, rows[owner], q[positive])))
            total += weight * np.log1p(np.exp(naive_score(learned, rows[owner], q[negative])))
        return float(total)

    gradient = learned._row_gradient(learned.users[:2], owners, items, scale)
    for place in np.ndindex(*rows.shape):
        step = np.zeros_like(rows)
        step[place] = 1e-6
        difference = (loss(rows + step) - loss(rows - step)) / 2e-6
        assert gradient[place] == pytest.approx(difference, abs=1e-5)


def test_the_loss_is_the_log_loss_and_half_the_squares() -> None:
    model = MODELS[-1]
    trainable = made(model, regularization=0.3)
    trainable.start_epoch([0, 0, 1])
    learned = learned_from(model, trainable)
    users, items = trainable.sampled(torch.arange(9))
    total = 0.0
    for user, own in zip(users, items, strict=True):
        for n, item in enumerate(own):
            p, q = learned.users[user].astype(float), learned.items[item].astype(float)
            probability = 1 / (1 + np.exp(-naive_score(learned, p, q)))
            total -= np.log(probability if n == 0 else 1 - probability)
            total += 0.3 / 2 * (p @ p + q @ q)
    weights = learned.product_weights
    total += 0.3 / 2 * ((weights - 1) ** 2).sum() * items.size  # or h would undo the penalty
    ours = trainable.losses(torch.arange(9))["loss"]
    assert ours.item() == pytest.approx(total / items.size, rel=1e-5)


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize(
    ("optimizer", "rate", "shard"), [("sgd", 1.0, 1024), ("adagrad", 0.1, 7), ("adam", 0.01, 7)]
)
def test_steps_on_the_rows_of_a_batch_are_those_of_pytorch_on_all_rows(
    model: NCF[Any, Any], optimizer: str, rate: float, shard: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr(ncf_training, "SHARD_SAMPLES", shard)
    settings: dict[str, Any] = {
        "optimizer": optimizer, "learning_rate": rate, "batch_size": 50, "regularization": 0.1,
    }  # fmt: skip
    trained = []
    for sparse in (True, False):
        trainable = made(model, **settings)
        if not sparse:
            trainable.step = partial(Trainable.step, trainable)  # type: ignore[method-assign]
        training = Training("toy", trainable, trainable.config)
        training.run(5)
        trained.append(training)
    for name, value in trained[0].result.items():
        assert_allclose(value, trained[1].result[name], atol=3e-5, err_msg=name)
    for metric in ("loss", "log_loss"):
        mine, theirs = (np.array(each.history[metric]) for each in trained)
        assert_allclose(mine, theirs, rtol=1e-5)
    states = [each.optimizer.state_dict()["state"] for each in trained]
    for place, kept in states[1].items():
        for name, value in kept.items():
            if isinstance(value, torch.Tensor):
                assert_allclose(states[0][place][name], value, atol=3e-5, err_msg=name)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("model", [*MODELS, GMF(embedding_size=5, **DESCENT)], ids=repr)
def test_training_does_not_depend_on_the_threads(
    model: NCF[Any, Any], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ncf_training, "SHARD_SAMPLES", 9)

    def learned() -> Any:
        return type(model)(**model.config.model_dump() | {"epochs": 2}).fit(DATA).learned

    with thread_limit(threads):
        one = learned()
    with thread_limit(2):
        other = learned()
    for name in ("users", "items", "bias", "product_weights", "layers"):
        assert_array_equal(getattr(one, name), getattr(other, name))


WAYS: list[NCF[Any, Any]] = [
    GMF(embedding_size=4, epochs=9, batch_size=40),
    GMF(embedding_size=4, epochs=9, **DESCENT),
    MLP(embedding_size=4, layers=2, epochs=9, batch_size=40, optimizer="adagrad"),
    NeuMF(embedding_size=4, layers=2, epochs=9, batch_size=40, optimizer="sgd", pretraining=2),
    NeuMF(embedding_size=4, layers=2, epochs=9, batch_size=40, validation=0.5, patience=4),
]


class KilledError(Exception):
    """Stands for a process that is gone."""


@pytest.mark.parametrize("model", WAYS, ids=repr)
def test_a_killed_training_goes_on_from_its_checkpoint(
    model: NCF[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = partial(type(model), **model.config.model_dump())
    whole, file = fresh().fit(DATA), tmp_path / "run.safetensors"
    start = NCFTrainable.start_epoch

    def dies(self: Any, seed: list[int]) -> int:
        if seed[1] == 4:
            raise KilledError
        return start(self, seed)

    monkeypatch.setattr(NCFTrainable, "start_epoch", dies)
    with pytest.raises(KilledError):
        fresh().fit(DATA, checkpoint=file, checkpoint_seconds=0)
    monkeypatch.setattr(NCFTrainable, "start_epoch", start)
    again = fresh().fit(DATA, checkpoint=file)
    assert again.history.equals(whole.history)
    for name in ("users", "items", "bias", "product_weights", "layers"):
        assert_array_equal(getattr(again.learned, name), getattr(whole.learned, name))


def test_a_checkpoint_of_another_model_or_other_data_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.safetensors"
    WAYS[0].fit(DATA, checkpoint=file)
    with pytest.raises(InputError, match="checkpoint of another training: another model\n"):
        WAYS[2].fit(DATA, checkpoint=file)
    with pytest.raises(InputError, match="checkpoint of another training: other interactions: "):
        WAYS[0].fit(DATA.select(DATA.user_rows != 3), checkpoint=file)
    with pytest.raises(InputError, match=r"another training: negatives=4 \(here 5\)\n"):
        GMF(embedding_size=4, epochs=9, batch_size=40, negatives=5).fit(DATA, checkpoint=file)


@pytest.mark.parametrize(
    "wild",
    [
        GMF(optimizer="sgd", learning_rate=1e30, epochs=20, init_std=1.0),
        GMF(**DESCENT | {"learning_rate": 1e30, "init_std": 1.0}),
        MLP(optimizer="sgd", learning_rate=1e30, epochs=20, init_std=1.0),
    ],
    ids=repr,
)
def test_divergence_is_told(wild: NCF[Any, Any]) -> None:
    with pytest.raises(ShortlistError) as error:
        wild.fit(DATA)
    assert f"{wild.name} diverged: the loss is " in str(error.value)
    assert "learning_rate=1e+30, optimizer='sgd'\n  to do: lower the learning rate" in str(
        error.value
    )
    assert not wild.is_fitted


@pytest.mark.parametrize("kind", [GMF, MLP, NeuMF])
def test_half_precision_trains_nearly_the_same(kind: Any) -> None:
    make = partial(kind, embedding_size=8, epochs=8, batch_size=64, learning_rate=0.01)
    full, half = make().fit(DATA), make(precision="bfloat16").fit(DATA)
    of_full, of_half = (np.array(one.history["loss"]) for one in (full, half))
    assert of_full[-1] < of_full[0]
    assert_allclose(of_full, of_half, rtol=0.03)
    assert half.learned.users.dtype == np.float32
    assert not np.array_equal(half.learned.users, full.learned.users)


@pytest.mark.parametrize("batch_size", [None, 10**9])
def test_a_batch_larger_than_the_data_is_one_step(batch_size: int | None) -> None:
    model = GMF(embedding_size=4, epochs=3, batch_size=batch_size).fit(DATA)
    assert model._training is not None
    assert model._training.steps == 3


@pytest.mark.parametrize("kind", [GMF, MLP, NeuMF, partial(GMF, **DESCENT)])
def test_worlds_of_one_and_of_people_who_chose_everything(kind: Any) -> None:
    for pairs in (
        [("u", "i")],
        [("u", "i"), ("u", "j")],
        [("u", "i"), ("v", "i")],
        [("u", "i"), ("u", "j"), ("v", "i"), ("v", "j")],
    ):
        model = kind(embedding_size=4, epochs=2).fit(tiny(*pairs))
        scores = model.recommend(k=2, exclude_seen=False).column("score")
        assert np.isfinite(scores).all()


def test_a_fold_holds_out_one_interaction_of_each_user() -> None:
    model = GMF(validation=1.0)
    inner, held = model.folds(DATA)
    assert held is not None
    counts = DATA.user_counts
    assert held.user_counts.tolist() == (counts > 1).astype(int).tolist()
    assert (inner.user_counts + held.user_counts).tolist() == counts.tolist()
    some = GMF(validation=0.3).folds(DATA)[1]
    assert some is not None
    assert 0 < len(some) < len(held)
    assert GMF().folds(DATA) == (DATA, None)


@pytest.mark.parametrize("metric", ["ndcg", "loss"])
def test_the_best_epoch_by_the_fold_is_kept(metric: str) -> None:
    settings = {"embedding_size": 8, "batch_size": 40, "learning_rate": 0.05, "epochs": 40}
    model = GMF(validation=1.0, validation_metric=metric, patience=6, **settings).fit(DATA)
    losses = model.history["validation_loss"].to_pylist()
    best = int(np.argmin(losses))
    assert len(losses) == min(best + 1 + 6, 40)
    training = model._training
    assert training is not None
    assert training.best_epoch == best + 1
    held = training.trainable.held
    assert isinstance(held, ValidationFold)
    model = GMF(validation=1.0, validation_metric=metric, patience=6, **settings)
    vectors = model.fit(DATA).user_vectors(), model.item_vectors()
    scores = np.einsum("nf,nkf->nk", vectors[0][held.users], vectors[1][held.items])
    true, others = scores[:, :1], scores[:, 1:]
    if metric == "loss":
        naive = np.concatenate([np.log1p(np.exp(-true)), np.log1p(np.exp(others))], axis=1).mean()
    else:
        ranks = (others > true).sum(axis=1) + (others == true).sum(axis=1) / 2
        naive = 1 - np.where(ranks < 10, 1 / np.log2(ranks + 2), 0).mean()
    assert losses[best] == pytest.approx(naive, abs=1e-6)


def test_a_fused_network_starts_where_its_halves_ended() -> None:
    shared: dict[str, Any] = {
        "embedding_size": 4, "batch_size": 40, "seed": 2, "regularization": 0.02,
    }  # fmt: skip
    model = NeuMF(layers=2, pretraining=3, alpha=0.3, **shared)
    shared["epochs"] = 3
    product, tower = GMF(**shared).fit(DATA).learned, MLP(layers=2, **shared).fit(DATA).learned
    trainable = model.trainable(DATA)
    model.warm_start(trainable, DATA)
    fused = learned_from(model, trainable)
    for side in ("users", "items"):
        rows = np.concatenate([getattr(product, side), getattr(tower, side)], axis=1)
        assert_array_equal(getattr(fused, side), rows)
    p, q = fused.users[3], fused.items[3]
    halves = naive_score(product, p[:4], q[:4]), naive_score(tower, p[4:], q[4:])
    assert naive_score(fused, p, q) == pytest.approx(0.3 * halves[0] + 0.7 * halves[1], abs=1e-6)


def test_halves_stop_early_on_the_fold_of_the_whole() -> None:
    shared: dict[str, Any] = {
        "embedding_size": 4, "batch_size": 40, "seed": 2, "regularization": 0.02,
        "validation": 0.8, "patience": 2,
    }  # fmt: skip
    model = NeuMF(layers=2, pretraining=40, **shared)
    product = GMF(epochs=40, **shared).fit(DATA)
    assert product.history.num_rows < 40
    trainable = model.trainable(DATA)
    model.warm_start(trainable, DATA)
    own = trainable.embeddings[: DATA.n_users, :4].detach()
    assert_array_equal(own, product.learned.users)
