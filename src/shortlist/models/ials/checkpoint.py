"""Checkpoints of IALS: a folder that holds the vectors after the last whole epoch.

Each process writes the vectors of its own users; ``training.json`` is written last and names the
files, so the folder holds a whole epoch at any time. Reading it runs no code.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.data.identity import identity_of
from shortlist.errors import InputError
from shortlist.models.config import difference
from shortlist.recommend.places import Place
from shortlist.scoring.scores import Floats

_FORMAT = 2
_STATE = "training.json"
_FILE_BYTES = 2**28  # of a file of vectors


class Start(NamedTuple):
    """Where a training is: vectors, and the loss after each epoch so far."""

    users: Floats  # (n_users, f)
    items: Floats  # (n_items, f)
    losses: tuple[float, ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """A folder for one training: of one model, with one data set and the same settings."""

    folder: Place
    identity: Mapping[str, Any]  # JSON values
    chosen: Mapping[str, Any] = field(default_factory=dict)  # the settings of the training

    def read(self, n_users: int, n_items: int, epochs: int) -> tuple[Start, dict[str, Any]] | None:
        """Return the state and the chosen settings that such a training saved, or None."""
        names = self.folder.names()
        if _STATE not in names:
            foreign = [name for name in names if not name.startswith(("users-", "items-"))]
            if foreign:
                raise InputError(
                    f"the folder holds {foreign[0]} and no checkpoint",
                    where=self.folder.url,
                    remedy="name a new folder",
                )
            return None
        try:
            state = json.loads(self.folder.read(_STATE))
            self._require_same(state["identity"])
            chosen, length = dict(state["chosen"]), int(state["chosen"]["embedding_size"])
            items = self._vectors([state["items"]], n_items, length)
            users = self._vectors(state["users"], n_users, length)
            losses = tuple(map(float, state["losses"]))
            if len(losses) > epochs:
                raise InputError(
                    f"the checkpoint has {len(losses)} epochs, more than epochs={epochs}",
                    where=self.folder.url,
                    remedy=f"ask for {len(losses)} epochs or more, or name another folder",
                )
            return Start(users, items, losses), chosen
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"the checkpoint is damaged: {error}",
                where=self.folder.url,
                remedy="delete the folder to start from scratch",
            ) from error

    def begin(self) -> None:
        """Make the folder, inside one that exists."""
        self.folder.create()

    def write_users(self, epoch: int, first: int, users: Floats) -> list[str]:
        """Write the vectors of users from a row on; return the names of the files."""
        rows = max(1, _FILE_BYTES // max(1, users.shape[1] * users.itemsize))
        return [
            self._write(f"users-{epoch:05}-{first + start:012}.npy", users[start : start + rows])
            for start in range(0, len(users), rows)
        ]

    def finish(self, epoch: int, items: Floats, losses: Iterable[float], users: list[str]) -> None:
        """Make an epoch the last whole one: its users are written. Delete the one before."""
        kept = self._write(f"items-{epoch:05}.npy", items)
        state = {
            "identity": self.identity,
            "chosen": dict(self.chosen),
            "losses": list(losses),
            "items": kept,
            "users": users,
        }
        self.folder.write(_STATE, json.dumps(state, indent=2).encode())
        for name in self.folder.names() - {_STATE, kept, *users}:
            if name.startswith(("users-", "items-")):
                self.folder.remove(name)

    def _write(self, name: str, vectors: Floats) -> str:
        content = io.BytesIO()
        np.save(content, np.ascontiguousarray(vectors), allow_pickle=False)
        self.folder.write(name, content.getbuffer())
        return name

    def _vectors(self, names: list[str], count: int, length: int) -> Floats:
        missing = sorted(set(names) - self.folder.names())
        if missing:
            raise ValueError(f"{missing[0]} is missing")
        parts = [np.load(io.BytesIO(self.folder.read(name)), allow_pickle=False) for name in names]
        vectors = np.concatenate([np.empty((0, length), np.float32), *parts])
        if vectors.dtype != np.float32 or vectors.shape != (count, length):
            raise ValueError(f"{names[0]} and what follows are not {count} vectors of {length}")
        if not np.isfinite(vectors).all():
            raise ValueError(f"{names[0]} or what follows holds numbers that are not finite")
        return vectors

    def _require_same(self, stored: Mapping[str, Any]) -> None:
        current = json.loads(json.dumps(self.identity))
        if stored == current:
            return
        raise InputError(
            f"the folder is the checkpoint of another training: {difference(stored, current)}",
            where=self.folder.url,
            remedy="name another folder, or delete this one to start from scratch",
        )


def identity_of_training(model: str, settings: Mapping[str, Any], data: Dataset) -> dict[str, Any]:
    """Return what must be the same: the data, and all settings but the number of epochs."""
    rest = {name: value for name, value in settings.items() if name != "epochs"}
    return {"format": _FORMAT, "model": model, **identity_of(data), "settings": rest}
