"""How alike two users, or two items, are by their features.

The likeness is the weighted mean of the cosines of the columns (genres, year, keywords, ...). What
a column weighs is learned from who chose what: equal weights drown the telling columns of a wide
table in the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.sparse import csr_array, hstack

from shortlist.data.features import FeatureEncoder
from shortlist.errors import ConfigError, suggestion
from shortlist.scoring.sparse import empty, transposed

PAIRS = 30_000  # drawn to learn weights from; more change the second digit
CERTAIN = 4.0  # standard errors a column must tell by: of 3,000 drawn at random none did, 13 by 3
_WEIGHTS = b"shortlist.weights"


@dataclass(frozen=True)
class Likeness:
    """An encoder, and the weights of its columns, which sum to 1."""

    encoder: FeatureEncoder
    weights: Mapping[str, float]

    @classmethod
    def learn(
        cls,
        features: pa.Table | None,
        choices: csr_array,
        *,
        given: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> Likeness | None:
        """Learn to compare rows of a table.

        Weights minimise ``sum over pairs of (y - sum_c w_c cos_c)^2`` with ``w >= 0``, both sides
        centred, where y says whether the pair was drawn for sharing a choice or at random. A
        column counts only if sharing pairs are more alike in it by 4 standard errors; if none is,
        all weigh the same.

        Parameters
        ----------
        features
            One row each of the compared; None, or nothing to be encoded: the result is None.
        choices
            What each of them chose (users), or who chose each of them (items).  # (n, m)
        given
            The weights, where they are not to be learned; columns that are not named weigh 1.
        seed
            Seeds the pairs.

        Raises
        ------
        ConfigError
            A weight is for no encoded column, or negative, or all are 0.
        """
        if features is None or not features.num_columns:
            return None
        encoder = FeatureEncoder.fit(features)
        if not encoder.parts:
            return None
        if given is not None:
            return cls(encoder, _normalized(_checked(given, encoder)))
        rows = encoder.transform(features, missing="ignore")
        weights = _telling(encoder, rows, choices, seed)
        return cls(encoder, _normalized(weights if any(weights.values()) else _even(encoder)))

    def rows(self, table: pa.Table) -> csr_array:
        """Encode rows so that their dot products are the likenesses.

        Each column is a block of length 1 times the root of its weight (as
        ``shortlist.data.features.scaled`` lays out). A missing value says nothing: its block is
        zero.
        """  # (n_rows, n_features)
        rows = self.encoder.transform(table, missing="ignore")
        rows.data *= self._roots[rows.indices]
        rows.eliminate_zeros()  # a column of weight 0 is none that rows can have in common
        return rows

    @cached_property
    def _roots(self) -> NDArray[np.float32]:
        """The root of the weight of each feature's column."""  # (n_features,)
        roots = np.zeros(self.encoder.n_features, dtype=np.float32)
        for name, place in self.encoder.blocks.items():
            roots[place] = np.sqrt(self.weights[name])
        return roots

    def to_table(self) -> pa.Table:
        """Give all of it as a table, for a bundle."""
        table = self.encoder.to_table()
        metadata = {**(table.schema.metadata or {}), _WEIGHTS: json.dumps(self.weights).encode()}
        return table.replace_schema_metadata(metadata)

    @classmethod
    def from_table(cls, table: pa.Table) -> Likeness:
        """Make what :meth:`to_table` was called on."""
        weights = json.loads((table.schema.metadata or {})[_WEIGHTS])
        return cls(FeatureEncoder.from_table(table), weights)


def beside(left: csr_array, right: csr_array, weight: float = 1.0) -> csr_array:
    """Put two blocks of equally many rows side by side, dot products of the right ones weighted."""
    right = right * np.float32(np.sqrt(weight)) if weight else empty(*right.shape)
    joined: csr_array = hstack([left, right], format="csr")
    return joined


def _even(encoder: FeatureEncoder) -> dict[str, float]:
    return dict.fromkeys(encoder.blocks, 1.0)


def _normalized(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _checked(given: Mapping[str, float], encoder: FeatureEncoder) -> dict[str, float]:
    for name, weight in given.items():
        if name not in encoder.blocks:
            reason = encoder.left_out.get(name)
            raise ConfigError(
                f"feature_weights: {name!r} is no encoded column"
                + (f": {reason}" if reason else ""),
                remedy=suggestion(name, encoder.blocks),
            )
        if not weight >= 0:
            raise ConfigError(
                f"feature_weights: {name!r} weighs {weight}", remedy="weights are 0 or more"
            )
    weights = _even(encoder) | dict(given)
    if not any(weights.values()):
        raise ConfigError(
            "feature_weights are all 0: every likeness would be",
            remedy="give at least one column a weight above 0",
        )
    return weights


def _telling(
    encoder: FeatureEncoder, rows: csr_array, choices: csr_array, seed: int
) -> dict[str, float]:
    """Regress sharing a choice on the cosines of the columns, with weights of 0 or more."""
    rng = np.random.default_rng(seed)
    one, other = _pairs(choices, rng)
    strangers = rng.permutation(other)  # the same people, so that only who meets whom differs
    different = one != strangers
    one, other, strangers = one[different], other[different], strangers[different]
    widths = [place.stop - place.start for place in encoder.blocks.values()]
    column_of = np.repeat(np.arange(len(widths)), widths)  # (n_features,)

    def cosines(left: NDArray[np.intp], right: NDArray[np.intp]) -> NDArray[np.float64]:
        shared = rows[left].multiply(rows[right]).tocoo()
        cells = shared.row.astype(np.intp) * len(widths) + column_of[shared.col]
        sums = np.bincount(cells, shared.data, len(left) * len(widths)).astype(np.float64)
        return sums.reshape(len(left), len(widths))  # (n_pairs, n_columns)

    near, far = cosines(one, other), cosines(one, strangers)
    gain = near - far
    # The pairs of one row hang together: each row, not each pair, is an observation.
    pair = np.arange(len(one))
    pairs_of = csr_array((np.ones(len(one)), (one, pair)), shape=(choices.shape[0], len(one)))
    error = np.sqrt(((pairs_of @ gain) ** 2).sum(axis=0))
    telling = gain.sum(axis=0) > CERTAIN * error  # (n_columns,)
    weights = np.zeros(len(widths))
    if telling.any():
        x = np.vstack([near, far])[:, telling]
        y = np.repeat([1.0, 0.0], len(one))
        weights[telling], _ = nnls(x - x.mean(axis=0), y - y.mean())
    return dict(zip(encoder.blocks, weights.tolist(), strict=True))


def _pairs(
    choices: csr_array, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw pairs of rows that share a choice."""
    if not choices.nnz:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    choosers = transposed(choices)  # (m, n)
    row_of = np.repeat(np.arange(choices.shape[0]), np.diff(choices.indptr))
    entry = rng.integers(0, choices.nnz, PAIRS)
    one, choice = row_of[entry], choices.indices[entry]
    first, count = choosers.indptr[choice], np.diff(choosers.indptr)[choice]
    other = choosers.indices[first + (rng.random(PAIRS) * count).astype(np.intp)]
    different = one != other
    return one[different].astype(np.intp), other[different].astype(np.intp)
