"""Lists of a few people, drawn and not chosen: what they had, what they get, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Id
from shortlist.evaluation.truth import Truth
from shortlist.explore.items import titles
from shortlist.explore.labels import labels
from shortlist.models.base import Model
from shortlist.recommend.explain import Explanation
from shortlist.scoring.capabilities import Explains

if TYPE_CHECKING:
    from shortlist.evaluation.comparison import Comparison

PEOPLE = 4
MOST_PLACES = 10
HISTORY = 8  # items of a history that are shown, the latest
REASONS = 2  # an item


class Names(NamedTuple):
    """What items are called: in full, and where many stand side by side."""

    full: list[str]  # (n_items,)
    short: list[str]  # (n_items,)


@dataclass(frozen=True)
class Reason:
    """A part of a score: what it is, and its share of the score (its amount where that is 0)."""

    kind: str
    label: str
    amount: float
    share: float | None


@dataclass(frozen=True)
class Listed:
    """One place of a list."""

    rank: int
    title: str
    score: float
    source: str
    held_out: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Example:
    """One person.

    Attributes
    ----------
    user
        Their id.
    history, history_size
        Titles of the latest training items, the last first; and how many there are.
    held_out
        Titles of what they chose next.
    found
        The places of those on the list.
    places
        The list.
    """

    user: str
    history: tuple[str, ...]
    history_size: int
    held_out: tuple[str, ...]
    found: tuple[int, ...]
    places: tuple[Listed, ...]


@dataclass(frozen=True)
class Examples:
    """The people, and the model that made their lists."""

    model: str
    k: int
    seed: int
    timed: bool
    explained: bool
    people: tuple[Example, ...]


def examples(comparison: Comparison) -> Examples:
    """List the best model's items for test users, drawn by the seed of the comparison."""
    report, model = comparison[comparison.best], comparison.models[comparison.best]
    truth = Truth.of(comparison.train, comparison.test)
    drawn = np.random.default_rng(report.seed).permutation(len(truth.user_rows))[:PEOPLE]
    k = min(report.main_k, MOST_PLACES)
    names = Names(labels(comparison.train), titles(comparison.train).to_pylist())
    return Examples(
        model=comparison.best,
        k=k,
        seed=report.seed,
        timed=comparison.train.times is not None,
        explained=isinstance(model, Explains),
        people=tuple(_example(model, truth, int(one), names, k) for one in np.sort(drawn)),
    )


def _example(model: Model[Any, Any], truth: Truth, one: int, names: Names, k: int) -> Example:
    data, row = model.data, int(truth.user_rows[one])
    user: Id = data.users.ids[row].as_py()
    true = truth.item_rows[truth.indptr[one] : truth.indptr[one + 1]]
    moment = None if truth.moments is None else np.datetime64(int(truth.moments[one]), "us")
    table = model.recommend([user], k=k, as_of=moment).to_arrow()
    items = table.column("item_id").to_pylist()
    rows = data.items.rows(items)
    places = tuple(
        Listed(
            rank,
            names.full[item_row],
            score,
            source,
            bool(item_row in true),
            _reasons(model, user, item, names),
        )
        for item, item_row, rank, score, source in zip(
            items,
            rows,
            *(table.column(name).to_pylist() for name in ("rank", "score", "source")),
            strict=True,
        )
    )
    latest = _latest(data, row)
    return Example(
        str(user),
        tuple(names.full[row] for row in latest[:HISTORY]),
        len(latest),
        tuple(names.full[row] for row in true),
        tuple(place.rank for place in places if place.held_out),
        places,
    )


def _latest(data: Dataset, user_row: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Give the item rows of a user, the latest first."""
    recency = data.recency[[user_row]]
    rows: np.ndarray[Any, np.dtype[np.int32]] = recency.indices[np.argsort(recency.data)]
    return rows


def _reasons(model: Model[Any, Any], user: Id, item: Id, names: Names) -> tuple[Reason, ...]:
    if not isinstance(model, Explains):
        return ()
    found = model.explain(user, item)
    return tuple(
        Reason(
            part["kind"],
            _label(part, model.data, names),
            part["amount"],
            _share(part["amount"], found),
        )
        for part in found.parts.slice(0, REASONS).to_pylist()
        if part["amount"] != 0
    )


def _share(amount: float, found: Explanation) -> float | None:
    return amount / found.score if found.score > 0 else None


def _label(part: dict[str, Any], data: Dataset, names: Names) -> str:
    """Give the title of a part that is an item; other parts have a name."""
    if not part["kind"].endswith("item"):
        return str(part["name"])
    [row] = data.items.rows(data.items.parse([part["name"]]))
    return names.short[row] if row >= 0 else str(part["name"])
