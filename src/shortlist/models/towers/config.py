"""The settings of the models of two towers: retrieval, ranking, both at once, and NCF."""

from __future__ import annotations

from typing import Literal

from shortlist.models.config import Search, hyper
from shortlist.models.training.config import TrainingConfig


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


class HeadConfig(TowersConfig):
    """Settings of a head over two vectors."""

    head_layers: tuple[int, ...] = hyper(
        (64,), "Widths of the hidden layers (ReLU) over both vectors; empty: none."
    )
    cross_layers: int = hyper(
        0, "Layers that multiply inputs with each other (DCN v2), before the hidden ones.", ge=0
    )
    cross_rank: int | None = hyper(
        None, "The rank of what cross layers multiply by; None: full.", ge=1
    )
    product: bool = hyper(True, "Add the dot product of both vectors to the head's score.")
    dropout: float = hyper(
        0.1,
        "Share of numbers left out of vectors and hidden layers of the head in training.",
        ge=0,
        lt=1,
        search=Search(0.0, 0.6),
    )


class RetrievalConfig(TowersConfig):
    """Settings of :class:`Retrieval`."""

    epochs: int = hyper(20, "Passes over the data.", ge=1, search=Search(5, 60, "log"))
    batch_size: int | None = hyper(
        1024,
        "Interactions a step, whose items compete; None: all (with history a fifth at most).",
        ge=1,
    )
    learning_rate: float = hyper(
        0.01, "Length of the steps.", gt=0, search=Search(1e-3, 1.0, "log")
    )
    layers: tuple[int, ...] = hyper(
        (), "Widths of hidden layers (ReLU) in both towers; empty: a vector is a sum."
    )
    temperature: float = hyper(
        1.0, "What scores are divided by in the softmax.", gt=0, search=Search(0.05, 2, "log")
    )
    normalize: bool = hyper(
        False, "Bring vectors to length 1; choose a temperature of about 0.1 with it."
    )
    popularity_correction: bool = hyper(
        True, "Take the log of how often an item is drawn from its logits (logQ)."
    )
    false_negatives: Literal["keep", "label", "known"] = hyper(
        "known",
        "What does not compete: nothing is left out (keep); the label, where others in the batch "
        "chose it too (accidental hits); or all that the user is known to have chosen.",
        search=Search(choices=("label", "known")),
    )
    hard_negatives: int = hyper(
        0,
        "How many of the items that a user scores highest and did not choose compete besides; "
        "found by exact search before every epoch.",
        ge=0,
    )
    reduction: Literal["sum", "mean"] = hyper(
        "sum",
        "Whether the loss of a step is the sum over its examples (as in TensorFlow Recommenders) "
        "or their mean. Adam learns the same by both; by a mean Adagrad hardly moves.",
    )


class RankingConfig(HeadConfig):
    """Settings of :class:`Ranking`."""

    loss: Literal["logistic", "squared", "hinge", "listmle"] = hyper(
        "logistic",
        "What is minimised: the surprise at who chose what, against drawn negatives; the error of "
        "weights (ratings); or the disorder of lists, by pairs (hinge) or whole (listmle).",
    )
    negatives: int = hyper(
        4,
        "Items drawn against every chosen one (not for squared).",
        ge=0,
        search=Search(choices=(1, 2, 4, 8)),
    )
    rejection: bool = hyper(True, "Never draw what the user chose as a negative.")
    list_size: int = hyper(5, "Chosen items in a list (hinge, listmle).", ge=1)
    embedding_size: int = hyper(
        32, "Length of the vectors.", ge=1, le=2048, search=Search(8, 128, "log")
    )
    epochs: int = hyper(20, "Passes over the data.", ge=1, search=Search(5, 60, "log"))
    batch_size: int | None = hyper(
        1024, "Interactions a step; None: all (with history a fifth at most).", ge=1
    )
    learning_rate: float = hyper(
        0.005, "Length of the steps.", gt=0, search=Search(1e-3, 1.0, "log")
    )


class MultiTaskConfig(RetrievalConfig, HeadConfig):
    """Settings of :class:`MultiTask`."""

    retrieval_weight: float = hyper(
        1.0, "Weight of the retrieval loss.", ge=0, search=Search(0.1, 10, "log")
    )
    rating_weight: float = hyper(
        1.0, "Weight of the squared error of ratings.", ge=0, search=Search(0.1, 10, "log")
    )
    reduction: Literal["sum", "mean"] = hyper(
        "mean",
        "Whether the retrieval loss of a step is the sum over its examples (as in TensorFlow "
        "Recommenders) or their mean. The squared error is always a mean.",
    )


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
