"""The state of a training on disk, so that a killed one goes on where it was.

One safetensors file: arrays, and a header that says of what they are. Reading it runs no code.
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
from shortlist.errors import InputError
from shortlist.files import atomic_file
from shortlist.models.training.loop import Training
from shortlist.models.training.model import TrainingConfig

FORMAT = "1"
_COUNTS = ("epoch", "steps", "best_epoch", "waiting_since")


class Checkpoint:
    """A file that keeps a training.

    Parameters
    ----------
    path
        The file. Each state replaces the last one in one step.
    seconds
        How often :meth:`write_if_due` writes it.
    name, config, data
        Whose training it is: a file of another one is refused.
    """

    def __init__(
        self, path: Path, seconds: float, name: str, config: TrainingConfig, data: Dataset
    ) -> None:
        self.path, self.seconds = path, seconds
        settings = config.model_dump(mode="json", exclude={"epochs", "device"})
        self._header = {
            "format": FORMAT,
            "model": name,
            "data": data.fingerprint,
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
        """Bring a training that has just begun into the state of the file, if there is one.

        Raises
        ------
        InputError
            The file is not a checkpoint, or of other data, another model or other settings; or
            its folder does not exist.
        """
        if not self.path.parent.is_dir():  # now, and not when the first state is written
            raise InputError(
                f"the folder {self.path.parent} does not exist",
                remedy="create it, or name another place",
            )
        if not self.path.exists():
            return
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
        _restore(training, arrays)

    def _require_same(self, header: dict[str, str]) -> None:
        if header == self._header:
            return
        what = next((key for key in self._header if header.get(key) != self._header[key]), "format")
        told = f"another {what}"
        if what == "settings":
            theirs, ours = (json.loads(one[what]) for one in (header, self._header))
            told = ", ".join(
                f"{name}={theirs.get(name)!r} (here {value!r})"
                for name, value in ours.items()
                if theirs.get(name) != value
            )
        raise InputError(
            f"{self.path} is the checkpoint of another training: {told}",
            remedy="name another file, or delete this one to start afresh",
        )


def _state(training: Training) -> dict[str, NDArray[Any]]:
    """Give everything that the next epoch depends on, by name."""
    named = dict(training.trainable.named_parameters())
    arrays = {f"parameter.{name}": value.detach().cpu().numpy() for name, value in named.items()}
    for name, value in named.items():
        for key, part in training.optimizer.state[value].items():
            if isinstance(part, torch.Tensor):  # plain SGD keeps a None
                arrays[f"optimizer.{name}.{key}"] = part.cpu().numpy()
    for name, best in (training.best or {}).items():
        arrays[f"best.{name}"] = best
    history = training.history
    for place, column in enumerate(history.column_names[1:]):  # the file sorts names
        arrays[f"history.{place}.{column}"] = history.column(column).to_numpy()
    arrays["counts"] = np.array([getattr(training, name) for name in _COUNTS], dtype=np.int64)
    arrays["best_loss"] = np.array(training.best_loss, dtype=np.float64)
    return {name: np.asarray(array, order="C") for name, array in arrays.items()}


def _restore(training: Training, arrays: dict[str, NDArray[Any]]) -> None:
    def below(prefix: str) -> dict[str, NDArray[Any]]:
        return {
            name.removeprefix(prefix): array
            for name, array in arrays.items()
            if name.startswith(prefix)
        }

    for name, value in training.trainable.named_parameters():
        with torch.no_grad():
            value.copy_(torch.from_numpy(arrays[f"parameter.{name}"]))
        kept = {key: torch.from_numpy(part) for key, part in below(f"optimizer.{name}.").items()}
        training.optimizer.state[value] = {
            key: part if key == "step" else part.to(value.device) for key, part in kept.items()
        }
    training.best = below("best.") or None
    training.best_loss = float(arrays["best_loss"])
    for name, count in zip(_COUNTS, arrays["counts"].tolist(), strict=True):
        setattr(training, name, count)
    columns = {int(name.partition(".")[0]): name for name in below("history.")}
    names = [columns[place].partition(".")[2] for place in sorted(columns)]
    values = [below("history.")[columns[place]].tolist() for place in sorted(columns)]
    training.rows = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
