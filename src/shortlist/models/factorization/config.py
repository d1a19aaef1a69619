"""The settings of matrix factorisation."""

from __future__ import annotations

from typing import Literal

from shortlist.models.config import Search, hyper
from shortlist.models.training.config import TrainingConfig


class FactorizationConfig(TrainingConfig):
    """Settings of :class:`~shortlist.models.factorization.model.MatrixFactorization`.

    The defaults were chosen by NDCG@10 on validation folds of ML-100K, of the bundled films, and of
    synthetic job data.
    """

    loss: Literal["observed", "regularized", "softmax"] = hyper(
        "regularized",
        "The loss: squared error on known cells (observed); that plus the squared lengths and the "
        "squared scores of all pairs (regularized); or cross-entropy of a chosen item (softmax).",
    )
    embedding_size: int = hyper(
        128, "Length of the vectors.", ge=1, le=2048, search=Search(8, 256, "log")
    )
    regularization: float = hyper(
        0.3, "Weight of the mean squared length (regularized).", ge=0,
        search=Search(0.01, 1, "log", when=("loss", "regularized")),
    )  # fmt: skip
    gravity: float = hyper(
        10.0, "Weight of the mean squared score of all pairs (regularized).", ge=0,
        search=Search(0.3, 30, "log", when=("loss", "regularized")),
    )  # fmt: skip
    biases: bool = hyper(False, "Learn a bias for every user and every item.")
    init_std: float = hyper(
        0.1, "Standard deviation of the initial vectors.", gt=0, search=Search(0.01, 1, "log")
    )
    layers: int = hyper(1, "Linear layers from the bag to the user's vector (softmax).", ge=1)
    genre_size: int = hyper(3, "Length of genre embeddings (softmax); 0: none.", ge=0)
    genre_column: str = hyper("genres", "The item feature with the genres, a list.")
    year_size: int = hyper(2, "Length of year embeddings (softmax); 0: none.", ge=0)
    year_column: str = hyper("year", "The item feature with the year.")
