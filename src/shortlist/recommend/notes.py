"""Notes on lists: which given features had no effect, and for which queries none had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shortlist.data.arrow_types import is_number, is_time
from shortlist.data.rules.text import Rule
from shortlist.data.rules.where import Mask, columns_of, compares_order
from shortlist.recommend.query import OnUnknown, Query
from shortlist.recommend.requests import Requests, resolve
from shortlist.recommend.result import FALLBACK
from shortlist.scoring.capabilities import ReadsFeatures
from shortlist.scoring.scorer import Scorer


def notes_on_queries(
    model: Scorer, queries: Sequence[Query], popular: Sequence[bool], on_unknown: OnUnknown
) -> tuple[str, ...]:
    """Return the notes on the lists of queries; ``popular`` says which lists hold popular items."""
    if not any(query.features for query in queries):
        return ()
    requests = resolve(model, None, queries, on_unknown)
    positions = np.flatnonzero(popular)
    table = pa.table(
        {"query": positions, "source": pa.array([FALLBACK] * len(positions), pa.string())}
    )
    return notes_on(model, requests, table)


def notes_on(model: Scorer, requests: Requests, table: pa.Table) -> tuple[str, ...]:
    """Return what the caller should know about the lists in ``table`` of these requests."""
    describing = np.flatnonzero([bool(names) for names in requests.given])
    if not len(describing):
        return ()
    notes = []
    if isinstance(model, ReadsFeatures) and requests.features is not None:
        given = frozenset().union(*requests.given)
        unused = model.unused_features(requests.features.take(pa.array(describing)))
        names_by_reason: dict[str, list[str]] = {}
        for name, why in unused.items():
            if name in given:
                names_by_reason.setdefault(why, []).append(repr(name))
        notes += [
            f"{'feature' if len(names) == 1 else 'each of the features'} {', '.join(names)}: {why}"
            for why, names in names_by_reason.items()
        ]
    popular = table.filter(pc.equal(table["source"], FALLBACK)).column(0).unique()
    labels = requests.labels.take(pa.array(describing))
    count = pc.sum(pc.is_in(labels, popular)).as_py() or 0
    if count:
        notes.append(
            f"{count} of {len(labels)} queries with features got popular items: {model.name} can "
            "use none of their features"
        )
    return tuple(notes)


def notes_on_rule(
    features: pa.Table | None, rule: Rule | None, met: Mask | None, kind: Literal["item", "user"]
) -> tuple[str, ...]:
    """Return a note if no item (or user) meets a rule; or every one does, by an order alone.

    The second is what a wrong unit does: ``pay >= 4000`` where pay is in single won.
    """
    if features is None or rule is None or met is None:
        return ()
    names = columns_of(rule)
    ranges = [text for name in names if (text := _range(name, features.column(name)))]
    known = f": {'; '.join(ranges)}" if ranges else ""
    if not met.any():
        return (f"no {kind} meets the rule{known}",)
    if met.all() and ranges and compares_order(rule):
        return (f"every {kind} meets the rule{known}",)
    return ()


def _range(name: str, column: pa.ChunkedArray) -> str:
    """Return the smallest and the largest value of a column of numbers or dates."""
    kind = column.type
    if not (is_number(kind) or is_time(kind)):
        return ""
    low, high = pc.min_max(column).as_py().values()
    if low is None:
        return ""
    if is_number(kind):
        return f"{name} runs from {low:,} to {high:,}"
    return f"{name} runs from {low:%Y-%m-%d} to {high:%Y-%m-%d}"
