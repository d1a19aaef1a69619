"""The models that a cascade chooses its stages from: all that can be fitted on the data."""

from __future__ import annotations

from typing import Any

from shortlist import extras
from shortlist.data.dataset import Dataset
from shortlist.models.composite import ModelSpec

MAX_EASE_ITEMS = 9_000  # EASE inverts items x items: minutes beyond this

# For data with few choices per user: many factors, and a low weight of what was not chosen. On the
# validation part of sports 128, 256 and 512 factors have NDCG@20 .0438, .0461 and .0477.
SPARSE_IALS: dict[str, Any] = {
    "embedding_size": 512,
    "regularization": 0.01,
    "unobserved_weight": 0.003,
}


def pool(data: Dataset) -> tuple[ModelSpec, ...]:
    """Return the models to choose from, unfitted: the simplest first."""
    models: list[tuple[str, dict[str, Any]]] = [
        ("UserCosine", {}),
        ("UserCosine", {"neighbors": 200}),
        ("ItemCosine", {}),
        ("RP3beta", {}),
        ("GraphFilter", {}),
        ("IALS", {}),
        ("IALS", SPARSE_IALS),
        ("Hybrid", {}),
    ]
    models.append(("EASE" if data.n_items <= MAX_EASE_ITEMS else "SparseEASE", {}))
    if data.item_features is not None:
        models.append(("ContentBased", {}))
        if data.times is not None:
            models.append(("ContentBased", {"aggregate": "recency"}))
    if extras.installed("torch"):
        models.append(("MatrixFactorization", {}))
    return tuple(ModelSpec(model=name, config=settings) for name, settings in models)
