"""The settings that all models trained by gradient share."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shortlist.models.config import ModelConfig, Search, hyper

Arrays: TypeAlias = dict[str, NDArray[np.float32]]
"""Trained parameters by name."""


class TrainingConfig(ModelConfig):
    """Settings that all models trained by gradient share."""

    epochs: int = hyper(60, "Passes over the data.", ge=1, search=Search(10, 500, "log"))
    batch_size: int | None = hyper(
        None, "Examples per step; None: all at once, so that an epoch is one step.", ge=1
    )
    learning_rate: float = hyper(0.05, "Learning rate.", gt=0, search=Search(1e-3, 1.0, "log"))
    optimizer: Literal["sgd", "adagrad", "adam"] = hyper(
        "adam", "Optimiser; adagrad starts its sums at 0.1, as TensorFlow does."
    )
    validation: float = hyper(
        0.0,
        "Share of the interactions held out for early stopping; the best epoch is kept. 0: none.",
        ge=0,
        lt=1,
    )
    patience: int = hyper(
        10, "Epochs without a better validation loss after which training stops.", ge=1
    )
    precision: Literal["float32", "bfloat16"] = hyper(
        "float32", "Precision of matrix products (autocast); parameters and sums stay float32."
    )
    device: str = hyper("cpu", "Device to train on: cpu, cuda, cuda:1, mps.")
    seed: int = hyper(0, "Seeds the initial values, the batches and all random draws.", ge=0)
