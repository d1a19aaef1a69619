"""The loop that trains every model of this library that learns by gradient.

Batches are slices of whole tensors: no example is loaded, collated or copied by itself.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shortlist.errors import ConfigError, ShortlistError
from shortlist.kernels.embeddings import Batch, Table, catch_up, take_step
from shortlist.models.config import Arrays, TrainingConfig
from shortlist.progress import Pace, pace_of, track
from shortlist.scoring.scores import Floats

_trained_in: int | None = None  # the process that PyTorch has started its threads in
ADAGRAD_START = 0.1  # as TensorFlow and Keras; from PyTorch's 0 the first step is the whole rate


class Trainable(torch.nn.Module, ABC):
    """Parameters and their loss, for the training loop.

    A subclass writes the three abstract methods and replaces others where it has a better way.
    """

    threads: int | None = None  # how many threads PyTorch may use; None: its default
    held: object | None = None  # the validation fold, if there is one
    samples: int = 1  # samples per example, for the speed in samples per second
    steps_at_once: int = 1  # batches that one call of :meth:`take_steps` gets, at most

    @abstractmethod
    def start_epoch(self, seed: list[int]) -> int:
        """Draw labels, negatives or whatever an epoch needs; return its number of examples.

        ``seed`` is for ``np.random.default_rng`` and differs in every epoch.
        """

    @abstractmethod
    def losses(self, chosen: Tensor | None) -> dict[str, Tensor]:
        """Return ``loss``, which is minimised, and other metrics for the history.

        Each is a mean over the chosen examples, int64 (B,); None: over all of them.
        """

    @abstractmethod
    def validation_loss(self) -> Tensor:
        """Return the loss on the validation fold; only called where there is one."""

    def examples_a_step(self, batch_size: int | None) -> int | None:
        """Return the number of examples per step for a ``batch_size``; None: all of them."""
        return batch_size

    def step(self, chosen: Tensor | None, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """Take one optimiser step by autograd; return the losses before it.

        A subclass that replaces this works on the parameters and the optimiser's state in place,
        so that checkpoints stay the same.
        """
        optimizer.zero_grad()
        losses = self.losses(chosen)
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return losses

    def take_steps(
        self, batches: Sequence[Tensor | None], optimizer: torch.optim.Optimizer
    ) -> list[dict[str, Tensor]]:
        """Take a step for each batch; return the losses before each."""
        return [self.step(chosen, optimizer) for chosen in batches]

    def end_epoch(self, optimizer: torch.optim.Optimizer) -> None:
        """Complete the parameters and the optimiser's state after the last step of an epoch."""


def _require_threads(name: str) -> None:
    """Raise an error in a fork of a process that has trained: PyTorch would wait forever there."""
    global _trained_in
    if _trained_in not in (None, os.getpid()):
        raise ShortlistError(
            f"{name} cannot be trained here: this process was forked from one that has trained, "
            "and has none of the threads of PyTorch",
            remedy='start it anew: multiprocessing.get_context("spawn")',
        )
    _trained_in = os.getpid()


class SparseTable:
    """Steps of the optimiser on the rows of an embedding table, in place, for one epoch."""

    def __init__(
        self, parameter: nn.Parameter, optimizer: torch.optim.Optimizer, config: TrainingConfig
    ) -> None:
        self.config, self.state = config, optimizer.state[parameter]
        self.step = int(self.state.get("step", 0))
        names = {"sgd": (), "adagrad": ("sum",), "adam": ("exp_avg", "exp_avg_sq")}
        for name in names[config.optimizer]:
            self.state.setdefault(name, torch.zeros_like(parameter, requires_grad=False))
        moments = [self.state[name].numpy() for name in names[config.optimizer]]
        self.values = parameter.detach()
        values = self.values.numpy()
        self.table = Table(values, moments, np.full(len(values), self.step))
        self.batch = Batch.of(np.empty(0, dtype=np.int32))

    def begin_step(self, rows: NDArray[np.int32]) -> None:
        """Bring the rows of a batch up to date."""
        self.batch = Batch.of(rows)
        self._catch_up(self.batch.rows)
        self.step += 1

    def gather(self, rows: NDArray[np.int32]) -> Tensor:
        """Copy rows, to compute their gradients."""  # (n, C)
        return self.values.index_select(0, torch.from_numpy(rows)).requires_grad_()

    def take_step(self, gradients: Floats) -> None:
        """Take a step with the gradient of each row of the batch."""
        optimizer, rate = self.config.optimizer, self.config.learning_rate
        take_step(self.table, self.batch, gradients, optimizer, self.step, rate)

    def end_epoch(self) -> None:
        """Bring all rows, and the state of the optimiser, up to date."""
        self._catch_up(np.arange(len(self.table.values), dtype=np.int32))
        if self.config.optimizer != "sgd":
            self.state["step"] = torch.tensor(float(self.step))

    def _catch_up(self, rows: NDArray[np.int32]) -> None:
        if self.config.optimizer == "adam":
            catch_up(self.table, rows, self.step, self.config.learning_rate)


class SparseTrainable(Trainable):
    """A trainable that may step on only those rows of an embedding table that a batch uses."""

    config: Any  # a TrainingConfig
    _table: SparseTable | None = None

    @property
    def updates_rows(self) -> bool:
        """Whether it does: on a CPU, in float32."""
        on_cpu = torch.device(self.config.device).type == "cpu"
        return on_cpu and self.config.precision == "float32"

    def table(self, parameter: nn.Parameter, optimizer: torch.optim.Optimizer) -> SparseTable:
        """Return the table of the epoch; ``start_epoch`` must set it to None."""
        if self._table is None:
            self._table = SparseTable(parameter, optimizer, self.config)
        return self._table

    def end_epoch(self, optimizer: torch.optim.Optimizer) -> None:
        """Bring all rows up to date."""
        if self._table is not None:
            self._table.end_epoch()


class Training:
    """A training that can stop and be resumed without loss, after any number of epochs."""

    def __init__(self, name: str, trainable: Trainable, config: TrainingConfig) -> None:
        self.name, self.config = name, config
        self.trainable = trainable.to(config.device)
        self.optimizer = _optimizer(config, trainable)
        self.epoch = self.steps = 0  # taken so far
        self.speed = 0.0  # samples per second in the last epoch, sampling included
        self.rows: list[dict[str, float]] = []
        self.best: Arrays | None = None
        self.best_loss, self.best_epoch, self.waiting_since = np.inf, 0, 0

    @property
    def history(self) -> pa.Table:
        """The metrics, one row per epoch: means over its steps, each taken before the step."""
        columns = {"epoch": pa.array(range(1, len(self.rows) + 1), pa.int64())}
        for name in self.rows[0] if self.rows else ():
            columns[name] = pa.array([row[name] for row in self.rows], pa.float64())
        return pa.table(columns)

    @property
    def result(self) -> Arrays:
        """The parameters of the best epoch on the validation fold, else of the last epoch."""
        return self._parameters() if self.best is None else self.best

    def run(self, until: int, after_epoch: Callable[[Training], None] | None = None) -> None:
        """Train up to epoch ``until``, or until the validation loss stops falling.

        ``after_epoch`` is called after every epoch, to write a checkpoint for instance.
        """
        _require_threads(self.name)
        with _torch_threads(self.trainable.threads):
            stops_early = self.trainable.held is not None
            pace = pace_of(f"training {self.name}", until - self.epoch, most=stops_early)
            for _ in track(range(self.epoch, until), self._progress, alike=False):
                if self._out_of_patience():
                    break
                self._run_epoch(pace)
                if after_epoch is not None:
                    after_epoch(self)

    def restart_patience(self) -> None:
        """Count the epochs without improvement from here on."""
        self.waiting_since = self.epoch

    def _progress(self) -> str:
        """Return the text of the progress bar."""
        text = f"training {self.name}"
        if not self.rows:
            return text
        return f"{text}: loss {self.rows[-1]['loss']:.4g}, {self.speed:,.0f} samples/s"

    def _out_of_patience(self) -> bool:
        since = max(self.best_epoch, self.waiting_since)
        return self.best is not None and self.epoch - since >= self.config.patience

    def _run_epoch(self, pace: Pace | None) -> None:
        # Seeded by the epoch, so that a resumed training draws the same as an uninterrupted one.
        seed = [self.config.seed, self.epoch]
        started = time.perf_counter()
        n_examples = self.trainable.start_epoch([*seed, 1])
        sizes, steps = [], []
        on_cpu = torch.device(self.config.device).type == "cpu"
        for batches in self._batches(n_examples, seed):
            with self._precision():
                taken = self.trainable.take_steps(batches, self.optimizer)
            steps += [[value.detach() for value in losses.values()] for losses in taken]
            sizes += [n_examples if chosen is None else len(chosen) for chosen in batches]
            if pace is not None and on_cpu:
                pace.add(sum(sizes[-len(batches) :]) / n_examples)
        if pace is not None and not on_cpu:  # a GPU may not have taken the steps yet
            pace.add(1)
        self.trainable.end_epoch(self.optimizer)
        # Read only now: reading after every step would wait for the device each time.
        values = np.array([[float(value) for value in step] for step in steps])
        self._require_finite(values[:, 0])  # (n_steps, n_metrics)
        self.speed = n_examples * self.trainable.samples / (time.perf_counter() - started)
        self.epoch, self.steps = self.epoch + 1, self.steps + len(steps)
        means = np.array(sizes) @ values / n_examples
        self.rows.append(dict(zip(taken[-1], means.tolist(), strict=True)))
        if self.trainable.held is not None:
            self._validate()

    def _precision(self) -> AbstractContextManager[object]:
        """Compute matrix products in the precision of the settings; sums stay float32."""
        if self.config.precision == "float32":
            return nullcontext()
        return torch.autocast(torch.device(self.config.device).type, torch.bfloat16)

    def _batches(self, n_examples: int, seed: list[int]) -> Iterator[Sequence[Tensor | None]]:
        """Yield the batches, as many as the trainable takes at once."""
        size = self.trainable.examples_a_step(self.config.batch_size)
        if size is None or size >= n_examples:
            yield [None]
            return
        shuffled = np.random.default_rng(seed).permutation(n_examples)
        order = torch.from_numpy(shuffled).to(self.config.device)
        for part in torch.split(order, size * self.trainable.steps_at_once):
            yield torch.split(part, size)

    def _require_finite(self, losses: NDArray[np.float64]) -> None:
        finite = np.isfinite(losses)
        if finite.all():
            return
        step, rate = int(finite.argmin()), self.config.learning_rate
        raise ShortlistError(
            f"{self.name} diverged: the loss is {losses[step]} at step {self.steps + step + 1} "
            f"(epoch {self.epoch + 1}) with learning_rate={rate:g}, "
            f"optimizer={self.config.optimizer!r}",
            remedy=f"lower the learning rate (try {rate / 10:g}), or start from smaller values "
            "(init_std)",
        )

    def _validate(self) -> None:
        self.trainable.eval()
        with torch.no_grad(), self._precision():
            loss = float(self.trainable.validation_loss())
        self.trainable.train()
        self.rows[-1]["validation_loss"] = loss
        if loss < self.best_loss:
            self.best, self.best_loss, self.best_epoch = self._parameters(), loss, self.epoch

    def _parameters(self) -> Arrays:
        return {
            name: value.detach().cpu().numpy().copy()
            for name, value in self.trainable.named_parameters()
        }


@contextmanager
def _torch_threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def require_device(name: str, device: str) -> None:
    """Raise ConfigError if the device does not exist, or not on this machine."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            f"{name} cannot train on device={device!r}: {str(error).splitlines()[0]}",
            remedy="pass device='cpu', or install PyTorch for that device",
        ) from None


def _optimizer(config: TrainingConfig, trainable: Trainable) -> torch.optim.Optimizer:
    parameters, rate = trainable.parameters(), config.learning_rate
    fused = torch.device(config.device).type == "cpu"  # one pass over a parameter; same steps
    match config.optimizer:
        case "sgd":
            return torch.optim.SGD(parameters, rate, fused=fused)
        case "adagrad":
            return torch.optim.Adagrad(
                parameters, rate, initial_accumulator_value=ADAGRAD_START, fused=fused
            )
        case "adam":
            return torch.optim.Adam(parameters, rate, fused=fused)
