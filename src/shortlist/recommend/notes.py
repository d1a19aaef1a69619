"""Notes on lists: which given features had no effect, and for which queries none had."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
        notes += [f"feature {name!r}: {why}" for name, why in unused.items() if name in given]
    popular = table.filter(pc.equal(table["source"], FALLBACK)).column(0).unique()
    labels = requests.labels.take(pa.array(describing))
    count = pc.sum(pc.is_in(labels, popular)).as_py() or 0
    if count:
        notes.append(
            f"{count} of {len(labels)} queries with features got popular items: {model.name} can "
            "use none of their features"
        )
    return tuple(notes)
