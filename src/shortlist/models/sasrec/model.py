"""SASRec: the next item from the history in its order, by self-attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationInfo, field_validator

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.models.config import Arrays, Search, TrainingConfig, hyper
from shortlist.models.sasrec.learned import SASRecLearned
from shortlist.models.training.model import COPIES, TrainedModel
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import FactorScores, Floats, Scores

if TYPE_CHECKING:
    from shortlist.models.sasrec.network import SASRecTrainable

_BLOCK = 1024  # users whose vectors are computed together


class SASRecConfig(TrainingConfig):
    """Settings of :class:`SASRec`."""

    embedding_size: int = hyper(
        64, "Length of the vectors.", ge=1, le=1024, search=Search(choices=(32, 64, 128, 256))
    )
    blocks: int = hyper(2, "Blocks of attention.", ge=1, le=8, search=Search(choices=(1, 2, 3)))
    heads: int = hyper(
        2,
        "Heads of each attention; their number divides the embedding_size.",
        ge=1,
        le=64,
        validate_default=True,
    )
    max_length: int = hyper(
        50, "The most items of a history that count, the last ones.", ge=1, le=1000
    )
    dropout: float = hyper(
        0.4,
        "Share of numbers that training leaves out, of embeddings and of what each block adds.",
        ge=0,
        lt=1,
        search=Search(0.1, 0.6),
    )
    negatives: int | None = hyper(
        1024,
        "Items drawn for each step that compete with the right ones; None: the whole catalogue.",
        ge=1,
    )
    epochs: int = hyper(30, "Passes over the users.", ge=1, search=Search(10, 200, "log"))
    batch_size: int | None = hyper(128, "Users per step; None: all at once.", ge=1)
    learning_rate: float = hyper(0.001, "Learning rate.", gt=0, search=Search(1e-4, 1e-2, "log"))
    validation: float = hyper(
        0.0,
        "Share of the users whose last item is held out for early stopping by NDCG@10; the best "
        "epoch is kept. 0: none.",
        ge=0,
        lt=1,
    )
    init_std: float = hyper(0.02, "Standard deviation of the initial embeddings.", gt=0)

    @field_validator("heads")
    @classmethod
    def _divides(cls, heads: int, info: ValidationInfo) -> int:
        size = info.data.get("embedding_size", heads)
        if size % heads:
            raise ValueError(f"it does not divide embedding_size={size}")
        return heads


class SASRec(TrainedModel[SASRecConfig, SASRecLearned]):
    """Predict the next item of a history by self-attention (Kang & McAuley, ICDM 2018).

    The last ``max_length`` items of the history, in their order, become
    ``x_t = sqrt(d) q_(i_t) + p_(T - t)``: the vector of the item, and one of how long ago it was.
    Each block adds ``attention(norm(x))``, in which an item sees itself and those before it, then
    ``W_2 relu(W_1 norm(x))``. The score of an item is the dot product of its vector q and the
    norm of the last x.

    Trained to predict each item of each history from those before it, by a softmax over the whole
    catalogue or drawn items, as eSASRec (RecSys 2025) found better than the single negative of
    the paper. A user is nothing but the history, so any history can be asked for, in its order:
    that of the times, else that of the rows in the source.

    Needs the extra ``torch`` to learn, not to recommend.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> model = SASRec(embedding_size=8, epochs=3).fit(Dataset.from_tables(log))
    >>> model.recommend([3], k=1).column("item_id")
    ['b']
    """

    uses_order = True
    dense_scores = False

    @property
    def bytes_per_query(self) -> int:
        """The memory of a query, with what attention keeps of its history."""
        config = self.config
        numbers = 8 * config.embedding_size + 3 * config.heads * config.max_length
        return super().bytes_per_query + 4 * config.max_length * numbers

    with_less_memory = "choose a smaller embedding_size, or keep fewer items"

    def memory_to_fit(self, data: Dataset) -> int:
        """Return the bytes of the items, their gradients and the optimiser's, and of the data."""
        return 4 * COPIES * data.n_items * self.config.embedding_size + 100 * data.n_interactions

    def folds(self, data: Dataset) -> tuple[Dataset, Dataset | None]:
        """Hold out the last item of a share of the users who have three or more."""
        config = self.config
        rng = np.random.default_rng([config.seed, 7])
        sampled = (data.user_counts > 2) & (rng.random(data.n_users) < config.validation)
        held = sampled[data.user_rows] & (data.recency.data == 1)
        if not held.any():
            return data, None
        return data.select(~held), data.select(held)

    def trainable(self, data: Dataset) -> SASRecTrainable:
        """Return the network at its initial values."""
        from shortlist.models.sasrec.network import SASRecTrainable

        return SASRecTrainable(self.config, *self.folds(data))

    def finished(self, data: Dataset, parameters: Arrays) -> SASRecLearned:
        """Keep the parameters as they are."""
        return SASRecLearned(heads=self.config.heads, **parameters)

    def score(self, profiles: Profiles) -> Scores:
        """Multiply the vectors of histories and items."""
        queries = self.learned.query_vectors(profiles.history, profiles.recency)
        return FactorScores(queries, self.learned.factors)

    def similar_scores(self, items: Rows) -> Scores:
        """Score by the cosine of the item vectors."""
        return self.learned.cosine_scores(items)

    def user_vectors(self) -> Floats:
        """Return the vector of every user; of one without a history it is zero."""  # (n_users, d)
        history, recency, blocks = self.data.matrix, self.data.recency, []
        for start in range(0, self.data.n_users, _BLOCK):
            users = slice(start, start + _BLOCK)
            blocks.append(self.learned.query_vectors(history[users], recency[users]))
        return np.concatenate(blocks)

    def item_vectors(self) -> Floats:
        """Return the vector of every item."""  # (n_items, d)
        return self.learned.items
