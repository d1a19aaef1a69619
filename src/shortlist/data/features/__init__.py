"""Encoding features of users and items as sparse matrices, one block of columns per feature.

``FeatureEncoder.fit(table)`` learns the encoding of a table; ``transform`` applies it to any table
with the same columns. :mod:`shortlist.data.features.infer` chooses how each column is encoded.
"""

from shortlist.data.features.block import Spec, unit_rows
from shortlist.data.features.encoder import FeatureEncoder

__all__ = ["FeatureEncoder", "Spec", "unit_rows"]
