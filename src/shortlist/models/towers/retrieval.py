"""Two towers that retrieve: the best of all items by the product of two vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from shortlist.data.dataset import Dataset
from shortlist.models.config import Search, hyper
from shortlist.models.towers.config import TowersConfig
from shortlist.models.towers.learned import TowersLearned
from shortlist.models.towers.vectors import TowerVectors

if TYPE_CHECKING:
    from shortlist.models.training.loop import Arrays, Trainable


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


class Retrieval(TowerVectors[RetrievalConfig, TowersLearned]):
    """Score an item by the product of a user's vector and an item's, each from its own tower.

    A tower adds up vectors: of the id, of the features (as
    :class:`~shortlist.data.features.FeatureEncoder` encodes them), and on the user's side of the
    items that were chosen, over the root of their number; hidden layers may follow. So the same
    call answers a known user, a history, a résumé that nobody has seen, and a mix, and a posting
    without applications has the vector of its features. A history that training did not know
    stands for itself: the id of a known user counts only with the history that it was learned with.

    Learned by a softmax over the items of a batch (:mod:`shortlist.models.towers.losses`). The
    histories of a step leave out what it is to guess.

    Needs the extra ``torch`` to learn, not to recommend.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> model = Retrieval(embedding_size=4).fit(Dataset.from_tables(log))
    >>> model.recommend([3], k=1).column("item_id")
    ['b']
    """

    def trainable(self, data: Dataset) -> Trainable:
        """Make two towers and the task."""
        from shortlist.models.towers.retrieval_task import RetrievalTask
        from shortlist.models.towers.training import two_towers

        inner, held = self.folds(data)
        task = RetrievalTask(self.config, inner)
        return two_towers(
            self.name,
            self.config,
            inner,
            held,
            {"retrieval": (1.0, task)},
            layers=self.config.layers,
            normalize=self.config.normalize,
        )

    def finished(self, data: Dataset, parameters: Arrays) -> TowersLearned:
        """Keep the user tower, and what the item tower makes of all items."""
        inner, _ = self.folds(data)
        return TowersLearned.of(
            self.config,
            inner,
            parameters,
            layers=self.config.layers,
            normalize=self.config.normalize,
        )
