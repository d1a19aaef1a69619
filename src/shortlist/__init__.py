"""From the tables you already have to a ranked shortlist for each person, and the other way round.

>>> import shortlist as sl
>>> import pyarrow as pa
>>> log = pa.table({"user_id": [1, 1, 2, 2, 3], "item_id": ["a", "b", "a", "b", "a"]})
>>> data = sl.Dataset.from_tables(log)
>>> sl.ItemCosine().fit(data).recommend([3], k=1).column("item_id")
['b']

Names are imported when they are first used, so ``import shortlist`` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from shortlist._version import __version__

if TYPE_CHECKING:
    from shortlist import engine as engine
    from shortlist import errors as errors
    from shortlist import explore as explore
    from shortlist import mlflow as mlflow
    from shortlist import spark as spark
    from shortlist.data import split as split
    from shortlist.data.columns.look import look as look
    from shortlist.data.dataset import Dataset as Dataset
    from shortlist.data.fetch import fetch as fetch
    from shortlist.data.samples.board import jobs as jobs
    from shortlist.data.samples.movies import films as films
    from shortlist.data.store.store import Store as Store
    from shortlist.evaluation import evaluate as evaluate
    from shortlist.evaluation import evaluate_sampled as evaluate_sampled
    from shortlist.models.cascade.model import Cascade as Cascade
    from shortlist.models.content import ContentBased as ContentBased
    from shortlist.models.cosine import ItemCosine as ItemCosine
    from shortlist.models.cosine import UserCosine as UserCosine
    from shortlist.models.ease import EASE as EASE
    from shortlist.models.factorization.model import MatrixFactorization as MatrixFactorization
    from shortlist.models.graph_filter import GraphFilter as GraphFilter
    from shortlist.models.hybrid.model import Hybrid as Hybrid
    from shortlist.models.ials.model import IALS as IALS
    from shortlist.models.indexed import Indexed as Indexed
    from shortlist.models.popularity import Popularity as Popularity
    from shortlist.models.registry import load as load
    from shortlist.models.rp3beta import RP3beta as RP3beta
    from shortlist.models.sasrec.model import SASRec as SASRec
    from shortlist.models.sparse_ease import SparseEASE as SparseEASE
    from shortlist.models.towers.model import MultiTask as MultiTask
    from shortlist.models.towers.model import Ranking as Ranking
    from shortlist.models.towers.model import Retrieval as Retrieval
    from shortlist.models.towers.ncf import GMF as GMF
    from shortlist.models.towers.ncf import MLP as MLP
    from shortlist.models.towers.ncf import NeuMF as NeuMF
    from shortlist.recommend.query import Query as Query
    from shortlist.recommend.result import Recommendations as Recommendations
    from shortlist.reporting import compare as compare
    from shortlist.tuning import auto as auto
    from shortlist.tuning import tune as tune

_LAZY = {
    "Cascade": "models.cascade.model",
    "ContentBased": "models.content",
    "Dataset": "data.dataset",
    "EASE": "models.ease",
    "SparseEASE": "models.sparse_ease",
    "GMF": "models.towers.ncf",
    "GraphFilter": "models.graph_filter",
    "Hybrid": "models.hybrid.model",
    "IALS": "models.ials.model",
    "Indexed": "models.indexed",
    "ItemCosine": "models.cosine",
    "MLP": "models.towers.ncf",
    "MatrixFactorization": "models.factorization.model",
    "NeuMF": "models.towers.ncf",
    "MultiTask": "models.towers.model",
    "Popularity": "models.popularity",
    "Query": "recommend.query",
    "RP3beta": "models.rp3beta",
    "Ranking": "models.towers.model",
    "Recommendations": "recommend.result",
    "Retrieval": "models.towers.model",
    "SASRec": "models.sasrec.model",
    "Store": "data.store.store",
    "UserCosine": "models.cosine",
    "auto": "tuning",
    "compare": "reporting",
    "evaluate": "evaluation",
    "evaluate_sampled": "evaluation",
    "fetch": "data.fetch",
    "films": "data.samples.movies",
    "jobs": "data.samples.board",
    "load": "models.registry",
    "look": "data.columns.look",
    "tune": "tuning",
}
_MODULES = {
    "engine": "engine",
    "errors": "errors",
    "explore": "explore",
    "mlflow": "mlflow",
    "spark": "spark",
    "split": "data.split",
}

__all__ = ["__version__", *sorted([*_LAZY, *_MODULES])]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"shortlist.{_MODULES[name]}")
    if name in _LAZY:
        return getattr(import_module(f"shortlist.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'shortlist' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
