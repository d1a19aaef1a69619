"""One file a model family; each learns from a Dataset and scores the catalogue.

Models are imported when they are asked for, so that one model's libraries cost no other anything.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from shortlist.errors import ConfigError, suggestion

if TYPE_CHECKING:
    from shortlist.models.base import Model

MODULES = {
    "Popularity": "popularity",
    "UserCosine": "cosine",
    "ItemCosine": "cosine",
    "EASE": "ease",
    "IALS": "ials",
    "ContentBased": "content",
    "Hybrid": "hybrid.model",
    "MatrixFactorization": "factorization.model",
    "GMF": "towers.ncf",
    "MLP": "towers.ncf",
    "NeuMF": "towers.ncf",
    "Retrieval": "towers.retrieval",
    "Ranking": "towers.ranking",
    "MultiTask": "towers.multitask",
    "Cascade": "cascade.model",
    "Indexed": "indexed",
}
"""Every model, and the file it lives in. A new model is added here and nowhere else."""


def model_class(name: str) -> type[Model[Any, Any]]:
    """Give a model's class by its name.

    Raises
    ------
    ConfigError
        No model has that name.

    Examples
    --------
    >>> model_class("EASE")(regularization=100)
    EASE(regularization=100.0)
    """
    if name not in MODULES:
        raise ConfigError(f"there is no model {name!r}", remedy=suggestion(name, MODULES))
    found: type[Model[Any, Any]] = getattr(import_module(f"shortlist.models.{MODULES[name]}"), name)
    return found
