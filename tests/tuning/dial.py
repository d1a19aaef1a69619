"""A model whose quality is known for all settings, and data to tune it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from shortlist.data.dataset import Dataset
from shortlist.errors import InputError, ShortlistError
from shortlist.models.base import Fitted, Model
from shortlist.models.config import ModelConfig, Search, hyper
from shortlist.scoring.profiles import Profiles
from shortlist.scoring.scores import FactorScores, Floats, ItemFactors, Scores

N_ITEMS, RIGHT = 40, 28  # the last interaction of every user is with item 28


def dial_world(n_users: int = 8) -> Dataset:
    """Return users with two of the first items, then item 28."""
    rows = []
    for user in range(n_users):
        items = [user % 5, 5 + user % 3, RIGHT]
        rows += [(user, item, 100 * user + step) for step, item in enumerate(items)]
    rows.append((n_users, RIGHT + 1, 0))  # a user with a single interaction
    user_ids, item_ids, times = zip(*rows, strict=True)
    log = pa.table({"user_id": user_ids, "item_id": item_ids, "at": times})
    catalogue = pa.table({"item_id": range(N_ITEMS)})
    return Dataset.from_tables(log, items=catalogue, time="at")


class DialConfig(ModelConfig):
    position: float = hyper(0.1, "Position of the best item.", ge=0, le=1, search=Search(0.0, 1.0))
    kind: Literal["near", "far"] = hyper(
        "near", "Which items score high.", search=Search(choices=("near", "far"))
    )
    reach: int = hyper(
        3,
        "Has no effect. Only with far.",
        ge=1,
        search=Search(1, 30, "log", when=("kind", "far")),
    )
    trap: float = hyper(2.0, "Positions from here on cannot be fitted.")
    seed: int = hyper(0, "Not tuned.", ge=0)


@dataclass(frozen=True)
class DialLearned:
    scores: Floats  # (n_items,)


class Dial(Model[DialConfig, DialLearned]):
    """Ranks the items near a position first; with kind="far", those far from it."""

    needs_history = False
    fits: ClassVar[list[float]] = []

    def learn(self, data: Dataset) -> Fitted[DialLearned]:
        position = self.config.position
        self.fits.append(position)
        if self.config.trap == -1:
            raise InputError("no dial here")
        if position >= self.config.trap:
            raise ShortlistError(f"the dial is stuck at {self.config.trap}")
        distance = np.abs(np.arange(data.n_items) / data.n_items - position)
        sign = -1 if self.config.kind == "near" else 1
        return Fitted(DialLearned((sign * distance).astype(np.float32)))

    def score(self, profiles: Profiles) -> Scores:
        return FactorScores(
            np.ones((len(profiles), 1), dtype=np.float32),
            ItemFactors(self.learned.scores[np.newaxis]),
        )


def ndcg_of(position: float) -> float:
    """Compute the NDCG@10 of kind="near" by counting the unseen items nearer than the right one."""
    gaps = np.abs(np.arange(N_ITEMS) / N_ITEMS - position)
    values: list[float] = []
    for user in range(8):
        seen = {user % 5, 5 + user % 3}
        others = [item for item in range(N_ITEMS) if item not in seen and item != RIGHT]
        nearer = sum(gaps[item] < gaps[RIGHT] for item in others)
        values.append(1 / np.log2(nearer + 2) if nearer < 10 else 0.0)
    return float(np.mean(values))


def plain(trials: Any) -> list[tuple[Any, ...]]:
    """Return the fields of trials that do not depend on the clock."""
    return [(t.number, t.settings, t.state, t.value, t.steps, t.reason) for t in trials]
