"""Example lists of a few randomly drawn users: their history, their list, and the reasons."""

from __future__ import annotations

from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id
from shortlist.evaluation.comparison import Comparison
from shortlist.evaluation.truth import Truth
from shortlist.explore.items import labels, titles
from shortlist.models.base import Model
from shortlist.recommend.explain import BY_SIMILAR, CHOSEN, Explanation, explain_items
from shortlist.recommend.query import Query
from shortlist.scoring.capabilities import Explains

USERS = 4
MOST_ITEMS = 10  # per list
HISTORY = 8  # items of a history that are shown, the latest
REASONS = 2  # per item


class ItemNames(NamedTuple):
    """The name of each item: with its features, and short where space is scarce."""

    full: list[str]  # (n_items,)
    short: list[str]  # (n_items,)


def examples(comparison: Comparison) -> dict[str, Any]:
    """Make lists of the best model for test users, drawn with the seed of the comparison."""
    report, model = comparison[comparison.best], comparison.models[comparison.best]
    truth = Truth.of(comparison.train, comparison.test)
    drawn = np.random.default_rng(report.seed).permutation(len(truth.user_rows))[:USERS]
    k = min(report.main_k, MOST_ITEMS)
    names = ItemNames(labels(comparison.train), titles(comparison.train).to_pylist())
    return {
        "model": comparison.best,
        "k": k,
        "timed": comparison.train.times is not None,
        "explained": isinstance(model, Explains),
        "lists": [_example(model, truth, int(position), names, k) for position in np.sort(drawn)],
    }


def _example(
    model: Model[Any, Any], truth: Truth, position: int, names: ItemNames, k: int
) -> dict[str, Any]:
    data, row = model.data, int(truth.user_rows[position])
    user: Id = data.users.ids[row].as_py()
    true = truth.item_rows[truth.indptr[position] : truth.indptr[position + 1]]
    moment = None if truth.moments is None else np.datetime64(int(truth.moments[position]), "us")
    table = model.recommend([user], k=k, as_of=moment).to_arrow()
    item_rows = data.items.rows(table.column("item_id").to_pylist())
    listed = [
        {
            **entry,  # rank, score, source
            "title": names.full[item_row],
            "held_out": item_row in true,
            "reasons": _reasons(model, user, entry["item_id"], names),
        }
        for entry, item_row in zip(table.to_pylist(), item_rows, strict=True)
    ]
    recency = data.recency[[row]]
    latest = recency.indices[np.argsort(recency.data)]
    return {
        "user": str(user),
        "history": [names.full[item_row] for item_row in latest[:HISTORY]],
        "history_size": len(latest),
        "held_out": [names.full[item_row] for item_row in true],
        "hit_ranks": [item["rank"] for item in listed if item["held_out"]],
        "listed": listed,
    }


def _reasons(model: Model[Any, Any], user: Id, item: Id, names: ItemNames) -> list[dict[str, Any]]:
    """Return parts of a score: kind, label, amount, and share of the score if that is above 0."""
    if not isinstance(model, Explains):
        return []
    [explanation] = explain_items(model, Query(user=user), [item])
    return [
        {
            "kind": part["kind"],
            "label": _label(part, label, model.data, names),
            "amount": part["amount"],
            "share": part["amount"] / explanation.score if explanation.score > 0 else None,
        }
        for part, label in strongest(explanation)
    ]


def strongest(explanation: Explanation) -> list[tuple[dict[str, Any], str]]:
    """Return the parts that add most to the score, with their labels; none that takes away."""
    named = zip(explanation.parts.to_pylist(), explanation.labels, strict=False)
    return list(islice(((part, label) for part, label in named if part["amount"] > 0), REASONS))


def _label(part: dict[str, Any], label: str, data: Dataset, names: ItemNames) -> str:
    """Return the short title of a part that is an item, or the label of another part."""
    if part["kind"] not in (CHOSEN, BY_SIMILAR):
        return label
    [row] = data.items.rows(data.items.parse([part["name"]]))
    return names.short[row] if row >= 0 else str(part["name"])
