"""Why an item is on a list: the terms of its score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import UNKNOWN, Id
from shortlist.errors import InputError
from shortlist.recommend.query import Query
from shortlist.recommend.requests import resolve
from shortlist.recommend.result import FALLBACK
from shortlist.scoring.capabilities import Explains, Parts, cannot, parts_of
from shortlist.scoring.finite import require_finite_scores
from shortlist.scoring.scorer import Scorer
from shortlist.scoring.scores import DenseScores
from shortlist.scoring.selection import columns
from shortlist.text import text_table

TITLE = "title"  # the item feature that people recognise an item by
CHOSEN = "chosen item"  # the kind of the terms that stand for items of the history
DISLIKED = "disliked item"
SIMILAR = "similar user"  # the kind of the terms that stand for other users
SHOWN_TERMS = 10  # as text


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
        The model's name, or ``popularity`` where the model could not score the query.
    parts
        The terms of the score, the largest first: ``kind`` (chosen item, similar user, feature,
        ...), ``name`` (an id or a feature's name, as text), ``amount`` and, where the items have a
        feature ``title``, the title of a chosen item.
    """

    item: Id
    score: float
    source: str
    parts: pa.Table

    def __str__(self) -> str:
        title = [TITLE] if TITLE in self.parts.column_names else []
        terms = self.parts.to_pylist()
        rows = [
            [
                row["kind"],
                row["name"],
                *(row[name] or "" for name in title),
                f"{row['amount']:+.4f}",
            ]
            for row in terms[:SHOWN_TERMS]
        ]
        if rest := terms[SHOWN_TERMS:]:
            total = sum(row["amount"] for row in rest)
            rows.append([f"and {len(rest)} more", "", *([""] if title else []), f"{total:+.4f}"])
        return text_table(["reason", "name", *title, f"of {self.score:.4f}"], rows)


def explain(model: Scorer, user: Id | None, item: Id, query: Query | None) -> Explanation:
    """Split one score into its terms; :meth:`Model.explain` documents the arguments."""
    if not isinstance(model, Explains):
        raise cannot(model, Explains)
    if (user is None) == (query is None):
        raise InputError(
            "give a user or a query", remedy="explain(user, item), or query=Query(...)"
        )
    return next(explain_items(model, Query(user=user) if query is None else query, [item]))


def explain_items(
    model: Scorer,
    query: Query,
    items: Sequence[Id],
    most: int | None = None,
    *,
    name_users: bool = True,
) -> Iterator[Explanation]:
    """Split the scores of several items for one query; yield an explanation for each.

    The profile and the scores of the query are computed once. An explanation has the ``most``
    largest terms; None: all. Without ``name_users`` all terms that stand for other users become
    one, which only counts them: whoever reads the reasons must not learn whom they resemble. An
    unknown id or feature is an InputError.
    """
    if not isinstance(model, Explains):
        raise cannot(model, Explains)
    rows = model.data.items.require(items)
    if not len(rows):
        return
    profiles = resolve(model, None, [query], "raise").profiles(range(1), model)
    source = model.name
    parts: Iterable[list[Parts]]
    if model.can_score(profiles)[0]:
        dense = columns(model.score(profiles), rows)
        require_finite_scores(model.name, DenseScores(dense))
        scores = dense[0]
        parts = parts_of(model, profiles, rows)
    else:
        source, scores = FALLBACK, model.data.item_counts[rows].astype(np.float64)
        counted = pa.array(["users who chose it"])
        parts = ([Parts("popularity", counted, scores[[n]])] for n in range(len(rows)))
    for item, score, terms in zip(items, scores, parts, strict=True):
        if not name_users:
            terms = [_counted(part) if part.kind == SIMILAR else part for part in terms]
        yield Explanation(item, float(score), source, _table(model.data, terms, most))


def _counted(part: Parts) -> Parts:
    """Return one term for all terms of a part."""
    if not len(part.names):
        return part
    name = f"{len(part.names):,} users" if len(part.names) > 1 else "1 user"
    return Parts(part.kind, pa.array([name]), np.array([part.amounts.sum()]))


def _table(data: Dataset, parts: list[Parts], most: int | None) -> pa.Table:
    """Return the terms, the largest first; of equal ones the first comes first."""
    amounts = np.concatenate([np.empty(0), *(part.amounts for part in parts)])
    order = np.argsort(-np.abs(amounts), kind="stable")[:most]
    part_of = np.repeat(np.arange(len(parts)), [len(part.names) for part in parts])[order]
    names = pa.chunked_array([part.names.cast(pa.string()) for part in parts], pa.string())
    kinds = pa.array([part.kind for part in parts], pa.string())
    columns = {
        "kind": kinds.take(pa.array(part_of)),
        "name": names.take(pa.array(order)),
        "amount": amounts[order],
    }
    if data.item_features is not None and TITLE in data.item_features.column_names:
        kind = data.items.ids.type
        of_items = CHOSEN, DISLIKED
        ids = [p.names if p.kind in of_items else pa.nulls(len(p.names), kind) for p in parts]
        rows = data.items.rows(pa.chunked_array(ids, kind).take(pa.array(order)))
        titles = data.item_features.column(TITLE).cast(pa.string())
        columns[TITLE] = titles.take(pa.array(rows, mask=rows == UNKNOWN))
    return pa.table(columns)
