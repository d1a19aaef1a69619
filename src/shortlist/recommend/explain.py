"""Why an item is on a list: the parts its score is the sum of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from shortlist.data.vocabulary import Id
from shortlist.errors import InputError
from shortlist.models.base import Model
from shortlist.models.capabilities import Explains, Parts, cannot
from shortlist.models.selection import columns
from shortlist.recommend.query import Query
from shortlist.recommend.recommender import FALLBACK
from shortlist.recommend.resolve import resolve
from shortlist.recommend.scoring import blank
from shortlist.text import text_table


@dataclass(frozen=True)
class Explanation:
    """The reasons for one score.

    Attributes
    ----------
    item
        The item's id.
    score
        The score that ``recommend`` ranks it by.
    source
        The model's name, or ``popularity`` where the model knew nothing of the person.
    parts
        What the score is the sum of, the largest first: ``kind`` (chosen item, similar user,
        feature, ...), ``name`` (an id or a feature's name, as text) and ``amount``.
    """

    item: Id
    score: float
    source: str
    parts: pa.Table

    def __str__(self) -> str:
        rows = [
            [row["kind"], row["name"], f"{row['amount']:+.4f}"] for row in self.parts.to_pylist()
        ]
        return text_table(["reason", "name", f"of {self.score:.4f}"], rows)


def explain(model: Model[Any, Any], user: Id | None, item: Id, query: Query | None) -> Explanation:
    """Take one score apart; :meth:`Model.explain` documents the arguments."""
    if not isinstance(model, Explains):
        raise cannot(model, Explains)
    if (user is None) == (query is None):
        raise InputError(
            "give a user or a query", remedy="explain(user, item), or query=Query(...)"
        )
    row = int(model.data.items.require([item])[0])
    asked = query if query is not None else Query(user=user)
    profiles = resolve(model, None, [asked], "raise").profiles(range(1), model)
    if blank(model, profiles)[0]:
        count = np.array([model.data.item_counts[row]], dtype=np.float64)
        parts = [Parts("popularity", pa.array(["users who chose it"]), count)]
        return _explanation(item, float(count[0]), FALLBACK, parts)
    score = columns(model.score(profiles), np.array([row], dtype=np.int32))
    return _explanation(item, float(score[0, 0]), model.name, model.parts(profiles, row))


def _explanation(item: Id, score: float, source: str, parts: list[Parts]) -> Explanation:
    table = pa.table(
        {
            "kind": [one.kind for one in parts for _ in range(len(one.names))],
            "name": [str(name) for one in parts for name in one.names.to_pylist()],
            "amount": np.concatenate([np.empty(0), *(one.amounts for one in parts)]),
        },
        schema=pa.schema([("kind", pa.string()), ("name", pa.string()), ("amount", pa.float64())]),
    )
    order = np.argsort(-np.abs(table.column("amount").to_numpy()), kind="stable")
    return Explanation(item, score, source, table.take(pa.array(order)))
