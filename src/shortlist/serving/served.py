"""A loaded bundle, with everything made ready that a request may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from shortlist.bundle import read_manifest
from shortlist.bundle.manifest import Manifest
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id, Vocabulary
from shortlist.errors import CapabilityError
from shortlist.models.base import Model
from shortlist.models.registry import load
from shortlist.recommend.recommender import pack_items
from shortlist.scoring.capabilities import ComparesItems, Explains, HasVectors, PredictsRatings
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.fields import describe
from shortlist.serving.places import map_json
from shortlist.serving.plain import json_bytes


@dataclass(frozen=True, eq=False)
class Served:
    """A model that answers requests.

    Attributes
    ----------
    name
        What requests call it.
    model
        The fitted model.
    manifest
        What its bundle says of it.
    catalogue
        Its items as people see them.
    schema_json, map_json
        The replies of ``GET /schema`` and ``GET /map``; no map where there are no vectors.
    """

    name: str
    model: Model[Any, Any]
    manifest: Manifest
    catalogue: Catalogue
    schema_json: bytes
    map_json: bytes | None

    @classmethod
    def open(cls, name: str, path: str | Path) -> Served:
        """Load a bundle and make it ready; the first request is as fast as the next.

        Raises
        ------
        BundleError
            The folder is missing, not a bundle, damaged, or of another format.
        """
        model = load(path)
        data, catalogue = model.data, Catalogue(model.data)
        schema = {
            "user_features": describe(data.user_features) if model.uses_features else [],
            "item_fields": describe(data.item_features),
        }
        places = map_json(model, catalogue) if isinstance(model, HasVectors) else None
        served = cls(name, model, read_manifest(path), catalogue, json_bytes(schema), places)
        if data.n_users:
            model.recommend(data.users.take([0]), k=10)  # fills what is computed once
            pack_items(model)
        return served

    @property
    def data(self) -> Dataset:
        """The data the model was fitted on."""
        return self.model.data

    @cached_property
    def can(self) -> list[str]:
        """What the model can do beside lists."""
        model = self.model
        known = {
            "similar": isinstance(model, ComparesItems),
            "audience": True,
            "explain": isinstance(model, Explains),
            "predict": isinstance(model, PredictsRatings),
            "features": model.uses_features and model.data.user_features is not None,
            "map": isinstance(model, HasVectors),
        }
        return [name for name, is_so in known.items() if is_so]

    @cached_property
    def user_texts(self) -> pa.Array:
        """The id of each user as text, to search in."""  # (n_users,)
        return self.data.users.ids.cast(pa.string())

    def listed(self, table: pa.Table) -> list[bytes]:
        """Write rows of lists as JSON: each an item, the brace left open.

        Parameters
        ----------
        table
            The table of a :class:`~shortlist.recommend.result.Recommendations`.
        """
        rows = self.data.items.rows(table.column("item_id"))
        return [
            b'%s,"rank":%d,"score":%s,"source":"%s"'
            % (opening, rank, repr(score).encode(), source.encode())
            for opening, rank, score, source in zip(
                self.catalogue.openings(rows.tolist()),
                table.column("rank").to_pylist(),
                table.column("score").to_pylist(),
                table.column("source").to_pylist(),
                strict=True,
            )
        ]

    def places(self) -> bytes:
        """Give the map.

        Raises
        ------
        CapabilityError
            The model has no vectors.
        """
        if self.map_json is None:
            raise CapabilityError(
                f"{self.model.name} has no vectors to make a map of",
                where=f"model {self.name!r}",
                remedy="choose a model that can: GET /models",
            )
        return self.map_json


def parsed(vocabulary: Vocabulary, text: str) -> Id:
    """Read an id from a URL and see that it is known.

    Raises
    ------
    UnknownIdError
        It is not in the vocabulary.
    """
    one = vocabulary.parse([text])[0]
    vocabulary.require([one])
    return one
