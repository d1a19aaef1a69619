"""The similarity of two users, or of two items, by their features.

It is the weighted mean of the cosines of the columns (genres, year, keywords, ...). The weights of
the columns are learned from the interactions: with equal weights, the informative columns of a wide
table drown in the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureEncoder
from shortlist.errors import ConfigError, InputError, require_known
from shortlist.scoring.sparse import empty, transposed

N_PAIRS = 30_000  # drawn to learn the weights; more change only the second digit
# Standard errors by which a column must tell pairs apart. Of 3,000 random columns none passed 4;
# 13 passed 3.
MIN_STANDARD_ERRORS = 4.0
ENCODED = 10  # bytes that encoding takes for each byte of a table, about
# Of the largest weight: an informative column whose information others have too. It hardly counts
# beside them, but it is all that some queries give.
LEAST_SHARE = 0.001
_WEIGHTS = b"shortlist.weights"


def encoding_bytes(data: Dataset) -> int:
    """Return about the bytes that encoding the features of users and items takes."""
    tables = data.user_features, data.item_features
    return ENCODED * sum(0 if table is None else int(table.nbytes) for table in tables)


@dataclass(frozen=True)
class FeatureSimilarity:
    """An encoder and the weights of its columns, which sum to 1."""

    encoder: FeatureEncoder
    weights: Mapping[str, float]

    @classmethod
    def learn(
        cls,
        features: pa.Table | None,
        choices: csr_array,
        *,
        weights: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> FeatureSimilarity | None:
        """Learn to compare the rows of a table.

        The weights minimise ``sum over pairs of (y - sum_c w_c cos_c)^2`` with ``w >= 0``, targets
        and cosines centred. Half of the pairs share a choice (y = 1), the others are random
        (y = 0). A column counts only if its mean cosine is larger for sharing pairs by at least 4
        standard errors, and then it has at least a thousandth of the largest weight; if no column
        passes, all weights are equal.

        ``features`` has a row per user or item, ``choices`` (n, m) the items of each user or the
        users of each item. Without a column that can be encoded the result is None. ``weights``
        are fixed instead of learned; columns that are not named have weight 1.
        """
        if features is None or not features.num_columns:
            return None
        encoder = FeatureEncoder.fit(features)
        if not encoder.parts:
            return None
        if weights is None:
            rows = encoder.transform(features)
            weights = _learned_weights(encoder, rows, choices, seed)
            if not any(weights.values()):
                weights = dict.fromkeys(encoder.blocks, 1.0)
        else:
            weights = _checked_weights(weights, encoder)
        total = sum(weights.values())
        return cls(encoder, {name: weight / total for name, weight in weights.items()})

    def rows(self, table: pa.Table) -> csr_array:
        """Encode rows so that their dot products are their similarities.

        Each column is a block of length 1 times the square root of its weight, so the dot product
        of two rows is the weighted sum of their cosines. The block of a missing value is zero.
        """  # (n_rows, n_features)
        rows = self.encoder.transform(table)
        rows.data *= self._root_weights[rows.indices]
        rows.eliminate_zeros()  # rows must not share a column of weight 0
        return rows

    @cached_property
    def _root_weights(self) -> NDArray[np.float32]:
        """The square root of the column weight of each feature."""  # (n_features,)
        roots = np.zeros(self.encoder.n_features, dtype=np.float32)
        for name, block in self.encoder.blocks.items():
            roots[block] = np.sqrt(self.weights[name])
        return roots

    def unused(self, table: pa.Table) -> dict[str, str]:
        """Return why values of columns have no effect, by column."""
        weightless = {
            name: "the model gives it no weight"
            for name in table.schema.names
            if self.weights.get(name) == 0
        }
        return self.encoder.unused(table) | weightless

    def to_table(self) -> pa.Table:
        """Return the encoder and the weights as one table, for a bundle."""
        table = self.encoder.to_table()
        metadata = {**(table.schema.metadata or {}), _WEIGHTS: json.dumps(self.weights).encode()}
        return table.replace_schema_metadata(metadata)

    @classmethod
    def from_table(cls, table: pa.Table) -> FeatureSimilarity:
        """Return the object that :meth:`to_table` was called on."""
        encoder = FeatureEncoder.from_table(table)
        weights = json.loads((table.schema.metadata or {}).get(_WEIGHTS, b"null"))
        if not isinstance(weights, dict) or weights.keys() != encoder.blocks.keys():
            raise InputError("the weights of the features are not those of their columns")
        if not all(isinstance(weight, float) and 0 <= weight <= 1 for weight in weights.values()):
            raise InputError("the weights of the features are not numbers from 0 to 1")
        return cls(encoder, weights)

    @property
    def n_features(self) -> int:
        """The number of features."""
        return self.encoder.n_features


def side_by_side(left: csr_array, right: csr_array, weight: float = 1.0) -> csr_array:
    """Join two blocks of rows, with the dot products of the right block times ``weight``."""
    right = right * np.float32(np.sqrt(weight)) if weight else empty(*right.shape)
    joined: csr_array = hstack([left, right], format="csr")
    return joined


def _checked_weights(weights: Mapping[str, float], encoder: FeatureEncoder) -> dict[str, float]:
    for name, weight in weights.items():
        reason = f": {encoder.left_out[name]}" if name in encoder.left_out else ""
        what = f"feature_weights: {name!r} is not an encoded column{reason}"
        require_known(name, encoder.blocks, what, ConfigError)
        if not weight >= 0:
            raise ConfigError(
                f"feature_weights: {name!r} has weight {weight}", remedy="weights are 0 or more"
            )
    complete = dict.fromkeys(encoder.blocks, 1.0) | dict(weights)
    if not any(complete.values()):
        raise ConfigError(
            "feature_weights are all 0, so every similarity would be 0",
            remedy="give at least one column a weight above 0",
        )
    return complete


def _learned_weights(
    encoder: FeatureEncoder, rows: csr_array, choices: csr_array, seed: int
) -> dict[str, float]:
    """Regress whether a pair shares a choice on the cosines of its columns, with weights >= 0."""
    from scipy.optimize import nnls  # slow to import, and not needed to recommend

    rng = np.random.default_rng(seed)
    first, second = _sharing_pairs(choices, rng)
    random = rng.permutation(second)  # the same rows in both kinds of pairs
    different = first != random
    first, second, random = first[different], second[different], random[different]
    widths = [block.stop - block.start for block in encoder.blocks.values()]
    column_of = np.repeat(np.arange(len(widths)), widths)  # (n_features,)

    def cosines(left: NDArray[np.intp], right: NDArray[np.intp]) -> NDArray[np.float64]:
        shared = rows[left].multiply(rows[right]).tocoo()
        cells = shared.row.astype(np.intp) * len(widths) + column_of[shared.col]
        sums = np.bincount(cells, shared.data, len(left) * len(widths)).astype(np.float64)
        return sums.reshape(len(left), len(widths))  # (n_pairs, n_columns)

    sharing_cosines, random_cosines = cosines(first, second), cosines(first, random)
    gain = sharing_cosines - random_cosines
    # The pairs of one row are not independent, so an observation is a row, not a pair.
    pair = np.arange(len(first))
    pairs_of = csr_array((np.ones(len(first)), (first, pair)), shape=(choices.shape[0], len(first)))
    error = np.sqrt(((pairs_of @ gain) ** 2).sum(axis=0))
    informative = gain.sum(axis=0) > MIN_STANDARD_ERRORS * error  # (n_columns,)
    weights = np.zeros(len(widths))
    if informative.any():
        x = np.vstack([sharing_cosines, random_cosines])[:, informative]
        y = np.repeat([1.0, 0.0], len(first))
        solution, _ = nnls(x - x.mean(axis=0), y - y.mean())
        weights[informative] = np.maximum(solution, LEAST_SHARE * solution.max())
    return dict(zip(encoder.blocks, weights.tolist(), strict=True))


def _sharing_pairs(
    choices: csr_array, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw pairs of rows that share a choice."""
    if not choices.nnz:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    by_choice = transposed(choices)  # (m, n)
    row_of = np.repeat(np.arange(choices.shape[0]), np.diff(choices.indptr))
    entry = rng.integers(0, choices.nnz, N_PAIRS)
    first, choice = row_of[entry], choices.indices[entry]
    start, count = by_choice.indptr[choice], np.diff(by_choice.indptr)[choice]
    second = by_choice.indices[start + (rng.random(N_PAIRS) * count).astype(np.intp)]
    different = first != second
    return first[different].astype(np.intp), second[different].astype(np.intp)
