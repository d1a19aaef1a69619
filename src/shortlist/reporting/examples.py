"""Example lists of a few randomly drawn users: their history, their list, and the reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id
from shortlist.evaluation.comparison import Comparison
from shortlist.evaluation.truth import Truth
from shortlist.explore.items import titles
from shortlist.explore.labels import labels
from shortlist.models.base import Model
from shortlist.scoring.capabilities import Explains

USERS = 4
MOST_ITEMS = 10  # per list
HISTORY = 8  # items of a history that are shown, the latest
REASONS = 2  # per item


class ItemNames(NamedTuple):
    """The name of each item: with its features, and short where space is scarce."""

    full: list[str]  # (n_items,)
    short: list[str]  # (n_items,)


@dataclass(frozen=True)
class Reason:
    """One part of a score: its amount and its share of the score (None for scores up to 0)."""

    kind: str
    label: str
    amount: float
    share: float | None


@dataclass(frozen=True)
class ListedItem:
    """One row of a list."""

    rank: int
    title: str
    score: float
    source: str
    held_out: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class ExampleList:
    """The list of one user.

    Attributes
    ----------
    user
        The user's id.
    history, history_size
        Titles of the latest training items, latest first; and the number of training items.
    held_out
        Titles of the test items.
    hit_ranks
        The ranks of test items in the list.
    items
        The list.
    """

    user: str
    history: tuple[str, ...]
    history_size: int
    held_out: tuple[str, ...]
    hit_ranks: tuple[int, ...]
    items: tuple[ListedItem, ...]


@dataclass(frozen=True)
class Examples:
    """The lists, and the model that made them."""

    model: str
    k: int
    seed: int
    timed: bool
    explained: bool
    lists: tuple[ExampleList, ...]


def examples(comparison: Comparison) -> Examples:
    """Make lists of the best model for test users, drawn with the seed of the comparison."""
    report, model = comparison[comparison.best], comparison.models[comparison.best]
    truth = Truth.of(comparison.train, comparison.test)
    drawn = np.random.default_rng(report.seed).permutation(len(truth.user_rows))[:USERS]
    k = min(report.main_k, MOST_ITEMS)
    names = ItemNames(labels(comparison.train), titles(comparison.train).to_pylist())
    return Examples(
        model=comparison.best,
        k=k,
        seed=report.seed,
        timed=comparison.train.times is not None,
        explained=isinstance(model, Explains),
        lists=tuple(_example(model, truth, int(position), names, k) for position in np.sort(drawn)),
    )


def _example(
    model: Model[Any, Any], truth: Truth, position: int, names: ItemNames, k: int
) -> ExampleList:
    data, row = model.data, int(truth.user_rows[position])
    user: Id = data.users.ids[row].as_py()
    true = truth.item_rows[truth.indptr[position] : truth.indptr[position + 1]]
    moment = None if truth.moments is None else np.datetime64(int(truth.moments[position]), "us")
    table = model.recommend([user], k=k, as_of=moment).to_arrow()
    item_rows = data.items.rows(table.column("item_id").to_pylist())
    items = tuple(
        ListedItem(
            entry["rank"],
            names.full[item_row],
            entry["score"],
            entry["source"],
            bool(item_row in true),
            _reasons(model, user, entry["item_id"], names),
        )
        for entry, item_row in zip(table.to_pylist(), item_rows, strict=True)
    )
    latest = _latest_items(data, row)
    return ExampleList(
        str(user),
        tuple(names.full[item_row] for item_row in latest[:HISTORY]),
        len(latest),
        tuple(names.full[item_row] for item_row in true),
        tuple(item.rank for item in items if item.held_out),
        items,
    )


def _latest_items(data: Dataset, user_row: int) -> NDArray[np.int32]:
    """Return the item rows of a user, latest first."""
    recency = data.recency[[user_row]]
    rows: NDArray[np.int32] = recency.indices[np.argsort(recency.data)]
    return rows


def _reasons(model: Model[Any, Any], user: Id, item: Id, names: ItemNames) -> tuple[Reason, ...]:
    if not isinstance(model, Explains):
        return ()
    explanation = model.explain(user, item)
    return tuple(
        Reason(
            part["kind"],
            _label(part, model.data, names),
            part["amount"],
            part["amount"] / explanation.score if explanation.score > 0 else None,
        )
        for part in explanation.parts.slice(0, REASONS).to_pylist()
        if part["amount"] != 0
    )


def _label(part: dict[str, Any], data: Dataset, names: ItemNames) -> str:
    """Return the title of a part that is an item, or the name of another part."""
    if not part["kind"].endswith("item"):
        return str(part["name"])
    [row] = data.items.rows(data.items.parse([part["name"]]))
    return names.short[row] if row >= 0 else str(part["name"])
