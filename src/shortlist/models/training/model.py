"""What every model trained by gradient has: its settings, checkpoints, and going on later.

PyTorch is imported when training starts and not before: a fitted model, also one from a bundle,
scores without it.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.errors import ConfigError, NotFittedError
from shortlist.models.base import Model
from shortlist.models.config import ModelConfig, Search, hyper

if TYPE_CHECKING:
    from shortlist.models.training.loop import Arrays, Trainable, Training

CHECKPOINT_SECONDS = 60.0


class TrainingConfig(ModelConfig):
    """Settings that all models trained by gradient share."""

    epochs: int = hyper(60, "Passes over the data.", ge=1, search=Search(10, 500, "log"))
    batch_size: int | None = hyper(
        None, "Examples a step; None: all at once, so that an epoch is one step.", ge=1
    )
    learning_rate: float = hyper(
        0.05, "Length of the steps.", gt=0, search=Search(1e-3, 1.0, "log")
    )
    optimizer: Literal["sgd", "adagrad", "adam"] = hyper(
        "adam", "How steps follow from gradients; adagrad starts its sums at 0.1, as TensorFlow's."
    )
    validation: float = hyper(
        0.0,
        "Share of the interactions held out to stop early on; the best epoch is kept. 0: none.",
        ge=0,
        lt=1,
    )
    patience: int = hyper(
        10, "Epochs without a better validation loss after which training stops.", ge=1
    )
    precision: Literal["float32", "bfloat16"] = hyper(
        "float32",
        "In what matrix products are computed (autocast); parameters and sums stay float32.",
    )
    device: str = hyper("cpu", "Where to train: cpu, cuda, cuda:1, mps.")
    seed: int = hyper(0, "Seeds the first values, the batches, and what is drawn.", ge=0)


C = TypeVar("C", bound=TrainingConfig)
L = TypeVar("L")


class TrainedModel(Model[C, L]):
    """A model that the shared loop trains.

    Write :meth:`trainable` and :meth:`finished`, and ``score`` as for every model.
    """

    extra: ClassVar[str | None] = "torch"

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self._training: Training | None = None
        self._checkpoint: tuple[Path, float] | None = None

    @abstractmethod
    def trainable(self, data: Dataset) -> Trainable:
        """Make the parameters, at their first values, and their loss."""

    @abstractmethod
    def finished(self, data: Dataset, parameters: Arrays) -> L:
        """Turn trained parameters into what scoring needs."""

    def folds(self, data: Dataset) -> tuple[Dataset, Dataset | None]:
        """Give what is trained on, and the validation fold if the settings ask for one."""
        if self.config.validation == 0:
            return data, None
        return split.random(data, self.config.validation, seed=self.config.seed)

    def fit(
        self,
        data: Dataset,
        *,
        checkpoint: str | Path | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
    ) -> Self:
        """Learn from the data; a second call starts afresh.

        Parameters
        ----------
        data
            What to learn from.
        checkpoint
            A file that keeps the state of the training (parameters, optimiser, history), written
            every ``checkpoint_seconds`` and at the end. If it exists, training goes on from it, to
            the bit where it would have been had it never stopped. It must be of the same data and
            settings, except that ``epochs`` may differ.
        checkpoint_seconds
            How often to write it; 0: after every epoch.

        Raises
        ------
        InputError
            The checkpoint is of other data or settings, or is not a checkpoint.
        ShortlistError
            Training diverged: the loss is no longer finite.
        """
        self._checkpoint = None if checkpoint is None else (Path(checkpoint), checkpoint_seconds)
        try:
            return super().fit(data)
        finally:
            self._checkpoint = None

    def learn(self, data: Dataset) -> L:
        """Train, as many epochs as the settings say; ``history`` has one row an epoch."""
        from shortlist.models.training.checkpoint import Checkpoint
        from shortlist.models.training.loop import Training, require_device

        require_device(self.name, self.config.device)
        training = Training(self.name, self.trainable(data), self.config)
        checkpoint = None
        if self._checkpoint is not None:
            checkpoint = Checkpoint(*self._checkpoint, self.name, self.config, data)
            checkpoint.restore(training)
        training.run(self.config.epochs, checkpoint)
        self._training, self.history = training, training.history
        return self.finished(data, training.result)

    def resume(self, epochs: int) -> Self:
        """Train ``epochs`` more from where :meth:`fit` stopped, with the optimiser's state.

        ``fit`` with 60 epochs and ``resume(40)`` end where ``fit`` with 100 ends, to the bit.

        Raises
        ------
        NotFittedError
            There is no training to resume. A bundle holds what was learned, not the state of the
            training: that is what a checkpoint is for.
        """
        if self._training is None:
            raise NotFittedError(
                f"{self.name} has no training to resume",
                remedy="call fit(data) first; across processes, fit(data, checkpoint='file')",
            )
        if epochs < 1:
            raise ConfigError(f"epochs={epochs} is out of range", remedy="resume 1 or more")
        self._training.wait_afresh()
        self._training.run(self._training.epoch + epochs)
        self.history = self._training.history
        self._learned = self.finished(self.data, self._training.result)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Leave the state of the training at home: copies of the model only score."""
        return self.__dict__ | {"_training": None}
