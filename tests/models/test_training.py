"""The loop that trains: steps, batches, going on, stopping early, and saying when it fails."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor

from shortlist import extras
from shortlist.errors import ConfigError, InputError, NotFittedError, ShortlistError
from shortlist.models.config import TrainingConfig
from shortlist.models.factorization.model import MatrixFactorization
from shortlist.models.factorization.training import Bags, Factors
from shortlist.models.training.loop import Trainable, Training
from shortlist.testing import small_world

small = partial(MatrixFactorization, embedding_size=5, epochs=12)
WAYS: list[dict[str, Any]] = [
    {"optimizer": "adam"},
    {"optimizer": "adagrad", "learning_rate": 0.5, "batch_size": 7},
    {"optimizer": "sgd", "learning_rate": 1.0, "biases": True},
    {"loss": "softmax", "batch_size": 9},
    {"loss": "observed", "validation": 0.2, "patience": 3, "batch_size": 20},
]


class Targets(Trainable):
    """Mean squared distance of two numbers from the examples drawn."""

    def __init__(self, validation: list[float] | None = None) -> None:
        super().__init__()
        self.value = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        self.targets = torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, -1.0], [1.0, 1.0], [3.0, 0.0]])
        self.seen: list[list[int] | None] = []
        self.held: list[float] | None = validation
        self.grad_enabled: list[bool] = []

    def start_epoch(self, seed: list[int]) -> int:
        return len(self.targets)

    def losses(self, chosen: Tensor | None) -> dict[str, Tensor]:
        assert self.training
        self.seen.append(None if chosen is None else chosen.tolist())
        targets = self.targets if chosen is None else self.targets[chosen]
        distance = ((self.value - targets) ** 2).sum(1).mean()
        return {"loss": distance, "half": distance / 2}

    def validation_loss(self) -> Tensor:
        assert self.held is not None
        assert not self.training
        self.grad_enabled.append(torch.is_grad_enabled())
        return torch.tensor(self.held[len(self.grad_enabled) - 1])


def trained(epochs: int, trainable: Targets | None = None, **settings: Any) -> Training:
    training = Training("Toy", trainable or Targets(), TrainingConfig(**settings))
    training.run(epochs)
    return training


def by_hand(optimizer: str, rate: float, steps: int) -> Any:
    """Follow the optimisers' definitions, in float64."""
    value = np.array([1.0, -2.0])
    targets = Targets().targets.numpy().astype(np.float64)
    squares = np.full(2, 0.1 if optimizer == "adagrad" else 0.0)
    mean = np.zeros(2)
    for step in range(1, steps + 1):
        gradient = 2 * (value - targets.mean(axis=0))
        if optimizer == "sgd":
            value = value - rate * gradient
        elif optimizer == "adagrad":
            squares += gradient**2
            value = value - rate * gradient / np.sqrt(squares)
        else:
            mean = 0.9 * mean + 0.1 * gradient
            squares = 0.999 * squares + 0.001 * gradient**2
            scaled = np.sqrt(squares / (1 - 0.999**step)) + 1e-8
            value = value - rate * mean / (1 - 0.9**step) / scaled
    return value


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "adam"])
def test_steps_are_those_of_the_optimiser(optimizer: str) -> None:
    training = trained(4, optimizer=optimizer, learning_rate=0.2)
    assert_allclose(training.result["value"], by_hand(optimizer, 0.2, 4), rtol=1e-5)


def test_history_has_every_metric_of_every_epoch_as_numbers() -> None:
    training = trained(3, learning_rate=0.1, optimizer="sgd")
    assert training.history.schema == pa.schema(
        [("epoch", pa.int64()), ("loss", pa.float64()), ("half", pa.float64())]
    )
    assert training.history["epoch"].to_pylist() == [1, 2, 3]
    targets = Targets().targets.numpy().astype(np.float64)
    for row, loss in enumerate(training.history["loss"].to_pylist()):
        value = by_hand("sgd", 0.1, row)  # before the step
        assert loss == pytest.approx(((value - targets) ** 2).sum(axis=1).mean(), rel=1e-6)
    assert training.history["half"][2].as_py() == pytest.approx(loss / 2)


def test_an_epoch_of_batches_takes_every_example_once() -> None:
    toy = Targets()
    training = trained(2, toy, batch_size=2)
    batches = [batch or [] for batch in toy.seen]
    assert [len(batch) for batch in batches] == [2, 2, 1, 2, 2, 1]
    first, second = ([n for batch in half for n in batch] for half in (batches[:3], batches[3:]))
    assert sorted(first) == sorted(second) == [0, 1, 2, 3, 4]
    assert first != second
    assert (training.epoch, training.steps) == (2, 6)


@pytest.mark.parametrize("batch_size", [None, 5, 99])
def test_a_batch_of_everything_is_one_step_without_a_choice(batch_size: int | None) -> None:
    toy = Targets()
    assert trained(3, toy, batch_size=batch_size).steps == 3
    assert toy.seen == [None, None, None]


def test_metrics_of_uneven_batches_are_means_over_examples() -> None:
    toy = Targets()
    training = trained(1, toy, batch_size=2, optimizer="sgd", learning_rate=1e-12)
    every = ((np.array([1.0, -2.0]) - toy.targets.numpy()) ** 2).sum(axis=1)
    assert training.history["loss"][0].as_py() == pytest.approx(every.mean(), rel=1e-6)


def test_validation_stops_early_and_keeps_the_best() -> None:
    toy = Targets([5.0, 3.0, 4.0, 2.0, 2.0, 2.5, 9.0, 1.0])
    training = trained(8, toy, patience=3, optimizer="sgd", learning_rate=0.1)
    assert training.epoch == 7  # epoch 4 was best, and then three were not better
    assert training.history["validation_loss"].to_pylist() == [5.0, 3.0, 4.0, 2.0, 2.0, 2.5, 9.0]
    assert_allclose(training.result["value"], by_hand("sgd", 0.1, 4), rtol=1e-5)
    assert not any(toy.grad_enabled)


def test_resuming_waits_afresh() -> None:
    toy = Targets([5.0, 1.0, 2.0, 2.0, 2.0, 2.0, 0.5, 2.0])
    training = trained(8, toy, patience=2)
    assert training.epoch == 4
    training.restart_patience()
    training.run(8)
    assert training.epoch == 6
    training.restart_patience()
    training.run(7)
    assert training.best_epoch == 7


def test_without_a_fold_the_last_epoch_counts() -> None:
    assert_allclose(trained(6, optimizer="sgd", learning_rate=0.1).result["value"],
                    by_hand("sgd", 0.1, 6), rtol=1e-5)  # fmt: skip


def test_divergence_is_told_with_step_rate_and_remedy() -> None:
    with pytest.raises(ShortlistError) as error:
        trained(200, optimizer="sgd", learning_rate=50.0, batch_size=2)
    first, remedy = str(error.value).splitlines()
    assert first.startswith("Toy diverged: the loss is inf at step ")
    step, epoch = (int(first.split(word)[1].split()[0].strip("()")) for word in ("step", "(epoch"))
    assert epoch == -(-step // 3)
    assert first.endswith("with learning_rate=50, optimizer='sgd'")
    assert remedy == (
        "  to do: lower the learning rate (try 5), or start from smaller values (init_std)"
    )


def test_a_model_that_diverged_stays_what_it_was() -> None:
    model = small(loss="observed", optimizer="sgd", learning_rate=1.0).fit(small_world().data)
    before, history = model.recommend(k=3).table, model.history
    wild = small(loss="observed", optimizer="sgd", learning_rate=1e6, epochs=50)
    with pytest.raises(ShortlistError, match="MatrixFactorization diverged: the loss is"):
        wild.fit(small_world().data)
    assert not wild.is_fitted
    assert model.recommend(k=3).table.equals(before)
    assert model.history.equals(history)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_going_on_is_as_if_it_had_never_stopped(way: dict[str, Any]) -> None:
    whole = small(**way).fit(small_world().data)
    stopped = small(**way | {"epochs": 5}).fit(small_world().data)
    early = stopped.history
    assert early.num_rows == 5
    assert stopped.resume(7) is stopped
    assert stopped.history.slice(0, 5).equals(early)
    if "validation" in way:  # waiting starts afresh when it goes on: only the rows must agree
        count = min(whole.history.num_rows, stopped.history.num_rows)
        assert stopped.history.slice(0, count).equals(whole.history.slice(0, count))
        return
    assert stopped.history.equals(whole.history)
    assert_array_equal(stopped.learned.users, whole.learned.users)
    assert_array_equal(stopped.learned.items, whole.learned.items)
    pairs = [
        side.ids[:3].to_pylist() for side in (small_world().data.users, small_world().data.items)
    ]
    assert_array_equal(stopped.predict(*pairs), whole.predict(*pairs))


class KilledError(Exception):
    """Stands for a process that is gone."""


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_killed_training_goes_on_from_its_checkpoint(
    way: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, file = small_world().data, tmp_path / "run.safetensors"
    whole = small(**way).fit(data)
    kind = Bags if way.get("loss") == "softmax" else Factors
    start = kind.start_epoch

    def dies(self: Any, seed: list[int]) -> int:
        if seed[1] == 6:
            raise KilledError
        return start(self, seed)

    monkeypatch.setattr(kind, "start_epoch", dies)
    with pytest.raises(KilledError):
        small(**way).fit(data, checkpoint=file, checkpoint_seconds=0)
    assert [one.name for one in tmp_path.iterdir()] == ["run.safetensors"]
    begun: list[int] = []

    def noted(self: Any, seed: list[int]) -> int:
        begun.append(seed[1])
        return start(self, seed)

    monkeypatch.setattr(kind, "start_epoch", noted)
    again = small(**way).fit(data, checkpoint=file)
    assert begun[0] == 6
    assert again.history.equals(whole.history)
    assert_array_equal(again.learned.users, whole.learned.users)
    assert_array_equal(again.learned.items, whole.learned.items)
    # The end is kept too: nothing is left to train, and more epochs go on from there.
    begun.clear()
    assert small(**way).fit(data, checkpoint=file).history.equals(whole.history)
    assert begun == []
    if "validation" not in way:
        longer = small(**way | {"epochs": 15}).fit(data, checkpoint=file)
        assert begun == [12, 13, 14]
        assert longer.history.equals(small(**way | {"epochs": 15}).fit(data).history)


@pytest.mark.slow
def test_a_process_killed_at_any_moment_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "run.safetensors"
    program = (
        "from shortlist.models.factorization.model import MatrixFactorization\n"
        "from shortlist.testing import small_world\n"
        "model = MatrixFactorization(embedding_size=5, epochs=10**6)\n"
        f"model.fit(small_world().data, checkpoint={str(file)!r}, checkpoint_seconds=0)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    deadline = time.monotonic() + 120
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with pytest.raises(InputError, match="checkpoint of another training: seed=0 \\(here 1\\)"):
        small(seed=1).fit(small_world().data, checkpoint=file)
    epochs = 10**6
    with pytest.raises(InputError, match="more than epochs=1\n") as refused:
        MatrixFactorization(embedding_size=5, epochs=1).fit(small_world().data, checkpoint=file)
    found = re.search(r"has (\d+) epochs", str(refused.value))
    assert found is not None
    reached = int(found[1])
    assert 1 < reached < epochs
    done = MatrixFactorization(embedding_size=5, epochs=reached)
    done.fit(small_world().data, checkpoint=file)
    whole = MatrixFactorization(embedding_size=5, epochs=reached).fit(small_world().data)
    assert done.history.equals(whole.history)
    assert_array_equal(done.learned.users, whole.learned.users)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.safetensors"
    small().fit(small_world().data, checkpoint=file)
    kept = file.read_bytes()
    with pytest.raises(InputError) as error:
        small(gravity=2.0, seed=3).fit(small_world().data, checkpoint=file)
    assert str(error.value) == (
        f"{file} is the checkpoint of another training: "
        "gravity=10.0 (here 2.0), seed=0 (here 3)\n"
        "  to do: name another file, or delete this one to start from scratch"
    )
    part = small_world().data.select(small_world().data.user_rows != 3)
    with pytest.raises(InputError, match="checkpoint of another training: other interactions: "):
        small().fit(part, checkpoint=file)
    assert file.read_bytes() == kept


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda data: {"item_features": None}, "other features of users or items"),
        (
            lambda data: {"positions": data.positions[::-1]},
            "the same interactions in another order",
        ),
    ],
)
def test_a_checkpoint_of_other_features_or_another_order_is_refused(
    tmp_path: Path, changed: Any, message: str
) -> None:
    data = replace(small_world().data, times=None)
    small().fit(data, checkpoint=tmp_path / "run")
    with pytest.raises(InputError, match=f"is the checkpoint of another training: {message}\n"):
        small().fit(replace(data, **changed(data)), checkpoint=tmp_path / "run")


@pytest.mark.parametrize("name", ["parameter.users", "optimizer.items.exp_avg"])
def test_a_checkpoint_with_numbers_that_are_not_finite_is_refused(
    name: str, tmp_path: Path
) -> None:
    file = tmp_path / "run.safetensors"
    small().fit(small_world().data, checkpoint=file)
    with safe_open(file, framework="numpy") as stored:
        header, arrays = stored.metadata(), {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
    arrays[name] = np.full_like(arrays[name], np.nan)
    save_file(arrays, file, metadata=header)
    with pytest.raises(InputError) as error:
        small(epochs=15).fit(small_world().data, checkpoint=file)
    assert str(error.value) == (
        f"{file} is damaged: {name} holds numbers that are not finite\n"
        "  to do: delete this file to start from scratch"
    )


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not arrays")
    with pytest.raises(InputError, match=r"notes.txt is not a checkpoint: .*\n  to do: name anoth"):
        small().fit(small_world().data, checkpoint=text)
    assert text.read_text() == "not arrays"
    arrays = tmp_path / "arrays.safetensors"
    save_file({"users": np.zeros(3, np.float32)}, arrays)
    with pytest.raises(InputError, match="checkpoint of another training: another format"):
        small().fit(small_world().data, checkpoint=arrays)
    wild = small(loss="observed", optimizer="sgd", learning_rate=1e9)
    with pytest.raises(InputError, match=r"the folder .* does not exist"):  # before an epoch
        wild.fit(small_world().data, checkpoint=tmp_path / "none" / "run.safetensors")


def test_there_must_be_a_training_to_resume(tmp_path: Path) -> None:
    from shortlist.models.registry import load

    with pytest.raises(NotFittedError) as error:
        small().resume(1)
    assert str(error.value) == (
        "MatrixFactorization has no training to resume\n"
        "  to do: call fit(data) first; across processes, fit(data, checkpoint='file')"
    )
    model = small().fit(small_world().data)
    with pytest.raises(ConfigError, match="epochs=0 is out of range"):
        model.resume(0)
    with pytest.raises(NotFittedError, match="no training to resume"):
        load(model.save(tmp_path / "bundle")).resume(1)  # type: ignore[attr-defined]


def test_fitting_again_starts_afresh() -> None:
    model = small().fit(small_world().data)
    first = model.history
    assert model.resume(3).fit(small_world().data).history.equals(first)


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(ConfigError) as error:
        small(device="gpu").fit(small_world().data)
    assert "MatrixFactorization cannot train on device='gpu': " in str(error.value)
    assert str(error.value).endswith(
        "\n  to do: pass device='cpu', or install PyTorch for that device"
    )


def test_without_pytorch_fitting_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda package: None)
    with pytest.raises(ConfigError) as error:
        small().fit(small_world().data)
    assert str(error.value) == (
        "fitting MatrixFactorization needs torch, which is not installed\n"
        "  to do: pip install 'shortlist[torch]'"
    )


def test_a_bundle_recommends_without_pytorch(tmp_path: Path) -> None:
    for loss in ("regularized", "softmax"):
        model = small(loss=loss).fit(small_world().data)
        model.save(tmp_path / loss)
        program = (
            "import sys\nsys.modules['torch'] = None\nimport shortlist as sl\n"
            f"model = sl.load({str(tmp_path / loss)!r})\n"
            "new = model.recommend(queries=[sl.Query(history=['i03', 'i04'])], k=2)\n"
            "print(new.column('item_id'), model.recommend(['u03'], k=2).column('item_id'))\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        from shortlist.recommend.query import Query

        new = model.recommend(queries=[Query(history=["i03", "i04"])], k=2).column("item_id")
        known = model.recommend(["u03"], k=2).column("item_id")
        assert (done.stdout.strip(), done.stderr) == (f"{new} {known}", "")


def test_copies_leave_the_training_at_home() -> None:
    model = small().fit(small_world().data)
    state = model.__getstate__()
    assert state["_training"] is None
    assert state["_learned"] is model.learned
    model.resume(1)  # the model itself still has it


FORK = """
import os, sys, warnings
from shortlist.errors import ShortlistError
from shortlist.models.towers.ncf import GMF
from shortlist.testing import small_world

data = small_world().data
model = GMF(epochs=1)
warnings.simplefilter("ignore")  # newer versions of Python warn of forks with threads

def fit_in_a_fork():
    if os.fork():
        if code := os.waitstatus_to_exitcode(os.wait()[1]):
            sys.exit(code)
        return
    try:
        model.fit(data)
        print("fitted", flush=True)
    except ShortlistError as error:
        print(error, flush=True)
    os._exit(0)

fit_in_a_fork()
model.fit(data)
fit_in_a_fork()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can be forked")
def test_a_fork_of_a_process_that_has_trained() -> None:
    """A process that has not trained can be forked, one that has trained cannot train in a fork."""
    done = subprocess.run(
        [sys.executable, "-c", FORK],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == (
        "fitted\n"
        "GMF cannot be trained here: this process was forked from one that has trained, "
        "and has none of the threads of PyTorch\n"
        '  to do: start it anew: multiprocessing.get_context("spawn")\n'
    )


@pytest.mark.parametrize("way", [WAYS[0], WAYS[4]], ids=str)
def test_a_checkpoint_that_is_further_than_asked_is_refused(
    way: dict[str, Any], tmp_path: Path
) -> None:
    file, data = tmp_path / "run.safetensors", small_world().data
    reached = small(**way).fit(data, checkpoint=file).history.num_rows
    with pytest.raises(InputError) as refused:
        small(**way | {"epochs": reached - 1}).fit(data, checkpoint=file)
    assert str(refused.value) == (
        f"the checkpoint has {reached} epochs, more than epochs={reached - 1}\n"
        f"  where: {file}\n"
        f"  to do: ask for {reached} epochs or more, or name another file"
    )
    again = small(**way | {"epochs": reached}).fit(data, checkpoint=file)
    assert again.history.num_rows == reached
