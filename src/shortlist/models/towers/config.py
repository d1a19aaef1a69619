"""The settings of all models of two towers: retrieval, ranking, both at once, and NCF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import model_validator

from shortlist.data.dataset import Dataset
from shortlist.models.config import Search, TrainingConfig, hyper


class TowersConfig(TrainingConfig):
    """Settings that all models of two towers share."""

    embedding_size: int = hyper(
        64, "Length of the vectors.", ge=1, le=2048, search=Search(16, 256, "log")
    )
    epochs: int = hyper(20, "Passes over the data.", ge=1, search=Search(5, 60, "log"))
    user_ids: bool = hyper(False, "Learn a vector of every user, besides features and history.")
    history: bool = hyper(True, "Represent users by the items that they chose.")
    features: bool = hyper(True, "Use the features of users and items, if there are any.")
    biases: bool = hyper(
        True, "Learn a vector that all users share, and a bias of every item and item feature."
    )
    input_dropout: float = hyper(
        0.2,
        "Probability that an id, or all features of a row, are left out in training, so that the "
        "model also learns to score without them.",
        ge=0,
        lt=1,
        search=Search(0.0, 0.6),
    )
    history_dropout: float = hyper(
        0.3,
        "Probability that a chosen item is left out of a history in training.",
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
        0.1, "Standard deviation of the initial vectors.", gt=0, search=Search(0.01, 1, "log")
    )

    @property
    def tower_widths(self) -> list[int]:
        """The widths of a tower's dense layers, from its input; of length 1: there are none."""
        return [self.embedding_size]

    @property
    def unit_vectors(self) -> bool:
        """Whether vectors are scaled to length 1."""
        return False


class HeadConfig(TowersConfig):
    """Settings of models with a head over two vectors."""

    head_layers: tuple[int, ...] = hyper(
        (64,), "Widths of the hidden layers (ReLU) over both vectors; empty: none."
    )
    cross_layers: int = hyper(
        0, "Cross layers (DCN v2), which multiply inputs, before the hidden layers.", ge=0
    )
    cross_rank: int | None = hyper(
        None, "Rank of the matrices of the cross layers; None: full.", ge=1
    )
    product: bool = hyper(True, "Add the dot product of both vectors to the score.")
    dropout: float = hyper(
        0.1,
        "Dropout rate of the vectors and the hidden layers of the head.",
        ge=0,
        lt=1,
        search=Search(0.0, 0.6),
    )

    @property
    def head_widths(self) -> list[int]:
        """The widths of the head's dense layers, from both vectors to a score; or none."""
        deep = self.head_layers or self.cross_layers
        return [2 * self.embedding_size, *self.head_layers, 1] if deep else []

    @property
    def cross_widths(self) -> list[int]:
        """The widths of the dense layers within each cross layer."""
        both = 2 * self.embedding_size
        return [both, both] if self.cross_rank is None else [both, self.cross_rank, both]

    @property
    def adds_biases(self) -> bool:
        """Whether the biases of user and item are added to the score of the head."""
        return False

    def start(self, data: Dataset) -> float:
        """Return the constant in every score of the head: the mean rating, 0 without biases."""
        return float(data.weights.mean(dtype=np.float64)) if self.biases else 0.0


class RetrievalConfig(TowersConfig):
    """Settings of :class:`Retrieval`."""

    batch_size: int | None = hyper(
        1024,
        "Interactions per step, whose items compete; None: all (with history at most a fifth).",
        ge=1,
    )
    learning_rate: float = hyper(0.01, "Learning rate.", gt=0, search=Search(1e-3, 1.0, "log"))
    layers: tuple[int, ...] = hyper(
        (), "Widths of hidden layers (ReLU) in both towers; empty: a vector is a sum."
    )
    temperature: float = hyper(
        1.0,
        "Temperature: scores are divided by it in the softmax.",
        gt=0,
        search=Search(0.05, 2, "log"),
    )
    normalize: bool = hyper(
        False, "Scale vectors to length 1; set a temperature of about 0.1 with it."
    )
    popularity_correction: bool = hyper(
        True, "Subtract the log of an item's sampling probability from its logits (logQ)."
    )
    false_negatives: Literal["keep", "label", "known"] = hyper(
        "known",
        "Which items of a batch are not used as negatives: none (keep); the label, if other "
        "users in the batch chose it too (label); or all items that the user chose (known).",
        search=Search(choices=("label", "known")),
    )
    hard_negatives: int = hyper(
        0,
        "Additional negatives per user: the items with the highest scores that the user did not "
        "choose, found by exact search before every epoch.",
        ge=0,
    )
    reduction: Literal["sum", "mean"] = hyper(
        "sum",
        "Whether the loss of a step is the sum over its examples (as in TensorFlow Recommenders) "
        "or their mean. For Adam both are the same; with a mean Adagrad learns very slowly.",
    )

    @property
    def tower_widths(self) -> list[int]:
        """Widths of the dense layers; with hidden layers, the last is as wide as the input."""
        return [self.embedding_size, *self.layers, *[self.embedding_size] * bool(self.layers)]

    @property
    def unit_vectors(self) -> bool:
        """Whether vectors are scaled to length 1."""
        return self.normalize


RATING_DEFAULTS: Mapping[str, Any] = {
    "user_ids": True,
    "head_layers": (),
    "dropout": 0.0,
    "input_dropout": 0.0,
    "regularization": 0.08,
    "learning_rate": 0.002,
    "epochs": 12,
}
"""The defaults of :class:`Ranking` that differ with ``loss="squared"``: biases and a product."""


class RankingConfig(HeadConfig):
    """Settings of :class:`Ranking`."""

    loss: Literal["logistic", "squared", "hinge", "listmle"] = hyper(
        "logistic",
        "Loss: log loss of choices against sampled negatives; squared error of weights (ratings); "
        "or a loss of lists, pairwise (hinge) or listwise (listmle). Defaults with squared: "
        + ", ".join(f"{name}={value!r}" for name, value in RATING_DEFAULTS.items())
        + ".",
    )
    negatives: int = hyper(
        4,
        "Sampled negatives per interaction (not for squared).",
        ge=0,
        search=Search(choices=(1, 2, 4, 8)),
    )
    rejection: bool = hyper(True, "Never sample an item that the user chose.")
    list_size: int = hyper(5, "Chosen items per list (hinge, listmle).", ge=1)
    embedding_size: int = hyper(
        32, "Length of the vectors.", ge=1, le=2048, search=Search(8, 128, "log")
    )
    batch_size: int | None = hyper(
        1024, "Interactions per step; None: all (with history at most a fifth).", ge=1
    )
    learning_rate: float = hyper(0.005, "Learning rate.", gt=0, search=Search(1e-3, 1.0, "log"))

    @model_validator(mode="before")
    @classmethod
    def _for_ratings(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("loss") == "squared":
            return {**RATING_DEFAULTS, **given}
        return given

    @property
    def changed(self) -> list[str]:
        """The names of the settings that differ from the defaults for this loss."""
        defaults, fields = type(self)(loss=self.loss), type(self).model_fields
        differ = [name for name in fields if getattr(self, name) != getattr(defaults, name)]
        if self.loss == fields["loss"].default:
            return differ
        return [name for name in fields if name == "loss" or name in differ]

    @property
    def adds_biases(self) -> bool:
        """Whether the biases of user and item are added to the score of the head."""
        return self.biases

    def start(self, data: Dataset) -> float:
        """Return the mean rating, or the log odds of all pairs; 0 without biases and for lists."""
        if self.loss == "squared":
            return super().start(data)
        has_odds = self.biases and self.loss == "logistic"
        return -float(np.log(max(self.negatives, 1))) if has_odds else 0.0


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


@dataclass(frozen=True)
class NCFShape:
    """The parts of the network of NCF: a product, biases, and a tower."""

    size: int  # factors of the product; 0: none
    widths: tuple[int, ...] = ()  # of the tower's layers, from the bottom; empty: no tower
    weighted: bool = True  # whether the factors of the product have learned weights
    biases: bool = False  # whether users and items have biases

    @property
    def depth(self) -> int:
        """The length of a user's and of an item's input of the tower: half its first layer."""
        return self.widths[0] // 2 if self.widths else 0

    @cached_property
    def columns(self) -> dict[str, int]:
        """The parts of a row of a user or an item, and their lengths."""
        lengths = {"product": self.size, "bias": int(self.biases), "tower": self.depth}
        return {name: length for name, length in lengths.items() if length}


class NCFConfig(TrainingConfig):
    """Settings that GMF, MLP and NeuMF share."""

    embedding_size: int = hyper(
        32, "Predictive factors: those of the product, and of the tower's output.", ge=1, le=1024,
        search=Search(8, 128, "log"),
    )  # fmt: skip
    negatives: int = hyper(
        4, "Negatives per interaction, sampled anew in every epoch.", ge=1, search=Search(1, 10)
    )
    negative_exponent: float = hyper(
        0.0, "Items are sampled in proportion to their interactions to this power; 0: uniformly.",
        ge=0, le=1,
    )  # fmt: skip
    rejection: bool = hyper(True, "Never sample an item that the user chose.")
    regularization: float = hyper(
        0.0,
        "Penalty: half of it times (|p|^2 + |q|^2 + |h - 1|^2) is added to the loss of a sample; "
        "h: the weights of the product, if it has any.",
        ge=0, search=Search(1e-4, 1e-1, "log"),
    )  # fmt: skip
    init_std: float = hyper(
        0.01, "Standard deviation of the initial embeddings.", gt=0,
        search=Search(1e-3, 0.3, "log"),
    )  # fmt: skip
    epochs: int = hyper(20, "Passes over the data.", ge=1, search=Search(5, 200, "log"))
    batch_size: int | None = hyper(
        1024,
        "Samples per step, negatives included; None: all at once, so that an epoch is one step.",
        ge=1,
        search=Search(128, 8192, "log"),
    )
    learning_rate: float = hyper(0.001, "Learning rate.", gt=0, search=Search(1e-4, 1e-1, "log"))
    validation: float = hyper(
        0.0,
        "Share of the users of whom one random interaction is held out for early stopping; the "
        "best epoch is kept. 0: none.",
        ge=0,
        le=1,
    )
    validation_metric: Literal["ndcg", "loss"] = hyper(
        "ndcg",
        "Metric on the held-out interactions: 1 - NDCG@10 among 99 sampled items, or the log loss.",
    )

    @property
    def shape(self) -> NCFShape:
        """The network that the settings describe: here a product alone."""
        return NCFShape(self.embedding_size)


class GMFConfig(NCFConfig):
    """Settings of GMF."""

    embedding_size: int = hyper(
        64, "Length of the vectors.", ge=1, le=1024, search=Search(8, 256, "log")
    )
    regularization: float = hyper(
        0.01,
        "Penalty: half of it times (|p|^2 + |q|^2 + |h - 1|^2) is added to the loss of a sample; "
        "without the last term, h would grow as fast as the vectors shrink.",
        ge=0, search=Search(1e-3, 1e-1, "log"),
    )  # fmt: skip
    epochs: int = hyper(40, "Passes over the data.", ge=1, search=Search(10, 200, "log"))
    weighted: bool = hyper(
        True, "Learn weights of the product's factors; False: a plain dot product."
    )
    biases: bool = hyper(False, "Learn a bias of every user and every item.")

    @property
    def shape(self) -> NCFShape:
        """A product alone."""
        return NCFShape(self.embedding_size, (), self.weighted, self.biases)


class MLPConfig(NCFConfig):
    """Settings of MLP."""

    layers: int = hyper(
        3, "Layers of the tower; each is half as wide as the layer below it.", ge=1, le=8,
        search=Search(1, 4),
    )  # fmt: skip

    @property
    def shape(self) -> NCFShape:
        """A tower alone; its last layer has ``embedding_size`` units, each below twice as many."""
        widths = [self.embedding_size * 2**layer for layer in reversed(range(self.layers))]
        return NCFShape(0, tuple(widths))


class NeuMFConfig(MLPConfig):
    """Settings of NeuMF."""

    pretraining: int = hyper(
        0, "Epochs, at most, that GMF and MLP are trained before they are joined; 0: none.", ge=0
    )
    pretraining_rate: float = hyper(0.001, "Learning rate of the pretraining, by Adam.", gt=0)
    alpha: float = hyper(
        0.5, "Share of GMF in the joined output weights; MLP has the rest.", ge=0, le=1
    )

    @property
    def shape(self) -> NCFShape:
        """Product and tower."""
        return NCFShape(self.embedding_size, super().shape.widths)
