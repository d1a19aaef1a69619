"""Settings of the neural collaborative filtering models."""

from __future__ import annotations

from typing import Literal

from shortlist.models.config import Search, hyper
from shortlist.models.training.model import TrainingConfig


class NCFConfig(TrainingConfig):
    """Settings that GMF, MLP and NeuMF share."""

    embedding_size: int = hyper(
        32, "Predictive factors: the length of what is weighed at the end.", ge=1, le=1024,
        search=Search(8, 128, "log"),
    )  # fmt: skip
    negatives: int = hyper(
        4, "Items drawn against each interaction, anew in every epoch.", ge=1, search=Search(1, 10)
    )
    negative_exponent: float = hyper(
        0.0, "Items are drawn in proportion to their interactions to this power; 0: all alike.",
        ge=0, le=1,
    )  # fmt: skip
    rejection: bool = hyper(True, "Never draw what the user has chosen.")
    regularization: float = hyper(
        0.0,
        "Half of it times (the squares of a sample's two rows + |h - 1|^2) is added to its loss; "
        "h: the weights of the product, where it has any.",
        ge=0, search=Search(1e-4, 1e-1, "log"),
    )  # fmt: skip
    init_std: float = hyper(
        0.01, "Standard deviation of the first rows of users and items.", gt=0,
        search=Search(1e-3, 0.3, "log"),
    )  # fmt: skip
    epochs: int = hyper(20, "Passes over the data.", ge=1, search=Search(5, 200, "log"))
    batch_size: int | None = hyper(
        1024,
        "Samples a step, negatives included; None: all at once, so that an epoch is one step.",
        ge=1,
        search=Search(128, 8192, "log"),
    )
    learning_rate: float = hyper(
        0.001, "Length of the steps.", gt=0, search=Search(1e-4, 1e-1, "log")
    )
    validation: float = hyper(
        0.0,
        "Share of the users of whom one interaction, drawn at random, is held out to stop early "
        "on; the best epoch is kept. 0: none.",
        ge=0,
        le=1,
    )
    validation_metric: Literal["ndcg", "loss"] = hyper(
        "ndcg",
        "What the fold is measured by: 1 - NDCG@10 among 99 drawn items, or the log loss.",
    )


class GMFConfig(NCFConfig):
    """Settings of GMF."""

    embedding_size: int = hyper(
        64, "Factors: the length of the vectors.", ge=1, le=1024, search=Search(8, 256, "log")
    )
    regularization: float = hyper(
        0.01,
        "Half of it times (the squares of a sample's two rows + |h - 1|^2) is added to its loss; "
        "without the second, h would grow as fast as the rows shrink.",
        ge=0, search=Search(1e-3, 1e-1, "log"),
    )  # fmt: skip
    epochs: int = hyper(40, "Passes over the data.", ge=1, search=Search(10, 200, "log"))
    weighted: bool = hyper(
        True, "Weigh the factors of the product by a learned vector; False: a plain dot product."
    )
    biases: bool = hyper(False, "Learn what every user and every item adds to a score.")


class MLPConfig(NCFConfig):
    """Settings of MLP."""

    layers: int = hyper(
        3, "Layers of the tower; each is half as wide as the one below.", ge=1, le=8,
        search=Search(1, 4),
    )  # fmt: skip


class NeuMFConfig(MLPConfig):
    """Settings of NeuMF."""

    pretraining: int = hyper(
        0, "Epochs that GMF and MLP are trained before they are fused, at most; 0: none.", ge=0
    )
    pretraining_rate: float = hyper(0.001, "Learning rate of those, with Adam.", gt=0)
    alpha: float = hyper(
        0.5, "Share of GMF in the fused output weights; MLP has the rest.", ge=0, le=1
    )
