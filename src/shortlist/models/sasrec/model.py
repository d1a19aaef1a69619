"""SASRec: the next item from the history in its order, by self-attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from shortlist.data.dataset import Dataset
from shortlist.models.config import AUTO, Arrays, Search, TrainingConfig, hyper
from shortlist.models.sasrec.learned import SASRecLearned
from shortlist.models.training.model import COPIES, TrainedModel
from shortlist.models.vectors import DotProducts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats

if TYPE_CHECKING:
    from shortlist.models.sasrec.network import SASRecTrainable

_BLOCK = 1024  # users whose vectors are computed together
_DRAWN = 1024  # negatives of a step where the whole catalogue is too much
_COMPARED = 5_000_000_000  # positions x items in an epoch: some minutes of one core at 128 factors
_HELD = 1000  # users of the validation fold, where half of the users are as many
_RANKED = 4_000_000_000  # the most users of the fold x items: some ten seconds an epoch


class SASRecConfig(TrainingConfig):
    """Settings of :class:`SASRec`."""

    embedding_size: int = hyper(
        128, "Length of the vectors.", ge=1, le=1024, search=Search(choices=(32, 64, 128, 256))
    )
    blocks: int = hyper(1, "Blocks of attention.", ge=1, le=8, search=Search(choices=(1, 2, 3)))
    heads: int = hyper(
        2,
        "Heads of each attention; their number divides the embedding_size.",
        ge=1,
        le=64,
        validate_default=True,
    )
    max_length: int = hyper(
        50, "Maximum length of a history: of a longer one the last items count.", ge=1, le=1000
    )
    dropout: float = hyper(
        0.5,
        "Share of numbers that training leaves out, of embeddings and of what each block adds.",
        ge=0,
        lt=1,
        search=Search(0.1, 0.6),
    )
    negatives: Annotated[
        Annotated[int, Field(ge=1)] | Literal["auto", "all"],
        BeforeValidator(lambda value: "all" if value is None else value),
    ] = hyper(
        "auto",
        "Items drawn for each step that compete with the right ones; all, or None: the whole "
        f"catalogue; auto: all if history items x catalogue items are at most {_COMPARED:,}, else "
        f"{_DRAWN:,}.",
    )
    epochs: int = hyper(200, "Maximum number of passes over the users.", ge=1)
    batch_size: int | None = hyper(128, "Users per step; None: all at once.", ge=1)
    learning_rate: float = hyper(0.001, "Learning rate.", gt=0, search=Search(1e-4, 1e-2, "log"))
    validation: float = hyper(
        0.1,
        "Share of the users whose last item is held out for early stopping by NDCG@10; the best "
        f"epoch is kept. At least {_HELD:,} users, or half of them; then no more than "
        f"{_RANKED:,} over the number of items. 0: none.",
        ge=0,
        lt=1,
    )
    patience: int = hyper(
        5, "Epochs without a better validation loss after which training stops.", ge=1
    )
    init_std: float = hyper(0.02, "Standard deviation of the initial embeddings.", gt=0)

    @field_validator("heads")
    @classmethod
    def _divides(cls, heads: int, info: ValidationInfo) -> int:
        size = info.data.get("embedding_size", heads)
        if size % heads:
            raise ValueError(f"it does not divide embedding_size={size}")
        return heads


class SASRec(DotProducts[SASRecConfig, SASRecLearned], TrainedModel[SASRecConfig, SASRecLearned]):
    """Predict the next item of a history by self-attention (Kang & McAuley, ICDM 2018).

    The last ``max_length`` items of the history, in their order, become
    ``x_t = sqrt(d) q_(i_t) + p_(T - t)``: the vector of the item, and one of how long ago it was.
    Each block adds ``attention(norm(x))``, in which an item sees itself and those before it, then
    ``W_2 relu(W_1 norm(x))``. The score of an item is the dot product of its vector q and the
    norm of the last x.

    Trained to predict each item of each history from those before it, by a softmax over the whole
    catalogue or drawn items, as eSASRec (RecSys 2025) found better than the single negative of
    the paper. Training stops when the held-out last items of some users are ranked no better any
    more. A user is nothing but the history, so any history can be asked for, in its order:
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

    @property
    def chosen(self) -> dict[str, Any]:
        """The number of drawn items, or ``"all"``, where :meth:`fit` chose it."""
        if self.config.negatives != AUTO:
            return {}
        return {"negatives": self._negatives(self.data)}

    def folds(self, data: Dataset) -> tuple[Dataset, Dataset | None]:
        """Hold out the last item of a share of the users who have several."""
        config, several = self.config, data.user_counts > 1
        if not config.validation or not several.any():
            return data, None
        share = max(config.validation, min(0.5, _HELD / several.sum()))
        share = min(share, max(_HELD, _RANKED / data.n_items) / several.sum())
        rng = np.random.default_rng([config.seed, 7])
        sampled = several & (rng.random(data.n_users) < share)
        held = sampled[data.user_rows] & (data.recency.data == 1)
        if not held.any():
            return data, None
        return data.select(~held), data.select(held)

    def trainable(self, data: Dataset) -> SASRecTrainable:
        """Return the network at its initial values."""
        from shortlist.models.sasrec.network import SASRecTrainable

        count = self._negatives(data)
        return SASRecTrainable(self.config, None if count == "all" else count, *self.folds(data))

    def _negatives(self, data: Dataset) -> int | Literal["all"]:
        """Return how many items are drawn for a step, or ``"all"``."""
        if self.config.negatives != AUTO:
            return self.config.negatives
        positions = np.minimum(data.user_counts, self.config.max_length + 1) - 1
        compared = int(positions.clip(min=0).sum()) * data.n_items
        return "all" if compared <= _COMPARED else _DRAWN

    def finished(self, data: Dataset, parameters: Arrays) -> SASRecLearned:
        """Keep the parameters as they are."""
        return SASRecLearned(heads=self.config.heads, **parameters)

    def query_vectors(self, profiles: Profiles) -> Floats:
        """Return the vectors of histories."""  # (B, d)
        return self.learned.query_vectors(profiles.history, profiles.recency)

    def user_vectors(self) -> Floats:
        """Return the vector of every user; of one without a history it is zero."""  # (n_users, d)
        history, recency, blocks = self.data.matrix, self.data.recency, []
        for start in range(0, self.data.n_users, _BLOCK):
            users = slice(start, start + _BLOCK)
            blocks.append(self.learned.query_vectors(history[users], recency[users]))
        return np.concatenate(blocks)
