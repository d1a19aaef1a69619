"""Every model by its name, and loading a bundle, which holds the name of its model.

The file of a model is imported only when its class is requested, so that a model needs none of the
libraries of another.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from shortlist import bundle
from shortlist.errors import ConfigError, require_known
from shortlist.models.base import Model

MODULES = {
    "Popularity": "popularity",
    "UserCosine": "cosine",
    "ItemCosine": "cosine",
    "RP3beta": "rp3beta",
    "GraphFilter": "graph_filter",
    "EASE": "ease",
    "SparseEASE": "sparse_ease",
    "IALS": "ials.model",
    "ContentBased": "content",
    "Hybrid": "hybrid.model",
    "MatrixFactorization": "factorization.model",
    "GMF": "towers.ncf",
    "MLP": "towers.ncf",
    "NeuMF": "towers.ncf",
    "Retrieval": "towers.model",
    "SASRec": "sasrec.model",
    "Ranking": "towers.model",
    "MultiTask": "towers.model",
    "Cascade": "cascade.model",
    "Indexed": "indexed",
}
"""The file of every model. A new model is added here and nowhere else."""


def model_class(name: str) -> type[Model[Any, Any]]:
    """Return the class of a model.

    Raises
    ------
    ConfigError
        There is no model of that name.

    Examples
    --------
    >>> model_class("EASE")(regularization=100)
    EASE(regularization=100.0)
    """
    require_known(name, MODULES, f"there is no model {name!r}", ConfigError)
    model: type[Model[Any, Any]] = getattr(import_module(f"shortlist.models.{MODULES[name]}"), name)
    return model


def load(path: str | Path) -> Model[Any, Any]:
    """Read a model that ``model.save`` wrote; the training data is not needed.

    Parameters
    ----------
    path
        The bundle's folder.

    Raises
    ------
    BundleError
        The folder is missing, not a bundle, damaged, or of another format.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa
    >>> from shortlist.data.dataset import Dataset
    >>> from shortlist.models.popularity import Popularity
    >>> log = pa.table({"user_id": ["ann", "bob"], "item_id": ["tea", "tea"]})
    >>> folder = Path(tempfile.mkdtemp()) / "bundle"
    >>> _ = Popularity().fit(Dataset.from_tables(log)).save(folder)
    >>> load(folder)
    Popularity()
    """
    return read(path)[0]


def read(path: str | Path) -> tuple[Model[Any, Any], bundle.Manifest]:
    """Read a model, as :func:`load` does, and the manifest of the same bundle."""
    model, manifest = bundle.read(path, model_class)
    return model, manifest
