"""The state of a training on disk, from which a killed training is resumed.

One safetensors file: arrays, and a header that says what was trained. Reading it runs no code.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from shortlist.data.dataset import Dataset
from shortlist.data.identity import identity_of
from shortlist.errors import InputError
from shortlist.files import atomic_file
from shortlist.models.config import TrainingConfig, difference
from shortlist.models.training.loop import Training
from shortlist.scoring.finite import count_not_finite

FORMAT = "2"
_FINITE = ("parameter.", "optimizer.", "best.")  # prefixes of arrays
_COUNTS = ("epoch", "steps", "best_epoch", "waiting_since")


class Checkpoint:
    """A file that holds the state of a training; each state replaces the last one in one step.

    It is written every ``seconds``. The file of another model, other settings or other training
    data is refused: interactions, their order, or features.
    """

    def __init__(
        self, path: Path, seconds: float, name: str, config: TrainingConfig, data: Dataset
    ) -> None:
        if not path.parent.is_dir():  # raised now, not after the first epochs
            raise InputError(
                f"the folder {path.parent} does not exist",
                remedy="create it, or name another folder",
            )
        self.path, self.seconds, self._epochs = path, seconds, config.epochs
        settings = config.model_dump(mode="json", exclude={"epochs", "device"})
        self._header = {
            "format": FORMAT,
            "model": name,
            **identity_of(data),
            "settings": json.dumps(settings, sort_keys=True),
        }
        self._written = time.monotonic()

    def write_if_due(self, training: Training) -> None:
        """Write the state if the last one is old enough."""
        if time.monotonic() - self._written >= self.seconds:
            self.write(training)

    def write(self, training: Training) -> None:
        """Write the state of a training."""
        with atomic_file(self.path) as partial:
            save_file(_state(training), partial, metadata=self._header)
        self._written = time.monotonic()

    def restore(self, training: Training) -> None:
        """Bring a training that has not begun into the state of the file."""
        try:
            with safe_open(self.path, framework="numpy") as file:
                header = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise InputError(
                f"{self.path} is not a checkpoint: {error}",
                remedy="name another file, or delete this one",
            ) from None
        self._require_same(header)
        for name, array in arrays.items():  # best_loss and the history may hold infinities
            if name.startswith(_FINITE) and count_not_finite(array):
                raise InputError(
                    f"{self.path} is damaged: {name} holds numbers that are not finite",
                    remedy="delete this file to start from scratch",
                )
        reached = int(arrays["counts"][_COUNTS.index("epoch")])
        if reached > self._epochs:
            raise InputError(
                f"the checkpoint has {reached} epochs, more than epochs={self._epochs}",
                where=str(self.path),
                remedy=f"ask for {reached} epochs or more, or name another file",
            )
        _restore(training, arrays)

    def _require_same(self, header: dict[str, str]) -> None:
        if header == self._header:
            return
        stored, current = (
            each | {"settings": json.loads(each.get("settings", "{}"))}
            for each in (header, self._header)
        )
        raise InputError(
            f"{self.path} is the checkpoint of another training: {difference(stored, current)}",
            remedy="name another file, or delete this one to start from scratch",
        )


def _state(training: Training) -> dict[str, NDArray[Any]]:
    """Return everything that the next epoch depends on, by name."""
    named = dict(training.trainable.named_parameters())
    arrays = {f"parameter.{name}": value.detach().cpu().numpy() for name, value in named.items()}
    for name, value in named.items():
        for key, part in training.optimizer.state[value].items():
            if isinstance(part, torch.Tensor):  # plain SGD keeps a None
                arrays[f"optimizer.{name}.{key}"] = part.cpu().numpy()
    for name, best in (training.best or {}).items():
        arrays[f"best.{name}"] = best
    history = training.history
    for position, column in enumerate(history.column_names[1:]):  # the file sorts names
        arrays[f"history.{position}.{column}"] = history.column(column).to_numpy()
    arrays["counts"] = np.array([getattr(training, name) for name in _COUNTS], dtype=np.int64)
    arrays["best_loss"] = np.array(training.best_loss, dtype=np.float64)
    return {name: np.asarray(array, order="C") for name, array in arrays.items()}


def _below(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _restore(training: Training, arrays: dict[str, NDArray[Any]]) -> None:
    for name, value in training.trainable.named_parameters():
        with torch.no_grad():
            value.copy_(torch.from_numpy(arrays[f"parameter.{name}"]))
        training.optimizer.state[value] = {
            key: torch.from_numpy(part).to("cpu" if key == "step" else value.device)
            for key, part in _below(arrays, f"optimizer.{name}.").items()
        }
    training.best = _below(arrays, "best.") or None
    training.best_loss = float(arrays["best_loss"])
    for name, count in zip(_COUNTS, arrays["counts"].tolist(), strict=True):
        setattr(training, name, count)
    history = _below(arrays, "history.")
    keys = sorted(history, key=lambda key: int(key.partition(".")[0]))
    names = [key.partition(".")[2] for key in keys]
    values = zip(*(history[key].tolist() for key in keys), strict=True)
    training.rows = [dict(zip(names, row, strict=True)) for row in values]
