"""The loaded models by name; each is replaced when a newer bundle is written to its folder."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from shortlist.bundle.manifest import Manifest
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id, Vocabulary
from shortlist.errors import InputError, ShortlistError, suggestion
from shortlist.models.base import Model
from shortlist.models.registry import read
from shortlist.recommend.explain import explain_items
from shortlist.recommend.query import Query
from shortlist.recommend.recommender import pack_items
from shortlist.scoring.capabilities import ComparesItems, Explains, HasVectors, PredictsRatings
from shortlist.serving import replies
from shortlist.serving.catalogue import Catalogue, describe_fields, item_map
from shortlist.serving.errors import RequestError, RequestErrorCode
from shortlist.serving.metrics import Metrics, answering_model
from shortlist.serving.recent import unapplied_rules

log = logging.getLogger("shortlist.serving")

Signature: TypeAlias = tuple[tuple[str, int, int, int], ...]

_VALUES = 20  # of weights, that are few enough to choose from
_GC_THRESHOLD = 10_000  # net allocations between collections of the youngest generation


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A loaded bundle, with everything prepared that requests need."""

    name: str  # that requests use
    model: Model[Any, Any]
    manifest: Manifest
    catalogue: Catalogue
    schema: replies.Schema
    map: replies.Encoded[replies.Map] | None  # None: the model has no vectors

    @classmethod
    def open(cls, name: str, path: str | Path) -> ServedModel:
        """Load a bundle and prepare it, so that the first request is as fast as the next."""
        model, manifest = read(path)
        data, catalogue = model.data, Catalogue(model.data)
        schema: replies.Schema = {
            "user_features": describe_fields(data.user_features) if model.uses_features else [],
            "item_fields": describe_fields(data.item_features),
        }
        encoded: replies.Encoded[replies.Map] | None = None
        if isinstance(model, HasVectors):
            encoded = replies.Encoded(replies.encode(replies.Map, item_map(model, catalogue)))
        if data.n_users:
            model.recommend(data.users.take([0]), k=10)  # computes what is cached
            pack_items(model)
        if data.n_items:  # compile what histories and explanations need, before the first request
            query = Query(history=data.items.take([0]).to_pylist())
            model.recommend(queries=[query], k=1)
            if isinstance(model, Explains):
                list(explain_items(model, query, data.items.take([0]).to_pylist(), most=1))
        for rule in unapplied_rules(data):
            log.warning("%s: recorded interactions lack a column of its rule %s", name, rule)
        served = cls(name, model, manifest, catalogue, schema, encoded)
        _ = served.ratings  # it takes a second on large data
        return served

    @property
    def data(self) -> Dataset:
        """The data the model was fitted on."""
        return self.model.data

    def info(self, trouble: str | None) -> replies.ModelInfo:
        """Describe the bundle; ``trouble`` is why a newer one could not be loaded."""
        return {
            "name": self.name,
            "kind": self.model.name,
            "users": self.data.n_users,
            "items": self.data.n_items,
            "interactions": self.data.n_interactions,
            "created": self.manifest.created,
            "metrics": self.manifest.metrics,
            "ratings": self.ratings,
            "can": self.capabilities,
            "trouble": trouble,
        }

    @cached_property
    def capabilities(self) -> list[replies.Capability]:
        """The capabilities of the model besides lists."""
        model = self.model
        has: dict[replies.Capability, bool] = {
            "similar": isinstance(model, ComparesItems),
            "audience": True,
            "explain": isinstance(model, Explains),
            "predict": isinstance(model, PredictsRatings),
            "features": model.uses_features and model.data.user_features is not None,
            "map": isinstance(model, HasVectors),
        }
        return [name for name, present in has.items() if present]

    @cached_property
    def ratings(self) -> replies.Ratings | None:
        """The scale of the weights of interactions; None: they are all equal."""
        values = np.unique(self.data.matrix.data)
        if len(values) < 2:
            return None
        listed = [round(float(value), 6) for value in values] if len(values) <= _VALUES else None
        return {"min": float(values[0]), "max": float(values[-1]), "values": listed}

    def ranked_items(self, table: pa.Table) -> list[replies.RankedItem]:
        """Return the rows of the table of recommendations as the items of a reply."""
        summary = self.catalogue.summary
        rows = self.data.items.rows(table.column("item_id")).tolist()
        columns = [table.column(name).to_pylist() for name in ("rank", "score", "source")]
        return [
            {
                "item_id": item["item_id"],
                "title": item["title"],
                "features": item["features"],
                "rank": rank,
                "score": score,
                "source": source,
            }
            for item, rank, score, source in zip(map(summary, rows), *columns, strict=True)
        ]


def known_id(vocabulary: Vocabulary, text: str) -> Id:
    """Return the id that a URL contains, or raise an UnknownIdError."""
    (parsed,) = vocabulary.parse([text])
    vocabulary.require([parsed])
    return parsed


class ModelStore:
    """Loads the bundles of these folders, the default first, and reloads them when they change."""

    def __init__(self, paths: Mapping[str, Path], metrics: Metrics) -> None:
        if not paths:
            raise InputError("there is nothing to serve", remedy="name a bundle")
        self._paths, self._metrics = dict(paths), metrics
        self._signatures = {name: signature(path) for name, path in paths.items()}
        self._models = {name: ServedModel.open(name, path) for name, path in paths.items()}
        self.reload_errors: dict[str, str | None] = dict.fromkeys(paths)  # None: no error
        self._stopped = threading.Event()

    def all(self) -> list[ServedModel]:
        """Return the models, the default first."""
        return list(self._models.values())

    def get(self, name: str | None) -> ServedModel:
        """Return a model; None: the default."""
        if name is None:
            name = next(iter(self._models))
        if name not in self._models:
            raise RequestError(
                f"there is no model {name!r}",
                code=RequestErrorCode.UNKNOWN_MODEL,
                remedy=suggestion(name, self._models),
                parameter="model",
                allowed=list(self._models),
            )
        answering_model.set(name)
        return self._models[name]

    def start(self, seconds: float, on_reload: Callable[[], None]) -> None:
        """Look for newer bundles at this interval, and call ``on_reload`` after a reload.

        Requests that have begun keep their model.
        """
        watch = threading.Thread(target=self._watch, args=(seconds, on_reload), daemon=True)
        watch.start()

    def stop(self) -> None:
        """Stop looking for newer bundles; a load that has begun is finished."""
        self._stopped.set()

    def _watch(self, seconds: float, on_reload: Callable[[], None]) -> None:
        while not self._stopped.wait(seconds):
            for name in self._paths:
                if self._reload(name):
                    on_reload()
                    refreeze()

    def _reload(self, name: str) -> bool:
        """Replace a model if its bundle has changed and can be loaded; return whether it was.

        An error is reported (``reload_errors``, the log, the metrics); loading is tried again once
        the files change.
        """
        current = signature(self._paths[name])
        if current == self._signatures[name]:
            return False
        self._signatures[name] = current
        try:
            newer = ServedModel.open(name, self._paths[name])
        except Exception as error:  # the service and its watch go on
            reason = f"{type(error).__name__}: {error}"
            if isinstance(error, ShortlistError):
                reason = error.what
            else:
                log.exception("%s: loading failed", name)
            self.reload_errors[name] = reason
            self._metrics.reloads.labels(name, "refused").inc()
            log.warning("%s: the newer bundle is not taken over: %s", name, reason)
            return False
        self._models[name] = newer
        self.reload_errors[name] = None
        self._metrics.reloads.labels(name, "taken over").inc()
        log.info("%s: took over the bundle of %s", name, newer.manifest.created)
        return True


def signature(path: Path) -> Signature:
    """Return a value that changes when a file of a folder does: names, sizes, times and inodes."""
    try:
        stats = [(file.name, file.stat()) for file in sorted(path.iterdir())]
    except OSError:  # the folder is missing or being replaced: its next state is a change
        return ()
    return tuple((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats)


def freeze() -> None:
    """Exempt all live objects from garbage collection. Call it once the models are loaded.

    A full collection visits every object. With a catalogue loaded it takes a tenth of a second, in
    which no request is answered, and frees nothing, because the models stay. Later objects are
    collected as usual, and reference counting still frees frozen ones.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, *gc.get_threshold()[1:])


def refreeze() -> None:
    """Call :func:`freeze` after a reload, in a process that has called it before."""
    if gc.get_freeze_count():
        freeze()
