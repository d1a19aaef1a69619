"""Features as rows to compare: each column a block, each block with its share of the similarity."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from scipy.sparse import csr_array, hstack

from shortlist.data.features import FeatureEncoder, scaled
from shortlist.errors import ConfigError, suggestion


def encoder_of(features: pa.Table | None) -> FeatureEncoder | None:
    """Learn to encode a table of features; None where there is nothing to learn from."""
    if features is None or not features.num_columns:
        return None
    encoder = FeatureEncoder.fit(features)
    return encoder if encoder.parts else None


def encoded(
    encoder: FeatureEncoder, table: pa.Table, weights: Mapping[str, float] | None = None
) -> csr_array:
    """Encode rows so that their dot product is the weighted mean of the columns' cosines.

    Every column is a block of length 1 times the root of its share, so that
    ``a . b = sum_c w_c cos_c(a, b)``, with weights that sum to 1. A missing value says nothing: its
    block is zero.

    Parameters
    ----------
    encoder, table
        What was learned, and the rows to encode.
    weights
        The weights of some columns; the others weigh 1.

    Raises
    ------
    ConfigError
        A weight names no encoded column or is negative, or all weights are 0.
    """  # (n_rows, n_features)
    given = dict.fromkeys(encoder.blocks, 1.0)
    for name, weight in (weights or {}).items():
        if name not in given:
            reason = encoder.left_out.get(name)
            raise ConfigError(
                f"feature_weights: {name!r} is no encoded column"
                + (f": {reason}" if reason else ""),
                remedy=suggestion(name, given),
            )
        if not weight >= 0:
            raise ConfigError(
                f"feature_weights: {name!r} weighs {weight}", remedy="weights are 0 or more"
            )
        given[name] = weight
    total = sum(given.values())
    if not total:
        raise ConfigError(
            "feature_weights are all 0: every similarity would be",
            remedy="give at least one column a weight above 0",
        )
    blocks = encoder.split(encoder.transform(table, missing="ignore"))
    return scaled(blocks, {name: weight / total for name, weight in given.items()})


def beside(left: csr_array, right: csr_array) -> csr_array:
    """Put two blocks of equally many rows side by side."""
    joined: csr_array = hstack([left, right], format="csr")
    return joined
