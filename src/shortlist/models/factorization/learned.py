"""The settings of matrix factorisation, what it learns, and bags of items without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field
from scipy.sparse import csr_array

from shortlist.bundle.declarations import LARGEST, Array, Value
from shortlist.data.dataset import Dataset
from shortlist.errors import InputError, suggestion
from shortlist.kernels.scores import dense_profile
from shortlist.models.config import AUTO, Auto, Search, TrainingConfig, chosen_settings, hyper
from shortlist.models.vectors import LEAST_SIZE, LearnedUserVectors, embedding_size
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import binary, csr_arrays, inverse, row_scaled

NOISE_SHARE = 0.35  # chosen on validation folds of seven data sets with 2 to 165 choices a user
_MOST_SIZE = 256  # of "auto"; 512 factors take four times as long
DAMPING = 10.0  # layers are divided by this, as in the Google course: first logits are close to 0


class FactorizationConfig(TrainingConfig):
    """Settings of ``MatrixFactorization``.

    The defaults were chosen by NDCG on validation folds of ML-100K, the bundled films and synthetic
    job data; the rules for the regularization and the length also on those of ML-1M, Last.fm and
    sparse shops.
    """

    loss: Literal["observed", "regularized", "softmax"] = hyper(
        "regularized",
        "The loss: squared error on known cells (observed); that plus the squared lengths and the "
        "squared scores of all pairs (regularized); or cross-entropy of a chosen item (softmax).",
    )
    embedding_size: Annotated[int, Field(ge=1, le=2048)] | Auto = hyper(
        "auto",
        "Length of the vectors; auto: 128, and 256 (regularized) with more than 4,096 users and "
        "items.",
        search=Search(8, 512, "log"),
    )
    regularization: Annotated[float, Field(ge=0)] | Auto = hyper(
        "auto",
        "Weight of the mean squared length (regularized); auto: 0.35 times the noise of the data, "
        "more for sparse data and for larger weights.",
        search=Search(0.01, 1, "log", when=("loss", "regularized")),
    )
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


@dataclass(frozen=True)
class FactorizationLearned(LearnedUserVectors):
    """The vectors; with biases, users end in (mean + b_u, 1) and items in (1, b_i)."""

    users: Annotated[Floats, Array("n_users", "embedding_size + biases + biases")]
    items: Annotated[Floats, Array("n_items", "embedding_size + biases + biases")]
    inputs: Annotated[Floats, Array("0 | n_items", "embedding_size")]  # of items in bags (softmax)
    mean: Annotated[float, Value(float, ge=-LARGEST, le=LARGEST)]  # the global bias
    n_cells: Annotated[int, Value(int, ge=1)]  # in training
    settings: Annotated[Mapping[str, Any], chosen_settings(FactorizationConfig)]

    @property
    def compared(self) -> Floats:
        """The item vectors without biases."""  # (n_items, f)
        return self.items[:, : self.inputs.shape[1]]


def embedding_size_of(config: FactorizationConfig, data: Dataset) -> int:
    """Return the number of factors; ``auto`` depends on the numbers of users and items."""
    if config.embedding_size != AUTO:
        return int(config.embedding_size)
    return embedding_size(data, _MOST_SIZE) if config.loss == "regularized" else LEAST_SIZE


def regularization_of(config: FactorizationConfig, data: Dataset) -> float:
    """Return the regularization; ``auto`` is a share of the noise of the data.

    The squared lengths of p and q are a nuclear norm of the scores: singular values of the cells up
    to ``t = regularization n / sqrt(N M)`` vanish. Those of noise end near ``e = x (sqrt(n / N') +
    sqrt(n / M'))``, for n cells of root mean square x and the N' users and M' items that have any.
    ``auto`` takes ``t = 0.35 e``, as in the theory of noisy matrix completion (Koltchinskii,
    Lounici & Tsybakov, Annals of Statistics 2011).
    """
    if config.regularization != AUTO:
        return config.regularization
    active = [np.count_nonzero(counts) for counts in (data.user_counts, data.item_counts)]
    size = np.sqrt(np.square(data.weights, dtype=np.float64).mean())
    spread = np.sqrt(data.n_users * data.n_items / data.n_interactions)
    return float(NOISE_SHARE * size * spread * (1 / np.sqrt(active)).sum())


def chosen_of(config: FactorizationConfig, data: Dataset) -> dict[str, Any]:
    """Return the settings that can be "auto", for the data that is trained on."""
    return {
        "embedding_size": embedding_size_of(config, data),
        "regularization": regularization_of(config, data),
    }


def global_bias(config: FactorizationConfig, data: Dataset) -> float:
    """Return the constant that fits the data best; 0 without biases.

    It minimises ``mean over cells of (x - c)^2 + gravity * c^2``.
    """
    if not config.biases or config.loss == "softmax":
        return 0.0
    gravity = config.gravity if config.loss == "regularized" else 0.0
    return float(data.weights.mean(dtype=np.float64)) / (1 + gravity)


def item_categories(
    name: str, config: FactorizationConfig, data: Dataset
) -> dict[str, tuple[csr_array, int]]:
    """Return the categories of each item and the length of their embeddings, by feature.

    The rows of each matrix (n_items, n_categories) sum to 1. Category 0 stands for a missing value.
    A feature that the data lacks is left out, unless its column is named in the settings.
    """
    categories = {}
    for key, width in (("genre", config.genre_size), ("year", config.year_size)):
        column = getattr(config, f"{key}_column")
        names = [] if data.item_features is None else data.item_features.column_names
        if width and column in names:
            values = data.item_features.column(column)  # type: ignore[union-attr]
            categories[key] = (_categories(values.combine_chunks()), width)
        elif width and column != type(config).model_fields[f"{key}_column"].default:
            raise InputError(
                f"{name}: the items have no feature {column!r}",
                where=f"{key}_column={column!r}",
                remedy=suggestion(column, names) if names else "give an item table with it",
            )
    return categories


def _categories(column: pa.Array) -> csr_array:
    """Return the categories of each row of a column of values, or of lists of values."""
    count = len(column)
    rows, values = np.arange(count), column
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        rows, values = column.value_parent_indices().to_numpy(), column.flatten()
    codes = values.dictionary_encode().indices.fill_null(-1).to_numpy() + 1
    rows = np.concatenate([rows[codes > 0], np.setdiff1d(np.arange(count), rows[codes > 0])])
    codes = np.concatenate([codes[codes > 0], np.zeros(len(rows) - (codes > 0).sum(), np.int64)])
    ones = np.ones(len(rows), dtype=np.float32)
    return _shares(csr_array((ones, (rows, codes)), shape=(count, int(codes.max(initial=0)) + 1)))


def _shares(matrix: csr_array) -> csr_array:
    """Give the entries of each row equal weights that sum to 1."""
    return row_scaled(binary(matrix), inverse(np.diff(matrix.indptr).astype(np.float64)))


def contributions(
    parameters: Mapping[str, Floats], categories: dict[str, tuple[csr_array, int]]
) -> Floats:
    """Compute the contribution of each item to a bag: the vector of a user who chose it alone.

    The layers are linear, so the vector of a user is the mean contribution of the history.
    """  # (n_items, f)
    bag = [parameters["items"].astype(np.float64)]
    bag += [matrix @ parameters[f"tables.{key}"] for key, (matrix, _) in categories.items()]
    rows = np.concatenate(bag, axis=1)
    for name in sorted(name for name in parameters if name.startswith("layers.")):
        rows = rows @ (parameters[name] / DAMPING)
    return rows.astype(np.float32)


def bag_vectors(history: csr_array, inputs: Floats) -> Floats:
    """Compute the mean contribution of each history."""  # (B, f)
    return dense_profile(csr_arrays(_shares(history)), inputs)
