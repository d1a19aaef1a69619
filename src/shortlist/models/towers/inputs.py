"""What goes into a tower: features and histories as sparse rows of a length of about 1."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from shortlist.data.features import FeatureEncoder
from shortlist.scoring.sparse import binary, inverse, row_scaled


class Encoded(NamedTuple):
    """Features as sparse rows, and what encoded them."""

    encoder: FeatureEncoder
    rows: csr_array  # (n, n_features)


def encoded(table: pa.Table | None) -> Encoded | None:
    """Encode a table of features; None where there is nothing to encode."""
    if table is None or not table.num_columns:
        return None
    encoder = FeatureEncoder.fit(table)
    return Encoded(encoder, feature_rows(encoder, table)) if encoder.parts else None


def feature_rows(encoder: FeatureEncoder, table: pa.Table) -> csr_array:
    """Encode rows to length 1 at most: each column has 1 / sqrt(how many columns there are).

    A missing value says nothing.
    """  # (n, n_features)
    rows = encoder.transform(table, missing="ignore")
    rows.data *= np.float32(len(encoder.parts) ** -0.5)
    return rows


def history_rows(history: csr_array) -> csr_array:
    """Give each of n chosen items the weight ``1 / sqrt(n)``, whatever its weight was."""
    rows = binary(history)
    lengths = np.diff(rows.indptr).astype(np.float64)
    return row_scaled(rows, inverse(np.sqrt(lengths)))
