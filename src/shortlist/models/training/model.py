"""The base of all models trained by gradient: training, checkpoints and resuming.

PyTorch is imported when training starts and not before: a fitted or loaded model scores without it.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np

from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.engine import Engine, LocalEngine
from shortlist.errors import CapabilityError, ConfigError, NotFittedError
from shortlist.models.base import Fitted, Model
from shortlist.models.config import Arrays, TrainingConfig

if TYPE_CHECKING:
    from shortlist.models.training.loop import Trainable, Training

CHECKPOINT_SECONDS = 60.0
COPIES = 6  # of the parameters: their values, gradients, two of Adam, the best ones, the result

C = TypeVar("C", bound=TrainingConfig)
L = TypeVar("L")


class TrainedModel(Model[C, L]):
    """A model that the training loop trains.

    A subclass writes :meth:`trainable`, :meth:`finished` and, as every model, ``score``.
    """

    extra: ClassVar[str | None] = "torch"

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._training: Training | None = None

    @abstractmethod
    def trainable(self, data: Dataset) -> Trainable:
        """Return the parameters, at their initial values, and their loss."""

    def warm_start(self, trainable: Any, data: Dataset) -> None:
        """Replace the random initial values; not called when a checkpoint is resumed."""

    @abstractmethod
    def finished(self, data: Dataset, parameters: Arrays) -> L:
        """Turn trained parameters into the arrays that scoring needs."""

    def folds(self, data: Dataset) -> tuple[Dataset, Dataset | None]:
        """Return the data to train on, and the validation fold if the settings ask for one.

        Users and items whose interactions would all be held out stay in training with all of them.
        """
        if self.config.validation == 0:
            return data, None
        held = split.drawn(data, self.config.validation, self.config.seed)
        for rows in (data.user_rows, data.item_rows):
            held &= np.isin(rows, rows[~held])
        return (data.select(~held), data.select(held)) if held.any() else (data, None)

    def fit(
        self,
        data: Dataset,
        *,
        checkpoint: str | Path | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        engine: Engine | str | None = None,
    ) -> Self:
        """Learn from the data; a second call starts from scratch.

        Parameters
        ----------
        data
            The training data.
        checkpoint
            A file for the state of the training (parameters, optimiser, history), written every
            ``checkpoint_seconds`` and at the end. If the file exists, training resumes from it and
            gives bit for bit what an uninterrupted training gives. Data and settings must be the
            same as before; only ``epochs`` may be more.
        checkpoint_seconds
            The interval at which the file is written; 0: after every epoch.
        engine
            None or local: training by gradient runs in this process only. Lists and figures of the
            trained model are computed on any engine, and ``compare`` and ``tune`` train several
            models at a time on a cluster, each in one of its processes.

        Raises
        ------
        CapabilityError
            ``engine`` is a cluster.
        InputError
            The checkpoint is of other data or settings, has more epochs, or is not a checkpoint.
        ShortlistError
            Training diverged: the loss is no longer finite.
        """
        if not (engine in (None, "local") or isinstance(engine, LocalEngine)):
            raise CapabilityError(
                f"{self.name} is trained by gradient, in one process and not over a cluster",
                remedy="fit it without an engine; recommend, evaluate, compare and tune take the "
                "engine",
            )
        self.require_fittable(data)
        self._training = self._train(data, checkpoint, checkpoint_seconds)
        learned = self.finished(data, self._training.result)
        return self.restore(data, learned, self._training.history)

    def learn(self, data: Dataset) -> Fitted[L]:
        """Train for as many epochs as the settings say."""
        training = self._train(data)
        return Fitted(self.finished(data, training.result), training.history)

    def _train(
        self, data: Dataset, path: str | Path | None = None, seconds: float = CHECKPOINT_SECONDS
    ) -> Training:
        """Train from the initial values, or from the checkpoint if the file exists."""
        from shortlist.models.training.checkpoint import Checkpoint
        from shortlist.models.training.loop import Training, require_device

        require_device(self.name, self.config.device)
        checkpoint = None
        if path is not None:
            checkpoint = Checkpoint(Path(path), seconds, self.name, self.config, data)
        trainable = self.trainable(data)
        training = Training(self.name, trainable, self.config)
        if checkpoint is None or not checkpoint.path.exists():
            self.warm_start(trainable, data)
        else:
            checkpoint.restore(training)
        training.run(self.config.epochs, None if checkpoint is None else checkpoint.write_if_due)
        if checkpoint is not None:
            checkpoint.write(training)
        return training

    def resume(self, epochs: int) -> Self:
        """Train ``epochs`` more from where :meth:`fit` stopped, with the optimiser's state.

        ``fit`` with 60 epochs and ``resume(40)`` give bit for bit what ``fit`` with 100 gives.

        Raises
        ------
        NotFittedError
            There is no training to resume. A bundle does not keep the state of the training; a
            checkpoint does.
        """
        if self._training is None:
            raise NotFittedError(
                f"{self.name} has no training to resume",
                remedy="call fit(data) first; across processes, fit(data, checkpoint='file')",
            )
        if epochs < 1:
            raise ConfigError(f"epochs={epochs} is out of range", remedy="resume 1 or more")
        self._training.restart_patience()
        self._training.run(self._training.epoch + epochs)
        learned = self.finished(self.data, self._training.result)
        return self.restore(self.data, learned, self._training.history)

    def __getstate__(self) -> dict[str, Any]:
        """Drop the training state when the model is copied: a copy only scores."""
        return self.__dict__ | {"_training": None}
