"""Why an item is listed, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from shortlist.data.vocabulary import UNKNOWN, Id
from shortlist.recommend.explain import Explanation
from shortlist.recommend.query import Query
from shortlist.serving.plain import json_bytes
from shortlist.serving.served import Served

MOST_REASONS = 5  # of an item in a list; POST /explanations gives all


def explanation(served: Served, query: Query, item: Id) -> dict[str, Any]:
    """Take a score apart, as ``POST /explanations`` replies."""
    found = served.model.explain(None, item, query=query)
    return {
        "model": served.name,
        "item_id": found.item,
        "score": found.score,
        "source": found.source,
        "parts": _labelled(served, found),
    }


def reasons_json(served: Served, query: Query, items: list[Id]) -> list[bytes]:
    """Give the largest parts of the score of each item, as JSON."""
    found = (served.model.explain(None, item, query=query) for item in items)
    return [json_bytes(_labelled(served, one)[:MOST_REASONS]) for one in found]


def _labelled(served: Served, found: Explanation) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = found.parts.to_pylist()
    items = served.data.items
    rows = items.rows(items.parse([part["name"] for part in parts]))
    for part, row in zip(parts, np.asarray(rows).tolist(), strict=True):
        is_item = part["kind"].endswith("item") and row != UNKNOWN
        part["label"] = served.catalogue.titles[row] if is_item else part["name"]
    return parts
