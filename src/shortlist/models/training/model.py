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
from shortlist.models.base import Fitted, Model
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

    @abstractmethod
    def trainable(self, data: Dataset) -> Trainable:
        """Make the parameters, at their first values, and their loss."""

    def warm_start(self, trainable: Any, data: Dataset) -> None:
        """Replace the random first values; not called when a checkpoint is resumed."""

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
        self._require_fittable(data)
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
        """Train, from the checkpoint on if there is one."""
        from shortlist.models.training.checkpoint import Checkpoint
        from shortlist.models.training.loop import Training, require_device

        require_device(self.name, self.config.device)
        trainable = self.trainable(data)
        if path is None or not Path(path).exists():
            self.warm_start(trainable, data)
        training = Training(self.name, trainable, self.config)
        checkpoint = None
        if path is not None:
            checkpoint = Checkpoint(Path(path), seconds, self.name, self.config, data)
            checkpoint.restore(training)
        training.run(self.config.epochs, checkpoint)
        return training

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
        learned = self.finished(self.data, self._training.result)
        return self.restore(self.data, learned, self._training.history)

    def __getstate__(self) -> dict[str, Any]:
        """Drop the training state when the model is copied: a copy only scores."""
        return self.__dict__ | {"_training": None}
