"""An MLflow flavour: a fitted model is logged, registered and served like any other there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from shortlist._version import __version__
from shortlist.errors import InputError
from shortlist.extras import require
from shortlist.models.base import Model
from shortlist.models.registry import load

if TYPE_CHECKING:
    import pandas as pd

FLAVOR, BUNDLE = "shortlist", "bundle"


def save_model(
    model: Model[Any, Any], path: str | Path, mlflow_model: Any = None, **_: Any
) -> None:
    """Save a fitted model as a folder in the format of MLflow.

    Parameters
    ----------
    model
        A fitted model.
    path
        The folder to write; it holds the bundle and the file ``MLmodel``.
    mlflow_model
        The description that MLflow passes when a model is logged. None: a new one.
    """
    require("mlflow", "the MLflow flavour")
    from mlflow import pyfunc
    from mlflow.models import Model as Described
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / BUNDLE)
    (folder / "requirements.txt").write_text(f"shortlist=={__version__}\n")
    described = Described() if mlflow_model is None else mlflow_model
    kind = DataType.string if pa.types.is_string(model.data.users.ids.type) else DataType.long
    described.signature = ModelSignature(
        inputs=Schema([ColSpec(kind, "user_id")]),
        params=ParamSchema([ParamSpec("k", DataType.long, 10)]),
    )
    pyfunc.add_to_model(described, loader_module=__name__, data=BUNDLE)
    described.add_flavor(FLAVOR, data=BUNDLE, model=model.name, version=__version__)
    described.save(str(folder / "MLmodel"))


def log_model(model: Model[Any, Any], name: str = "model", **options: Any) -> Any:
    """Log a fitted model in the current run of MLflow; return what MLflow says about it.

    ``options`` are those of ``mlflow.models.Model.log``, such as ``registered_model_name``.
    """
    require("mlflow", "the MLflow flavour")
    from mlflow.models import Model as Described

    return Described.log(
        artifact_path=None, name=name, flavor=sys.modules[__name__], model=model, **options
    )


def load_model(model_uri: str) -> Model[Any, Any]:
    """Load a model that was saved or logged here: a path, ``runs:/...`` or ``models:/...``."""
    require("mlflow", "the MLflow flavour")
    from mlflow.artifacts import download_artifacts

    return load(Path(download_artifacts(artifact_uri=model_uri)) / BUNDLE)


def _load_pyfunc(path: str) -> _Lists:
    """Load a model for ``mlflow.pyfunc``, which passes the path of the bundle."""
    return _Lists(load(path))


class _Lists:
    """A model as MLflow calls it: users in, their lists out."""

    def __init__(self, model: Model[Any, Any]) -> None:
        self.model = model

    def predict(self, frame: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """List the best items of each ``user_id``; unknown users get popular items."""
        if "user_id" not in frame:
            raise InputError("the input has no column user_id", remedy="rename the column")
        users = frame["user_id"].tolist()
        lists = self.model.recommend(users, on_unknown="fallback", **(params or {}))
        return lists.to_pandas()
