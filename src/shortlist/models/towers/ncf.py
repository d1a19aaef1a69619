"""Neural collaborative filtering: GMF, MLP and NeuMF, and the plain dot product beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.models.config import Arrays
from shortlist.models.towers.config import GMFConfig, MLPConfig, NCFConfig, NeuMFConfig
from shortlist.models.towers.layers import SLICE, Layer, flat, trained_layers
from shortlist.models.towers.ncf_learned import NCFLearned
from shortlist.models.training.model import COPIES, TrainedModel
from shortlist.models.training.negatives import bitmap_bytes
from shortlist.models.vectors import DotProducts
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import DenseScores, Floats, Scores

if TYPE_CHECKING:
    from shortlist.models.towers.ncf_training import NCFTrainable

C = TypeVar("C", bound=NCFConfig)
L = TypeVar("L", bound=NCFLearned)


class NCF(TrainedModel[C, L]):
    """The base of the three models."""

    def folds(self, data: Dataset) -> tuple[Dataset, Dataset | None]:
        """Hold out a random interaction of a share of the users who have two or more."""
        config = self.config
        if config.validation == 0:
            return data, None
        rng = np.random.default_rng([config.seed, 7])
        starts = np.cumsum(data.user_counts) - data.user_counts
        positions = starts + (rng.random(data.n_users) * data.user_counts).astype(np.int64)
        sampled = (data.user_counts > 1) & (rng.random(data.n_users) < config.validation)
        if not sampled.any():
            return data, None
        held = np.zeros(len(data), dtype=bool)
        held[positions[sampled]] = True
        return data.select(~held), data.select(held)

    def trainable(self, data: Dataset) -> NCFTrainable:
        """Return the network at its initial values."""
        from shortlist.models.towers.ncf_training import NCFTrainable

        return NCFTrainable(self.config, data, *self.folds(data))

    def finished(self, data: Dataset, parameters: Arrays) -> L:
        """Keep the embeddings, and put the layers of the tower together."""
        shape = self.config.shape
        widths: list[int] = []
        layers: list[Layer] = []
        if shape.widths:
            widths = [2 * shape.depth, *shape.widths, 1]
            layers = trained_layers(parameters, "head.tower", widths[:-1])
            output = parameters["head.tower_weights"][:, np.newaxis]
            layers.append(Layer(output, np.zeros(1, dtype=np.float32)))
        ones = np.ones(shape.size, dtype=np.float32)
        learned: L = self.Learned(
            users=parameters["embeddings"][: data.n_users],
            items=parameters["embeddings"][data.n_users :],
            bias=float(parameters["head.bias"][0]),
            product_weights=parameters.get("head.product_weights", ones),
            biases=shape.biases,
            layers=flat(layers),
            widths=widths,
            negative_weights=data.item_counts.astype(np.float64) ** self.config.negative_exponent,
        )
        return learned

    with_less_memory = "choose a smaller embedding_size, or keep fewer users and items"

    def memory_to_fit(self, data: Dataset) -> int:
        """Return the bytes of the embeddings, the optimiser's, drawn items and known pairs."""
        config = self.config
        vectors = (data.n_users + data.n_items) * sum(config.shape.columns.values())
        known = bitmap_bytes(data) if config.rejection else 0
        return 4 * COPIES * vectors + known + 12 * (8 + config.negatives) * data.n_interactions

    @property
    def bytes_per_query(self) -> int:
        """The memory of a query, with the tower's layers for a slice of the catalogue."""
        widths = sum(self.learned.widths)
        return super().bytes_per_query + 8 * min(self.data.n_items, SLICE) * widths

    def rows(self, profiles: Profiles) -> Floats:
        """Return the trained rows of known users, and fold in histories that training did not see.

        A complete fit would differ from folding in: it would also move the items and the weights,
        train the row for longer, and not pull it to the mean (:meth:`NCFLearned.fold_in`).
        """  # (B, C)
        rows = self.learned.users[profiles.users]
        new = profiles.changed
        if new.any():
            rows[new] = self.learned.fold_in(profiles.history[new], self.config)
        return rows

    def score(self, profiles: Profiles) -> Scores:
        """Score every item by the network."""
        return DenseScores(self.learned.scores(self.rows(profiles)))

    def similar_scores(self, items: Rows) -> Scores:
        """Score by the cosine of the items' rows."""
        return self.learned.cosine_scores(items)


class GMF(DotProducts[GMFConfig, NCFLearned], NCF[GMFConfig, NCFLearned]):
    """Generalised matrix factorisation (He et al., WWW 2017): ``b + h . (p o q)``, by log loss.

    Logistic regression on the product of two learned vectors, with learned weights h, separates the
    interactions from drawn negatives.

    With ``weighted=False, biases=True, rejection=False`` it is the plain matrix factorisation that
    Rendle et al. (RecSys 2020) found better than NeuMF: ``b + b_u + b_i + p . q``. They train it by
    plain gradient descent, ``optimizer="sgd"``. A step is along the mean gradient of a batch, so
    their learning rate for steps of a single sample is to be multiplied by ``batch_size``.

    A user of the training data has a trained vector; any other history is folded in
    (:meth:`NCF.rows`). Needs the extra ``torch`` to learn, not to recommend.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "c"]})
    >>> model = GMF(embedding_size=4, epochs=3).fit(Dataset.from_tables(log))
    >>> len(model.recommend([3], k=2))
    2
    """

    def query_vectors(self, profiles: Profiles) -> Floats:
        """Return the vectors of known users, and fold in histories that training did not see."""
        return self.learned.user_vectors(self.rows(profiles))

    def user_vectors(self) -> Floats:
        """Return the vector of every user: the factors times h, ``b + b_u``, and 1 with biases."""
        return self.learned.user_vectors(self.learned.users)  # (n_users, f)

    def item_vectors(self) -> Floats:
        """Return the vector of every item: the factors, 1, and with biases b_i."""
        return self.learned.item_vectors  # (n_items, f)


class MLP(NCF[MLPConfig, NCFLearned]):
    """A tower over the vectors of user and item (He et al., WWW 2017), by log loss.

    ``t . phi_L + b`` with ``phi_1 = relu(W_p p + W_q q + b_1)``, ``phi_l = relu(phi_(l-1) W_l +
    b_l)``. The last layer has ``embedding_size`` units, each layer below it twice as many, and p
    and q half as many as the first layer: for size 8 and three layers 32, 16, 8 and 16.

    Its scores are not dot products: a list costs a pass through the tower for every item.
    Needs the extra ``torch`` to learn, not to recommend.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "c"]})
    >>> model = MLP(embedding_size=4, epochs=3).fit(Dataset.from_tables(log))
    >>> len(model.recommend([3], k=2))
    2
    """


class NeuMF(NCF[NeuMFConfig, NCFLearned]):
    """The sum of a GMF and an MLP, trained together (He et al., WWW 2017), by log loss.

    ``h . (p o q) + t . phi_L + b``; product and tower have vectors of their own. With
    ``pretraining``, GMF and MLP are first trained by themselves, with Adam (and with
    ``validation``, each up to its own best epoch on the same fold). NeuMF starts from their vectors
    and layers, with ``alpha h`` and ``(1 - alpha) t``, and is trained on as the other settings say:
    in the paper by plain gradient descent, ``optimizer="sgd"``.

    Needs the extra ``torch`` to learn, not to recommend.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "c"]})
    >>> model = NeuMF(embedding_size=4, epochs=3).fit(Dataset.from_tables(log))
    >>> len(model.recommend([3], k=2))
    2
    """

    def warm_start(self, trainable: NCFTrainable, data: Dataset) -> None:
        """Start from a trained GMF and a trained MLP if the settings say so."""
        if not self.config.pretraining:
            return
        product, tower = (self._pretrained(kind, data) for kind in (GMF, MLP))
        alpha = self.config.alpha
        merged = product | tower
        halves = [product["embeddings"], tower["embeddings"]]
        merged["embeddings"] = np.concatenate(halves, axis=1)
        merged["head.bias"] = alpha * product["head.bias"] + (1 - alpha) * tower["head.bias"]
        merged["head.product_weights"] = alpha * product["head.product_weights"]
        merged["head.tower_weights"] = (1 - alpha) * tower["head.tower_weights"]
        trainable.start_from(merged)

    def _pretrained(self, kind: type[NCF[Any, NCFLearned]], data: Dataset) -> Arrays:
        """Train a half of the network; return its parameters."""
        config = self.config
        shared = config.model_dump(include=set(kind.Config.model_fields)) | {
            "epochs": config.pretraining,
            "learning_rate": config.pretraining_rate,
            "optimizer": "adam",
        }
        return kind(**shared)._train(data).result
