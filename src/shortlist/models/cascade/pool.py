"""The models that a cascade chooses its stages from: all that can be fitted on the data."""

from __future__ import annotations

from typing import Any

from shortlist import extras
from shortlist.data.dataset import Dataset
from shortlist.models.composite import ModelSpec

MAX_EASE_ITEMS = 9_000  # EASE inverts items x items: minutes beyond this

# For data with few choices per user: many factors, and a low weight of what was not chosen. On the
# validation parts of toys-seq and last.fm, 8 epochs have NDCG@20 .0637 and .1921, 15 have .0634 and
# .1927.
SPARSE_IALS: dict[str, Any] = {
    "embedding_size": 512,
    "epochs": 8,
    "regularization": 0.01,
    "unobserved_weight": 0.003,
}


def pool(data: Dataset) -> tuple[ModelSpec, ...]:
    """Return the models to choose from, unfitted: the simplest first."""
    models: list[tuple[str, dict[str, Any]]] = [
        ("UserCosine", {}),
        ("ItemCosine", {}),
        ("RP3beta", {}),
        ("GraphFilter", {}),
        ("IALS", {}),
        ("IALS", SPARSE_IALS),
    ]
    models.append(("EASE" if data.n_items <= MAX_EASE_ITEMS else "SparseEASE", {}))
    if data.user_features is not None or data.item_features is not None:
        models.append(("Hybrid", {}))  # by choices alone it adds nothing to the two cosines
    if data.item_features is not None:
        models.append(("ContentBased", {}))
        if data.times is not None:
            models.append(("ContentBased", {"aggregate": "recency"}))
    if extras.installed("torch"):
        models.append(("MatrixFactorization", {}))
    return tuple(ModelSpec(model=name, config=settings) for name, settings in models)
