"""The loaded models by name; each is replaced when a newer bundle is written to its folder."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from shortlist.bundle.manifest import Manifest
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id, Vocabulary
from shortlist.errors import CapabilityError, InputError, ShortlistError, suggestion
from shortlist.models.base import Model
from shortlist.models.registry import read
from shortlist.recommend.explain import explain_items
from shortlist.recommend.query import Query
from shortlist.recommend.recommender import pack_items
from shortlist.scoring.capabilities import ComparesItems, Explains, HasVectors, PredictsRatings
from shortlist.serving.catalogue import Catalogue, describe_fields, item_map
from shortlist.serving.errors import RequestError, RequestErrorCode
from shortlist.serving.metrics import Metrics, answering_model
from shortlist.serving.replies import (
    Capability,
    Encoded,
    Map,
    RankedItem,
    Ratings,
    Schema,
    encode,
)

log = logging.getLogger("shortlist.serving")

Signature: TypeAlias = tuple[tuple[str, int, int, int], ...]

_VALUES = 20  # of weights, that are few enough to choose from
_GC_THRESHOLD = 10_000  # net allocations between collections of the youngest generation


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A loaded bundle, with everything prepared that requests need.

    Attributes
    ----------
    name
        The name that requests use.
    model
        The fitted model.
    manifest
        The manifest of the bundle.
    catalogue
        The items as replies show them.
    schema
        The reply of ``GET /schema``.
    map
        The reply of ``GET /map``; None for a model without vectors.
    """

    name: str
    model: Model[Any, Any]
    manifest: Manifest
    catalogue: Catalogue
    schema: Schema
    map: Encoded[Map] | None

    @classmethod
    def open(cls, name: str, path: str | Path) -> ServedModel:
        """Load a bundle and prepare it, so that the first request is as fast as the next.

        Raises
        ------
        BundleError
            The folder is missing, not a bundle, damaged, or of another format.
        """
        model, manifest = read(path)
        data, catalogue = model.data, Catalogue(model.data)
        schema: Schema = {
            "user_features": describe_fields(data.user_features) if model.uses_features else [],
            "item_fields": describe_fields(data.item_features),
        }
        encoded: Encoded[Map] | None = None
        if isinstance(model, HasVectors):
            encoded = Encoded(encode(Map, item_map(model, catalogue)))
        if data.n_users:
            model.recommend(data.users.take([0]), k=10)  # computes what is cached
            pack_items(model)
        if data.n_items:  # compile what histories and explanations need, before the first request
            query = Query(history=data.items.take([0]).to_pylist())
            model.recommend(queries=[query], k=1)
            if isinstance(model, Explains):
                list(explain_items(model, query, data.items.take([0]).to_pylist(), most=1))
        served = cls(name, model, manifest, catalogue, schema, encoded)
        _ = served.ratings  # it takes a second on large data
        return served

    @property
    def data(self) -> Dataset:
        """The data the model was fitted on."""
        return self.model.data

    @cached_property
    def capabilities(self) -> list[Capability]:
        """The capabilities of the model besides lists."""
        model = self.model
        has: dict[Capability, bool] = {
            "similar": isinstance(model, ComparesItems),
            "audience": True,
            "explain": isinstance(model, Explains),
            "predict": isinstance(model, PredictsRatings),
            "features": model.uses_features and model.data.user_features is not None,
            "map": isinstance(model, HasVectors),
        }
        return [name for name, present in has.items() if present]

    @cached_property
    def ratings(self) -> Ratings | None:
        """The scale of the weights of interactions; None: they are all equal."""
        values = np.unique(self.data.matrix.data)
        if len(values) < 2:
            return None
        listed = [round(float(value), 6) for value in values] if len(values) <= _VALUES else None
        return {"min": float(values[0]), "max": float(values[-1]), "values": listed}

    @cached_property
    def user_texts(self) -> pa.Array:
        """The id of each user as text, for the search."""  # (n_users,)
        return self.data.users.ids.cast(pa.string())

    def ranked_items(self, table: pa.Table) -> list[RankedItem]:
        """Return the rows of recommendations as the items of a reply.

        Parameters
        ----------
        table
            The table of a :class:`~shortlist.recommend.result.Recommendations`.
        """
        summary = self.catalogue.summary
        rows = self.data.items.rows(table.column("item_id")).tolist()
        return [
            {
                "item_id": item["item_id"],
                "title": item["title"],
                "features": item["features"],
                "rank": rank,
                "score": score,
                "source": source,
            }
            for item, rank, score, source in zip(
                map(summary, rows),
                table.column("rank").to_pylist(),
                table.column("score").to_pylist(),
                table.column("source").to_pylist(),
                strict=True,
            )
        ]

    def require_map(self) -> Encoded[Map]:
        """Return the map.

        Raises
        ------
        CapabilityError
            The model has no vectors.
        """
        if self.map is None:
            raise CapabilityError(
                f"{self.model.name} has no vectors to make a map of", where=f"model {self.name!r}"
            )
        return self.map


def known_id(vocabulary: Vocabulary, text: str) -> Id:
    """Return the id that a URL contains.

    Raises
    ------
    UnknownIdError
        It is not in the vocabulary.
    """
    (parsed,) = vocabulary.parse([text])
    vocabulary.require([parsed])
    return parsed


class ModelStore:
    """Loads bundles and reloads them when they change.

    Parameters
    ----------
    paths
        The folder of each bundle by name; the first is the default.
    metrics
        Where reloads are counted.

    Attributes
    ----------
    reload_errors
        For each name, why its newer bundle could not be loaded; None: no error.

    Raises
    ------
    BundleError
        A bundle cannot be loaded.
    """

    def __init__(self, paths: Mapping[str, Path], metrics: Metrics) -> None:
        if not paths:
            raise InputError("there is nothing to serve", remedy="name a bundle")
        self._paths, self._metrics = dict(paths), metrics
        self._signatures = {name: signature(path) for name, path in paths.items()}
        self._models = {name: ServedModel.open(name, path) for name, path in paths.items()}
        self.reload_errors: dict[str, str | None] = dict.fromkeys(paths)
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")

    def all(self) -> list[ServedModel]:
        """Return the models, the default first."""
        return list(self._models.values())

    def get(self, name: str | None) -> ServedModel:
        """Return a model; None: the default.

        Raises
        ------
        RequestError
            There is no model of this name.
        """
        if name is None:
            name = next(iter(self._models))
        if name not in self._models:
            raise RequestError(
                RequestErrorCode.UNKNOWN_MODEL,
                f"there is no model {name!r}",
                where="model",
                remedy=suggestion(name, self._models),
                parameter="model",
                allowed=list(self._models),
            )
        answering_model.set(name)
        return self._models[name]

    async def watch(self, seconds: float, on_reload: Callable[[], None]) -> None:
        """Look for newer bundles at this interval, for ever.

        After a reload ``on_reload`` is called in a thread. Requests that have begun keep their
        model.
        """
        while True:
            await asyncio.sleep(seconds)
            for name in self._paths:
                if await self.reload(name):
                    loop = asyncio.get_running_loop()
                    await loop.run_in_executor(self._loader, on_reload)
                    await loop.run_in_executor(self._loader, refreeze)

    async def reload(self, name: str) -> bool:
        """Replace a model if its bundle has changed and can be loaded; return whether it was.

        An error is reported (``reload_errors``, the log, the metrics); loading is tried again once
        the files change.
        """
        path, loop = self._paths[name], asyncio.get_running_loop()
        current = await loop.run_in_executor(self._loader, signature, path)
        if current == self._signatures[name]:
            return False
        self._signatures[name] = current
        try:
            newer = await loop.run_in_executor(self._loader, ServedModel.open, name, path)
        except ShortlistError as error:
            self._refuse(name, error.what)
            return False
        except Exception as error:  # the service and its watch go on
            log.exception("%s: loading failed", name)
            self._refuse(name, f"{type(error).__name__}: {error}")
            return False
        self._models[name] = newer
        self.reload_errors[name] = None
        self._metrics.reloads.labels(name, "taken over").inc()
        log.info("%s: took over the bundle of %s", name, newer.manifest.created)
        return True

    def _refuse(self, name: str, reason: str) -> None:
        self.reload_errors[name] = reason
        self._metrics.reloads.labels(name, "refused").inc()
        log.warning("%s: the newer bundle is not taken over: %s", name, reason)

    def stop(self) -> None:
        """Stop loading."""
        self._loader.shutdown(wait=False, cancel_futures=True)  # loading may take long


def signature(path: Path) -> Signature:
    """Return a value that changes when a file of a folder does: names, sizes, times and inodes.

    Examples
    --------
    >>> signature(Path("no such folder"))
    ()
    """
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
