"""SparseEASE: the weights of EASE for large catalogues, through a sparse approximate inverse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array, vstack

from shortlist import engine
from shortlist.bundle.declarations import Csr
from shortlist.data.dataset import Dataset
from shortlist.engine.base import BLOCK_BYTES
from shortlist.kernels import types
from shortlist.kernels.ridge import regressions
from shortlist.kernels.scores import dense_sparse
from shortlist.models.automatic import choose, most_popular
from shortlist.models.base import Fitted
from shortlist.models.config import Auto, ModelConfig, Search, chosen_settings, hyper
from shortlist.models.ease import CHOSEN_WITH, STEPS, Regularization, regularization_setting
from shortlist.models.linear import ItemWeights
from shortlist.progress import track
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import Floats
from shortlist.scoring.sparse import binary, csr_arrays, pointers, transposed

_HEAD = 4096  # the most popular items, whose common users are counted once
_KEPT = 2.5  # weights kept for each item of the catalogue, as a multiple of `neighbors`
_SAMPLE = 2000  # rows of weights that tell how large the kept ones are
_ENTRIES = 1 << 24  # of the rows that are multiplied at a time


class SparseEASEConfig(ModelConfig):
    """Settings of :class:`SparseEASE`."""

    regularization: Regularization | Auto = regularization_setting()
    neighbors: int = hyper(
        100,
        "Maximum number of more popular items that an item is regressed on; more are closer to "
        "EASE and take longer.",
        ge=1,
        le=1000,
        search=Search(30, 300, "log"),
    )


@dataclass(frozen=True)
class SparseEASELearned:
    """The weights: what an item of the history (row) adds to other items (columns)."""

    weights: Annotated[csr_array, Csr("n_items", "n_items")]
    settings: Annotated[Mapping[str, Any], chosen_settings(SparseEASEConfig)]


class SparseEASE(ItemWeights[SparseEASEConfig, SparseEASELearned]):
    """EASE for large catalogues: its inverse is approximated and stays sparse.

    EASE (Steck, WWW 2019) needs ``P = (X'X + lambda I)^-1`` for the binary matrix X; its weights
    are ``B_ij = -P_ij / P_jj``. Here ``P ~ Z' D^-1 Z``: with the items in the order of popularity,
    row i of the unit lower triangular Z has the negated coefficients of the ridge regression of
    item i on at most ``neighbors`` more popular items, and ``D_i`` what they leave unexplained
    (Kolotilina & Yeremin, SIAM J. Matrix Anal. 1993). They are those with the largest
    ``n_ij^2 / (n_j + lambda)``, for n_j users who chose j and n_ij who chose both. Of B the
    largest weights are kept, 2.5 times ``neighbors`` for each item on average. SANSA (Spisak et
    al., RecSys 2023) approximates the same inverse by an incomplete Cholesky factor.

    Examples
    --------
    >>> import pyarrow as pa
    >>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
    >>> model = SparseEASE(regularization=1).fit(Dataset.from_tables(log))
    >>> model.recommend([3], k=1).column("item_id")
    ['b']
    """

    with_less_memory = "choose fewer neighbors, or keep fewer items"

    def memory_to_fit(self, data: Dataset) -> int:
        """Return the bytes of common users, of the factor, of the weights, and of a product."""
        n_items, count = data.n_items, min(self.config.neighbors, data.n_items)
        weights = round(n_items * count * (12 * 2 + 8 * 2 * _KEPT))
        head, product = 4 * min(_HEAD, n_items) ** 2, 12 * min(_ENTRIES, n_items**2)
        return head + product + weights + 24 * data.n_interactions

    def learn(self, data: Dataset) -> Fitted[SparseEASELearned]:
        """Regress every item, and multiply the factors."""
        settings = choose(self, most_popular(data, CHOSEN_WITH), STEPS)
        order = data.popularity_order
        factor, left = _factor(data, settings["regularization"], self.config.neighbors)
        weights = _weights(factor, left, round(_KEPT * self.config.neighbors))[order]
        by_order = np.empty(data.n_items, np.int32)
        by_order[order] = np.arange(data.n_items, dtype=np.int32)
        indptr = pointers(np.diff(weights.indptr))
        weights = csr_array((weights.data, by_order[weights.indices], indptr), weights.shape)
        weights.sort_indices()
        return Fitted(SparseEASELearned(weights, settings))

    def weighted_history(self, profiles: Profiles) -> csr_array:
        """Return 1 for each item of the histories."""
        return binary(profiles.history)


def _factor(
    data: Dataset, regularization: float, neighbors: int
) -> tuple[csr_array, NDArray[np.float64]]:
    """Return Z and the diagonal of D, for items in the order of popularity."""
    choices = data.choices
    users = csr_array(
        (choices.data, data.popularity_order[choices.indices], choices.indptr), choices.shape
    )
    users.sort_indices()
    items = transposed(users)
    n_items = data.n_items
    popular = csr_array(users[:, :_HEAD])
    head = dense_sparse(csr_arrays(items[:_HEAD]), csr_arrays(popular), popular.shape[1])
    task = partial(
        _regress,
        users=csr_arrays(users),
        items=csr_arrays(items),
        head=head,
        regularization=regularization,
        neighbors=neighbors,
    )
    item_bytes = 8 * neighbors + 8
    blocks = engine.current().map_rows(task, n_items, item_bytes, "SparseEASE: regressions")
    rows, coefficients, left = map(np.concatenate, zip(*blocks, strict=True))
    used = rows >= 0
    indptr = pointers(used.sum(axis=1))
    before = csr_array((-coefficients[used].astype(np.float64), rows[used], indptr), (n_items,) * 2)
    return csr_array(before + eye_array(n_items, format="csr")), left


def _regress(
    block: range,
    *,
    users: types.Csr,
    items: types.Csr,
    head: Floats,
    regularization: float,
    neighbors: int,
) -> tuple[NDArray[np.int32], Floats, NDArray[np.float64]]:
    return regressions(users, items, head, regularization, neighbors, block.start, len(block))


def _weights(factor: csr_array, left: NDArray[np.float64], per_item: int) -> csr_array:
    """Return the largest entries of ``-P_ij / P_jj``, ``per_item`` of a row on average."""
    n_items = len(left)
    back = transposed(factor)
    entries = factor.data / np.repeat(left, np.diff(factor.indptr))  # of D^-1 Z
    diagonal = np.bincount(factor.indices, factor.data * entries, minlength=n_items)  # P_jj
    entries /= -diagonal[factor.indices]
    scaled = csr_array((entries, factor.indices, factor.indptr), factor.shape)

    some = np.arange(0, n_items, -(-n_items // _SAMPLE))
    sample = np.abs(_product_rows(some, back, scaled).data)
    n_kept = per_item * -(-n_items // -(-n_items // _SAMPLE))
    least = np.partition(sample, -n_kept)[-n_kept] if n_kept < len(sample) else 0.0
    bounds = np.cumsum(binary(back) @ np.diff(factor.indptr)) // _ENTRIES
    starts = np.concatenate([[0], np.flatnonzero(np.diff(bounds)) + 1, [n_items]])
    parts = list(pairwise(starts.tolist()))
    task = partial(_large_weights, back=back, scaled=scaled, least=least)
    text = "SparseEASE: weights"
    kept = track(engine.current().map(task, parts, BLOCK_BYTES, text), text, len(parts))
    return csr_array(vstack(list(kept), format="csr"))


def _product_rows(rows: NDArray[np.integer], back: csr_array, scaled: csr_array) -> csr_array:
    """Return rows of the product, with zeros on its diagonal."""
    product = csr_array(back[rows] @ scaled)
    row_of = np.repeat(rows, np.diff(product.indptr))
    product.data[product.indices == row_of] = 0
    return product


def _large_weights(
    part: tuple[int, int], *, back: csr_array, scaled: csr_array, least: float
) -> csr_array:
    """Return the rows from ``part[0]`` up to ``part[1]``, without entries below the least."""
    rows = _product_rows(np.arange(*part), back, scaled)
    rows.data[np.abs(rows.data) < least] = 0
    rows.eliminate_zeros()
    return csr_array(rows.astype(np.float32))
