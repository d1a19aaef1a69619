"""Example lists of a few randomly drawn users: their history, their list, and the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np

from shortlist.data.vocabulary import Id
from shortlist.evaluation.comparison import Comparison
from shortlist.evaluation.truth import Truth
from shortlist.explore.items import labels
from shortlist.models.base import Model
from shortlist.recommend.explain import Explanation, explain_items
from shortlist.recommend.query import Query
from shortlist.scoring.capabilities import Explains

USERS = 4
MOST_ITEMS = 10  # per list
HISTORY = 8  # items of a history that are shown, the latest
REASONS = 2  # per item


def examples(comparison: Comparison) -> dict[str, Any]:
    """Make lists of the best model for test users, drawn with the seed of the comparison."""
    report, model = comparison[comparison.best], comparison.models[comparison.best]
    truth = Truth.of(comparison.train, comparison.test)
    drawn = np.random.default_rng(report.seed).permutation(len(truth.user_rows))[:USERS]
    k = min(report.main_k, MOST_ITEMS)
    names = labels(comparison.train)
    return {
        "model": comparison.best,
        "k": k,
        "timed": comparison.train.times is not None,
        "explained": isinstance(model, Explains),
        "lists": [_example(model, truth, int(position), names, k) for position in np.sort(drawn)],
    }


def _example(
    model: Model[Any, Any], truth: Truth, position: int, names: Sequence[str], k: int
) -> dict[str, Any]:
    data, row = model.data, int(truth.user_rows[position])
    user: Id = data.users.ids[row].as_py()
    true = truth.item_rows[truth.indptr[position] : truth.indptr[position + 1]]
    moment = None if truth.moments is None else np.datetime64(int(truth.moments[position]), "us")
    table = model.recommend([user], k=k, as_of=moment).to_arrow()
    items = table.column("item_id").to_pylist()
    listed = [
        {
            **entry,  # rank, score, source
            "title": names[item_row],
            "held_out": item_row in true,
            "reasons": reasons,
        }
        for entry, item_row, reasons in zip(
            table.to_pylist(), data.items.rows(items), _reasons(model, user, items), strict=True
        )
    ]
    recency = data.recency[[row]]
    latest = recency.indices[np.argsort(recency.data)]
    return {
        "user": str(user),
        "history": [names[item_row] for item_row in latest[:HISTORY]],
        "history_size": len(latest),
        "held_out": [names[item_row] for item_row in true],
        "hit_ranks": [item["rank"] for item in listed if item["held_out"]],
        "listed": listed,
    }


def _reasons(model: Model[Any, Any], user: Id, items: Sequence[Id]) -> list[list[dict[str, Any]]]:
    """Return parts of each score: kind, label, amount, and share of a score above 0."""
    if not isinstance(model, Explains):
        return [[] for _ in items]
    return [
        [
            {
                "kind": part["kind"],
                "label": label,
                "amount": part["amount"],
                "share": part["amount"] / explanation.score if explanation.score > 0 else None,
            }
            for part, label in strongest(explanation)
        ]
        for explanation in explain_items(model, Query(user=user), items)
    ]


def strongest(explanation: Explanation) -> list[tuple[dict[str, Any], str]]:
    """Return the parts that add most to the score, with their labels; none that takes away."""
    named = zip(explanation.parts.to_pylist(), explanation.labels, strict=False)
    return list(islice(((part, label) for part, label in named if part["amount"] > 0), REASONS))
