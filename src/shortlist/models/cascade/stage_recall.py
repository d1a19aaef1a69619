"""What each stage of a cascade contributes, measured on held-out items.

First the recall of the candidates: no ranker can recover an item that no stage returned. Then the
NDCG of each stage's own list and of the re-ranked list.
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
from shortlist.models.cascade.examples import ALL_STAGES
from shortlist.text import figure, span, text_table

CUTOFF = 10  # of the NDCG

_NUMBERS = (
    "returned", "recall", "recall_low", "recall_high", "only_here", "ndcg", "ndcg_low", "ndcg_high",
    "gain", "gain_low", "gain_high",
)  # fmt: skip
SCHEMA = pa.schema([("stage", pa.string()), *((name, pa.float64()) for name in _NUMBERS)])

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class StageRecall:
    """A table with one row per stage and one for their union; printed, it is aligned.

    Attributes
    ----------
    table
        For each stage, means over users with 95% bootstrap intervals. ``returned``: the number of
        candidates; ``recall``: the share of the held-out items among them; ``only_here``: the share
        that no other stage returned; ``ndcg``: NDCG@10 of the stage's own list, and of the
        re-ranked list in the last row; ``gain``: the paired difference of the re-ranked list to the
        stage's own list.
    n_users
        The number of users.
    cut
        The maximum number of items that a stage returns.
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
        level = f"{LEVEL:.0%} interval"
        header = ["stage", "returned", "recall", level, "only here", f"ndcg@{CUTOFF}", level]
        header += ["re-ranked gains", level]
        title = f"{self.n_users:,} users, the best {self.cut} of each stage"
        return f"{title}\n\n{text_table(header, rows)}"


def user_values(
    candidates: Candidates,
    held_out: NDArray[np.bool_],
    n_held_out: NDArray[np.int64],
    scores: Doubles,
) -> Doubles:
    """Return the measurements of B users, from their candidates outside of their histories.

    ``held_out`` (n,) says which candidates are held-out items, ``n_held_out`` (B,) how many each
    user has, candidates or not, and ``scores`` (n,) are those of the ranker.
    """  # (B, 4 S + 3)
    owners, n_users = candidates.owners, len(n_held_out)
    by_one_stage = candidates.returned.sum(axis=0) == 1
    ideal = ideal_gain(n_held_out, CUTOFF)

    def per_user(weights: NDArray[Any]) -> Doubles:
        values = weights.astype(np.float64)
        return np.bincount(owners, values, minlength=n_users).astype(np.float64)

    columns = []
    for returned, ranks in zip(candidates.returned, candidates.ranks, strict=True):
        hits = returned & held_out
        columns += [
            per_user(returned),
            per_user(hits) / n_held_out,
            per_user(hits & by_one_stage) / n_held_out,
            per_user(discounted_gain(ranks, CUTOFF) * hits) / ideal,
        ]
    order = np.lexsort((candidates.items, -scores, owners))
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order)) - candidates.indptr[:-1][owners] + 1
    columns += [
        per_user(np.ones(len(owners))),
        per_user(held_out) / n_held_out,
        per_user(discounted_gain(ranks, CUTOFF) * held_out) / ideal,
    ]
    return np.stack(columns, axis=1)


def stage_recall(values: Doubles, stages: Sequence[str], cut: int, seed: int) -> StageRecall:
    """Return the means over users of their measurements, with intervals."""
    reranked = values[:, -1]
    records: list[dict[str, Any]] = []
    for stage, name in enumerate(stages):
        returned, recall, only, ndcg = values[:, 4 * stage : 4 * stage + 4].T
        record: dict[str, Any] = {"stage": name, "returned": returned.mean()}
        record |= _interval("recall", recall, seed) | {"only_here": only.mean()}
        record |= _interval("ndcg", ndcg, seed) | _interval("gain", reranked - ndcg, seed)
        records.append(record)
    record = {"stage": ALL_STAGES, "returned": values[:, -3].mean()}
    record |= _interval("recall", values[:, -2], seed) | _interval("ndcg", reranked, seed)
    records.append(record)
    return StageRecall(pa.Table.from_pylist(records, schema=SCHEMA), len(values), cut)


def measured_users(data: Dataset, test: Dataset) -> Rows:
    """Return the users to measure on: those with interactions in both data sets.

    Raises
    ------
    InputError
        The data sets have different ids, share interactions, or have no common user.
    """
    if not (data.users.equals(test.users) and data.items.equals(test.items)):
        raise InputError(
            "the test data has other ids than the data the cascade was fitted on",
            remedy="make both with shortlist.split, or join them: split.given(train, test)",
        )
    train_keys, test_keys = (
        part.user_rows.astype(np.int64) * part.n_items + part.item_rows for part in (data, test)
    )
    if np.isin(test_keys, train_keys).any():
        raise InputError(
            "the cascade was fitted on interactions of the test data",
            remedy="fit it on the training side of the split alone",
        )
    users = np.flatnonzero((test.user_counts > 0) & (data.user_counts > 0)).astype(np.int32)
    if not len(users):
        raise InputError(
            "no user of the test data has a training interaction",
            remedy="hold out a part of each user's interactions: split.leave_last_out(data)",
        )
    return users


def _interval(name: str, values: Doubles, seed: int) -> dict[str, float]:
    """Return the mean over users and its bootstrap interval."""
    measure = Measure(values)
    low, high = interval(bootstrap([measure], seed=seed)[:, 0])
    return {name: measure.mean(), f"{name}_low": low, f"{name}_high": high}
