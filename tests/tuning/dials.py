"""A model whose quality is known for every setting, and the world it is tuned in."""

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

N_ITEMS, RIGHT = 40, 28  # everybody's last choice is item 28, which nobody chose before


def dial_world(n_users: int = 8) -> Dataset:
    """Each user chooses two of the first items, then item 28."""
    rows = []
    for user in range(n_users):
        chosen = [user % 5, 5 + user % 3, RIGHT]
        rows += [(user, item, 100 * user + at) for at, item in enumerate(chosen)]
    rows.append((n_users, RIGHT + 1, 0))  # a user with a single choice, and a little more width
    users, items, times = zip(*rows, strict=True)
    log = pa.table({"user_id": users, "item_id": items, "at": times})
    catalogue = pa.table({"item_id": range(N_ITEMS)})
    return Dataset.from_tables(log, items=catalogue, time="at")


class DialConfig(ModelConfig):
    place: float = hyper(0.1, "Where the best item is.", ge=0, le=1, search=Search(0.0, 1.0))
    kind: Literal["near", "far"] = hyper(
        "near", "Near is right.", search=Search(choices=("near", "far"))
    )
    reach: int = hyper(
        3, "Only of the far kind.", ge=1, search=Search(1, 30, "log", when=("kind", "far"))
    )
    trap: float = hyper(2.0, "Places from here on cannot be fitted.")
    seed: int = hyper(0, "Not tuned.", ge=0)


@dataclass(frozen=True)
class DialLearned:
    scores: Floats  # (n_items,)


class Dial(Model[DialConfig, DialLearned]):
    """Items near a place come first; with the far kind, those far from it."""

    needs_history = False
    fits: ClassVar[list[float]] = []

    def learn(self, data: Dataset) -> Fitted[DialLearned]:
        place = self.config.place
        self.fits.append(place)
        if self.config.trap == -1:
            raise InputError("no dial here")
        if place >= self.config.trap:
            raise ShortlistError(f"the dial is stuck at {self.config.trap}")
        distance = np.abs(np.arange(data.n_items) / data.n_items - place)
        sign = -1 if self.config.kind == "near" else 1
        return Fitted(DialLearned((sign * distance).astype(np.float32)))

    def score(self, profiles: Profiles) -> Scores:
        return FactorScores(
            np.ones((len(profiles), 1), dtype=np.float32),
            ItemFactors(self.learned.scores[np.newaxis]),
        )


def ndcg_of(place: float) -> float:
    """NDCG@10 of the near kind, counted by hand: what is nearer than the right item, unseen."""
    places = np.arange(N_ITEMS) / N_ITEMS
    gaps = np.abs(places - place)
    values: list[float] = []
    for user in range(8):
        seen = {user % 5, 5 + user % 3}
        others = [one for one in range(N_ITEMS) if one not in seen and one != RIGHT]
        nearer = sum(gaps[one] < gaps[RIGHT] for one in others)
        values.append(1 / np.log2(nearer + 2) if nearer < 10 else 0.0)
    return float(np.mean(values))


def plain(trials: Any) -> list[tuple[Any, ...]]:
    """What of trials does not depend on the clock."""
    return [(t.number, t.settings, t.state, t.value, t.steps, t.reason) for t in trials]
