"""Why an item is on a list: the terms of its score."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.columns.labels import column_label, labels_of, value_label
from shortlist.data.columns.titles import titles
from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import UNKNOWN, Id, Rows
from shortlist.errors import InputError
from shortlist.frames import Tabular
from shortlist.recommend.query import OnUnknown, Query
from shortlist.recommend.recommender import ListOptions, ListTask
from shortlist.recommend.result import FALLBACK, TITLE
from shortlist.recommend.rules import Rules
from shortlist.scoring.capabilities import Explains, ExplainsShortlists, Parts, cannot
from shortlist.scoring.finite import require_finite_scores
from shortlist.scoring.scorer import Scorer
from shortlist.scoring.scores import DenseScores
from shortlist.scoring.selection import columns
from shortlist.text import TextTable, counted

CHOSEN = "chosen item"  # the kind of the terms that stand for items of the history
BY_SIMILAR = "chosen by similar users"  # and of items that similar users chose
DISLIKED = "disliked item"
SIMILAR = "similar user"  # the kind of the terms that stand for other users
FEATURE = "feature"  # the kind of the terms that stand for features of the user or the item
SHOWN_TERMS = 5  # as text
FEWEST_CHOOSERS = 5  # of an item, to count how many of them share a feature: fewer are persons


@dataclass(frozen=True)
class Explanation(Tabular):
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
        ...), ``name`` (an id or a feature's name, as text), ``amount`` and, where the items have
        titles, the ``title`` of an item. Other users are never named: one term counts them.
    labels
        What to call each term: the title of an item; the words for a feature and its value, and for
        a feature of the user how many of those who chose the item share it.
    """

    item: Id
    score: float
    source: str
    parts: pa.Table
    labels: tuple[str, ...] = ()

    def to_arrow(self) -> pa.Table:
        """Return ``parts`` with the column ``label``, if there are labels."""
        if not self.labels:
            return self.parts
        return self.parts.append_column("label", pa.array(self.labels, pa.string()))

    def content(self) -> list[str | TextTable]:
        """Return the table of the largest terms."""
        title = [TITLE] if TITLE in self.parts.column_names else []
        terms = self.parts.to_pylist()
        names = self.labels or [row["name"] for row in terms]
        rows = [
            [
                row["kind"],
                name if row["kind"] == FEATURE else row["name"],
                *(row[title_] or "" for title_ in title),
                f"{row['amount']:+.4f}",
            ]
            for row, name in zip(terms[:SHOWN_TERMS], names, strict=False)
        ]
        if rest := terms[SHOWN_TERMS:]:
            total = sum(row["amount"] for row in rest)
            rows.append([f"and {len(rest)} more", "", *([""] if title else []), f"{total:+.4f}"])
        return [TextTable(["reason", "name", *title, f"of {self.score:.4f}"], rows)]


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
    rules: Rules | None = None,
    on_unknown: OnUnknown = "raise",
) -> Iterator[Explanation]:
    """Split the scores of several items for one query; yield an explanation for each.

    The profile and the scores of the query are computed once. An explanation has the ``most``
    largest terms; None: all. All terms that stand for other users become one, which only counts
    them: whoever reads the reasons must not learn whom they resemble. ``rules`` and ``on_unknown``
    are those of the call that listed the items; an unknown item among ``items`` is an InputError.
    """
    if not isinstance(model, Explains):
        raise cannot(model, Explains)
    rows = model.data.items.require(items)
    if not len(rows):
        return
    # Scores do not depend on whether seen items are left out; these are explained, too.
    options = ListOptions(1, False, rules or Rules(), on_unknown, 0.0)
    task = ListTask.of(model, None, [query], options)
    profiles = task.requests.profiles(range(1), model)
    source = model.name
    scores: NDArray[np.floating]
    parts: Iterable[list[Parts]]
    if model.can_score(profiles)[0]:
        if isinstance(model, ExplainsShortlists):
            scores, parts = model.explained(profiles, task.eligible(range(1), profiles), rows)
        else:
            scores = columns(model.score(profiles), rows)[0]
            parts = model.parts_of(profiles, rows)
        require_finite_scores(model.name, DenseScores(scores[np.newaxis]))
    else:
        source, counts = FALLBACK, model.data.item_counts[rows].astype(np.float64)
        scores, counted = counts, pa.array(["users who chose it"])
        parts = ([Parts("popularity", counted, counts[[n]])] for n in range(len(rows)))
    for row, item, score, terms in zip(rows.tolist(), items, scores, parts, strict=True):
        shown = [_counted(part) if part.kind == SIMILAR else part for part in terms]
        table = _table(model.data, shown, most)
        yield Explanation(item, float(score), source, table, _labels(model.data, row, table))


def _counted(part: Parts) -> Parts:
    """Return one term for all terms of a part."""
    if not len(part.names):
        return part
    return Parts(
        part.kind, pa.array([counted(len(part.names), "user")]), np.array([part.amounts.sum()])
    )


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
    titled = titles(data.item_features)
    if titled is not None:
        kind = data.items.ids.type
        of_items = CHOSEN, DISLIKED, BY_SIMILAR
        ids = [p.names if p.kind in of_items else pa.nulls(len(p.names), kind) for p in parts]
        rows = data.items.rows(pa.chunked_array(ids, kind).take(pa.array(order)))
        columns[TITLE] = titled.take(pa.array(rows, mask=rows == UNKNOWN))
    return pa.table(columns)


def _labels(data: Dataset, item: int, parts: pa.Table) -> tuple[str, ...]:
    """Return what to call each term of the score of an item row."""
    called = []
    choosers = cache(lambda: data.user_rows[data.item_rows == item])
    named = parts.column(TITLE).to_pylist() if TITLE in parts.column_names else None
    for number, row in enumerate(parts.to_pylist()):
        label = row["name"] if named is None else named[number] or row["name"]
        if row["kind"] == FEATURE:
            label = _feature_label(data, row["name"], choosers if number < SHOWN_TERMS else None)
        called.append(label)
    return tuple(called)


def _feature_label(data: Dataset, name: str, choosers: Callable[[], Rows] | None) -> str:
    """Return the words for a feature such as ``degree=4``, and how many choosers share it."""
    column, equals, value = name.partition("=")
    sides = (data.item_features, data.user_features)  # ContentBased names items, Hybrid users
    tables = [table for table in sides if table is not None and column in table.column_names]
    if not tables or not equals:
        return name
    table: pa.Table = tables[0]
    labels = labels_of(table)
    text = f"{column_label(labels, column)} {value_label(labels, column, value)}"
    if choosers is None or table is data.item_features or len(choosers()) < FEWEST_CHOOSERS:
        return text
    values = table.column(column).take(pa.array(choosers())).to_pylist()
    sharing = sum(value in (map(str, v) if isinstance(v, list) else (str(v),)) for v in values)
    return f"{text}, as {sharing:,} of {len(values):,} who chose it" if sharing else text
