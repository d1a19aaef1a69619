"""What is known of users and items, as sparse blocks of features, one a column.

``FeatureEncoder.fit(table)`` learns from a table; ``transform`` encodes any other that has its
columns. ``infer`` says how columns are encoded by default; the descriptions here override it.
"""

from shortlist.data.features.encoder import FeatureEncoder
from shortlist.data.features.specs import Buckets, Category, Labels, Number, Spec, Text, Vector
from shortlist.data.features.weights import scaled, unit_rows

__all__ = [
    "Buckets",
    "Category",
    "FeatureEncoder",
    "Labels",
    "Number",
    "Spec",
    "Text",
    "Vector",
    "scaled",
    "unit_rows",
]
