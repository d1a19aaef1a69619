"""What each stage of a cascade hands over, and what the ranker makes of it, with intervals.

At the hand-over it counts which held-out items are among the candidates: what is lost there, no
ranker brings back. Then it counts where they stand in each stage's own list, and in the re-ranked
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shortlist.data.dataset import Dataset
from shortlist.data.vocabulary import Rows
from shortlist.errors import InputError
from shortlist.metrics.bootstrap import LEVEL, Measure, bootstrap, interval
from shortlist.metrics.ranking import discounted_gain, ideal_gain
from shortlist.models.cascade.candidates import Candidates
from shortlist.text import figure, span, text_table

CUTOFF = 10  # of the NDCG
ALL = "all together"

SCHEMA = pa.schema(
    [
        ("stage", pa.string()),
        ("returned", pa.float64()),
        ("recall", pa.float64()),
        ("recall_low", pa.float64()),
        ("recall_high", pa.float64()),
        ("only_here", pa.float64()),
        ("ndcg", pa.float64()),
        ("ndcg_low", pa.float64()),
        ("ndcg_high", pa.float64()),
        ("gain", pa.float64()),
        ("gain_low", pa.float64()),
        ("gain_high", pa.float64()),
    ]
)

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Handover:
    """A table with a row for each stage and one for all together; printed, it is lined up.

    Attributes
    ----------
    table
        Of each stage, means over users with 95% bootstrap intervals: ``returned``, how many
        candidates it returns; ``recall``, the share of the held-out items among them;
        ``only_here``, the share that no other stage returned; ``ndcg``, NDCG@10 of the stage's own
        list, and of the re-ranked one in the last row; ``gain``, by how much the re-ranked list is
        better (paired).
    n_users
        Over how many users.
    cut
        How many each stage was asked for.
    """

    table: pa.Table
    n_users: int
    cut: int

    def __str__(self) -> str:
        rows = []
        for row in self.table.to_pylist():
            rows.append(
                [
                    row["stage"],
                    f"{row['returned']:.0f}",
                    figure(row["recall"]),
                    span(row["recall_low"], row["recall_high"]),
                    "" if row["only_here"] is None else figure(row["only_here"]),
                    figure(row["ndcg"]),
                    span(row["ndcg_low"], row["ndcg_high"]),
                    "" if row["gain"] is None else f"{row['gain']:+.4f}",
                    "" if row["gain"] is None else span(row["gain_low"], row["gain_high"]),
                ]
            )
        sure = f"{LEVEL:.0%} interval"
        header = ["stage", "returned", "recall", sure, "only here", f"ndcg@{CUTOFF}", sure]
        header += ["re-ranked gains", sure]
        title = f"{self.n_users:,} users, the best {self.cut} of each stage"
        return f"{title}\n\n{text_table(header, rows)}"


class Counting:
    """Gathers what a hand-over is made of, block by block of users."""

    def __init__(self, stages: Sequence[str], cut: int) -> None:
        self._stages, self._cut = stages, cut
        self._values: list[Doubles] = []

    def add(
        self,
        candidates: Candidates,
        held: NDArray[np.bool_],
        n_held: NDArray[np.int64],
        order: Doubles,
    ) -> None:
        """Take in a block of users.

        Parameters
        ----------
        candidates
            Theirs, with nothing of their histories among them.
        held
            Which candidates were held out.  # (n,)
        n_held
            How many items were held out of each user, candidates or not.  # (B,)
        order
            The ranker's numbers.  # (n,)
        """
        owners, count = candidates.owners, len(n_held)
        alone = candidates.returned.sum(axis=0) == 1
        ideal = ideal_gain(n_held, CUTOFF)

        def per_user(weights: Doubles) -> Doubles:
            return np.bincount(owners, weights, minlength=count).astype(np.float64)

        columns = []
        for returned, places in zip(candidates.returned, candidates.places, strict=True):
            columns += [
                per_user(returned.astype(np.float64)),
                per_user((returned & held).astype(np.float64)) / n_held,
                per_user((returned & held & alone).astype(np.float64)) / n_held,
                per_user(discounted_gain(places, CUTOFF) * (returned & held)) / ideal,
            ]
        place = np.lexsort((candidates.items, -order, owners))
        ranks = np.empty(len(place), dtype=np.int64)
        ranks[place] = np.arange(len(place)) - candidates.indptr[:-1][owners] + 1
        columns += [
            per_user(np.ones(len(owners))),
            per_user(held.astype(np.float64)) / n_held,
            per_user(discounted_gain(ranks, CUTOFF) * held) / ideal,
        ]
        self._values.append(np.stack(columns, axis=1))

    def result(self, seed: int) -> Handover:
        """Sum up."""
        values = np.concatenate(self._values)  # (n_users, 4 S + 3)
        last = values[:, -1]
        records: list[dict[str, Any]] = []
        for place, name in enumerate(self._stages):
            returned, recall, only, ndcg = values[:, 4 * place : 4 * place + 4].T
            record: dict[str, Any] = {"stage": name, "returned": returned.mean()}
            record |= _spread("recall", recall, seed) | {"only_here": only.mean()}
            records.append(
                record | _spread("ndcg", ndcg, seed) | _spread("gain", last - ndcg, seed)
            )
        record = {"stage": ALL, "returned": values[:, -3].mean()}
        records.append(
            record | _spread("recall", values[:, -2], seed) | _spread("ndcg", last, seed)
        )
        return Handover(pa.Table.from_pylist(records, schema=SCHEMA), len(values), self._cut)


def _spread(name: str, values: Doubles, seed: int) -> dict[str, float]:
    """Return the mean over users and its bootstrap interval."""
    measure = Measure(values)
    low, high = interval(bootstrap([measure], seed=seed)[:, 0])
    return {name: measure.mean(), f"{name}_low": low, f"{name}_high": high}


def asked_users(data: Dataset, test: Dataset) -> Rows:
    """Give the users to measure on, once it is sure that they can be."""
    if not (data.users.equals(test.users) and data.items.equals(test.items)):
        raise InputError(
            "the test data has other ids than the data the cascade was fitted on",
            remedy="make both with shortlist.split, or join them: split.given(train, test)",
        )
    keys = [one.user_rows.astype(np.int64) * one.n_items + one.item_rows for one in (data, test)]
    if np.isin(keys[1], keys[0]).any():
        raise InputError(
            "the cascade was fitted on interactions of the test data",
            remedy="fit it on the training side of the split alone",
        )
    users = np.flatnonzero((test.user_counts > 0) & (data.user_counts > 0)).astype(np.int32)
    if not len(users):
        raise InputError(
            "nobody in the test data has a training interaction",
            remedy="hold out a part of each user's interactions: split.leave_last_out(data)",
        )
    return users
