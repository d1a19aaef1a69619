"""The settings that all models of two towers share."""

from __future__ import annotations

from shortlist.models.config import Search, hyper
from shortlist.models.training.model import TrainingConfig


class TowersConfig(TrainingConfig):
    """Settings that all models of two towers share."""

    embedding_size: int = hyper(
        64, "Length of the vectors.", ge=1, le=2048, search=Search(16, 256, "log")
    )
    user_ids: bool = hyper(
        False, "Learn a vector of every user, besides what features and history say."
    )
    history: bool = hyper(True, "Let the items that a user chose speak for the user.")
    features: bool = hyper(True, "Use the features of users and items, where there are any.")
    biases: bool = hyper(
        True, "Learn what all users share, and what every item, and its features, add to a score."
    )
    input_dropout: float = hyper(
        0.2,
        "How often an id, or the features of a row, are left out in training, so that the rest "
        "learns to do without them.",
        ge=0,
        lt=1,
        search=Search(0.0, 0.6),
    )
    history_dropout: float = hyper(
        0.3,
        "How often a chosen item is left out of a history in training.",
        ge=0,
        lt=1,
        search=Search(0.0, 0.8),
    )
    regularization: float = hyper(
        0.01,
        "Weight of the mean squared length of the vectors.",
        ge=0,
        search=Search(1e-4, 0.3, "log"),
    )
    init_std: float = hyper(
        0.1, "Standard deviation of the first vectors.", gt=0, search=Search(0.01, 1, "log")
    )
