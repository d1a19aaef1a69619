"""Notes on lists: which given features had no effect, and for which queries none had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shortlist.data.arrow_types import is_number, is_time
from shortlist.data.dataset import Dataset
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
    describing = np.array([bool(names) for names in requests.given], dtype=bool)  # (Q,)
    if not describing.any():
        return ()
    notes = []
    fallback = table.filter(pc.equal(table["source"], FALLBACK)).column(0).unique()
    popular = describing & pc.is_in(requests.labels, fallback).to_numpy(zero_copy_only=False)
    without, why_without = np.zeros_like(describing), "uses no features"
    if not model.uses_features:
        without = describing & ~popular
    elif isinstance(model, ReadsFeatures) and not model.features_with_history:
        without = describing & _with_history(model.data, requests)
        why_without = "uses features only where there is no history"
    by_features = np.flatnonzero(describing & ~without)
    if isinstance(model, ReadsFeatures) and requests.features is not None and len(by_features):
        given = frozenset().union(*requests.given)
        unused = model.unused_features(requests.features.take(pa.array(by_features)))
        names_by_reason: dict[str, list[str]] = {}
        for name, why in unused.items():
            if name in given:
                names_by_reason.setdefault(why, []).append(repr(name))
        notes += [
            f"{'feature' if len(names) == 1 else 'each of the features'} {', '.join(names)}: {why}"
            for why, names in names_by_reason.items()
        ]
    for lists, got in (
        (without, f"lists that do not depend on them: {model.name} {why_without}"),
        (popular, f"popular items: {model.name} can use none of their features"),
    ):
        if lists.any():
            notes.append(f"{lists.sum()} of {describing.sum()} queries with features got {got}")
    return tuple(notes)


def _with_history(data: Dataset, requests: Requests) -> NDArray[np.bool_]:
    """Return which requests have a history: given in a query, or in the training data."""  # (Q,)
    known = np.append(data.user_counts, 0)[requests.users] > 0  # the last one: of a new user, -1
    given = 0 if requests.history is None else np.diff(requests.history.indptr)
    return np.asarray(known | (given > 0))


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
