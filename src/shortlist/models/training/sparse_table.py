"""Steps of the optimiser on the rows of a table that a batch uses, and on no others."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shortlist.kernels.embeddings import Batch, Table, catch_up, take_step
from shortlist.models.config import TrainingConfig
from shortlist.scoring.scores import Floats


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
        """Take a step with the gradient at each place of the batch."""
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
